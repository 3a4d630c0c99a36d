//! Encrypted backups: made, opened with the right key and with nothing else, damaged, and silent to a thief.

mod bad_keys;
mod broken;
mod by_command;
mod document;
mod keys;
mod opened;
mod secrets;
mod silent;
mod table;
mod unlucky;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{Outcome, Place, created};

/// The formats that can be sealed, with what `create` calls a backup of each.
const FORMATS: [(&str, &str); 3] =
    [("plain", "a.sql.gz.age"), ("custom", "a.dump.age"), ("directory", "a.dir.age")];

/// Makes an identity in a place, and gives its recipient.
pub fn key(place: &Place, name: &str) -> String {
    let outcome = Outcome::of(&place.ccc().args(["keys", "new", name]).output().unwrap());
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{outcome}");
    let words = outcome.stdout.split_whitespace();
    words.map(str::to_owned).find(|word| word.starts_with("age1")).unwrap()
}

/// `verify` with these arguments.
fn verified(place: &Place, args: &[&str]) -> Outcome {
    place.outcome(place.verify().args(args))
}

/// What a command of the shell writes, which must succeed.
#[track_caller]
fn shell(place: &Place, script: &str) -> Vec<u8> {
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", script]).current_dir(place.dir());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// These bytes, sealed by age itself.
fn sealed_by_age(place: &Place, recipient: &str, bytes: &[u8]) -> Vec<u8> {
    let mut age = Command::new("age");
    age.args(["--encrypt", "-r", recipient]).current_dir(place.dir());
    let mut age = age.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut stdin, bytes) = (age.stdin.take().unwrap(), bytes.to_vec());
    let writing = std::thread::spawn(move || stdin.write_all(&bytes).unwrap());
    let output = age.wait_with_output().unwrap();
    writing.join().unwrap();
    assert!(output.status.success());
    output.stdout
}

/// All files below a directory.
fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}
