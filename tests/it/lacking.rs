//! What the sandbox lacks is NOT VERIFIED, and named with what helps; what proves a backup bad is
//! FAILED all the same, wherever it stands.

use crate::archives::with_statement;
use crate::support::dumps::with_sql_first;
use crate::support::torture::NO_APPLICATION;
use crate::support::{Outcome, Place};

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
    let place = Place::new();
    place.file("ccc-backup.toml", NO_APPLICATION);
    place
}

fn verified(place: &Place, sql: &str, args: &[&str]) -> Outcome {
    place.file("a.sql", dump(sql).as_bytes());
    place.outcome(place.verify().arg("a.sql").args(args))
}

#[test]
fn missing_extensions_are_named_all_at_once_with_what_has_them() {
    let place = Place::new();
    for (sql, cause, help) in [
        (
            "CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA public;",
            "the backup needs the extension vector, which the image lacks",
            "--image pgvector/pgvector:pg15",
        ),
        (
            "CREATE EXTENSION azure;\nCREATE EXTENSION pg_cron;",
            "the backup needs the extensions azure, pg_cron, which the image lacks",
            "apt install postgresql-15-cron",
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

#[test]
fn what_the_sandbox_lacks_for_an_archive_is_named_too() {
    let place = Place::new();
    for (sql, lack, help) in LACKING {
        let outcome = place.verify_bytes("a.dump", &with_statement(sql));
        outcome.not_verified(&format!("the sandbox lacks {lack}: ")).hints(help);
    }
    place
        .verify_bytes("a.dump", &with_statement("CREATE TABLE public.d (a typo);"))
        .failed("type \"typo\" does not exist");
}
