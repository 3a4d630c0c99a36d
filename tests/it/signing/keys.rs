//! Keys that cannot sign, and files of signers that cannot be used: each is named, and nothing of it is repeated.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{PASSPHRASE, Told as _, create, key, line, make_key, signed, verified};
use crate::support::source::connection;
use crate::support::{BINARY, Outcome, Place, clean_environment, text, unchanged_database};

#[test]
fn a_key_that_cannot_sign_is_named_before_anything_is_dumped() {
    let place = Place::without_docker();
    let good = std::fs::read_to_string(key(&place, "k")).unwrap();
    make_key(&place, "rsa", "rsa", "");
    make_key(&place, "ecdsa", "ecdsa", "");
    let secret = good.lines().nth(2).unwrap().to_owned();
    place.file("damaged", good.replace(&secret, &secret[1..]).as_bytes());
    place.file("cut", &good.as_bytes()[..good.len() / 2]);
    place.file("pkcs8", b"-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n");
    place.file("text", b"hunter2 hunter3\n");
    place.file("empty", b"");
    place.file("binary", &[0xff; 300]);
    place.file("large", &[b'x'; 100_000]);
    std::fs::create_dir(place.dir().join("directory")).unwrap();
    for (file, cause) in [
        ("rsa", "a key of the kind ssh-rsa: only ssh-ed25519"),
        ("rsa.pub", "a key of the kind ssh-rsa: only ssh-ed25519"),
        ("ecdsa", "a key of the kind ecdsa-sha2-nistp256"),
        ("ecdsa.pub", "a key of the kind ecdsa-sha2-nistp256"),
        ("damaged", "the private key damaged is damaged"),
        ("cut", "the private key cut is damaged"),
        ("pkcs8", "another format than OpenSSH's own"),
        ("text", "text is no key of OpenSSH"),
        ("empty", "empty is no key of OpenSSH"),
        ("binary", "binary is no key of OpenSSH"),
        ("large", "too large"),
        ("directory", "the key directory cannot be read"),
        ("missing", "the key missing cannot be read"),
        ("k.pub", "SSH_AUTH_SOCK is not set"),
    ] {
        let outcome = create(&place, &["a.sql", "--sign-key", file], &[]);
        assert_eq!(outcome.code, 2, "{file}: {outcome}");
        outcome.blames(cause).hints("");
        assert!(!outcome.stdout.contains("Dump"), "{outcome}");
        let said = format!("{outcome}");
        assert!(!said.contains("hunter2") && !said.contains(&secret[1..]), "{said}");
    }
    assert!(place.names(".").iter().all(|name| !name.contains("a.sql")), "{:?}", place.names("."));
}

#[test]
fn a_key_or_passphrase_that_others_can_read_is_a_warning() {
    let place = Place::without_docker();
    let path = make_key(&place, "k", "ed25519", PASSPHRASE);
    let file = place.file("passphrase", PASSPHRASE.as_bytes());
    let args = ["a.sql", "--force", "--sign-key", "k", "--sign-passphrase-file", "passphrase"];
    let set = |path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    for (key_mode, file_mode, warned) in [(0o600, 0o400, 0), (0o640, 0o600, 1), (0o644, 0o644, 2)] {
        set(&path, key_mode);
        set(&file, file_mode);
        let outcome = create(&place, &args, &[]);
        assert_eq!(outcome.code, 0, "{outcome}");
        assert_eq!(outcome.stderr.matches("can be read by others: chmod 600").count(), warned);
    }
}

/// Runs `create` at a terminal, which `script` makes, and types this when it asks. The terminal's settings follow.
fn at_a_terminal(place: &Place, more: &str, typed: &[u8]) -> Outcome {
    let command =
        format!("{BINARY} create a.sql --sign-key k {more}; code=$?; stty -a; exit $code");
    let mut script = Command::new("script");
    script.args(["-qec", &command, "/dev/null"]).current_dir(place.dir());
    script.env_clear().envs(clean_environment()).envs(connection(unchanged_database()));
    script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = script.spawn().unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (mut said, mut piece) = (Vec::new(), [0; 4096]);
    let mut has_typed = false;
    loop {
        let read = stdout.read(&mut piece).unwrap();
        if read == 0 {
            break;
        }
        said.extend(&piece[..read]);
        if !has_typed && text(&said).contains("Passphrase of k: ") {
            // It is printed a moment before the terminal shows no more what is typed.
            std::thread::sleep(Duration::from_millis(500));
            stdin.write_all(typed).unwrap();
            has_typed = true;
        }
    }
    let code = child.wait().unwrap().code().unwrap();
    Outcome { code, stdout: text(&said), stderr: String::new() }
}

#[test]
fn a_passphrase_is_asked_at_the_terminal_and_not_shown() {
    let place = Place::without_docker();
    make_key(&place, "k", "ed25519", PASSPHRASE);
    let outcome = at_a_terminal(&place, "", format!("{PASSPHRASE}\n").as_bytes());
    assert_eq!(outcome.code, 0, "{outcome}");
    outcome.tells("Signed by SHA256:").tells(" echo ");
    assert!(!outcome.stdout.contains("horse"), "{outcome}");
    let wrong = at_a_terminal(&place, "", b"hunter2\n");
    assert_eq!(wrong.code, 2, "{wrong}");
    wrong.tells("the passphrase of the key k is another one");
    assert!(!wrong.stdout.contains("hunter2"), "{wrong}");
}

#[test]
fn whoever_stops_at_the_passphrase_gets_a_terminal_back_that_shows_what_is_typed() {
    let place = Place::without_docker();
    make_key(&place, "k", "ed25519", PASSPHRASE);
    for (more, typed, cause) in [
        ("", &[3][..], "interrupted by SIGINT"),
        ("", &[4], "no passphrase was typed for the key k"),
        ("--timeout 1s", &[], "timed out after 1 s"),
    ] {
        let outcome = at_a_terminal(&place, more, typed);
        assert_eq!(outcome.code, 2, "{outcome}");
        outcome.tells(cause).tells(" echo ");
        assert!(!outcome.stdout.contains("-echo "), "{outcome}");
    }
}

#[test]
fn where_there_is_no_terminal_the_ways_to_give_a_passphrase_are_named() {
    let place = Place::without_docker();
    make_key(&place, "k", "ed25519", PASSPHRASE);
    let mut command = Command::new("setsid");
    command.args(["--wait", BINARY, "create", "a.sql", "--sign-key", "k"]);
    command.env_clear().envs(clean_environment()).current_dir(place.dir());
    command.envs(connection(unchanged_database()));
    let outcome = Outcome::of(&command.stdin(Stdio::null()).output().unwrap());
    assert_eq!(outcome.code, 2, "{outcome}");
    outcome.blames("there is no terminal to ask").hints("--sign-passphrase-file");
}

#[test]
fn allowed_signers_that_cannot_be_used_are_an_error_of_every_command() {
    let place = Place::without_docker();
    signed(&place, "a.sql");
    let private = std::fs::read_to_string(place.dir().join("k")).unwrap();
    let ca = line(&place, "cert-authority", "k");
    let public = std::fs::read_to_string(place.dir().join("k.pub")).unwrap();
    for (content, cause) in [
        (private.clone(), "is a private key"),
        (String::new(), "name nobody"),
        ("# nobody yet\n".to_owned(), "name nobody"),
        (ca, "line 1: cert-authority is not supported"),
        (format!("\n{public}"), "line 2: it begins with a key"),
        ("a hunter2\n".to_owned(), "line 1: "),
    ] {
        place.file("allowed", content.as_bytes());
        for command in [
            &["verify", "a.sql.gz"][..],
            &["restore", "a.sql.gz", "--dry-run"],
            &["extract", "a.sql.gz", "--table", "users"],
            &["diff", "a.sql.gz", "a.sql.gz"],
        ] {
            let mut run = place.ccc();
            let output = run.args(command).args(["--allowed-signers", "allowed"]).output().unwrap();
            let outcome = Outcome::of(&output);
            assert_eq!(outcome.code, 2, "{command:?}: {outcome}");
            outcome.blames(cause).hints("");
            let secret = private.lines().nth(2).unwrap();
            assert!(!outcome.stderr.contains("hunter2") && !outcome.stderr.contains(secret));
        }
    }
    std::fs::remove_file(place.dir().join("allowed")).unwrap();
    let outcome = verified(&place, "a.sql.gz");
    assert_eq!(outcome.code, 2, "{outcome}");
    outcome.blames("the allowed signers allowed cannot be read");
    // By the configuration, too.
    place.file("ccc-backup.toml", b"[signing]\nallowed_signers = \"allowed\"\n");
    let output = place.ccc().args(["extract", "a.sql.gz", "--table", "users"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    std::fs::remove_file(place.dir().join("ccc-backup.toml")).unwrap();
    let unreadable = place.file("allowed", b"");
    std::fs::set_permissions(unreadable, PermissionsExt::from_mode(0o000)).unwrap();
    let mut run = place.ccc_without_privileges();
    run.args(["verify", "a.sql.gz", "--allowed-signers", "allowed"]);
    let outcome = Outcome::of(&run.output().unwrap());
    assert_eq!(outcome.code, 2, "{outcome}");
    outcome.blames("the allowed signers allowed cannot be read");
}
