//! `create --container`: databases in containers without a published port, of Compose and others, dumped by the client
//! tools that are in there.

use std::process::{Child, Command, Stdio};
use std::time::Instant;

use rustix::process::Signal;

use crate::compose::compose;
use crate::support::docker::{docker, docker_text, image};
use crate::support::proxy::Proxy;
use crate::support::{Outcome, Place, Running, SOON, text, wait_until};

/// Awkward in a shell, a URL and a connection string.
const PASSWORD: &str = "it's a \"pass\" word\\ $HOME %41 ü";
const OWN: &[u8] = b"[checks]\ntables = [\"things\"]\nmigrations = \"none\"\n";
const ROWS: &str = "✓ Contents match the backup (1 table)";

/// A service of a Compose project of its own, whose database has one table.
struct Service {
    /// Project and service.
    project: String,
    service: String,
    container: String,
    place: Place,
}

impl Service {
    fn up(environment: &str) -> Self {
        let place = Place::new();
        let project = place.container.trim_end_matches('-').to_owned();
        let service = format!("db-of-{project}");
        let file = format!(
            "services:\n  {service}:\n    image: {}\n    container_name: {project}-source\n    environment:\n      \
             POSTGRES_USER: app\n      POSTGRES_DB: shop\n{environment}",
            image()
        );
        place.file("docker-compose.yml", file.as_bytes());
        place.file("ccc-backup.toml", OWN);
        let container = format!("{project}-source");
        let service = Self { project, service, container, place };
        let up = service.compose(&["up", "-d"]);
        assert!(up.0, "compose up: {}", up.1);
        service.wait_until_ready();
        service.psql(
            "CREATE TABLE things (id int PRIMARY KEY, thing text NOT NULL);
             INSERT INTO things SELECT n, 'thing ' || n FROM generate_series(1, 20000) n",
        );
        service
    }

    fn wait_until_ready(&self) {
        // The image starts a server of its own first, which listens nowhere but on the socket.
        wait_until("PostgreSQL is ready", || {
            self.inside("pg_isready -q -h 127.0.0.1 -U app -d shop").0
        });
    }

    fn trusting() -> Self {
        Self::up("      POSTGRES_HOST_AUTH_METHOD: trust\n")
    }

    fn compose(&self, args: &[&str]) -> (bool, String) {
        let mut command = compose();
        command.arg("-f").arg(self.place.dir().join("docker-compose.yml")).args(args);
        let output = command.env("COMPOSE_PROJECT_NAME", &self.project).output().unwrap();
        (output.status.success(), text(&output.stderr))
    }

    /// Whether a line of shell succeeds in the container, and what it writes.
    fn inside(&self, line: &str) -> (bool, String) {
        let output = docker(&["exec", "-e", &env(), &self.container, "sh", "-c", line]);
        (output.status.success(), text(&output.stdout))
    }

    fn psql(&self, sql: &str) -> String {
        let mut command = self.psql_command(sql);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout).trim().to_owned()
    }

    fn psql_command(&self, sql: &str) -> Command {
        let mut command = Command::new("docker");
        command.args(["exec", "-e", &env(), &self.container, "psql", "-XqAt"]);
        command.args(["-v", "ON_ERROR_STOP=1", "-U", "app", "-d", "shop", "-c", sql]);
        command
    }

    /// Runs `create` without a PATH to docker or PostgreSQL's tools.
    fn create(&self, container: &str, args: &[&str]) -> Outcome {
        self.create_with(container, args, &[])
    }

    fn create_with(&self, name: &str, args: &[&str], environment: &[(&str, &str)]) -> Outcome {
        let mut command = self.place.ccc();
        command.args(["create", "--container", name]).args(args);
        command.envs(environment.iter().copied());
        Outcome::of(&command.output().unwrap())
    }

    /// Starts `create`, whose pg_dump waits for a lock that somebody holds.
    fn create_waiting(&self, args: &[&str], environment: &[(&'static str, String)]) -> Running {
        let args = [&["create", "--container", &self.container, "a.sql.gz"], args].concat();
        let run = Running::start_with(&self.place, &args, environment.iter().cloned());
        self.wait_for("SELECT count(*) > 0 FROM pg_locks WHERE NOT granted");
        run
    }

    fn lock(&self) -> Child {
        let sql = "BEGIN; LOCK TABLE things; SELECT pg_sleep(600)";
        let mut command = self.psql_command(sql);
        let holder = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let held =
            "SELECT count(*) > 0 FROM pg_locks WHERE granted AND relation = 'things'::regclass
            AND mode = 'AccessExclusiveLock'";
        self.wait_for(held);
        holder
    }

    fn wait_for(&self, query: &str) {
        wait_until(query, || self.psql(query) == "t");
    }

    /// Neither pg_dump is left nor what it asked of the server.
    fn nothing_runs(&self) {
        self.wait_for(
            "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'pg_dump'",
        );
        let looking = "cat /proc/[0-9]*/comm 2>/dev/null";
        let asked = Instant::now();
        wait_until("no pg_dump runs in the container", || {
            !self.inside(looking).1.lines().any(|name| name == "pg_dump")
        });
        assert!(asked.elapsed() < SOON, "pg_dump went on in the container: {:?}", asked.elapsed());
    }

    /// The first process of the container is the postmaster, which takes an orphan of ours for a backend that crashed.
    fn never_crashed(&self) {
        let log = docker(&["logs", &self.container]);
        let log = text(&log.stdout) + &text(&log.stderr);
        assert!(!log.contains("terminating any other active server processes"), "{log}");
    }

    /// No backup, whole or in part.
    fn no_backup(&self) {
        let names = self.place.names(".");
        assert!(!names.iter().any(|name| name.contains("a.sql.gz")), "{names:?}");
    }
}

/// Ends a client that may have ended by itself.
fn end(client: &mut Child) {
    let _ = client.kill();
    client.wait().unwrap();
}

/// What psql finds in the container for a server that wants a password; others pass it over.
fn env() -> String {
    format!("PGPASSWORD={PASSWORD}")
}

impl Drop for Service {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.never_crashed();
        }
        let _ = docker(&["unpause", &self.container]);
        self.compose(&["down", "--volumes", "--timeout", "1"]);
    }
}

#[test]
fn a_database_without_a_published_port_is_backed_up_by_service_and_by_name_in_every_format() {
    let service = Service::trusting();
    let both = format!("{}/{}", service.project, service.service);
    for (name, file) in [
        (&service.service, "a.sql.gz"),
        (&both, "b.dump"),
        (&service.container, "c.dir"),
        (&service.container, "d.tar"),
    ] {
        let made = service.create(name, &["--globals", file]);
        assert_eq!(made.code, 0, "{made}");
        assert!(made.stdout.contains(&format!("container {name}")), "{made}");
        let manifest = service.place.dir().join(format!("{file}.manifest.json"));
        let manifest = std::fs::read_to_string(manifest).unwrap();
        let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
        assert!(manifest["tools"]["pg_dump"].as_str().unwrap().starts_with("15."), "{manifest}");
        assert_eq!(manifest["source"]["database"], "shop", "{manifest}");
        assert_eq!(manifest["source"]["user"], "app", "{manifest}");
        assert_eq!(manifest["contents"]["tables"][0]["rows"], 20_000, "{manifest}");
        assert!(manifest["globals"].is_object(), "{manifest}");
        let verified = Outcome::of(&service.place.verify().arg(file).output().unwrap());
        verified.passed();
        assert!(verified.stdout.contains(ROWS), "{verified}");
    }
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn all_databases_of_a_container_are_backed_up_and_so_are_those_of_the_configuration() {
        let service = Service::trusting();
        service.psql("CREATE DATABASE blog");
        let made = service.create(&service.service, &["--all-databases", "--backup-dir", "all"]);
        assert_eq!(made.code, 0, "{made}");
        let of = |directory: &str, database: &str| {
            let names = service.place.names(directory);
            names.iter().filter(|name| name.ends_with(&format!("_of_{database}.sql.gz"))).count()
        };
        assert_eq!((of("all", "shop"), of("all", "blog")), (1, 1), "{made}");
        let container = &service.container;
        let configuration = format!(
            "[[databases]]\nname = \"shop\"\ncontainer = \"{container}\"\n\
         [[databases]]\nname = \"blog\"\ncontainer = \"{container}\"\nuser = \"app\"\n"
        );
        let file = service.place.file("own.toml", configuration.as_bytes());
        let file = file.to_str().unwrap();
        let mut command = service.place.ccc();
        let made =
            command.args(["create", "--config", file, "--backup-dir", "configured"]).output();
        let made = Outcome::of(&made.unwrap());
        assert_eq!(made.code, 0, "{made}");
        assert_eq!((of("configured", "shop"), of("configured", "blog")), (1, 1), "{made}");
    }

    #[test]
    fn a_password_that_is_wanted_is_asked_for_in_words_and_is_seen_by_nobody() {
        let service = Service::up(&format!(
            "      POSTGRES_PASSWORD: {}\n      POSTGRES_INITDB_ARGS: --auth-local=scram-sha-256\n",
            serde_json::Value::from(PASSWORD.replace('$', "$$"))
        ));
        let refused = service.create(&service.container, &["a.sql.gz"]);
        assert_eq!(refused.code, 1, "{refused}");
        assert!(refused.stderr.contains("asks for a password, and none was given"), "{refused}");
        let wrong =
            service.create_with(&service.container, &["a.sql.gz"], &[("DB_PASSWORD", "wrong")]);
        assert!(wrong.stderr.contains("does not accept the user or the password"), "{wrong}");
        service.no_backup();
        let since = docker_text(&["info", "--format", "{{.SystemTime}}"]);
        let made =
            service.create_with(&service.container, &["a.sql.gz"], &[("DB_PASSWORD", PASSWORD)]);
        assert_eq!(made.code, 0, "{made}");
        let until = docker_text(&["info", "--format", "{{.SystemTime}}"]);
        let events = docker_text(&["events", "--since", since.trim(), "--until", until.trim()]);
        assert!(events.contains("exec_create") && !events.contains("$HOME %41"), "{events}");
        assert!(!format!("{refused}{wrong}{made}").contains("$HOME %41"), "{made}");
    }

    #[test]
    fn what_cannot_be_used_is_named_with_a_way_on_and_is_exit_2() {
        let service = Service::trusting();
        let name = service.container.as_str();
        let refused = |made: Outcome, said: &str, hint: &str| {
            assert_eq!(made.code, 2, "{made}");
            assert!(made.stderr.contains(said) && made.stderr.contains(hint), "{said}: {made}");
            service.no_backup();
        };
        let create = |args: &[&str]| service.create(name, args);
        let missing = service.create(&format!("{name}x"), &["a.sql.gz"]);
        refused(missing, "no container and no Compose service", &format!("did you mean {name}?"));
        let nowhere = [("DOCKER_HOST", "unix:///nowhere/docker.sock")];
        let nowhere = service.create_with(name, &["a.sql.gz"], &nowhere);
        refused(nowhere, "no Docker Engine answers", "start Docker");
        refused(create(&["--pg-dump=/usr/bin/pg_dump"]), "--pg-dump names a program", "leave one");
        refused(create(&["a.dir", "--jobs=2"]), "one table at a time", "leave --jobs out");
        docker_text(&["pause", name]);
        refused(create(&["a.sql.gz"]), "is paused", "docker unpause");
        docker_text(&["unpause", name]);
        let moved = "cd /usr/lib/postgresql/15/bin && mv pg_dump pg_dump.away; mv /usr/bin/pg_dump /usr/bin/away; true";
        service.inside(moved);
        refused(create(&["a.sql.gz"]), "there is no pg_dump in the container", "client tools");
        docker_text(&["stop", "--time", "5", name]);
        refused(create(&["a.sql.gz"]), "is not running: it is exited", "docker start");
        let mut doctor = service.place.ccc();
        doctor.args(["doctor", "--no-start", "--container", name]);
        let doctor = Outcome::of(&doctor.output().unwrap());
        assert_eq!(doctor.code, 1, "{doctor}");
        assert!(doctor.stdout.contains("is not running"), "{doctor}");
    }

    #[test]
    fn an_interrupted_create_ends_the_pg_dump_in_the_container() {
        let service = Service::trusting();
        let mut holder = service.lock();
        for end in ["interrupt", "timeout", "kill"] {
            let args: &[&str] = if end == "timeout" { &["--timeout=5s"] } else { &[] };
            let mut run = service.create_waiting(args, &[]);
            if end == "kill" {
                run.kill();
            } else {
                if end == "interrupt" {
                    run.signal(Signal::INT);
                }
                let (outcome, took) = run.end();
                assert_eq!(outcome.code, 2, "{outcome}");
                assert!(took < SOON, "{took:?}");
                service.no_backup();
            }
            service.nothing_runs();
            let names = service.place.names(".");
            assert!(!names.contains(&"a.sql.gz".to_owned()), "{names:?}");
        }
        end(&mut holder);
    }

    #[test]
    fn what_breaks_off_in_the_middle_is_no_backup() {
        let service = Service::trusting();
        let mut holder = service.lock();
        let ended = |run: Running, codes: &[i32], said: &str| {
            let (outcome, _) = run.end();
            assert!(codes.contains(&outcome.code), "{outcome}");
            assert!(outcome.stderr.contains(said), "{outcome}");
            service.no_backup();
        };
        let run = service.create_waiting(&[], &[]);
        let kill = "for p in /proc/[0-9]*; do [ \"$(cat $p/comm)\" = pg_dump ] && kill -9 ${p#/proc/}; done; true";
        service.inside(kill);
        ended(run, &[1], "pg_dump was ended by signal 9");
        // The server notices with the next word that it has for its client.
        service.psql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pg_dump'",
    );
        service.nothing_runs();

        let proxy = Proxy::start(service.place.dir());
        let run = service.create_waiting(&[], &[("DOCKER_HOST", proxy.host())]);
        proxy.cut();
        ended(run, &[2], "broke off before its end");
        service.nothing_runs();

        let run = service.create_waiting(&[], &[]);
        docker_text(&["kill", &service.container]);
        ended(run, &[2], "broke off before its end");
        end(&mut holder);

        docker_text(&["start", &service.container]);
        service.wait_until_ready();
        let mut holder = service.lock();
        let run = service.create_waiting(&[], &[]);
        docker_text(&["rm", "--force", "--volumes", &service.container]);
        ended(run, &[2], "broke off before its end");
        end(&mut holder);
    }
}
