//! What is read back of a restored table: the same as a whole, in parts over several connections, and early.

use std::sync::Arc;

use ccc_backup::checks::read_back::{Found, Wanted, read_back};
use ccc_backup::checks::rendering::Rendering;
use ccc_backup::model::contents::{Columns, Table, TableFingerprint};

use crate::oracle::target;
use crate::support::source::database;
use crate::support::{Outcome, Place};

/// Tables with what a range of pages could miss: rows that moved, room that was left, long values, no rows, parts of its
/// own, a generated column.
const TABLES: &str = "\
CREATE TABLE moved (id integer, text text);
INSERT INTO moved SELECT n, repeat('x', 300) FROM generate_series(1, 20000) n;
DELETE FROM moved WHERE id % 3 = 0; UPDATE moved SET text = id || 'y' WHERE id % 7 = 0;
CREATE TABLE long (id integer, text text, twice integer GENERATED ALWAYS AS (2 * id) STORED);
ALTER TABLE long ALTER text SET STORAGE EXTERNAL;
INSERT INTO long (id, text) SELECT n, repeat('z', 9000) FROM generate_series(1, 300) n;
CREATE TABLE empty (id integer, text text);
CREATE TABLE parted (id integer, text text) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (5000);
CREATE TABLE parted_2 PARTITION OF parted DEFAULT;
INSERT INTO parted SELECT n, 'p' FROM generate_series(1, 9000) n;
VACUUM moved;";

async fn found(database: &str, names: &[&str], bytes: u64, jobs: usize) -> Vec<Found> {
    let table = |name: &&str| Table {
        schema: "public".to_owned(),
        name: (*name).to_owned(),
        columns: Columns::Named(vec!["id".to_owned(), "text".to_owned()]),
        fingerprint: TableFingerprint::default(),
        bytes,
        spans: Vec::new(),
    };
    let wanted = names.iter().map(table).map(Wanted::all).collect();
    let rendering = Rendering {
        encoding: "UTF8".to_owned(),
        time_zone: "UTC".to_owned(),
        bytea_output: "hex".to_owned(),
    };
    let progress = Arc::new(|_: usize| {});
    read_back(&target(database), wanted, &rendering, jobs, progress).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_read_in_parts_has_the_rows_and_contents_that_it_has_as_a_whole() {
    let database = database();
    for statement in TABLES.split_inclusive(";\n") {
        database.sql(statement);
    }
    let names = ["moved", "long", "empty", "parted", "absent"];
    let whole = found(&database.name, &names, 0, 1).await;
    let rows = |found: &Found| if let Found::Rows(rows) = found { Some(rows.rows) } else { None };
    let expected = [Some(13_334), Some(300), Some(0), Some(9_000), None];
    assert_eq!(whole.iter().map(rows).collect::<Vec<_>>(), expected, "{whole:?}");
    // As if each had as many bytes as make seven parts.
    let in_parts = found(&database.name, &names, 7 * (32 << 20), 3).await;
    assert_eq!(in_parts, whole);
    database.sql("UPDATE moved SET text = 'w' WHERE id = 19999");
    let changed = found(&database.name, &names, 7 * (32 << 20), 3).await;
    assert_ne!(changed[0], whole[0]);
    assert_eq!(changed[1..], whole[1..]);
}

/// The tables that a verification of an archive with this SQL in its database read before the restore had come to its end.
fn read_early(format: &str, sql: &str) -> (Outcome, usize) {
    let (place, database) = (Place::on_a_lent_server(), database());
    database.sql(sql);
    let name = if format == "custom" { "a.dump" } else { "a.dir" };
    let made = place.create(&database).args([name, "--format", format]).output().unwrap();
    assert_eq!(made.status.code(), Some(0));
    let outcome = place.outcome(place.verify().args([name, "--jobs", "2", "--log-file", "log"]));
    let log = std::fs::read_to_string(place.dir().join("log")).unwrap();
    let restored = log.find("Backup restored successfully").unwrap();
    (outcome, log[..restored].matches("read back early").count())
}

#[test]
fn tables_of_an_archive_are_read_while_pg_restore_is_at_work_and_are_the_same() {
    let more = "CREATE TABLE more (a int PRIMARY KEY); INSERT INTO more VALUES (1)";
    for format in ["custom", "directory"] {
        let (outcome, early) = read_early(format, more);
        outcome.passed().says("✓ Contents match the backup (26 tables)");
        assert!(early > 0, "{outcome}");
    }
}

#[test]
fn none_is_read_early_where_something_may_still_change_its_rows() {
    let (outcome, early) = read_early(
        "custom",
        "CREATE TABLE log (tag text); CREATE MATERIALIZED VIEW v AS SELECT 1;
         CREATE FUNCTION logs() RETURNS event_trigger LANGUAGE plpgsql AS
             'BEGIN DELETE FROM public.log; INSERT INTO public.log VALUES (tg_tag); END';
         CREATE EVENT TRIGGER logs ON ddl_command_end EXECUTE FUNCTION logs();
         INSERT INTO log VALUES ('one')",
    );
    assert_eq!(early, 0, "{outcome}");
    outcome.failed("public.log");
}
