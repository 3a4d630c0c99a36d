//! Dumps that make their databases by themselves: `pg_dump --create`, `pg_dumpall`.

use std::sync::OnceLock;

use crate::support::dumps::position;
use crate::support::source::{Source, client};
use crate::support::{Place, text, unchanged_database};

const NO_APPLICATION: &[u8] = b"[checks]\ntables = []\nmigrations = \"none\"\n";

/// What pg_dumpall writes of a server with two databases and some roles.
fn cluster() -> &'static [u8] {
    static DUMP: OnceLock<Vec<u8>> = OnceLock::new();
    DUMP.get_or_init(|| {
        let mut server = Source::start();
        let psql = |database: &str, sql: &str| {
            server.client("psql", &["-Xqv", "ON_ERROR_STOP=1", "-d", database, "-c", sql])
        };
        psql(
            "postgres",
            "CREATE ROLE app LOGIN PASSWORD 'x'; ALTER ROLE postgres PASSWORD 'other'",
        );
        server.password = "other".into();
        for (name, rows) in [("shop", 100), ("restore_test", 200), ("Odd \"Name\"", 300)] {
            server.client("createdb", &["--owner", "app", "--", name]);
            let made = format!(
                "CREATE TABLE items (id serial PRIMARY KEY, name text);
                 INSERT INTO items (name) SELECT 'item ' || n FROM generate_series(1, {rows}) n;
                 ALTER TABLE items OWNER TO app; GRANT SELECT ON items TO PUBLIC;
                 SELECT lo_from_bytea(0, 'large');",
            );
            let mut psql = std::process::Command::new(client("psql"));
            psql.args(["-Xqv", "ON_ERROR_STOP=1", "-c", &made]).env("PGDATABASE", name);
            let output = psql.envs(server.libpq()).output().unwrap();
            assert!(output.status.success(), "{}", text(&output.stderr));
        }
        let args: [&str; 0] = [];
        server.client("pg_dumpall", &args)
    })
}

#[test]
fn a_dump_that_creates_its_database_passes() {
    let place = Place::on_a_lent_server();
    let dump = unchanged_database().dump(&["--create"]);
    let outcome = place.verify_bytes("a.sql", &dump);
    outcome.passed().says("✓ Contents match the backup (25 tables)");
}

#[test]
fn every_database_of_a_cluster_is_restored_and_proven() {
    let place = Place::on_a_lent_server();
    place.file("own.toml", NO_APPLICATION);
    place.file("all.sql", cluster());
    let outcome = place.outcome(place.verify().args(["all.sql", "--config", "own.toml"]));
    outcome.passed();
    assert!(outcome.stdout.contains("✓ Backup is complete: 600 rows in 3 tables"), "{outcome}");
    for (name, rows) in [("shop", 100), ("restore_test", 200), ("Odd \"Name\"", 300)] {
        outcome.says(&format!("✓ {name}: Rows match the backup (1 table, {rows} rows)"));
        outcome.says(&format!("✓ {name}: Contents match the backup (1 table)"));
    }
}

#[test]
fn a_row_that_a_database_of_a_cluster_loses_fails() {
    let place = Place::on_a_lent_server();
    place.file("own.toml", NO_APPLICATION);
    let dump = cluster();
    // The trigger takes one row of 300 away while they are restored.
    let thief = "CREATE FUNCTION public.thief() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                 RETURN CASE WHEN NEW.id = 7 THEN NULL ELSE NEW END; END $$;\n\
                 CREATE TRIGGER thief BEFORE INSERT ON public.items FOR EACH ROW \
                 EXECUTE FUNCTION public.thief();\n";
    let database = position(dump, "\\connect shop\n");
    let at = database + position(&dump[database..], "\nCOPY public.items") + 1;
    place.file("all.sql", &[&dump[..at], thief.as_bytes(), &dump[at..]].concat());
    let outcome = place.outcome(place.verify().args(["all.sql", "--config", "own.toml"]));
    outcome.failed("shop: Rows");
    outcome.says("✓ restore_test: Rows match the backup (1 table, 200 rows)");
}

#[test]
fn a_warning_about_a_database_of_a_cluster_names_it() {
    let place = Place::on_a_lent_server();
    place.file("own.toml", &[NO_APPLICATION, b"sequences = \"warn\"\n"].concat());
    let dump = cluster();
    let database = position(dump, "\\connect shop\n");
    let end = database + position(&dump[database..], "-- PostgreSQL database dump complete");
    let more = b"\nINSERT INTO public.items VALUES (1000, 'ahead of its sequence');\n";
    place.file("all.sql", &[&dump[..end], &more[..], &dump[end..]].concat());
    let outcome = place.outcome(place.verify().args(["all.sql", "--config", "own.toml"]));
    assert!(outcome.stderr.contains("warning: shop: "), "{outcome}");
}

#[test]
fn a_connection_to_a_database_that_nobody_made_fails() {
    let place = Place::on_a_lent_server();
    let dump = unchanged_database().dump(&["--create"]);
    let made = position(&dump, "\nCREATE DATABASE ") + 1;
    let end = made + position(&dump[made..], ";\n") + 2;
    let outcome = place.verify_bytes("a.sql", &[&dump[..made], &dump[end..]].concat());
    outcome.failed("does not exist");
}

/// A server whose databases are in several encodings and time zones.
fn mixed() -> &'static Source {
    static SERVER: OnceLock<Source> = OnceLock::new();
    SERVER.get_or_init(|| {
        let server = Source::start();
        let latin = ["--encoding", "LATIN1", "--locale", "C", "--template", "template0", "latin"];
        server.client("createdb", &latin);
        for (name, zone) in
            [("utc", "UTC"), ("nepal", "Asia/Kathmandu"), ("latin", "Europe/Berlin")]
        {
            if name != "latin" {
                server.client("createdb", &[name]);
            }
            let zoned = format!("ALTER DATABASE {name} SET timezone = '{zone}'");
            let made = "CREATE TABLE \"été\" (\"é\" text, at timestamptz);
                        INSERT INTO \"été\" VALUES ('Å', '2026-07-01 00:00:00+00'),
                                                   ('ß', '2026-01-01 12:34:56+00')";
            server.client(
                "psql",
                &["-Xqd", name, "-c", &zoned, "-c", "SET client_encoding = 'UTF8'", "-c", made],
            );
        }
        server
    })
}

#[test]
fn the_databases_of_a_cluster_may_differ_in_encoding_and_time_zone() {
    let place = Place::on_a_lent_server();
    place.file("own.toml", NO_APPLICATION);
    place.file("all.sql", &mixed().client("pg_dumpall", &[]));
    let outcome = place.outcome(place.verify().args(["all.sql", "--config", "own.toml"]));
    outcome.passed();
    for name in ["utc", "nepal", "latin"] {
        outcome.says(&format!("✓ {name}: Rows match the backup (1 table, 2 rows)"));
        outcome.says(&format!("✓ {name}: Contents match the backup (1 table)"));
    }
}

#[test]
fn a_changed_value_in_one_encoding_of_a_cluster_fails() {
    let place = Place::on_a_lent_server();
    place.file("own.toml", NO_APPLICATION);
    let dump = mixed().client("pg_dumpall", &[]);
    let database = position(&dump, "\\connect latin\n");
    let end = database + position(&dump[database..], "-- PostgreSQL database dump complete");
    // After the rows, so that they are restored as they are in the dump, and changed then.
    let changed = b"\nSET client_encoding = 'LATIN1';\n\
                    UPDATE public.\"\xe9t\xe9\" SET \"\xe9\" = 'x' WHERE \"\xe9\" = '\xc5';\n";
    place.file("all.sql", &[&dump[..end], &changed[..], &dump[end..]].concat());
    let outcome = place.outcome(place.verify().args(["all.sql", "--config", "own.toml"]));
    outcome.failed("latin: Contents do not match the backup: public.été");
    outcome.says("✓ nepal: Contents match the backup (1 table)");
}

#[test]
fn a_database_that_is_created_twice_fails_also_where_its_locale_is_missing() {
    let place = Place::on_a_lent_server();
    place.file("own.toml", NO_APPLICATION);
    let create = "CREATE DATABASE shop WITH TEMPLATE = template0 ENCODING = 'UTF8' \
                  LOCALE = 'xx_XX.UTF-8';\n";
    let verified = |again: &str| {
        let dump = format!(
            "--\n-- PostgreSQL database dump\n--\n\n{create}{again}\\connect shop\n\
             CREATE TABLE public.t (a int);\n\n--\n-- PostgreSQL database dump complete\n--\n"
        );
        place.file("all.sql", dump.as_bytes());
        place.outcome(place.verify().args(["all.sql", "--config", "own.toml", "--no-content"]))
    };
    let once = verified("");
    assert!(once.stdout.contains("(1 harmless error passed over)"), "{once}");
    assert!(!once.stdout.contains("restore error"), "{once}");
    verified(create).failed("restore error: line 6: invalid locale name");
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn a_question_goes_to_the_database_of_a_cluster_that_it_names() {
        let place = Place::on_a_lent_server();
        place.file("all.sql", cluster());
        let check = |name: &str, database: &str, rows: u32| {
            format!(
                "[[checks.sql]]\nname = \"{name}\"\nquery = \"SELECT count(*) FROM items\"\nexpect = {rows}\n\
             {database}\n"
            )
        };
        let config = |checks: &[String]| {
            let text = format!("{}{}", String::from_utf8_lossy(NO_APPLICATION), checks.concat());
            place.file("own.toml", text.as_bytes());
            place.outcome(place.verify().args(["all.sql", "--config", "own.toml"]))
        };
        let shop = check("shop", "database = \"shop\"\nrole = \"app\"", 100);
        let odd = check("odd", "database = \"Odd \\\"Name\\\"\"", 300);
        let outcome = config(&[shop.clone(), odd]);
        outcome.passed().says("✓ shop (100)").says("✓ odd (300)");
        let outcome = config(&[shop, check("gone", "database = \"gone\"", 1)]);
        outcome.failed("gone: database \"gone\" does not exist");
    }

    #[test]
    fn every_way_in_which_pg_dumpall_writes_a_cluster_passes() {
        let place = Place::on_a_lent_server();
        place.file("own.toml", &[NO_APPLICATION, b"data = \"none\"\n"].concat());
        for flags in [
            &["--clean"][..],
            &["--clean", "--if-exists"],
            &["--no-role-passwords", "--inserts"],
            &["--schema-only"],
            &["--globals-only"],
        ] {
            place.file("all.sql", &mixed().client("pg_dumpall", flags));
            let outcome = place.outcome(place.verify().args(["all.sql", "--config", "own.toml"]));
            assert_eq!(outcome.code, 0, "pg_dumpall {flags:?}: {outcome}");
        }
    }
}
