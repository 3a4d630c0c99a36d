//! The session that the README shows: its commands are run, one after the other, and have to print what
//! stands there, but for numbers.

use std::process::Command;

use chrono::{Duration, Utc};

use crate::support::source::{connection, source};
use crate::support::{
    BINARY, Outcome, Place, clean_environment, defaults, repository, text, unchanged_database,
};

/// A command of the session and what it prints.
struct Step {
    command: String,
    printed: Vec<String>,
}

/// The steps of the README, which stand in blocks of `console`.
fn steps() -> Vec<Step> {
    let readme = std::fs::read_to_string(repository("README.md")).unwrap();
    let mut steps: Vec<Step> = Vec::new();
    for block in readme.split("\n```console\n").skip(1) {
        let (block, _) = block.split_once("\n```").unwrap();
        for line in block.lines() {
            match line.strip_prefix("$ ") {
                Some(command) => {
                    steps.push(Step { command: command.to_owned(), printed: Vec::new() });
                }
                None => steps.last_mut().unwrap().printed.push(line.to_owned()),
            }
        }
    }
    steps
}

/// A line without what differs from run to run: numbers and their units, checksums, the columns of
/// tables.
fn bare(line: &str) -> String {
    // The engine, and whether the image was pulled or built.
    if line.trim_start().starts_with("docker at ") {
        return "docker at".to_owned();
    }
    let line = match line.split_once("(sha256 ") {
        Some((before, _)) => format!("{before}(sha256)"),
        None => line.to_owned(),
    };
    let mut bare = String::new();
    for word in line.split_whitespace() {
        let mut word = word.to_owned();
        for digit in '0'..='9' {
            word = word.replace(digit, "0");
        }
        for (from, to) in [("0,0", "00"), ("0.0", "00"), ("00", "0"), ("KiB", "MiB")] {
            while word.contains(from) {
                word = word.replace(from, to);
            }
        }
        bare.push_str(&word);
        bare.push(' ');
    }
    bare
}

#[test]
fn the_session_of_the_readme_prints_what_stands_there() {
    let _alone = defaults();
    let (place, database) = (Place::without_docker(), unchanged_database());
    let aged = |days: i64| (Utc::now() - Duration::days(days)).format("%Y%m%d_%H%M%S");
    let older: Vec<String> =
        [69, 43].map(|days| format!("backups/backup_{}.sql", aged(days))).to_vec();
    for name in &older {
        let made = Outcome::of(&place.create(database).arg(name).output().unwrap());
        assert_eq!(made.code, 0, "{made}");
    }
    place.outcome(place.verify().arg(format!("{}.gz", older[1]))).passed();
    std::os::unix::fs::symlink(BINARY, place.dir().join("ccc-backup")).unwrap();

    let steps = steps();
    assert!(steps.len() >= 8, "{} steps", steps.len());
    let mut code = 0;
    let file = |said: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix("  File: ./backups/"));
        line.map(str::to_owned)
    };
    let shown = steps.iter().find_map(|step| file(&step.printed.join("\n"))).unwrap();
    let mut newest = String::new();
    for Step { command, printed } in steps {
        // The backup of the tests is smaller.
        let line = command.replace(&shown, &newest).replace("head -c 4000000", "head -c 200000");
        let mut shell = Command::new("sh");
        shell.env_clear().envs(clean_environment()).envs(connection(database));
        let path = std::env::var("PATH").unwrap();
        shell.env("PATH", format!("{}:{path}", place.dir().display()));
        shell.args(["-c", &format!("(exit {code}); {line}")]).current_dir(place.dir());
        let output = shell.output().unwrap();
        code = output.status.code().unwrap();
        assert_eq!(text(&output.stderr), "", "{command}");
        let said = text(&output.stdout)
            .replace(&format!("127.0.0.1:{}", source().port), "localhost:5432")
            .replace(&database.name, "content_creation_crew");
        newest = file(&said).unwrap_or(newest);
        let bare = |lines: Vec<&str>| lines.into_iter().map(bare).collect::<Vec<_>>().join("\n");
        let expected = printed.iter().map(String::as_str).filter(|line| !line.is_empty()).collect();
        // Another test may have left something of a run that it killed, and has databases and roles on the server.
        let of_others = ["✓ Removed leftover", "Not in it: ", "· Not in the backup: "];
        let is_ours = |line: &&str| {
            !line.is_empty() && !of_others.iter().any(|of| line.trim_start().starts_with(of))
        };
        let found = said.lines().filter(is_ours).collect();
        assert_eq!(bare(found), bare(expected), "$ {command}\n{said}");
    }
    place.assert_nothing_left();
}
