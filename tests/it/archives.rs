//! Archives that pg_dump made, without a manifest: healthy ones pass, whatever their format, and
//! broken ones are called bad for the reason that they are.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::support::dumps::gzipped;
use crate::support::source::{client, source};
use crate::support::{Database, Outcome, Place, database, text, unchanged_database};

/// The text of a comment that tests put statements in the place of.
const PLACE: usize = 400;

/// An archive in one file, by the real pg_dump with these arguments.
pub fn archive(database: &Database, args: &[&str]) -> Vec<u8> {
    let place = Place::without_docker();
    let path = place.dir().join("archive");
    let file = format!("--file={}", path.display());
    source().client("pg_dump", &[&["-d", database.name.as_str(), &file][..], args].concat());
    std::fs::read(path).unwrap()
}

/// An archive of the directory format in a place.
fn directory(place: &Place, database: &Database, args: &[&str]) -> PathBuf {
    let path = place.dir().join("archive");
    let file = format!("--file={}", path.display());
    let args = [&["-d", database.name.as_str(), &file, "--format=directory"][..], args].concat();
    source().client("pg_dump", &args);
    path
}

/// Tables whose comments tests put statements in the place of, in the order of the archive.
const ROOMY: [&str; 2] = ["users", "tags"];

/// An uncompressed archive of this format, with room for two statements.
fn roomy(format: &str) -> Vec<u8> {
    let database = database();
    for table in ROOMY {
        database.sql(&format!("COMMENT ON TABLE {table} IS '{}'", "x".repeat(PLACE)));
    }
    let args: &[&str] = if format == "tar" { &[] } else { &["--compress=0"] };
    archive(&database, &[args, &["--format", format]].concat())
}

/// An archive of the custom format with two statements of its own in the place of comments.
pub fn with_statements(sql: [&str; 2]) -> Vec<u8> {
    static ROOMY: OnceLock<Vec<u8>> = OnceLock::new();
    with_statements_in(ROOMY.get_or_init(|| roomy("custom")), sql)
}

/// The same of one statement.
pub fn with_statement(sql: &str) -> Vec<u8> {
    with_statements(["", sql])
}

/// The same of the tar format.
pub fn with_statement_in_tar(sql: &str) -> Vec<u8> {
    with_statements_in(&roomy("tar"), ["", sql])
}

fn with_statements_in(roomy: &[u8], statements: [&str; 2]) -> Vec<u8> {
    let mut archive = roomy.to_vec();
    let statements = ROOMY.into_iter().zip(statements);
    for (table, sql) in statements.filter(|(_, sql)| !sql.is_empty()) {
        let comment = format!("COMMENT ON TABLE public.{table} IS '{}';", "x".repeat(PLACE));
        let statement = format!("{sql:width$}", width = comment.len());
        assert_eq!(statement.len(), comment.len(), "{sql} is too long");
        replace(&mut archive, &comment, &statement);
    }
    archive
}

/// Puts a text in the place of another of the same length, wherever that is.
pub fn replace(archive: &mut [u8], old: &str, new: &str) {
    assert_eq!(old.len(), new.len());
    let places: Vec<usize> = memchr::memmem::find_iter(archive, old.as_bytes()).collect();
    assert!(!places.is_empty(), "the archive has no {old:?}");
    for at in places {
        archive[at..at + new.len()].copy_from_slice(new.as_bytes());
    }
}

fn verified(place: &Place, file: &Path) -> Outcome {
    place.outcome(place.verify().arg(file))
}

/// The one that pg_dump without a manifest leaves unproven, and nothing else.
#[track_caller]
fn passes(outcome: &Outcome, format: &str) {
    outcome.passed().says("✓ Contents match the backup (25 tables)");
    assert!(outcome.stdout.contains(&format!("  Format: {format} archive by pg_dump 15.")));
    assert_eq!(outcome.stdout.matches("Not proven").count(), 1, "{outcome}");
    assert_eq!(outcome.stderr, "", "{outcome}");
}

#[test]
fn an_archive_of_every_format_passes_with_its_contents_proven() {
    let (place, database) = (Place::on_a_lent_server(), unchanged_database());
    for (name, args) in [
        ("custom", &["--format=custom"][..]),
        ("custom", &["--format=custom", "--compress=0"]),
        ("custom", &["--format=custom", "--compress=9", "--no-owner", "--no-acl"]),
        ("tar", &["--format=tar"]),
    ] {
        passes(&place.verify_bytes("a.dump", &archive(database, args)), name);
    }
    passes(&place.verify_bytes("a.dump", &database.dump(&["--format=custom"])), "custom");
    for args in [&[][..], &["--compress=0"], &["--jobs=2"]] {
        let path = directory(&place, database, args);
        passes(&verified(&place, &path), "directory");
        std::fs::remove_dir_all(path).unwrap();
    }
}

fn text_of(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

#[test]
fn an_archive_that_is_cut_fails_wherever_it_is_cut() {
    let place = Place::on_a_lent_server();
    for format in ["custom", "tar"] {
        let bytes = archive(unchanged_database(), &["--format", format]);
        // In the head, in the table of contents, in the data, and before the last byte but some.
        for end in [40, 5_000, bytes.len() / 2, bytes.len() - 3] {
            if format == "tar" && end < 512 {
                continue;
            }
            let outcome = place.verify_bytes("a.dump", &bytes[..end]);
            assert_eq!(outcome.code, 1, "{format} cut at {end}: {outcome}");
            assert!(outcome.stdout.contains("it is cut"), "{format} cut at {end}: {outcome}");
        }
    }
    let bytes = gzipped(&archive(unchanged_database(), &["--format=custom"]));
    let outcome = place.verify_bytes("a.dump.gz", &bytes[..bytes.len() / 2]);
    outcome.failed("the gzip stream is cut off");
}

#[test]
fn what_only_begins_like_an_archive_fails() {
    let place = Place::on_a_lent_server();
    let outcome = place.verify_bytes("a.dump", b"PGDMP and then something else entirely");
    outcome.failed("the archive is corrupt: its head makes no sense");
    let archive = archive(unchanged_database(), &["--format=custom"]);
    let outcome = place.verify_bytes("a.dump", &[&archive[..], b"and more"].concat());
    outcome.failed("garbage follows the archive");
}

#[test]
fn a_member_of_a_directory_that_is_missing_emptied_or_cut_fails() {
    let place = Place::on_a_lent_server();
    let path = directory(&place, unchanged_database(), &[]);
    let members = || std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
    let largest = members()
        .filter(|path| text_of(path).ends_with(".dat.gz"))
        .max_by_key(|path| std::fs::metadata(path).unwrap().len())
        .unwrap();
    let name = text_of(&largest);
    let whole = std::fs::read(&largest).unwrap();
    std::fs::remove_file(&largest).unwrap();
    let bare = name.trim_end_matches(".gz");
    verified(&place, &path).failed(&format!("{bare} is missing from the archive: it holds TABLE"));
    std::fs::write(&largest, b"").unwrap();
    // pg_restore takes it for a table without rows, and says nothing.
    verified(&place, &path).failed(&format!("{name} of the archive is empty"));
    std::fs::write(&largest, &whole[..whole.len() / 2]).unwrap();
    verified(&place, &path).failed("the gzip stream is cut off");
    std::fs::write(&largest, &whole).unwrap();
    std::fs::remove_file(path.join("toc.dat")).unwrap();
    let outcome = verified(&place, &path);
    outcome.not_verified("archive is a directory, not a backup file");
}

#[test]
fn a_restore_that_does_not_bring_back_what_is_in_the_archive_fails() {
    let place = Place::on_a_lent_server();
    // Its rows come later, and are not taken.
    let sql = "CREATE FUNCTION public.no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN \
               NULL; END $$; CREATE TRIGGER no BEFORE INSERT ON public.tags FOR EACH ROW EXECUTE \
               FUNCTION public.no();";
    place.verify_bytes("a.dump", &with_statement(sql)).failed("Rows do not match the backup");
}

#[test]
fn an_archive_of_a_newer_version_is_not_verified() {
    let place = Place::on_a_lent_server();
    let mut newer = archive(unchanged_database(), &["--format=custom"]);
    newer[6] = 17;
    let outcome = place.verify_bytes("a.dump", &newer);
    outcome.not_verified("the archive has version 1.17").hints("newer ccc-backup");
}

#[test]
fn an_archive_that_this_pg_restore_is_too_old_for_is_not_verified() {
    // As PostgreSQL 16 writes it: the method of compression in the place of the level.
    let old = archive(unchanged_database(), &["--format=custom", "--compress=0"]);
    let mut newer = [&old[..11], &[0], &old[16..]].concat();
    newer[6] = 15;
    let place = Place::on_a_lent_server();
    place.file("a.dump", &newer);
    let args = ["a.dump", "--postgres-version", "15"];
    let outcome = place.outcome(place.verify().args(args));
    outcome.not_verified("unsupported version (1.15) in file header").hints("newer version");
}

#[test]
fn a_sandbox_that_is_killed_during_the_restore_says_nothing_of_an_archive() {
    let place = Place::on_a_lent_server();
    let killed = with_statement("COPY (SELECT 1) TO PROGRAM 'kill -9 1; kill -QUIT 1';");
    let outcome = place.verify_bytes("a.dump", &killed);
    assert_eq!(outcome.code, 2, "{outcome}");
}

#[test]
fn a_restore_of_an_archive_that_takes_too_long_is_not_verified() {
    let place = Place::on_a_lent_server();
    place.file("a.dump", &with_statement("SELECT pg_sleep(60);"));
    let outcome = place.outcome(place.verify().args(["a.dump", "--timeout", "4s"]));
    outcome.not_verified("timed out after 4 s (--timeout)");
}

#[test]
fn the_table_of_contents_of_a_directory_is_no_backup_by_itself() {
    let place = Place::on_a_lent_server();
    let path = directory(&place, unchanged_database(), &[]);
    let outcome = verified(&place, &path.join("toc.dat"));
    outcome.not_verified("is the table of contents of a backup").hints("name the directory");
}

#[test]
fn a_tar_archive_that_pg_dump_did_not_write_is_not_verified() {
    let place = Place::on_a_lent_server();
    let path = directory(&place, unchanged_database(), &[]);
    let tar = std::process::Command::new("tar").arg("-cC").arg(place.dir()).arg("archive").output();
    std::fs::remove_dir_all(path).unwrap();
    let outcome = place.verify_bytes("a.tar", &tar.unwrap().stdout);
    outcome.not_verified("a tar archive that pg_dump did not write").hints("unpack it");
}

#[test]
fn what_pg_restore_writes_of_an_archive_is_what_pg_dump_writes() {
    let place = Place::without_docker();
    let path = place.file("a.dump", &archive(unchanged_database(), &["--format=custom"]));
    let restored = std::process::Command::new(client("pg_restore")).arg("-f-").arg(path).output();
    let lines = |sql: Vec<u8>| -> Vec<String> {
        let sql = text(&sql);
        sql.lines().filter(|line| !line.contains("restrict ")).map(str::to_owned).collect()
    };
    assert_eq!(lines(restored.unwrap().stdout), lines(unchanged_database().dump(&[])));
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn every_kind_of_object_comes_back_from_an_archive_of_every_format() {
        let database = database();
        let torture = crate::support::repository("tests/fixtures/torture.sql");
        let args = ["-Xq", "-v", "ON_ERROR_STOP=1", "-d", &database.name, "-f"];
        source().client("psql", &[&args[..], &[torture.to_str().unwrap()]].concat());
        let place = Place::on_a_lent_server();
        let passes = |outcome: Outcome| {
            outcome.passed().says("✓ Large objects match the backup (5, 270,260 bytes)");
            assert!(!outcome.stdout.contains("harmless"), "{outcome}");
            assert_eq!(outcome.stderr, "", "{outcome}");
        };
        for format in ["custom", "tar"] {
            passes(place.verify_bytes("a.dump", &archive(&database, &["--format", format])));
        }
        let path = directory(&place, &database, &["--jobs=2"]);
        passes(verified(&place, &path));
    }

    #[test]
    fn an_archive_that_was_compressed_again_passes() {
        let place = Place::on_a_lent_server();
        for format in ["custom", "tar"] {
            let bytes = gzipped(&archive(unchanged_database(), &["--format", format]));
            let outcome = place.verify_bytes("a.gz", &bytes);
            outcome.passed().says("✓ Contents match the backup (25 tables)");
            assert!(outcome.stdout.contains(", compressed again"), "{outcome}");
        }
    }

    #[test]
    fn the_newest_backup_can_be_a_directory_or_an_archive() {
        let (place, database) = (Place::on_a_lent_server(), unchanged_database());
        std::fs::create_dir(place.dir().join("backups")).unwrap();
        let made = directory(&place, database, &[]);
        let named = place.dir().join("backups/backup_20260114_143022.dir");
        std::fs::rename(made, named).unwrap();
        place.file("backups/backup_20260113_143022.dump", b"older");
        let outcome = place.outcome(place.verify().args(["--latest", "--report", "report.json"]));
        passes(&outcome, "directory");
        let report = std::fs::read(place.dir().join("report.json")).unwrap();
        let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
        assert_eq!(report["report"]["format"], "directory");
    }

    #[test]
    fn the_roles_that_an_archive_names_are_made() {
        let database = database();
        let role = format!("owner_of_{}", database.name);
        database.sql(&format!(
            "CREATE ROLE {role}; ALTER TABLE tags OWNER TO {role};
         GRANT SELECT ON organizations TO {role}"
        ));
        let place = Place::on_a_lent_server();
        for format in ["custom", "tar"] {
            let outcome = place.verify_bytes("a.dump", &archive(&database, &["--format", format]));
            passes(&outcome, format);
            outcome.says(&format!("Creating roles of the backup, without login: {role}"));
            assert!(!outcome.stdout.contains("harmless"), "{outcome}");
        }
    }

    #[test]
    fn large_objects_in_an_archive_are_counted_and_compared() {
        let database = database();
        database.sql("SELECT lo_from_bytea(0, 'one'), lo_from_bytea(0, ''), lo_create(0)");
        let place = Place::on_a_lent_server();
        for format in ["custom", "tar"] {
            let outcome = place.verify_bytes("a.dump", &archive(&database, &["--format", format]));
            passes(&outcome, format);
            outcome.says("✓ Large objects match the backup (3, 3 bytes)");
        }
        let path = directory(&place, &database, &[]);
        passes(&verified(&place, &path), "directory");
        let lost = std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
        let lost = lost.filter(|path| text_of(path).starts_with("blob_")).min().unwrap();
        std::fs::remove_file(&lost).unwrap();
        verified(&place, &path).failed("is missing from the archive: it holds a large object");
    }

    #[test]
    fn data_that_do_not_decompress_fail_in_pg_restores_words() {
        let place = Place::on_a_lent_server();
        let mut archive = archive(unchanged_database(), &["--format=custom"]);
        // In the compressed rows of the largest table: their end, before the last block's own.
        let at = archive.len() - 20_000;
        archive[at..at + 16].fill(0xff);
        let outcome = place.verify_bytes("a.dump", &archive);
        outcome.failed("pg_restore cannot read the archive: could not uncompress data");
    }

    #[test]
    fn a_statement_that_the_server_refuses_fails_with_entry_object_and_cause() {
        let place = Place::on_a_lent_server();
        let outcome =
            place.verify_bytes("a.dump", &with_statement("CREATE TABLE public.users ();"));
        outcome.failed("COMMENT TABLE tags: relation \"users\" already exists");
        assert!(outcome.stdout.contains("  CREATE TABLE public.users ();"), "{outcome}");
        assert!(outcome.stdout.contains("restore error: entry "), "{outcome}");
        let extension = with_statement("CREATE EXTENSION vector;");
        let outcome = place.verify_bytes("a.dump", &extension);
        outcome
            .not_verified("the backup needs the extension vector")
            .hints("--image pgvector/pgvector:");
    }
}
