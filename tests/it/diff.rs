//! `diff`: in what two backups differ.

use serde_json::Value;

use crate::support::dumps::gzipped;
use crate::support::{Database, Outcome, Place, database};

fn created(place: &Place, database: &Database, args: &[&str]) {
    let outcome = Outcome::of(&place.create(database).args(args).output().unwrap());
    assert_eq!(outcome.code, 0, "{outcome}");
}

fn diff(place: &Place, args: &[&str]) -> Outcome {
    Outcome::of(&place.ccc().arg("diff").args(args).output().unwrap())
}

#[track_caller]
fn told(place: &Place, args: &[&str], code: i32) -> Outcome {
    let outcome = diff(place, args);
    assert_eq!(outcome.code, code, "{args:?}: {outcome}");
    outcome
}

fn json(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {outcome}"))
}

/// A database, and what happens to it between two backups.
const BEFORE: &str = "CREATE SCHEMA shop; SET search_path = shop;
    CREATE TABLE kept (id int, name text); INSERT INTO kept VALUES (1, 'a'), (2, 'b');
    CREATE TABLE changed (id int, name text); INSERT INTO changed VALUES (1, 'a'), (2, 'b');
    CREATE TABLE grown (id serial, name text); INSERT INTO grown (name) VALUES ('a');
    CREATE TABLE gone (id int); INSERT INTO gone VALUES (1)";
const AFTER: &str = "SET search_path = shop;
    UPDATE changed SET name = 'x' WHERE id = 2;
    INSERT INTO grown (name) SELECT 'b' FROM generate_series(1, 9);
    DROP TABLE gone; CREATE TABLE come (id int); INSERT INTO come VALUES (1), (2);
    SELECT lo_from_bytea(4711, 'x')";

#[test]
fn what_came_and_went_and_changed_between_two_backups_is_told_from_their_manifests() {
    let (place, database) = (Place::without_docker(), database());
    database.sql(BEFORE);
    created(&place, &database, &["a.sql"]);
    created(&place, &database, &["same.sql"]);
    database.sql(AFTER);
    created(&place, &database, &["b.sql"]);
    let same = told(&place, &["a.sql.gz", "same.sql.gz"], 0);
    assert!(same.stdout.contains("\nSame: 29 tables the same\n"), "{same}");
    assert_eq!(same.stderr, "");
    let outcome = told(&place, &["a.sql.gz", "b.sql.gz"], 1);
    for words in [
        "shop.changed 2 2 contents",
        "shop.come - 2 +2 only in B",
        "shop.gone 1 - -1 only in A",
        "shop.grown 1 10 +9 rows",
        "shop.grown_id_seq 1 10",
        "Large objects: 5 in A, 6 in B: different",
        "Different: 26 tables the same, 1 only in A, 1 only in B, 2 different",
    ] {
        let is_it = |line: &str| line.split_whitespace().eq(words.split_whitespace());
        let large = words.starts_with("Large") && outcome.stdout.contains("Large objects: ");
        assert!(large || outcome.stdout.lines().any(is_it), "{words}: {outcome}");
    }
    assert!(!outcome.stdout.contains("shop.kept"), "{outcome}");
    let value = json(&told(&place, &["a.sql.gz", "b.sql.gz", "--format=json"], 1));
    assert_eq!((&value["told"], &value["same_tables"]), (&"different".into(), &26.into()));
    assert_eq!(value["sequences"][0]["state"]["b"]["last_value"], 10);
    let kinds = value["statements"].as_array().unwrap().iter();
    let kinds: Vec<&str> = kinds.filter_map(|kind| kind["kind"].as_str()).collect();
    assert!(kinds.contains(&"TABLE") && !kinds.contains(&"SEQUENCE SET"), "{kinds:?}");
    // The backups themselves are not looked at.
    std::fs::remove_file(place.dir().join("a.sql.gz")).unwrap();
    let manifests = ["a.sql.gz.manifest.json", "b.sql.gz.manifest.json"];
    assert_eq!(
        json(&told(&place, &[manifests[0], manifests[1], "--format=json"], 1))["tables"],
        value["tables"]
    );
}

#[test]
fn contents_that_were_written_under_other_settings_are_never_the_same() {
    let (place, database) = (Place::without_docker(), database());
    database.sql("CREATE TABLE plain AS SELECT 1 AS id");
    created(&place, &database, &["a.sql", "--", "--table=plain"]);
    created(&place, &database, &["b.sql", "--", "--table=plain", "--encoding=LATIN1"]);
    let outcome = told(&place, &["a.sql.gz", "b.sql.gz"], 2);
    let why =
        "Not comparable: contents of tables: A was written with the encoding UTF8, B with LATIN1";
    assert!(outcome.stdout.contains(why), "{outcome}");
    assert!(outcome.stdout.contains("It could not be told: "), "{outcome}");
    let outcome = told(&place, &["a.sql.gz", "b.sql.gz", "--table=plain"], 2);
    assert!(outcome.stderr.contains("the rows are not comparable: "), "{outcome}");
}

#[test]
fn what_could_not_be_told_is_neither_the_same_nor_different() {
    let (place, database) = (Place::without_docker(), database());
    created(&place, &database, &["a.sql", "--compress=none"]);
    let dump = std::fs::read(place.dir().join("a.sql")).unwrap();
    place.file("cut.sql", &dump[..dump.len() / 2]);
    for (args, cause) in [
        (&["a.sql", "missing.sql"][..], "Backup file not found"),
        (&["a.sql", "missing.sql.manifest.json"], "missing.sql.manifest.json"),
        (&["a.sql", "cut.sql"], "cut.sql: the dump ends"),
        (&["a.sql", "cut.sql", "--table=users"], "cut.sql: "),
        (&["a.sql", "a.sql", "--table=user"], "has no rows of a table user"),
        (&["a.sql", "a.sql", "--table=u*"], "--table takes one table, and"),
        (&["a.sql", "a.sql", "--database=other"], "is of the database"),
    ] {
        let outcome = told(&place, args, 2);
        assert!(outcome.stderr.contains(cause), "{args:?}: {outcome}");
        assert_eq!(outcome.stdout, "", "{args:?}");
        outcome.hints("");
    }
    let mut other = dump.clone();
    let at = other.iter().rposition(|byte| *byte == b'@').unwrap();
    other[at] = b'#';
    place.file("a.sql", &other);
    // By the manifest alone it is as it was; the rows say more.
    told(&place, &["a.sql", "a.sql"], 0);
    place.file("a.sql.manifest.json", b"{\"format_version\": 2}");
    told(&place, &["a.sql", "a.sql"], 2);
}

#[test]
fn dumps_of_several_databases_are_compared_by_one_of_them() {
    let place = Place::without_docker();
    let of = |name: &str, rows: &str| {
        format!(
            "\\connect {name}\n\n--\n-- PostgreSQL database dump\n--\n\n\
             COPY public.t (a) FROM stdin;\n{rows}\\.\n\n\
             --\n-- PostgreSQL database dump complete\n--\n\n"
        )
    };
    let all = |one: &str, two: &str| {
        let head = "--\n-- PostgreSQL database cluster dump\n--\n\n";
        let end = "--\n-- PostgreSQL database cluster dump complete\n--\n";
        [head, &of("one", one), &of("two", two), end].concat()
    };
    place.file("a.sql", all("1\n", "1\n").as_bytes());
    place.file("b.sql", all("1\n", "2\n").as_bytes());
    let outcome = told(&place, &["a.sql", "b.sql"], 2);
    assert!(outcome.stderr.contains("is of several databases: one, two"), "{outcome}");
    told(&place, &["a.sql", "b.sql", "--database=one"], 0);
    told(&place, &["a.sql", "b.sql", "--database=two"], 1);
    told(&place, &["a.sql", "b.sql", "--database=two", "--table=t", "--rows"], 1).says("+2");
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn rows_of_a_table_are_compared_one_by_one_and_shown() {
        let (place, database) = (Place::without_docker(), database());
        database.sql(
            "CREATE TABLE t (id int, name text);
         INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 100000) i;
         INSERT INTO t VALUES (0, 'twice'), (0, 'twice'), (-1, NULL), (-2, E'a\\tb')",
        );
        created(&place, &database, &["a.sql"]);
        created(&place, &database, &["a", "--format=custom"]);
        place.file("same.sql", &database.dump(&["--inserts"]));
        database.sql(
            "DELETE FROM t WHERE id = 5; UPDATE t SET name = 'other' WHERE id = 7;
         DELETE FROM t WHERE ctid IN (SELECT ctid FROM t WHERE id = 0 LIMIT 1);
         INSERT INTO t VALUES (-3, '')",
        );
        created(&place, &database, &["b.sql"]);
        created(&place, &database, &["b", "--format=directory"]);
        // The columns in another order are the same rows.
        database.sql("ALTER TABLE t RENAME TO was; CREATE TABLE t (name text, id int); INSERT INTO t SELECT name, id FROM was");
        created(&place, &database, &["c.sql"]);
        for (a, b) in [
            ("a.sql.gz", "b.sql.gz"),
            ("a.dump", "b.dir"),
            ("a.sql.gz", "c.sql.gz"),
            ("a.dump", "c.sql.gz"),
        ] {
            let outcome = told(&place, &[a, b, "--table=t", "--rows"], 1);
            let sum = "public.t: 100,001 rows in both, 3 only in A (-), 2 only in B (+)";
            assert!(outcome.stdout.contains(sum), "{a} {b}: {outcome}");
            let mut rows: Vec<&str> =
                outcome.stdout.lines().filter(|line| line.starts_with(['-', '+'])).collect();
            rows.sort_unstable();
            assert_eq!(
                rows,
                ["+-3\t", "+7\tother", "-0\ttwice", "-5\trow 5", "-7\trow 7"],
                "{a} {b}"
            );
            let counts = told(&place, &[a, b, "--table=t"], 1);
            assert!(counts.stdout.contains(sum) && !counts.stdout.contains("twice"), "{counts}");
        }
        let value = json(&told(
            &place,
            &["a.sql.gz", "b.sql.gz", "-t", "public.t", "--rows", "--format=json"],
            1,
        ));
        assert_eq!(value["rows"]["removed"], 3);
        let rows = value["changed_rows"].as_array().unwrap();
        assert_eq!(rows.len(), 5);
        assert!(rows.iter().any(|row| row["change"] == "added" && row["values"]["name"] == ""));
        let none =
            json(&told(&place, &["a.sql.gz", "a.dump", "-t", "t", "--rows", "--format=json"], 0));
        assert_eq!(
            (&none["told"], none["changed_rows"].as_array().unwrap().len()),
            (&"same".into(), 0)
        );
    }

    #[test]
    fn backups_of_all_formats_are_compared_also_without_their_manifests() {
        let (place, database) = (Place::without_docker(), database());
        database.sql(BEFORE);
        created(&place, &database, &["a.sql"]);
        created(&place, &database, &["a", "--format=custom"]);
        let dumps = |name: &str| {
            place.file(&format!("{name}.sql"), &database.dump(&[]));
            place.file(&format!("{name}.gz"), &gzipped(&database.dump(&["--no-owner"])));
            place.file(&format!("{name}.dump"), &database.dump(&["--format=custom"]));
            let directory = place.dir().join(format!("{name}.dir"));
            database.dump(&["--format=directory", "--file", directory.to_str().unwrap()]);
        };
        dumps("old");
        dumps("again");
        database.sql(AFTER);
        dumps("new");
        for (one, other, code) in [
            ("old.sql", "again.sql", 0),
            ("old.dump", "again.dir", 0),
            ("old.dump", "again.dump", 0),
            ("old.sql", "new.sql", 1),
            ("old.dir", "new.dump", 1),
            ("a.sql.gz", "new.gz", 1),
            // Equal in all that can be compared: the definitions of an archive are written otherwise.
            ("a.sql.gz", "a.dump", 2),
        ] {
            let outcome = told(&place, &[one, other], code);
            let shown = outcome.stdout.contains("shop.grown ");
            assert_eq!(shown, code == 1, "{one} {other}: {outcome}");
        }
        let same = told(&place, &["a.sql.gz", "a.dump"], 2);
        assert!(same.stdout.contains("29 tables the same"), "{same}");
        assert!(same.stdout.contains("Not comparable: definitions: "), "{same}");
    }
}
