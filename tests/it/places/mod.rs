//! Backups in object storage, in real servers: made there, listed, read by ranges, proven, thinned out, copied. SeaweedFS
//! holds to all of S3; rclone's server promises less.

mod copying;
mod creating;
mod document;
mod faulty;
mod keeping;
mod monitoring;
mod reading;
mod rights;
mod written;

use assert_cmd::Command;

use crate::support::s3::S3;
use crate::support::{Outcome, Place, unchanged_database};

/// A bucket of a server, with a prefix in it.
struct Bucket {
    server: &'static S3,
    name: String,
}

impl Bucket {
    fn of(server: &'static S3) -> Self {
        Self { server, name: server.bucket() }
    }

    /// The place in it.
    fn url(&self) -> String {
        format!("s3://{}/p", self.name)
    }

    /// What lies there, without the history.
    fn names(&self) -> Vec<String> {
        let objects = self.server.objects(&self.name).into_iter();
        objects.map(|(key, _)| key).filter(|key| !key.contains("/history/")).collect()
    }

    /// The names of the runs on record.
    fn runs(&self) -> Vec<String> {
        let objects = self.server.objects(&self.name).into_iter();
        let runs = objects.filter_map(|(key, _)| Some(key.split_once("/history/")?.1.to_owned()));
        runs.collect()
    }

    /// The binary, which finds the server by its environment.
    fn ccc(&self, place: &Place, args: &[&str]) -> Command {
        let mut command = place.ccc();
        command.args(args).envs(self.server.environment());
        command
    }

    /// The same, and what came of it.
    fn run(&self, place: &Place, args: &[&str]) -> Outcome {
        Outcome::of(&self.ccc(place, args).output().unwrap())
    }

    /// Runs `create` into the place, with these arguments beside it.
    fn create(&self, place: &Place, args: &[&str]) -> Outcome {
        let mut command = place.create(unchanged_database());
        command.args(["--backup-dir", &self.url()]).args(args).envs(self.server.environment());
        Outcome::of(&command.output().unwrap())
    }

    /// Runs `verify` with these arguments.
    fn verify(&self, place: &Place, args: &[&str]) -> Outcome {
        place.outcome(place.verify().args(args).envs(self.server.environment()))
    }
}

/// It succeeded, and there was nothing to say beside.
#[track_caller]
fn succeeded(outcome: &Outcome) {
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{outcome}");
}
