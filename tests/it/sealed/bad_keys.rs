//! Keys that are none, and settings that make no sense: exit code 2, what is wrong, and never the key itself.

use std::os::unix::fs::PermissionsExt;

use super::{key, shell};
use crate::support::{Outcome, Place, unchanged_database};

fn refused(place: &Place, args: &[&str], expected: &str) -> Outcome {
    let outcome = Outcome::of(&place.create(unchanged_database()).args(args).output().unwrap());
    assert_eq!(outcome.code, 2, "{args:?}: {outcome}");
    assert!(outcome.stderr.contains(expected), "{args:?}: {outcome}");
    assert!(outcome.stderr.contains("\nhint: "), "{args:?}: {outcome}");
    outcome
}

#[test]
fn what_cannot_be_sealed_for_is_refused_and_a_private_key_is_not_repeated() {
    let place = Place::without_docker();
    let recipient = key(&place, "k");
    let text = std::fs::read_to_string(place.dir().join("k")).unwrap();
    let private = text.lines().last().unwrap();
    let outcome = refused(&place, &["a", "--encrypt-to", private], "is a private key");
    assert!(!format!("{outcome}").contains(private), "{outcome}");
    place.file("none", b"# nobody\n");
    place.file("mixed", format!("{recipient}\n{private}\n").as_bytes());
    let outcome =
        refused(&place, &["a", "--encrypt-to", "@mixed"], "line 2 of mixed is a private key");
    assert!(!format!("{outcome}").contains(private), "{outcome}");
    refused(&place, &["a", "--encrypt-to", "@none"], "there is no recipient in none");
    refused(&place, &["a", "--encrypt-to", "@missing"], "missing cannot be read");
    refused(&place, &["a", "--encrypt-to", "ssh-ed25519 AAAA me"], "an SSH key (ssh-ed25519)");
    refused(&place, &["a", "--encrypt-to", "age1yubikey1qqqq"], "a key of the kind age1yubikey");
    refused(&place, &["a", "--encrypt-to", &recipient[..50]], "its checksum is wrong");
    refused(&place, &["a", "--format", "tar", "--encrypt-to", &recipient], "temporary file");
    refused(&place, &["a.sql.gz.age"], "would not be encrypted, as its name says");
    refused(&place, &["a", "--passphrase"], "there is no terminal to ask at");
    place.file("empty", b"\n");
    refused(&place, &["a", "--passphrase-file", "empty"], "it is empty");
    place.file("long", "ä ".repeat(5000).as_bytes());
    let directory = ["a", "--format", "directory", "--passphrase-file", "long"];
    refused(&place, &directory, "each would take a second to open");
    let jobs = ["a", "--format", "directory", "--jobs", "2", "--encrypt-to", &recipient];
    refused(&place, &jobs, "one table at a time");
    assert!(!place.names(".").iter().any(|name| name.starts_with("a.")), "{:?}", place.names("."));
    let long = ["a", "--passphrase-file", "long"];
    let outcome = Outcome::of(&place.create(unchanged_database()).args(long).output().unwrap());
    assert_eq!(outcome.code, 0, "{outcome}");
}

#[test]
fn what_opens_nothing_is_refused_and_an_identity_that_others_may_read_is_warned_of() {
    let place = Place::without_docker();
    let recipient = key(&place, "k");
    place.file("public", recipient.as_bytes());
    place.file("ssh", b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n");
    place.file("nothing", b"");
    place.file("garbage", b"\xff\xfe\x00");
    place.file("a.sql", b"--\n");
    for (file, expected) in [
        ("public", "line 1 of public is a recipient (a public key), which opens nothing"),
        ("ssh", "is a private key of SSH or TLS"),
        ("nothing", "there is no identity in nothing"),
        ("garbage", "is no identity of age"),
        ("missing", "missing cannot be read"),
    ] {
        let mut verify = place.ccc();
        let outcome =
            Outcome::of(&verify.args(["verify", "a.sql", "--identity", file]).output().unwrap());
        assert_eq!(outcome.code, 2, "{outcome}");
        assert!(outcome.stderr.contains(expected), "{file}: {outcome}");
        outcome.hints("");
    }
    let path = place.dir().join("k");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let run = || {
        let mut check = place.ccc();
        check.args(["keys", "check", "x.sql.age", "--identity", "k"]);
        Outcome::of(&check.output().unwrap())
    };
    shell(&place, &format!("age -r {recipient} -o x.sql.age a.sql"));
    let warned = run();
    assert!(warned.stderr.contains("can be read by others than its owner"), "{warned}");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let silent = run();
    assert_eq!((silent.code, silent.stderr.as_str()), (0, ""), "{silent}");
}
