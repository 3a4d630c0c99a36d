//! `create --globals`: roles and tablespaces of the server in a file beside the backup, and what the
//! other commands do with it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use sha2::{Digest, Sha256};

use crate::support::mounts::{hiding, left_on_the_disk, on_a_disk, unhidden_pg_dump};
use crate::support::source::{client, connection, source};
use crate::support::{
    BINARY, Database, Outcome, Place, Running, clean_environment, database, unchanged_database,
};

fn create(place: &Place, database: &Database, args: &[&str]) -> Outcome {
    Outcome::of(&place.create(database).args(args).output().unwrap())
}

/// Runs `create`, which must succeed.
fn created(place: &Place, args: &[&str]) -> Outcome {
    let outcome = create(place, unchanged_database(), args);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{args:?}: {outcome}");
    outcome
}

/// The names in a directory, but for what is kept of the runs.
fn files(place: &Place, dir: &str) -> Vec<String> {
    place.names(dir).into_iter().filter(|name| !name.starts_with("history.")).collect()
}

fn read(place: &Place, name: &str) -> String {
    std::fs::read_to_string(place.dir().join(name)).unwrap()
}

fn globals_in_manifest(place: &Place, backup: &str) -> serde_json::Value {
    let text = read(place, &format!("{backup}.manifest.json"));
    let manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
    manifest["globals"].clone()
}

/// A role of the source server that may log in, made once.
fn role(name: &str) -> String {
    let role = format!("{name}_{}", std::process::id());
    let sql = format!("CREATE ROLE {role} LOGIN PASSWORD '{}'", source().password);
    source().client("psql", &["-Xqc", &sql]);
    role
}

/// A pg_dump in a place, with this script as the pg_dumpall beside it.
fn pg_dump_beside(place: &Place, script: &str) -> String {
    place.program("bin/pg_dumpall", script);
    let real = client("pg_dump");
    let path = place.program("bin/pg_dump", &format!("exec {} \"$@\"", real.display()));
    path.to_str().unwrap().to_owned()
}

#[test]
fn warnings_of_pg_dumpall_are_shown() {
    let place = Place::without_docker();
    let script = format!(
        "echo 'pg_dumpall: warning: it is late' >&2; exec '{}' \"$@\"",
        client("pg_dumpall").display()
    );
    let pg_dump = pg_dump_beside(&place, &script);
    let args = ["a.sql", "--globals", "--pg-dump", &pg_dump];
    let made = create(&place, unchanged_database(), &args);
    assert_eq!(made.code, 0, "{made}");
    assert!(made.stderr.contains("warning: pg_dumpall: warning: it is late"), "{made}");
}

#[test]
fn a_pg_dumpall_that_loses_the_server_makes_no_backup() {
    let place = Place::without_docker();
    let script = "echo 'pg_dumpall: error: connection to server at \"h\", port 1 failed: \
                  Connection refused' >&2; exit 1";
    let pg_dump = pg_dump_beside(&place, script);
    let args = ["a.sql", "--globals", "--pg-dump", &pg_dump];
    let outcome = create(&place, unchanged_database(), &args);
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(outcome.stderr.contains("the server's roles could not be dumped"), "{outcome}");
    outcome.hints("server");
    assert_eq!(files(&place, "."), ["bin"]);
}

#[test]
fn without_the_flag_there_is_no_such_file() {
    let place = Place::without_docker();
    let outcome = created(&place, &["a.sql"]);
    assert!(!outcome.stdout.contains("Globals"), "{outcome}");
    assert_eq!(files(&place, "."), ["a.sql.gz", "a.sql.gz.manifest.json"]);
    assert!(globals_in_manifest(&place, "a.sql.gz").is_null());
}

#[test]
fn the_file_has_the_servers_roles_and_no_password() {
    let place = Place::without_docker();
    let role = role("globals_have");
    let outcome = created(&place, &["a.sql", "--globals"]);
    outcome.says("Globals: a.globals.sql");
    assert_eq!(files(&place, "."), ["a.globals.sql", "a.sql.gz", "a.sql.gz.manifest.json"]);
    let globals = read(&place, "a.globals.sql");
    assert!(globals.contains(&format!("CREATE ROLE {role};")), "{globals}");
    assert!(globals.contains(&format!("ALTER ROLE {role} WITH ")), "{globals}");
    for secret in ["PASSWORD", "SCRAM", "md5", &source().password] {
        assert!(!globals.contains(secret), "{secret}: {globals}");
    }
    let path = place.dir().join("a.globals.sql");
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);

    let recorded = globals_in_manifest(&place, "a.sql.gz");
    let sha256 = hex::encode(Sha256::digest(globals.as_bytes()));
    assert_eq!(
        recorded,
        serde_json::json!({ "name": "a.globals.sql", "bytes": globals.len(), "sha256": sha256 })
    );
}

#[test]
fn the_file_is_named_like_the_backup_whatever_its_format() {
    let place = Place::without_docker();
    for (args, backup) in [
        (&["plain.sql", "--compress=none"][..], "plain.sql"),
        (&["below/packed.sql.zst"], "below/packed.sql.zst"),
        (&["custom.dump"], "custom.dump"),
        (&["files.dir"], "files.dir"),
    ] {
        let outcome = created(&place, &[args, &["--globals"]].concat());
        let globals = Path::new(backup).with_extension("").with_extension("globals.sql");
        outcome.says(&format!("Globals: {}", globals.display()));
        assert!(place.dir().join(&globals).is_file(), "{backup}");
        let name = globals.file_name().unwrap().to_str().unwrap();
        assert_eq!(globals_in_manifest(&place, backup)["name"], name);
    }
    created(&place, &["--globals"]);
    let names = files(&place, "backups");
    let [globals, backup, _] = &names[..] else { panic!("{names:?}") };
    assert_eq!(globals.strip_suffix(".globals.sql"), backup.strip_suffix(".sql.gz"));
}

#[test]
fn no_command_takes_it_for_a_backup_and_verify_does_nothing_with_it() {
    let place = Place::on_a_lent_server();
    created(&place, &["--globals"]);
    let names = files(&place, "backups");
    let (globals, backup) = (&names[0], &names[1]);
    // Newer by its name than the backup, and nothing that any server would take.
    place.file("backups/backup_29990101_000000.globals.sql", b"nonsense");
    place.file(&format!("backups/{globals}"), b"nonsense");
    let listed = Outcome::of(&place.ccc().arg("list").output().unwrap());
    assert!(!listed.stdout.contains("globals"), "{listed}");
    let outcome = place.outcome(place.verify().arg("--latest"));
    outcome.passed().says(&format!("Backup file: ./backups/{backup}"));
    assert_eq!(read(&place, &format!("backups/{globals}")), "nonsense");
}

#[test]
fn it_goes_with_its_backup_and_never_alone() {
    let place = Place::without_docker();
    for time in ["20240101_020000", "20240102_020000"] {
        created(&place, &[&format!("backups/backup_{time}.sql"), "--globals"]);
    }
    // In the making when its run died; and one whose backup somebody took away.
    place.file("backups/.backup_20240103_020000.globals.sql.partial", b"half");
    place.file("backups/backup_20230101_020000.globals.sql", b"roles");
    let mut cleanup = place.ccc();
    let outcome = Outcome::of(&cleanup.args(["cleanup", "--keep-last=1"]).output().unwrap());
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{outcome}");
    assert_eq!(
        files(&place, "backups"),
        [
            "backup_20230101_020000.globals.sql",
            "backup_20240102_020000.globals.sql",
            "backup_20240102_020000.sql.gz",
            "backup_20240102_020000.sql.gz.manifest.json",
        ],
        "{outcome}"
    );
}

#[test]
fn a_database_may_have_any_name() {
    let place = Place::without_docker();
    let database = Database { name: "globals=it's \\ odd".to_owned() };
    source().client("createdb", &["--", &database.name]);
    let outcome = create(&place, &database, &["a.sql", "--globals"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{outcome}");
    assert!(read(&place, "a.globals.sql").contains("CREATE ROLE postgres;"));
}

#[test]
fn one_that_exists_is_not_touched_without_force() {
    let place = Place::without_docker();
    place.file("a.globals.sql", b"precious");
    let refused = create(&place, unchanged_database(), &["a.sql", "--globals"]);
    assert_eq!(refused.code, 2, "{refused}");
    assert!(refused.stderr.contains("a.globals.sql exists already"), "{refused}");
    refused.hints("--force");
    assert_eq!(read(&place, "a.globals.sql"), "precious");
    assert_eq!(files(&place, "."), ["a.globals.sql"]);
    created(&place, &["a.sql", "--globals", "--force"]);
    assert!(read(&place, "a.globals.sql").contains("CREATE ROLE postgres;"));
}

#[test]
fn older_ones_beside_a_new_backup_stay_and_are_said_to_be_older() {
    let place = Place::without_docker();
    created(&place, &["a.sql", "--globals"]);
    let older = read(&place, "a.globals.sql");
    let outcome = create(&place, unchanged_database(), &["a.sql", "--force"]);
    assert_eq!(outcome.code, 0, "{outcome}");
    assert!(outcome.stderr.contains("a.globals.sql stays, and is older"), "{outcome}");
    assert_eq!(read(&place, "a.globals.sql"), older);
    assert!(globals_in_manifest(&place, "a.sql.gz").is_null());
    // Those of a backup that is there, too, are no surprise.
    created(&place, &["b.sql", "--globals"]);
    created(&place, &["b.dump"]);
}

#[test]
fn without_a_pg_dumpall_no_backup_is_made() {
    let place = Place::without_docker();
    let pg_dump = unhidden_pg_dump(&place);
    let (hidden, words) =
        (hiding("pg_dumpall"), format!("create disk/a.sql --globals --pg-dump '{pg_dump}'"));
    let environment = connection(unchanged_database());
    let outcome = on_a_disk(&place, "size=16m", &hidden, &words, &environment);
    assert_eq!(outcome.code, 2, "{outcome}");
    assert!(outcome.stderr.contains("pg_dumpall not found, which --globals needs"), "{outcome}");
    outcome.hints("leave out --globals");
    assert_eq!(left_on_the_disk(&place), ["history.jsonl"]);
}

#[test]
fn a_backup_is_not_given_a_name_that_nobody_would_take_for_one() {
    let place = Place::without_docker();
    let args = ["a.globals.sql", "--compress=none"];
    let refused = create(&place, unchanged_database(), &args);
    assert_eq!(refused.code, 2, "{refused}");
    refused.hints(".globals.sql");
    assert_eq!(files(&place, "."), [""; 0]);
    created(&place, &["a.globals.sql"]);
    assert_eq!(files(&place, "."), ["a.globals.sql.gz", "a.globals.sql.gz.manifest.json"]);
}

#[test]
fn a_role_that_may_not_read_the_servers_roles_makes_no_backup() {
    let (place, database) = (Place::without_docker(), database());
    let role = role("globals_denied");
    // Of this database's copy of the catalog; pg_dump does not ask for it.
    database.sql(&format!(
        "GRANT USAGE ON SCHEMA public, analytics TO {role};
         GRANT SELECT ON ALL TABLES IN SCHEMA public, analytics TO {role};
         GRANT SELECT ON ALL SEQUENCES IN SCHEMA public, analytics TO {role};
         REVOKE SELECT ON pg_catalog.pg_auth_members FROM PUBLIC"
    ));
    let without = create(&place, &database, &["--username", &role]);
    assert_eq!(without.code, 0, "{without}");
    let outcome = create(&place, &database, &["--username", &role, "--globals", "b.sql"]);
    assert_eq!(outcome.code, 1, "{outcome}");
    let cause = "error: no backup was made: the server's roles could not be dumped: ";
    assert!(outcome.stderr.contains(cause), "{outcome}");
    assert!(outcome.stderr.contains("permission denied for table pg_auth_members"), "{outcome}");
    outcome.hints("leave out --globals");
    assert_eq!(files(&place, "."), ["backups"]);
}

#[test]
fn the_pg_dumpall_beside_pg_dump_is_taken_and_its_words_are_shown() {
    let place = Place::without_docker();
    let pg_dump = pg_dump_beside(&place, "echo 'pg_dumpall: error: no such thing' >&2; exit 1");
    for args in [&["a.sql"][..], &["a.dump"], &["a.dir"]] {
        let args = [args, &["--globals", "--pg-dump", &pg_dump]].concat();
        let outcome = create(&place, unchanged_database(), &args);
        assert_eq!(outcome.code, 1, "{args:?}: {outcome}");
        assert!(outcome.stderr.contains("no such thing"), "{outcome}");
        outcome.hints("leave out --globals");
        assert_eq!(files(&place, "."), ["bin"], "{args:?}");
    }
}

#[test]
fn the_password_reaches_pg_dumpall_by_its_environment_only() {
    let place = Place::without_docker();
    let real = client("pg_dumpall");
    let script = format!("echo \"$@\" >arguments\nexec {} \"$@\"", real.display());
    let pg_dump = pg_dump_beside(&place, &script);
    created(&place, &["a.sql", "--globals", "--pg-dump", &pg_dump]);
    let arguments = read(&place, "arguments");
    for argument in ["--no-password", "--globals-only", "--no-role-passwords"] {
        assert!(arguments.contains(argument), "{arguments}");
    }
    assert!(!arguments.contains(&source().password), "{arguments}");
}

#[test]
fn what_cannot_be_published_leaves_no_globals() {
    let place = Place::without_docker();
    let real = client("pg_dumpall");
    // Somebody takes the backup's name while it is being made.
    let script = format!("echo precious >a.sql.gz\nexec {} \"$@\"", real.display());
    let pg_dump = pg_dump_beside(&place, &script);
    let args = ["a.sql", "--globals", "--pg-dump", &pg_dump];
    let outcome = create(&place, unchanged_database(), &args);
    assert_eq!(outcome.code, 2, "{outcome}");
    assert!(outcome.stderr.contains("a.sql.gz exists already"), "{outcome}");
    assert_eq!(files(&place, "."), ["a.sql.gz", "bin"]);
    assert_eq!(read(&place, "a.sql.gz"), "precious\n");
}

#[test]
fn an_interrupted_run_leaves_nothing() {
    let place = Place::without_docker();
    let pg_dump = pg_dump_beside(&place, "touch began; exec sleep 600");
    let mut command = Command::new(BINARY);
    command.env_clear().envs(clean_environment()).envs(connection(unchanged_database()));
    command.current_dir(place.dir()).args(["create", "a.sql", "--globals", "--pg-dump", &pg_dump]);
    let mut run = Running::spawn(&mut command);
    let clock = Instant::now();
    while !place.dir().join("began").exists() {
        assert!(clock.elapsed() < Duration::from_secs(60), "pg_dumpall was not run");
        std::thread::sleep(Duration::from_millis(20));
    }
    let partial = [".a.globals.sql.partial", ".a.sql.gz.partial", "began", "bin"];
    assert_eq!(files(&place, "."), partial);
    run.signal(Signal::INT);
    let (outcome, _) = run.end();
    assert_eq!(outcome.code, 2, "{outcome}");
    assert!(outcome.stderr.contains("interrupted by SIGINT"), "{outcome}");
    assert_eq!(files(&place, "."), ["began", "bin"]);
}
