//! What other programs encrypted is opened by a command; one that fails says nothing of the backup.

use std::process::Command;

use super::{shell, verified};
use crate::support::{Outcome, Place, database, good_dump, unchanged_database};

const OPENSSL: &str = "openssl enc -d -aes-256-cbc -pass env:BACKUP_ENCRYPTION_KEY";

/// The backup as CCC's own older scripts encrypted it.
fn by_openssl(place: &Place, from: &str, to: &str) {
    let key = "BACKUP_ENCRYPTION_KEY=geheim";
    let script = format!(
        "{key}; openssl enc -aes-256-cbc -salt -k \"$BACKUP_ENCRYPTION_KEY\" -in {from} -out {to}"
    );
    shell(place, &script);
}

/// A key that is not the one, and of which openssl takes notice or not: it does of 255 in 256.
fn wrong_key(place: &Place, sealed: &str, is_noticed: bool) -> String {
    let fails = |key: &str| {
        let mut openssl = Command::new("sh");
        openssl.args(["-c", &format!("{OPENSSL} -in {sealed} >/dev/null 2>&1")]);
        !openssl
            .current_dir(place.dir())
            .env("BACKUP_ENCRYPTION_KEY", key)
            .status()
            .unwrap()
            .success()
    };
    let mut keys = (0..10_000).map(|number| format!("falsch {number}"));
    keys.find(|key| fails(key) == is_noticed).unwrap()
}

fn with(place: &Place, backup: &str, key: &str) -> Outcome {
    let mut verify = place.verify();
    verify.args([backup, "--decrypt-command", OPENSSL]).env("BACKUP_ENCRYPTION_KEY", key);
    place.outcome(&mut verify)
}

#[test]
fn a_command_that_ends_too_early_or_is_not_there_is_not_held_against_the_backup() {
    let place = Place::on_a_lent_server();
    place.file("a.sql", good_dump());
    for (command, said) in [
        ("head -c 1000; exit 3", "exit status: 3"),
        ("no-such-program", "exit status: 127"),
        ("cat; echo the key has expired >&2; exit 1", "the key has expired"),
        ("cat >/dev/null; false", "it said nothing"),
    ] {
        verified(&place, &["a.sql", "--decrypt-command", command]).not_verified(said);
    }
    verified(&place, &["a.sql", "--decrypt-command", "cat"]).passed();
}

#[test]
fn extract_and_restore_take_the_command_too() {
    let place = Place::without_docker();
    let database = database();
    database.sql("CREATE TABLE t (a int); INSERT INTO t SELECT generate_series(1, 1000)");
    place.file("a.sql", &database.dump(&[]));
    by_openssl(&place, "a.sql", "a.sql.enc");
    let extract = |key: &str| {
        let mut extract = place.ccc();
        extract.args(["extract", "a.sql.enc", "--table", "t", "--decrypt-command", OPENSSL]);
        Outcome::of(&extract.env("BACKUP_ENCRYPTION_KEY", key).output().unwrap())
    };
    let rows = extract("geheim");
    assert_eq!((rows.code, rows.stdout.lines().count()), (0, 1000), "{rows}");
    let wrong = extract("falsch");
    assert_eq!(wrong.code, 2, "{wrong}");
    let name = format!("by_command_{}", std::process::id());
    let mut restore = place.ccc();
    restore.args(["restore", "a.sql.enc", "--as", &name, "--decrypt-command", OPENSSL]);
    restore.envs(crate::support::source::source().connection("postgres"));
    let restored = Outcome::of(&restore.env("BACKUP_ENCRYPTION_KEY", "geheim").output().unwrap());
    assert_eq!(restored.code, 0, "{restored}");
    crate::support::source::source()
        .client("psql", &["-Xqc", &format!("DROP DATABASE \"{name}\"")]);
}

#[test]
fn a_wrong_key_that_the_program_does_not_notice_is_not_held_against_the_backup() {
    let place = Place::on_a_lent_server();
    place.file("a.sql", good_dump());
    shell(&place, "openssl enc -aes-256-ctr -pbkdf2 -salt -k geheim -in a.sql -out a.sql.enc");
    let command = "openssl enc -d -aes-256-ctr -pbkdf2 -pass env:K";
    let with = |key: &str| {
        let mut verify = place.verify();
        place.outcome(verify.args(["a.sql.enc", "--decrypt-command", command]).env("K", key))
    };
    with("falsch")
        .not_verified("what the command that decrypts it wrote is no backup")
        .hints("wrong key");
    with("geheim").passed();
    for nothing in ["true", "cat >/dev/null", "echo hello", "printf 'PK\\003\\004'"] {
        verified(&place, &["a.sql.enc", "--decrypt-command", nothing]).not_verified("is no backup");
    }
    // What it opened, and is cut, is the backup's fault.
    verified(&place, &["a.sql", "--decrypt-command", "head -c 20000"]).failed("the dump ends");
}

#[test]
fn a_command_that_hangs_ends_with_the_run_and_so_does_what_it_started() {
    let place = Place::without_docker();
    place.file("a.sql", good_dump());
    let alive = || {
        let found = Command::new("pgrep").args(["-f", "sleep 97531"]).output().unwrap();
        String::from_utf8_lossy(&found.stdout).lines().count()
    };
    for command in
        ["sleep 97531", "cat a.sql & sleep 97531; true", "head -c 5000; (sleep 97531; true)"]
    {
        let mut verify = place.verify_locally();
        verify.args(["a.sql", "--timeout", "2s", "--decrypt-command", command]);
        let outcome = Outcome::of(&verify.output().unwrap());
        assert_eq!(outcome.code, 2, "{outcome}");
        assert!(outcome.stdout.contains("timed out after 2 s"), "{outcome}");
        assert_eq!(alive(), 0, "{command}");
    }
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn what_cccs_older_scripts_encrypted_is_verified() {
        let place = Place::on_a_lent_server();
        place.file("a.sql", good_dump());
        let custom = unchanged_database().dump(&["--format=custom", "--no-owner", "--no-acl"]);
        place.file("a.dump", &custom);
        shell(&place, "gzip -k a.sql");
        for (open, sealed) in
            [("a.sql.gz", "a.sql.gz.enc"), ("a.sql", "a.sql.enc"), ("a.dump", "a.dump.enc")]
        {
            by_openssl(&place, open, sealed);
            let outcome = verified(&place, &[sealed]);
            outcome
                .not_verified("is encrypted by openssl")
                .hints(&format!("--decrypt-command '{OPENSSL}'"));
            with(&place, sealed, "geheim").passed();
            // Garbage comes of another key. Mostly the program says so in the end, and at times its padding fits.
            let noticed = wrong_key(&place, sealed, true);
            with(&place, sealed, &noticed).not_verified("bad decrypt").hints("try it by hand");
            let not_noticed = wrong_key(&place, sealed, false);
            with(&place, sealed, &not_noticed).not_verified("is no backup").hints("wrong key");
        }
    }

    #[test]
    fn what_gpg_encrypted_is_verified_and_its_failure_is_told_with_its_words() {
        let place = Place::on_a_lent_server();
        place.file("a.sql", good_dump());
        place.file("word", b"geheim");
        shell(
            &place,
            "mkdir -m 700 home; gpg --homedir home --batch --pinentry-mode loopback --passphrase-file word \
         --symmetric -o a.sql.gpg a.sql",
        );
        verified(&place, &["a.sql.gpg"])
            .not_verified("is encrypted by gpg")
            .hints("gpg --batch --decrypt");
        let command =
            "gpg --homedir home --batch --pinentry-mode loopback --passphrase-file word --decrypt";
        verified(&place, &["a.sql.gpg", "--decrypt-command", command]).passed();
        let wrong = command.replace("word", "/dev/null");
        let outcome = verified(&place, &["a.sql.gpg", "--decrypt-command", &wrong]);
        outcome.not_verified("the command that decrypts it ended with exit status: 2");
    }
}
