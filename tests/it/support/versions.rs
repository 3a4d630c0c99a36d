//! Servers and client programs of every major version of PostgreSQL, out of images.

use std::process::Command;
use std::time::{Duration, Instant};

use super::docker::{docker, docker_text};
use super::source::{client, free_port};
use super::{Place, length, repository, text};

const PASSWORD: &str = "s3cret of a version";
/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// The versions that tests run with: those that infra/setup.sh gets, and at full length those of infra/postgres-versions.sh, none
/// of which may be missing.
pub fn majors() -> &'static [u32] {
    length(&[15, 17], &[13, 14, 15, 16, 17, 18, 19])
}

/// An image of a version. Fails where there is none, and names it.
pub fn image(major: u32) -> String {
    let names = ["ccc-backup/postgres", "postgres"].map(|name| format!("{name}:{major}"));
    let here = |image: &String| docker(&["image", "inspect", image]).status.success();
    let found = names.into_iter().find(here);
    found.unwrap_or_else(|| {
        panic!("no image of PostgreSQL {major}: infra/postgres-versions.sh gets one")
    })
}

/// A server of a version in a container of its own, which goes with this.
pub struct Server {
    /// Its major version.
    pub major: u32,
    name: String,
    port: u16,
}

impl Server {
    /// Starts one for this purpose.
    pub fn start(major: u32, purpose: &str) -> Self {
        let (name, port) =
            (format!("ccc-version-{major}-{purpose}-{}", std::process::id()), free_port());
        let server = Self { major, name, port };
        docker_text(&[
            "run",
            "--detach",
            "--rm",
            "--network=host",
            "--name",
            &server.name,
            "--env",
            &format!("POSTGRES_PASSWORD={PASSWORD}"),
            "--env",
            "POSTGRES_INITDB_ARGS=--auth-host=scram-sha-256",
            &image(major),
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "fsync=off",
            "-c",
            "unix_socket_directories=/var/run/postgresql,/tmp",
            "-p",
            &server.port.to_string(),
        ]);
        let begun = Instant::now();
        while !server.psql("postgres", "SELECT 1").status.success() {
            assert!(begun.elapsed() < PATIENCE, "PostgreSQL {major} did not start");
            std::thread::sleep(Duration::from_millis(200));
        }
        server
    }

    /// The same with the database `app`, which the application's own migrations and the seeder made.
    pub fn with_the_application(major: u32, purpose: &str) -> Self {
        let server = Self::start(major, purpose);
        let mut make = Command::new(repository("tests/fixtures/make-database.sh"));
        let output = make.args(["app", "0.001"]).envs(server.libpq()).output().unwrap();
        assert!(output.status.success(), "PostgreSQL {major}: {}", text(&output.stderr));
        server
    }

    /// libpq's variables for it.
    pub fn libpq(&self) -> [(&'static str, String); 4] {
        [
            ("PGHOST", "127.0.0.1".to_owned()),
            ("PGPORT", self.port.to_string()),
            ("PGUSER", "postgres".to_owned()),
            ("PGPASSWORD", PASSWORD.to_owned()),
        ]
    }

    /// The environment that makes the binary connect to a database of it.
    pub fn connection(&self, database: &str) -> [(&'static str, String); 5] {
        [
            ("DB_HOST", "127.0.0.1".to_owned()),
            ("DB_PORT", self.port.to_string()),
            ("DB_NAME", database.to_owned()),
            ("DB_USER", "postgres".to_owned()),
            ("DB_PASSWORD", PASSWORD.to_owned()),
        ]
    }

    fn psql(&self, database: &str, sql: &str) -> std::process::Output {
        let mut psql = Command::new(client("psql"));
        psql.args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", sql]);
        psql.envs(self.libpq()).output().unwrap()
    }

    /// Runs SQL in a database; gives the rows, unaligned.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let output = self.psql(database, sql);
        assert!(output.status.success(), "{}: {}", self.major, text(&output.stderr));
        text(&output.stdout).trim().to_owned()
    }

    /// Runs a script of the fixtures in a new database.
    pub fn make(&self, database: &str, script: &str) {
        self.sql("postgres", &format!("CREATE DATABASE {database}"));
        let mut psql = Command::new(client("psql"));
        psql.args(["-Xq", "-v", "ON_ERROR_STOP=1", "-d", database, "-f"]).arg(repository(script));
        let output = psql.envs(self.libpq()).output().unwrap();
        assert!(output.status.success(), "{}: {}", self.major, text(&output.stderr));
    }

    /// Has the pg_dump of a version write `name` in the place, out of a database of this server.
    pub fn dump(&self, by: u32, database: &str, place: &Place, name: &str, args: &[&str]) {
        dump_by(&image(by), &self.libpq(), database, place, name, args);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        docker(&["rm", "--force", "--volumes", &self.name]);
    }
}

/// Has the pg_dump of an image write `name` in the place, in the stead of what is there.
pub fn dump_by(
    image: &str,
    libpq: &[(&str, String)],
    database: &str,
    place: &Place,
    name: &str,
    args: &[&str],
) {
    let out = place.dir().join("out");
    std::fs::create_dir_all(&out).unwrap();
    let volume = format!("--volume={}:/out", out.display());
    let mut docker = Command::new("docker");
    docker.args(["run", "--rm", "--network=host", "--user=0", "--entrypoint=pg_dump", &volume]);
    for (name, value) in libpq {
        docker.arg("--env").arg(name).env(name, value);
    }
    let output = docker.args([image, "--file=/out/dump", "-d", database]).args(args).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{image} {args:?}: {}", text(&output.stderr));
    let made = place.dir().join(name);
    let _ = std::fs::remove_file(&made);
    let _ = std::fs::remove_dir_all(&made);
    std::fs::rename(out.join("dump"), made).unwrap();
}
