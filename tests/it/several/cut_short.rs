//! A run that is interrupted leaves what it has made, and nothing partial, and says what it did not come to.

use rustix::process::Signal;

use super::{backups, report};
use crate::support::source::connection;
use crate::support::{Place, Running, SOON, database};

#[test]
fn what_was_made_stays_and_what_was_not_come_to_is_said() {
    let (place, first, held, last) = (Place::without_docker(), database(), database(), database());
    let text: String = [&first, &held, &last]
        .map(|it| format!("[[databases]]\nname = \"{}\"\n", it.name))
        .concat();
    place.file("ccc-backup.toml", text.as_bytes());
    let lock = held.locked();
    let mut command = std::process::Command::new(crate::support::BINARY);
    command.args(["create", "--report", "r.json"]).current_dir(place.dir()).env_clear();
    command.envs(crate::support::clean_environment()).envs(connection(&first));
    let mut run = Running::spawn(&mut command);
    held.wait_for_a_dump();
    run.signal(Signal::INT);
    let (outcome, took) = run.end();
    drop(lock);
    assert_eq!(outcome.code, 2, "{outcome}");
    assert!(took < SOON, "{took:?}");
    outcome.says(&format!("{}: not come to: interrupted by SIGINT", last.name));
    assert_eq!(backups(&place), [format!("_of_{}.sql.gz", first.name)]);
    assert!(!place.names("backups").iter().any(|name| name.ends_with(".partial")), "{outcome}");
    let states = report(&place, "r.json");
    let states: Vec<&str> = states["databases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["made", "not_made", "not_reached"]);
}
