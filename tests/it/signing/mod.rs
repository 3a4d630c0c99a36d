//! Signatures by keys of OpenSSH, with the real ssh-keygen and ssh-agent.

mod agent;
mod checking;
mod document;
mod forged;
mod keys;
mod listing;
mod making;
mod reports;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support::{Outcome, Place, text, unchanged_database};

/// What the manifest is signed as.
const MANIFEST: &str = "ccc-backup-manifest";
/// Who signs in the tests.
const WHO: &str = "backup@example.org";
/// The passphrase of keys that have one.
const PASSPHRASE: &str = "correct horse 'battery' $taple";

/// Makes a key `name`, with `name.pub` beside it.
fn make_key(place: &Place, name: &str, kind: &str, passphrase: &str) -> PathBuf {
    let path = place.dir().join(name);
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", kind, "-a", "1", "-N", passphrase, "-C", "the night job", "-f"]);
    assert!(command.arg(&path).status().unwrap().success());
    path
}

/// An ed25519 key without a passphrase.
pub fn key(place: &Place, name: &str) -> PathBuf {
    make_key(place, name, "ed25519", "")
}

/// A line of allowed signers for a key, with these options.
pub fn line(place: &Place, options: &str, key: &str) -> String {
    let key = std::fs::read_to_string(place.dir().join(format!("{key}.pub"))).unwrap();
    format!("{WHO} {options} {key}")
}

/// `ssh-keygen -Y verify` of a file whose signature lies beside it.
pub fn keygen_verify(place: &Place, file: &str, namespace: &str, more: &[&str]) -> Output {
    let mut command = Command::new("ssh-keygen");
    command.args(["-Y", "verify", "-f", "allowed", "-I", WHO, "-n", namespace]);
    command.args(["-s", &format!("{file}.sig")]).args(more).current_dir(place.dir());
    command.stdin(std::fs::File::open(place.dir().join(file)).unwrap());
    command.output().unwrap()
}

/// `ssh-keygen -Y sign` of a file.
fn keygen_sign(place: &Place, key: &str, namespace: &str, file: &str) {
    let _ = std::fs::remove_file(place.dir().join(format!("{file}.sig")));
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-Y", "sign", "-n", namespace, "-f", key, file]).current_dir(place.dir());
    assert!(command.stderr(Stdio::null()).status().unwrap().success());
}

/// The fingerprint of a key, as ssh-keygen shows it.
fn fingerprint(key: &Path) -> String {
    let listed = Command::new("ssh-keygen").arg("-lf").arg(key).output().unwrap();
    text(&listed.stdout).split(' ').nth(1).unwrap().to_owned()
}

/// Makes a backup, with these arguments and variables; whatever comes of it.
fn create(place: &Place, args: &[&str], environment: &[(&str, &str)]) -> Outcome {
    let mut command = place.create(unchanged_database());
    command.args(args).envs(environment.iter().copied());
    Outcome::of(&command.output().unwrap())
}

/// Makes a backup that is signed by the key `k`, which is allowed.
fn signed(place: &Place, name: &str) {
    if !place.dir().join("k").exists() {
        key(place, "k");
        place.file("allowed", line(place, "", "k").as_bytes());
    }
    let outcome = create(place, &[name, "--sign-key", "k"], &[]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{outcome}");
}

/// `verify` of a backup that has to be signed, which comes to an end before there is a server.
fn verified(place: &Place, backup: &str) -> Outcome {
    place.outcome(place.verify().args([backup, "--allowed-signers", "allowed"]))
}

/// What a run said, by some of its words.
trait Told {
    /// An error on stderr has these words.
    fn blames(&self, words: &str) -> &Self;
    /// Stdout has these words.
    fn tells(&self, words: &str) -> &Self;
}

impl Told for Outcome {
    #[track_caller]
    fn blames(&self, words: &str) -> &Self {
        let is_it = |line: &str| line.starts_with("error: ") && line.contains(words);
        let summary = self.stdout.rsplit("VERIFICATION SUMMARY").next().unwrap();
        assert!(
            self.stderr.lines().any(is_it) || summary.contains(words),
            "no error with {words:?}: {self}"
        );
        self
    }

    #[track_caller]
    fn tells(&self, words: &str) -> &Self {
        assert!(self.stdout.contains(words), "no {words:?}: {self}");
        self
    }
}
