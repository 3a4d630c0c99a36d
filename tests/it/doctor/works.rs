//! A set-up in which everything works.

use super::{doctor, everything, looked};
use crate::sealed;
use crate::signing;
use crate::support::receiver::Receiver;
use crate::support::source::connection;
use crate::support::{Place, unchanged_database};

/// A place in which everything is set up, and a backup is made.
fn set_up(receiver: &Receiver) -> Place {
    let place = Place::without_docker();
    let recipient = sealed::key(&place, "identity");
    signing::key(&place, "sign");
    place.file("allowed", signing::line(&place, "", "sign").as_bytes());
    let config = format!(
        "[encryption]\nrecipients = [\"{recipient}\"]\n[signing]\nkey = \"sign\"\nallowed_signers = \"allowed\"\n\
         [[copies]]\nplace = \"copies\"\n[notify.webhook]\nurl = \"{}\"\n",
        receiver.url("/s3cret")
    );
    place.file("ccc-backup.toml", config.as_bytes());
    let mut create = place.create(unchanged_database());
    let made = place.outcome(create.args(["--no-notify", "--metrics-file", "x.prom"]));
    assert_eq!((made.code, made.stderr.as_str()), (0, ""), "{made}");
    place
}

#[test]
fn all_of_a_set_up_that_works_is_said_to_work_and_is_as_it_was() {
    let receiver = Receiver::taking();
    let place = set_up(&receiver);
    let before = everything(place.dir());
    let mut command = place.ccc();
    command.args([
        "doctor",
        "--engine",
        "local",
        "--identity",
        "identity",
        "--metrics-file",
        "x.prom",
    ]);
    command.envs(connection(unchanged_database())).env("CCC_BACKUP_IMAGE", "");
    let looked = looked(&place, &mut command);
    looked.ends(0);
    for (id, words) in [
        ("configuration.file", "ccc-backup.toml"),
        ("tools.pg_dump", "15."),
        ("tools.psql", "15."),
        ("tools.pg_restore", "15."),
        ("tools.pg_dumpall", "15."),
        ("source.connection", "PostgreSQL 15."),
        ("source.pg_dump", "fits"),
        ("source.rights", "all tables can be read"),
        ("source.clock", "agrees with the server's"),
        ("sandbox.engine", "as --engine says"),
        ("sandbox.start", "and is gone"),
        ("sandbox.extensions", ""),
        ("places.backups", "1 backup, the newest "),
        ("places.backups.disk", " free"),
        ("places.copy_1", "1 backup, the newest "),
        ("places.temporary", " free"),
        ("keys.recipients", "sealed for age1"),
        ("keys.identities", "the backup and its manifest open"),
        ("keys.sign_key", "SHA256:"),
        ("keys.allowed_signers", "this key signs as "),
        ("notifications.target_1", "its host answers; nobody was told"),
        ("records.history", "it can be read and written"),
        ("records.unfinished", "nothing is left"),
        ("records.metrics", "x.prom"),
    ] {
        looked.says(id, "works", words);
    }
    assert_eq!(everything(place.dir()), before, "it is as it was");
    let received = receiver.received();
    assert!(received.iter().all(|it| (&*it.verb, &*it.path) == ("HEAD", "/")), "{received:?}");
    assert!(!looked.outcome.stdout.contains("s3cret"), "{}", looked.outcome);
}

#[test]
fn a_page_for_people_has_the_verdict_at_its_end_and_a_line_for_each_thing() {
    let receiver = Receiver::taking();
    let place = set_up(&receiver);
    let mut command = doctor(&place);
    let outcome = place
        .outcome(command.args(["--identity", "identity"]).envs(connection(unchanged_database())));
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{outcome}");
    outcome.says("✅ ALL THAT IS SET UP WORKS").says("Source database");
    let headings = [
        "Configuration",
        "Tools",
        "Source database",
        "Throwaway server",
        "Places",
        "Keys",
        "Notifications",
    ];
    let places: Vec<usize> = headings
        .iter()
        .map(|heading| outcome.stdout.find(&format!("\n{heading}\n")).unwrap())
        .collect();
    assert!(places.is_sorted(), "{outcome}");
    // What was found stands one below the other.
    let tools = outcome.stdout.lines().filter(|line| line.contains("15.18, /"));
    let columns: Vec<usize> = tools.map(|line| line.find("15.18").unwrap()).collect();
    assert!(columns.len() == 4 && columns.iter().all(|at| *at == columns[0]), "{outcome}");
    let quiet = place.outcome(
        doctor(&place)
            .args(["--quiet", "--identity", "identity"])
            .envs(connection(unchanged_database())),
    );
    assert_eq!(
        (quiet.code, quiet.stdout.as_str()),
        (0, "✅ ALL THAT IS SET UP WORKS\n"),
        "{quiet}"
    );
}

#[test]
fn where_nothing_is_set_up_nothing_is_missed() {
    let place = Place::without_docker();
    let looked = looked(&place, &mut doctor(&place));
    looked.ends(0);
    for id in [
        "configuration.file",
        "source.connection",
        "places.backups",
        "keys.recipients",
        "keys.identities",
        "keys.sign_key",
        "keys.allowed_signers",
        "notifications.none",
        "records.history",
        "records.metrics",
    ] {
        looked.says(id, "not_set_up", "");
    }
    looked.says("sandbox.start", "not_tried", "--no-start");
    assert_eq!(place.names("."), Vec::<String>::new());
}
