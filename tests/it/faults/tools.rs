//! Tools that are missing, or that say and write something else than they should.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use crate::support::mounts::{hiding, on_a_disk, unhidden_pg_dump};
use crate::support::source::{client, connection, database, unchanged_database};
use crate::support::{Outcome, Place};

fn manifest(place: &Place, path: &str) -> Value {
    serde_json::from_slice(&std::fs::read(place.dir().join(path)).unwrap()).unwrap()
}

/// A pg_dump in a place that runs the real one, then these lines of shell, in which `$file` is what
/// was written.
fn pg_dump_and(place: &Place, then: &str) -> String {
    let script = format!(
        "'{}' \"$@\" || exit\nfor arg; do case $arg in --file=*) file=${{arg#--file=}}\n\
         {then};; esac; done",
        client("pg_dump").display()
    );
    place.program("bin/pg_dump", &script).to_str().unwrap().to_owned()
}

#[test]
fn without_psql_a_backup_is_made_and_what_is_not_known_of_its_source_is_said() {
    for (name, flags) in [("a.sql.gz", "--globals"), ("a.dump", "")] {
        let place = Place::new();
        let pg_dump = unhidden_pg_dump(&place);
        let words =
            format!("create disk/{name} {flags} --pg-dump '{pg_dump}' && cp disk/a* . && true");
        let environment = connection(unchanged_database());
        let made = on_a_disk(&place, "size=64m", &hiding("psql"), &words, &environment);
        assert_eq!(made.code, 0, "{made}");
        let said = "the source's version, encoding and locale: psql was not found";
        assert!(made.stderr.contains(&format!("not recorded: {said}")), "{made}");
        let source = &manifest(&place, &format!("{name}.manifest.json"))["source"];
        assert_eq!(source["database"], unchanged_database().name.as_str());
        assert!(source["server_version"].as_str().unwrap().starts_with("15."), "{source}");
        assert_eq!(source["encoding"], "UTF8", "{source}");
        let outcome = place.outcome(place.verify().arg(name));
        outcome.passed().says("✓ Contents match the backup (25 tables)");
        assert!(outcome.stdout.contains(said), "{outcome}");
    }
}

#[test]
fn what_no_pg_dump_writes_is_not_recorded_and_that_is_said() {
    let rows = "INSERT INTO public.tags VALUES (now());";
    let large_object = "SELECT pg_catalog.lo_open('1', 131072);";
    for (written, said) in [
        (rows, "not recorded: rows of INSERT statements that are not understood"),
        (large_object, "not recorded: contents of large objects, which pg_dump writes otherwise"),
        (r"\\\\! true", "not recorded: what follows the place where the dump is not understood: "),
    ] {
        let place = Place::without_docker();
        let real = client("pg_dump");
        let script = format!("'{}' \"$@\" | sed '/^SET row_security/a {written}'", real.display());
        let pg_dump = place.program("bin/pg_dump", &script);
        let mut create = place.create(unchanged_database());
        let made =
            Outcome::of(&create.arg("a.sql").arg("--pg-dump").arg(pg_dump).output().unwrap());
        assert_eq!(made.code, 0, "{made}");
        assert!(made.stderr.contains(said), "{written}: {made}");
        let manifest = manifest(&place, "a.sql.gz.manifest.json");
        assert_eq!(manifest["contents"]["not_recorded"].as_array().unwrap().len(), 1, "{manifest}");
    }
}

#[test]
fn warnings_of_pg_dump_are_shown_and_the_backup_passes() {
    let place = Place::without_docker();
    let database = database();
    database.sql("CREATE TABLE links (id int PRIMARY KEY, up int REFERENCES links)");
    for name in ["a.sql.gz", "a.dump"] {
        let mut create = place.create(&database);
        let made = Outcome::of(&create.args([name, "--", "--data-only"]).output().unwrap());
        assert_eq!(made.code, 0, "{made}");
        assert!(made.stderr.contains("warning: pg_dump: warning: there are circular"), "{made}");
    }
}

#[test]
fn an_archive_that_is_not_what_pg_dump_writes_is_no_backup() {
    for (damage, said) in [
        ("printf XXXX | dd of=$file conv=notrunc status=none", "cannot be read: pg_restore failed"),
        (": >$file", "cannot be read: pg_restore failed"),
        // Which pg_restore does not notice.
        ("echo more >>$file", "is not whole: "),
    ] {
        let place = Place::without_docker();
        let pg_dump = pg_dump_and(&place, damage);
        let mut create = place.create(unchanged_database());
        create.args(["a.dump", "--format=custom", "--pg-dump", &pg_dump]);
        let outcome = Outcome::of(&create.output().unwrap());
        assert_eq!(outcome.code, 1, "{outcome}");
        let said = format!("no backup was made: what pg_dump wrote {said}");
        assert!(outcome.stderr.contains(&said), "{outcome}");
        outcome.hints("check the disk");
        assert!(!place.names(".").iter().any(|name| name.contains("a.dump")));
    }
}

#[test]
fn a_backup_whose_manifest_cannot_be_written_stays_and_that_is_said() {
    let place = Place::new();
    std::fs::create_dir(place.dir().join("a.sql.gz.manifest.json")).unwrap();
    let made = Outcome::of(&place.create(unchanged_database()).arg("a.sql.gz").output().unwrap());
    assert_eq!(made.code, 1, "{made}");
    assert!(made.stderr.contains("a.sql.gz was made, but not its manifest: "), "{made}");
    std::fs::remove_dir(place.dir().join("a.sql.gz.manifest.json")).unwrap();
    place.outcome(place.verify().arg("a.sql.gz")).passed();
}

#[test]
fn a_directory_below_that_may_not_be_read_is_named_where_a_backup_is_looked_for() {
    let place = Place::without_docker();
    place.file("backups/backup_20260101_000000.sql", b"");
    place.file("backups/below/backup_20260102_000000.sql", b"");
    let below = place.dir().join("backups/below");
    std::fs::set_permissions(&below, PermissionsExt::from_mode(0o000)).unwrap();
    let run = |args: &[&str]| {
        let mut command = place.ccc_without_privileges();
        Outcome::of(&command.args(args).output().unwrap())
    };
    let latest = run(&["verify", "--latest"]);
    latest.failed("the backup file is empty");
    let said = "backups/below cannot be read; a newer backup may be in it";
    assert!(latest.stderr.contains(said), "{latest}");
    let listed = run(&["list"]);
    assert!(listed.stderr.contains("not looked into: ./backups/below"), "{listed}");
    std::fs::set_permissions(Path::new(&below), PermissionsExt::from_mode(0o700)).unwrap();
}
