//! Breakages of rows: lost, doubled, changed, moved. Where the dump still restores, the manifest
//! alone can tell; it is made to fit the file, so that the checksum cannot.

use super::broken::{Breakage, Broken, Class, files, text as broken};
use super::dump::{Dump, good};
use crate::support::dumps::{gzipped, rows_of};

/// Adds these breakages.
pub fn collect(museum: &mut Vec<Broken>) {
    lost(museum);
    doubled(museum);
    changed(museum);
    changed_by_hand(museum);
    invalid(museum);
    moved(museum);
}

fn rows<'a>(museum: &'a mut Vec<Broken>, breakage: &'static str, dump: &Dump) -> Breakage<'a> {
    broken(museum, Class::Rows, breakage, dump)
}

fn lost(museum: &mut Vec<Broken>) {
    let dump = &good().dump;
    let without = |table: &str, row: usize| dump.change_rows(table, |rows| drop(rows.remove(row)));
    rows(museum, "a row lost", &without("comments", 40))
        .made_to_fit("public.comments: expected 60 rows by the manifest, found 59");
    rows(museum, "a row lost that others refer to", &without("organizations", 1))
        .alone("violates foreign key constraint")
        .made_to_fit("public.organizations: expected 5 rows by the manifest, found 4");
    rows(museum, "the last row lost", &without("content_artifacts", 741))
        .made_to_fit("public.content_artifacts: expected 742 rows by the manifest, found 741");
    let emptied = dump.change_rows("artifact_tags", Vec::clear);
    rows(museum, "all rows of a table gone", &emptied)
        .made_to_fit("public.artifact_tags: expected 100 rows by the manifest, found 0");
    rows(
        museum,
        "all rows of a table gone that others refer to",
        &dump.change_rows("users", Vec::clear),
    )
    .alone("violates foreign key constraint");
    let block = dump.without_entry("TABLE DATA", "api_keys");
    rows(museum, "a table's rows lost with the COPY around them", &block)
        .made_to_fit("public.api_keys: in the manifest, not in the dump");
    let place = dump.statement("TABLE DATA", "api_keys");
    rows(museum, "the same, but for the comment above it", &dump.with(place, "\n\n"))
        .alone("announces TABLE DATA public.api_keys, and nothing of it follows");
    let (start, end) = members();
    files(
        museum,
        Class::Rows,
        "a gzip member lost that held whole rows",
        vec![[start, end].concat()],
    )
    .made_to_fit("public.content_artifacts: expected 742 rows by the manifest, found");
}

/// The dump in gzip members, of which one in the middle of the biggest table is missing.
fn members() -> (Vec<u8>, Vec<u8>) {
    let dump = good().dump.bytes();
    let place = rows_of(dump, "content_artifacts");
    let line = |from: usize| from + memchr::memchr(b'\n', &dump[from..]).unwrap() + 1;
    let (first, second) = (line(place.start), line(place.start + place.len() / 4));
    (gzipped(&dump[..first]), gzipped(&dump[second..]))
}

fn doubled(museum: &mut Vec<Broken>) {
    let dump = &good().dump;
    let twice = |table: &str| dump.change_rows(table, |rows| rows.push(rows[2].clone()));
    rows(museum, "a row doubled", &twice("blocked_phrases"))
        .made_to_fit("public.blocked_phrases: expected 22 rows by the manifest, found 23");
    rows(museum, "a row doubled that has a key", &twice("users"))
        .alone("could not create unique index \"users_pkey\"")
        .made_to_fit("public.users: expected 22 rows by the manifest, found 23");
    let place = dump.statement("TABLE DATA", "blocked_phrases");
    let again = [&dump.bytes()[place.clone()], &dump.bytes()[place.clone()]].concat();
    rows(museum, "all rows of a table twice", &dump.with(place, again))
        .made_to_fit("public.blocked_phrases: expected 22 rows by the manifest, found 44");
    let replaced = dump.change_rows("blocked_phrases", |rows| rows[3] = rows[20].clone());
    rows(museum, "a row in place of another", &replaced)
        .made_to_fit("public.blocked_phrases: the dump is not what was written");
}

fn changed(museum: &mut Vec<Broken>) {
    let dump = &good().dump;
    let artifacts = "public.content_artifacts: the dump is not what was written";
    let bit = |value: &str| {
        let (first, rest) = value.split_at(1);
        format!("{}{rest}", char::from(first.as_bytes()[0] ^ 1))
    };
    rows(
        museum,
        "one bit of one value changed",
        &dump.change_value(("content_artifacts", 500, 4), bit),
    )
    .made_to_fit(artifacts);
    let shortened =
        dump.change_value(("content_artifacts", 3, 5), |body| body.chars().take(40).collect());
    rows(museum, "a value cut off", &shortened).made_to_fit(artifacts);
    rows(museum, "a value replaced", &dump.change_value(("comments", 7, 4), |_| "gone".to_owned()))
        .made_to_fit("public.comments: the dump is not what was written");
    let null = dump.change_value(("invoices", 4, 5), |_| "\\N".to_owned());
    rows(museum, "a time become NULL", &null)
        .made_to_fit("public.invoices: the dump is not what was written");
    let empty = dump.change_value(("comments", 0, 6), |_| "2025-01-08 00:00:00+00".to_owned());
    rows(museum, "NULL become a value", &empty)
        .made_to_fit("public.comments: the dump is not what was written");
    let key = dump.change_value(("users", 3, 0), |_| "99".to_owned());
    rows(museum, "a key changed that others refer to", &key)
        .alone("violates foreign key constraint");
    let swapped = dump.change_rows("tags", |rows| {
        let names: Vec<String> =
            [0, 1].map(|row: usize| rows[row].split('\t').nth(1).unwrap().into()).into();
        rows[0] = rows[0].replace(&names[0], &names[1]);
        rows[1] = rows[1].replace(&names[1], &names[0]);
    });
    rows(museum, "two values swapped between two rows", &swapped)
        .made_to_fit("public.tags: the dump is not what was written");
}

/// As programs do that read a dump and write it again.
fn changed_by_hand(museum: &mut Vec<Broken>) {
    let dump = &good().dump;
    let awkward = "public.awkward_values: the dump is not what was written";
    let change = |from: &str, to: &str| {
        dump.change_rows("awkward_values", |rows| {
            let row = rows.iter_mut().find(|row| row.contains(from)).unwrap();
            *row = row.replacen(from, to, 1);
        })
    };
    for (breakage, from, to) in [
        ("a float rounded", "0.30000000000000004", "0.3"),
        ("trailing zeros of a number lost", "1.5000", "1.5"),
        ("spaces at the end of a value trimmed", "  both ends  ", "  both ends"),
        ("an empty value become NULL", "\tempty\t\t", "\tempty\t\\N\t"),
        ("a CR LF in a value become LF", "first\\r\\nsecond\\r\\n", "first\\nsecond\\n"),
        ("accents composed (Unicode NFC)", "e\u{301}", "é"),
        ("UTF-8 taken for Latin-1 and encoded again", "Größe", "GrÃ¶Ã\u{9f}e"),
        ("straight quotes for curly ones", "“quotes”", "\"quotes\""),
        ("a byte order mark in a value lost", "\u{feff}", ""),
        ("JSON laid out again", "[1e400, -0, 1.0, 1.00]", "[1e400,-0,1.0,1.00]"),
        ("a character outside the BMP replaced", "\u{10ffff}", "\u{fffd}"),
    ] {
        rows(museum, breakage, &change(from, to)).made_to_fit(awkward);
    }
    let later = dump.change_value(("api_keys", 0, 7), |time| time.replace("00:00:00", "01:00:00"));
    rows(museum, "a time moved by an hour", &later)
        .made_to_fit("public.api_keys: the dump is not what was written");
    let flag =
        dump.change_value(("users", 8, 9), |active| if active == "t" { "f" } else { "t" }.into());
    rows(museum, "true become false", &flag)
        .made_to_fit("public.users: the dump is not what was written");
    let bytes = dump.change_value(("content_artifacts", 9, 7), |hex| format!("{hex}00"));
    rows(museum, "a byte added to a bytea", &bytes)
        .made_to_fit("public.content_artifacts: the dump is not what was written");
}

fn invalid(museum: &mut Vec<Broken>) {
    let dump = &good().dump;
    let change = |table: &'static str, row: usize, column: usize, to: &str| {
        dump.change_value((table, row, column), |_| to.to_owned())
    };
    for (breakage, dump, said) in [
        (
            "letters in a number",
            change("comments", 5, 0, "6o"),
            "TABLE DATA public.comments: invalid input syntax for type bigint",
        ),
        (
            "a number out of range",
            change("content_jobs", 5, 5, "99999"),
            "TABLE DATA public.content_jobs: value \"99999\" is out of range",
        ),
        (
            "a date that is none",
            change("campaigns", 2, 6, "2025-02-30"),
            "TABLE DATA public.campaigns: date/time field value out of range",
        ),
        (
            "a word that the enum does not have",
            change("content_jobs", 5, 4, "complete"),
            "TABLE DATA public.content_jobs: invalid input value for enum",
        ),
        (
            "JSON cut off",
            change("users", 2, 6, "{\"theme\": "),
            "TABLE DATA public.users: invalid input syntax for type json",
        ),
        (
            "an array that does not end",
            change("users", 2, 5, "{editor"),
            "TABLE DATA public.users: malformed array literal",
        ),
        (
            "hex digits that are none",
            change("content_artifacts", 2, 7, "\\\\x0g"),
            "TABLE DATA public.content_artifacts: invalid hexadecimal digit",
        ),
        (
            "a value longer than its column",
            change("subscriptions", 1, 5, "EURO"),
            "TABLE DATA public.subscriptions: value too long for type character(3)",
        ),
        (
            "NULL where none may be",
            change("users", 2, 2, "\\N"),
            "TABLE DATA public.users: null value in column \"email\"",
        ),
        (
            "a value that a check refuses",
            change("tags", 2, 2, "#GGGGGG"),
            "TABLE DATA public.tags: new row for relation \"tags\" violates check constraint",
        ),
        (
            "a value that a domain refuses",
            change("organizations", 2, 2, "No Slug"),
            "TABLE DATA public.organizations: value for domain public.slug violates check constraint",
        ),
        (
            "a value that is not unique",
            change("users", 2, 2, "user1@EXAMPLE.org"),
            "could not create unique index \"uq_users_lower_email\"",
        ),
        (
            "a parent that is not there",
            change("comments", 2, 3, "4711"),
            "violates foreign key constraint \"fk_comments_parent\"",
        ),
        (
            "a value too many",
            change("tags", 2, 2, "#000000\tmore"),
            "TABLE DATA public.tags: extra data after last expected column",
        ),
    ] {
        rows(museum, breakage, &dump).alone(said);
    }
}

fn moved(museum: &mut Vec<Broken>) {
    let dump = &good().dump;
    let row = dump.rows("usage_events_2025q1")[0].clone();
    let without = dump.change_rows("usage_events_2025q1", |rows| drop(rows.remove(0)));
    let moved = without.change_rows("usage_events_2025q2", |rows| rows.push(row));
    rows(museum, "a row moved to another partition", &moved)
        .alone("TABLE DATA public.usage_events_2025q2: new row for relation \"usage_events_2025q2\" violates partition constraint")
        .made_to_fit("public.usage_events_2025q1: expected 22 rows by the manifest, found 21");
    let row = dump.rows("artifact_tags")[0].clone();
    let without = dump.change_rows("artifact_tags", |rows| drop(rows.remove(0)));
    let moved = without.change_rows("blocked_phrases", |rows| rows.push(row.replace('\t', "\\t")));
    rows(museum, "a row moved to another table", &moved)
        .made_to_fit("public.artifact_tags: expected 100 rows by the manifest, found 99");
    let (one, two) = (dump.rows("usage_events_2025q3"), dump.rows("usage_events_2025q4"));
    let swapped =
        dump.with_rows("usage_events_2025q3", &two).with_rows("usage_events_2025q4", &one);
    rows(museum, "the rows of two tables swapped", &swapped).alone("violates partition constraint");
}
