//! The switch: beside, proven, then renamed.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Named, databases, restore, sql};
use crate::support::source::{client, source};
use crate::support::{Place, unchanged_database};

fn backup(place: &Place) {
    place.create(unchanged_database()).args(["x.sql.gz"]).assert().success();
}

/// The name that the old database has after a switch.
fn before(named: &Named) -> String {
    databases(&format!("{}_before_", named.0)).pop().unwrap()
}

#[test]
fn what_belongs_to_the_database_comes_along_and_the_old_one_can_have_its_name_back() {
    let place = Place::without_docker();
    backup(&place);
    let named = Named::filled("belongings");
    let database = &named.0;
    let role = super::name("belonging");
    sql("postgres", &format!("CREATE ROLE {role}; CREATE ROLE {role}_2"));
    for change in [
        "ALTER DATABASE {} SET work_mem = '33MB'",
        "ALTER DATABASE {} SET search_path = \"$user\", public, \"it's\"",
        "ALTER ROLE {role} IN DATABASE {} SET app.tenant = 'a,b'",
        "COMMENT ON DATABASE {} IS 'the shop''s'",
        "ALTER DATABASE {} CONNECTION LIMIT 50",
        "REVOKE ALL ON DATABASE {} FROM PUBLIC",
        "GRANT CONNECT ON DATABASE {} TO {role} WITH GRANT OPTION",
        "ALTER DATABASE {} OWNER TO {role}_2",
    ] {
        sql("postgres", &change.replace("{}", database).replace("{role}", &role));
    }
    let belongings = |database: &str| {
        let ask = format!(
            "SELECT datconnlimit, pg_get_userbyid(datdba), datacl, (SELECT array_agg(setconfig::text \
             ORDER BY setconfig::text) FROM pg_db_role_setting WHERE setdatabase = d.oid) \
             FROM pg_database d WHERE datname = '{database}'"
        );
        sql("postgres", &ask)
    };
    let comment = |database: &str| {
        sql(
            "postgres",
            &format!(
                "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '{database}'"
            ),
        )
    };
    let had = belongings(database);
    assert!(had.contains("work_mem=33MB") && had.contains("50|"), "{had}");
    let outcome = restore(&place, database, &["x.sql.gz", "--swap", "--yes"]);
    outcome.restored(database);
    assert!(!outcome.stderr.contains("not taken over"), "{outcome}");
    assert_eq!((belongings(database), comment(database)), (had.clone(), "the shop's".to_owned()));
    assert_eq!(sql(database, "SELECT count(*) > 0 FROM users"), "t");
    assert_eq!(sql(&before(&named), "SELECT count(*) FROM kept"), "3");
    let outcome = restore(&place, database, &["--undo", "--yes"]);
    assert_eq!(outcome.code, 0, "{outcome}");
    assert_eq!((belongings(database), comment(database)), (had, "the shop's".to_owned()));
    assert_eq!(sql(database, "SELECT count(*) FROM kept"), "3");
    assert_eq!(databases(&named.0).len(), 2, "the restored one is kept");
    for database in databases(&named.0) {
        sql("postgres", &format!("DROP DATABASE \"{database}\""));
    }
    sql("postgres", &format!("DROP ROLE {role}, {role}_2"));
}

#[test]
fn sessions_are_not_ended_unasked_and_the_switch_can_be_done_or_dropped_later() {
    let place = Place::without_docker();
    backup(&place);
    let named = Named::filled("sessions");
    let database = named.0.as_str();
    let mut session = Command::new(client("psql"))
        .args(["-Xqd", database, "-c", "SELECT pg_sleep(60)"])
        .envs(source().libpq())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let sessions = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}'");
    while sql("postgres", &sessions) != "1" {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let ask = || restore(&place, database, &["x.sql.gz", "--swap"]);
    ask().not_restored("nobody is there to be asked").hints("--complete --yes");
    assert_eq!(sql(database, "SELECT count(*) FROM kept"), "3");
    assert_eq!(databases(&named.0).len(), 2);
    // What was proven is not restored once more by mistake.
    ask().not_restored("waits for the name").hints("restore --undo");
    let dropped = restore(&place, database, &["--undo"]);
    assert_eq!(dropped.code, 0, "{dropped}");
    assert_eq!(databases(&named.0), [database]);
    ask().not_restored("nobody is there to be asked");
    let completed = restore(&place, database, &["--complete", "--yes"]);
    assert_eq!(completed.code, 0, "{completed}");
    assert_eq!(sql(database, "SELECT count(*) > 0 FROM users"), "t");
    assert_eq!(sql(&before(&named), "SELECT count(*) FROM kept"), "3");
    assert!(!session.wait().unwrap().success(), "its session was ended");
    let nothing = restore(&place, database, &["--complete"]);
    assert_eq!(nothing.code, 2, "{nothing}");
    nothing.hints("restore --latest --swap");
}

#[test]
fn a_client_that_reconnects_at_once_does_not_spoil_the_switch() {
    let place = Place::without_docker();
    backup(&place);
    let named = Named::filled("reconnect");
    let database = named.0.as_str();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let insert = "INSERT INTO kept SELECT 4; SELECT pg_sleep(5)";
                    let mut psql = Command::new(client("psql"));
                    psql.args(["-Xqd", database, "-c", insert]).envs(source().libpq());
                    psql.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
                }
            });
        }
        let outcome = restore(&place, database, &["x.sql.gz", "--swap", "--yes"]);
        done.store(true, Ordering::Relaxed);
        outcome.restored(database);
    });
    assert_eq!(sql(database, "SELECT count(*) > 0 FROM users"), "t");
    assert_eq!(sql(&before(&named), "SELECT count(*) >= 3 FROM kept"), "t");
}

#[test]
fn a_name_of_63_bytes_can_be_switched_and_taken_back() {
    let place = Place::without_docker();
    backup(&place);
    let named = Named::filled(&format!("{}ä", "x".repeat(40)));
    let database = format!("{}{}", named.0, "y".repeat(63 - named.0.len()));
    sql("postgres", &format!("ALTER DATABASE \"{}\" RENAME TO \"{database}\"", named.0));
    restore(&place, &database, &["x.sql.gz", "--swap", "--yes"]).restored(&database);
    let undone = restore(&place, &database, &["--undo", "--yes"]);
    assert_eq!(undone.code, 0, "{undone}");
    assert_eq!(sql(&database, "SELECT count(*) FROM kept"), "3");
    for left in databases("r_xxxxxxxx") {
        sql("postgres", &format!("DROP DATABASE \"{left}\""));
    }
}
