//! What the sandbox lacks is NOT VERIFIED, and named with what helps; what proves a backup bad is
//! FAILED all the same, wherever it stands.

use crate::archives::with_statement;
use crate::support::dumps::with_sql_first;
use crate::support::source::source;
use crate::support::torture::NO_APPLICATION;
use crate::support::{Database, Outcome, Place};

/// A dump as pg_dump writes it, with this in the place of everything between its settings and its end.
pub fn dump(sql: &str) -> String {
    format!(
        "--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 15.18\n\
         -- Dumped by pg_dump version 15.18\n\nSET statement_timeout = 0;\n\
         SET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\n\
         SELECT pg_catalog.set_config('search_path', '', false);\n\
         SET check_function_bodies = false;\nSET row_security = off;\n\n\
         CREATE TABLE public.items (id integer NOT NULL, label text);\n\n\
         COPY public.items (id, label) FROM stdin;\n1\tone\n2\ttwo\n\\.\n\n{sql}\n\n\
         --\n-- PostgreSQL database dump complete\n--\n\n"
    )
}

fn place() -> Place {
    let place = Place::on_a_lent_server();
    place.file("ccc-backup.toml", NO_APPLICATION);
    place
}

fn verified(place: &Place, sql: &str, args: &[&str]) -> Outcome {
    place.file("a.sql", dump(sql).as_bytes());
    place.outcome(place.verify_with(args).arg("a.sql"))
}

#[test]
fn missing_extensions_are_named_all_at_once_with_what_has_them() {
    let place = Place::on_a_lent_server();
    for (sql, cause, help) in [
        (
            "CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA public;",
            "the backup needs the extension vector, which the image lacks",
            "--image pgvector/pgvector:pg15",
        ),
        (
            "CREATE EXTENSION azure;\nCREATE EXTENSION pg_cron;",
            "the backup needs the extensions azure, pg_cron, which the image lacks",
            "apt-get install postgresql-15-cron",
        ),
    ] {
        place.file("a.sql", &with_sql_first(sql));
        let outcome = place.outcome(place.verify().arg("a.sql"));
        outcome.not_verified(cause).hints(help);
    }
}

/// Statements that a server refuses for want of something: what is lacking, and what helps.
const LACKING: [(&str, &str, &str); 4] = [
    (
        "SECURITY LABEL FOR anon ON TABLE public.tags IS 'MASKED';",
        "the security label provider anon",
        "shared_preload_libraries",
    ),
    (
        "CREATE FUNCTION public.f() RETURNS integer LANGUAGE plv8 AS 'return 1';",
        "the language plv8",
        "--image",
    ),
    (
        "CREATE FUNCTION public.f() RETURNS integer LANGUAGE c AS 'missing', 'f';",
        "the library missing",
        "--image",
    ),
    ("CREATE TABLE public.c () USING columnar;", "the access method columnar", "--image"),
];

#[test]
fn what_the_sandbox_lacks_is_named_and_does_not_hide_what_is_proof() {
    let place = place();
    for (sql, lack, help) in LACKING {
        let sql = sql.replace("public.tags", "public.items");
        let outcome = verified(&place, &sql, &[]);
        outcome.not_verified(&format!("the sandbox lacks {lack}: line ")).hints(help);
    }
    let (lacking, absent) = (LACKING[3].0, "CREATE INDEX ON public.c (id);");
    verified(&place, &[lacking, absent].join("\n"), &[]).not_verified("access method columnar");
    for proof in ["SELECT 'x'::integer;", "CREATE TABEL public.d ();"] {
        for (sql, jobs) in [([lacking, proof], "4"), ([proof, lacking], "1")] {
            let outcome = verified(&place, &sql.join("\n"), &["--jobs", jobs]);
            outcome.failed("restore error: line ");
        }
    }
    verified(&place, "CREATE TABLE public.d (a typo);", &[]).failed("type \"typo\" does not exist");
    // It made nothing, so nothing can be absent for want of it.
    let label = LACKING[0].0.replace("public.tags", "public.items");
    let outcome = verified(&place, &[&label, absent].join("\n"), &[]);
    outcome.failed("relation \"public.c\" does not exist");
}

/// What PostgreSQL 15 restores, though something in it is not of this server.
const SOUND: [&str; 8] = [
    // Older and newer versions' own ways.
    "CREATE PROCEDURAL LANGUAGE plpgsql;\nSET default_with_oids = false;\nSET sql_inheritance = on;",
    "SELECT * FROM pg_catalog.pg_restore_relation_stats('version', '180001'::integer, 'relname', 'items');",
    // Roles that the dump creates by itself, in every way.
    "CREATE USER lack_a WITH PASSWORD 'x';\nALTER TABLE public.items OWNER TO lack_a;",
    "CREATE GROUP lack_b;\nGRANT SELECT ON TABLE public.items TO lack_b;",
    "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'lack_c') THEN\n\
     CREATE ROLE lack_c; END IF; END $$;\nALTER TABLE public.items OWNER TO lack_c;",
    // Roles that only values and expressions name.
    "CREATE TABLE public.jobs (owner regrole);\nCOPY public.jobs (owner) FROM stdin;\nlack_d\n\\.",
    "CREATE TABLE public.jobs (owner regrole);\nINSERT INTO public.jobs VALUES ('lack_e');",
    "CREATE MATERIALIZED VIEW public.mine AS SELECT pg_has_role('lack_f', 'MEMBER') AS m WITH NO DATA;\n\
     REFRESH MATERIALIZED VIEW public.mine;",
];

#[test]
fn values_and_servers_that_only_the_source_has_are_not_held_against_the_backup() {
    let place = place();
    for (sql, cause, help) in [
        (
            "CREATE TABLE public.a (total money);\nCOPY public.a (total) FROM stdin;\n£1,250.50\n\\.",
            "the sandbox lacks the locale that the backup's amounts of money are written in",
            "lc_monetary",
        ),
        (
            "CREATE EXTENSION postgres_fdw WITH SCHEMA public;\n\
             CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '9');\n\
             CREATE USER MAPPING FOR PUBLIC SERVER far OPTIONS (password 'x');\n\
             CREATE FOREIGN TABLE public.far (id integer) SERVER far;\n\
             CREATE MATERIALIZED VIEW public.near AS SELECT id FROM public.far WITH NO DATA;\n\
             REFRESH MATERIALIZED VIEW public.near;",
            "the sandbox lacks what the backup reads from outside of itself",
            "--exclude-table",
        ),
        (
            "CREATE EXTENSION pg_stat_statements WITH SCHEMA public;\n\
             CREATE MATERIALIZED VIEW public.slow AS SELECT query FROM public.pg_stat_statements;",
            "the sandbox lacks the library pg_stat_statements among those that it loads as it starts",
            "shared_preload_libraries = \"pg_stat_statements\"",
        ),
        (
            "CREATE TEXT SEARCH DICTIONARY public.d (TEMPLATE = pg_catalog.ispell, dictfile = 'ours');",
            "the sandbox lacks",
            "--image",
        ),
        (
            "SET SESSION AUTHORIZATION DEFAULT;\nCREATE VIEW public.v AS SELECT 1 AS one;\n\
             SET timezone = 'Mars/Phobos';",
            "the sandbox lacks the time zone Mars/Phobos",
            "--image",
        ),
    ] {
        verified(&place, sql, &[]).not_verified(cause).hints(help);
    }
}

#[test]
fn letters_that_are_counted_as_bytes_are_not_held_against_the_backup() {
    let place = place();
    let table = "CREATE TABLE public.a (name character varying(3));\n\
                 COPY public.a (name) FROM stdin;\n";
    for (row, is_bad) in [("äöü", false), ("long", true)] {
        let ascii = dump(&format!("{table}{row}\n\\.")).replace("'UTF8'", "'SQL_ASCII'");
        place.file("a.sql", ascii.as_bytes());
        let outcome = place.outcome(place.verify().arg("a.sql"));
        if is_bad {
            outcome.failed("value too long for type character varying(3)");
        } else {
            outcome.not_verified("encoding").hints("without --encoding");
        }
    }
    let args = ["--template=template0", "--locale=C", "--encoding=UTF8", "--", "lack_letters"];
    source().client("createdb", &args);
    let database = Database { name: "lack_letters".to_owned() };
    database.sql("CREATE TABLE a (name varchar(3)); INSERT INTO a VALUES ('äöü')");
    place.file("a.dump", &database.dump(&["--encoding=SQL_ASCII", "--format=custom"]));
    let outcome = place.outcome(place.verify().arg("a.dump"));
    outcome.not_verified("encoding").hints("without --encoding");
}

#[test]
fn memberships_of_the_globals_beside_a_backup_hold_in_the_sandbox() {
    let sql = "CREATE FUNCTION public.secret() RETURNS integer LANGUAGE sql AS 'SELECT 1';\n\
               REVOKE ALL ON FUNCTION public.secret() FROM PUBLIC;\n\
               GRANT ALL ON FUNCTION public.secret() TO lack_readers;\n\
               CREATE MATERIALIZED VIEW public.filled AS SELECT public.secret() AS s WITH NO DATA;\n\
               ALTER MATERIALIZED VIEW public.filled OWNER TO lack_app;\n\
               REFRESH MATERIALIZED VIEW public.filled;";
    let place = place();
    let without = verified(&place, sql, &[]);
    without.not_verified("the sandbox lacks rights that roles have").hints("--globals");
    let globals = "--\n-- PostgreSQL database cluster dump\n--\n\nCREATE ROLE lack_app;\n\
                   ALTER ROLE lack_app WITH SUPERUSER LOGIN PASSWORD 'x';\n\
                   GRANT lack_readers TO lack_app GRANTED BY postgres;\n";
    place.file("a.globals.sql", globals.as_bytes());
    verified(&place, sql, &[]).passed();
}

#[test]
fn what_to_do_about_an_error_fits_its_class() {
    let place = place();
    for (sql, advice) in [
        ("CREATE TABEL public.b ();", "SQL is damaged"),
        ("CREATE TABLE public.items ();", "makes it twice"),
        ("CREATE TABLE public.b (a public.lost);", "does not bring it"),
        ("INSERT INTO public.items VALUES ('x', 'y');", "does not fit its column"),
        (
            "CREATE FUNCTION public.f() RETURNS bigint LANGUAGE plpgsql AS\n\
             $$ BEGIN RETURN (SELECT count(*) FROM items); END $$;\n\
             CREATE MATERIALIZED VIEW public.m AS SELECT public.f();",
            "empty search_path",
        ),
    ] {
        verified(&place, sql, &["--jobs", "1"]).failed("restore error").hints(advice);
    }
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn what_the_sandbox_lacks_for_an_archive_is_named_too() {
        let place = Place::on_a_lent_server();
        for (sql, lack, help) in LACKING {
            let outcome = place.verify_bytes("a.dump", &with_statement(sql));
            outcome.not_verified(&format!("the sandbox lacks {lack}: ")).hints(help);
        }
        place
            .verify_bytes("a.dump", &with_statement("CREATE TABLE public.d (a typo);"))
            .failed("type \"typo\" does not exist");
    }

    #[test]
    fn roles_pass_with_a_local_server_too_which_may_create_none() {
        let place = Place::without_docker();
        place.file("ccc-backup.toml", NO_APPLICATION);
        for sql in SOUND {
            verified(&place, sql, &["--engine", "local"]).passed();
        }
        let denied = "COPY public.items TO PROGRAM 'true';";
        let args = ["--engine", "local"];
        verified(&place, denied, &args)
            .not_verified("only a superuser may")
            .hints("--engine docker");
        let proof = [denied, "SELECT 'x'::integer;"].join("\n");
        verified(&place, &proof, &args).failed("invalid input syntax for type integer");
    }

    #[test]
    fn what_only_looks_like_another_versions_or_a_drop_of_clean_fails() {
        let place = place();
        for (sql, cause) in [
            ("SET custom_typo_of_search_path = '';", "unrecognized configuration parameter"),
            ("DROP TABLE public.typo;", "table \"typo\" does not exist"),
            (
                "ALTER TABLE public.items ALTER label SET DEFAULT public.lost(' DROP DEFAULT');",
                "function public.lost(unknown) does not exist",
            ),
            ("SELECT * FROM public.pg_restore_relation_stats('x');", "does not exist"),
            (
                "CREATE TABLE public.jobs (owner regrole);\nSELECT 'x y'::regrole;",
                "invalid name syntax",
            ),
            (
                "CREATE TABLE public.a (total money);\nINSERT INTO public.a VALUES ('abc');",
                "type money",
            ),
        ] {
            verified(&place, sql, &[]).failed(cause);
        }
    }

    #[test]
    fn a_login_trigger_that_lets_nobody_in_does_not_keep_the_checks_out() {
        let place = place();
        let gate = "CREATE FUNCTION public.gate() RETURNS event_trigger LANGUAGE plpgsql AS\n\
                $$ BEGIN INSERT INTO public.items VALUES (9, 'seen'); RAISE EXCEPTION 'closed'; END $$;\n\
                CREATE EVENT TRIGGER gate ON login EXECUTE FUNCTION public.gate();\n\
                ALTER EVENT TRIGGER gate ENABLE ALWAYS;";
        for jobs in ["1", "4"] {
            verified(&place, gate, &["--postgres-version", "17", "--jobs", jobs]).passed();
        }
        let lost = [gate, "SELECT public.lost();"].join("\n");
        verified(&place, &lost, &["--postgres-version", "17"])
            .failed("function public.lost() does not");
    }

    #[test]
    fn what_other_versions_write_and_roles_that_only_the_dump_knows_pass() {
        let place = place();
        for sql in SOUND {
            verified(&place, sql, &[]).passed();
        }
    }
}
