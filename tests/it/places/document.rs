//! The three copies of docs/places.md, made by its commands, in the buckets of two different servers with keys of their own; and the day on which two of them are gone.

use super::Bucket;
use crate::support::s3::{rclone, seaweed};
use crate::support::source::{connection, source};
use crate::support::{BINARY, Outcome, Place, clean_environment, database, repository, text};

/// The lines of the block of that section.
fn commands() -> Vec<String> {
    let document = std::fs::read_to_string(repository("docs/places.md")).unwrap();
    let section = document.split("## Three copies").nth(1).unwrap();
    let block = section.split("```bash\n").nth(1).unwrap().split("```").next().unwrap();
    block.lines().map(str::to_owned).collect()
}

#[test]
fn three_copies_are_made_by_ten_commands_and_the_last_one_brings_all_back() {
    let (place, database) = (Place::new(), database());
    let (near, far) = (Bucket::of(rclone()), Bucket::of(seaweed()));
    std::os::unix::fs::symlink(BINARY, place.dir().join("ccc-backup")).unwrap();
    let restored = format!("restored_{}", std::process::id());
    let run = |command: &str| {
        let verify = format!("verify --port 0 --container-name {}", place.container);
        let line = command
            .replace("s3://near", &format!("s3://{}", near.name))
            .replace("s3://far", &format!("s3://{}", far.name))
            .replace("ccc-backup verify", &format!("ccc-backup {verify}"))
            .replace("restored_ccc", &restored);
        let mut shell = std::process::Command::new("bash");
        shell.args(["-euo", "pipefail", "-c", &line]).current_dir(place.dir()).env_clear();
        shell.envs(clean_environment()).envs(connection(&database)).envs(source().libpq());
        shell.envs(near.own_environment()).envs(far.own_environment());
        let path = clean_environment().find(|(name, _)| *name == "PATH").unwrap().1;
        shell.env("PATH", format!("{}:{path}", place.dir().display()));
        let outcome = Outcome::of(&shell.output().unwrap());
        assert_eq!(outcome.code, 0, "{line}: {outcome}");
        outcome
    };
    let commands = commands();
    assert_eq!(commands.len(), 10);
    for command in &commands[..3] {
        let outcome = run(command);
        if command.contains(" list ") {
            assert!(outcome.stdout.contains("3, proven 0"), "{outcome}");
        }
    }
    commands[3..8].iter().for_each(|command| drop(run(command)));
    let list = run(&commands[2]);
    assert!(list.stdout.contains("3, proven 3"), "{list}");
    // The fire.
    std::fs::remove_dir_all(place.dir().join("backups")).unwrap();
    for name in near.names() {
        near.server.remove(&near.name, &name);
    }
    commands[8..].iter().for_each(|command| drop(run(command)));
    let count = |name: &str| {
        let args = ["-XqAt", "-d", name, "-c", "SELECT count(*) FROM users"];
        text(&source().client("psql", &args)).trim().to_owned()
    };
    assert_eq!(count(&restored), database.sql("SELECT count(*) FROM users").trim());
    source().client("psql", &["-Xqc", &format!("DROP DATABASE \"{restored}\"")]);
}
