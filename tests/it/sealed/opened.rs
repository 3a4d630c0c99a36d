//! What is sealed is opened: by its key here, by age itself, and by every command that reads a backup.

use super::{FORMATS, created, key, sealed_by_age, shell, verified};
use crate::support::source::source;
use crate::support::{Outcome, Place, database, good_dump, unchanged_database};

#[test]
fn a_sealed_backup_of_every_format_passes_with_its_key_and_nothing_left_to_prove() {
    let place = Place::on_a_lent_server();
    let recipient = key(&place, "k");
    for (format, backup) in FORMATS {
        let database = unchanged_database();
        let args = ["a", "--format", format, "--encrypt-to", &recipient, "--globals"];
        created(&place, database, &args).says(&format!("File: {backup}"));
        let outcome = verified(&place, &[backup, "--identity", "k", "--require-proof"]);
        outcome.passed().says("✓ Contents match the backup (25 tables)");
        assert!(!outcome.stdout.contains("Not proven"), "{outcome}");
        let outcome = verified(&place, &[backup]);
        outcome.not_verified("it is encrypted, and no key was given to open it");
        assert!(outcome.stdout.contains(&recipient), "{outcome}");
        outcome.hints("--identity FILE");
        std::fs::remove_file(place.dir().join("a.globals.sql.age")).unwrap();
    }
}

#[test]
fn what_is_sealed_here_is_opened_by_age_and_restored_by_psql_and_pg_restore() {
    let place = Place::without_docker();
    let recipient = key(&place, "k");
    for (format, _) in FORMATS {
        let args = ["a", "--format", format, "--encrypt-to", &recipient, "--compress", "zstd:1"];
        let args = if format == "plain" { &args[..] } else { &args[..5] };
        created(&place, unchanged_database(), args);
    }
    let sql = shell(&place, "age -d -i k a.sql.zst.age | zstd -d");
    assert!(sql.starts_with(b"--\n-- PostgreSQL database dump\n"), "{}", sql.len());
    for script in [
        "age -d -i k a.dump.age | PG_RESTORE -f out.sql",
        "mkdir a.dir; for f in a.dir.age/*.age; do age -d -i k -o a.dir/$(basename $f .age) $f; done; \
         PG_RESTORE -f out.sql a.dir",
    ] {
        let pg_restore = crate::support::source::client("pg_restore");
        shell(&place, &script.replace("PG_RESTORE", pg_restore.to_str().unwrap()));
        let restored = std::fs::read(place.dir().join("out.sql")).unwrap();
        let count = |bytes: &[u8], what: &[u8]| memchr::memmem::find_iter(bytes, what).count();
        for what in [&b"\nCOPY "[..], b"\nCREATE TABLE ", b"\nCREATE INDEX "] {
            assert_eq!(count(&restored, what), count(&sql, what), "{script}");
        }
    }
    // A directory that was taken apart here is one that pg_restore takes in parallel.
    let pg_restore = crate::support::source::client("pg_restore");
    let name = format!("apart_{}", std::process::id());
    source().client("psql", &["-Xqc", &format!("CREATE DATABASE {name}")]);
    let mut command = std::process::Command::new(pg_restore);
    command.args(["--jobs=2", "--exit-on-error", "--no-owner", "-d", &name, "a.dir"]);
    let status = command.envs(source().libpq()).current_dir(place.dir()).status().unwrap();
    source().client("psql", &["-Xqc", &format!("DROP DATABASE {name}")]);
    assert!(status.success());
}

#[test]
fn the_configuration_says_to_whom_backups_are_sealed() {
    let place = Place::without_docker();
    let (one, other) = (key(&place, "k"), key(&place, "l"));
    let config = format!("[encryption]\nrecipients = [\"{one}\"]\n");
    place.file("ccc-backup.toml", config.as_bytes());
    created(&place, unchanged_database(), &["a"]);
    created(&place, unchanged_database(), &["b", "--encrypt-to", &other]);
    created(&place, unchanged_database(), &["c", "--no-encryption"]);
    assert!(place.dir().join("c.sql.gz").exists());
    shell(&place, "age -d -i k a.sql.gz.age | gunzip | grep -c 'database dump complete'");
    shell(&place, "age -d -i l b.sql.gz.age | gunzip | grep -c 'database dump complete'");
    let outcome = Outcome::of(&place.ccc().args(["list", "--backup-dir", "."]).output().unwrap());
    outcome.says(&format!("Sealed for {one}: a.sql.gz.age"));
    outcome.says(&format!("Sealed for {other}: b.sql.gz.age"));
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn what_age_sealed_is_read_in_binary_and_as_text_for_a_key_and_for_a_passphrase() {
        let place = Place::on_a_lent_server();
        let recipient = key(&place, "k");
        let dump = good_dump();
        place.file("a.sql.age", &sealed_by_age(&place, &recipient, dump));
        place.file("a.sql", dump);
        shell(
            &place,
            &format!("gzip -k a.sql && age -e -a -r {recipient} -o b.sql.gz.age a.sql.gz"),
        );
        for backup in ["a.sql.age", "b.sql.gz.age"] {
            verified(&place, &[backup, "--identity", "k"]).passed();
        }
        let mut command = place.ccc();
        command.args(["create", "p.sql.gz", "--passphrase"]).envs(source().connection("postgres"));
        command.env("CCC_BACKUP_PASSPHRASE", "correct horse");
        assert_eq!(Outcome::of(&command.output().unwrap()).code, 0);
        let outcome = verified(&place, &["p.sql.gz.age"]);
        outcome.not_verified("it is encrypted with a passphrase, and none was given");
        place.file("right", b"correct horse\n");
        place.file("wrong", b"battery staple\n");
        let config = place
            .file("c.toml", b"[checks]\ntables = []\nmigrations = \"none\"\ndata = \"none\"\n");
        let with = |file: &str| {
            let config = config.to_str().unwrap();
            verified(&place, &["p.sql.gz.age", "--passphrase-file", file, "--config", config])
        };
        with("right").passed();
        with("wrong").not_verified("the passphrase does not open it");
    }

    #[test]
    fn each_of_several_recipients_opens_it_and_so_does_an_identity_that_is_itself_encrypted() {
        let place = Place::on_a_lent_server();
        let recipients: Vec<String> =
            (0..20).map(|number| key(&place, &format!("k{number}"))).collect();
        place.file("team", recipients[1..].join("\n").as_bytes());
        let args = ["a", "--encrypt-to", &recipients[0], "--encrypt-to", "@team"];
        created(&place, unchanged_database(), &args);
        for key in ["k0", "k7", "k19"] {
            verified(&place, &["a.sql.gz.age", "--identity", key]).passed();
        }
        let mut new = place.ccc();
        new.args(["keys", "new", "sealed.key", "--passphrase"]).env("CCC_BACKUP_PASSPHRASE", "x y");
        let made = Outcome::of(&new.output().unwrap());
        let recipient =
            made.stdout.split_whitespace().find(|word| word.starts_with("age1")).unwrap();
        created(&place, unchanged_database(), &["b", "--encrypt-to", recipient]);
        let mut verify = place.verify();
        verify.args(["b.sql.gz.age"]).env("CCC_BACKUP_IDENTITY", "k0:sealed.key");
        let outcome = place.outcome(verify.env("CCC_BACKUP_PASSPHRASE", "x y"));
        outcome.passed();
        let mut verify = place.verify();
        verify.args(["b.sql.gz.age"]).env("CCC_BACKUP_IDENTITY", "sealed.key");
        place
            .outcome(verify.env("CCC_BACKUP_PASSPHRASE", "wrong"))
            .not_verified("does not open the identities");
    }

    #[test]
    fn extract_diff_and_restore_open_it_too() {
        let place = Place::without_docker();
        let recipient = key(&place, "k");
        let source_database = database();
        source_database
            .sql("CREATE TABLE t (a int); INSERT INTO t SELECT generate_series(1, 1000)");
        for (format, backup) in FORMATS {
            let args = ["a", "--format", format, "--encrypt-to", &recipient];
            created(&place, &source_database, &args);
            let extracted = place
                .ccc()
                .args(["extract", backup, "--table", "t", "--identity", "k"])
                .output()
                .unwrap();
            assert_eq!(
                extracted.stdout.iter().filter(|byte| **byte == b'\n').count(),
                1000,
                "{format}"
            );
            let name = format!("sealed_{format}_{}", std::process::id());
            let mut restore = place.ccc();
            restore.args(["restore", backup, "--identity", "k", "--as", &name]);
            let outcome =
                Outcome::of(&restore.envs(source().connection("postgres")).output().unwrap());
            assert_eq!(outcome.code, 0, "{outcome}");
            let dropped = format!("DROP DATABASE \"{name}\"");
            source().client("psql", &["-Xqc", &dropped]);
            // One table of it, beside the one that is there.
            let schema = format!("beside_{format}");
            let mut restore = place.ccc();
            restore.args([
                "restore",
                backup,
                "--identity",
                "k",
                "--table",
                "t",
                "--into-schema",
                &schema,
            ]);
            restore.envs(source().connection(&source_database.name));
            let outcome = Outcome::of(&restore.output().unwrap());
            assert_eq!(outcome.code, 0, "{format}: {outcome}");
            assert_eq!(
                source_database.sql(&format!("SELECT count(*) FROM {schema}.t")).trim(),
                "1000"
            );
            source_database.sql(&format!("DROP SCHEMA {schema} CASCADE"));
        }
        created(&place, &source_database, &["b", "--encrypt-to", &recipient]);
        let diff =
            |args: &[&str]| Outcome::of(&place.ccc().arg("diff").args(args).output().unwrap());
        let same = diff(&["a.sql.gz.age", "b.sql.gz.age", "--identity", "k"]);
        assert_eq!(same.code, 0, "{same}");
        let closed = diff(&["a.sql.gz.age", "b.sql.gz.age"]);
        assert_eq!(closed.code, 2, "{closed}");
        closed.hints("--identity FILE");
        // What pg_restore of this machine reads lies in memory meanwhile, and not for long.
        let left = std::fs::read_dir("/dev/shm").unwrap().flatten();
        let ours = format!("ccc-backup-unsealed-{}", std::process::id());
        assert!(
            !left
                .map(|entry| entry.file_name())
                .any(|name| name.to_string_lossy().starts_with(&ours))
        );
    }
}
