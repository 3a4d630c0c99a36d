//! What `create` signs, ssh-keygen takes.

use super::{
    MANIFEST, PASSPHRASE, Told as _, WHO, create, fingerprint, key, keygen_verify, line, make_key,
    signed, verified,
};
use crate::support::{Place, text};

#[test]
fn ssh_keygen_takes_the_signature_of_every_format_and_nothing_rewrites_what_is_signed() {
    let place = Place::on_a_lent_server();
    signed(&place, "a.sql");
    let formats = ["a.sql.gz", "b.dump", "c.tar", "d.dir"];
    for name in &formats[1..] {
        signed(&place, name);
    }
    for name in formats {
        let manifest = format!("{name}.manifest.json");
        let before = std::fs::read(place.dir().join(&manifest)).unwrap();
        let outcome = verified(&place, name);
        let by = format!("Signature: signed by {WHO} ({})", fingerprint(&place.dir().join("k")));
        outcome.passed().tells(&by);
        assert_eq!(std::fs::read(place.dir().join(&manifest)).unwrap(), before, "{name}");
        let output = keygen_verify(&place, &manifest, MANIFEST, &[]);
        assert!(output.status.success(), "{name}: {}", text(&output.stderr));
    }
}

#[test]
fn create_says_who_signed_and_both_files_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::without_docker();
    let path = key(&place, "k");
    let outcome = create(&place, &["a.sql", "--sign-key", "k", "--globals"], &[]);
    assert_eq!(outcome.code, 0, "{outcome}");
    outcome.tells(&format!("✓ Signed by {}", fingerprint(&path)));
    outcome.tells("  File: a.sql.gz.manifest.json.sig");
    let mode = |name: &str| {
        std::fs::metadata(place.dir().join(name)).unwrap().permissions().mode() & 0o777
    };
    assert_eq!(mode("a.sql.gz.manifest.json.sig"), 0o600);
}

#[test]
fn the_key_comes_from_the_flag_the_environment_or_the_configuration() {
    let place = Place::without_docker();
    let names = ["flag", "variable", "configured"];
    let keys = names.map(|name| fingerprint(&key(&place, name)));
    place.file("ccc-backup.toml", b"[signing]\nkey = \"configured\"\n");
    let by = |args: &[&str], environment: &[(&str, &str)]| {
        let outcome = create(&place, &[&["a.sql", "--force"], args].concat(), environment);
        assert_eq!(outcome.code, 0, "{outcome}");
        let line = outcome.stdout.lines().find_map(|line| line.strip_prefix("✓ Signed by "));
        line.map(str::to_owned)
    };
    let variable = ("CCC_BACKUP_SIGN_KEY", "variable");
    assert_eq!(by(&["--sign-key", "flag"], &[variable]).as_ref(), Some(&keys[0]));
    assert_eq!(by(&[], &[variable]).as_ref(), Some(&keys[1]));
    assert_eq!(by(&[], &[("CCC_BACKUP_SIGN_KEY", "")]).as_ref(), Some(&keys[2]));
    // A configuration elsewhere has its files beside it.
    place.file("etc/my.toml", b"[signing]\nkey = \"../flag\"\n");
    assert_eq!(by(&["--config", "etc/my.toml"], &[]).as_ref(), Some(&keys[0]));
}

#[test]
fn a_passphrase_comes_from_a_file_or_the_environment_and_is_in_no_output() {
    let place = Place::without_docker();
    make_key(&place, "k", "ed25519", PASSPHRASE);
    place.file("allowed", line(&place, "", "k").as_bytes());
    let file = place.file("passphrase", format!("{PASSPHRASE}\n").as_bytes());
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let variable = ("CCC_BACKUP_SIGN_PASSPHRASE", PASSPHRASE);
    let wrong = ("CCC_BACKUP_SIGN_PASSPHRASE", "hunter2");
    let from_file = ("CCC_BACKUP_SIGN_PASSPHRASE_FILE", "passphrase");
    let signing = [
        "--verbose",
        "--log-file",
        "run.log",
        "--metrics-file",
        "m.prom",
        "a.sql",
        "--force",
        "--sign-key",
        "k",
    ];
    let flag = ["--sign-passphrase-file", "passphrase"];
    for (more, environment) in
        [(&[][..], &[variable][..]), (&flag, &[wrong]), (&[], &[from_file, wrong])]
    {
        let outcome = create(&place, &[&signing, more].concat(), environment);
        assert_eq!(outcome.code, 0, "{outcome}");
        let output = keygen_verify(&place, "a.sql.gz.manifest.json", MANIFEST, &[]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let log = std::fs::read_to_string(place.dir().join("run.log")).unwrap();
        for said in [&outcome.stdout, &outcome.stderr, &log] {
            assert!(!said.contains("horse") && !said.contains("hunter2"), "{said}");
        }
        for name in place.names(".") {
            let bytes = std::fs::read(place.dir().join(&name)).unwrap();
            let has_it = text(&bytes).contains("horse") || text(&bytes).contains("hunter2");
            assert!(!has_it || name == "passphrase", "{name}");
        }
    }
    let outcome = create(&place, &signing, &[wrong]);
    assert_eq!(outcome.code, 2, "{outcome}");
    outcome.blames("the passphrase of the key k is another one");
    assert!(!outcome.stderr.contains("hunter2"), "{outcome}");
}

#[test]
fn a_backup_that_is_made_anew_without_a_key_has_no_signature() {
    let place = Place::without_docker();
    signed(&place, "a.sql");
    let outcome = create(&place, &["a.sql", "--force"], &[]);
    assert_eq!(outcome.code, 0, "{outcome}");
    assert!(!place.names(".").contains(&"a.sql.gz.manifest.json.sig".to_owned()));
    // One that was left by a backup which somebody removed is not taken for a new one's.
    place.file("b.sql.gz.manifest.json.sig", b"left");
    assert_eq!(create(&place, &["b.sql"], &[]).code, 0);
    assert!(!place.names(".").contains(&"b.sql.gz.manifest.json.sig".to_owned()));
}

#[test]
fn a_signature_goes_with_its_backup() {
    let place = Place::without_docker();
    signed(&place, "backups/backup_20250101_020000.sql");
    signed(&place, "backups/backup_20250102_020000.sql");
    let outcome = crate::support::Outcome::of(
        &place.ccc().args(["cleanup", "--keep-last", "1"]).output().unwrap(),
    );
    assert_eq!(outcome.code, 0, "{outcome}");
    let left: Vec<String> =
        place.names("backups").into_iter().filter(|name| name.contains("20250101")).collect();
    assert_eq!(left, Vec::<String>::new());
    let stays = "backup_20250102_020000.sql.gz.manifest.json.sig".to_owned();
    assert!(place.names("backups").contains(&stays));
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn a_sealed_backup_is_signed_as_it_lies_there() {
        let place = Place::on_a_lent_server();
        key(&place, "k");
        place.file("allowed", line(&place, "", "k").as_bytes());
        let made = place.ccc().args(["keys", "new", "identity"]).output().unwrap();
        assert!(made.status.success(), "{}", text(&made.stderr));
        let recipient = text(&made.stdout);
        let recipient = recipient.split_whitespace().find(|word| word.starts_with("age1")).unwrap();
        for name in ["a.sql", "b.dump", "c.dir"] {
            let args = [name, "--sign-key", "k", "--encrypt-to", recipient, "--globals"];
            let outcome = create(&place, &args, &[]);
            assert_eq!(outcome.code, 0, "{outcome}");
        }
        let allowed = ["--identity", "identity", "--allowed-signers", "allowed"];
        for name in ["a.sql.gz.age", "b.dump.age", "c.dir.age"] {
            let manifest = format!("{name}.manifest.json");
            let output = keygen_verify(&place, &manifest, MANIFEST, &[]);
            assert!(output.status.success(), "{name}: {}", text(&output.stderr));
            let outcome = place.outcome(place.verify().arg(name).args(allowed));
            outcome.passed().tells(&format!("Signature: signed by {WHO} ("));
            let extract = ["extract", name, "--table", "users"];
            let output = place.ccc().args(extract).args(allowed).output().unwrap();
            assert!(output.status.success(), "{name}: {}", text(&output.stderr));
            std::fs::remove_file(place.dir().join(format!("{manifest}.sig"))).unwrap();
            let outcome = place.outcome(place.verify().arg(name).args(allowed));
            outcome.failed("is unsigned: there is no");
        }
    }
}
