//! `create` to a place that is cut short at any instant, while several parts are on their way. What is left of one that
//! was killed looks like no backup, and a clean-up removes it a day later; one that was interrupted leaves nothing.

use std::time::{Duration, Instant};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Bucket, bulky, succeeded};
use crate::support::faulty::{Fault, Faulty};
use crate::support::s3::seaweed;
use crate::support::source::connection;
use crate::support::{Database, Outcome, Place, Running, length};

/// The formats, and what the name of a backup of each ends with.
const FORMATS: [(&str, &str); 3] = [("plain", ".sql"), ("custom", ".dump"), ("directory", ".dir")];
/// How long a request may take to come: a hang ends here.
const PATIENCE: Duration = Duration::from_secs(120);

/// A way on which parts take a while, so that several are on theirs at once.
pub(super) fn slow(bucket: &Bucket) -> Faulty {
    Faulty::to(bucket.server.port(), |request| {
        let is_part = request.path.contains("partNumber=");
        if is_part { Fault::Delay(Duration::from_millis(300)) } else { Fault::None }
    })
}

/// Instants to cut a run short at, of one that makes so many requests: when so many have come, and a moment later.
pub(super) fn instants(count: u32, requests: usize) -> impl Iterator<Item = (usize, Duration)> {
    (1..=count).map(move |n| {
        let come = (requests * n as usize).div_ceil(count as usize);
        (come, Duration::from_millis(u64::from(n * 37 % 50)))
    })
}

/// Waits for such an instant, or for the end of the run.
pub(super) fn wait_for(run: &mut Running, way: &Faulty, (requests, moment): (usize, Duration)) {
    let begun = Instant::now();
    while way.come().len() < requests && !run.has_ended() {
        assert!(begun.elapsed() < PATIENCE, "no request {requests}: {:?}", way.come());
        std::thread::sleep(Duration::from_millis(2));
    }
    std::thread::sleep(moment);
}

/// A way on which it takes a while to take back what was sent.
pub(super) fn taking_its_time(bucket: &Bucket) -> Faulty {
    Faulty::to(bucket.server.port(), |request| match &*request.verb {
        "DELETE" => Fault::Delay(Duration::from_secs(3)),
        _ if request.path.contains("partNumber=2") => Fault::Delay(Duration::from_secs(2)),
        _ => Fault::None,
    })
}

/// Waits until the second part of an upload is on its way.
pub(super) fn wait_for_second_part(way: &Faulty) {
    let begun = Instant::now();
    while !way.come().iter().any(|request| request.path.contains("partNumber=2")) {
        assert!(begun.elapsed() < PATIENCE, "no second part: {:?}", way.come());
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Backups of one format that are made in a bucket of their own.
struct Making<'a> {
    place: &'a Place,
    database: &'a Database,
    bucket: Bucket,
    format: &'static str,
    ending: &'static str,
}

impl Making<'_> {
    /// The name of a backup, as `create` gives them.
    fn name(&self, number: u32) -> String {
        format!("backup_20260101_00{:02}{:02}{}", number / 60, number % 60, self.ending)
    }

    fn begin(&self, number: u32, way: &Faulty) -> Running {
        let url = format!("{}/{}", self.bucket.url(), self.name(number));
        let args = ["create", &url, "--format", self.format, "--compress", "none", "--globals"];
        let environment = connection(self.database).into_iter().chain(self.bucket.by(way));
        Running::start_with(self.place, &args, environment)
    }

    /// Makes one undisturbed, and says how many requests that takes.
    fn requests(&self, number: u32) -> usize {
        let way = slow(&self.bucket);
        let (made, _) = self.begin(number, &way).end();
        succeeded(&made);
        assert!(self.is_there(number), "{made}");
        way.come().len()
    }

    /// What is there, and which uploads are under way.
    fn left(&self) -> (Vec<String>, Vec<String>) {
        (self.bucket.names(), self.bucket.server.uploads(&self.bucket.name))
    }

    /// Whether there is a backup of this number. It is whole then.
    fn is_there(&self, number: u32) -> bool {
        let (names, name) = (self.bucket.names(), self.name(number));
        let get = |name: &str| self.bucket.server.get(&self.bucket.name, &format!("p/{name}"));
        let manifest = format!("{name}.manifest.json");
        if !names.contains(&format!("p/{manifest}")) {
            return false;
        }
        let manifest: Value = serde_json::from_slice(&get(&manifest)).unwrap();
        let files = manifest["files"].as_array().unwrap().iter();
        for file in files.chain([&manifest["globals"]]) {
            let file_name = file["name"].as_str().unwrap();
            let within = format!("{name}/{file_name}");
            let is_within = names.contains(&format!("p/{within}"));
            let bytes = get(if is_within { &within } else { file_name });
            let digest = hex::encode(Sha256::digest(bytes));
            assert_eq!(file["sha256"], digest.as_str(), "{file_name} of {name}");
        }
        true
    }

    /// Nothing looks like a backup, unless it is one. Of that, the mark is removed.
    fn assert_no_half(&self, number: u32) {
        let (is_there, name) = (self.is_there(number), self.name(number));
        let below = self.bucket.url();
        let list = self.bucket.run(self.place, &["list", "--backup-dir", &below]);
        succeeded(&list);
        assert_eq!(list.stdout.contains(&name), is_there, "{list}");
        assert_eq!(list.stdout.contains("backup_2026"), is_there, "{list}");
        if is_there {
            let mark = format!("p/{name}.manifest.json");
            self.bucket.server.remove(&self.bucket.name, &mark);
        }
        let newest = self.bucket.verify(self.place, &["--latest", "--backup-dir", &below]);
        newest.not_verified("No backup found in");
    }

    /// Cleans up, by this way.
    fn clean(&self, way: &Faulty) {
        let below = self.bucket.url();
        let mut command = self.place.ccc();
        command.args(["cleanup", "--older-than", "1d", "--backup-dir", &below]);
        let cleaned = Outcome::of(&command.envs(self.bucket.by(way)).output().unwrap());
        succeeded(&cleaned);
    }
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn what_a_killed_create_leaves_in_a_place_looks_like_no_backup_and_goes_a_day_later() {
        let (place, database) = (Place::without_docker(), bulky("killed_in_a_place", 20));
        for (format, ending) in FORMATS {
            let (place, bucket) = (&place, Bucket::of(seaweed()));
            let making = Making { place, database: &database, bucket, format, ending };
            let requests = making.requests(0);
            making.assert_no_half(0);
            for (number, instant) in (1..).zip(instants(length(5, 60), requests)) {
                let way = slow(&making.bucket);
                let mut run = making.begin(number, &way);
                wait_for(&mut run, &way, instant);
                run.kill();
                way.settle();
                making.assert_no_half(number);
            }
            let left = making.left();
            assert!(
                !left.0.is_empty() && !left.1.is_empty(),
                "{format}: nothing was cut: {left:?}"
            );
            // What is younger than a day may still be written.
            making.clean(&Faulty::passing(making.bucket.server.port()));
            assert_eq!(making.left(), left, "{format}");
            making.clean(&making.bucket.later());
            assert_eq!(making.left(), (vec![], vec![]), "{format}");
        }
    }

    #[test]
    fn a_create_that_is_interrupted_at_any_instant_leaves_nothing_in_a_place() {
        let (place, database) = (Place::without_docker(), bulky("interrupted_in_a_place", 20));
        for (format, ending) in FORMATS {
            let (place, bucket) = (&place, Bucket::of(seaweed()));
            let making = Making { place, database: &database, bucket, format, ending };
            let (requests, mut interrupted) = (making.requests(0), 0);
            for (number, instant) in (1..).zip(instants(length(5, 60), requests)) {
                making.bucket.empty();
                let way = slow(&making.bucket);
                let mut run = making.begin(number, &way);
                wait_for(&mut run, &way, instant);
                run.interrupt();
                let (outcome, _) = run.end();
                way.settle();
                if outcome.code == 0 {
                    assert!(making.is_there(number), "{format}: {outcome}");
                    continue;
                }
                assert_eq!(outcome.code, 2, "{format} after {instant:?}: {outcome}");
                assert_eq!(
                    making.left(),
                    (vec![], vec![]),
                    "{format} after {instant:?}: {outcome}"
                );
                interrupted += 1;
            }
            assert!(interrupted > 1, "{format}: nothing was interrupted");
        }
    }

    #[test]
    fn what_was_sent_is_taken_back_also_where_the_server_takes_its_time() {
        let (place, database) = (Place::without_docker(), bulky("taken_back", 20));
        for (format, ending) in FORMATS {
            let (place, bucket) = (&place, Bucket::of(seaweed()));
            let making = Making { place, database: &database, bucket, format, ending };
            let way = taking_its_time(&making.bucket);
            let mut run = making.begin(1, &way);
            wait_for_second_part(&way);
            run.interrupt();
            let (outcome, _) = run.end();
            assert_eq!(outcome.code, 2, "{format}: {outcome}");
            assert_eq!(making.left(), (vec![], vec![]), "{format}: {outcome}");
        }
    }
}
