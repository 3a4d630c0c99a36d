//! Where the order of a dump matters it is kept, and where it does not, tables are loaded at once.

use std::io::Cursor;

use ccc_backup::dump::contents::Contents;
use ccc_backup::dump::items::Items;
use ccc_backup::dump::script::{Entry, Script};
use ccc_backup::restore::catalog;
use ccc_backup::restore::plan::{Plan, Work};

use crate::oracle::{by_psql, by_us, target};
use crate::support::source::source;
use crate::support::{Place, text, unchanged_database};

const HEAD: &str = "--\n-- PostgreSQL database dump\n--\n\n";
const TRAILER: &str = "\n--\n-- PostgreSQL database dump complete\n--\n";

/// Functions that read `dict`, in several ways.
const FUNCTIONS: &str = "\
CREATE TABLE public.dict (id integer);
CREATE FUNCTION public.known(i integer) RETURNS boolean LANGUAGE sql IMMUTABLE
    AS 'SELECT EXISTS (SELECT FROM public.dict WHERE id = i)';
CREATE FUNCTION public.safely(i integer) RETURNS boolean LANGUAGE plpgsql IMMUTABLE SECURITY DEFINER
    AS $$ BEGIN RETURN public.known(i); END $$;
CREATE FUNCTION public.strict(i integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE
    AS $$ BEGIN IF NOT public.known(i) THEN RAISE 'not known'; END IF; RETURN i; END $$;
CREATE FUNCTION public.at(i integer, j integer) RETURNS boolean LANGUAGE sql IMMUTABLE
    AS 'SELECT public.known(i + j)';
CREATE OPERATOR public.<<>> (FUNCTION = public.at, LEFTARG = integer, RIGHTARG = integer);
CREATE DOMAIN public.word AS integer CHECK (public.known(VALUE));
CREATE DOMAIN public.inner_word AS public.word;
CREATE TYPE public.words AS (one public.inner_word);
";

/// A table, and a value of its first column.
const TABLES: [(&str, &str); 10] = [
    ("id integer CHECK (public.known(id))", "5"),
    ("id integer CHECK (public.safely(id))", "5"),
    ("id integer CHECK (id OPERATOR(public.<<>>) 0)", "5"),
    (
        "id integer CHECK (query_to_xml(\
        'SELECT 1 / (SELECT count(*) FROM public.dict)', true, false, '') IS NOT NULL)",
        "5",
    ),
    ("id public.word", "5"),
    ("id public.inner_word[]", "{5}"),
    ("id public.words", "(5)"),
    ("id integer, twin integer GENERATED ALWAYS AS (public.strict(id)) STORED", "5"),
    ("id integer, UNIQUE (id), CHECK (public.known(id))", "5"),
    ("id integer CHECK ((ROW(id)::public.words) IS NOT NULL)", "5"),
];

/// The rows of the table before or after those of the one that it looks at, beside a large one.
fn dump(table: &str, value: &str, right: bool, after: &str) -> String {
    let filler: String = (0..20_000).map(|n| format!("{n}\n")).collect();
    let dict = "COPY public.dict (id) FROM stdin;\n5\n\\.\n";
    let rows = format!("COPY public.looks (id) FROM stdin;\n{value}\n\\.\n");
    let rows = if right { [dict, &rows] } else { [&rows, dict] }.concat();
    format!(
        "{HEAD}{FUNCTIONS}CREATE TABLE public.looks ({table});\nCREATE TABLE public.filler (id integer);\n\
         CREATE SEQUENCE public.s;\nCOPY public.filler (id) FROM stdin;\n{filler}\\.\n{rows}{after}{TRAILER}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_looks_at_another_table_is_built_in_its_place() {
    let place = Place::without_docker();
    let more = "COPY public.dict (id) FROM stdin;\n6\n\\.\n";
    for (index, right) in [
        (
            "CREATE UNIQUE INDEX i ON public.filler USING btree (public.strict(id)) WHERE id = 6;",
            false,
        ),
        (
            "CREATE INDEX i ON public.filler USING btree (id) WHERE id <> 6 OR public.strict(id) > 0;",
            false,
        ),
        (
            "CREATE UNIQUE INDEX i ON public.filler USING btree (public.strict(id)) WHERE id = 6;",
            true,
        ),
    ] {
        let after = if right { format!("{more}{index}\n") } else { format!("{index}\n{more}") };
        let path = place.file("a.sql", dump("id integer", "5", true, &after).as_bytes());
        let (truth, said) = by_psql(&path, "index_psql").await;
        assert_eq!(truth.refused, !right, "{index}: {said}");
        let (ours, noted) = by_us(&path, "index_ours", 4).await;
        assert_eq!(ours, truth, "{index}: {noted}");
    }
}

/// What the plan of a dump does with its COPY blocks, for each the name of its table, and how many
/// barriers there are.
async fn planned(name: &str, dump: &[u8]) -> (Vec<String>, Vec<String>) {
    source().client("createdb", &["--template=template0", "--", name]);
    let (mut contents, mut script) = (Contents::default(), Script::default());
    let mut items = Items::new(Cursor::new(dump.to_vec()));
    while let Some(item) = items.pull().unwrap() {
        let inserts = contents.take(&item, items.encoding());
        script.take(&item, inserts);
    }
    let entries = script.parts().unwrap().remove(0).entries;
    let data = entries.iter().position(|entry| table(entry).is_some()).unwrap();
    let session = target(name).connect().await.unwrap();
    for entry in &entries[..data] {
        if let Entry::Statement(statement) = entry {
            session.batch_execute(&text(&statement.text)).await.unwrap();
        }
    }
    let known = catalog::ask(&session).await.unwrap();
    let plan = Plan::of(&entries, data, &known);
    let (mut beside, mut in_place) = (Vec::new(), Vec::new());
    for job in &plan.jobs {
        match job.work {
            Work::Load(index) => beside.extend(table(&entries[index])),
            Work::Serial { from, to } => {
                in_place.extend(entries[from..to].iter().filter_map(table))
            }
            Work::Run(_) => {}
        }
    }
    (beside, in_place)
}

fn table(entry: &Entry) -> Option<String> {
    match entry {
        Entry::Copy { block, .. } => Some(block.display_name()),
        Entry::Inserts(run) => Some(format!("{}.{}", run.target.schema, run.target.table)),
        Entry::Statement(_) | Entry::Meta => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ordinary_dump_is_loaded_table_beside_table() {
    let dump = unchanged_database().dump(&["--no-owner", "--no-privileges"]);
    let (beside, in_place) = planned("plan_of_ccc", &dump).await;
    assert_eq!(in_place, Vec::<String>::new());
    assert_eq!(beside.len(), 25);
    for flag in ["--inserts", "--column-inserts", "--rows-per-insert=7"] {
        let inserts = unchanged_database().dump(&["--no-owner", "--no-privileges", flag]);
        let (beside, in_place) =
            planned(&format!("plan_of_{}", flag.replace(['-', '='], "_")), &inserts).await;
        assert_eq!(in_place, Vec::<String>::new(), "{flag}");
        assert_eq!(beside.len(), 24, "{flag}: {beside:?}");
    }
    // Functions that compute from their arguments alone, and an extension's C code, hold nothing up.
    let sql = format!(
        "{HEAD}CREATE EXTENSION citext; CREATE EXTENSION hstore; CREATE EXTENSION ltree; CREATE EXTENSION pgcrypto;\n\
         CREATE FUNCTION public.is_email(t text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$SELECT t ~ '@'$$;\n\
         CREATE TABLE public.a (c public.citext CHECK (c <> ''), h public.hstore CHECK (public.exist(h, 'k')));\n\
         CREATE TABLE public.b (e text CHECK (public.is_email(e)), p public.ltree, d text DEFAULT public.gen_random_uuid());\n\
         CREATE TABLE public.z (e text CHECK (lower(e) = e), n integer GENERATED ALWAYS AS (length(e)) STORED);\n\
         COPY public.a (c, h) FROM stdin;\n\\.\nCOPY public.b (e, p, d) FROM stdin;\n\\.\nCOPY public.z (e) FROM stdin;\n\\.\n{TRAILER}"
    );
    let (beside, in_place) = planned("plan_of_extensions", sql.as_bytes()).await;
    assert_eq!((beside.len(), in_place), (3, Vec::new()));
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn rows_that_look_at_another_table_need_it_before_them() {
        let place = Place::without_docker();
        for (table, value) in TABLES {
            for right in [true, false] {
                let path = place.file("a.sql", dump(table, value, right, "").as_bytes());
                let (truth, said) = by_psql(&path, "order_psql").await;
                assert_eq!(truth.refused, !right, "{table}: {said}");
                let (ours, noted) = by_us(&path, "order_ours", 4).await;
                assert_eq!(ours, truth, "{table}: {noted}");
            }
        }
    }
}
