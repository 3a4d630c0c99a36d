//! The commands of docs/encryption.md, run in its order in one place.

use super::created;
use crate::support::source::source;
use crate::support::{BINARY, Outcome, Place, clean_environment, database, repository, text};

/// The lines of its blocks for a shell, with those that go on in the next one.
fn commands() -> Vec<String> {
    let document = std::fs::read_to_string(repository("docs/encryption.md")).unwrap();
    let mut commands = Vec::new();
    for block in document.split("```bash\n").skip(1) {
        let block = block.split("```").next().unwrap();
        commands.extend(block.lines().map(|line| match line.split_once("   #") {
            Some((command, _)) => command.trim().to_owned(),
            None => line.trim().to_owned(),
        }));
    }
    commands
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn every_command_of_the_document_does_what_it_says() {
        let place = Place::on_a_lent_server();
        let database = database();
        std::os::unix::fs::symlink(BINARY, place.dir().join("ccc-backup")).unwrap();
        place.file("old.dump", &database.dump(&["--format=custom", "--no-owner", "--no-acl"]));
        place.file("old.sql", &database.dump(&["--no-owner", "--no-acl"]));
        let encrypt = "openssl enc -aes-256-cbc -salt -k geheim -in old.dump -out old.dump.enc 2>/dev/null; \
                   gpg --homedir home --batch --pinentry-mode loopback --passphrase x --symmetric -o old.sql.gpg old.sql";
        super::super::shell(&place, &format!("mkdir -m 700 home; {encrypt}"));
        let run = |command: &str| {
            let mut shell = std::process::Command::new("bash");
            shell.args(["-euo", "pipefail", "-c", command]).current_dir(place.dir());
            shell
                .env_clear()
                .envs(clean_environment())
                .envs(crate::support::source::connection(&database));
            shell.envs(source().libpq()).env("GNUPGHOME", place.dir().join("home"));
            let path = std::env::var("PATH").unwrap();
            let programs = crate::support::source::client("pg_restore");
            let programs = programs.parent().unwrap().display().to_string();
            shell.env("PATH", format!("{}:{programs}:{path}", place.dir().display()));
            let output = shell.output().unwrap();
            Outcome::of(&output)
        };
        let recipient = |key: &str| text(&run(&format!("age-keygen -y {key}")).stdout.into_bytes());
        let restored = format!("restored_{}", std::process::id());
        let empty = format!("empty_{}", std::process::id());
        let mut count = 0;
        for command in commands() {
            if command.starts_with("age ") && !place.dir().join("BACKUP.dump.age").exists() {
                let recipient = recipient("backup.key").trim().to_owned();
                created(&place, &database, &["BACKUP", "--encrypt-to", &recipient]);
                created(&place, &database, &["BACKUP.dump", "--encrypt-to", &recipient]);
            }
            if command.contains("EMPTY_DATABASE") {
                source().client("psql", &["-Xqc", &format!("DROP DATABASE IF EXISTS {empty}")]);
                source().client("psql", &["-Xqc", &format!("CREATE DATABASE {empty}")]);
            }
            let verify = format!("verify --port 0 --container-name {}", place.container);
            let line = command
                .replace("ccc-backup verify", &format!("ccc-backup {verify}"))
                .replace("restored_ccc", &restored)
                .replace("EMPTY_DATABASE", &empty)
                .replace("BACKUP_ENCRYPTION_KEY=…", "BACKUP_ENCRYPTION_KEY=geheim")
                // A person is asked for the passphrase by gpg itself.
                .replace("gpg --batch", "gpg --pinentry-mode loopback --passphrase x --batch");
            // A second backup of the same second has the same name.
            if line.contains(" create ") {
                std::thread::sleep(std::time::Duration::from_millis(1100));
            }
            let outcome = run(&line);
            assert_eq!(outcome.code, 0, "{line}: {outcome}");
            count += 1;
        }
        assert!(count >= 15, "{count} commands");
        for name in [restored, empty] {
            source().client("psql", &["-Xqc", &format!("DROP DATABASE \"{name}\"")]);
        }
        place.assert_nothing_left();
    }
}
