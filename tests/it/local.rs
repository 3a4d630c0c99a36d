//! `--engine local`: the machine's own PostgreSQL, as a user without rights, and the backup as a
//! role that is no superuser.

use std::path::PathBuf;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};

use crate::sandbox::SWEEPING;
use crate::support::dumps::{rows, rows_of, with_rows, with_sql_first, with_sql_last};
use crate::support::engine::text_of_root;
use crate::support::local::{left, runs, server_of};
use crate::support::mounts::{left_on_the_disk, on_a_disk};
use crate::support::running::Running;
use crate::support::source::{database, unchanged_database};
use crate::support::{IMAGE_VARIABLE, Outcome, Place, SOON, good_dump, text, wait_until};

fn verified(dump: &[u8]) -> Outcome {
    let place = Place::without_docker();
    place.file("a.sql", dump);
    place.outcome(place.verify_locally().arg("a.sql"))
}

/// A dump that waits in the middle of its restore.
fn slow() -> Vec<u8> {
    with_sql_last("SELECT pg_catalog.pg_sleep(600);")
}

/// A local verification of [`slow`] that has come to its restore, and its server's directory.
fn under_way(place: &Place) -> (Running, PathBuf) {
    place.file("slow.sql", &slow());
    let name = place.container.as_str();
    let mut running = Running::verify_locally(place, &["slow.sql"]);
    running.wait_for("Restoring backup (");
    let directory = left(name).pop().unwrap();
    (running, directory)
}

#[test]
fn a_backup_of_create_passes_with_its_contents_proven_where_no_docker_answers() {
    let place = Place::without_docker();
    let made = place.outcome(place.create(unchanged_database()).arg("a.sql.gz"));
    assert_eq!(made.code, 0, "{made}");
    let nowhere = format!("unix://{}/no.sock", place.dir().display());
    let mut command = place.verify();
    command.args(["a.sql.gz", "--report", "r.json"]).env("DOCKER_HOST", nowhere);
    let outcome = place.outcome(&mut command);
    outcome.passed().says("✓ Server cleaned up");
    assert!(outcome.stdout.contains("✓ Contents match the backup"), "{outcome}");
    assert!(outcome.stdout.contains("no Docker Engine answers (there is no socket"), "{outcome}");
    let report = std::fs::read_to_string(place.dir().join("r.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["report"]["sandbox"]["engine"], "local");
}

#[test]
fn a_backup_that_is_bad_fails() {
    let mut lines = rows(good_dump(), "users").concat();
    lines.extend_from_slice(b"not a row of this table\n");
    verified(&with_rows("users", &lines)).failed("restore error");
    let half = &good_dump()[..rows_of(good_dump(), "users").end - 10];
    verified(half).failed("it is cut");
}

#[test]
fn a_row_that_was_changed_fails_by_the_manifest() {
    let place = Place::without_docker();
    let made = place.outcome(place.create(unchanged_database()).args(["a.sql", "--compress=none"]));
    assert_eq!(made.code, 0, "{made}");
    let path = place.dir().join("a.sql");
    let dump = text(&std::fs::read(&path).unwrap());
    std::fs::write(&path, dump.replacen("@example", "@exbmple", 1)).unwrap();
    assert_eq!(place.outcome(place.verify_locally().arg("a.sql")).code, 1);
}

#[test]
fn what_a_dump_must_not_reach_it_does_not_reach() {
    let place = Place::without_docker();
    let touched = std::env::temp_dir().join(format!("{}touched", place.container));
    let touch = format!("touch {}", touched.display());
    for statement in [
        format!("COPY public.tags TO PROGRAM '{touch}';"),
        format!("COPY public.tags TO '{}';", touched.display()),
        "SELECT pg_catalog.pg_read_file('/etc/passwd');".to_owned(),
        format!("SELECT pg_catalog.lo_export(1, '{}');", touched.display()),
        "CREATE FUNCTION public.f() RETURNS int LANGUAGE c AS '/lib/x.so', 'f';".to_owned(),
        "ALTER ROLE ccc_backup_restore SUPERUSER;".to_owned(),
        "GRANT pg_execute_server_program TO ccc_backup_restore;".to_owned(),
        "SET SESSION AUTHORIZATION ccc_backup_admin;".to_owned(),
        "ALTER SYSTEM SET archive_command = 'true';".to_owned(),
        "LOAD '/lib/x.so';".to_owned(),
    ] {
        place.file("a.sql", &with_sql_last(&statement));
        let outcome = place.outcome(place.verify_locally().arg("a.sql"));
        outcome.not_verified("only a superuser may").hints("--engine docker");
        assert!(outcome.stdout.contains("(SQLSTATE 42501)"), "{outcome}");
        assert!(!touched.exists(), "{statement}");
    }
    place.file("a.sql", &with_sql_last("COPY public.tags FROM '/etc/passwd';"));
    place.outcome(place.verify_locally().arg("a.sql")).not_verified("the rows are in another file");
}

#[test]
fn an_error_before_what_only_a_superuser_may_do_is_proof() {
    let sql = "CREATE TABLE public.users (id int);\nCOPY public.users TO PROGRAM 'true';";
    verified(&with_sql_last(sql)).failed("already exists");
}

#[test]
fn a_role_named_as_the_superuser_of_other_servers_is_a_role_like_any_other() {
    let sql = "ALTER TABLE public.users OWNER TO postgres;";
    let outcome = verified(&with_sql_last(sql));
    outcome.passed().says("Creating roles of the backup, without login: postgres");
    let sql = "SET SESSION AUTHORIZATION postgres;\nCOPY public.tags TO PROGRAM 'true';";
    verified(&with_sql_last(sql)).not_verified("only a superuser may");
}

#[test]
fn owners_and_policies_pass_and_what_they_hide_is_compared_all_the_same() {
    let place = Place::without_docker();
    let database = database();
    database.sql(
        "CREATE SCHEMA local_schema;
         CREATE TABLE local_schema.hidden AS SELECT generate_series(1, 1000) AS id;
         ALTER TABLE local_schema.hidden ENABLE ROW LEVEL SECURITY;
         ALTER TABLE local_schema.hidden FORCE ROW LEVEL SECURITY;
         CREATE MATERIALIZED VIEW local_schema.filled AS SELECT count(*) FROM public.users;",
    );
    let made = place.outcome(place.create(&database).args(["a.sql.gz", "--keep-owner"]));
    assert_eq!(made.code, 0, "{made}");
    let outcome = place.outcome(place.verify_locally().arg("a.sql.gz"));
    outcome.passed();
    assert!(outcome.stdout.contains("✓ Contents match the backup"), "{outcome}");
}

#[test]
fn a_server_that_is_kept_can_be_connected_to_and_cleanup_removes_it() {
    let _alone = SWEEPING.blocking_lock();
    let place = Place::without_docker();
    place.file("a.sql", good_dump());
    let outcome =
        Outcome::of(&place.verify_locally().args(["a.sql", "--no-cleanup"]).output().unwrap());
    outcome.passed().says(&format!("Server kept: {}", place.container));
    let connect = outcome.stdout.lines().find_map(|line| line.trim().strip_prefix("Connect: "));
    let line = format!("{} -XAtc 'SELECT count(*) FROM users'", connect.unwrap());
    let output = Command::new("sh").args(["-c", &line]).output().unwrap();
    let count = rows(good_dump(), "users").len().to_string();
    assert_eq!(text(&output.stdout).trim(), count, "{}", text(&output.stderr));
    let directory = left(&place.container).pop().unwrap();
    let server = server_of(&directory);
    let removed = Outcome::of(&place.ccc().args(["cleanup", "--sandbox"]).output().unwrap());
    assert_eq!(removed.code, 0, "{removed}");
    let gone = format!("✓ Removed leftover of an earlier run: local server {}", place.container);
    removed.says(&gone);
    assert!(!directory.exists() && !runs(server));
}

#[test]
fn the_server_has_no_rights_no_environment_of_ours_and_no_address() {
    let place = Place::without_docker();
    let (running, directory) = under_way(&place);
    let process = format!("/proc/{}", server_of(&directory));
    let read = |name: &str| text(&std::fs::read(format!("{process}/{name}")).unwrap());
    let status = read("status");
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap();
    // Root's is nobody's: the user postgres, where there is one, may own a live cluster.
    let us = rustix::process::geteuid();
    let expected = if us.is_root() { "65534".to_owned() } else { us.as_raw().to_string() };
    assert!(uid.split_whitespace().all(|id| id == expected), "{uid}");
    assert!(!read("environ").contains("HOME="), "{}", read("environ"));
    assert!(read("cmdline").contains("listen_addresses=\0"));
    running.kill();
    wait_until("the directory goes", || !directory.exists());
}

#[test]
fn a_run_that_is_killed_leaves_no_server_and_no_directory() {
    let place = Place::without_docker();
    let (running, directory) = under_way(&place);
    let server = server_of(&directory);
    running.kill();
    wait_until("server and directory go", || !runs(server) && !directory.exists());
}

/// What a run leaves when it is killed with all that it started: its directory, with a server that runs.
fn killed(place: &Place) -> (PathBuf, i32) {
    let (running, directory) = under_way(place);
    let server = server_of(&directory);
    // The program that watches, too.
    let pattern = format!("ccc-backup {}", directory.display());
    let watching = Command::new("pgrep").args(["-f", &pattern]).output().unwrap();
    let watching = text(&watching.stdout);
    for process in watching.lines().map(|line| line.parse().unwrap()) {
        kill_process(Pid::from_raw(process).unwrap(), Signal::KILL).unwrap();
    }
    running.kill();
    (directory, server)
}

#[test]
fn what_is_left_when_everything_is_killed_the_next_run_removes() {
    // The next run may be another test's.
    let removed = (0..5).any(|_| {
        let place = Place::without_docker();
        let (directory, server) = killed(&place);
        place.file("a.sql", good_dump());
        let outcome = place.outcome(place.verify_locally().arg("a.sql"));
        outcome.passed();
        assert!(!directory.exists() && !runs(server));
        let name = &place.container;
        outcome
            .stdout
            .contains(&format!("✓ Removed leftover of an earlier run: local server {name}"))
    });
    assert!(removed, "it was always another test's run");
}

#[test]
fn an_interrupted_run_cleans_up_and_says_that_nothing_is_known() {
    let place = Place::without_docker();
    let (mut running, directory) = under_way(&place);
    running.signal(Signal::INT);
    let (outcome, took) = running.end();
    outcome.not_verified("interrupted");
    assert!(took < SOON, "{took:?}");
    assert!(!directory.exists());
}

#[test]
fn a_server_that_is_killed_says_nothing_of_the_backup() {
    let place = Place::without_docker();
    let (running, directory) = under_way(&place);
    kill_process(Pid::from_raw(server_of(&directory)).unwrap(), Signal::KILL).unwrap();
    let (outcome, _) = running.end();
    outcome.not_verified("the server ended");
    assert!(!directory.exists());
}

#[test]
fn two_runs_at_once_do_not_touch_each_other() {
    let place = Place::without_docker();
    let (running, directory) = under_way(&place);
    place.file("a.sql", good_dump());
    let outcome = Outcome::of(&place.verify_locally().arg("a.sql").output().unwrap());
    outcome.passed();
    assert!(runs(server_of(&directory)));
    running.kill();
    wait_until("the directory goes", || !directory.exists());
}

#[test]
fn a_version_that_is_not_here_is_named_and_so_is_the_way_to_get_it() {
    let place = Place::without_docker();
    place.file("a.sql", good_dump());
    let outcome = place.outcome(place.verify_locally().args(["a.sql", "--postgres-version", "99"]));
    outcome.not_verified("no PostgreSQL server of version 99").hints("apt install postgresql-99");
}

#[test]
fn a_server_that_cannot_start_is_no_verdict_and_its_words_are_shown() {
    let place = Place::without_docker();
    place.file("a.sql", good_dump());
    place.file("ccc-backup.toml", b"[verify.settings]\nshared_buffers = \"lots\"\n");
    let outcome = place.outcome(place.verify_locally().arg("a.sql"));
    outcome.not_verified("ended by itself: exited with 1").hints("a setting");
    assert!(outcome.stdout.contains("invalid value for parameter \"shared_buffers\""), "{outcome}");
    assert_eq!(left(&place.container), Vec::<PathBuf>::new());
}

/// A verification where no memory is free for the data directory, and this is the directory for
/// temporary files; and what is left in that.
fn verified_on_the_disk(options: &str, prepare: &str) -> (Outcome, Vec<String>) {
    let place = Place::without_docker();
    place.file("a.sql", good_dump());
    let name = &place.container;
    let prepare = format!("mount -t tmpfs -o size=1m tmpfs /dev/shm && {prepare}");
    let words = format!("verify a.sql --engine local --container-name {name}");
    let temporary = place.dir().join("disk").to_str().unwrap().to_owned();
    let outcome = on_a_disk(
        &place,
        options,
        &prepare,
        &words,
        &[("TMPDIR", temporary), (IMAGE_VARIABLE, String::new())],
    );
    (outcome, left_on_the_disk(&place))
}

#[test]
fn a_disk_that_is_too_small_for_the_server_is_no_verdict() {
    let (outcome, left) = verified_on_the_disk("size=20m,mode=1777", "true");
    outcome.not_verified("o space left on device").hints("make room, or set TMPDIR");
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn a_disk_on_which_the_servers_directory_cannot_be_made_whole_is_left_as_it_was() {
    // Room for the directory, and for nothing in it.
    let (outcome, left) = verified_on_the_disk("nr_inodes=2,mode=1777", "true");
    outcome.not_verified("could not make a directory in").hints("make room, or set TMPDIR");
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn without_a_shell_that_watches_over_it_no_server_is_started() {
    let hidden = "mount --bind /dev/null \"$(readlink -f /bin/sh)\"";
    let (outcome, left) = verified_on_the_disk("size=512m,mode=1777", hidden);
    outcome.not_verified("could not be watched over: could not run sh");
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn a_directory_that_the_servers_user_may_not_enter_is_no_verdict() {
    let (outcome, left) = verified_on_the_disk("size=512m", "chmod 700 disk");
    outcome.not_verified("initdb").hints("TMPDIR names the directory");
    assert_eq!(left, Vec::<String>::new());
}

/// An extension that PostgreSQL trusts, and that brings a language. It is gone when this is dropped.
struct Language;

impl Language {
    const FILES: [(&str, &str); 2] = [
        ("ccc_it_language.control", "default_version = '1'\ntrusted = true\n"),
        (
            "ccc_it_language--1.sql",
            "CREATE TRUSTED LANGUAGE ccc_it_language HANDLER plpgsql_call_handler \
             INLINE plpgsql_inline_handler VALIDATOR plpgsql_validator;\n",
        ),
    ];

    fn installed() -> Self {
        for (name, contents) in Self::FILES {
            text_of_root(&["sh", "-c", "printf %s \"$1\" >\"$0\"", &Self::path(name), contents]);
        }
        Self
    }

    fn path(name: &str) -> String {
        format!("/usr/share/postgresql/15/extension/{name}")
    }
}

impl Drop for Language {
    fn drop(&mut self) {
        let paths = Self::FILES.map(|(name, _)| Self::path(name));
        text_of_root(&["rm", "-f", &paths[0], &paths[1]]);
    }
}

#[test]
fn an_image_is_of_no_use_to_a_local_server() {
    let place = Place::without_docker();
    place.file("a.sql", good_dump());
    let outcome = place.outcome(place.verify_locally().args(["a.sql", "--image", "postgres:15"]));
    assert_eq!(outcome.code, 2, "{outcome}");
    outcome.hints("leave out --image");
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn a_port_for_a_server_that_is_kept_is_waited_for() {
        let _alone = SWEEPING.blocking_lock();
        let place = Place::without_docker();
        place.file("a.sql", good_dump());
        let busy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = busy.local_addr().unwrap().port().to_string();
        let kept = ["a.sql", "--no-cleanup", "--port", &port];
        let refused = Running::verify_locally(&place, &kept).end().0;
        refused.not_verified("is in use").hints("--port 0");
        let given_up =
            Running::verify_locally(&place, &[&kept[..], &["--wait=1s"]].concat()).end().0;
        given_up.not_verified("is in use, also after 1 s (--wait)");
        place.assert_nothing_left();
        let waiting = Running::verify_locally(&place, &[&kept[..], &["--wait"]].concat());
        drop(busy);
        waiting.end().0.passed().says(&format!("Server kept: {}", place.container));
        let removed = Outcome::of(&place.ccc().args(["cleanup", "--sandbox"]).output().unwrap());
        assert_eq!(removed.code, 0, "{removed}");
    }

    #[test]
    fn extensions_that_are_harmless_are_there_and_others_need_docker() {
        let sql = "CREATE EXTENSION IF NOT EXISTS pgcrypto WITH SCHEMA public;\n\
               COMMENT ON EXTENSION pgcrypto IS 'cryptographic functions';\n\
               CREATE EXTENSION IF NOT EXISTS bloom WITH SCHEMA public;\n\
               COMMENT ON EXTENSION bloom IS 'bloom access method';\n";
        verified(&with_sql_first(sql)).passed();
        let sql = "CREATE EXTENSION IF NOT EXISTS dblink WITH SCHEMA public;";
        let outcome = verified(&with_sql_first(sql));
        outcome.not_verified("the extension dblink needs a superuser").hints("--engine docker");
        let sql = "CREATE EXTENSION IF NOT EXISTS no_such_extension;";
        let outcome = verified(&with_sql_first(sql));
        outcome.not_verified("which this machine's PostgreSQL lacks").hints("--image");
    }

    #[test]
    fn a_language_that_postgresql_trusts_needs_a_container_however_it_is_created() {
        let _language = Language::installed();
        let create = "CREATE EXTENSION IF NOT EXISTS ccc_it_language WITH SCHEMA public;";
        let hidden = format!("DO $$ BEGIN EXECUTE '{create}'; END $$;");
        let function =
            "CREATE FUNCTION public.f() RETURNS void LANGUAGE ccc_it_language AS 'BEGIN END';";
        for (sql, why) in [
            (format!("{create}\n{function}"), "brings a language"),
            (hidden, "a language other than SQL and PL/pgSQL needs a container"),
        ] {
            let outcome = verified(&with_sql_first(&sql));
            outcome.not_verified(why).hints("--engine docker");
        }
        // The one that is there may be created again, as old dumps do, and so may what is no language.
        let sql = "CREATE OR REPLACE PROCEDURAL LANGUAGE plpgsql;\nCREATE EXTENSION hstore WITH SCHEMA public;";
        verified(&with_sql_first(sql)).passed();
    }

    #[test]
    fn an_archive_of_every_format_passes() {
        for name in ["a.dump", "a.dir", "a.tar"] {
            let place = Place::without_docker();
            let made = place.outcome(place.create(unchanged_database()).arg(name));
            assert_eq!(made.code, 0, "{made}");
            let outcome = place.outcome(place.verify_locally().arg(name));
            outcome.passed();
            assert!(outcome.stdout.contains("✓ Contents match the backup"), "{outcome}");
        }
    }
}
