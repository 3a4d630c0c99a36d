//! `restore`, `extract` and `diff` take nothing of a backup that is not what one of the allowed signers made.

use super::{Told as _, key, keygen_sign, line, signed};
use crate::support::{Outcome, Place, unchanged_database};

fn run(place: &Place, args: &[&str]) -> Outcome {
    let mut command = place.ccc();
    command.args(args).env("CCC_BACKUP_ALLOWED_SIGNERS", "allowed");
    command.envs(crate::support::source::connection(unchanged_database()));
    Outcome::of(&command.output().unwrap())
}

const EXTRACT: [&str; 4] = ["extract", "a.sql.gz", "--table", "users"];

#[test]
fn each_command_takes_what_is_signed_and_refuses_what_is_not() {
    let place = Place::without_docker();
    signed(&place, "a.sql");
    signed(&place, "b.sql");
    let manifests = ["diff", "a.sql.gz.manifest.json", "b.sql.gz.manifest.json"];
    let rows = ["diff", "a.sql.gz", "b.sql.gz", "--table", "users"];
    let commands: [(&[&str], i32, i32); 6] = [
        (&EXTRACT, 0, 1),
        (&["diff", "a.sql.gz", "b.sql.gz"], 0, 2),
        (&manifests, 0, 2),
        (&rows, 0, 2),
        (&["restore", "a.sql.gz", "--as", "it_signed", "--dry-run"], 0, 1),
        (&["restore", "a.sql.gz", "--table", "users", "--into-schema", "it_signed"], 0, 1),
    ];
    for (command, good, _) in &commands[..5] {
        let outcome = run(&place, command);
        assert_eq!(outcome.code, *good, "{command:?}: {outcome}");
    }
    key(&place, "stranger");
    for name in ["a.sql.gz", "b.sql.gz"] {
        keygen_sign(&place, "stranger", super::MANIFEST, &format!("{name}.manifest.json"));
    }
    for (command, _, bad) in commands {
        let outcome = run(&place, command);
        assert_eq!(outcome.code, bad, "{command:?}: {outcome}");
        assert!(format!("{outcome}").contains("the signer is not allowed"), "{outcome}");
        if command[0] == "extract" {
            assert_eq!(outcome.stdout, "");
        }
    }
}

#[test]
fn a_part_of_a_backup_is_taken_only_where_all_of_it_is_what_was_signed() {
    let place = Place::without_docker();
    signed(&place, "a.sql");
    let path = place.dir().join("a.sql.gz");
    let mut bytes = std::fs::read(&path).unwrap();
    // The time in the head of the last gzip member: it unpacks as before, and every row is there.
    let last = bytes.windows(3).rposition(|window| window == [0x1f, 0x8b, 8]).unwrap();
    bytes[last + 4] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let outcome = run(&place, &EXTRACT);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""), "{outcome}");
    outcome.blames("is not what was signed: its checksum is not the manifest's").hints("");
    let of_rows = run(&place, &["diff", "a.sql.gz", "a.sql.gz", "--table", "users"]);
    assert_eq!(of_rows.code, 2, "{of_rows}");
    let table = ["restore", "a.sql.gz", "--table", "users", "--into-schema", "it_signed"];
    assert_eq!(run(&place, &table).code, 1);
    // Without anybody who may sign, the rows are held to the manifest, and are good.
    let output = place.ccc().args(EXTRACT).output().unwrap();
    assert!(output.status.success());
}

#[test]
fn restore_takes_no_roles_from_globals_that_are_not_signed() {
    let place = Place::without_docker();
    signed(&place, "a.sql");
    place.file("allowed", line(&place, "", "k").as_bytes());
    place.file("a.globals.sql", b"CREATE ROLE it_forged;\n");
    let args = ["restore", "a.sql.gz", "--as", "it_globals", "--dry-run", "--globals"];
    let outcome = run(&place, &args);
    // Where no role is missing, none is taken.
    assert!(
        outcome.code == 0 || format!("{outcome}").contains("is not named by the signed manifest"),
        "{outcome}"
    );
}
