//! Backups whose own event triggers write: what they add while the backup is restored is told and
//! not held against it, and what is wrong beside it still is.

use crate::support::dumps::position;
use crate::support::{Database, Outcome, Place, database};

/// A log that an event trigger keeps, with two rows that the backup holds. A restore adds one row for
/// each of the two materialized views, which are refreshed after the event trigger is made.
const LOG: &str = "
    CREATE TABLE ddl_log (
        id integer GENERATED ALWAYS AS IDENTITY,
        at timestamptz NOT NULL DEFAULT clock_timestamp(),
        tag text NOT NULL
    );
    INSERT INTO ddl_log (at, tag) VALUES ('2026-01-14 02:00:00Z', 'one'), ('2026-01-14 02:00:01Z', 'two');
    CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM users;
    CREATE FUNCTION logs() RETURNS event_trigger LANGUAGE plpgsql AS
        'BEGIN INSERT INTO public.ddl_log (tag) VALUES (tg_tag); END';
    CREATE EVENT TRIGGER logs ON ddl_command_end EXECUTE FUNCTION logs();
    ALTER EVENT TRIGGER logs ENABLE ALWAYS;";

const WARNING: &str =
    "warning: 2 rows added to public.ddl_log by the backup's own event triggers: not compared";

fn with_log() -> Database {
    let database = database();
    database.sql(LOG);
    database
}

/// A dump of it, with more SQL before the rows of the log.
fn dump_with(sql: &str) -> Vec<u8> {
    let dump = with_log().dump(&[]);
    let at = position(&dump, "\nCOPY public.ddl_log ") + 1;
    [&dump[..at], sql.as_bytes(), &dump[at..]].concat()
}

/// A trigger that does this with every row of the log that the backup brings.
fn on_load(body: &str) -> String {
    format!(
        "CREATE FUNCTION public.on_load() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN {body} END';\n\
         CREATE TRIGGER on_load BEFORE INSERT ON public.ddl_log FOR EACH ROW EXECUTE FUNCTION \
         public.on_load();\n"
    )
}

#[track_caller]
fn passes_with_the_warning(outcome: &Outcome) {
    outcome.passed();
    assert_eq!(outcome.stderr.lines().filter(|line| *line == WARNING).count(), 1, "{outcome}");
}

#[test]
fn rows_that_the_backups_own_event_triggers_add_are_told_and_not_held_against_it() {
    let (place, dump) = (Place::on_a_lent_server(), with_log().dump(&["--clean", "--if-exists"]));
    passes_with_the_warning(&place.verify_bytes("a.sql", &dump));
    for more in [&["--jobs", "1"][..], &["--no-content"]] {
        passes_with_the_warning(&place.outcome(place.verify().arg("a.sql").args(more)));
    }
}

#[test]
fn event_triggers_that_write_nothing_give_no_warning() {
    let database = database();
    database.sql(
        "CREATE FUNCTION sees() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
         CREATE EVENT TRIGGER sees ON ddl_command_end EXECUTE FUNCTION sees();",
    );
    let outcome = Place::on_a_lent_server().verify_bytes("a.sql", &database.dump(&[]));
    outcome.passed();
    assert!(!outcome.stderr.contains("event trigger"), "{outcome}");
}

#[test]
fn a_row_that_is_lost_fails_though_event_triggers_add_others() {
    let thief = on_load("IF NEW.tag = ''one'' THEN RETURN NULL; END IF; RETURN NEW;");
    let outcome = Place::on_a_lent_server().verify_bytes("a.sql", &dump_with(&thief));
    outcome.failed("public.ddl_log: expected 2 rows, found 3");
    assert!(!outcome.stderr.contains("event trigger"), "{outcome}");
}

#[test]
fn a_value_that_is_changed_fails_though_event_triggers_add_rows() {
    let forger = on_load("NEW.tag := lower(NEW.tag) || ''!''; RETURN NEW;");
    let outcome = Place::on_a_lent_server().verify_bytes("a.sql", &dump_with(&forger));
    outcome.failed("public.ddl_log: restored values differ from the dump");
}

#[test]
fn a_row_that_somebody_else_adds_fails_though_event_triggers_add_others() {
    let guest = "INSERT INTO public.ddl_log (tag) OVERRIDING USER VALUE VALUES ('guest');\n";
    let outcome = Place::on_a_lent_server().verify_bytes("a.sql", &dump_with(guest));
    outcome.failed("public.ddl_log: expected 2 rows, found 5");
}

#[test]
fn a_sequence_that_moves_fails_though_event_triggers_add_rows_to_another_table() {
    let database = with_log();
    database.sql(
        "CREATE SEQUENCE tickets;
         CREATE MATERIALIZED VIEW drawn AS SELECT nextval('tickets') AS ticket;",
    );
    let outcome = Place::on_a_lent_server().verify_bytes("a.sql", &database.dump(&[]));
    outcome.failed("public.tickets: expected 1 (called) by the dump, found 2 (called)");
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn the_same_holds_for_an_archive_and_for_a_dump_that_makes_its_database() {
        let (place, database) = (Place::on_a_lent_server(), with_log());
        let made = place.outcome(place.create(&database).args(["a.dump", "--format", "custom"]));
        assert_eq!(made.code, 0, "{made}");
        // Several workers may refresh the views before the event trigger is made.
        place.outcome(place.verify().arg("a.dump")).passed();
        passes_with_the_warning(&place.outcome(place.verify().args(["a.dump", "--jobs", "1"])));
        let outcome = place.verify_bytes("b.sql", &database.dump(&["--create"]));
        outcome.passed();
        assert!(outcome.stderr.contains("2 rows added to public.ddl_log by"), "{outcome}");
    }

    #[test]
    fn a_value_in_another_time_zone_is_still_equal_beside_added_rows() {
        let database = with_log();
        database.sql(&format!("ALTER DATABASE {} SET timezone = 'Asia/Kathmandu'", database.name));
        passes_with_the_warning(
            &Place::on_a_lent_server().verify_bytes("a.sql", &database.dump(&[])),
        );
    }
}
