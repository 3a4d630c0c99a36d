//! The day on which the directory burns, and the first bucket's provider with it: the last copy, sealed and signed,
//! brings production back. Where somebody changed that copy, it does not.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::Bucket;
use crate::restore::{command, databases};
use crate::sealed;
use crate::signing;
use crate::support::s3::{another_seaweed, seaweed};
use crate::support::source::{client, source};
use crate::support::{Database, Outcome, Place, database};

/// How long a client may take to write a row.
const PATIENCE: Duration = Duration::from_secs(60);

/// Production, and where its backups are.
struct GameDay {
    place: Place,
    production: Database,
    near: Bucket,
    far: Bucket,
}

impl GameDay {
    /// A backup of production, signed and sealed, with its roles, in a directory and two copies of it.
    fn begun() -> Self {
        let (place, production) = (Place::without_docker(), database());
        let (near, far) = (Bucket::of(another_seaweed()), Bucket::of(seaweed()));
        production.sql("CREATE TABLE visits (at timestamptz DEFAULT clock_timestamp())");
        signing::key(&place, "signer");
        place.file("allowed", signing::line(&place, "", "signer").as_bytes());
        let day = Self { place, production, near, far };
        let recipient = sealed::key(&day.place, "identity");
        let mut create = day.place.create(&day.production);
        create.args(["--globals", "--encrypt-to", &recipient, "--sign-key", "signer"]);
        create.args(["--copy-to", &day.near.url(), "--copy-to", &day.far.url()]);
        let made = day.run(&mut create);
        assert_eq!((made.code, made.stderr.as_str()), (0, ""), "{made}");
        for bucket in [&day.near, &day.far] {
            assert_eq!(bucket.names().len(), 4, "backup, manifest, signature, roles: {made}");
        }
        day
    }

    /// Runs a command that knows the keys of both buckets.
    fn run(&self, command: &mut assert_cmd::Command) -> Outcome {
        command.envs(self.near.own_environment()).envs(self.far.own_environment());
        self.place.outcome(command)
    }

    /// The directory is gone, and the provider of the first bucket.
    fn burn(&self) {
        std::fs::remove_dir_all(self.place.dir().join("backups")).unwrap();
        self.near.server.destroy();
    }

    /// Somebody's mistake in production.
    fn damage(&self) {
        let count = |table: &str| self.production.sql(&format!("SELECT count(*) FROM {table}"));
        assert!(count("comments") != "0" && count("artifact_tags") != "0");
        self.production.sql(
            "UPDATE comments SET parent_id = NULL; DELETE FROM comments WHERE id % 2 = 0;
             UPDATE users SET email = 'x' || email; DROP TABLE artifact_tags",
        );
    }

    /// `restore --latest --swap` from a place.
    fn restore(&self, from: &str) -> Outcome {
        let mut args = vec!["--latest", "--swap", "--yes", "--backup-dir", from];
        args.extend(["--identity", "identity", "--allowed-signers", "allowed"]);
        self.run(&mut command(&self.place, &self.production.name, &args))
    }

    /// The databases that stand beside production.
    fn beside(&self) -> Vec<String> {
        databases(&format!("{}_", self.production.name))
    }
}

/// How many rows each table of a database has, and their sum; but for what clients write all the while.
fn contents(database: &Database) -> String {
    database.sql(
        "SELECT oid::regclass, query_to_xml(format('SELECT count(*), md5(string_agg(t::text, '','' ORDER BY t::text)) \
         FROM %s t', oid::regclass), true, true, '') FROM pg_class WHERE relkind = 'r' AND relname <> 'visits' \
         AND relnamespace = 'public'::regnamespace ORDER BY relname",
    )
}

/// A client that writes, and comes back when its session is ended.
fn use_it(database: &str, is_over: &AtomicBool) {
    while !is_over.load(Ordering::Relaxed) {
        let visit = "INSERT INTO visits DEFAULT VALUES; SELECT pg_sleep(0.3)";
        let mut psql = Command::new(client("psql"));
        psql.args(["-Xqd", database, "-c", visit]).envs(source().libpq());
        psql.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    }
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn the_last_copy_brings_production_back_when_the_directory_and_the_first_provider_are_gone() {
        let day = GameDay::begun();
        let visits = || day.production.sql("SELECT count(*) FROM visits").parse::<u64>().unwrap();
        let is_written = |more_than: u64| {
            let begun = Instant::now();
            while visits() <= more_than {
                assert!(begun.elapsed() < PATIENCE, "no client writes");
                std::thread::sleep(Duration::from_millis(50));
            }
        };
        let had = contents(&day.production);
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| use_it(&day.production.name, &is_over));
            // Whatever fails, the client ends.
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                is_written(0);
                day.damage();
                let damaged = contents(&day.production);
                assert_ne!(damaged, had);
                day.burn();
                let gone = day.restore(&day.near.url());
                assert_eq!(gone.code, 2, "{gone}");
                assert_eq!(contents(&day.production), damaged, "{gone}");
                let restored = day.restore(&day.far.url());
                restored.restored(&day.production.name);
                assert_eq!(contents(&day.production), had, "{restored}");
                // What it was is kept, and clients are back.
                let [before] = day.beside().try_into().unwrap();
                assert!(before.contains("_before_"), "{before}");
                assert_eq!(contents(&Database { name: before }), damaged);
                is_written(visits());
            }));
            is_over.store(true, Ordering::Relaxed);
            outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        });
    }

    #[test]
    fn a_last_copy_that_somebody_changed_is_refused_and_production_is_not_touched() {
        let day = GameDay::begun();
        day.damage();
        day.burn();
        let damaged = contents(&day.production);
        let names = day.far.names();
        let backup = names.iter().find(|name| name.ends_with(".sql.gz.age")).unwrap();
        let bytes = day.far.server.get(&day.far.name, backup);
        for at in [0, bytes.len() / 2, bytes.len() - 1] {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            day.far.server.put(&day.far.name, backup, &changed);
            let refused = day.restore(&day.far.url());
            assert_eq!(refused.code, 1, "byte {at}: {refused}");
            assert_eq!(
                (contents(&day.production), day.beside()),
                (damaged.clone(), vec![]),
                "{at}"
            );
        }
        // It was nothing but that.
        day.far.server.put(&day.far.name, backup, &bytes);
        let refused = day.restore(&day.far.url());
        refused.restored(&day.production.name);
    }
}
