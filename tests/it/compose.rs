//! The Compose file for restoring by hand, started for real with Compose.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::support::docker::{docker, docker_text, image, left};
use crate::support::dumps::{gzipped, rows};
use crate::support::source::{client, free_port};
use crate::support::{Place, defaults, good_dump, repository, text};

/// The name that the file gives its container and network.
const CONTAINER: &str = "backup-restore-test-env";

/// The environment of the file, while it is up.
struct Composed {
    port: u16,
    project: String,
    backups: std::path::PathBuf,
}

impl Composed {
    fn up(backups: &Path) -> Self {
        let project = format!("ccc-it-{}", std::process::id());
        let composed = Self { port: free_port(), project, backups: backups.to_owned() };
        let output = composed.compose(&["up", "-d"]);
        assert!(output.status.success(), "compose up: {}", text(&output.stderr));
        composed
    }

    fn compose(&self, args: &[&str]) -> Output {
        let file = repository("infra/docker-compose.restore-test.yml");
        let mut command = compose();
        command.arg("-f").arg(file).args(["--profile", "restore-test"]).args(args);
        command.env("COMPOSE_PROJECT_NAME", &self.project);
        command.env("RESTORE_TEST_PORT", self.port.to_string());
        command.env("RESTORE_TEST_BACKUP_DIR", &self.backups);
        command.env("CCC_BACKUP_IMAGE", image()).env_remove("RESTORE_TEST_PASSWORD");
        command.output().unwrap()
    }

    fn wait_until_healthy(&self) {
        let begun = Instant::now();
        let format = "{{.State.Health.Status}}";
        while docker_text(&["inspect", "--format", format, CONTAINER]).trim() != "healthy" {
            let log = docker(&["logs", CONTAINER]);
            assert!(begun.elapsed() < Duration::from_secs(60), "{}", text(&log.stderr));
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// What psql on this machine answers.
    fn psql(&self, sql: &str) -> String {
        let port = self.port.to_string();
        let args = ["-XAt", "-h", "localhost", "-p", &port, "-U", "postgres", "-d", "restore_test"];
        let mut command = Command::new(client("psql"));
        let output =
            command.args(args).args(["-c", sql]).env("PGPASSWORD", "restore_test").output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout).trim().to_owned()
    }
}

impl Drop for Composed {
    fn drop(&mut self) {
        self.compose(&["down", "--volumes"]);
    }
}

/// The older program, else the newer one.
pub fn compose() -> Command {
    if Command::new("docker-compose").arg("version").output().is_ok_and(|it| it.status.success()) {
        return Command::new("docker-compose");
    }
    let plugin = docker(&["compose", "version"]);
    assert!(plugin.status.success(), "Compose is missing: infra/setup.sh installs it");
    let mut command = Command::new("docker");
    command.arg("compose");
    command
}

fn inside(line: &str) -> Output {
    docker(&["exec", CONTAINER, "sh", "-c", line])
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn the_compose_file_gives_a_postgresql_to_restore_a_backup_into_by_hand() {
        let _alone = defaults();
        let place = Place::new();
        place.file("backups/backup_20260114_143022.sql.gz", &gzipped(good_dump()));
        let composed = Composed::up(&place.dir().join("backups"));
        composed.wait_until_healthy();
        assert!(composed.psql("SHOW server_version").starts_with("15."));

        // As the head of the file says; a dump made with --clean drops what is not there quietly.
        let restore = "gunzip -c /backups/backup_20260114_143022.sql.gz | \
                   psql -q -v ON_ERROR_STOP=1 -U postgres -d restore_test";
        let restored = inside(restore);
        assert!(restored.status.success(), "{}", text(&restored.stderr));
        let users = rows(good_dump(), "users").len().to_string();
        assert_eq!(composed.psql("SELECT count(*) FROM users"), users);

        let write = inside("touch /backups/x");
        assert!(!write.status.success() && text(&write.stderr).contains("Read-only"), "{write:?}");
        let ports = docker_text(&["port", CONTAINER]);
        assert_eq!(ports.trim(), format!("5432/tcp -> 127.0.0.1:{}", composed.port));
        let outside = inside("timeout 3 bash -c 'exec 3<>/dev/tcp/1.1.1.1/443'");
        assert!(!outside.status.success());

        drop(composed);
        assert_eq!(left(CONTAINER), Vec::<String>::new());
    }
}
