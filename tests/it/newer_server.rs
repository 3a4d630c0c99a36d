//! A server that is newer than this machine's client tools, as PostgreSQL 17 is for 15: `create` takes
//! pg_dump from a container, and `verify` restores into the version that the backup came from.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::docker::{docker, docker_text};
use crate::support::source::{client, free_port};
use crate::support::{Outcome, Place, text};

const MAJOR: u32 = 17;
/// Awkward in a shell, a URL and a connection string.
const PASSWORD: &str = "it's a \"pass\" word\\ $HOME %41 ü";
const IMAGES: [&str; 2] = ["postgres:17", "ccc-backup/postgres:17"];
const OWN: &[u8] = b"[checks]\ntables = [\"things\"]\nmigrations = \"none\"\n";

/// A server of that version in a container, with a database.
struct Newer {
    name: String,
    port: u16,
}

impl Newer {
    fn start() -> Self {
        let here = |image: &&str| docker(&["image", "inspect", image]).status.success();
        let image = IMAGES.into_iter().find(here);
        let image =
            image.unwrap_or_else(|| panic!("no image of PostgreSQL 17: infra/setup.sh gets one"));
        let (name, port) = (format!("ccc-newer-{}", std::process::id()), free_port());
        let password = format!("POSTGRES_PASSWORD={PASSWORD}");
        let auth = "POSTGRES_INITDB_ARGS=--auth-host=scram-sha-256";
        let at = port.to_string();
        let mut args = vec!["run", "--detach", "--rm", "--name", &name, "--network=host"];
        args.extend([
            "--env",
            &password,
            "--env",
            auth,
            image,
            "-c",
            "listen_addresses=127.0.0.1",
            "-p",
            &at,
        ]);
        docker_text(&args);
        let newer = Self { name, port };
        let patience = Instant::now() + Duration::from_secs(60);
        while !newer.psql("SELECT 1").status.success() {
            assert!(Instant::now() < patience, "PostgreSQL 17 did not start");
            std::thread::sleep(Duration::from_millis(200));
        }
        let made = newer.psql(
            "CREATE TABLE things (id int PRIMARY KEY, thing text NOT NULL);
             INSERT INTO things SELECT n, 'thing ' || n FROM generate_series(1, 5000) n;
             CREATE MATERIALIZED VIEW many AS SELECT count(*) FROM things;",
        );
        assert!(made.status.success(), "{}", text(&made.stderr));
        newer
    }

    fn psql(&self, sql: &str) -> std::process::Output {
        let mut psql = Command::new(client("psql"));
        psql.args(["-Xqv", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "postgres", "-c", sql]);
        psql.args(["-p", &self.port.to_string()]).env("PGPASSWORD", PASSWORD).output().unwrap()
    }

    fn create(&self, place: &Place, args: &[&str]) -> Outcome {
        let mut command = place.ccc();
        let port = self.port.to_string();
        command.args(["create", "--host=127.0.0.1", "--dbname=postgres", "--port", &port]);
        command.args(args).env("DB_PASSWORD", PASSWORD);
        place.outcome(&mut command)
    }
}

impl Drop for Newer {
    fn drop(&mut self) {
        docker(&["rm", "--force", "--volumes", &self.name]);
    }
}

#[test]
fn create_takes_pg_dump_from_a_container_and_verify_the_servers_version() {
    let newer = Newer::start();
    for name in ["a.sql.gz", "a.dump", "a.dir"] {
        let place = Place::new();
        place.file("ccc-backup.toml", OWN);
        let made = newer.create(&place, &[name]);
        assert_eq!(made.code, 0, "{made}");
        let said = "is older than the server, which is PostgreSQL 17";
        assert!(made.stderr.contains(said) && made.stderr.contains("in a container of"), "{made}");
        let manifest = place.dir().join(format!("{name}.manifest.json"));
        let manifest = std::fs::read_to_string(manifest).unwrap();
        let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
        let version = manifest["pg_dump"]["version"].as_str().unwrap();
        assert!(version.starts_with("17."), "{version}");
        let outcome = place.outcome(place.verify().arg(name));
        outcome.passed().says(&format!("Starting PostgreSQL {MAJOR} container..."));
        assert!(outcome.stdout.contains("✓ Contents match the backup (1 table)"), "{outcome}");
    }
    older_server_takes_what_a_newer_pg_dump_wrote(&newer);
    a_pg_dump_that_was_named_is_taken(&newer);
    a_wrong_password_is_said_to_be_one(&newer);
}

fn older_server_takes_what_a_newer_pg_dump_wrote(newer: &Newer) {
    let place = Place::new();
    place.file("ccc-backup.toml", OWN);
    assert_eq!(newer.create(&place, &["a.sql.gz"]).code, 0);
    let outcome = place.outcome(place.verify().args(["a.sql.gz", "--postgres-version", "15"]));
    outcome.passed().says("Starting PostgreSQL 15 container...");
    outcome.says("(1 harmless error passed over)");
}

fn a_pg_dump_that_was_named_is_taken(newer: &Newer) {
    let place = Place::new();
    let named = client("pg_dump");
    let outcome = newer.create(&place, &["a.sql.gz", "--pg-dump", named.to_str().unwrap()]);
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(outcome.stderr.contains("is older than the server"), "{outcome}");
}

fn a_wrong_password_is_said_to_be_one(newer: &Newer) {
    let place = Place::new();
    let mut command = place.ccc();
    let port = newer.port.to_string();
    command.args(["create", "--host=127.0.0.1", "--dbname=postgres", "--port", &port]);
    let outcome = place.outcome(command.env("DB_PASSWORD", "wrong"));
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(outcome.stderr.contains("does not accept the user or the password"), "{outcome}");
}
