//! One backup of each database, whatever it is called and whatever comes of the others.

use super::{NAMES, backups, configured, create, created, make, report, server, sql};
use crate::support::source::{Source, client};
use crate::support::{Outcome, Place};

#[test]
fn each_database_of_a_server_has_a_backup_of_its_own_whatever_it_is_called() {
    let place = Place::without_docker();
    let outcome =
        created(&place, server(), &["--exclude-database", "closed", "--report", "r.json"]);
    outcome.says("BACKUP OF 6 DATABASES");
    outcome.says("Left out: closed, postgres (nothing is in it)");
    outcome.says("✅ 6 databases backed up");
    let expected = [
        "_of_--2f.sql.gz",
        "_of_-2e-2e-2fGr-c3-b6-c3-9fe.sql.gz",
        "_of_My-20Shop-2f2.sql.gz",
        "_of_a--b_of_c.sql.gz",
        "_of_it-27s-20-22x-22-2esql-2egz.sql.gz",
        "_of_shop.sql.gz",
    ];
    assert_eq!(backups(&place), expected);
    // Nothing lies elsewhere.
    assert_eq!(place.names("."), ["backups", "r.json"]);
    let report = report(&place, "r.json");
    let entries = report["databases"].as_array().unwrap();
    assert_eq!((entries.len(), &report["exit_code"]), (6, &0.into()));
    for entry in entries {
        let database = entry["database"].as_str().unwrap();
        let rows = 1 + NAMES.iter().position(|name| *name == database).unwrap();
        assert_eq!(
            (entry["rows"].as_u64(), entry["state"].as_str()),
            (Some(rows as u64), Some("made"))
        );
        let backup = entry["backup"].as_str().unwrap();
        let manifest = super::report(&place, &format!("{backup}.manifest.json"));
        assert_eq!(manifest["source"]["database"], database);
        assert_eq!(manifest["files"][0]["sha256"], entry["sha256"]);
        // What the same run backs up is not missing in it.
        assert_eq!(
            manifest["contents"]["coverage"]["databases"],
            serde_json::json!(["closed", "postgres"])
        );
    }
    let history = std::fs::read_to_string(place.dir().join("backups/history.jsonl")).unwrap();
    assert_eq!(history.lines().count(), 6);
}

#[test]
fn roles_that_cannot_be_had_are_told_once_and_stop_nothing() {
    let place = Place::without_docker();
    place.program("bin/pg_dumpall", "echo 'pg_dumpall: error: no roles today' >&2; exit 1");
    for name in ["pg_dump", "psql"] {
        place.program(&format!("bin/{name}"), &format!("exec {} \"$@\"", client(name).display()));
    }
    let pg_dump = place.dir().join("bin/pg_dump");
    let args = ["--all-databases", "--exclude-database", "closed", "--pg-dump"];
    let outcome = create(&place, server(), &[&args[..], &[pg_dump.to_str().unwrap()]].concat());
    assert_eq!(outcome.code, 1, "{outcome}");
    assert_eq!(outcome.stderr.matches("no roles today").count(), 1, "{outcome}");
    outcome.says("❌ 6 databases backed up");
    assert_eq!(backups(&place).len(), 6);
}

#[test]
fn a_database_that_is_dropped_meanwhile_does_not_stop_the_others() {
    let (place, server) = (Place::without_docker(), Source::start());
    for (rows, name) in (1..).zip(["a", "b", "c"]) {
        make(&server, name, rows);
    }
    // The first call of pg_dump that dumps drops one that is to come.
    let (dropdb, real) = (client("dropdb"), client("pg_dump"));
    let script = format!(
        "case \"$1\" in --version) ;; *) {} --if-exists b ;; esac; exec {} \"$@\"",
        dropdb.display(),
        real.display()
    );
    place.program("bin/pg_dump", &script);
    let pg_dump = place.dir().join("bin/pg_dump");
    let outcome =
        create(&place, &server, &["--all-databases", "--pg-dump", pg_dump.to_str().unwrap()]);
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(
        outcome.stderr.contains("error: b: no backup was made: the database does not exist"),
        "{outcome}"
    );
    assert_eq!(backups(&place), ["_of_a.sql.gz", "_of_c.sql.gz"]);
    outcome.says("❌ 2 of 3 databases backed up");
}

#[test]
fn those_of_the_configuration_are_backed_up_each_as_it_says() {
    let (place, other) = (Place::without_docker(), Source::start());
    make(&other, "blog", 3);
    configured(
        &place,
        &format!(
            "[[databases]]\nname = \"shop\"\nformat = \"custom\"\n\
             [[databases]]\nname = \"blog\"\nhost = \"127.0.0.1\"\nport = {}\npassword_env = \"BLOG\"\n",
            other.port
        ),
    );
    let mut command = place.ccc();
    command.arg("create").envs(server().connection("closed")).env("BLOG", &other.password);
    let outcome = Outcome::of(&command.output().unwrap());
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{outcome}");
    assert_eq!(backups(&place), ["_of_blog.sql.gz", "_of_shop.dump"]);
    // A flag names one of them.
    let one = create(&place, server(), &["--dbname", "shop", "--backup-dir", "one"]);
    one.says("Database: shop");
    assert!(!one.stdout.contains("SUMMARY"), "{one}");
    assert!(place.names("one").iter().any(|name| name.ends_with("_of_shop.dump")));
    // All of the server, and those of the configuration.
    let mut command = place.ccc();
    command.args([
        "create",
        "--all-databases",
        "--backup-dir",
        "all",
        "--exclude-database",
        "closed",
    ]);
    command.envs(server().connection("shop")).env("BLOG", &other.password);
    let all = Outcome::of(&command.output().unwrap());
    all.says("✅ 7 databases backed up");
}

#[test]
fn a_name_on_two_servers_is_refused_before_anything_is_made() {
    let (place, other) = (Place::without_docker(), Source::start());
    let text = format!("[[databases]]\nname = \"shop\"\nport = {}\n", other.port);
    configured(&place, &text);
    let outcome = create(&place, server(), &["--all-databases"]);
    assert_eq!(outcome.code, 2, "{outcome}");
    assert!(outcome.stderr.contains("\"shop\" is a database of "), "{outcome}");
    assert_eq!(place.names("."), ["ccc-backup.toml"]);
}

#[test]
fn where_nothing_is_left_or_nobody_answers_that_is_said() {
    let place = Place::without_docker();
    let outcome = create(&place, server(), &["--all-databases", "--exclude-database", "*"]);
    assert_eq!(outcome.code, 2, "{outcome}");
    assert!(outcome.stderr.contains("there is no database to back up"), "{outcome}");
    let outcome = create(&place, server(), &["--all-databases", "--port", "1"]);
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(outcome.stderr.contains("the database server cannot be reached"), "{outcome}");
    let outcome =
        create(&place, server(), &["--all-databases", "--quiet", "--exclude-database", "nope"]);
    assert_eq!((outcome.code, outcome.stdout.as_str(), outcome.stderr.as_str()), (0, "", ""));
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn roles_are_asked_for_once_and_stand_beside_each() {
        let place = Place::without_docker();
        let calls = place.dir().join("calls");
        let real = client("pg_dumpall");
        place.program(
            "bin/pg_dumpall",
            &format!(
                "case \"$*\" in *--globals-only*) echo x >>{} ;; esac; exec {} \"$@\"",
                calls.display(),
                real.display()
            ),
        );
        for name in ["pg_dump", "psql"] {
            place.program(
                &format!("bin/{name}"),
                &format!("exec {} \"$@\"", client(name).display()),
            );
        }
        let pg_dump = place.dir().join("bin/pg_dump");
        let pg_dump = pg_dump.to_str().unwrap();
        created(&place, server(), &["--exclude-database", "closed", "--pg-dump", pg_dump]);
        assert_eq!(std::fs::read_to_string(&calls).unwrap(), "x\n");
        let names = place.names("backups");
        let globals: Vec<_> = names.iter().filter(|name| name.ends_with(".globals.sql")).collect();
        assert_eq!(globals.len(), 6, "{names:?}");
        for name in globals {
            let text = std::fs::read_to_string(place.dir().join("backups").join(name)).unwrap();
            assert!(text.contains("CREATE ROLE walker"), "{text}");
        }
        let place = Place::without_docker();
        created(&place, server(), &["--exclude-database", "closed", "--no-globals"]);
        assert!(!place.names("backups").iter().any(|name| name.contains("globals")));
    }

    #[test]
    fn a_database_that_nobody_lets_us_into_does_not_stop_the_others() {
        let place = Place::without_docker();
        let mut command = place.ccc();
        command.args([
            "create",
            "--all-databases",
            "--report",
            "r.json",
            "--exclude-database",
            "postgres",
        ]);
        command.envs(server().connection("nobody_has_this"));
        let outcome = Outcome::of(
            &command.env("DB_USER", "walker").env("DB_PASSWORD", "w4lk").output().unwrap(),
        );
        assert_eq!(outcome.code, 1, "{outcome}");
        assert!(outcome.stderr.contains("error: closed: no backup was made: "), "{outcome}");
        outcome.says("❌ 6 of 7 databases backed up");
        assert_eq!(backups(&place).len(), 6);
        let report = report(&place, "r.json");
        let entries = report["databases"].as_array().unwrap();
        let bad: Vec<_> = entries.iter().filter(|entry| entry["state"] != "made").collect();
        assert_eq!(
            (bad.len(), &bad[0]["database"], &bad[0]["state"]),
            (1, &"closed".into(), &"not_made".into())
        );
        assert!(bad[0]["cause"].as_str().unwrap().contains("permission denied"), "{report}");
        // Its failure is on record, as that of any other run.
        let history = std::fs::read_to_string(place.dir().join("backups/history.jsonl")).unwrap();
        assert!(history.lines().any(|line| line.contains("\"closed\"") && line.contains("failed")));
    }

    #[test]
    fn a_sealed_backup_tells_no_name_and_is_told_from_the_others_all_the_same() {
        let (place, server) = (Place::without_docker(), Source::start());
        for (rows, name) in (1..).zip(["astronomy", "botany"]) {
            make(&server, name, rows);
        }
        let recipient = crate::sealed::key(&place, "key.txt");
        for _ in 0..2 {
            created(&place, &server, &["--encrypt-to", &recipient, "--format", "custom"]);
            std::thread::sleep(std::time::Duration::from_millis(1100));
        }
        let names = place.names("backups");
        let of: std::collections::BTreeSet<&str> = names
            .iter()
            .filter(|name| name.ends_with(".dump.age"))
            .map(|name| &name[22..])
            .collect();
        assert_eq!(
            (of.len(), names.iter().filter(|name| name.ends_with(".dump.age")).count()),
            (2, 4)
        );
        for name in &names {
            let bytes = std::fs::read(place.dir().join("backups").join(name)).unwrap();
            for told in ["astronomy", "botany"] {
                assert!(!name.contains(told), "{name}");
                assert!(
                    memchr::memmem::find(&bytes, told.as_bytes()).is_none(),
                    "{name} tells {told}"
                );
            }
        }
        let cleaned = place.ccc().args(["cleanup", "--keep-last", "1"]).output().unwrap();
        let cleaned = Outcome::of(&cleaned);
        assert!(cleaned.stdout.contains("Removed: 2 ("), "{cleaned}");
        sql(&server, "postgres", "SELECT 1");
    }
}
