//! `ccc-backup.toml`: any database verifies with it, and what it says is taken seriously.

use std::os::unix::fs::PermissionsExt;
use std::sync::OnceLock;

use crate::support::source::{Database, source};
use crate::support::{IMAGE_VARIABLE, Place, database, good_dump, text, unchanged_database};

const NO_APPLICATION: &str = "[checks]\ntables = []\nmigrations = \"none\"\n";

/// A database that has nothing of CCC.
fn shop() -> &'static Database {
    static SHOP: OnceLock<Database> = OnceLock::new();
    SHOP.get_or_init(|| {
        let shop = Database { name: "shop".to_owned() };
        source().client("createdb", &["--", &shop.name]);
        shop.sql(
            "CREATE SCHEMA sales; CREATE TABLE sales.orders (id serial PRIMARY KEY, item text);
             INSERT INTO sales.orders (item) SELECT 'item ' || n FROM generate_series(1, 1000) n;
             CREATE TABLE notes (id int, note text); INSERT INTO notes VALUES (7, 'seven');
             CREATE SEQUENCE counted OWNED BY notes.id; SELECT setval('counted', 3);
             ALTER TABLE notes ALTER id SET DEFAULT nextval('counted');",
        );
        shop
    })
}

#[test]
fn any_database_verifies_with_a_configuration_and_only_cccs_without() {
    let place = Place::on_a_lent_server();
    let dump = shop().dump(&[]);
    place.file("shop.sql", &dump);
    let without = place.outcome(place.verify().arg("shop.sql"));
    without.failed("Users table is missing");
    assert!(without.stderr.contains("ccc-backup.toml"), "{without}");

    place.file(
        "ccc-backup.toml",
        b"[checks]\ntables = [\"notes\", \"sales.orders\"]\n\
        migrations = \"none\"\nsequences = \"off\"\n",
    );
    let outcome = place.outcome(place.verify().arg("shop.sql"));
    outcome.passed().says("✓ sales.orders table exists");
    outcome.says("✓ sales.orders count >= 0 (count: 1,000)");
    outcome.says("✓ Contents match the backup (2 tables)");
    assert!(!outcome.stdout.contains("Verifying migrations"), "{outcome}");
}

#[test]
fn a_table_of_the_configuration_that_is_missing_fails() {
    let place = Place::on_a_lent_server();
    place.file("good.sql", good_dump());
    place.file("own.toml", b"[checks]\ntables = [\"users\", \"sales.orders\"]\n");
    let outcome = place.outcome(place.verify().args(["good.sql", "--config", "own.toml"]));
    outcome.failed("sales.orders table is missing");
}

#[test]
fn a_table_with_fewer_rows_than_are_demanded_fails() {
    let place = Place::on_a_lent_server();
    place.file("shop.sql", &shop().dump(&[]));
    let verify = |rows: &str| {
        let text = format!("{NO_APPLICATION}sequences = \"off\"\n[checks.rows]\n{rows}\n");
        place.file("own.toml", text.as_bytes());
        place.outcome(place.verify().args(["shop.sql", "--config", "own.toml"]))
    };
    let shown = verify("\"sales.orders\" = 0");
    shown.passed().says("✓ sales.orders count >= 0 (count: 1,000)");
    shown.says("Shown, not judged: 1");
    let met = verify("\"sales.orders\" = 1000");
    met.passed().says("✓ sales.orders count >= 1,000 (count: 1,000)");
    assert!(!met.stdout.contains("not judged"), "{met}");
    verify("\"sales.orders\" = 1001").failed("sales.orders count >= 1,001 (count: 1,000)");
    verify("missing = 0").failed("missing table is missing");
}

#[test]
fn an_image_of_the_configuration_is_taken_and_a_flag_is_stronger() {
    let place = Place::on_a_lent_server();
    place.file("a.sql", good_dump());
    place.file("ccc-backup.toml", b"[verify]\nimage = \"localhost:1/no/such:15\"\n");
    let named_by_nobody_else =
        |command: &mut assert_cmd::Command| place.outcome(command.env(IMAGE_VARIABLE, ""));
    named_by_nobody_else(place.verify().arg("a.sql")).not_verified("localhost:1/no/such:15");
    let image = crate::support::docker::image();
    named_by_nobody_else(place.verify().args(["a.sql", "--image", image])).passed();
}

#[test]
fn a_configuration_that_another_could_have_written_is_taken_only_when_it_is_named() {
    let as_root = rustix::process::geteuid().is_root();
    let place = Place::without_docker();
    let (file, directory) = (place.file("ccc-backup.toml", b"[checks]\n"), place.dir().to_owned());
    let (nobody, root) = (Some(65534), Some(0));
    for (path, mode, owner, why) in [
        (&file, 0o666, None, "the file may be written to by everybody"),
        (&file, 0o664, None, "the file may be written to by its group"),
        (&file, 0o644, nobody, "the file belongs to the user 65534"),
        (&directory, 0o777, None, "the directory may be written to by everybody"),
        (&directory, 0o1777, None, "the directory may be written to by everybody"),
        (&directory, 0o775, None, "the directory may be written to by its group"),
        (&directory, 0o755, nobody, "the directory belongs to the user 65534"),
    ] {
        if owner.is_some() && !as_root {
            continue;
        }
        let before = std::fs::metadata(path).unwrap().permissions();
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        owner.iter().for_each(|_| std::os::unix::fs::chown(path, owner, None).unwrap());
        let outcome = place.outcome(place.verify().arg("nothing.sql"));
        let named = place.verify().args(["nothing.sql", "--config", "ccc-backup.toml"]).output();
        std::fs::set_permissions(path, before).unwrap();
        owner.iter().for_each(|_| std::os::unix::fs::chown(path, root, None).unwrap());
        let said = format!("ccc-backup.toml is not taken from this directory: {why}");
        assert!(outcome.code == 2 && outcome.stderr.contains(&said), "{mode:o}: {outcome}");
        outcome.hints("--config ccc-backup.toml");
        let named = text(&named.unwrap().stderr);
        assert!(named.contains("hint: check the path"), "{named}");
    }
    // Whom it belongs to takes it, and so does whoever finds root's.
    let mut theirs = place.ccc_without_privileges();
    theirs.arg("verify");
    for mut command in [place.verify(), theirs] {
        let outcome = place.outcome(command.arg("nothing.sql"));
        assert!(!outcome.stderr.contains("is not taken"), "{outcome}");
    }
}

#[test]
fn what_reaches_this_machine_is_not_taken_of_a_configuration_that_nobody_named() {
    let place = Place::without_docker();
    place.file("a.sql", good_dump());
    let verify = |settings: &str, named: bool| {
        place.file("ccc-backup.toml", format!("[verify.settings]\n{settings}\n").as_bytes());
        let mut command = place.verify_locally();
        command.arg("a.sql");
        place.outcome(command.args(if named { &["--config", "ccc-backup.toml"][..] } else { &[] }))
    };
    let touched = place.dir().join("touched");
    let command = format!(
        "archive_mode = true\nwal_level = \"replica\"\narchive_command = \"touch {}\"",
        touched.display()
    );
    for (settings, name) in [
        (command.as_str(), "archive_command"),
        ("Session_Preload_Libraries = \"auto_explain\"", "Session_Preload_Libraries"),
        ("\"archive-command\" = \"true\"", "archive-command"),
    ] {
        let outcome = verify(settings, false);
        outcome.not_verified(&format!("ccc-backup.toml sets {name}, by which a local server"));
        outcome.hints("--config ccc-backup.toml");
    }
    assert!(!touched.exists());
    verify("session_preload_libraries = \"auto_explain\"", true).passed();
    verify("work_mem = \"5MB\"", false).passed();
}

#[test]
fn a_wrong_configuration_is_told_before_anything_is_done() {
    let place = Place::without_docker();
    place.file("a.sql", unchanged_database().dump(&[]).as_slice());
    place.file("ccc-backup.toml", b"[checks]\ntabels = []\n");
    let outcome = place.outcome(place.verify().arg("a.sql"));
    assert_eq!(outcome.code, 2, "{outcome}");
    assert!(
        outcome.stderr.contains("ccc-backup.toml, line 2: unknown field `tabels`"),
        "{outcome}"
    );
    outcome.hints("did you mean tables?");
    let outcome = place.outcome(place.verify().args(["a.sql", "--config", "nowhere.toml"]));
    assert_eq!(outcome.code, 2, "{outcome}");
    assert!(outcome.stderr.contains("nowhere.toml cannot be read"), "{outcome}");
}

#[test]
fn a_limit_that_makes_no_sense_is_told_before_anything_is_done() {
    let place = Place::without_docker();
    place.file("a.sql", b"");
    for (args, cause, hint) in [
        (["--memory", "100MB"], "the memory 100MB is too little", "256MB"),
        (["--memory", "lots"], "the memory lots is no size", "--memory 4GB"),
        (["--cpus", "0"], "0 is no number of processors", "--cpus 1.5"),
        (["--cpus", "-2"], "-2 is no number of processors", "--cpus 1.5"),
    ] {
        let outcome = place.outcome(place.verify().arg("a.sql").args(args));
        assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{outcome}");
        assert!(outcome.stderr.contains(cause), "{outcome}");
        outcome.hints(hint);
    }
    place.file("ccc-backup.toml", b"[verify]\nmemory = \"1MB\"\n");
    let outcome = place.outcome(place.verify().arg("a.sql"));
    assert!(outcome.code == 2 && outcome.stderr.contains("too little"), "{outcome}");
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn a_backup_of_the_schema_alone_passes_only_where_that_is_meant() {
        let place = Place::on_a_lent_server();
        let database = database();
        database.sql("CREATE MATERIALIZED VIEW filled AS SELECT count(*) FROM users;");
        place.file("schema.sql", &database.dump(&["--schema-only"]));
        let verify = |file: &str, data: &str| {
            place.file("own.toml", format!("[checks]\n{data}\n").as_bytes());
            place.outcome(place.verify().args([file, "--config", "own.toml"]))
        };
        verify("schema.sql", "").failed("The backup has rows of no table");
        verify("schema.sql", "data = \"none\"").passed().says(
            "✓ No rows, as is meant: this is a \
        backup of the schema alone",
        );
        // What create was told is in the manifest.
        let made =
            place.create(&database).args(["own.sql.gz", "--", "--schema-only"]).output().unwrap();
        assert!(made.status.success(), "{}", text(&made.stderr));
        verify("own.sql.gz", "").passed();
        let made =
            place.create(&database).args(["own.dump", "--", "--schema-only"]).output().unwrap();
        assert!(made.status.success(), "{}", text(&made.stderr));
        verify("own.dump", "").passed();
        // A backup that has rows is checked as ever.
        place.file("good.sql", good_dump());
        verify("good.sql", "data = \"none\"").passed().says("Verifying migrations...");
    }

    #[test]
    fn limits_of_the_configuration_reach_the_server_and_flags_are_stronger() {
        let place = Place::on_a_lent_server();
        // Fails in a server with more memory than that.
        let check = "DO $$ BEGIN ASSERT current_setting('shared_buffers') = '64MB'; END $$;\n";
        place.file("a.sql", &crate::support::dumps::with_sql_last(check));
        place.outcome(place.verify().arg("a.sql")).failed("assertion failed");
        place.file("ccc-backup.toml", b"[verify]\nmemory = \"512MB\"\ncpus = 1\n");
        place.outcome(place.verify().arg("a.sql")).passed();
        place.outcome(place.verify().args(["a.sql", "--memory", "4GB"])).failed("assertion failed");
    }

    #[test]
    fn a_sequence_that_is_behind_fails_warns_or_is_not_looked_at() {
        let place = Place::on_a_lent_server();
        place.file("shop.sql", &shop().dump(&[]));
        let verify = |sequences: &str| {
            place.file(
                "own.toml",
                format!("{NO_APPLICATION}sequences = \"{sequences}\"\n").as_bytes(),
            );
            place.outcome(place.verify().args(["shop.sql", "--config", "own.toml"]))
        };
        verify("fail").failed("public.counted");
        let warned = verify("warn");
        warned.passed();
        assert!(warned.stderr.contains("public.counted"), "{warned}");
        let off = verify("off");
        off.passed();
        assert!(!off.stderr.contains("public.counted"), "{off}");
    }

    #[test]
    fn settings_of_the_configuration_reach_the_server() {
        let place = Place::on_a_lent_server();
        // Fails in a server that has another setting.
        let check = "DO $$ BEGIN ASSERT current_setting('work_mem') = '5MB'; END $$;\n";
        place.file("a.sql", &crate::support::dumps::with_sql_last(check));
        place.outcome(place.verify().arg("a.sql")).failed("assertion failed");
        place.file("ccc-backup.toml", b"[verify.settings]\nwork_mem = \"5MB\"\n");
        place.outcome(place.verify().arg("a.sql")).passed();
    }
}
