use super::*;
use crate::dump::items::Items;

fn contents(dump: &[u8]) -> Contents {
    let whole = [b"-- PostgreSQL database dump\n", dump].concat();
    let (mut items, mut contents) = (Items::new(&whole[..]), Contents::default());
    while let Ok(Some(item)) = items.pull() {
        contents.take(&item, items.encoding());
    }
    contents
}

#[test]
fn names_without_schema_are_in_the_first_schema_of_the_search_path() {
    let found = contents(
        b"SET search_path = shop, pg_catalog;\nCOPY a (b) FROM stdin;\n1\n\\.\n\
          SELECT pg_catalog.setval('s', 1, true);\n\
          SET search_path = public, pg_catalog;\nCOPY a (b) FROM stdin;\n1\n\\.\n",
    );
    let names: Vec<String> = found.database.tables.iter().map(Table::display_name).collect();
    assert_eq!(names, ["shop.a", "public.a"]);
    let quoted: Vec<String> = found.database.tables.iter().map(Table::quoted).collect();
    assert_eq!(quoted, [r#""shop"."a""#, r#""public"."a""#]);
    assert_eq!(found.database.sequences[0].schema, "shop");
}

#[test]
fn names_without_schema_are_in_public_where_the_dump_sets_no_search_path() {
    let found = contents(
        b"COPY a (b) FROM stdin;\n1\n\\.\nINSERT INTO c VALUES (1);\n\
          SELECT pg_catalog.setval('s', 1, true);\nCOPY public.a (b) FROM stdin;\n2\n\\.\n",
    );
    let tables = found.database.tables.iter();
    let tables: Vec<_> = tables.map(|table| (table.quoted(), table.fingerprint.rows)).collect();
    assert_eq!(tables, [(r#""public"."a""#.to_owned(), 2), (r#""public"."c""#.to_owned(), 1)]);
    assert_eq!(found.database.sequences[0].schema, "public");
}

#[test]
fn names_are_translated_from_the_encoding_of_the_dump() {
    let found = contents(
        b"SET client_encoding = 'LATIN2';\nCOPY public.\xb3 (\xb1) FROM stdin;\n\\.\n\
          SELECT pg_catalog.setval('public.\xb3_\xb1_seq', 1, true);\n",
    );
    let table = &found.database.tables[0];
    assert_eq!(
        (table.display_name().as_str(), table.columns.named()[0].as_str()),
        ("public.ł", "ą")
    );
    assert_eq!(found.database.sequences[0].name, "ł_ą_seq");
}

#[test]
fn names_of_sequences_are_read_under_the_strings_of_the_dump() {
    let name = |dump: &[u8]| contents(dump).database.sequences[0].name.clone();
    let set = br#"SELECT pg_catalog.setval('public."a\\b"', 1, true);"#;
    assert_eq!(name(set), r"a\\b");
    let off = b"SET standard_conforming_strings = off;\n";
    assert_eq!(name(&[&off[..], set].concat()), r"a\b");
}

#[test]
fn databases_of_which_nothing_is_held_count_where_nothing_is_held_of_any() {
    let names = |dump: &str| -> Vec<String> {
        let found = contents(dump.as_bytes());
        found.databases().map(|of| of.name.as_ref().unwrap().to_string()).collect()
    };
    let block = "COPY public.a (b) FROM stdin;\n\\.\n";
    assert_eq!(names(&format!("\\connect one\n\\connect two\n{block}")), ["two"]);
    assert_eq!(names("\\connect one\n\\connect two\n"), ["one", "two"]);
}

#[test]
fn each_database_of_a_cluster_has_its_own_encoding_and_times() {
    let block = "COPY public.a (b) FROM stdin;\n2026-01-14 14:30:22+";
    let found = contents(
        format!(
            "\\connect one\nSET client_encoding = 'UTF8';\n{block}01\n\\.\n\
             \\connect two\nSET client_encoding = 'LATIN1';\n{block}05:45\n\\.\n"
        )
        .as_bytes(),
    );
    let of = |database: &DatabaseContents| {
        let times = database.times.iter().map(str::to_owned).collect::<Vec<_>>().join(", ");
        (database.encoding.clone().unwrap(), times)
    };
    let found: Vec<_> = found.databases().map(of).collect();
    assert_eq!(
        found,
        [
            ("UTF8".to_owned(), "2026-01-14 14:30:22+01".to_owned()),
            ("LATIN1".to_owned(), "2026-01-14 14:30:22+05:45".to_owned()),
        ]
    );
}

#[test]
fn rows_are_the_same_whether_they_are_copied_or_inserted() {
    let copied = contents(b"COPY public.a (b, c) FROM stdin;\n1\tx\\\\\n\\N\ty\n\\.\n");
    let inserted = contents(
        b"INSERT INTO public.a (b, c) VALUES (1, 'x\\');\n\
          INSERT INTO public.a (b, c) VALUES (NULL, 'y');\n",
    );
    let without_spans = |mut found: Contents| {
        found.database.tables.iter_mut().for_each(|table| table.spans.clear());
        found
    };
    let copied = without_spans(copied);
    assert_eq!(inserted.database.tables, copied.database.tables);
    assert_eq!((inserted.inserts, inserted.rows()), (0, 2));
}

#[test]
fn the_place_of_each_block_of_rows_is_known() {
    let dump =
        "COPY public.a (b) FROM stdin;\n1\n22\n\\.\nCOPY public.a (b) FROM stdin;\n333\n\\.\n";
    let found = contents(dump.as_bytes());
    let whole = format!("-- PostgreSQL database dump\n{dump}");
    let rows = |span: &Span| {
        let rows = span.rows.unwrap();
        let from = usize::try_from(rows.offset).unwrap();
        &whole[from..from + usize::try_from(rows.bytes).unwrap()]
    };
    let rows: Vec<_> = found.database.tables[0].spans.iter().map(rows).collect();
    assert_eq!(rows, ["1\n22\n", "333\n"]);
}

#[test]
fn the_revision_is_found_among_inserted_rows() {
    let found = contents(b"INSERT INTO public.alembic_version VALUES ('0607bc5b8541');");
    assert_eq!(found.alembic_revisions(), Some(vec!["0607bc5b8541".to_owned()]));
}

#[test]
fn a_table_with_a_row_that_is_not_known_is_left_out_and_the_others_are_not() {
    let found = contents(
        b"INSERT INTO a VALUES (1);\nINSERT INTO b VALUES (1);\nINSERT INTO c VALUES (1);\n\
          INSERT INTO b VALUES (now());\nINSERT INTO b VALUES (2);\nINSERT INTO c VALUES (2);\n",
    );
    let names: Vec<String> = found.database.tables.iter().map(Table::display_name).collect();
    assert_eq!(names, ["public.a", "public.c"]);
    assert_eq!((found.rows(), found.inserts), (3, 2));
}

#[test]
fn inserted_rows_that_cannot_be_read_back_are_left_out() {
    for dump in [
        &b"SET client_encoding = 'SJIS';\nINSERT INTO a VALUES ('x');\n"[..],
        b"SET client_encoding = 'SQL_ASCII';\nINSERT INTO \"\xe9\" VALUES ('x');\n",
    ] {
        let found = contents(dump);
        assert_eq!((found.rows(), found.inserts), (0, 1));
    }
    let two = contents(
        b"SET client_encoding = 'LATIN1';\nINSERT INTO a VALUES ('x');\n\
          SET client_encoding = 'UTF8';\nINSERT INTO b VALUES ('y');\n",
    );
    assert_eq!((two.rows(), two.inserts), (1, 1));
}

#[test]
fn a_row_inserted_into_a_table_that_was_copied_is_none_of_the_dumps() {
    let found = contents(b"COPY a (b) FROM stdin;\n1\n\\.\nINSERT INTO a VALUES (2);\n");
    assert_eq!((found.rows(), found.inserts), (1, 1));
}

#[test]
fn the_statements_that_begin_copy_blocks_are_among_the_statements() {
    let found = contents(b"SET a = b;\nCOPY a (b) FROM stdin;\n1\n\\.\n");
    let kinds: Vec<_> =
        found.statements.by_kind().into_iter().map(|of| (of.kind, of.count)).collect();
    assert_eq!(kinds, [("COPY".to_owned(), 1), ("SET".to_owned(), 1)]);
}

#[test]
fn what_a_dump_holds_is_told_by_database() {
    let found = contents(
        b"\\connect one\n\nCOPY public.a (b) FROM stdin;\n1\n\\.\n\
          SELECT pg_catalog.setval('public.s', 1, true);\n\\connect two\n\n\
          COPY public.a (b) FROM stdin;\n1\n2\n\\.\n\\connect empty\n\n\
          \\connect one\n\nCOPY public.c (b) FROM stdin;\n\\.\n",
    );
    let shown: Vec<String> = found
        .databases()
        .map(|of| {
            let tables: Vec<String> = of.tables.iter().map(Table::display_name).collect();
            format!("{} {tables:?} {}", of.name.as_ref().unwrap(), of.sequences.len())
        })
        .collect();
    assert_eq!(shown, ["two [\"public.a\"] 0", "one [\"public.a\", \"public.c\"] 1"]);
    assert_eq!((found.tables(), found.rows()), (3, 3));
    assert!(found.connects() && found.connects_to("two") && !found.connects_to("three"));
}

#[test]
fn a_dump_of_one_database_holds_that_also_when_it_is_empty() {
    let found = contents(b"SET a = b;\n");
    assert_eq!(found.databases().count(), 1);
    assert!(!found.connects());
}

#[test]
fn a_dump_holds_something_where_it_makes_a_table_of_any_kind_or_has_rows() {
    for sql in [
        "CREATE TABLE a ();",
        "CREATE UNLOGGED TABLE a ();",
        "CREATE FOREIGN TABLE a () SERVER s;",
        "CREATE TABLE IF NOT EXISTS a ();",
        "COPY a (b) FROM stdin;\n1\n\\.",
        "INSERT INTO a SELECT 1;",
    ] {
        assert!(contents(format!("{sql}\n").as_bytes()).holds_anything(), "{sql}");
    }
    for sql in ["CREATE TABLESPACE fast LOCATION '/x';", "CREATE ROLE \"TABLE\";", "SELECT 1;"] {
        assert!(!contents(format!("{sql}\n").as_bytes()).holds_anything(), "{sql}");
    }
}
