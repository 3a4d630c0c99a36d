//! `create --jobs N` of plain dumps: several connections write what pg_dump writes, byte for byte, of one instant, or nothing.

use std::io::Read;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::dumps::{AS_CREATE_DOES, without_restriction};
use crate::support::source::{Database, connection};
use crate::support::{
    BINARY, Outcome, Place, Running, SOON, clean_environment, created, database, text,
    unchanged_database,
};

/// Tables of every kind that is dumped in a way of its own, and enough rows for many parts.
const TABLES: &str = r#"
    CREATE SCHEMA "odd "" schema";
    CREATE TABLE "odd "" schema"."T
-- Data for Name: (a, b) FROM stdin; :x \n" ("a (b), ""c""" int, ":v" text, "d
e" bytea);
    INSERT INTO "odd "" schema"."T
-- Data for Name: (a, b) FROM stdin; :x \n"
        SELECT n, E'\\.\n\t' || n, decode(md5(n::text), 'hex') FROM generate_series(1, 1000) n;
    CREATE TABLE large (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, dropped int, filler text,
        twice int GENERATED ALWAYS AS (length(filler) * 2) STORED, at timestamptz DEFAULT '2026-01-02 03:04:05+06',
        how_long interval DEFAULT '1 day 02:03', ratio float8 DEFAULT 1.0 / 3);
    ALTER TABLE large DROP COLUMN dropped;
    INSERT INTO large (filler) SELECT repeat(md5(n::text), 15) FROM generate_series(1, 60000) n;
    -- Rows that were changed lie elsewhere, and leave holes.
    UPDATE large SET filler = 'changed' WHERE id % 7 = 0;
    DELETE FROM large WHERE id % 11 = 0;
    CREATE TABLE toasted AS SELECT n, string_agg(md5(n * m::text::int || ''), '') AS text
        FROM generate_series(1, 300) n, generate_series(1, 2000) m GROUP BY n;
    CREATE TABLE parent (a int, b text DEFAULT 'p'); INSERT INTO parent VALUES (1);
    CREATE TABLE child (c int) INHERITS (parent); INSERT INTO child VALUES (2, 'c', 3);
    CREATE TABLE parted (k int, v text) PARTITION BY RANGE (k);
    CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (0) TO (500);
    CREATE TABLE parted_high PARTITION OF parted FOR VALUES FROM (500) TO (1000);
    INSERT INTO parted SELECT n, 'v' FROM generate_series(0, 999) n;
    CREATE TABLE nothing (); CREATE TABLE empty (a int);
    CREATE TABLE only_rows (); INSERT INTO only_rows DEFAULT VALUES;
    CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM large;
    CREATE UNLOGGED TABLE fleeting AS SELECT 1 AS a;
    CREATE FUNCTION says() RETURNS text LANGUAGE sql AS $f$ SELECT '
--
-- Data for Name: large; Type: TABLE DATA; Schema: public; Owner: -
--
' $f$;
    COMMENT ON TABLE large IS 'COPY public.large (id) FROM stdin;';
"#;

fn made_of(sql: &str) -> Database {
    let database = database();
    database.sql(sql);
    database
}

#[test]
fn several_connections_write_byte_for_byte_what_pg_dump_writes() {
    let (place, database) = (Place::without_docker(), made_of(TABLES));
    let only: [&[&str]; 3] = [
        &AS_CREATE_DOES,
        &["--clean", "--if-exists"],
        &[
            "--no-owner",
            "--no-acl",
            "--clean",
            "--if-exists",
            "--exclude-table-data=large",
            "--no-comments",
        ],
    ];
    let ours: [&[&str]; 3] =
        [&[], &["--keep-owner"], &["--", "--exclude-table-data=large", "--no-comments"]];
    for (pg_dump, ours) in only.into_iter().zip(ours) {
        for jobs in ["--jobs=2", "--jobs=5"] {
            let args = [&["a.sql", "--compress=none", "--force", jobs], ours].concat();
            created(&place, &database, &args);
            let dump = without_restriction(&std::fs::read(place.dir().join("a.sql")).unwrap());
            let expected = without_restriction(&database.dump(pg_dump));
            let differs = dump.iter().zip(&expected).position(|(ours, theirs)| ours != theirs);
            let around = differs.map(|at| {
                [&dump, &expected]
                    .map(|dump| text(&dump[at.saturating_sub(200)..(at + 200).min(dump.len())]))
            });
            assert_eq!((around, dump.len()), (None, expected.len()), "{args:?}");
        }
    }
}

/// A `create` to standard output, which nobody reads yet.
fn stalled(place: &Place, database: &Database) -> Child {
    let mut create = Command::new(BINARY);
    create.env_clear().envs(clean_environment()).envs(connection(database));
    create.args(["create", "-", "--compress=none", "--jobs=2"]).current_dir(place.dir());
    let child = create.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let reading = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()
                   AND application_name = 'psql' AND query LIKE 'COPY%ctid%'";
    database.wait_for(reading);
    child
}

fn ended(mut child: Child) -> (Outcome, Vec<u8>) {
    let mut stdout = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut stdout).unwrap();
    (Outcome::of(&child.wait_with_output().unwrap()), stdout)
}

/// Enough that all pipes on the way are full.
const MUCH: &str = "CREATE TABLE much AS SELECT n, repeat(md5(n::text), 30) AS filler
                        FROM generate_series(1, 120000) n;
                    CREATE TABLE pairs (a int); CREATE TABLE halves (a int)";

/// How many rows of a table a dump has.
fn rows(dump: &[u8], table: &str) -> usize {
    let begin = format!("COPY public.{table} (");
    let dump = text(dump);
    let lines = dump.lines().skip_while(|line| !line.starts_with(&begin)).skip(1);
    lines.take_while(|line| *line != "\\.").count()
}

#[test]
fn nobody_takes_a_table_away_before_it_is_read() {
    let (place, database) = (Place::without_docker(), made_of(MUCH));
    database.sql("INSERT INTO pairs VALUES (1)");
    let child = stalled(&place, &database);
    for statement in ["TRUNCATE pairs", "ALTER TABLE pairs ALTER a TYPE text", "DROP TABLE much"] {
        let waits = format!(
            "DO $$ BEGIN SET LOCAL lock_timeout = '200ms'; {statement};
                RAISE EXCEPTION 'it did not wait'; EXCEPTION WHEN lock_not_available THEN END $$;
             SELECT count(*) FROM pairs"
        );
        assert_eq!(database.sql(&waits), "1", "{statement}");
    }
    let (outcome, dump) = ended(child);
    assert_eq!(outcome.code, 0, "{outcome}");
    assert_eq!(["much", "pairs"].map(|table| rows(&dump, table)), [120_000, 1]);
}

#[test]
fn interrupted_it_leaves_no_session_and_no_file() {
    let (place, database) = (Place::without_docker(), made_of(MUCH));
    let lock = database.locked();
    let mut run = Running::create(&place, &database, &["--jobs=2"]);
    database.wait_for_a_dump();
    run.signal(Signal::INT);
    let (outcome, took) = run.end();
    assert_eq!(outcome.code, 2, "{outcome}");
    assert!(took < SOON, "{took:?}");
    drop(lock);
    let child = stalled(&place, &database);
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::TERM).unwrap();
    let (outcome, _) = ended(child);
    assert_eq!(outcome.code, 2, "{outcome}");
    let gone = "SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name <> 'lock')";
    database.wait_for(gone);
    assert!(place.names(".").iter().all(|name| !name.contains(".sql")), "{:?}", place.names("."));
}

#[test]
fn options_of_pg_dump_that_change_how_rows_are_written_are_refused() {
    let place = Place::without_docker();
    for option in
        ["--inserts", "--column-inserts", "--encoding=LATIN1", "--schema-only", "--section=data"]
    {
        let args = ["a.sql", "--jobs=2", "--", option];
        let outcome = Outcome::of(&place.create(unchanged_database()).args(args).output().unwrap());
        assert_eq!(outcome.code, 2, "{outcome}");
        let name = option.split('=').next().unwrap();
        assert!(outcome.stderr.contains("--jobs: pg_dump takes --"), "{name}: {outcome}");
        assert_eq!(place.names(".").len(), 1, "{:?}", place.names("."));
    }
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn what_several_connections_made_passes_with_nothing_left_to_prove() {
        let (place, database) = (Place::on_a_lent_server(), made_of(TABLES));
        for (args, backup) in [
            (&["a.sql", "--jobs=3"][..], "a.sql.gz"),
            (&["b.sql.zst", "--jobs=3", "--keep-owner"], "b.sql.zst"),
        ] {
            created(&place, &database, args);
            let outcome = place.outcome(place.verify().arg(backup));
            outcome.passed();
            assert!(outcome.stdout.contains("✓ Statements match the manifest"), "{outcome}");
            assert!(!outcome.stdout.contains("Not proven"), "{outcome}");
        }
    }

    #[test]
    fn all_connections_see_the_same_instant() {
        let (place, database) = (Place::without_docker(), made_of(MUCH));
        database.sql("INSERT INTO pairs VALUES (1); INSERT INTO halves VALUES (1)");
        let child = stalled(&place, &database);
        // After the snapshot.
        database.sql("INSERT INTO pairs VALUES (2); INSERT INTO halves VALUES (2); DELETE FROM much WHERE n % 2 = 0");
        database.sql("INSERT INTO much SELECT n, 'late' FROM generate_series(1, 1000) n");
        let (outcome, dump) = ended(child);
        assert_eq!(outcome.code, 0, "{outcome}");
        assert_eq!(["much", "pairs", "halves"].map(|table| rows(&dump, table)), [120_000, 1, 1]);
    }

    #[test]
    fn a_connection_that_ends_is_no_backup() {
        for which in ["query LIKE 'COPY%'", "query NOT LIKE 'COPY%'"] {
            let (place, database) = (Place::without_docker(), made_of(MUCH));
            let child = stalled(&place, &database);
            database.sql(&format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()
             AND application_name = 'psql' AND pid <> pg_backend_pid() AND {which}"
        ));
            let (outcome, _) = ended(child);
            assert_eq!(outcome.code, 1, "{which}: {outcome}");
            assert!(
                outcome.stderr.contains("the connection to the database server was lost"),
                "{outcome}"
            );
        }
    }

    #[test]
    fn what_pg_dump_makes_alone_is_made_and_said_unless_it_is_little() {
        let (place, with_objects) = (Place::without_docker(), made_of(TABLES));
        with_objects.sql("SELECT lo_from_bytea(0, 'large object')");
        let objects =
            "one connection makes the dump, because large objects are read by pg_dump alone";
        for (database, said) in [(&with_objects, objects), (unchanged_database(), "")] {
            let args = ["a.sql", "--compress=none", "--force", "--jobs=2"];
            let outcome = Outcome::of(&place.create(database).args(args).output().unwrap());
            assert_eq!(outcome.code, 0, "{outcome}");
            assert!(outcome.stderr.contains(said), "{outcome}");
            assert_eq!(outcome.stderr.is_empty(), said.is_empty(), "{outcome}");
            let dump = std::fs::read(place.dir().join("a.sql")).unwrap();
            let expected = database.dump(&AS_CREATE_DOES);
            assert_eq!(without_restriction(&dump).len(), without_restriction(&expected).len());
        }
    }
}
