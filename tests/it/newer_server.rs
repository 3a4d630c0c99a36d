//! A server that is newer than this machine's client tools, as PostgreSQL 17 is for 15: `create` takes
//! pg_dump from a container, and `verify` restores into the version that the backup came from.

use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::docker::{docker, docker_text, newer_image};
use crate::support::engine::Engine;
use crate::support::mounts::on_a_disk;
use crate::support::proxy::Proxy;
use crate::support::registry::Registry;
use crate::support::source::{client, free_port};
use crate::support::twin::answer_of_restored;
use crate::support::{BINARY, Outcome, Place, Running, SOON, clean_environment, good_dump, text};

const MAJOR: u32 = 17;
/// Awkward in a shell, a URL and a connection string.
const PASSWORD: &str = "it's a \"pass\" word\\ $HOME %41 ü";
const OWN: &[u8] = b"[checks]\ntables = [\"things\"]\nmigrations = \"none\"\n";

/// A server of that version in a container, with a database.
struct Newer {
    name: String,
    port: u16,
    /// Where its socket is.
    dir: TempDir,
}

impl Newer {
    fn start(name: &str) -> Self {
        let (name, port) = (format!("ccc-newer-{name}-{}", std::process::id()), free_port());
        let password = format!("POSTGRES_PASSWORD={PASSWORD}");
        let auth = "POSTGRES_INITDB_ARGS=--auth-host=scram-sha-256";
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o777)).unwrap();
        let (at, mount) = (port.to_string(), format!("{}:/sockets", dir.path().display()));
        let run = ["run", "--detach", "--rm", "--network=host", "--name", &name];
        let options = ["--env", &password, "--env", auth, "--volume", &mount, newer_image()];
        let sockets = "unix_socket_directories=/var/run/postgresql,/sockets";
        let server = ["-c", "listen_addresses=127.0.0.1", "-c", sockets, "-p", &at];
        docker_text(&[&run[..], &options, &server].concat());
        let newer = Self { name, port, dir };
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
        self.client(sql).output().unwrap()
    }

    fn client(&self, sql: &str) -> Command {
        let mut psql = Command::new(client("psql"));
        psql.args(["-Xqv", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "postgres", "-c", sql]);
        psql.args(["-p", &self.port.to_string()]).env("PGPASSWORD", PASSWORD);
        psql
    }

    fn create(&self, place: &Place, args: &[&str]) -> Outcome {
        self.create_of("postgres", place, args)
    }

    fn create_of(&self, database: &str, place: &Place, args: &[&str]) -> Outcome {
        let mut command = place.ccc();
        let port = self.port.to_string();
        command.args(["create", "--host=127.0.0.1", "--dbname", database, "--port", &port]);
        // Without the docker command: the engine itself is asked.
        command.args(args).env("DB_PASSWORD", PASSWORD).env("PATH", place.dir());
        place.outcome(&mut command)
    }

    /// Locks the table, starts `create`, and waits until its pg_dump waits for the lock.
    fn create_waiting(&self, place: &Place) -> (Running, Lock<'_>) {
        let lock =
            "SET application_name = 'holder'; BEGIN; LOCK TABLE things; SELECT pg_sleep(600)";
        let holder = self.client(lock).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let lock = Lock { newer: self, holder };
        self.wait_for("SELECT FROM pg_locks WHERE granted AND relation = 'things'::regclass");
        let mut command = Command::new(BINARY);
        command.env_clear().envs(clean_environment()).current_dir(place.dir());
        command.args(["create", "--host=127.0.0.1", "--dbname=postgres", "a.sql.gz"]);
        command.args(["--port", &self.port.to_string()]).env("DB_PASSWORD", PASSWORD);
        let run = Running::spawn(&mut command);
        self.wait_for(WAITING);
        (run, lock)
    }

    /// Waits until a query gives a row.
    fn wait_for(&self, query: &str) {
        let patience = Instant::now() + Duration::from_secs(60);
        let query = format!("SELECT 1 / (count(*) > 0)::int FROM ({query}) rows");
        while !self.psql(&query).status.success() {
            assert!(Instant::now() < patience, "never seen: {query}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Those who wait for a lock.
const WAITING: &str = "SELECT FROM pg_locks WHERE NOT granted";
const NOBODY_WAITS: &str = "SELECT WHERE NOT EXISTS (SELECT FROM pg_locks WHERE NOT granted)";

/// A lock on the table.
struct Lock<'a> {
    newer: &'a Newer,
    holder: Child,
}

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        self.newer.psql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE application_name = 'holder'",
        );
        self.holder.wait().unwrap();
    }
}

/// The containers of a run's tools.
fn tools_of(run: u32) -> Vec<String> {
    let filter = format!("label=io.ccc-backup.pid={run}");
    let listed = docker_text(&["ps", "--all", "--quiet", "--filter", &filter]);
    listed.lines().map(str::to_owned).collect()
}

impl Drop for Newer {
    fn drop(&mut self) {
        docker(&["rm", "--force", "--volumes", &self.name]);
    }
}

/// Interrupts a `create`, which leaves no tool behind.
fn interrupted(mut run: Running) {
    let id = run.id();
    run.signal(Signal::INT);
    let (outcome, took) = run.end();
    assert_eq!(outcome.code, 2, "{outcome}");
    assert!(took < SOON, "{took:?}");
    assert_eq!(tools_of(id), Vec::<String>::new());
}

/// Neither of the container of a tool, nor of the processes of this machine.
fn no_inspection_shows_the_password(run: &Running) {
    let tools = tools_of(run.id());
    assert_eq!(tools.len(), 1);
    let inspected = docker_text(&["inspect", &tools[0]]);
    assert!(inspected.contains("PGHOST=127.0.0.1"), "{inspected}");
    assert!(!inspected.contains("\"Type\": \"volume\""), "{inspected}");
    // A part of it that is written alike in JSON.
    assert!(PASSWORD.contains("$HOME %41") && !inspected.contains("$HOME %41"), "{inspected}");
    assert!(!docker_text(&["top", &tools[0], "axww"]).contains("$HOME %41"));
}

/// `create` of the server, by its socket, with the tools of another engine.
fn create_at(engine: &Engine, newer: &Newer, place: &Place, args: &[&str]) -> Running {
    let mut command = engine.beside();
    command.arg(BINARY).args(["create", "--dbname=postgres", "a.sql.gz", "--host"]);
    command.arg(newer.dir.path()).args(["--port", &newer.port.to_string()]).args(args);
    command.env_clear().envs(clean_environment()).env("DOCKER_HOST", engine.host());
    Running::spawn(command.env("DB_PASSWORD", PASSWORD).current_dir(place.dir()))
}

fn older_server_takes_what_a_newer_pg_dump_wrote(newer: &Newer) {
    let place = Place::on_a_lent_server();
    place.file("ccc-backup.toml", OWN);
    assert_eq!(newer.create(&place, &["a.sql.gz"]).code, 0);
    let outcome =
        place.outcome(place.verify_by_version().args(["a.sql.gz", "--postgres-version", "15"]));
    outcome.passed().says("Starting PostgreSQL 15 container...");
    outcome.says("(1 harmless error passed over)");
}

/// A pg_dump of the server's version among those of this machine: one in a container stands for it.
fn a_newer_pg_dump_of_this_machine_is_taken(newer: &Newer) {
    let place = Place::without_docker();
    let script = format!(
        "exec docker run --rm --network host {} {} pg_dump \"$@\"",
        "-e PGHOST -e PGPORT -e PGUSER -e PGDATABASE -e PGPASSWORD",
        newer_image()
    );
    place.program("bin/pg_dump", &script);
    let at = "/usr/lib/postgresql";
    let prepare = format!(
        "mkdir old && mount --bind {at} old && mount -t tmpfs tmpfs {at} && \
         ln -s \"$PWD/old/15\" {at}/15 && mkdir -p {at}/{MAJOR}/bin && cp bin/pg_dump {at}/{MAJOR}/bin"
    );
    let words = format!("create --host 127.0.0.1 --port {} --dbname postgres a.sql", newer.port);
    let password = [("DB_PASSWORD", PASSWORD.to_owned())];
    let made = on_a_disk(&place, "size=1m", &prepare, &words, &password);
    assert_eq!(made.code, 0, "{made}");
    let said = format!("using pg_dump {MAJOR}.");
    assert!(made.stderr.contains(&said) && made.stderr.contains(at), "{made}");
}

fn a_pg_dump_that_was_named_is_taken(newer: &Newer) {
    let place = Place::on_a_lent_server();
    let named = client("pg_dump");
    let outcome = newer.create(&place, &["a.sql.gz", "--pg-dump", named.to_str().unwrap()]);
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(outcome.stderr.contains("is older than the server"), "{outcome}");
}

fn without_docker_pg_dump_says_that_it_is_too_old(newer: &Newer) {
    let place = Place::on_a_lent_server();
    let mut command = place.ccc();
    let port = newer.port.to_string();
    command.args(["create", "--host=127.0.0.1", "--dbname=postgres", "--port", &port]);
    let nobody = format!("unix://{}", place.dir().join("no.sock").display());
    let outcome = place.outcome(command.env("DB_PASSWORD", PASSWORD).env("DOCKER_HOST", nobody));
    assert_eq!(outcome.code, 1, "{outcome}");
    let said = "none can be had from a container: no Docker Engine answers: there is no socket";
    assert!(outcome.stderr.contains(said), "{outcome}");
    assert!(outcome.stderr.contains("is older than the server"), "{outcome}");
    outcome.hints("postgresql-client-17");
}

fn a_docker_that_goes_silent_keeps_no_create_from_its_end(newer: &Newer) {
    let place = Place::on_a_lent_server();
    let proxy = Proxy::start(place.dir());
    // The question at the end what is left of the run.
    proxy.hang_at("io.ccc-backup.run%3D");
    let mut command = place.ccc();
    let port = newer.port.to_string();
    command.args(["create", "--host=127.0.0.1", "--dbname=postgres", "a.sql.gz"]);
    command.args(["--port", &port, "--log-file", "log"]);
    let begun = Instant::now();
    command.env("DB_PASSWORD", PASSWORD).env("DOCKER_HOST", proxy.host());
    let outcome = place.outcome(&mut command);
    assert_eq!(outcome.code, 0, "{outcome}");
    assert!(begun.elapsed() < Duration::from_secs(30));
    let log = std::fs::read_to_string(place.dir().join("log")).unwrap();
    assert!(log.contains("`ccc-backup cleanup --sandbox` removes what is left"), "{log}");
}

fn a_wrong_password_is_said_to_be_one(newer: &Newer) {
    let place = Place::on_a_lent_server();
    let mut command = place.ccc();
    let port = newer.port.to_string();
    command.args(["create", "--host=127.0.0.1", "--dbname=postgres", "--port", &port]);
    let outcome = place.outcome(command.env("DB_PASSWORD", "wrong"));
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(outcome.stderr.contains("does not accept the user or the password"), "{outcome}");
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn create_takes_pg_dump_from_a_container_and_verify_the_servers_version() {
        let newer = Newer::start("whole");
        for name in ["a.sql.gz", "sub/a.dump", "a.dir", "a.tar"] {
            let place = Place::on_a_lent_server();
            std::fs::create_dir(place.dir().join("sub")).unwrap();
            place.file("ccc-backup.toml", OWN);
            let made = newer.create(&place, &[name]);
            assert_eq!(made.code, 0, "{made}");
            let said = "is older than the server, which is PostgreSQL 17";
            assert!(
                made.stderr.contains(said) && made.stderr.contains("in a container of"),
                "{made}"
            );
            let manifest = place.dir().join(format!("{name}.manifest.json"));
            let manifest = std::fs::read_to_string(manifest).unwrap();
            let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
            let version = manifest["tools"]["pg_dump"].as_str().unwrap();
            assert!(version.starts_with("17."), "{version}");
            let outcome = place.outcome(place.verify_by_version().arg(name));
            outcome.passed().says(&format!("Starting PostgreSQL {MAJOR} container..."));
            assert!(outcome.stdout.contains("✓ Contents match the backup (1 table)"), "{outcome}");
        }
        older_server_takes_what_a_newer_pg_dump_wrote(&newer);
        a_pg_dump_that_was_named_is_taken(&newer);
        a_newer_pg_dump_of_this_machine_is_taken(&newer);
        without_docker_pg_dump_says_that_it_is_too_old(&newer);
        a_docker_that_goes_silent_keeps_no_create_from_its_end(&newer);
        a_wrong_password_is_said_to_be_one(&newer);
    }

    #[test]
    fn a_database_of_any_provider_of_locales_comes_back_with_it() {
        let newer = Newer::start("providers");
        let sorted = "INSERT INTO things VALUES (1, 'Zoo'), (2, 'apfel'), (3, 'Äpfel')";
        for (name, options, provider, order) in [
            ("builtin", "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'", "b C.UTF-8", "123"),
            ("icu", "LOCALE_PROVIDER icu ICU_LOCALE 'de-AT'", "i de-AT", "231"),
        ] {
            let database = format!("CREATE DATABASE {name} TEMPLATE template0 {options}");
            assert!(newer.psql(&database).status.success());
            let table = "CREATE TABLE things (id int PRIMARY KEY, thing text UNIQUE)";
            let made = newer.client(table).args(["-c", sorted, "-d", name]).output().unwrap();
            assert!(made.status.success(), "{}", text(&made.stderr));
            let place = Place::on_a_lent_server();
            place.file("ccc-backup.toml", OWN);
            assert_eq!(newer.create_of(name, &place, &["a.sql.gz"]).code, 0);
            let ask = "SELECT datlocprovider::text || ' ' || datlocale, (SELECT string_agg(id::text, '' \
                   ORDER BY thing) FROM things) FROM pg_database WHERE datname = current_database()";
            let answer = answer_of_restored(&place, &["a.sql.gz", "--image", newer_image()], ask);
            assert_eq!(answer, format!("{provider}|{order}"));
            // PostgreSQL 15 has no builtin provider, and sorts by code points all the same.
            let older = place.outcome(place.verify_by_version().args([
                "a.sql.gz",
                "--postgres-version",
                "15",
            ]));
            older.passed();
            assert_eq!(older.stderr, "", "{older}");
        }
    }

    #[test]
    fn an_interrupted_create_leaves_no_tool_in_a_container() {
        let (newer, place) = (Newer::start("interrupted"), Place::on_a_lent_server());
        let (run, _lock) = newer.create_waiting(&place);
        no_inspection_shows_the_password(&run);
        interrupted(run);
        newer.wait_for(NOBODY_WAITS);
        assert_eq!(place.names("."), ["history.jsonl"]);
    }

    #[test]
    fn a_tool_in_a_container_that_does_not_end_by_itself_is_removed() {
        let (newer, place) = (Newer::start("frozen"), Place::on_a_lent_server());
        let (run, _lock) = newer.create_waiting(&place);
        docker_text(&["pause", &tools_of(run.id())[0]]);
        interrupted(run);
    }

    #[test]
    fn the_tools_of_a_killed_create_go_with_the_next_runs() {
        let (newer, place) = (Newer::start("killed"), Place::on_a_lent_server());
        place.file("good.sql", good_dump());
        let (run, lock) = newer.create_waiting(&place);
        let id = run.id();
        run.kill();
        assert_eq!(tools_of(id).len(), 1);
        place.outcome(place.verify_by_version().arg("good.sql")).passed();
        assert_eq!(tools_of(id), Vec::<String>::new());
        // A server whose client was killed notices it when it has the lock.
        drop(lock);
        newer.wait_for(NOBODY_WAITS);
        let (run, lock) = newer.create_waiting(&place);
        let id = run.id();
        run.kill();
        assert_eq!(tools_of(id).len(), 1);
        drop(lock);
        let next = newer.create(&place, &["b.sql.gz"]);
        assert_eq!(next.code, 0, "{next}");
        assert_eq!(tools_of(id), Vec::<String>::new());
    }

    #[test]
    fn the_tools_are_pulled_where_no_image_has_them_and_it_is_said_where_they_cannot_be() {
        let registry = Registry::start();
        registry.put(newer_image(), "library/postgres:17");
        let (newer, place) = (Newer::start("pulled"), Place::without_docker());
        let engine = Engine::with_mirror(&registry.host());
        let (none, _) = create_at(&engine, &newer, &place, &[]).end();
        assert_eq!(none.code, 1, "{none}");
        let said = "postgres:17, which has a newer one, cannot be pulled: ";
        assert!(none.stderr.contains(said), "{none}");
        none.hints("postgresql-client-17");

        let beside = registry.beside(&engine);
        beside.hang();
        let (outcome, took) = create_at(&engine, &newer, &place, &["--timeout", "3s"]).end();
        assert_eq!(outcome.code, 2, "{outcome}");
        assert!(outcome.stderr.contains("timed out after 3 s (--timeout)"), "{outcome}");
        assert!(took < SOON, "{took:?}");

        beside.go_on();
        let (made, _) = create_at(&engine, &newer, &place, &[]).end();
        assert_eq!(made.code, 0, "{made}");
        made.says("Pulling image: postgres:17...");
        assert!(made.stderr.contains("in a container of postgres:17"), "{made}");
        assert_eq!(engine.left(), Vec::<String>::new());
    }
}
