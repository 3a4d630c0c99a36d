//! `extract`: the rows of a table of a backup, on stdout.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command as Process, Stdio};
use std::time::Instant;

use ccc_backup::model::contents::{Columns, Table};
use ccc_backup::model::quoting::quote_ident;
use ccc_backup::sealing::Identities;
use ccc_backup::store::manifest::Manifest;

use crate::support::dumps::{gzipped, piped, position, rows_of};
use crate::support::source::{client, source};
use crate::support::{
    BINARY, Database, Outcome, Place, SOON, clean_environment, database, good_dump, text,
    unchanged_database,
};

/// The session of pg_dump, so that values are written as it writes them.
const AS_PG_DUMP: &str = "SET datestyle = ISO; SET intervalstyle = postgres; \
                          SET extra_float_digits = 3; SET timezone = UTC;";
/// The table with every value that a reader might misread.
const AWKWARD: &str = "public.awkward_values";

/// The backups that `create` makes, by its arguments and their names.
const CREATED: [(&[&str], &str); 8] = [
    (&["a.sql", "--compress=none"], "a.sql"),
    (&["a.sql", "--compress=gzip"], "a.sql.gz"),
    (&["a.sql", "--compress=zstd"], "a.sql.zst"),
    (&["a", "--format=custom"], "a.dump"),
    (&["b", "--format=custom", "--compress=none"], "b.dump"),
    (&["a", "--format=tar"], "a.tar"),
    (&["a", "--format=directory"], "a.dir"),
    (&["b", "--format=directory", "--compress=none"], "b.dir"),
];

fn created(place: &Place, database: &Database, args: &[&str], name: &str) -> Manifest {
    let outcome = Outcome::of(&place.create(database).args(args).output().unwrap());
    assert_eq!(outcome.code, 0, "{outcome}");
    Manifest::read(&place.dir().join(name), &Identities::default()).unwrap().unwrap()
}

/// The rows on stdout of a run that ends well.
fn extracted(place: &Place, args: &[&str]) -> Vec<u8> {
    let output = place.ccc().arg("extract").args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    output.stdout
}

/// What came of a run; the rows may be no text.
fn outcome(place: &Place, args: &[&str]) -> Outcome {
    Outcome::of(&place.ccc().arg("extract").args(args).output().unwrap())
}

fn failed(place: &Place, args: &[&str], code: i32, cause: &str) -> Outcome {
    let outcome = outcome(place, args);
    assert_eq!(outcome.code, code, "{args:?}: {outcome}");
    let errors: Vec<&str> =
        outcome.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    assert!(errors.len() == 1 && errors[0].contains(cause), "{args:?}: {outcome}");
    outcome.hints("");
    outcome
}

/// The rows as the server itself writes them.
fn by_server(database: &Database, table: &Table, how: &str) -> Vec<u8> {
    let Columns::Named(columns) = &table.columns else { panic!("{table:?}") };
    let columns: Vec<String> = columns.iter().map(|column| quote_ident(column)).collect();
    let listed =
        if columns.is_empty() { String::new() } else { format!("({})", columns.join(", ")) };
    let sql = format!("{AS_PG_DUMP} COPY {} {listed} TO STDOUT {how}", table.quoted());
    source().client("psql", &["-XqAt", "-d", &database.name, "-c", &sql])
}

fn quoted(table: &Table) -> String {
    table.quoted()
}

/// Backups that `create` did not make, by their names.
fn foreign(place: &Place, database: &Database) -> Vec<&'static str> {
    let dump = database.dump(&[]);
    place.file("plain.sql", &dump);
    place.file("plain.sql.gz", &gzipped(&dump));
    place.file("plain.sql.xz", &piped(&dump, "xz", &["-1"]));
    place.file("plain.sql.bz2", &piped(&dump, "bzip2", &["-1"]));
    let custom = database.dump(&["--format=custom"]);
    // Of a pipe: it is not noted in it where the rows are.
    place.file("piped.dump", &custom);
    place.file("packed.dump.gz", &gzipped(&custom));
    place.file("packed.tar.gz", &gzipped(&database.dump(&["--format=tar"])));
    let directory = place.dir().join("foreign.dir");
    database.dump(&["--format=directory", "--file", directory.to_str().unwrap()]);
    vec![
        "plain.sql",
        "plain.sql.gz",
        "plain.sql.xz",
        "plain.sql.bz2",
        "piped.dump",
        "packed.dump.gz",
        "packed.tar.gz",
        "foreign.dir",
    ]
}

/// A database that restores what was extracted, and what its tables hold.
fn made_of(sql: &[u8], origin: &Database, place: &Place) -> Database {
    let made = database();
    let tables = "SELECT string_agg(format('%I.%I', schemaname, tablename), ', ') FROM pg_tables
                  WHERE schemaname IN ('public', 'analytics')";
    made.sql(&format!("TRUNCATE {} CASCADE", origin.sql(tables)));
    let file = place.file("rows.sql", sql);
    let args = ["-XqAt", "-v", "ON_ERROR_STOP=1", "-d", &made.name, "-f", file.to_str().unwrap()];
    source().client("psql", &args);
    made
}

#[test]
fn sql_is_loaded_by_psql_and_gives_the_same_rows() {
    let (place, origin) = (Place::without_docker(), unchanged_database());
    // pg_dump writes a negative zero as an integer in INSERT statements, which has none.
    let content = "SELECT md5(string_agg(t::text, ' ' ORDER BY id)) FROM awkward_values t
                   WHERE label <> 'negative zero'";
    created(&place, origin, &["a.sql"], "a.sql.gz");
    created(&place, origin, &["a", "--format=custom"], "a.dump");
    created(&place, origin, &["i.sql", "--", "--inserts"], "i.sql.gz");
    created(&place, origin, &["i", "--format=custom", "--", "--column-inserts"], "i.dump");
    for name in ["a.sql.gz", "a.dump", "i.sql.gz", "i.dump"] {
        let args = [name, "-t", "awkward_values", "-t", "alembic_*", "--format=sql"];
        let sql = extracted(&place, &args);
        let made = made_of(&sql, origin, &place);
        assert_eq!(made.sql(content), origin.sql(content), "{name}");
        assert_eq!(made.sql("SELECT count(*) FROM alembic_version"), "1", "{name}");
        assert_eq!(text(&sql).contains("\nINSERT INTO "), name.starts_with('i'), "{name}");
        // A condition parts statements, too.
        let args = [name, "-t", "alembic_version", "--format=sql", "--where-like=version_num=no%"];
        if name == "i.sql.gz" {
            failed(&place, &args, 2, "do not name its columns");
            continue;
        }
        let none = text(&extracted(&place, &args));
        assert!(none.contains("FROM stdin;\n\\.\nCOMMIT;"), "{name}: {none}");
    }
}

#[test]
fn insert_statements_are_written_as_copy_and_csv_where_they_are_understood() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    let manifest = created(&place, database, &["a.sql"], "a.sql.gz");
    let awkward = manifest.contents.tables.iter().find(|it| it.display_name() == AWKWARD).unwrap();
    created(&place, database, &["i.sql", "--", "--column-inserts"], "i.sql.gz");
    created(&place, database, &["j.sql", "--", "--inserts"], "j.sql.gz");
    let csv = extracted(&place, &["i.sql.gz", "-t", AWKWARD, "--format=csv"]);
    // pg_dump writes a negative zero as an integer, which has none.
    let expected = |how: &str, mark: &str| {
        let zeros = |zero: &str| format!("{mark}0{mark}{zero}{mark}{zero}{mark}");
        text(&by_server(database, awkward, how)).replace(&zeros("-0"), &zeros("0"))
    };
    assert_eq!(text(&csv), expected("(FORMAT csv, HEADER)", ","));
    let rows = extracted(&place, &["j.sql.gz", "-t", AWKWARD]);
    assert_eq!(text(&rows), expected("", "\t"));
    let args = ["j.sql.gz", "-t", AWKWARD, "--format=csv"];
    failed(&place, &args, 2, "do not name its columns").hints("--format copy");
    let by_hand = b"-- PostgreSQL database dump\nINSERT INTO t (a) VALUES (now());\n\
                    --\n-- PostgreSQL database dump complete\n--\n";
    place.file("hand.sql", by_hand);
    let args = ["hand.sql", "-t", "t"];
    failed(&place, &args, 2, "whose values are no constants").hints("--format sql");
    let sql = text(&extracted(&place, &["hand.sql", "-t", "t", "--format=sql"]));
    assert!(sql.contains("INSERT INTO t (a) VALUES (now());"), "{sql}");
}

#[test]
fn csv_goes_back_into_a_table_by_copy_with_the_same_content() {
    let (place, database) = (Place::without_docker(), database());
    database.sql(
        r#"CREATE TABLE "Odd, ""t""" (id int PRIMARY KEY, "a, b" text, c bytea, d text[], e float8);
           INSERT INTO "Odd, ""t""" VALUES
             (1, NULL, NULL, NULL, NULL), (2, '', '', '{}', 0.1), (3, 'NULL', '\xff00', '{NULL,"",a}', 'NaN'),
             (4, E'a"b,c\r\nd\te\\', '\x5c2e', '{"a,b","\"","\\"}', '-0'), (5, '\.', NULL, NULL, 1e-300),
             (6, E'x\n\\.\n\\N\ny', NULL, '{{1,2},{3,4}}', 'Infinity');
           CREATE TABLE alone (a text);
           INSERT INTO alone VALUES (NULL), (''), ('\.'), ('a'), ('"'), (E'\n'), (E'\n\\.\n');
           CREATE TABLE nothing ();
           INSERT INTO nothing DEFAULT VALUES;
           CREATE TABLE back (LIKE "Odd, ""t"""); CREATE TABLE back_alone (LIKE alone)"#,
    );
    created(&place, &database, &["a.sql"], "a.sql.gz");
    for (table, back, order) in
        [(r#""Odd, ""t""""#, "back", "id"), ("alone", "back_alone", "a COLLATE \"C\"")]
    {
        let csv = extracted(&place, &["a.sql.gz", "--table", table, "--format=csv"]);
        let file = place.file("rows.csv", &csv);
        // By the server: psql before version 18 ends CSV at a line `\.` in a value.
        database.sql(&format!("COPY {back} FROM '{}' CSV HEADER", file.display()));
        let content = |table: &str| {
            database.sql(&format!("SELECT array_agg(t ORDER BY {order}) FROM {table} t"))
        };
        assert_eq!(content(back), content(table), "{}", text(&csv));
    }
    assert_eq!(extracted(&place, &["a.sql.gz", "--table=nothing", "--format=csv"]), b"\n\n");
}

#[test]
fn conditions_pick_rows_as_like_does_and_all_have_to_hold() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    created(&place, database, &["a.sql"], "a.sql.gz");
    let picked = |args: &[&str]| {
        let all = [&["a.sql.gz", "-t", AWKWARD], args].concat();
        text(&extracted(&place, &all)).lines().count().to_string()
    };
    let by_server = |condition: &str| {
        database.sql(&format!("SELECT count(*) FROM awkward_values WHERE {condition}"))
    };
    for like in ["backslash%", "%null%", "_ull", r"%\_%", "%", "no such"] {
        let flag = format!("--where-like=label={like}");
        assert_eq!(picked(&[&flag]), by_server(&format!("label LIKE '{like}'")), "{like}");
    }
    // NULL is like nothing.
    assert_eq!(picked(&["--where-like=text_value=%"]), by_server("text_value LIKE '%'"));
    let both = ["--where-like=label=%newline%", "--where-like=label=trailing%"];
    assert_eq!(picked(&both), by_server("label LIKE '%newline%' AND label LIKE 'trailing%'"));
    let args = ["a.sql.gz", "-t", AWKWARD, "--where-like=lable=x"];
    failed(&place, &args, 2, "has no column lable").hints("label");
    let args = ["a.sql.gz", "-t", AWKWARD, "--where-like=label=x\\"];
    failed(&place, &args, 2, "ends with a backslash");
}

#[test]
fn a_table_that_is_not_there_is_told_with_the_nearest_names() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    created(&place, database, &["a.sql"], "a.sql.gz");
    created(&place, database, &["a", "--format=custom"], "a.dump");
    place.file("plain.sql", good_dump());
    for name in ["a.sql.gz", "a.dump", "plain.sql"] {
        for table in ["user", "public.user"] {
            let cause = format!("the backup has no rows of a table {table}");
            let outcome = failed(&place, &[name, "--table", table], 2, &cause);
            outcome.hints("public.users");
            assert_eq!(outcome.stdout, "", "{name}");
        }
        let outcome = failed(&place, &[name, "--table=*", "--format=csv"], 2, "takes one table");
        assert_eq!(outcome.stdout, "", "{name}");
    }
}

#[test]
fn a_dump_of_several_databases_needs_the_name_of_one() {
    let place = Place::without_docker();
    let head = "--\n-- PostgreSQL database cluster dump\n--\n\n";
    let of = |name: &str, rows: &str| {
        format!(
            "\\connect {name}\n\n--\n-- PostgreSQL database dump\n--\n\n\
             COPY public.t (a) FROM stdin;\n{rows}\\.\n\n\
             --\n-- PostgreSQL database dump complete\n--\n\n"
        )
    };
    let end = "--\n-- PostgreSQL database cluster dump complete\n--\n";
    let dump = [head, &of("one", "1\n"), &of("two", "2\n"), end].concat();
    place.file("all.sql", dump.as_bytes());
    for table in ["t", "public.t"] {
        let outcome = failed(&place, &["all.sql", "--table", table], 2, "of one, two");
        outcome.hints("--database");
        let rows = extracted(&place, &["all.sql", "--table", table, "--database=two"]);
        assert_eq!(rows, b"2\n");
        let args = ["all.sql", "--table", table, "--database=three"];
        failed(&place, &args, 2, "no rows of a database three").hints("one, two");
    }
}

/// Whether what was written is loaded by psql.
fn loads(place: &Place, database: &Database, written: &[u8], how: &str) -> bool {
    let file = place.file("written", written);
    let file = file.to_str().unwrap();
    let columns = "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
                   WHERE attrelid = 'users'::regclass AND attnum > 0 AND attgenerated = ''";
    // By the server: psql before version 18 ends CSV at a line `\.` in a value.
    let copy = format!("COPY users ({}) FROM '{file}' {how}", database.sql(columns));
    let script = if how == "sql" { ["-f", file] } else { ["-c", copy.as_str()] };
    database.sql("TRUNCATE users CASCADE");
    let mut psql = Process::new(client("psql"));
    psql.args(["-Xq", "-d", &database.name]).args(script).envs(source().libpq());
    psql.stderr(Stdio::null()).stdout(Stdio::null()).status().unwrap();
    database.sql("SELECT count(*) FROM users") != "0"
}

#[test]
fn what_was_written_of_a_damaged_backup_does_not_load() {
    let (place, target) = (Place::without_docker(), database());
    target.sql("ALTER TABLE users DROP CONSTRAINT fk_users_organization");
    let formats = [("copy", ""), ("csv", "CSV HEADER"), ("sql", "sql")];
    let rows = rows_of(good_dump(), "users");
    // Cut in the middle of the rows; a member of the packed one, too.
    place.file("cut.sql", &good_dump()[..rows.start + rows.len() / 2]);
    created(&place, unchanged_database(), &["a.sql", "--compress=none"], "a.sql");
    created(&place, unchanged_database(), &["a.sql"], "a.sql.gz");
    created(&place, unchanged_database(), &["a", "--format=custom"], "a.dump");
    let mut other = std::fs::read(place.dir().join("a.sql")).unwrap();
    let at = rows_of(&other, "users").start + position(&other[rows_of(&other, "users")], "@");
    other[at] = b'#';
    place.file("a.sql", &other);
    for (name, table, cause) in [
        ("cut.sql", "public.users", "the dump ends"),
        ("a.sql", "users", "the rows of public.users are not those that were backed up"),
        ("a.sql.gz", "users", "the rows of public.users are damaged"),
        ("a.dump", "users", "the rows of public.users are"),
    ] {
        if let Some(manifest) =
            Manifest::read(&place.dir().join(name), &Identities::default()).unwrap()
            && name != "a.sql"
        {
            spoil(&place.dir().join(name), &manifest, "users");
        }
        for (format, how) in formats {
            let args = [name, "--table", table, "--format", format];
            let output = place.ccc().arg("extract").args(args).output().unwrap();
            let outcome = Outcome::of(&output);
            assert_eq!(outcome.code, 1, "{name} {format}: {outcome}");
            assert!(outcome.stderr.contains(cause), "{name} {format}: {outcome}");
            assert!(!loads(&place, &target, &output.stdout, how), "{name} {format}: {outcome}");
        }
    }
    // It is the damage that keeps it from being loaded.
    created(&place, unchanged_database(), &["c.sql"], "c.sql.gz");
    for (format, how) in formats {
        let written = extracted(&place, &["c.sql.gz", "-t", "users", "--format", format]);
        assert!(loads(&place, &target, &written, how), "{format}");
    }
}

/// Overwrites bytes of the backup where the rows of a table are.
fn spoil(path: &Path, manifest: &Manifest, table: &str) {
    let span = &manifest.contents.tables.iter().find(|it| it.name == table).unwrap().spans[0];
    let mut bytes = std::fs::read(path).unwrap();
    let at = span.offset as usize + 60;
    bytes[at..at + 20].fill(0xA5);
    std::fs::write(path, bytes).unwrap();
}

/// A backup of a table whose rows no pipe holds.
fn with_a_long_table(place: &Place) {
    let database = database();
    database.sql("CREATE TABLE long AS SELECT i, md5(i::text) FROM generate_series(1, 300000) i");
    created(place, &database, &["a.sql"], "a.sql.gz");
}

/// A run that has begun to write the rows, and waits for somebody to read them.
fn begun(place: &Place, format: &str) -> (Child, ChildStdout) {
    let mut child = Process::new(BINARY)
        .args(["extract", "a.sql.gz", "-t", "long", "--format", format])
        .current_dir(place.dir())
        .env_clear()
        .envs(clean_environment())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 10]).unwrap();
    (child, stdout)
}

#[test]
fn rows_that_nobody_reads_on_end_the_run_quietly() {
    let place = Place::without_docker();
    with_a_long_table(&place);
    for format in ["copy", "csv", "sql"] {
        let (child, stdout) = begun(&place, format);
        drop(stdout);
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
    }
}

#[test]
fn a_run_that_is_interrupted_while_it_waits_for_its_reader_ends_at_once() {
    let place = Place::without_docker();
    with_a_long_table(&place);
    let (child, stdout) = begun(&place, "copy");
    let began = Instant::now();
    let process = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(began.elapsed() < SOON);
    drop(stdout);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("interrupted by SIGINT: what was written is not whole"), "{said}");
}

#[test]
fn a_backup_that_changes_while_it_is_read_is_no_whole_one() {
    let place = Place::without_docker();
    with_a_long_table(&place);
    let (child, mut stdout) = begun(&place, "sql");
    let path = place.dir().join("a.sql.gz");
    let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(b"more").unwrap();
    let mut written = String::new();
    stdout.read_to_string(&mut written).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("was written to, replaced or removed while it was read"), "{said}");
    assert!(!written.contains("COMMIT"), "it would be loaded");
}

#[test]
fn a_full_disk_behind_stdout_is_told() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    created(&place, database, &["a.sql"], "a.sql.gz");
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = Process::new(BINARY)
        .args(["extract", "a.sql.gz", "-t", "users"])
        .current_dir(place.dir())
        .env_clear()
        .envs(clean_environment())
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("could not be written to stdout: No space left"));
}

#[test]
fn the_newest_backup_and_what_is_none_are_told_apart() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    failed(&place, &["--latest", "-t", "users"], 2, "backups");
    created(
        &place,
        database,
        &["backups/backup_20260101_000000.sql"],
        "backups/backup_20260101_000000.sql.gz",
    );
    let rows = extracted(&place, &["--latest", "-t", "users"]);
    assert_eq!(text(&rows).lines().count().to_string(), database.sql("SELECT count(*) FROM users"));
    failed(&place, &["missing.sql", "-t", "users"], 2, "Backup file not found");
    place.file("page.sql", b"<!DOCTYPE html><html></html>");
    failed(&place, &["page.sql", "-t", "users"], 1, "an HTML page");
    let manifest = "backups/backup_20260101_000000.sql.gz.manifest.json";
    place.file(manifest, b"{}");
    failed(&place, &["--latest", "-t", "users"], 1, "manifest");
}

#[test]
fn rows_in_another_encoding_come_as_they_are_and_that_is_said() {
    let place = Place::without_docker();
    let dump = b"--\n-- PostgreSQL database dump\n--\n\nSET client_encoding = 'LATIN1';\n\
                 COPY public.\"gr\xf6\xdfe\" (n\xe4me) FROM stdin;\nM\xfcller\nMaier\n\\.\n\n\
                 --\n-- PostgreSQL database dump complete\n--\n";
    place.file("latin.sql", dump);
    for table in ["größe", "public.größe"] {
        let args = ["latin.sql", "-t", table, "--where-like=näme=M_ller", "--format=csv"];
        let output = place.ccc().arg("extract").args(args).output().unwrap();
        assert_eq!(output.stdout, b"n\xe4me\nM\xfcller\n", "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains("the rows are in LATIN1"));
    }
    let sjis = b"--\n-- PostgreSQL database dump\n--\n\nSET client_encoding = 'SJIS';\n\
                 COPY public.t (a) FROM stdin;\n\x95\\\n\\.\n\n\
                 --\n-- PostgreSQL database dump complete\n--\n";
    place.file("sjis.sql", sjis);
    assert_eq!(extracted(&place, &["sjis.sql", "-t", "t"]), b"\x95\\\n");
    failed(&place, &["sjis.sql", "-t", "t", "--format=csv"], 2, "in SJIS");
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn every_table_of_every_kind_of_backup_is_written_as_the_server_writes_it() {
        let (place, database) = (Place::without_docker(), unchanged_database());
        for (args, name) in CREATED {
            let manifest = created(&place, database, args, name);
            let tables = &manifest.contents.tables;
            // All of them from one kind, the ones that are hard from every other.
            let hard = |table: &&Table| name == "a.sql.gz" || table.display_name() == AWKWARD;
            assert!(tables.iter().filter(hard).count() > 0);
            for table in tables.iter().filter(hard) {
                let table_arg = quoted(table);
                let args = |format| [name, "--table", &table_arg, "--format", format].to_vec();
                let (csv, rows) =
                    (extracted(&place, &args("csv")), extracted(&place, &args("copy")));
                let expected = by_server(database, table, "(FORMAT csv, HEADER)");
                assert!(csv == expected, "{name}: {table_arg}: {}", text(&csv));
                assert!(rows == by_server(database, table, ""), "{name}: {table_arg}");
            }
        }
    }

    #[test]
    fn rows_of_backups_without_a_manifest_are_found_all_the_same() {
        let (place, database) = (Place::without_docker(), unchanged_database());
        let manifest = created(&place, database, &["a.sql"], "a.sql.gz");
        let awkward =
            manifest.contents.tables.iter().find(|it| it.display_name() == AWKWARD).unwrap();
        let columns: Vec<&str> = awkward.columns.named().iter().map(String::as_str).collect();
        let at = columns.iter().position(|column| *column == "label").unwrap();
        assert_eq!(at, 1);
        for name in foreign(&place, database) {
            for table in ["awkward_values", AWKWARD, "public.awkward_v*"] {
                let rows =
                    extracted(&place, &[name, "--table", table, "--where-like=label=backslash%"]);
                let sql = "SELECT count(*) FROM awkward_values WHERE label LIKE 'backslash%'";
                assert_eq!(text(&rows).lines().count().to_string(), database.sql(sql), "{name}");
            }
        }
    }

    #[test]
    fn only_what_holds_the_rows_is_read() {
        let (place, database) = (Place::without_docker(), database());
        database.sql(
        "CREATE TABLE a_wide AS SELECT i, sha512(i::text::bytea) AS text FROM generate_series(1, 60000) i;
         CREATE TABLE zebra AS SELECT 1 AS i",
    );
        for (args, name) in CREATED {
            created(&place, &database, args, name);
            let outcome = outcome(&place, &[name, "--table=zebra", "--verbose"]);
            assert_eq!((outcome.code, outcome.stdout.as_str()), (0, "1\n"), "{outcome}");
            let line = outcome.stderr.lines().find(|line| line.contains(" bytes of ")).unwrap();
            let number = |word: &str| word.replace(',', "").parse::<u64>().ok();
            let numbers: Vec<u64> = line.split(' ').filter_map(number).collect();
            let [read, there] = numbers[..] else { panic!("{line}") };
            assert!(there > 4 << 20 && read < there / 3, "{name}: {line}");
            // A whole table, and no more of the others than a piece or two.
            assert!(read < 1200 << 10, "{name}: {line}");
        }
        place.file("plain.sql.gz", &gzipped(&database.dump(&[])));
        let outcome = outcome(&place, &["plain.sql.gz", "--table=public.zebra", "--verbose"]);
        let all = outcome.stderr.lines().any(|line| line.contains("wrote 1 rows"));
        assert!(outcome.code == 0 && all, "{outcome}");
    }
}
