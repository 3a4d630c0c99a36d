//! `keys`: identities are made and never overwritten; that they open the newest backup is proven and on record; and what
//! belongs in the safe is enough to open a backup without this program.

use std::os::unix::fs::PermissionsExt;

use super::{FORMATS, created, key, shell};
use crate::support::{Outcome, Place, unchanged_database};

fn keys(place: &Place, args: &[&str]) -> Outcome {
    Outcome::of(&place.ccc().arg("keys").args(args).output().unwrap())
}

#[test]
fn an_identity_is_for_its_owner_alone_and_is_never_overwritten() {
    let place = Place::without_docker();
    let recipient = key(&place, "k");
    let text = std::fs::read_to_string(place.dir().join("k")).unwrap();
    let mode = std::fs::metadata(place.dir().join("k")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(text.contains(&recipient) && text.contains("AGE-SECRET-KEY-1"));
    let of_age = shell(&place, "age-keygen -y k");
    assert_eq!(String::from_utf8(of_age).unwrap().trim(), recipient);
    let again = keys(&place, &["new", "k"]);
    assert_eq!(again.code, 2, "{again}");
    again.hints("name another file");
    assert_eq!(std::fs::read_to_string(place.dir().join("k")).unwrap(), text);
    let secret = text.lines().last().unwrap();
    assert!(!keys(&place, &["new", "l"]).stdout.contains(secret));
    assert_eq!(keys(&place, &["new"]).code, 0);
    assert!(place.dir().join("ccc-backup.key").exists());
}

#[test]
fn a_check_of_the_newest_backup_is_on_record_with_its_metric() {
    let place = Place::without_docker();
    let (recipient, _) = (key(&place, "k"), key(&place, "other"));
    let check = |key: &str| {
        keys(&place, &["check", "--backup-dir", "b", "--identity", key, "--metrics-file", "m.prom"])
    };
    std::fs::create_dir(place.dir().join("b")).unwrap();
    check("k").hints("create --encrypt-to");
    assert_eq!(check("k").code, 2);
    for (format, _) in FORMATS {
        let output = format!("b/{format}");
        created(
            &place,
            unchanged_database(),
            &[&output, "--format", format, "--encrypt-to", &recipient],
        );
        let outcome = keys(&place, &["check", "--backup-dir", "b", "--identity", "k"]);
        assert_eq!(outcome.code, 0, "{outcome}");
        assert!(outcome.stdout.contains("the backup and its manifest open"), "{outcome}");
    }
    let metric = || {
        let metrics = std::fs::read_to_string(place.dir().join("m.prom")).unwrap_or_default();
        let line =
            metrics.lines().find(|line| line.starts_with("backup_key_last_proven_timestamp "));
        line.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
    };
    let wrong = check("other");
    assert_eq!(wrong.code, 1, "{wrong}");
    assert!(wrong.stderr.contains("the key that was given does not open it"), "{wrong}");
    let before = metric();
    assert!(before.is_some_and(|time| time > 1_700_000_000), "{before:?}");
    assert_eq!(check("k").code, 0);
    assert!(metric() >= before);
    let history =
        Outcome::of(&place.ccc().args(["history", "--backup-dir", "b"]).output().unwrap());
    assert!(history.stdout.contains("keys open it"), "{history}");
    assert!(history.stdout.contains("keys do NOT open"), "{history}");
}

#[test]
fn the_sheet_opens_a_backup_without_this_program() {
    let place = Place::without_docker();
    let recipient = key(&place, "k");
    key(&place, "other");
    for (format, backup) in FORMATS {
        let dir = format!("b-{format}");
        let output = format!("{dir}/a");
        created(
            &place,
            unchanged_database(),
            &[&output, "--format", format, "--encrypt-to", &recipient],
        );
        let sheet = keys(
            &place,
            &["sheet", "--backup-dir", &dir, "--identity", "k", "--identity", "other"],
        );
        assert_eq!(sheet.code, 0, "{sheet}");
        assert!(
            sheet.stdout.contains(&recipient) && sheet.stdout.contains("does NOT open"),
            "{sheet}"
        );
        assert!(!sheet.stdout.contains("AGE-SECRET-KEY"), "{sheet}");
        let commands: Vec<&str> = sheet
            .stdout
            .lines()
            .skip_while(|line| !line.starts_with("Without ccc-backup"))
            .skip(1)
            .take_while(|line| !line.is_empty())
            .collect();
        // The same commands, with a file in place of a database.
        let pg_restore = crate::support::source::client("pg_restore");
        let script = commands
            .join("\n")
            .replace("IDENTITY", "../k")
            .replace("psql -v ON_ERROR_STOP=1 -d EMPTY_DATABASE", "cat > out.sql")
            .replace(
                "pg_restore --exit-on-error -d EMPTY_DATABASE",
                &format!("{} -f out.sql", pg_restore.display()),
            );
        shell(
            &place,
            &format!("cd {dir}\n{script}\ngrep -q 'PostgreSQL database dump complete' out.sql"),
        );
        assert!(commands.iter().any(|command| command.contains(backup)), "{sheet}");
    }
}
