//! What holds a database that is to give its name away: prepared transactions and replication slots, of a server that
//! has both.

use assert_cmd::Command;

use crate::support::source::Source;
use crate::support::{BINARY, Outcome, Place, Running, clean_environment};

const SETTINGS: &str = "wal_level = logical\nmax_wal_senders = 4\nmax_prepared_transactions = 5";

/// A dump of one row, restored within `seconds`.
fn dump(seconds: &str) -> Vec<u8> {
    format!(
        "--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 15.1\n\n\
        CREATE TABLE public.a (id integer);\nSELECT pg_catalog.pg_sleep({seconds});\n\
        COPY public.a (id) FROM stdin;\n1\n\\.\n\n--\n-- PostgreSQL database dump complete\n--\n\n"
    )
    .into_bytes()
}

struct Server(Source);

impl Server {
    fn sql(&self, database: &str, sql: &str) -> String {
        let args = ["-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", sql];
        String::from_utf8(self.0.client("psql", &args)).unwrap().trim().to_owned()
    }

    fn restore(&self, place: &Place, args: &[&str]) -> Outcome {
        let mut command: Command = place.ccc();
        place.outcome(command.arg("restore").args(args).envs(self.0.connection("shop")))
    }

    fn databases(&self) -> String {
        let list = "SELECT string_agg(datname, ',' ORDER BY datname) FROM pg_database WHERE datname LIKE 'shop%'";
        self.sql("postgres", list)
    }

    fn prepare(&self, database: &str, gid: &str) {
        let sql = format!("BEGIN; INSERT INTO kept VALUES (7); PREPARE TRANSACTION '{gid}'");
        self.sql(database, &sql);
    }
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn prepared_transactions_and_replication_slots_hold_the_database_that_they_are_of_and_no_other()
    {
        let place = Place::without_docker();
        place.file("x.sql", &dump("0"));
        place.file("slow.sql", &dump("4"));
        let server = Server(Source::with_settings(SETTINGS));
        for database in ["shop", "other"] {
            server.sql("postgres", &format!("CREATE DATABASE {database}"));
            server.sql(database, "CREATE TABLE kept (id integer)");
        }
        let swap = ["x.sql", "--swap", "--yes"];
        server.prepare("shop", "it''s one");
        let held = server.restore(&place, &swap);
        held.not_restored("the prepared transaction it's one is of the database shop")
            .hints("ROLLBACK PREPARED");
        server.sql("shop", "ROLLBACK PREPARED 'it''s one'");
        for slot in ["slot_1", "slot_2"] {
            server.sql(
                "shop",
                &format!("SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')"),
            );
        }
        let held = server.restore(&place, &swap);
        held.not_restored("the replication slot slot_1 and 1 more is of the database shop")
            .hints("pg_drop_replication_slot");
        let held = server.restore(&place, &["x.sql", "--swap", "--dry-run"]);
        held.not_restored("the replication slot slot_1");
        assert_eq!(server.databases(), "shop");
        server.sql("shop", "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots");
        // Those of another database, and of the whole server, hold nothing.
        // A slot is made when every transaction before it has ended, prepared ones, too.
        server.sql("other", "SELECT pg_create_logical_replication_slot('elsewhere', 'pgoutput')");
        server.prepare("other", "elsewhere");
        server.sql("postgres", "SELECT pg_create_physical_replication_slot('standby')");
        // What comes while the backup is restored is met at the switch: the proven database waits.
        let mut command = std::process::Command::new(BINARY);
        command.env_clear().envs(clean_environment()).current_dir(place.dir());
        command.args(["restore", "slow.sql", "--swap", "--yes"]).envs(server.0.connection("shop"));
        let mut run = Running::spawn(&mut command);
        run.wait_for("Restoring backup (this may take a while)...");
        server.prepare("shop", "late");
        let (held, _) = run.end();
        held.not_restored("the prepared transaction late is of the database shop")
            .hints("--complete");
        assert!(held.stdout.contains("waits for the name"), "{held}");
        assert_eq!(server.sql("shop", "SELECT count(*) FROM kept"), "0");
        let still = server.restore(&place, &["--complete", "--yes"]);
        assert_eq!(still.code, 2, "{still}");
        server.sql("shop", "COMMIT PREPARED 'late'");
        let completed = server.restore(&place, &["--complete", "--yes"]);
        assert_eq!(completed.code, 0, "{completed}");
        assert_eq!(server.sql("shop", "SELECT count(*) FROM a"), "1");
        // And back, where the restored one is held.
        server.sql("shop", "CREATE TABLE kept (id integer)");
        server.prepare("shop", "again");
        let held = server.restore(&place, &["--undo", "--yes"]);
        assert_eq!(held.code, 2, "{held}");
        assert!(held.stderr.contains("the prepared transaction again"), "{held}");
        server.sql("shop", "ROLLBACK PREPARED 'again'");
        let undone = server.restore(&place, &["--undo", "--yes"]);
        assert_eq!(undone.code, 0, "{undone}");
        assert_eq!(server.sql("shop", "SELECT count(*) FROM kept"), "1");
    }
}
