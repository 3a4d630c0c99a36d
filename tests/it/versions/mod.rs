//! Every major version of PostgreSQL that can be had, as a server, as the pg_dump of a backup, and as what a backup is restored
//! into. `make test` has 15 and 17, `make test-long` all of [`majors`], and fails where one is missing.

mod of_servers;
mod old_dumps;

use std::process::Command;

use crate::support::dumps::{AS_CREATE_DOES, position, rows_of, without_restriction};
use crate::support::source::client;
use crate::support::torture::NO_APPLICATION;
use crate::support::versions::{Server, majors};
use crate::support::{Place, length};

/// A name of a backup, and pg_dump's name of its format.
const FORMATS: [(&str, &str); 4] =
    [("a.sql", "plain"), ("a.dump", "custom"), ("a.dir", "directory"), ("a.tar", "tar")];

/// The version of the client tools that infra/setup.sh installs.
const OF_THIS_MACHINE: u32 = 15;

/// Bytes before the end of an archive of the application that are compressed rows.
const IN_ITS_ROWS: usize = 20_000;

/// Tables in parts, and whole.
const LARGE: &str = "CREATE TABLE large AS SELECT n, repeat(md5(n::text), 15) AS filler
                         FROM generate_series(1, 60000) n;
                     CREATE TABLE computed (a int, b int GENERATED ALWAYS AS (a * 2) STORED, c text);
                     INSERT INTO computed (a, c) SELECT n, 'c' FROM generate_series(1, 1000) n";

/// Debian's 15.20 and 17.12 do, and their own pg_dump leaves them out. Others write them, and servers of other versions refuse
/// them.
fn sets_parameters_of_its_own(server: &Server) -> bool {
    let count = "SELECT count(*) FROM pg_attribute WHERE attoptions::text LIKE '%pg_attver%'";
    server.sql("app", count) != "0"
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn what_the_pg_dump_of_each_version_writes_passes_in_that_version_and_fails_where_it_is_broken()
    {
        for &major in majors() {
            let server = Server::with_the_application(major, "own");
            let place = Place::on_a_lent_server();
            let verified = |name: &str| place.outcome(place.verify_by_version().arg(name));
            for (name, format) in FORMATS {
                server.dump(major, "app", &place, name, &["--format", format]);
                let outcome = verified(name);
                outcome.passed().says(&format!("Starting PostgreSQL {major} container..."));
                outcome.says("✓ Contents match the backup (25 tables)");
            }
            let plain = std::fs::read(place.dir().join("a.sql")).unwrap();
            place.file("cut.sql", &plain[..plain.len() / 2]);
            verified("cut.sql").failed("");
            let table = position(&plain, "\nCREATE TABLE public.users (");
            let end = table + position(&plain[table..], "\n);\n") + 4;
            place.file("lost.sql", &[&plain[..table], &plain[end..]].concat());
            verified("lost.sql").failed("relation \"public.users\" does not exist");
            let mut archive = std::fs::read(place.dir().join("a.dump")).unwrap();
            place.file("cut.dump", &archive[..archive.len() / 2]);
            verified("cut.dump").failed("it is cut");
            let at = archive.len() - IN_ITS_ROWS;
            archive[at..at + 16].fill(0xff);
            place.file("flipped.dump", &archive);
            verified("flipped.dump").failed("pg_restore cannot read the archive");
        }
    }

    #[test]
    fn what_create_makes_of_a_server_of_each_version_is_proven_and_comes_back_by_restore() {
        for &major in majors() {
            let server = Server::with_the_application(major, "create");
            let place = Place::on_a_lent_server();
            for (name, args) in [("a.sql", &["--compress", "none"][..]), ("a.dump", &[])] {
                let mut create = place.ccc();
                create.arg("create").arg(name).args(args).envs(server.connection("app"));
                let made = place.outcome(&mut create);
                assert_eq!(made.code, 0, "{major}: {made}");
                let outcome = place.outcome(place.verify_by_version().arg(name));
                outcome.passed().says(&format!("Starting PostgreSQL {major} container..."));
                // Of an older server, the archive is by this machine's pg_dump and restored by the server's own pg_restore.
                let by_another = name == "a.dump" && major < OF_THIS_MACHINE;
                let said = match by_another {
                    true => "Not proven: statements against the manifest",
                    false => "✓ Statements match the manifest",
                };
                assert!(outcome.stdout.contains(said), "{said}: {outcome}");
            }
            let mut restore = place.ccc();
            restore.args(["restore", "a.sql"]).envs(server.connection("again"));
            let restored = place.outcome(&mut restore);
            assert_eq!(restored.code, 0, "{major}: {restored}");
            restored.says("✓ Contents match the backup (25 tables)");
            let count = "SELECT count(*) FROM users";
            assert_eq!(server.sql("again", count), server.sql("app", count));

            let mut dump = std::fs::read(place.dir().join("a.sql")).unwrap();
            let rows = rows_of(&dump, "users");
            let first = position(&dump[rows.start..], "\n") + 1;
            dump.drain(rows.start..rows.start + first);
            place.file("a.sql", &dump);
            let outcome = place.outcome(place.verify_by_version().arg("a.sql"));
            outcome.failed("the manifest belongs to another file");
        }
    }

    #[test]
    fn several_connections_write_what_pg_dump_writes_of_a_server_of_each_version_before() {
        for &major in majors().iter().filter(|major| **major <= OF_THIS_MACHINE) {
            let server = Server::with_the_application(major, "jobs");
            server.sql("app", LARGE);
            let place = Place::without_docker();
            let mut create = place.ccc();
            create.args(["create", "a.sql", "--compress=none", "--jobs=3"]);
            let made = place.outcome(create.envs(server.connection("app")));
            assert_eq!(made.code, 0, "{major}: {made}");
            assert!(!made.stderr.contains("--jobs"), "{major}: {made}");
            let mut pg_dump = Command::new(client("pg_dump"));
            pg_dump.args(AS_CREATE_DOES).args(["-d", "app"]).envs(server.libpq());
            let expected = pg_dump.output().unwrap().stdout;
            let dump = std::fs::read(place.dir().join("a.sql")).unwrap();
            assert!(without_restriction(&dump) == without_restriction(&expected), "{major}");
        }
    }

    #[test]
    fn what_every_newer_pg_dump_writes_of_an_older_server_passes() {
        for &major in majors() {
            let newer: Vec<u32> = majors().iter().copied().filter(|by| *by > major).collect();
            if newer.is_empty() {
                continue;
            }
            let server = Server::with_the_application(major, "newer");
            let place = Place::on_a_lent_server();
            for by in newer {
                for (name, format) in FORMATS {
                    server.dump(by, "app", &place, name, &["--format", format]);
                    let outcome = place.outcome(place.verify_by_version().arg(name));
                    if outcome.code == 2 && sets_parameters_of_its_own(&server) {
                        outcome.not_verified("the parameter pg_attver of columns");
                        continue;
                    }
                    assert_eq!(outcome.code, 0, "{format} of {major} by {by}: {outcome}");
                    outcome.passed().says("✓ Contents match the backup (25 tables)");
                }
            }
        }
    }

    /// The torture database needs ICU and lz4, which the wheels of 14 and 16 are built without, and what came with 15.
    #[test]
    fn a_backup_of_everything_that_a_newer_version_has_passes_in_that_version() {
        for &major in length(&[17][..], &[17, 18, 19]) {
            let server = Server::start(major, "torture");
            server.make("torture", "tests/fixtures/torture.sql");
            let place = Place::on_a_lent_server();
            place.file("ccc-backup.toml", NO_APPLICATION);
            for (name, format) in FORMATS {
                server.dump(major, "torture", &place, name, &["--format", format]);
                let outcome = place.outcome(place.verify_by_version().arg(name));
                assert_eq!(outcome.code, 0, "{format} of {major}: {outcome}");
                outcome.passed().says(&format!("Starting PostgreSQL {major} container..."));
                assert!(
                    outcome.stdout.contains("✓ Contents match the backup (121 tables)"),
                    "{outcome}"
                );
            }
        }
    }
}
