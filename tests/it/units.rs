//! The systemd units: the commands in them do what the units say, one after another.

use std::path::Path;
use std::process::Command;

use crate::support::source::source;
use crate::support::{BINARY, Place, clean_environment, database, repository, text};

/// The commands of a unit, in the order in which systemd runs them.
fn commands(unit: &str) -> Vec<String> {
    let text = std::fs::read_to_string(repository("infra/systemd").join(unit)).unwrap();
    let found = ["ExecStart=", "ExecStartPost="]
        .into_iter()
        .flat_map(|key| text.lines().filter_map(move |line| line.strip_prefix(key)));
    found.map(str::to_owned).collect()
}

/// What an environment file sets.
fn environment(path: &Path) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| line.split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn the_units_make_a_backup_verify_it_remove_none_that_is_needed_and_drill() {
        let (place, database) = (Place::on_a_lent_server(), database());
        let state = place.dir().join("state");
        std::fs::create_dir(&state).unwrap();
        let mut said = String::new();
        std::fs::create_dir(state.join("reports")).unwrap();
        for unit in ["ccc-backup.service", "ccc-backup-verify.service", "ccc-backup-drill.service"]
        {
            for line in commands(unit) {
                let line = line.replace("/var/lib/ccc-backup", state.to_str().unwrap());
                let mut words = line.split(' ');
                assert_eq!(words.next(), Some("/usr/local/bin/ccc-backup"), "{unit}: {line}");
                let mut command = Command::new(BINARY);
                command.env_clear().envs(clean_environment()).current_dir(&state).args(words);
                if unit == "ccc-backup.service" {
                    command
                        .envs(environment(&repository("infra/systemd/create.env")))
                        .env("DB_HOST", "127.0.0.1")
                        .env("DB_PORT", source().port.to_string())
                        .env("DB_NAME", &database.name)
                        .env("DB_PASSWORD", &source().password);
                }
                if line.contains(" verify ") {
                    // Beside other tests.
                    command.args(["--port", "0", "--container-name", &place.container]);
                } else if line.contains(" drill ") {
                    command.args(["--container-name", &place.container]);
                }
                let output = command.output().unwrap();
                said += &text(&output.stdout);
                assert!(output.status.success(), "{line}: {said}{}", text(&output.stderr));
            }
        }
        assert!(said.contains("✓ Backup created successfully"), "{said}");
        assert!(said.contains("✅ VERIFICATION PASSED"), "{said}");
        assert!(said.contains("keep "), "{said}");
        assert!(said.contains("✅ DRILL PASSED"), "{said}");
        let page = std::fs::read_to_string(state.join("reports/drill.html")).unwrap();
        assert!(page.contains("The backup restores."), "{page}");
        place.assert_nothing_left();
    }
}
