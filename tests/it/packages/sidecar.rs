//! The Compose file with a database and ccc-backup beside it, started for real with Compose.

use std::process::Output;
use std::time::{Duration, Instant};

use super::image::built;
use crate::compose::compose;
use crate::support::docker::image;
use crate::support::{Place, repository, text};

/// The file, while it is up.
struct Composed<'a> {
    place: &'a Place,
    project: String,
}

impl Composed<'_> {
    fn run(&self, args: &[&str]) -> Output {
        let mut command = compose();
        command.arg("-f").arg(repository("infra/docker-compose.sidecar.yml")).args(args);
        command
            .env("COMPOSE_PROJECT_NAME", &self.project)
            .env("DB_PASSWORD", "a password of a test")
            .env("POSTGRES_IMAGE", image())
            .env("CCC_BACKUP_TOOL_IMAGE", built())
            .env("CCC_BACKUP_CONFIG", self.place.dir().join("ccc-backup.toml"));
        command.output().unwrap()
    }
}

impl Drop for Composed<'_> {
    fn drop(&mut self) {
        self.run(&["down", "--volumes"]);
    }
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn the_sidecar_backs_up_the_database_beside_it_and_proves_the_backup() {
        let place = Place::new();
        place.file(
            "ccc-backup.toml",
            b"[checks]\ntables = []\nmigrations = \"none\"\ndata = \"none\"\n",
        );
        let project = place.container.trim_end_matches('-').to_owned();
        let composed = Composed { place: &place, project };
        let output = composed.run(&["up", "-d"]);
        assert!(output.status.success(), "compose up: {}", text(&output.stderr));
        let begun = Instant::now();
        loop {
            let log = composed.run(&["logs", "--no-color", "backup"]);
            let said = text(&log.stdout) + &text(&log.stderr);
            if said.contains("Cleanup") || said.contains("keep ") {
                assert!(said.contains("✓ Backup created successfully"), "{said}");
                assert!(said.contains("✅ VERIFICATION PASSED"), "{said}");
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(180), "{said}");
            std::thread::sleep(Duration::from_millis(500));
        }
    }
}
