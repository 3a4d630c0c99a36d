//! `[checks.migrations]`: Alembic's revisions against its directory, and what else keeps migrations.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use super::{made, verified};
use crate::support::source::{Database, database, source};
use crate::support::{Outcome, Place, good_dump, repository, text};

/// The three revisions with which the application of the tests has a dozen.
const LATER: [(&str, &str, &str); 3] = [
    ("1c7a44f0b9d2", "0607bc5b8541", "notes"),
    ("2d8b55a1cae3", "1c7a44f0b9d2", "drafts"),
    ("3e9c66b2dbf4", "2d8b55a1cae3", "quotas"),
];

/// Writes a revision as Alembic's own template does.
fn revision(dir: &Path, id: &str, down: &str, table: &str) {
    let text = format!(
        "\"\"\"{table}\n\nRevision ID: {id}\nRevises: {down}\n\n\"\"\"\nfrom typing import Sequence, Union\n\n\
         from alembic import op\nimport sqlalchemy as sa\n\n\n# revision identifiers, used by Alembic.\n\
         revision: str = '{id}'\ndown_revision: Union[str, Sequence[str], None] = {down}\n\
         branch_labels: Union[str, Sequence[str], None] = None\ndepends_on: Union[str, Sequence[str], None] = None\n\n\n\
         def upgrade() -> None:\n    op.create_table('{table}', sa.Column('id', sa.BigInteger, primary_key=True))\n"
    );
    fs::write(dir.join(format!("versions/{id}_{table}.py")), text).unwrap();
}

/// The repository of the application: a directory `alembic` with a dozen revisions.
fn application(place: &Place) -> std::path::PathBuf {
    let dir = place.dir().join("alembic");
    fs::create_dir_all(dir.join("versions")).unwrap();
    let fixture = repository("tests/fixtures/alembic");
    for file in ["alembic.ini", "env.py"] {
        fs::copy(fixture.join(file), dir.join(file)).unwrap();
    }
    for entry in fs::read_dir(fixture.join("versions")).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_file() {
            fs::copy(entry.path(), dir.join("versions").join(entry.file_name())).unwrap();
        }
    }
    for (id, down, table) in LATER {
        revision(&dir, id, &format!("'{down}'"), table);
    }
    dir
}

/// A program of the virtual environment, on a database of the source server.
fn python(program: &str, database: &str) -> Command {
    let mut command = Command::new(repository(".venv/bin").join(program));
    command.envs(source().libpq()).env("PGDATABASE", database).env("PYTHONDONTWRITEBYTECODE", "1");
    command.env_remove("DATABASE_URL");
    command
}

fn alembic(dir: &Path, database: &str, args: &[&str]) -> String {
    let ini = dir.join("alembic.ini");
    let output = python("alembic", database).arg("-c").arg(ini).args(args).output().unwrap();
    assert!(output.status.success(), "alembic {args:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// The block of the README with this line, as it stands there.
fn lines_of_the_readme(with: &str) -> String {
    let readme = fs::read_to_string(repository("README.md")).unwrap();
    let blocks = readme.split("\n```toml\n").skip(1);
    let mut blocks = blocks.filter_map(|rest| rest.split_once("\n```").map(|(block, _)| block));
    blocks.find(|block| block.contains(with)).unwrap().to_owned()
}

/// A database that Django's own migrations made.
fn of_django() -> &'static Database {
    static DJANGO: OnceLock<Database> = OnceLock::new();
    DJANGO.get_or_init(|| {
        let django = Database { name: "ccc_django".to_owned() };
        source().client("createdb", &["--", &django.name]);
        let output = python("django-admin", &django.name)
            .args(["migrate", "--settings", "site_settings", "--verbosity", "0"])
            .env("PYTHONPATH", repository("tests/fixtures/django"))
            .output()
            .unwrap();
        assert!(output.status.success(), "django-admin: {}", text(&output.stderr));
        django
    })
}

/// Tables as the documentation of what keeps migrations in them gives them, with two migrations each.
const OTHERS: &str = r#"
CREATE TABLE schema_migrations (version character varying NOT NULL PRIMARY KEY);
CREATE TABLE ar_internal_metadata (key character varying NOT NULL PRIMARY KEY, value character varying,
    created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL);
INSERT INTO schema_migrations VALUES ('20260101120000'), ('20251231120000');
INSERT INTO ar_internal_metadata VALUES ('environment', 'production', now(), now());

CREATE SCHEMA app;
CREATE TABLE app.flyway_schema_history (
    installed_rank INT NOT NULL CONSTRAINT flyway_schema_history_pk PRIMARY KEY, version VARCHAR(50),
    description VARCHAR(200) NOT NULL, type VARCHAR(20) NOT NULL, script VARCHAR(1000) NOT NULL, checksum INTEGER,
    installed_by VARCHAR(100) NOT NULL, installed_on TIMESTAMP NOT NULL DEFAULT now(),
    execution_time INTEGER NOT NULL, success BOOLEAN NOT NULL);
INSERT INTO app.flyway_schema_history VALUES
    (1, '1', 'first', 'SQL', 'V1__first.sql', 1, 'app', now(), 5, true),
    (2, '1.1', 'second try', 'SQL', 'V1_1__second_try.sql', 1, 'app', now(), 5, true);

CREATE TABLE _prisma_migrations (
    id VARCHAR(36) PRIMARY KEY NOT NULL, checksum VARCHAR(64) NOT NULL, finished_at TIMESTAMPTZ,
    migration_name VARCHAR(255) NOT NULL, logs TEXT, rolled_back_at TIMESTAMPTZ,
    started_at TIMESTAMPTZ NOT NULL DEFAULT now(), applied_steps_count INTEGER NOT NULL DEFAULT 0);
INSERT INTO _prisma_migrations VALUES
    ('a', 'x', '2026-01-01', '20260101000000_init', NULL, NULL, '2026-01-01', 1),
    ('b', 'x', NULL, '20260102000000_broken', 'ERROR', '2026-01-03', '2026-01-02', 0);

CREATE SCHEMA sqitch;
CREATE TABLE sqitch.changes (
    change_id TEXT PRIMARY KEY, script_hash TEXT UNIQUE, change TEXT NOT NULL, project TEXT NOT NULL,
    note TEXT NOT NULL DEFAULT '', committed_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    committer_name TEXT NOT NULL, committer_email TEXT NOT NULL, planned_at TIMESTAMPTZ NOT NULL,
    planner_name TEXT NOT NULL, planner_email TEXT NOT NULL);
INSERT INTO sqitch.changes VALUES
    ('1', '1', 'users', 'flipr', '', '2026-01-02', 'a', 'a', '2026-01-01', 'a', 'a'),
    ('2', '2', 'roles', 'flipr', '', '2026-01-01', 'a', 'a', '2026-01-01', 'a', 'a');
"#;

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn a_revision_is_known_and_at_the_head_where_that_is_demanded() {
        let place = Place::on_a_lent_server();
        let dir = application(&place);
        place.file("good.sql", good_dump());
        let with =
            |more: &str| verified(&place, "good.sql", &format!("[checks.migrations]\n{more}\n"));
        let directory = "directory = \"alembic\"";
        let demanded = with(&format!("{directory}\nrequire_head = true"));
        demanded.failed("Migrations are 3 revisions behind the head of");
        demanded.says("Backup can be restored successfully; what failed is not of it");
        for (id, _, table) in LATER {
            fs::remove_file(dir.join(format!("versions/{id}_{table}.py"))).unwrap();
        }
        with(&format!("{directory}\nrequire_head = true")).passed();
        // Code that is older than the database.
        fs::remove_file(dir.join("versions/0607bc5b8541_search_in_jobs.py")).unwrap();
        with(directory).failed("Migration version 0607bc5b8541 is none of the 8 revisions of");
        // A file that is not understood is named, and a command can be asked in its place.
        fs::write(dir.join("versions/odd.py"), "revision = make()\n").unwrap();
        let odd = with(directory);
        odd.not_verified(
            "versions/odd.py is not understood: line 1 is no text and no list of texts",
        );
        odd.says("a command can list them: [checks.migrations] command = \"alembic heads\" in ccc-backup.toml");
        with("command = \"echo '0607bc5b8541 (head)'\"").passed().says(
            "✓ Migrations are at the head of the command of [checks.migrations]: 0607bc5b8541",
        );
        with("command = \"echo no; exit 3\"")
            .not_verified("the command that lists them failed, exit status: 3");
        let missing = with("directory = \"nowhere\"");
        assert!(
            missing.code == 2 && missing.stderr.contains("nowhere cannot be read"),
            "{missing}"
        );
        fs::create_dir(place.dir().join("empty")).unwrap();
        let empty = with("directory = \"empty\"");
        assert!(
            empty.code == 2 && empty.stderr.contains("has no file of a revision in it"),
            "{empty}"
        );
        // Nobody vouched for the command of a file that was only found.
        place.file("ccc-backup.toml", b"[checks.migrations]\ncommand = \"touch touched\"\n");
        let found = place.outcome(place.verify().arg("good.sql"));
        assert!(found.code == 2 && !place.dir().join("touched").exists(), "{found}");
        found.hints("--config ccc-backup.toml");
    }

    #[test]
    fn a_tree_of_branches_is_read_as_alembic_reads_it() {
        let place = Place::on_a_lent_server();
        let dir = application(&place);
        let write =
            |name: &str, text: &str| fs::write(dir.join("versions").join(name), text).unwrap();
        // Two branches and their merge, a branch of its own with a label, and one that needs that.
        revision(&dir, "left", "'3e9c66b2dbf4'", "l");
        revision(&dir, "right", "'3e9c66b2dbf4'", "r");
        write(
            "merge.py",
            "revision = \"merged\"\ndown_revision = (\n    \"left\",  # one\n    \"right\",\n)\n\ndef upgrade(): pass\n",
        );
        write(
            "audit.py",
            "revision = 'audit_1'\ndown_revision = None\nbranch_labels = ('audit',)\ndef upgrade(): pass\n",
        );
        write(
            "audit_2.py",
            "revision = 'audit_2'\ndown_revision = 'audit_1'\ndef upgrade(): pass\n",
        );
        write(
            "needing.py",
            "revision = 'needing'\ndown_revision = 'merged'\ndepends_on = 'audit'\ndef upgrade(): pass\n",
        );
        let database = database();
        let said = |outcome: &Outcome| {
            outcome
                .stdout
                .lines()
                .find(|line| line.contains("Migrations are"))
                .unwrap()
                .trim()
                .to_owned()
        };
        let by_directory = "[checks.migrations]\ndirectory = \"alembic\"\n";
        let heads = alembic(&dir, &database.name, &["heads"]);
        let alembic_program = repository(".venv/bin/alembic");
        let by = |command: &str| {
            let ini = dir.join("alembic.ini");
            format!(
                "[checks.migrations]\ncommand = \"{} -c {} {command}\"\n",
                alembic_program.display(),
                ini.display()
            )
        };
        for (step, behind) in [("0607bc5b8541", 9), ("left", 5), ("needing", 1), ("heads", 0)] {
            alembic(&dir, &database.name, &["upgrade", step]);
            made(&place, &database, &["--force", "tree.sql.gz"]);
            let ours = said(verified(&place, "tree.sql.gz", by_directory).passed());
            let theirs = said(verified(&place, "tree.sql.gz", &by("history")).passed());
            let place_of = |line: &str| line.split(" of ").next().unwrap().to_owned();
            assert_eq!(place_of(&ours), place_of(&theirs), "{heads}");
            if behind == 0 {
                assert!(ours.contains("audit_2, needing"), "{ours}");
                let heads = said(verified(&place, "tree.sql.gz", &by("heads")).passed());
                assert!(heads.starts_with("✓ Migrations are at the heads"), "{heads}");
            } else {
                let s = if behind == 1 { "" } else { "s" };
                assert!(
                    ours.contains(&format!("are {behind} revision{s} behind the heads")),
                    "{step}: {ours}"
                );
            }
        }
    }

    #[test]
    fn djangos_migrations_are_found_and_can_be_demanded() {
        let place = Place::on_a_lent_server();
        place.file("django.sql", &of_django().dump(&[]));
        let rows = of_django().sql("SELECT count(*) FROM django_migrations");
        let newest = of_django()
            .sql("SELECT app || '.' || name FROM django_migrations ORDER BY id DESC LIMIT 1");
        let said =
            format!("✓ Django migrations: {rows} rows in django_migrations, the newest {newest}");
        let with = |more: &str| {
            verified(&place, "django.sql", &format!("[checks]\ntables = [\"auth_user\"]\n{more}\n"))
        };
        with("").passed().says(&said);
        with("migrations = \"django\"").passed().says(&said);
        with("migrations = \"flyway\"").failed(
            "Flyway migrations are missing: there is no table flyway_schema_history of Flyway",
        );
        with("migrations = \"alembic\"")
            .failed("Migration version: relation \"alembic_version\" does not exist");
        let none = with("migrations = \"none\"");
        assert!(!none.passed().stdout.contains("Django"), "{none}");
        // What keeps no migrations at all is said to.
        place.file("plain.sql", b"--\n-- PostgreSQL database dump\n--\n\nCREATE TABLE public.t (a int);\nCOPY public.t (a) FROM stdin;\n1\n\\.\n\n--\n-- PostgreSQL database dump complete\n--\n");
        let plain = verified(&place, "plain.sql", "[checks]\ntables = [\"t\"]\n");
        plain.passed().says(
        "· No migrations of a kind that is known (Alembic, Django, Rails, Flyway, Prisma, Sqitch)",
    );
    }

    #[test]
    fn what_other_tools_keep_is_found_by_the_tables_of_their_documentation() {
        let place = Place::on_a_lent_server();
        let others = Database { name: "ccc_others".to_owned() };
        source().client("createdb", &["--", &others.name]);
        others.sql(OTHERS);
        place.file("others.sql", &others.dump(&[]));
        let config = "[checks]\ntables = []\n";
        let outcome = verified(&place, "others.sql", config);
        outcome.passed();
        for said in [
            "✓ Rails migrations: 2 rows in schema_migrations, the newest 20260101120000",
            "✓ Flyway migrations: 2 rows in app.flyway_schema_history, the newest 1.1 second try",
            "✓ Prisma migrations: 1 row in _prisma_migrations, the newest 20260101000000_init",
            "✓ Sqitch migrations: 2 rows in sqitch.changes, the newest flipr:users",
        ] {
            outcome.says(said);
        }
        // What did not come to its end, and what is empty; and tables of that name that are others'.
        others.sql(
        "INSERT INTO app.flyway_schema_history VALUES (3, '2', 'third', 'SQL', 'V2__third.sql', 1, 'app', now(), 5, false);
         UPDATE _prisma_migrations SET rolled_back_at = NULL;
         DELETE FROM sqitch.changes; DROP TABLE ar_internal_metadata;",
    );
        place.file("others.sql", &others.dump(&[]));
        let outcome = verified(&place, "others.sql", config);
        outcome.passed();
        for said in [
            "⚠ Flyway migrations: 3 rows in app.flyway_schema_history, the newest 2 third",
            "2 third did not come to its end, in the source either",
            "20260102000000_broken did not come to its end, in the source either",
            "⚠ Sqitch migrations are missing: sqitch.changes is empty",
        ] {
            outcome.says(said);
        }
        assert!(!outcome.stdout.contains("Rails"), "{outcome}");
        let demanded =
            verified(&place, "others.sql", "[checks]\ntables = []\nmigrations = \"sqitch\"\n");
        demanded.failed("Sqitch migrations are missing: sqitch.changes is empty");
        let table = "[checks]\ntables = []\n[checks.migrations]\nkind = \"rails\"\ntable = \"public.schema_migrations\"\n";
        verified(&place, "others.sql", table)
            .passed()
            .says("✓ Rails migrations: 2 rows in schema_migrations, the newest 20260101120000");
    }

    #[test]
    fn the_five_lines_of_the_readme_hold_a_backup_to_the_migrations_of_its_repository() {
        let place = Place::on_a_lent_server();
        let lines = lines_of_the_readme("directory = \"alembic\"");
        assert_eq!(lines.lines().filter(|line| !line.trim().is_empty()).count(), 5, "{lines}");
        place.file("ccc-backup.toml", lines.as_bytes());
        let dir = application(&place);
        let database = database();
        let backup = || {
            let made = place.outcome(&mut place.create(&database));
            assert_eq!(made.code, 0, "{made}");
            place.outcome(place.verify().arg("--latest"))
        };
        let behind = backup();
        behind.passed().says("✓ Migration version: 0607bc5b8541");
        behind.says(
        "⚠ Migrations are 3 revisions behind the head of alembic/versions, 3e9c66b2dbf4: 0607bc5b8541",
    );
        alembic(&dir, &database.name, &["upgrade", "head"]);
        fs::remove_dir_all(place.dir().join("backups")).unwrap();
        let outcome = backup();
        outcome.passed().says("✓ Migrations are at the head of alembic/versions: 3e9c66b2dbf4");
        assert!(outcome.stdout.contains("old, of the 1 d 2 h allowed (max_age)"), "{outcome}");
        assert!(!outcome.stdout.contains("Migrations are 3"), "{outcome}");
    }
}
