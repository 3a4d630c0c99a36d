//! Backups that go through pipes: standard input and output, and programs of storages that have nothing else. The program
//! is rclone, the storage a directory and an S3 server.

mod incoming;
mod outgoing;
mod stored;

use std::fs::DirEntry;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::process::Pid;

use crate::support::source::connection;
use crate::support::{
    BINARY, Database, Outcome, Place, clean_environment, database, good_dump, wait_until,
};

/// Runs a script by bash, with the binary as `$CCC` and the database that is meant, if any.
fn bash(place: &Place, database: Option<&Database>, script: &str) -> Output {
    let mut command = Command::new("bash");
    command.args(["-c", script]).current_dir(place.dir()).stdin(Stdio::null());
    command.env_clear().envs(clean_environment()).env("CCC", BINARY);
    command.envs(database.into_iter().flat_map(connection));
    command.output().unwrap()
}

/// The same, which has to succeed.
fn done(place: &Place, database: Option<&Database>, script: &str) -> Output {
    let output = bash(place, database, script);
    assert!(output.status.success(), "{script}: {output:?}");
    output
}

/// Verifies with these arguments.
fn verified(place: &Place, args: &[&str]) -> Outcome {
    place.outcome(&mut place.verify_with(args))
}

/// Verifies what comes on standard input.
fn verified_from(place: &Place, bytes: &[u8], args: &[&str]) -> Outcome {
    let mut verify = place.verify_with(&[&["-"][..], args].concat());
    place.outcome(verify.write_stdin(bytes))
}

/// A database whose backup is larger than what a pipe holds, also packed.
fn large() -> Database {
    let database = database();
    database.sql(
        "CREATE TABLE large AS SELECT i, md5(i::text) || md5((i * 7)::text) AS text
         FROM generate_series(1, 40000) i",
    );
    database
}

/// The hidden directories of private copies in a directory.
fn copies_in(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with(".ccc-backup-spool-")).collect()
}

/// A packed dump.
fn packed(place: &Place) -> Vec<u8> {
    place.file("good.sql", good_dump());
    done(place, None, "gzip -c good.sql").stdout
}

/// How a process was called; nothing where it is gone.
fn line_of(process: &Path) -> String {
    let line = std::fs::read(process.join("cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).replace('\0', " ")
}

/// The processes that have these words among their arguments, but for the binary, which has the command there, too.
fn at_work(words: &str) -> Vec<Pid> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let of = |process: &DirEntry| {
        let line = line_of(&process.path());
        line.contains(words) && !line.starts_with(BINARY)
    };
    let number = |process: DirEntry| Pid::from_raw(process.file_name().to_str()?.parse().ok()?);
    processes.filter(of).filter_map(number).collect()
}

/// Waits until a program runs that was called with these words. The shell that will call it has them, too, from its start.
fn wait_for(words: &str) {
    let is_it = |process: Pid| line_of(Path::new(&format!("/proc/{process}"))).starts_with(words);
    wait_until(words, || at_work(words).into_iter().any(is_it));
}

/// Waits until nothing is left of it: what is killed may still be on its way out when the run has ended.
fn wait_for_the_end_of(words: &str) {
    wait_until(words, || at_work(words).is_empty());
}
