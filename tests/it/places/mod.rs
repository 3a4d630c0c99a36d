//! Backups in object storage, in real servers: made there, listed, read by ranges, proven, thinned out, copied. SeaweedFS
//! holds to all of S3; rclone's server promises less.

mod copying;
mod creating;
mod cut_short;
mod cut_short_copies;
mod document;
mod faulty;
mod game_day;
mod keeping;
mod monitoring;
mod reading;
mod rights;
mod small_reads;
mod written;

use std::time::Duration;

use assert_cmd::Command;

use crate::support::faulty::{Fault, Faulty};
use crate::support::s3::{S3, seaweed};
use crate::support::source::source;
use crate::support::{Database, Outcome, Place, unchanged_database};

const TWO_DAYS: Duration = Duration::from_secs(2 * 24 * 3600);

/// The formats that can be streamed, and a name of each.
const FORMATS: [(&str, &str); 3] =
    [("plain", "a.sql.gz"), ("custom", "a.dump"), ("directory", "a.dir")];

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

    /// Removes all that lies there.
    fn empty(&self) {
        for (key, _) in self.server.objects(&self.name) {
            self.server.remove(&self.name, &key);
        }
    }

    /// The names of the runs on record.
    fn runs(&self) -> Vec<String> {
        let objects = self.server.objects(&self.name).into_iter();
        let runs = objects.filter_map(|(key, _)| Some(key.split_once("/history/")?.1.to_owned()));
        runs.collect()
    }

    /// The environment of a run that goes this way to the server.
    fn by(&self, way: &Faulty) -> Vec<(&'static str, String)> {
        let there = vec![("AWS_ENDPOINT_URL", way.endpoint())];
        [self.server.environment(), there].concat()
    }

    /// A way to the server on which all that lies there was written two days earlier.
    fn later(&self) -> Faulty {
        Faulty::to(self.server.port(), |request| {
            let is_list = request.verb == "GET";
            if is_list { Fault::Earlier(TWO_DAYS) } else { Fault::None }
        })
    }

    /// The environment of a run in which this bucket has variables of its own.
    fn own_environment(&self) -> Vec<(String, String)> {
        let suffix = self.name.to_uppercase().replace('-', "_");
        let variables = self.server.environment().into_iter();
        variables.map(|(name, value)| (format!("{name}_FOR_{suffix}"), value)).collect()
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

/// A place in which nothing can be put, nor asked for.
const DEAD: &str = "s3://dead/p";

/// The variables of that place: the server does not know its key.
fn dead() -> impl Iterator<Item = (String, String)> {
    seaweed().environment().into_iter().map(|(name, value)| {
        let value = if name == "AWS_SECRET_ACCESS_KEY" { "another".to_owned() } else { value };
        (format!("{name}_FOR_DEAD"), value)
    })
}

/// It succeeded, and there was nothing to say beside.
#[track_caller]
fn succeeded(outcome: &Outcome) {
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{outcome}");
}

/// A database with a table `bulk` of about so many megabytes, which packing does not make much smaller, and a small
/// table before it and after it.
fn bulky(name: &str, megabytes: u32) -> Database {
    let database = Database { name: format!("{name}_{}", std::process::id()) };
    source().client("createdb", &["--", &database.name]);
    let rows = megabytes * 600;
    database.sql(&format!(
        "CREATE TABLE almost AS SELECT n AS id, 'before ' || n AS text FROM generate_series(1, 500) n;
         CREATE TABLE bulk AS SELECT n AS id,
           (SELECT string_agg(encode(sha256((n * 40 + m)::text::bytea), 'base64'), '')
            FROM generate_series(1, 40) m) AS text FROM generate_series(1, {rows}) n;
         CREATE TABLE counted AS SELECT n AS id, 'after ' || n AS text FROM generate_series(1, 500) n"
    ));
    database
}
