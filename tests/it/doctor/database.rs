//! Configuration, client tools, and the source database.

use super::{doctor, looked};
use crate::support::source::connection;
use crate::support::{Place, database, unchanged_database};

#[test]
fn a_configuration_that_cannot_be_read_is_broken_and_the_rest_is_looked_at_all_the_same() {
    let place = Place::without_docker();
    place.file("ccc-backup.toml", b"[encryption]\nrecipient = [\"age1x\"]\n");
    let looked = looked(&place, doctor(&place).envs(connection(unchanged_database())));
    looked.ends(1);
    looked.says("configuration.file", "broken", "line 2: unknown field `recipient`");
    looked.mends("configuration.file", "did you mean recipients?");
    looked.says("source.connection", "works", "").says(
        "keys.recipients",
        "unknown",
        "cannot be read",
    );
}

#[test]
fn client_tools_that_are_missing_or_are_others_are_named_with_what_brings_them() {
    let place = Place::without_docker();
    let nowhere = looked(&place, doctor(&place).args(["--pg-dump", "/nowhere/pg_dump"]));
    nowhere.ends(1).says("tools.pg_dump", "broken", "pg_dump not found: /nowhere/pg_dump");
    nowhere.mends("tools.pg_dump", "apt install postgresql-client");
    place.program("bin/pg_dump", "echo 'pg_dump (PostgreSQL) 15.18'");
    place.program("bin/pg_restore", "echo 'something else'");
    let others =
        looked(&place, doctor(&place).args(["--pg-dump", "bin/pg_dump", "--host", "/nowhere"]));
    others.ends(1).says("tools.pg_dump", "works", "15.18");
    others.says("tools.pg_restore", "broken", "is no pg_restore: it says \"something else\"");
    // Where only backups of others are verified, there need be none.
    let none = looked(
        &place,
        doctor(&place).env("PATH", "/nowhere").env("CCC_BACKUP_PG_DUMP", "no-pg_dump"),
    );
    none.says("tools.pg_dump", "broken", "no-pg_dump").says(
        "source.connection",
        "not_set_up",
        "nobody names",
    );
}

#[test]
fn a_source_that_does_not_let_us_in_is_broken_for_its_own_reason() {
    let place = Place::without_docker();
    let database = connection(unchanged_database());
    let with = |name: &'static str, value: &str| {
        let mut command = doctor(&place);
        command.envs(database.clone()).env(name, value);
        looked(&place, &mut command)
    };
    for (name, value, words, mend) in [
        ("DB_HOST", "/nowhere", "cannot be reached", "--host"),
        ("DB_NAME", "no_such_database", "no_such_database", "--dbname"),
        ("DB_USER", "no_such_role", "", "--username"),
        ("DB_PASSWORD", "wr0ng", "does not accept", "DB_PASSWORD"),
        ("DB_PORT", "many", "the port many is not a number", "5432"),
    ] {
        let looked = with(name, value);
        looked.ends(1).says("source.connection", "broken", words).mends("source.connection", mend);
        assert!(!looked.outcome.stdout.contains("wr0ng"), "{}", looked.outcome);
    }
}

#[test]
fn tables_that_the_role_may_not_read_are_named() {
    let (place, database) = (Place::without_docker(), database());
    let role = format!("it_doctor_{}", std::process::id());
    database.sql(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'x'; GRANT USAGE ON SCHEMA analytics TO {role};
         GRANT SELECT ON ALL TABLES IN SCHEMA public, analytics TO {role};
         REVOKE SELECT ON subscriptions FROM {role};"
    ));
    let mut command = doctor(&place);
    command.envs(connection(&database)).env("DB_USER", &role).env("DB_PASSWORD", "x");
    let looked = looked(&place, &mut command);
    database.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    looked.ends(1).says("source.connection", "works", &role);
    looked.says("source.rights", "broken", "1 table cannot be read whole: public.subscriptions");
    looked.mends("source.rights", "pg_read_all_data");
}

/// Client tools of this version, and a source of another one whose clock says this.
fn made_up(place: &Place, tools: &str, server: u32, now_ms: i64) {
    for name in ["pg_dump", "pg_restore", "pg_dumpall"] {
        place.program(&format!("bin/{name}"), &format!("echo '{name} (PostgreSQL) {tools}'"));
    }
    let facts = format!(
        "{{\"database\":\"d\",\"user\":\"u\",\"server_version\":\"{server}.1\",\"server_version_num\":{server}0001,\
         \"encoding\":\"UTF8\",\"collate\":\"C\",\"ctype\":\"C\",\"locale_provider\":\"libc\",\"locale\":null,\
         \"database_bytes\":null,\"time_zone\":\"UTC\",\"bytea_output\":\"hex\",\"unsound\":[],\"now_ms\":{now_ms}}}"
    );
    let script = format!(
        "case \"$*\" in --version) echo 'psql (PostgreSQL) {tools}' ;;\n\
         *pg_extension*) echo '{{\"extensions\":[\"plpgsql\",\"no_such_extension\"]}}'; echo '{{\"tables\":[]}}' ;;\n\
         *) echo db; echo 5432; echo '{facts}' ;; esac"
    );
    place.program("bin/psql", &script);
}

#[test]
fn tools_that_do_not_fit_the_server_and_clocks_that_differ_are_worth_a_word() {
    let place = Place::without_docker();
    made_up(&place, "15.18", 99, 0);
    let named = ["--pg-dump", "bin/pg_dump", "--host", "db"];
    let older = looked(&place, doctor(&place).args(named));
    older.ends(1).says(
        "source.pg_dump",
        "broken",
        "15.18 is older than the server, which is PostgreSQL 99.1",
    );
    older.says("source.clock", "remark", "ahead of the server's");
    older.mends("source.clock", "timedatectl");
    // No server of this machine is as new as that.
    older.says("sandbox.engine", "broken", "no PostgreSQL server of version 99 or newer");
    older.mends("sandbox.engine", "apt install postgresql-99");

    let path = format!("{}:/usr/bin:/bin", place.dir().join("bin").display());
    let from_image = looked(&place, doctor(&place).args(["--host", "db"]).env("PATH", &path));
    from_image.says("source.pg_dump", "remark", "create takes one of an image (postgres:99)");
    made_up(&place, "17.2", 15, i64::MAX / 1_000_000);
    let newer = looked(&place, doctor(&place).args(["--host", "db"]).env("PATH", &path));
    newer.says("source.pg_dump", "works", "create takes /usr/");
    newer.says("source.clock", "remark", "behind the server's");
}

#[test]
fn extensions_that_the_throwaway_server_lacks_are_named() {
    let place = Place::without_docker();
    made_up(&place, "15.18", 15, 0);
    let mut command = place.ccc();
    command.args(["doctor", "--engine", "local", "--host", "db", "--pg-dump", "bin/pg_dump"]);
    let looked = looked(&place, command.env("CCC_BACKUP_IMAGE", ""));
    looked.ends(1).says("sandbox.start", "works", "and is gone");
    looked.says(
        "sandbox.extensions",
        "broken",
        "the source has no_such_extension, and this server has not",
    );
    looked.mends("sandbox.extensions", "install it");
}
