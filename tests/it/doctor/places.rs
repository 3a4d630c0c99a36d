//! Places: directories and object storage, and what is on record there.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use super::{doctor, everything, looked};
use crate::support::faulty::{Fault, Faulty};
use crate::support::s3::{Who, seaweed};
use crate::support::{Place, good_dump, unchanged_database};

#[test]
fn directories_that_cannot_be_listed_or_written_are_broken() {
    let place = Place::without_docker();
    place.file("file", b"");
    place.file("locked/backup_20260114_020000.sql", good_dump());
    std::fs::set_permissions(place.dir().join("locked"), PermissionsExt::from_mode(0o555)).unwrap();
    let with = |dir: &str, more: &[&str]| {
        let mut command = place.ccc_without_privileges();
        command.args(["doctor", "--no-start", "--engine", "local", "--backup-dir", dir]);
        looked(&place, command.args(more).env("CCC_BACKUP_IMAGE", ""))
    };
    let file = with("file", &[]);
    file.ends(1).says("places.backups", "broken", "not a directory");
    let locked = with("locked", &["--spool", "locked", "--metrics-file", "nowhere/x.prom"]);
    locked.ends(1).says("places.backups", "broken", "ermission");
    locked.says("places.temporary", "broken", "ermission").says(
        "records.history",
        "broken",
        "cannot be written",
    );
    locked.says("records.metrics", "broken", "nowhere is not a directory");
    with("locked/nowhere", &[]).says("places.backups", "broken", "cannot be made in ");
    with("locked", &["--copy-to", "ftp://x"]).says("places.copies", "broken", "ftp:// is no place");
}

#[test]
fn what_is_left_of_runs_that_died_and_lines_that_cannot_be_read_are_remarks_and_stay() {
    let place = Place::without_docker();
    place.file("backups/.backup_20260114_020000.sql.gz.partial", b"x");
    place.file("backups/history.jsonl", b"{\"version\":1,\"work\":\"ver\n");
    let before = everything(place.dir());
    let found = looked(&place, &mut doctor(&place));
    found.ends(0).says("records.unfinished", "remark", "1 file left by runs that died");
    found.mends("records.unfinished", "ccc-backup cleanup");
    found.says("records.history", "remark", "1 damaged line");
    assert_eq!(everything(place.dir()), before);
    // Whoever writes it just now is waited for by nobody.
    let held = std::fs::File::options()
        .append(true)
        .open(place.dir().join("backups/history.jsonl"))
        .unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
    std::fs::remove_file(place.dir().join("backups/.backup_20260114_020000.sql.gz.partial"))
        .unwrap();
    (&held).write_all(b"").unwrap();
    looked(&place, &mut doctor(&place)).says(
        "records.history",
        "remark",
        "another run is writing it",
    );
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn a_place_is_tried_without_an_object_and_says_what_its_credentials_may() {
        let (place, server) = (Place::without_docker(), seaweed());
        let bucket = server.bucket();
        let url = format!("s3://{bucket}/p");
        let mut create = place.create(unchanged_database());
        let made = create.args(["--backup-dir", &url]).envs(server.environment()).output().unwrap();
        assert!(made.status.success());
        let before = (server.objects(&bucket), server.uploads(&bucket));
        let with = |who, endpoint: Option<String>| {
            let mut command = doctor(&place);
            command.args(["--copy-to", &url]).envs(server.environment_of(who));
            endpoint.into_iter().for_each(|endpoint| {
                command.env("AWS_ENDPOINT_URL", endpoint);
            });
            looked(&place, &mut command)
        };
        let owner = with(Who::Owner, None);
        owner.ends(0).says("places.copy_1", "works", "1 backup, the newest ");
        owner.says("places.copy_1", "works", "can be written to").says(
            "places.copy_1.clock",
            "works",
            "agrees",
        );
        let writer = with(Who::Writer, None);
        writer.ends(0).says("places.copy_1", "remark", "may not be listed; can be written to");
        with(Who::Reader, None).ends(1).says("places.copy_1", "broken", "");
        assert_eq!(
            (server.objects(&bucket), server.uploads(&bucket)),
            before,
            "nothing is left there"
        );

        let late =
            Faulty::to(server.port(), |_| Fault::Header("Date", "Tue, 14 Jan 2020 02:00:00 GMT"));
        let clock = with(Who::Owner, Some(late.endpoint()));
        clock.ends(1).says(
            "places.copy_1.clock",
            "broken",
            "ahead of the place's, which refuses it",
        );
        let nowhere = format!("s3://{bucket}-missing/p");
        let mut command = doctor(&place);
        command.args(["--backup-dir", &nowhere]).envs(server.environment());
        looked(&place, &mut command).ends(1).says("places.backups", "broken", "");
    }
}
