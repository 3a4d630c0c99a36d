//! Single tables, into a schema of their own in the database in use.

use super::{Named, restore, sql};
use crate::support::source::{Database, database};
use crate::support::{Outcome, Place};

/// The rows and contents of a table, as the server sums them up.
fn contents(database: &str, table: &str) -> String {
    sql(
        database,
        &format!("SELECT count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM {table} t"),
    )
}

/// A backup of this form, and the same database after an accident.
fn lost(place: &Place, file: &str) -> (Database, String) {
    let source = database();
    place.create(&source).arg(file).assert().success();
    let had = contents(&source.name, "comments");
    source.sql("UPDATE comments SET parent_id = NULL; DELETE FROM comments WHERE id % 2 = 0");
    source.sql("DROP TABLE artifact_tags");
    (source, had)
}

/// The bytes of the backup that were read, and all of them.
fn bytes(outcome: &Outcome) -> (u64, u64) {
    let line = outcome.stdout.lines().find(|line| line.starts_with("Read ")).unwrap();
    let numbers: Vec<u64> =
        line.split_whitespace().filter_map(|word| word.replace(',', "").parse().ok()).collect();
    (numbers[0], numbers[1])
}

#[test]
fn one_table_comes_back_beside_from_every_form_of_backup_with_rows_and_contents() {
    let place = Place::without_docker();
    for file in ["x.sql.gz", "x.sql.zst", "x.dump", "x.dir"] {
        let (source, had) = lost(&place, file);
        let args =
            [file, "--table", "comments", "--table", "public.artifact_t*", "--into-schema", "back"];
        let outcome = restore(&place, &source.name, &args);
        assert_eq!(outcome.code, 0, "{file}: {outcome}");
        outcome.says("Remove them: DROP SCHEMA \"back\" CASCADE");
        assert_eq!(contents(&source.name, "back.comments"), had, "{file}");
        assert_eq!(sql(&source.name, "SELECT count(*) > 0 FROM back.artifact_tags"), "t", "{file}");
        assert_ne!(contents(&source.name, "comments"), had, "the table in use is not touched");
        let again = restore(&place, &source.name, &args);
        assert_eq!(again.code, 2, "{again}");
        again.hints("--into-schema");
    }
}

#[test]
fn only_the_parts_of_the_backup_are_read_that_it_needs() {
    let place = Place::without_docker();
    let source = database();
    // Several members, so that there are parts.
    source.sql("CREATE TABLE bulk AS SELECT i, md5(i::text) || md5((i * 7)::text) AS t FROM generate_series(1, 120000) i");
    place.create(&source).arg("x.sql.gz").assert().success();
    let outcome = restore(&place, &source.name, &["x.sql.gz", "--table", "users"]);
    assert_eq!(outcome.code, 0, "{outcome}");
    let (read, there) = bytes(&outcome);
    assert!(read * 4 < there, "{read} of {there}");
    let schema = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'restored\\_%'";
    assert!(sql(&source.name, schema).starts_with("restored_2"));
    let whole = restore(
        &place,
        &source.name,
        &["x.sql.gz", "--schema", "public", "--into-schema", "all_of_it"],
    );
    assert_eq!(whole.code, 0, "{whole}");
    let (read, there) = bytes(&whole);
    assert!(read >= there / 2, "{read} of {there}");
}

#[test]
fn a_type_that_the_columns_need_and_the_target_lacks_is_named_and_nothing_is_left() {
    let place = Place::without_docker();
    let source = database();
    source.sql("CREATE TYPE mood AS ENUM ('well'); CREATE TABLE moods (id integer, mood mood); INSERT INTO moods VALUES (1, 'well')");
    place.create(&source).arg("x.sql.gz").assert().success();
    let named = Named::filled("types");
    let outcome = restore(&place, &named.0, &["x.sql.gz", "--table", "moods"]);
    assert_eq!(outcome.code, 2, "{outcome}");
    assert!(outcome.stderr.contains("type \"public.mood\" does not exist"), "{outcome}");
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'restored%'";
    assert_eq!(sql(&named.0, schemas), "0");
    sql(&named.0, "CREATE TYPE mood AS ENUM ('well')");
    let outcome =
        restore(&place, &named.0, &["x.sql.gz", "--table", "moods", "--into-schema", "back"]);
    assert_eq!(outcome.code, 0, "{outcome}");
    assert_eq!(sql(&named.0, "SELECT mood FROM back.moods"), "well");
}

#[test]
fn dumps_of_others_are_read_in_one_pass_and_a_table_that_is_not_there_is_told() {
    let place = Place::without_docker();
    let source = database();
    place.file("x.sql", &source.dump(&["--inserts", "--rows-per-insert=50"]));
    place.file("y.sql", &source.dump(&[]));
    for file in ["x.sql", "y.sql"] {
        let outcome = restore(
            &place,
            &source.name,
            &[file, "--table", "public.comments", "--into-schema", &file[..1]],
        );
        assert_eq!(outcome.code, 0, "{file}: {outcome}");
        let back = contents(&source.name, &format!("{}.comments", &file[..1]));
        assert_eq!(back, contents(&source.name, "comments"), "{file}");
    }
    let outcome = restore(&place, &source.name, &["y.sql", "--table", "public.comment"]);
    assert_eq!(outcome.code, 2, "{outcome}");
    outcome.hints("");
}

#[test]
fn rows_of_a_damaged_backup_are_not_left_in_the_database() {
    let place = Place::without_docker();
    let source = database();
    let dump = source.dump(&[]);
    place.file("cut.sql", &dump[..dump.len() * 2 / 3]);
    let last = String::from_utf8_lossy(&dump[..dump.len() * 2 / 3]).to_string();
    let at = last.rfind("COPY public.").unwrap();
    let table = last[at + 12..].split(' ').next().unwrap().to_owned();
    let outcome =
        restore(&place, &source.name, &["cut.sql", "--table", &format!("public.{table}")]);
    assert_eq!(outcome.code, 1, "{outcome}");
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'restored%'";
    assert_eq!(sql(&source.name, schemas), "0");
}

#[test]
fn a_table_with_columns_of_others_comes_back_with_all_of_them_and_by_itself() {
    let place = Place::without_docker();
    let source = database();
    source.sql(
        "CREATE TABLE base (id integer, note text DEFAULT 'x' CHECK (note <> ''));
         CREATE SCHEMA far; CREATE TABLE far.mid (at date) INHERITS (base);
         CREATE TABLE leaf (extra integer, note text DEFAULT 'y') INHERITS (far.mid, base);
         INSERT INTO leaf (id, at, extra) SELECT i, '2026-01-01'::date + i, i * 2 FROM generate_series(1, 50) i;
         INSERT INTO base VALUES (1, 'base');
         CREATE TABLE parted (id integer, t text) PARTITION BY RANGE (id);
         CREATE TABLE part PARTITION OF parted FOR VALUES FROM (0) TO (10);
         INSERT INTO parted VALUES (1, 'one')",
    );
    for file in ["x.sql.gz", "x.dump"] {
        place.create(&source).arg(file).assert().success();
        let schema = file.replace('.', "_");
        let args = [
            file,
            "-t",
            "public.leaf",
            "-t",
            "public.base",
            "-t",
            "public.part",
            "--into-schema",
            &schema,
        ];
        let outcome = restore(&place, &source.name, &args);
        assert_eq!(outcome.code, 0, "{file}: {outcome}");
        let back = |table: &str| contents(&source.name, &format!("ONLY {schema}.{table}"));
        assert_eq!(back("leaf"), contents(&source.name, "leaf"), "{file}");
        assert_eq!(back("base"), contents(&source.name, "ONLY base"), "{file}");
        assert_eq!(back("part"), contents(&source.name, "part"), "{file}");
        let apart = format!(
            "SELECT (SELECT count(*) FROM pg_inherits i JOIN pg_class c ON c.oid = inhrelid
                     WHERE relnamespace = '{schema}'::regnamespace),
                    (SELECT count(*) FROM pg_class WHERE relnamespace = '{schema}'::regnamespace
                     AND relkind = 'r')"
        );
        assert_eq!(sql(&source.name, &apart), "0|3", "{file}");
        let refused = format!(
            "DO $$ BEGIN INSERT INTO {schema}.leaf (note) VALUES (''); \
            RAISE 'taken'; EXCEPTION WHEN check_violation THEN NULL; END $$"
        );
        sql(&source.name, &refused);
    }
}

#[test]
fn a_table_comes_back_from_an_archive_that_was_packed_once_more() {
    let place = Place::without_docker();
    let source = database();
    for (format, name) in [("custom", "a.dump"), ("tar", "a.tar")] {
        place.file(name, &source.dump(&[&format!("--format={format}")]));
        let gzip = std::process::Command::new("gzip").arg(place.dir().join(name)).status().unwrap();
        assert!(gzip.success());
        let packed = format!("{name}.gz");
        let args = [
            packed.as_str(),
            "-t",
            "public.comments",
            "-t",
            "public.users",
            "--into-schema",
            format,
        ];
        let outcome = restore(&place, &source.name, &args);
        assert_eq!(outcome.code, 0, "{format}: {outcome}");
        for table in ["comments", "users"] {
            let back = contents(&source.name, &format!("\"{format}\".{table}"));
            assert_eq!(back, contents(&source.name, table), "{format}");
        }
    }
}

#[test]
fn tables_of_one_name_in_two_schemas_are_not_brought_into_one() {
    let place = Place::without_docker();
    let source = database();
    source.sql("CREATE SCHEMA other; CREATE TABLE other.users AS SELECT 1 AS id");
    place.create(&source).arg("x.sql.gz").assert().success();
    let outcome = restore(&place, &source.name, &["x.sql.gz", "-t", "users"]);
    assert_eq!(outcome.code, 2, "{outcome}");
    assert!(outcome.stderr.contains("cannot both be"), "{outcome}");
    outcome.hints("one by one");
    let outcome = restore(&place, &source.name, &["x.sql.gz", "-t", "other.users"]);
    assert_eq!(outcome.code, 0, "{outcome}");
}

#[test]
fn a_table_of_a_type_comes_back_with_the_types_columns_and_does_not_need_the_type() {
    let place = Place::without_docker();
    let source = database();
    source.sql(
        "CREATE SCHEMA kinds; CREATE TYPE kinds.\"Place of\" AS (id numeric(6,2), name text COLLATE \"C\", at date);
         CREATE TABLE places OF kinds.\"Place of\" (id WITH OPTIONS NOT NULL, name DEFAULT 'x' CHECK (name <> ''), PRIMARY KEY (id));
         CREATE TABLE plain OF kinds.\"Place of\";
         INSERT INTO places SELECT i * 1.01, 'n' || i, '2026-01-01'::date + i FROM generate_series(1, 50) i;
         INSERT INTO plain VALUES (1, NULL, NULL)",
    );
    for file in ["x.sql.gz", "x.dump"] {
        place.create(&source).arg(file).assert().success();
        // The type is not there.
        let named = Named::filled("kinds");
        let args = [file, "-t", "public.places", "-t", "public.plain", "--into-schema", "back"];
        let outcome = restore(&place, &named.0, &args);
        assert_eq!(outcome.code, 0, "{file}: {outcome}");
        for table in ["places", "plain"] {
            let back = contents(&named.0, &format!("back.{table}"));
            assert_eq!(back, contents(&source.name, table), "{file}");
        }
        let apart = "SELECT (SELECT count(*) FROM pg_class WHERE reloftype <> 0),
                            (SELECT count(*) FROM pg_type WHERE typnamespace = 'back'::regnamespace AND typtype = 'c')";
        assert_eq!(sql(&named.0, apart), "0|2", "nothing is left but the tables: {file}");
        let refused = "DO $$ BEGIN INSERT INTO back.places VALUES (1, ''); \
            RAISE 'taken'; EXCEPTION WHEN check_violation THEN NULL; END $$";
        sql(&named.0, refused);
    }
    // A type that the backup does not define has to be there.
    let dump = source.dump(&["--table=plain"]);
    place.file("alone.sql", &dump);
    let named = Named::filled("kinds_alone");
    let args = ["alone.sql", "-t", "public.plain", "--into-schema", "back"];
    let outcome = restore(&place, &named.0, &args);
    assert_eq!(outcome.code, 2, "{outcome}");
    assert!(outcome.stderr.contains("\"kinds\" does not exist"), "{outcome}");
    outcome.hints("make it first");
    sql(
        &named.0,
        "CREATE SCHEMA kinds; CREATE TYPE kinds.\"Place of\" AS (id numeric(6,2), name text, at date)",
    );
    let outcome = restore(&place, &named.0, &args);
    assert_eq!(outcome.code, 0, "{outcome}");
    assert_eq!(sql(&named.0, "SELECT id FROM back.plain"), "1.00");
}
