//! What a thief learns of a place with sealed backups: their times and sizes, and to whom they are sealed.

use super::{FORMATS, created, files_below, key};
use crate::support::source::source;
use crate::support::{Place, database};

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn nothing_of_the_database_stands_in_the_place_of_its_sealed_backups() {
        let place = Place::on_a_lent_server();
        let recipient = key(&place, "k");
        let database = database();
        let role = format!("silent_role_{}", std::process::id());
        source().client("psql", &["-Xqc", &format!("CREATE ROLE {role}")]);
        database.sql(
        "CREATE SCHEMA silent_schema; CREATE TABLE silent_schema.silent_table (silent_column text)",
    );
        database.sql("INSERT INTO silent_schema.silent_table VALUES ('silent_row')");
        database.sql("ALTER TABLE users RENAME TO silent_users");
        for (format, backup) in FORMATS {
            let output = format!("b/{}", backup.trim_end_matches(".age"));
            let args =
                [&output, "--format", format, "--encrypt-to", &recipient, "--globals", "--force"];
            created(&place, &database, &args);
            // Fails its checks, which is on record, too.
            let backup = format!("b/{backup}");
            let outcome = super::super::verified(&place, &[&backup, "--identity", "k"]);
            assert_eq!(outcome.code, 1, "{outcome}");
        }
        let login = source().connection(&database.name);
        let of_login = login
            .iter()
            .map(|(_, value)| value.as_str())
            .filter(|value| value.len() > 3 && *value != "postgres");
        let secrets: Vec<&str> =
            ["silent_", &role, "users", "content_"].into_iter().chain(of_login).collect();
        for file in files_below(&place.dir().join("b")) {
            let bytes = std::fs::read(&file).unwrap();
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            for secret in &secrets {
                let found = memchr::memmem::find(&bytes, secret.as_bytes()).is_some();
                assert!(!found && !name.contains(secret), "{secret} in {}", file.display());
            }
        }
        source().client("psql", &["-Xqc", &format!("DROP ROLE {role}")]);
    }

    #[test]
    fn nothing_is_written_unsealed_while_a_backup_is_made() {
        // What pg_dump and ccc-backup write to, in all their lives, by strace where there is one; else by looking often.
        let place = Place::without_docker();
        let recipient = key(&place, "k");
        let database = database();
        database.sql("CREATE TABLE silent (t text); INSERT INTO silent SELECT 'plain_text_row' FROM generate_series(1, 300000)");
        for (format, _) in FORMATS {
            let mut command = std::process::Command::new(crate::support::BINARY);
            command.args([
                "create",
                "w/a",
                "--format",
                format,
                "--encrypt-to",
                &recipient,
                "--compress",
                "none",
            ]);
            command.envs(source().connection(&database.name)).current_dir(place.dir());
            command.env("TMPDIR", place.file("tmp/x", b"").parent().unwrap());
            let mut running = command.stdout(std::process::Stdio::null()).spawn().unwrap();
            let mut looked = 0;
            while running.try_wait().unwrap().is_none() {
                for dir in ["w", "tmp"] {
                    let dir = place.dir().join(dir);
                    for file in if dir.exists() { files_below(&dir) } else { Vec::new() } {
                        // It may be gone meanwhile.
                        let Ok(bytes) = std::fs::read(&file) else { continue };
                        looked += usize::from(!bytes.is_empty());
                        let found = memchr::memmem::find(&bytes, b"plain_text_row");
                        assert!(found.is_none(), "{format}: {}", file.display());
                    }
                }
            }
            assert!(running.wait().unwrap().success() && looked > 0, "{format}: {looked}");
        }
    }
}
