//! A dump restored twice into one server, by the binary and by psql, and what pg_dump says of both.

use std::process::{Command, Stdio};

use super::source::client;
use super::{Outcome, Place, docker, text};
use crate::sandbox::SWEEPING;

/// A kept sandbox.
struct Kept {
    environment: Vec<(&'static str, String)>,
}

/// Restores a backup by `verify` with these arguments, and its text by psql, and gives pg_dump's
/// words for both, in this order. The backup must be called good.
pub fn restored_twice(place: &Place, args: &[&str], sql: &[u8], dump_args: &[&str]) -> [String; 2] {
    let _unswept = SWEEPING.blocking_lock();
    let kept = Kept::of(place, args);
    kept.restore_by_psql(place, sql);
    let twins = ["restore_test", "by_psql"].map(|database| {
        let args = [&["-d", database][..], dump_args].concat();
        comparable(&kept.client("pg_dump", &args))
    });
    docker::remove(&docker::left(&place.container));
    twins
}

/// Verifies a backup with these arguments, which must be called good, and asks the restored database.
pub fn answer_of_restored(place: &Place, args: &[&str], query: &str) -> String {
    let _unswept = SWEEPING.blocking_lock();
    let kept = Kept::of(place, args);
    let answer = text(&kept.client("psql", &["-XqAtd", "restore_test", "-c", query]));
    docker::remove(&docker::left(&place.container));
    answer.trim().to_owned()
}

/// Fails where two texts differ, and shows the first difference.
#[track_caller]
pub fn assert_same(what: &str, [ours, theirs]: &[String; 2]) {
    let pairs = ours.lines().zip(theirs.lines()).enumerate();
    let differ = pairs.map(|(n, pair)| (n + 1, pair)).find(|(_, (ours, theirs))| ours != theirs);
    assert!(ours == theirs, "{what}: restored otherwise than by psql, the first line: {differ:?}");
}

/// What pg_dump wrote, without what differs between two dumps of the same.
fn comparable(dump: &[u8]) -> String {
    let mut comparable = String::new();
    for line in text(dump).split_inclusive('\n') {
        // The key is made anew for every dump.
        if line.starts_with("\\restrict ") || line.starts_with("\\unrestrict ") {
            continue;
        }
        // Servers from 15.20 on note of every column when it was made.
        match line.split_once("pg_attver=") {
            Some((before, after)) => {
                comparable.push_str(before);
                comparable.push_str(after.trim_start_matches(|c: char| c.is_ascii_digit()));
            }
            None => comparable.push_str(line),
        }
    }
    comparable
}

impl Kept {
    fn of(place: &Place, args: &[&str]) -> Self {
        let output = place.verify().args(args).arg("--no-cleanup").output().unwrap();
        let outcome = Outcome::of(&output);
        outcome.passed();
        let connect = outcome.stdout.lines().find_map(|line| line.trim().strip_prefix("Connect: "));
        let words: Vec<&str> = connect.unwrap().split(' ').collect();
        let after = |flag: &str| {
            let at = words.iter().position(|word| *word == flag).unwrap();
            words[at + 1].to_owned()
        };
        Self {
            environment: vec![
                ("PGHOST", after("-h")),
                ("PGPORT", after("-p")),
                ("PGUSER", after("-U")),
                ("PGPASSWORD", words[0].strip_prefix("PGPASSWORD=").unwrap().to_owned()),
            ],
        }
    }

    /// Restores a dump into a new database like the other. Its errors are not looked at: of what
    /// `--clean` drops, nothing is there.
    fn restore_by_psql(&self, place: &Place, sql: &[u8]) {
        let ask = "SELECT pg_encoding_to_char(encoding), datcollate, datctype FROM pg_database \
                   WHERE datname = current_database()";
        let like = text(&self.client("psql", &["-XqAtd", "restore_test", "-c", ask]));
        let [encoding, collate, ctype] =
            like.trim().split('|').collect::<Vec<_>>().try_into().unwrap();
        let create = ["--template", "template0", "--encoding", encoding, "--lc-collate", collate];
        self.client("createdb", &[&create[..], &["--lc-ctype", ctype, "by_psql"]].concat());
        let path = place.file("by_psql.sql", sql);
        self.client("psql", &["-Xqd", "by_psql", "-f", path.to_str().unwrap()]);
    }

    fn client(&self, program: &str, args: &[&str]) -> Vec<u8> {
        let mut command = Command::new(client(program));
        command.args(args).envs(self.environment.iter().cloned()).stdin(Stdio::null());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{program} {args:?}: {}", text(&output.stderr));
        output.stdout
    }
}
