//! `create --format`: each format is made whole, with a manifest that proves as much as that of a
//! plain dump; and what happens to such a backup afterwards is noticed.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use ccc_backup::model::contents::Table;
use ccc_backup::sealing::Identities;
use ccc_backup::store::manifest::{Contents, Manifest};

use crate::support::mounts::{hiding, on_a_disk, unhidden_pg_dump};
use crate::support::source::{client, connection};
use crate::support::{Outcome, Place, Running, database, unchanged_database};

/// Runs `create`, which must succeed.
#[track_caller]
fn created(place: &Place, args: &[&str]) -> Outcome {
    crate::support::created(place, unchanged_database(), args)
}

fn verified(place: &Place, backup: &str) -> Outcome {
    place.outcome(place.verify().arg(backup))
}

fn manifest(place: &Place, backup: &str) -> Manifest {
    let path = place.dir().join(format!("{backup}.manifest.json"));
    Manifest::parse(&std::fs::read(path).unwrap(), &Identities::default()).unwrap()
}

/// The members of a directory that hold rows, the largest first.
fn members(directory: &Path) -> Vec<PathBuf> {
    let size = |path: &PathBuf| std::fs::metadata(path).unwrap().len();
    let mut members: Vec<PathBuf> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.ends_with("toc.dat"))
        .collect();
    members.sort_by_key(|path| std::cmp::Reverse(size(path)));
    members
}

fn without_spans(contents: &Contents) -> Vec<Table> {
    let mut tables = contents.tables.clone();
    tables.iter_mut().for_each(|table| table.spans.clear());
    tables
}

#[test]
fn the_manifests_of_all_formats_say_the_same_of_the_database() {
    let place = Place::without_docker();
    created(&place, &["plain.sql"]);
    let plain = manifest(&place, "plain.sql.gz");
    for (format, backup) in [("custom", "a.dump"), ("directory", "a.dir"), ("tar", "a.tar")] {
        created(&place, &["a", "--format", format]);
        let manifest = manifest(&place, backup);
        let (contents, of_plain) = (&manifest.contents, &plain.contents);
        assert_eq!(without_spans(contents), without_spans(of_plain), "{format}");
        assert_eq!(contents.sequences, of_plain.sequences, "{format}");
        assert_eq!(manifest.source, plain.source, "{format}");
        assert_eq!(contents.revision, of_plain.revision, "{format}");
        // Other tests make and drop databases and roles of the server.
        let tables = |of: &Contents| of.coverage.as_ref().unwrap().excluded_tables.clone();
        assert_eq!((tables(contents), tables(of_plain)), (Some(vec![]), Some(vec![])), "{format}");
        assert_eq!(contents.not_recorded, Vec::<String>::new(), "{format}");
        assert_eq!(manifest.outline.format.name(), format);
        // All but the DROPs of --clean, which an archive has but does not write by itself.
        let made = |statements: &Manifest| {
            let found =
                statements.contents.statements.iter().find(|of| of.kind == "TABLE").cloned();
            found.unwrap()
        };
        assert_eq!(made(&manifest), made(&plain), "{format}");
    }
}

#[test]
fn archives_are_named_by_the_time_and_are_for_their_owner_only() {
    let place = Place::without_docker();
    for (format, suffix) in [("custom", ".dump"), ("directory", ".dir"), ("tar", ".tar")] {
        created(&place, &["--format", format, "--backup-dir", format]);
        let names = place.names(format);
        let backup = names.iter().find(|name| name.ends_with(suffix)).unwrap();
        assert!(backup.starts_with("backup_20") && backup.len() == 22 + suffix.len(), "{backup}");
        assert!(names.contains(&format!("{backup}.manifest.json")), "{names:?}");
        assert!(!names.iter().any(|name| name.contains("partial")), "{names:?}");
        let mode = std::fs::metadata(place.dir().join(format).join(backup)).unwrap();
        let expected = if format == "directory" { 0o700 } else { 0o600 };
        assert_eq!(mode.permissions().mode() & 0o777, expected, "{format}");
    }
}

#[test]
fn pg_restore_reads_what_was_made_and_finds_every_table_at_once() {
    let place = Place::without_docker();
    created(&place, &["a", "--format=custom"]);
    let list = std::process::Command::new(client("pg_restore"))
        .args(["--list", "a.dump"])
        .current_dir(place.dir())
        .output()
        .unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    assert!(list.contains("TABLE DATA public users"), "{list}");
    // The end of a list of dependencies, then: data at a known place. A pipe would leave none.
    let placed = |archive: &[u8]| memchr::memmem::find_iter(archive, b"\x01\x01\0\0\0\x02").count();
    let piped = unchanged_database().dump(&["--format=custom"]);
    assert_eq!(placed(&piped), 0);
    assert!(placed(&std::fs::read(place.dir().join("a.dump")).unwrap()) >= 25);
}

#[test]
fn a_flipped_byte_in_an_uncompressed_archive_fails() {
    let place = Place::on_a_lent_server();
    created(&place, &["a", "--format=custom", "--compress=none"]);
    let path = place.dir().join("a.dump");
    let mut bytes = std::fs::read(&path).unwrap();
    let at = memchr::memmem::find(&bytes, b"@example.").unwrap();
    bytes[at + 1] ^= 0x20;
    std::fs::write(path, bytes).unwrap();
    verified(&place, "a.dump").failed("Checksum does not match the manifest");
}

#[test]
fn a_member_of_a_directory_that_is_emptied_missing_or_swapped_fails() {
    let place = Place::on_a_lent_server();
    created(&place, &["a", "--format=directory", "--compress=none"]);
    let members = members(&place.dir().join("a.dir"));
    let whole = std::fs::read(&members[0]).unwrap();
    // The size of the whole is not the manifest's any more.
    std::fs::write(&members[0], b"").unwrap();
    verified(&place, "a.dir").failed("the manifest belongs to another file");
    std::fs::remove_file(&members[0]).unwrap();
    verified(&place, "a.dir").failed("the manifest belongs to another file");
    std::fs::write(&members[0], &whole).unwrap();
    verified(&place, "a.dir").passed();
    // Of the same size together, and each a table's rows.
    let other = std::fs::read(&members[1]).unwrap();
    std::fs::write(&members[0], &other).unwrap();
    std::fs::write(&members[1], &whole).unwrap();
    verified(&place, "a.dir").failed("Checksum does not match the manifest");
    std::fs::remove_dir_all(place.dir().join("a.dir")).unwrap();
    std::fs::create_dir(place.dir().join("a.dir")).unwrap();
    verified(&place, "a.dir").failed("the manifest belongs to another file");
}

#[test]
fn a_hidden_file_in_a_directory_is_none_of_the_backup() {
    let place = Place::on_a_lent_server();
    created(&place, &["a", "--format=directory"]);
    std::fs::write(place.dir().join("a.dir/.DS_Store"), b"folder").unwrap();
    verified(&place, "a.dir/").passed();
    let listed = Outcome::of(&place.ccc().args(["list", "--backup-dir", "."]).output().unwrap());
    assert!(listed.stdout.contains("a.dir") && listed.stdout.contains("passed"), "{listed}");
}

#[test]
fn what_pg_dump_wrote_and_pg_restore_cannot_read_is_no_backup() {
    let place = Place::without_docker();
    let tools = place.dir().join("tools");
    std::fs::create_dir(&tools).unwrap();
    for tool in ["pg_restore", "psql"] {
        std::os::unix::fs::symlink(client(tool), tools.join(tool)).unwrap();
    }
    // Cuts what it wrote, as a disk that loses pages does.
    let script = format!(
        "\"{}\" \"$@\" || exit\nfor arg; do case $arg in --file=*)\n\
         truncate -s -1000 \"${{arg#--file=}}\";; esac; done",
        client("pg_dump").display()
    );
    place.program("tools/pg_dump", &script);
    let mut create = place.create(unchanged_database());
    create.args(["a", "--format=custom", "--pg-dump"]).arg(tools.join("pg_dump"));
    let outcome = Outcome::of(&create.output().unwrap());
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(outcome.stderr.contains("no backup was made: what pg_dump wrote "), "{outcome}");
    outcome.hints("disk");
    let left = place.names(".");
    assert!(!left.iter().any(|name| name.contains("a.dump")), "{left:?}");
}

#[test]
fn nothing_is_overwritten_without_force_and_a_directory_is_replaced_whole_with_it() {
    let place = Place::on_a_lent_server();
    created(&place, &["a", "--format=directory"]);
    std::fs::write(place.dir().join("a.dir/999.dat"), b"of the old one").unwrap();
    let again = |force: &[&str]| {
        let mut create = place.create(unchanged_database());
        Outcome::of(&create.args(["a", "--format=directory"]).args(force).output().unwrap())
    };
    let refused = again(&[]);
    assert_eq!(refused.code, 2, "{refused}");
    assert!(refused.stderr.contains("a.dir exists already"), "{refused}");
    refused.hints("--force");
    let replaced = again(&["--force"]);
    assert_eq!(replaced.code, 0, "{replaced}");
    assert!(!place.dir().join("a.dir/999.dat").exists());
    verified(&place, "a.dir").passed();
    assert_eq!(place.names(".").iter().filter(|name| name.contains("a.dir")).count(), 2);
}

#[test]
fn an_interrupted_dump_of_any_format_leaves_nothing() {
    for format in ["custom", "directory", "tar"] {
        let (place, database) = (Place::without_docker(), database());
        let lock = database.locked();
        let mut run = Running::create(&place, &database, &["--format", format]);
        run.wait_for("Creating backup...");
        database.wait_for_a_dump();
        run.signal(rustix::process::Signal::TERM);
        let (outcome, _) = run.end();
        assert_eq!(outcome.code, 2, "{format}: {outcome}");
        let left = place.names("backups");
        assert!(left.iter().all(|name| name.starts_with("history.")), "{format}: {left:?}");
        drop(lock);
        // The server is not left working for nobody.
        let dumping = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'pg_dump' \
                       AND datname = current_database()";
        assert_eq!(database.sql(dumping), "", "{format}");
    }
}

#[test]
fn clean_up_removes_old_archives_with_their_manifests_and_keeps_the_newest() {
    let place = Place::without_docker();
    created(&place, &["--format=directory"]);
    for (old, format) in [("20240101_020000.dir", "directory"), ("20240102_020000.tar", "tar")] {
        let output = format!("backups/backup_{old}");
        created(&place, &[&output, "--format", format]);
    }
    let outcome =
        Outcome::of(&place.ccc().args(["cleanup", "--older-than", "30d"]).output().unwrap());
    assert_eq!(outcome.code, 0, "{outcome}");
    let left = place.names("backups");
    let backups = left.iter().filter(|name| name.starts_with("backup_")).count();
    assert_eq!(backups, 2, "{left:?}");
    assert!(!left.iter().any(|name| name.contains("_2024")), "{left:?}");
}

#[test]
fn options_that_a_format_does_not_have_are_refused() {
    let place = Place::without_docker();
    for (args, said) in [
        (&["--format=tar", "--compress=gzip"][..], "the format tar are not compressed"),
        (&["--format=custom", "--jobs=2"], "dumps the format custom one table at a time"),
        (&["--format=tar", "--jobs=2"], "dumps the format tar one table at a time"),
        (&["--format=binary"], "invalid value 'binary'"),
        (&["a.sql.gz", "--format=custom"], "would not be what its name says"),
        (&["a.dump", "--compress=zstd"], "does not compress archives by zstd"),
    ] {
        let outcome = Outcome::of(&place.create(unchanged_database()).args(args).output().unwrap());
        assert_eq!(outcome.code, 2, "{args:?}: {outcome}");
        assert!(outcome.stderr.contains(said), "{args:?}: {outcome}");
    }
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn a_backup_of_every_format_passes_with_nothing_left_to_prove() {
        let place = Place::on_a_lent_server();
        for (args, backup) in [
            (&["--format=custom", "a"][..], "a.dump"),
            (&["--format=custom", "b.dump", "--compress=none"], "b.dump"),
            (&["c.dump", "--keep-owner", "--compress=gzip:9"], "c.dump"),
            (&["--format=tar", "a"], "a.tar"),
            (&["--format=directory", "a"], "a.dir"),
            (&["--format=directory", "b", "--jobs=2", "--compress=none"], "b.dir"),
        ] {
            let made = created(&place, args);
            made.says(&format!("File: {backup}"));
            let rows = manifest(&place, backup).rows();
            let rows = ccc_backup::model::outcome::grouped(rows);
            made.says(&format!("Contents: 25 tables, {rows} rows"));
            let outcome = verified(&place, backup);
            outcome.passed().says("Failed: 0").says("✓ Contents match the backup (25 tables)");
            assert!(outcome.stdout.contains("✓ Statements match the manifest"), "{outcome}");
            assert!(!outcome.stdout.contains("Not proven"), "{outcome}");
            assert!(!outcome.stdout.contains("harmless"), "{outcome}");
        }
    }

    #[test]
    fn without_pg_restore_the_manifest_says_what_it_does_not_have() {
        let place = Place::on_a_lent_server();
        let tools = place.dir().join("tools");
        std::fs::create_dir(&tools).unwrap();
        for tool in ["pg_dump", "psql"] {
            std::os::unix::fs::symlink(client(tool), tools.join(tool)).unwrap();
        }
        // Debian's directories are looked into, too, where the path has no pg_restore: one that cannot
        // read what this pg_dump writes stands for none.
        let stub = "echo 'pg_restore: error: unsupported version (1.14) in file header' >&2\n\
                exit 1";
        place.program("tools/pg_restore", stub);
        let mut create = place.create(unchanged_database());
        create.args(["a", "--format=custom", "--pg-dump"]).arg(tools.join("pg_dump"));
        let outcome = Outcome::of(&create.output().unwrap());
        assert_eq!(outcome.code, 0, "{outcome}");
        assert!(outcome.stderr.contains("warning: not recorded: rows, contents and statements: "));
        assert!(manifest(&place, "a.dump").contents.tables.is_empty());
        let outcome = verified(&place, "a.dump");
        outcome.passed().says("✓ Contents match the backup (25 tables)");
        assert!(outcome.stdout.contains("Not proven: not recorded by create: rows"), "{outcome}");
        let hidden = unhidden_pg_dump(&place);
        let words = format!("create disk/b --format=custom --pg-dump '{hidden}'");
        let environment = connection(unchanged_database());
        let made = on_a_disk(&place, "size=64m", &hiding("pg_restore"), &words, &environment);
        assert_eq!(made.code, 0, "{made}");
        assert!(made.stderr.contains("and statements: pg_restore was not found"), "{made}");
    }
}
