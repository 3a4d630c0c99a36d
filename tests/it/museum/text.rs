//! Breakages of the dump's text: cut, garbled, or with what does not belong there.

use super::broken::{Breakage, Broken, Class, text as broken};
use super::dump::{Dump, good};
use crate::support::dumps::{rows_of, trailer};

/// Adds these breakages.
pub fn collect(museum: &mut Vec<Broken>) {
    cut_in_rows(museum);
    cut_in_statements(museum);
    parts_lost(museum);
    rows_and_what_looks_like_them(museum);
    characters(museum);
    copy_statements(museum);
    commands(museum);
}

fn text<'a>(museum: &'a mut Vec<Broken>, breakage: &'static str, dump: &Dump) -> Breakage<'a> {
    broken(museum, Class::Text, breakage, dump)
}

fn cut_in_rows(museum: &mut Vec<Broken>) {
    let dump = &good().dump;
    let place = rows_of(dump.bytes(), "comments");
    let first = place.start + dump.rows("comments")[0].len() + 1;
    let cut = |at: usize| Dump::of(&dump.bytes()[..at]);
    let said = "the dump ends inside the data of table public.comments";
    text(museum, "cut in the middle of a row", &cut(first + 7)).alone(said).made_to_fit(said);
    text(museum, "cut between two rows", &cut(first)).alone(said).made_to_fit(said);
    text(museum, "cut before the first row", &cut(place.start)).alone(said);
    text(museum, "cut after the last row", &cut(place.end)).alone(said);
    text(museum, "cut inside the line that ends the rows", &cut(place.end + 1)).alone(said);
    let spelled = dump.cut_after("\n-- PostgreSQL database dump complete\n");
    let said = "the dump ends inside";
    text(museum, "cut after a row or comment that spells the trailer", &spelled).alone(said);
    let phrases = rows_of(dump.bytes(), "blocked_phrases");
    let spelled = dump.rows("blocked_phrases").iter().position(|row| row.contains("complete"));
    let rows = &dump.rows("blocked_phrases")[..=spelled.unwrap()];
    let text_of_rows: usize = rows.iter().map(|row| row.len() + 1).sum();
    text(museum, "cut after a row that is the trailer", &cut(phrases.start + text_of_rows))
        .alone("the dump ends inside the data of table public.blocked_phrases");
}

fn cut_in_statements(museum: &mut Vec<Broken>) {
    let dump = &good().dump;
    let said = "the dump ends inside the statement";
    text(museum, "cut inside CREATE TABLE", &dump.cut_after("CREATE TABLE public.users (\n"))
        .alone(said)
        .made_to_fit(said);
    text(museum, "cut inside a function's body", &dump.cut_after("NEW.search := "))
        .alone("the dump ends inside quotes in the statement");
    text(museum, "cut inside a COPY statement", &dump.cut_after("COPY public.tags (id, "))
        .alone(said);
    let trailing = "without \"PostgreSQL database dump complete\"";
    text(museum, "cut between two statements", &dump.cut_before("CREATE INDEX ix_users_idle"))
        .alone(trailing);
    let after = dump.statement("INDEX", "ix_users_idle").end;
    text(museum, "cut between two entries", &Dump::of(&dump.bytes()[..after]))
        .alone(trailing)
        .made_to_fit(trailing);
    text(
        museum,
        "cut before everything that follows the rows",
        &dump.cut_before("--\n-- Name: page_views_id_seq; Type: SEQUENCE SET"),
    )
    .alone(trailing);
    let before = Dump::of(&dump.bytes()[..trailer(dump.bytes())]);
    text(museum, "cut before the trailer", &before).alone(trailing).made_to_fit(trailing);
    if dump.text().contains("\n\\unrestrict ") {
        text(museum, "cut after the trailer", &dump.cut_before("\n\\unrestrict "))
            .alone("without the \\unrestrict")
            .made_to_fit("without the \\unrestrict");
    }
}

fn parts_lost(museum: &mut Vec<Broken>) {
    let dump = &good().dump;
    let from = |text: &str| Dump::of(&dump.bytes()[dump.at(text)..]);
    text(museum, "the header lost", &from("\nSET statement_timeout"))
        .alone("no \"PostgreSQL database dump\" comment");
    text(museum, "everything before the rows lost", &from("--\n-- Data for Name: daily_usage"))
        .alone("no \"PostgreSQL database dump\" comment");
    let lost = |from: &str, to: &str| dump.with(dump.at(from)..dump.at(to), "");
    text(museum, "every CREATE lost", &lost("CREATE SCHEMA", "--\n-- Data for Name: daily_usage"))
        .alone_one_of(&["has lost a statement", "does not exist"])
        .made_to_fit("Statements do not match");
    let rows = lost(
        "--\n-- Data for Name: daily_usage",
        "--\n-- Name: page_views_id_seq; Type: SEQUENCE SET",
    );
    text(museum, "all rows of all tables lost", &rows)
        .alone("alembic_version is empty")
        .made_to_fit("in the manifest, not in the dump");
    let after = lost(
        "--\n-- Name: page_views_id_seq; Type: SEQUENCE SET",
        "\n--\n-- PostgreSQL database dump complete\n--\n\n\\un",
    );
    text(museum, "everything between the rows and the trailer lost", &after)
        .alone("sequences are behind")
        .made_to_fit("Statements do not match");
    let middle = dump.bytes().len() / 2;
    text(museum, "64 KiB lost in the middle", &dump.with(middle..middle + 65_536, ""))
        .alone_one_of(&["restore error", "the dump ends", "line", "has lost"])
        .made_to_fit("");
}

fn rows_and_what_looks_like_them(museum: &mut Vec<Broken>) {
    let dump = &good().dump;
    let insert =
        |table: &str, row: &str| dump.change_rows(table, |rows| rows.insert(3, row.to_owned()));
    text(museum, "the line that ends the rows in the middle of them", &insert("comments", "\\."))
        .alone_one_of(&["restore error", "psql command"])
        .made_to_fit("");
    let place = rows_of(dump.bytes(), "organizations");
    text(museum, "the line that ends the rows lost", &dump.with(place.end..place.end + 3, ""))
        .alone("restore error")
        .made_to_fit("in the manifest, not in the dump");
    text(
        museum,
        "a row that spells a COPY line",
        &insert("users", "COPY public.users (id) FROM stdin;"),
    )
    .alone("TABLE DATA public.users: invalid input syntax for type integer");
    text(
        museum,
        "a row that spells the trailer",
        &insert("users", "-- PostgreSQL database dump complete"),
    )
    .alone("TABLE DATA public.users: invalid input syntax for type integer");
    // One column of text takes them for values: only the manifest can tell.
    text(
        museum,
        "the same, where any text is a row",
        &insert("blocked_phrases", "-- PostgreSQL database dump complete"),
    )
    .made_to_fit("public.blocked_phrases: expected 22 rows by the manifest, found 23");
    let wrapped = dump.change_value(("content_jobs", 5, 6), |topic| format!("{topic}\nwrapped"));
    text(museum, "a line wrapped on the way", &wrapped)
        .alone("TABLE DATA public.content_jobs: missing data for column");
    let expanded = dump.change_rows("tags", |rows| {
        for row in rows {
            *row = row.replace('\t', "    ");
        }
    });
    text(museum, "tabs turned into spaces", &expanded)
        .alone("TABLE DATA public.tags: invalid input syntax for type integer");
    let blank = dump.change_rows("tags", |rows| rows.push(String::new()));
    text(museum, "an empty line among the rows", &blank).alone("TABLE DATA public.tags");
}

fn characters(museum: &mut Vec<Broken>) {
    let dump = &good().dump;
    let nul = dump.at("CREATE TABLE public.users");
    text(museum, "a NUL in a statement", &dump.with(nul..nul + 1, "\0"))
        .alone("has a NUL byte")
        .made_to_fit("has a NUL byte");
    let body = dump.at("\tThe workshop was sold out") + 5;
    text(museum, "a NUL in a row", &dump.with(body..body + 1, "\0"))
        .alone("TABLE DATA public.comments: invalid byte sequence");
    text(museum, "a page of zeros among the rows", &dump.with(body..body + 4096, vec![0; 4096]))
        .alone_one_of(&["invalid byte sequence", "the dump ends", "has a NUL byte"]);
    text(museum, "a byte that is not UTF-8 in a row", &dump.with(body..body + 1, b"\xff"))
        .alone("TABLE DATA public.comments: invalid byte sequence");
    let name = dump.at("CREATE VIEW public.content_overview") + 20;
    text(museum, "a byte that is not UTF-8 in a statement", &dump.with(name..name + 1, b"\xff"))
        .alone("VIEW public.content_overview: invalid byte sequence");
    let column = dump.at("COPY public.tags (id, name") + 23;
    text(
        museum,
        "a byte that is not UTF-8 in a COPY statement",
        &dump.with(column..column + 1, b"\xff"),
    )
    .alone("TABLE DATA public.tags: invalid byte sequence");
    text(
        museum,
        "an encoding that does not exist",
        &dump.replace("client_encoding = 'UTF8'", "client_encoding = 'UTF9'"),
    )
    .alone("sets the client encoding UTF9")
    .made_to_fit("sets the client encoding UTF9");
    let latin = dump.replace("client_encoding = 'UTF8'", "client_encoding = 'LATIN1'");
    text(museum, "another encoding than the rows are in", &latin)
        .made_to_fit("Statements do not match the manifest: SET");
    text(
        museum,
        "another way of reading backslashes",
        &dump.replace("standard_conforming_strings = on", "standard_conforming_strings = off"),
    )
    .made_to_fit("Statements do not match the manifest: SET");
}

fn copy_statements(museum: &mut Vec<Broken>) {
    let dump = &good().dump;
    let altered = |from: &str, to: &str| dump.replace(from, to);
    text(
        museum,
        "COPY into a table that is not there",
        &altered("COPY public.tags (", "COPY public.taga ("),
    )
    .alone("relation \"public.taga\" does not exist");
    text(
        museum,
        "COPY with a column that is not there",
        &altered("COPY public.tags (id, name", "COPY public.tags (id, nane"),
    )
    .alone("column \"nane\" of relation \"tags\" does not exist");
    text(
        museum,
        "COPY with a column too few",
        &altered("COPY public.tags (id, name, colour)", "COPY public.tags (id, name)"),
    )
    .alone("extra data after last expected column");
    let swapped =
        altered("version, kind, title, body, metadata", "version, kind, body, title, metadata");
    text(museum, "COPY with two columns swapped", &swapped)
        .made_to_fit("Statements do not match the manifest: TABLE DATA");
    text(
        museum,
        "COPY that is none any more",
        &altered("colour) FROM stdin;", "colour) FROM stdim;"),
    )
    .alone_one_of(&["psql command", "restore error"]);
    text(
        museum,
        "COPY from a program",
        &altered(
            "COPY public.tags (id, name, colour) FROM stdin;",
            "COPY public.tags (id, name, colour) FROM PROGRAM 'cat';",
        ),
    )
    .alone_one_of(&["psql command", "restore error"]);
}

fn commands(museum: &mut Vec<Broken>) {
    let dump = &good().dump;
    let command = "psql command that pg_dump does not write";
    let or_restricted = [command, "breaks the \\restrict"];
    let behind = dump.with_last("SELECT 1 \\g |cat");
    text(museum, "a psql command behind a statement", &behind)
        .alone("has a psql command inside the statement");
    for (breakage, line) in [
        ("a psql command that runs a program", "\\! touch /tmp/touched"),
        ("a psql command that reads another file", "\\i /etc/passwd"),
        ("a psql command that ends the script", "\\q"),
        ("a connection to another database inside the dump", "\\connect other"),
    ] {
        text(museum, breakage, &dump.with_last(line)).alone_one_of(&or_restricted);
    }
    if let Some(at) = dump.text().find("\n\\unrestrict ") {
        let key = at + "\n\\unrestrict ".len();
        text(
            museum,
            "another key at \\unrestrict than at \\restrict",
            &dump.with(key..key + 3, "abc"),
        )
        .alone("breaks the \\restrict")
        .made_to_fit("breaks the \\restrict");
    }
}
