//! Statements that change what a dump by hand has written before them, and sequences that they move.

use crate::support::torture::NO_APPLICATION;
use crate::support::{Outcome, Place};

fn place() -> Place {
    let place = Place::on_a_lent_server();
    place.file("ccc-backup.toml", NO_APPLICATION);
    place
}

/// A dump by hand: these statements between pg_dump's first and last comment, and these after them.
fn dump(sql: &str, after: &str) -> Vec<u8> {
    format!(
        "--\n-- PostgreSQL database dump\n--\n\n{sql}\n\
         --\n-- PostgreSQL database dump complete\n--\n\n{after}"
    )
    .into_bytes()
}

fn verified(place: &Place, dump: &[u8], jobs: &str) -> Outcome {
    place.file("a.sql", dump);
    place.outcome(place.verify().args(["a.sql", "--jobs", jobs]))
}

/// Tables of which each is changed by another statement.
const TABLES: &str = "\
CREATE TABLE public.kept (id integer);
CREATE TABLE public.updated (id integer);
CREATE TABLE public.deleted (id integer);
CREATE TABLE public.emptied (id integer);
CREATE TABLE public.dropped (id integer);
CREATE TABLE public.renamed (id integer);
CREATE TABLE public.retyped (id integer);
CREATE TABLE public.filled (id integer);
CREATE TABLE public.queried (id integer);
CREATE TEMP TABLE stage (id integer);
";

const CHANGES: &str = "\
UPDATE public.updated SET id = id + 1;
DELETE FROM public.deleted WHERE id = 1;
TRUNCATE TABLE public.emptied;
DROP TABLE public.dropped;
ALTER TABLE public.renamed RENAME TO other;
ALTER TABLE public.retyped ALTER COLUMN id TYPE text USING 'n' || id;
INSERT INTO public.filled SELECT 3;
INSERT INTO public.kept SELECT id + 2 FROM stage WHERE false;
";

fn copies() -> String {
    let names = TABLES.lines().filter_map(|line| line.split([' ', '(']).nth(2));
    let names = names.filter(|name| name.starts_with("public.")).chain(["stage"]);
    names.map(|name| format!("COPY {name} (id) FROM stdin;\n1\n2\n\\.\n")).collect()
}

#[test]
fn what_a_dump_by_hand_changes_after_its_rows_is_not_proven_and_the_rest_is() {
    let place = place();
    for jobs in ["4", "1"] {
        let by_hand = dump(&format!("{TABLES}{}{CHANGES}", copies()), "");
        let outcome = verified(&place, &by_hand, jobs);
        outcome.passed().says("✓ Rows match the backup (9 tables, 18 rows)");
        for (table, by) in [
            ("updated", "UPDATE"),
            ("deleted", "DELETE"),
            ("emptied", "TRUNCATE TABLE"),
            ("dropped", "DROP TABLE"),
            ("renamed", "ALTER TABLE"),
            ("retyped", "ALTER TABLE"),
            ("filled", "INSERT"),
        ] {
            let said = format!(
                "Not proven: rows and contents of public.{table}: changed afterwards, by {by} in line"
            );
            assert!(outcome.stdout.contains(&said), "no {said:?}: {outcome}");
        }
        assert!(!outcome.stdout.contains("contents of public.kept"), "{outcome}");
    }
}

#[test]
fn rows_that_are_taken_back_to_a_savepoint_are_not_proven_and_a_transaction_taken_back_fails() {
    let place = place();
    let rows = "BEGIN;\nSAVEPOINT s;\nINSERT INTO public.kept VALUES (9);\nROLLBACK TO SAVEPOINT s;\n\
                INSERT INTO public.kept VALUES (3);\nCOMMIT;\n";
    let outcome = verified(&place, &dump(&format!("{TABLES}{rows}"), ""), "4");
    let said =
        "Not proven: rows and contents of public.kept: changed afterwards, by ROLLBACK in line";
    assert!(outcome.passed().stdout.contains(said), "{outcome}");
    let gone = "BEGIN;\nINSERT INTO public.kept VALUES (9);\nROLLBACK;\n";
    let outcome = verified(&place, &dump(&format!("{TABLES}{gone}"), ""), "4");
    outcome.failed("public.kept: expected 1 row");
}

#[test]
fn what_is_lost_of_another_table_of_a_dump_by_hand_fails() {
    let place = place();
    let trigger = "CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';\n\
                   CREATE TRIGGER t BEFORE INSERT ON public.queried FOR EACH ROW EXECUTE FUNCTION public.f();\n";
    let lost = dump(&format!("{TABLES}{trigger}{}{CHANGES}", copies()), "");
    verified(&place, &lost, "4").failed("public.queried: expected 2 rows, found 0");
}

#[test]
fn statements_behind_a_whole_dump_are_of_whoever_added_them_and_those_inside_are_damage() {
    let place = place();
    let rows = "CREATE SEQUENCE public.s;\nCREATE TABLE public.t (id integer, v text);\n\n\
                --\n-- Data for Name: t; Type: TABLE DATA; Schema: public; Owner: -\n--\n\n\
                COPY public.t (id, v) FROM stdin;\n1\tsecret\n\\.\n\n\
                SELECT pg_catalog.setval('public.s', 1, true);\n";
    let change = "UPDATE public.t SET v = 'none', id = nextval('public.s');\n";
    let outcome = verified(&place, &dump(rows, change), "4");
    outcome.passed();
    assert!(
        outcome
            .stdout
            .contains("Not proven: rows and contents of public.t: changed afterwards, by UPDATE")
    );
    verified(&place, &dump(&format!("{rows}{change}"), ""), "4")
        .failed("public.t: restored values differ from the dump");
}

#[test]
fn a_function_that_is_called_afterwards_may_have_changed_anything_and_what_is_equal_is_proven() {
    let place = place();
    let sql = |body: &str| {
        format!(
            "CREATE TABLE public.a (id integer);\nCREATE TABLE public.b (id integer);\n\
             CREATE FUNCTION public.f() RETURNS void LANGUAGE sql AS '{body}';\n\
             COPY public.a (id) FROM stdin;\n1\n\\.\nCOPY public.b (id) FROM stdin;\n1\n\\.\n\
             SELECT public.f();\n"
        )
    };
    let outcome = verified(&place, &dump(&sql("DELETE FROM public.a"), ""), "4");
    outcome.passed();
    let said =
        |table: &str| outcome.stdout.contains(&format!("Not proven: rows and contents of {table}"));
    assert!(said("public.a") && !said("public.b"), "{outcome}");
    let outcome = verified(&place, &dump(&sql("SELECT"), ""), "4");
    assert!(!outcome.passed().stdout.contains("Not proven: rows"), "{outcome}");
}

#[test]
fn rows_of_copy_and_insert_in_one_table_add_up() {
    let place = place();
    let sql = "CREATE TABLE public.t (id integer);\nCOPY public.t (id) FROM stdin;\n1\n\\.\n\
               INSERT INTO public.t (id) VALUES (2), (3);\n";
    for jobs in ["4", "1"] {
        let outcome = verified(&place, &dump(sql, ""), jobs);
        outcome.passed().says("✓ Contents match the backup (1 table)");
    }
}

#[test]
fn a_dump_of_insert_statements_with_empty_tables_alone_is_no_dump_of_the_schema_alone() {
    let place = place();
    let table = "--\n-- Name: t; Type: TABLE; Schema: public; Owner: -\n--\n\n\
                 CREATE TABLE public.t (id integer);\n\n";
    let data = "--\n-- Data for Name: t; Type: TABLE DATA; Schema: public; Owner: -\n--\n\n";
    let outcome = verified(&place, &dump(&format!("{table}{data}"), ""), "4");
    assert!(!outcome.stdout.contains("dump of the schema alone"), "{outcome}");
    let outcome = verified(&place, &dump(table, ""), "4");
    outcome.failed("dump of the schema alone");
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn a_sequence_is_judged_where_its_column_takes_its_values_as_they_are() {
        let place = place();
        let made = |default: &str, set: &str| {
            format!(
                "CREATE SEQUENCE public.s;\n\
             CREATE TABLE public.t (id bigint DEFAULT {default}, other bigint);\n\
             COPY public.t (id, other) FROM stdin;\n5000\t7\n\\.\n{set}\n"
            )
        };
        let plain = "nextval('public.s'::regclass)";
        let set = "SELECT pg_catalog.setval('public.s', 5, true);";
        let untouched = "SELECT pg_catalog.setval('public.s', 1, false);";
        let second =
            format!("{set}\nALTER TABLE ONLY public.t ALTER COLUMN other SET DEFAULT {plain};");
        for (default, set) in [
            ("nextval('public.s'::regclass) * 1000", set),
            ("abs(hashint8(nextval('public.s'::regclass)))", set),
            (plain, &second),
        ] {
            let outcome = verified(&place, &dump(&made(default, set), ""), "4");
            assert!(!outcome.passed().stdout.contains("behind"), "{outcome}");
        }
        let outcome = verified(&place, &dump(&made(plain, untouched), ""), "4");
        outcome.passed().says("⚠ 1 of 1 sequences are behind, as they were in the source");
        verified(&place, &dump(&made(plain, set), ""), "4").failed("the next value is 6");
        verified(&place, &dump(&made(plain, ""), ""), "4").failed("the next value is 1");
    }
}
