//! What a server will refuse to a role that is no superuser: told before anything is done, and refused indeed.

use super::{Named, command, sql};
use crate::support::{Outcome, Place, unchanged_database};

/// A dump of one table and these statements.
fn dump(statements: &str) -> Vec<u8> {
    format!(
        "--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 15.1\n\n\
        CREATE TABLE public.t (id integer);\n{statements}\n\
        COPY public.t (id) FROM stdin;\n1\n\\.\n\n--\n-- PostgreSQL database dump complete\n--\n\n"
    )
    .into_bytes()
}

/// A role that may create databases and is no superuser.
struct Role(String);

impl Role {
    fn new(what: &str) -> Self {
        let role = super::name(what);
        sql("postgres", &format!("CREATE ROLE {role} LOGIN CREATEDB PASSWORD 'pw'"));
        Self(role)
    }

    fn restore(&self, place: &Place, database: &str, args: &[&str]) -> Outcome {
        let mut run = command(place, database, args);
        place.outcome(run.env("DB_USER", &self.0).env("DB_PASSWORD", "pw"))
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        sql("postgres", &format!("DROP ROLE {}", self.0));
    }
}

fn foretells(outcome: &Outcome) -> Vec<String> {
    let lines = outcome.stdout.lines().map(str::trim);
    lines.filter(|line| line.starts_with("Will be refused: ")).map(str::to_owned).collect()
}

const FIRED: &str =
    "CREATE FUNCTION public.fired() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';\n";

#[test]
fn of_a_healthy_backup_nothing_is_foretold_and_it_is_restored() {
    let place = Place::without_docker();
    let role = Role::new("healthy");
    let named = Named::new("healthy");
    place.create(unchanged_database()).args(["x.sql.gz"]).assert().success();
    place.create(unchanged_database()).args(["x.dump"]).assert().success();
    let more = format!(
        "CREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA public;\n\
         COMMENT ON EXTENSION citext IS 'x';\n\
         COMMENT ON SCHEMA public IS 'ours';\n\
         CREATE TYPE public.mood AS ENUM ('x');\n\
         CREATE DOMAIN public.d AS integer CHECK (VALUE > 0);\n\
         CREATE FUNCTION public.f(language text) RETURNS integer LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';\n\
         CREATE CAST (public.mood AS integer) WITH INOUT;\n\
         CREATE AGGREGATE public.total(integer) (SFUNC = int4pl, STYPE = integer);\n\
         CREATE OPERATOR public.=== (FUNCTION = int4eq, LEFTARG = integer, RIGHTARG = integer);\n\
         CREATE PUBLICATION p;\nALTER PUBLICATION p ADD TABLE ONLY public.t;\n\
         ALTER TABLE public.t OWNER TO postgres;\n\
         ALTER DEFAULT PRIVILEGES FOR ROLE {0} GRANT SELECT ON TABLES TO PUBLIC;\n\
         SET SESSION AUTHORIZATION DEFAULT;\nSET ROLE {0};\nRESET ROLE;\n\
         SET default_tablespace = '';\nSET work_mem = '5MB';",
        role.0
    );
    place.file("more.sql", &dump(&more));
    for file in ["x.sql.gz", "x.dump", "more.sql"] {
        let planned = role.restore(&place, &named.0, &[file, "--dry-run"]);
        assert_eq!(planned.code, 0, "{file}: {planned}");
        assert_eq!(foretells(&planned), Vec::<String>::new(), "{file}: {planned}");
        assert!(!planned.stdout.contains("superuser"), "{file}: {planned}");
        role.restore(&place, &named.0, &[file]).restored(&named.0);
        sql("postgres", &format!("DROP DATABASE {}", named.0));
    }
    // A superuser is refused nothing.
    place.file("x.sql", &dump(&format!("{FIRED}CREATE PUBLICATION p FOR ALL TABLES;")));
    let planned = super::restore(&place, &named.0, &["x.sql", "--dry-run"]);
    assert_eq!(foretells(&planned), Vec::<String>::new(), "{planned}");
}

#[test]
fn what_an_empty_database_has_counts_for_what_is_foretold() {
    let place = Place::without_docker();
    let role = Role::new("has");
    let named = Named::new("has");
    sql("postgres", &format!("CREATE DATABASE {} OWNER {}", named.0, role.0));
    sql(&named.0, "ALTER SCHEMA public OWNER TO postgres; GRANT ALL ON SCHEMA public TO PUBLIC");
    place.file("comment.sql", &dump("COMMENT ON SCHEMA public IS 'x';"));
    let planned = role.restore(&place, &named.0, &["comment.sql", "--dry-run"]);
    assert_eq!(foretells(&planned).len(), 1, "{planned}");
    role.restore(&place, &named.0, &["comment.sql"]).not_restored("must be owner of schema public");
    // An extension that only a superuser makes, before and after one made it.
    place.file(
        "extension.sql",
        &dump("CREATE EXTENSION IF NOT EXISTS pageinspect WITH SCHEMA public;"),
    );
    let planned = role.restore(&place, &named.0, &["extension.sql", "--dry-run"]);
    assert!(
        planned.stdout.contains("Extensions that only a superuser makes: pageinspect"),
        "{planned}"
    );
    role.restore(&place, &named.0, &["extension.sql"]).not_restored("pageinspect");
    sql(&named.0, "CREATE EXTENSION pageinspect");
    let planned = role.restore(&place, &named.0, &["extension.sql", "--dry-run"]);
    assert!(!planned.stdout.contains("superuser"), "{planned}");
    role.restore(&place, &named.0, &["extension.sql"]).restored(&named.0);
    sql("postgres", &format!("DROP DATABASE {}", named.0));
    // Where it may make nothing.
    sql("postgres", &format!("CREATE DATABASE {}", named.0));
    let planned = role.restore(&place, &named.0, &["comment.sql", "--dry-run"]);
    assert!(planned.stdout.contains("may make nothing in the schema public"), "{planned}");
    role.restore(&place, &named.0, &["comment.sql"])
        .not_restored("permission denied for schema public");
    sql("postgres", &format!("DROP DATABASE {}", named.0));
}

/// Has sessions of a role know the label provider `ccc_test`, which lets superusers alone set any label but "public".
fn lend_labels(place: &Place, role: &str) {
    let version: u32 = sql("postgres", "SHOW server_version_num").parse().unwrap();
    let module = crate::support::source::source().dir.join("ccc_test_labels.so");
    let mut compiler = std::process::Command::new("cc");
    compiler.args(["-shared", "-fPIC", &format!("-DVERSION={}", version / 100), "-o"]);
    compiler.arg(&module).arg(crate::support::repository("tests/fixtures/labels/provider.c"));
    assert!(compiler.current_dir(place.dir()).status().unwrap().success());
    let module = module.display();
    sql("postgres", &format!("ALTER ROLE {role} SET session_preload_libraries = '{module}'"));
}

#[test]
fn an_extension_that_the_server_lacks_is_told_before_the_backup_is_read_to_its_end() {
    let place = Place::without_docker();
    let rows = "1\n".repeat(8_000_000);
    let dump = String::from_utf8(dump("CREATE EXTENSION no_such_extension;")).unwrap();
    place.file("x.sql", dump.replace("stdin;\n1\n", &format!("stdin;\n{rows}")).as_bytes());
    let named = Named::new("early");
    let outcome = super::restore(&place, &named.0, &["x.sql"]);
    outcome
        .not_restored("the backup needs the extension no_such_extension, which the server lacks");
    assert!(!outcome.stdout.contains("Backup is complete"), "{outcome}");
    // Who only asks is told all of it.
    let planned = super::restore(&place, &named.0, &["x.sql", "--dry-run"]);
    assert_eq!(planned.code, 0, "{planned}");
    assert!(planned.stdout.contains("Extensions missing: no_such_extension"), "{planned}");
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn every_statement_that_is_foretold_to_be_refused_is_refused() {
        let place = Place::without_docker();
        let other = super::super::name("foretold_other");
        let space = super::super::name("foretold_space");
        sql("postgres", &format!("CREATE ROLE {other}"));
        let make = format!("CREATE TABLESPACE {space} LOCATION ''");
        let args = ["-Xqd", "postgres", "-c", "SET allow_in_place_tablespaces = on", "-c", &make];
        crate::support::source::source().client("psql", &args);
        let role = Role::new("foretold");
        let named = Named::new("foretold");
        let cases = [
        format!("{FIRED}CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION public.fired();"),
        "CREATE PUBLICATION p FOR ALL TABLES;".to_owned(),
        "CREATE PUBLICATION p;\nALTER PUBLICATION p ADD TABLES IN SCHEMA public;".to_owned(),
        "CREATE SUBSCRIPTION s CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false, slot_name = NONE);".to_owned(),
        "CREATE FOREIGN DATA WRAPPER w;".to_owned(),
        "CREATE TYPE public.shell;".to_owned(),
        "CREATE OPERATOR FAMILY public.f USING btree;".to_owned(),
        "CREATE TYPE public.a AS (x integer);\nCREATE TYPE public.b AS (x integer);\n\
         CREATE CAST (public.a AS public.b) WITHOUT FUNCTION;".to_owned(),
        "CREATE FUNCTION public.f() RETURNS integer LANGUAGE sql LEAKPROOF AS 'SELECT 1';".to_owned(),
        "CREATE AGGREGATE public.a(bigint) (SFUNC = int8_avg_accum, STYPE = internal);".to_owned(),
        "CREATE ACCESS METHOD m TYPE TABLE HANDLER heap_tableam_handler;".to_owned(),
        "CREATE TEXT SEARCH TEMPLATE public.x (LEXIZE = dsimple_lexize);".to_owned(),
        "CREATE LANGUAGE x HANDLER plpgsql_call_handler;".to_owned(),
        "CREATE TABLESPACE x LOCATION '/nowhere';".to_owned(),
        "ALTER SYSTEM SET work_mem = '5MB';".to_owned(),
        "UPDATE pg_catalog.pg_class SET reltuples = 1 WHERE relname = 't';".to_owned(),
        format!("ALTER DEFAULT PRIVILEGES FOR ROLE {other} GRANT SELECT ON TABLES TO {};", role.0),
        format!("SET ROLE {other};\nRESET ROLE;"),
        format!("SET SESSION AUTHORIZATION {other};"),
        "SET session_replication_role = replica;".to_owned(),
        format!("SET default_tablespace = {space};\nCREATE TABLE public.elsewhere (id integer);"),
        "CREATE FUNCTION public.f() RETURNS integer LANGUAGE c AS 'nothing', 'f';".to_owned(),
        "CREATE FUNCTION public.f(integer) RETURNS integer LANGUAGE internal AS 'int4abs';".to_owned(),
    ];
        for statements in &cases {
            place.file("x.sql", &dump(statements));
            let planned = role.restore(&place, &named.0, &["x.sql", "--dry-run"]);
            assert_eq!(planned.code, 0, "{statements}: {planned}");
            let told = foretells(&planned);
            assert_eq!(told.len(), 1, "{statements}: {planned}");
            let refused = role.restore(&place, &named.0, &["x.sql", "--jobs", "1"]);
            assert_eq!(refused.code, 2, "{statements}: {refused}");
            let words = [
                "superuser",
                "permission denied",
                "must be",
                "must have privileges",
                "cannot be internal",
            ];
            let cause = refused.stdout.split("NOT RESTORED").nth(1).unwrap();
            assert!(words.iter().any(|word| cause.contains(word)), "{statements}: {refused}");
            assert_eq!(super::super::databases(&named.0), Vec::<String>::new());
        }
        // What was to be granted is granted.
        sql(
            "postgres",
            &format!(
                "GRANT {other} TO {}; GRANT CREATE ON TABLESPACE {space} TO {}",
                role.0, role.0
            ),
        );
        sql("postgres", &format!("GRANT SET ON PARAMETER session_replication_role TO {}", role.0));
        for statements in [&cases[16], &cases[17], &cases[19], &cases[20]] {
            place.file("x.sql", &dump(statements));
            let planned = role.restore(&place, &named.0, &["x.sql", "--dry-run"]);
            assert_eq!(foretells(&planned), Vec::<String>::new(), "{statements}");
            role.restore(&place, &named.0, &["x.sql", "--jobs", "1"]).restored(&named.0);
            sql("postgres", &format!("DROP DATABASE {}", named.0));
        }
        sql(
            "postgres",
            &format!("REVOKE ALL ON PARAMETER session_replication_role FROM {}", role.0),
        );
        sql("postgres", &format!("DROP TABLESPACE {space}"));
        sql("postgres", &format!("DROP OWNED BY {other}; DROP ROLE {other}"));
    }

    #[test]
    fn a_label_is_foretold_to_be_refused_where_nobody_knows_it_or_who_knows_it_leaves_it_to_superusers()
     {
        let place = Place::without_docker();
        let role = Role::new("labels");
        let named = Named::new("labels");
        let label = |provider: &str, text: &str| {
            format!("SECURITY LABEL {provider}ON TABLE public.t IS '{text}';")
        };
        let check = |statement: &str, told: Option<&str>, refused: &str| {
            place.file("x.sql", &dump(statement));
            let planned = role.restore(&place, &named.0, &["x.sql", "--dry-run"]);
            assert_eq!(planned.code, 0, "{statement}: {planned}");
            let lines = foretells(&planned);
            let restored = role.restore(&place, &named.0, &["x.sql"]);
            match told {
                Some(told) => {
                    assert_eq!(lines.len(), 1, "{statement}: {planned}");
                    assert!(lines[0].contains(told), "{statement}: {planned}");
                    restored.not_restored(refused);
                }
                None => {
                    assert_eq!(lines, Vec::<String>::new(), "{statement}: {planned}");
                    restored.restored(&named.0);
                    sql("postgres", &format!("DROP DATABASE {}", named.0));
                }
            }
            assert_eq!(super::super::databases(&named.0), Vec::<String>::new());
        };
        // Nobody has loaded any.
        let missing = Some("is loaded there, or several: add it to shared_preload_libraries");
        check(&label("", "public"), missing, "a security label provider");
        let missing = Some(
            "the label provider ccc_test is not loaded there: add it to shared_preload_libraries",
        );
        check(&label("FOR ccc_test ", "public"), missing, "the security label provider ccc_test");
        // Not even a superuser sets it then.
        let planned = super::super::restore(&place, &named.0, &["x.sql", "--dry-run"]);
        assert_eq!(foretells(&planned).len(), 1, "{planned}");
        super::super::restore(&place, &named.0, &["x.sql"])
            .not_restored("the security label provider ccc_test");

        lend_labels(&place, &role.0);
        check(&label("", "public"), None, "");
        check(&label("FOR ccc_test ", "public"), None, "");
        check(&label("FOR ccc_test ", "secret"), Some("needs a superuser"), "superuser");
        check(
            &label("FOR other ", "public"),
            Some("the label provider other is not loaded"),
            "the security label provider other",
        );
        // Whoever is a superuser sets it, where it is known.
        sql("postgres", &format!("ALTER ROLE {} SUPERUSER", role.0));
        check(&label("FOR ccc_test ", "secret"), None, "");
        assert_eq!(sql("postgres", "SELECT count(*) FROM pg_seclabel"), "0");
    }
}
