//! `create` on a real source with the real pg_dump: what it writes, prints and calls things.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;

use flate2::read::MultiGzDecoder;

use crate::support::docker::image;
use crate::support::dumps::AS_CREATE_DOES;
use crate::support::source::{connection, source};
use crate::support::transcript::assert_has_every_line;
use crate::support::{Outcome, Place, ccc, database, text, unchanged_database};

/// SPEC's transcript of a backup.
const SPECIFICATION: &str = include_str!("transcripts/create.txt");

/// Runs `create`, which must succeed.
fn created(command: &mut assert_cmd::Command) -> Outcome {
    let outcome = Outcome::of(&command.output().unwrap());
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{outcome}");
    outcome
}

/// The names in a directory, but for what is kept of the runs.
fn backups(place: &Place, dir: &str) -> Vec<String> {
    place.names(dir).into_iter().filter(|name| !name.starts_with("history.")).collect()
}

fn unzipped(bytes: &[u8]) -> String {
    let mut text = String::new();
    MultiGzDecoder::new(bytes).read_to_string(&mut text).unwrap();
    text
}

fn manifest(place: &Place, backup: &str) -> serde_json::Value {
    let path = place.dir().join(format!("{backup}.manifest.json"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// A dump without the key of `\restrict`, which is another one each time.
fn without_key(dump: &str) -> Vec<&str> {
    dump.lines()
        .filter(|line| !line.starts_with("\\restrict ") && !line.starts_with("\\unrestrict "))
        .collect()
}

#[test]
fn the_transcript_of_a_backup_has_every_line_of_the_specification_in_its_order() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    let outcome = created(&mut place.create(database));
    let ours = outcome.stdout.replace(&format!("127.0.0.1:{}", source().port), "localhost:5432");
    let ours = ours.replace(&database.name, "content_creation_crew").replace(".sql.gz", ".sql");
    assert_has_every_line(&ours, &SPECIFICATION.replace(".sql.gz", ".sql"));
}

#[test]
fn full_verification_workflow() {
    image();
    let (place, database) = (Place::on_a_lent_server(), unchanged_database());
    created(&mut place.create(database));
    let outcome = place.outcome(place.verify().arg("--latest"));
    outcome.passed().says("Failed: 0");
    let users = database.sql("SELECT count(*) FROM users");
    outcome.says(&format!("✓ Users count >= 0 (count: {users})"));
    let cleaned = created(place.ccc().args(["cleanup", "--older-than", "1d"]));
    cleaned.says("Removed: 0 (0 bytes), kept: 1");
    assert_eq!(backups(&place, "backups").len(), 2);
}

#[test]
fn the_file_holds_what_pg_dump_writes_and_is_named_by_the_time_in_utc() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    let before = chrono::Utc::now().format("backup_%Y%m%d_%H%M%S").to_string();
    created(place.create(database).env("TZ", "Pacific/Kiritimati"));
    let after = chrono::Utc::now().format("backup_%Y%m%d_%H%M%S").to_string();
    let names = backups(&place, "backups");
    let [backup, of_backup] = &names[..] else { panic!("{names:?}") };
    assert!(
        *before <= **backup && backup[..22] <= *after && backup.ends_with(".sql.gz"),
        "{backup}"
    );
    assert_eq!(*of_backup, format!("{backup}.manifest.json"));

    let bytes = std::fs::read(place.dir().join("backups").join(backup)).unwrap();
    let expected = text(&database.dump(&AS_CREATE_DOES));
    assert_eq!(without_key(&unzipped(&bytes)), without_key(&expected));
}

#[test]
fn backups_and_manifests_are_readable_by_their_owner_only() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    created(&mut place.create(database));
    for name in place.names("backups") {
        let path = place.dir().join("backups").join(&name);
        let mode = std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let mode = std::fs::metadata(place.dir().join("backups")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn the_output_is_named_as_asked_with_the_suffix_that_it_has() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    for (args, file) in [
        (&["manual.sql"][..], "manual.sql.gz"),
        (&["manual2.sql.gz"], "manual2.sql.gz"),
        (&["below/manual"], "below/manual.sql.gz"),
        (&["plain.sql", "--compress", "none"], "plain.sql"),
        (&["small.sql", "--compress", "gzip:9"], "small.sql.gz"),
        (&["fast.sql", "--compress", "gzip:1"], "fast.sql.gz"),
    ] {
        let outcome = created(place.create(database).args(args));
        outcome.says(&format!("File: {file}"));
        let bytes = std::fs::read(place.dir().join(file)).unwrap();
        let gzip = bytes.starts_with(&[0x1f, 0x8b]);
        assert_eq!(gzip, file.ends_with(".gz"), "{file}");
        assert_eq!(manifest(&place, file)["files"][0]["bytes"], bytes.len(), "{file}");
        assert_eq!(outcome.stdout.contains("Compressing backup..."), gzip, "{outcome}");
    }
    let size = |name| std::fs::metadata(place.dir().join(name)).unwrap().len();
    assert!(size("small.sql.gz") <= size("manual.sql.gz"));
    assert!(size("manual.sql.gz") < size("fast.sql.gz"));
}

#[test]
fn the_backup_directory_comes_from_its_flag_else_from_the_environment() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    created(place.create(database).env("CCC_BACKUP_DIR", "from_environment"));
    created(place.create(database).env("CCC_BACKUP_DIR", "unused").args(["--backup-dir", "a/b"]));
    assert_eq!(place.names("."), ["a", "from_environment"]);
    assert_eq!((backups(&place, "from_environment").len(), backups(&place, "a/b").len()), (2, 2));
}

#[test]
fn the_manifest_says_what_is_in_the_backup() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    created(place.create(database).arg("a.sql"));
    let manifest = manifest(&place, "a.sql.gz");
    assert_eq!(manifest["source"]["database"], database.name.as_str());
    assert_eq!(manifest["source"]["encoding"], "UTF8");
    assert_eq!(
        manifest["contents"]["revision"],
        database.sql("SELECT version_num FROM alembic_version")
    );
    let tables = manifest["contents"]["tables"].as_array().unwrap();
    for table in tables {
        let name = |field: &str| table[field].as_str().unwrap().replace('"', "\"\"");
        let sql = format!("SELECT count(*) FROM ONLY \"{}\".\"{}\"", name("schema"), name("name"));
        assert_eq!(table["rows"].to_string(), database.sql(&sql), "{table}");
    }
    // Every table but the partitioned one, which has no rows of its own.
    let count = "SELECT count(*) FROM pg_class
                 WHERE relkind = 'r' AND relnamespace::regnamespace::text !~ '^(pg_|information_schema)'";
    assert_eq!(tables.len().to_string(), database.sql(count));
}

#[test]
fn what_follows_two_dashes_goes_to_pg_dump_and_into_the_manifest() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    created(place.create(database).args(["a.sql", "--", "--table=public.users"]));
    let manifest = manifest(&place, "a.sql.gz");
    let tables = manifest["contents"]["tables"].as_array().unwrap();
    assert_eq!(tables.iter().map(|table| &table["name"]).collect::<Vec<_>>(), ["users"]);
    assert_eq!(manifest["options"]["tables"], serde_json::json!(["public.users"]));
}

#[test]
fn the_manifest_says_what_the_source_has_and_the_backup_has_not() {
    let (place, database) = (Place::without_docker(), database());
    let (other, role) = (unchanged_database(), format!("beside_{}", database.name));
    database.sql(&format!(
        "CREATE UNLOGGED TABLE fast (id integer); CREATE PUBLICATION news FOR TABLE users;
         CREATE ROLE {role}; ALTER ROLE {role} IN DATABASE {name} SET work_mem = '5MB';
         ALTER DATABASE {name} SET TimeZone = 'UTC'",
        name = database.name
    ));
    let args = ["--", "--exclude-table-d", "users", "-T", "comments", "--no-unlogged"];
    created(place.create(&database).arg("a.sql").args(args));
    let coverage = manifest(&place, "a.sql.gz")["contents"]["coverage"].clone();
    created(place.create(&database).args(["b.sql", "--globals"]));
    let of_whole = manifest(&place, "b.sql.gz")["contents"]["coverage"].clone();
    database.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    let has = |of: &serde_json::Value, key: &str, name: &str| {
        of[key].as_array().unwrap().iter().any(|of| of == name)
    };
    assert!(has(&coverage, "databases", &other.name), "{coverage}");
    assert!(!has(&coverage, "databases", &database.name), "{coverage}");
    assert!(has(&coverage, "roles", &role), "{coverage}");
    assert_eq!(coverage["excluded_tables"].to_string(), r#"["public.comments","public.users"]"#);
    assert_eq!(coverage["unlogged_tables"].to_string(), r#"["public.fast"]"#);
    assert_eq!(coverage["publications"].to_string(), "[]");
    for setting in ["database: TimeZone", &format!("role {role}: work_mem")] {
        assert!(has(&coverage, "settings", setting), "{setting}: {coverage}");
    }
    for key in ["roles", "excluded_tables", "unlogged_tables", "unreadable_tables"] {
        assert_eq!(of_whole[key].to_string(), "[]", "{key}");
    }
}

#[test]
fn options_of_pg_dump_mean_what_pg_dump_takes_them_for() {
    let (place, database) = (Place::on_a_lent_server(), unchanged_database());
    for (name, option) in [("a", "-xs"), ("b", "--schema-o"), ("c", "--sect=pre-data")] {
        let backup = format!("{name}.sql.gz");
        created(place.create(database).args([name, "--", option]));
        assert_eq!(manifest(&place, &backup)["contents"]["tables"].to_string(), "[]", "{option}");
        let outcome = place.outcome(place.verify().arg(&backup));
        outcome.passed();
        assert!(outcome.stdout.contains("✓ No rows, as is meant"), "{option}: {outcome}");
    }
}

#[test]
fn owners_and_privileges_are_left_out_unless_asked_for() {
    let (place, database) = (Place::without_docker(), database());
    database.sql("GRANT SELECT ON users TO PUBLIC");
    created(place.create(&database).arg("without.sql"));
    created(place.create(&database).args(["with.sql", "--keep-owner"]));
    let dump = |name| unzipped(&std::fs::read(place.dir().join(name)).unwrap());
    for words in [" OWNER TO postgres;", "\nGRANT SELECT ON TABLE public.users TO PUBLIC;"] {
        assert!(!dump("without.sql.gz").contains(words), "{words}");
        assert!(dump("with.sql.gz").contains(words), "{words}");
    }
}

#[test]
fn backup_create_is_another_spelling() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    created(place.ccc().args(["backup", "create", "a.sql"]).envs(connection(database)));
    assert!(place.dir().join("a.sql.gz").exists());
}

#[test]
fn quiet_prints_nothing_when_all_went_well() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    assert_eq!(created(place.create(database).args(["a.sql", "--quiet"])).stdout, "");
}

#[test]
fn force_replaces_a_backup_and_its_manifest() {
    let (place, database) = (Place::on_a_lent_server(), database());
    created(place.create(&database).arg("a.sql"));
    let first = manifest(&place, "a.sql.gz");
    database.sql("DELETE FROM comments");
    created(place.create(&database).args(["a.sql", "--force"]));
    let second = manifest(&place, "a.sql.gz");
    assert_ne!(first["files"][0]["sha256"], second["files"][0]["sha256"]);
    place.outcome(place.verify().arg("a.sql.gz")).passed();
}

#[test]
fn flags_win_over_db_variables_over_the_url_over_libpqs_own() {
    let place = Place::without_docker();
    let (right, database) = (source().port.to_string(), unchanged_database());
    let url = |port: &str| {
        let (password, name) = (&source().password, &database.name);
        format!("postgresql+psycopg2://postgres:{password}@127.0.0.1:{port}/{name}")
    };
    let dead = "1";
    type Step<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)]);
    let steps: [Step; 5] = [
        (&["--port", &right], &[("DB_PORT", dead), ("DATABASE_URL", &url(dead)), ("PGPORT", dead)]),
        (&[], &[("DB_PORT", &right), ("DATABASE_URL", &url(dead)), ("PGPORT", dead)]),
        (&[], &[("DATABASE_URL", &url(&right)), ("PGPORT", dead), ("PGDATABASE", "none")]),
        (&["--database-url", &url(&right)], &[("DATABASE_URL", &url(dead)), ("PGPORT", dead)]),
        (&[], &[("PGPORT", &right), ("PGHOST", "127.0.0.1"), ("PGDATABASE", &database.name)]),
    ];
    for (number, (args, environment)) in steps.into_iter().enumerate() {
        let mut command = place.ccc();
        command.args(["create", &format!("{number}.sql"), "--quiet"]).args(args);
        command.envs(environment.iter().copied()).env("PGPASSWORD", &source().password);
        if args.contains(&"--port") || environment[0].0 == "DB_PORT" {
            command.args(["--host", "127.0.0.1", "--dbname", &database.name]);
        }
        created(&mut command);
    }
    assert_eq!(place.names(".").iter().filter(|name| name.ends_with(".gz")).count(), 5);
}

#[test]
fn a_password_file_and_a_service_file_are_libpqs_own_business() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    let (port, name) = (source().port, &database.name);
    let line = format!("127.0.0.1:{port}:{name}:postgres:{}\n", source().password);
    let passwords = place.file(".pgpass", line.as_bytes());
    std::fs::set_permissions(&passwords, PermissionsExt::from_mode(0o600)).unwrap();
    let service = format!("[ccc]\nhost=127.0.0.1\nport={port}\ndbname={name}\nuser=postgres\n");
    let services = place.file("services.conf", service.as_bytes());
    let mut command = ccc();
    command.current_dir(place.dir()).env("HOME", place.dir());
    let flags = ["--host", "127.0.0.1", "--port", &port.to_string(), "--dbname", name];
    created(command.args(["create", "passfile.sql"]).args(flags));
    let mut command = ccc();
    command.current_dir(place.dir()).env("HOME", place.dir());
    command.env("PGSERVICE", "ccc").env("PGSERVICEFILE", services);
    created(command.args(["create", "service.sql"]));
}

#[test]
fn a_url_may_name_a_service_and_what_libpq_does_not_know_in_it_is_said() {
    let place = Place::without_docker();
    let [(_, _), (_, port), (_, name), (_, _), (_, password)] = connection(unchanged_database());
    let service = format!("[ccc]\nhost=127.0.0.1\nport={port}\ndbname={name}\nuser=postgres\n");
    let services = place.file("services.conf", service.as_bytes());
    let mut command = place.ccc();
    command.args(["create", "a.sql", "--database-url", "postgresql:///?service=ccc&charset=utf8"]);
    command.env("PGSERVICEFILE", services).env("PGPASSWORD", password);
    let made = place.outcome(&mut command);
    assert_eq!(made.code, 0, "{made}");
    made.says("Host: (from libpq's environment)");
    let said = "warning: the URL's parameter charset is not one of libpq's and was left out";
    assert!(made.stderr.contains(said), "{made}");
}

#[test]
fn the_pg_dump_of_the_servers_own_version_is_taken_before_a_newer_one() {
    let (place, database) = (Place::without_docker(), unchanged_database());
    let newer = place.program(
        "newer/pg_dump",
        "[ \"$1\" != --version ] || { echo 'pg_dump (PostgreSQL) 18.1'; exit; }\nexit 1",
    );
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", newer.parent().unwrap().display());
    created(place.create(database).args(["x.sql.gz"]).env("PATH", &path));
    let taken = manifest(&place, "x.sql.gz")["tools"]["pg_dump"].as_str().unwrap().to_owned();
    assert!(taken.starts_with("15."), "{taken}");
    // One that is named is taken as it is.
    let named =
        place.create(database).args(["y.sql.gz", "--pg-dump"]).arg(&newer).output().unwrap();
    assert_eq!(named.status.code(), Some(1), "{named:?}");
}
