//! The reader on text: each rule of psql's lexer and of pg_dump's output by name.

mod flaws;
mod pg_dump;
mod properties;

use bytes::Bytes;

use super::*;
use crate::dump::item::CopyBlock;

pub(super) const HEAD: &str = "--\n-- PostgreSQL database dump\n--\n\n";
pub(super) const TAIL: &str = "--\n-- PostgreSQL database dump complete\n--\n\n";

/// Reads a document in pieces of `size` bytes.
pub(super) fn read_by(text: &[u8], size: usize) -> (Vec<Item>, Result<(), Flaw>, Facts) {
    let (mut reader, mut items) = (Reader::new(), Vec::new());
    let mut result = Ok(());
    for piece in text.chunks(size) {
        result = result.and_then(|()| reader.feed(Bytes::copy_from_slice(piece), &mut items));
    }
    let result = result.and_then(|()| reader.finish(&mut items));
    (joined(items), result, reader.facts().clone())
}

/// The same items with the data of each COPY block in one piece.
pub(super) fn joined(items: Vec<Item>) -> Vec<Item> {
    let mut joined: Vec<Item> = Vec::new();
    for item in items {
        match (joined.last_mut(), item) {
            (Some(Item::CopyData(before)), Item::CopyData(data)) => {
                *before = [&before[..], &data[..]].concat().into();
            }
            (_, item) => joined.push(item),
        }
    }
    joined
}

/// Reads whole and byte by byte, which must not differ.
fn read(text: &[u8]) -> (Vec<Item>, Result<(), Flaw>, Facts) {
    let whole = read_by(text, usize::MAX);
    assert_eq!(whole, read_by(text, 1));
    whole
}

/// The items of a body between header and trailer that must be accepted.
fn items(body: impl AsRef<[u8]>) -> Vec<Item> {
    let text = [HEAD.as_bytes(), body.as_ref(), b"\n", TAIL.as_bytes()].concat();
    let (items, result, facts) = read(&text);
    assert_eq!(result, Ok(()), "{}", String::from_utf8_lossy(&text));
    assert!(facts.trailer);
    items
}

fn statements(body: impl AsRef<[u8]>) -> Vec<String> {
    let text = |item| match item {
        Item::Statement(statement) => String::from_utf8_lossy(&statement.text).into_owned(),
        other => panic!("not a statement: {other:?}"),
    };
    items(body).into_iter().map(text).collect()
}

fn copy(items: &[Item]) -> (&CopyBlock, &[u8]) {
    match items {
        [Item::CopyStart(block), Item::CopyData(data), Item::CopyEnd, ..] => (block, data),
        [Item::CopyStart(block), Item::CopyEnd, ..] => (block, b""),
        other => panic!("not a COPY block: {other:?}"),
    }
}

/// Each of these is one statement and must be followed by another.
fn assert_one_statement(text: &str) {
    assert_eq!(statements(format!("{text}\nSELECT 'next';")), [text, "SELECT 'next';"]);
}

#[test]
fn semicolons_in_literals_names_and_comments_end_nothing() {
    assert_one_statement("SELECT 'a;''b;', \"c;\"\"d;\" -- e;\n/* f; */;");
    assert_one_statement("SELECT 'it''s', '';");
    assert_one_statement("SELECT $$a;$$;");
}

#[test]
fn block_comments_nest() {
    assert_one_statement("SELECT 1 /* a /* ; */ ; ' */ ;");
    assert_one_statement("SELECT 1 /*/ ; */ + 2 /***/ /**/;");
    assert_eq!(statements("/* x /* ; */ 'y */ SELECT 1;"), ["SELECT 1;"]);
}

#[test]
fn comment_marks_are_seen_inside_operators() {
    assert_one_statement("SELECT 1 +-- ' ;\n2 */* ' */ 3 - 4 / 5;");
}

#[test]
fn a_line_comment_ends_at_a_carriage_return_too() {
    assert_eq!(statements("SELECT 1 -- x\r;SELECT 2;"), ["SELECT 1 -- x\r;", "SELECT 2;"]);
}

#[test]
fn dollar_quotes_end_only_at_their_own_tag() {
    assert_one_statement("DO $body$ a; $x$ ; $$ ; $bod$ $bodyy$ $body ; $body$;");
    assert_one_statement("SELECT $a$ $$a$;");
    assert_one_statement("SELECT $$ $a $;' $$;");
    assert_one_statement("SELECT $é1_$ ; $é1_$;");
}

#[test]
fn a_dollar_in_a_name_or_before_a_digit_begins_no_quote() {
    assert_eq!(statements("SELECT a$b$; SELECT c$b$;"), ["SELECT a$b$;", "SELECT c$b$;"]);
    assert_eq!(statements("SELECT $1; SELECT $1$a$;$a$;"), ["SELECT $1;", "SELECT $1$a$;$a$;"]);
    assert_eq!(statements("SELECT $a; SELECT $ ;"), ["SELECT $a;", "SELECT $ ;"]);
    assert_one_statement(r"SELECT $e'\'; ';");
}

#[test]
fn backslashes_escape_in_escape_literals_only() {
    assert_one_statement(r"SELECT E'a\';b', e'\\', E'\\\';', E'''\''';';");
    assert_one_statement(r"SELECT '\', 'a;\', B'1\';");
    assert_one_statement(r"SELECT some'\', x.e, E'\';';");
}

#[test]
fn unicode_literals_and_names_know_no_backslash_escape() {
    assert_one_statement("SELECT U&'d\\0061t\\+000061;\\', u&\"\\0441;\\\" UESCAPE '!';");
    assert_one_statement("SELECT u & 'x;' & u;");
}

#[test]
fn a_literal_continued_on_the_next_line_keeps_its_kind() {
    assert_one_statement("SELECT E'a' -- c\n  \t'\\';';");
    assert_one_statement("SELECT E'a'--c\n'\\';';");
    assert_one_statement("SELECT E'\\'''' --\n '\\'';");
    assert_one_statement("SELECT 'a'\n'\\';");
    assert_one_statement("SELECT E'a' '\\';");
    assert_one_statement("SELECT E'a'/* \n */'\\';");
    assert_one_statement("SELECT E'a'\n,'\\';");
    assert_one_statement("SELECT E'a'\n -- ;\n-- '\n'\\';';");
}

#[test]
fn semicolons_in_parentheses_end_nothing() {
    let rule = "CREATE RULE r AS ON INSERT TO t DO (INSERT INTO a VALUES (1); SELECT (2); );";
    assert_one_statement(rule);
    assert_one_statement("SELECT 1);");
}

#[test]
fn sql_bodies_end_at_their_own_end() {
    for create in ["CREATE FUNCTION", "create or replace procedure", "CREATE OR REPLACE FUNCTION"] {
        assert_one_statement(&format!(
            "{create} f(a integer) LANGUAGE sql\n BEGIN ATOMIC\n INSERT INTO t VALUES (1);\n \
             SELECT CASE WHEN (a = 1) THEN CASE a WHEN 1 THEN 2 END ELSE 3 END AS \"end\";\nEND;"
        ));
    }
    assert_one_statement(
        "CREATE FUNCTION f() BEGIN /* ; */ -- ;\nATOMIC SELECT (CASE a END); END;",
    );
}

#[test]
fn begin_is_a_name_where_no_body_follows() {
    assert_one_statement("CREATE FUNCTION public.begin() RETURNS void AS $$;$$ LANGUAGE sql;");
    assert_one_statement("CREATE FUNCTION begin.atomic() RETURNS int AS 'x;';");
    assert_one_statement("CREATE FUNCTION f() BEGIN ATOMIC SELECT t.begin FROM t; END;");
    assert_one_statement("CREATE TABLE begin (atomic integer);");
    assert_eq!(statements("BEGIN; SELECT 1; COMMIT; END;").len(), 4);
}

#[test]
fn backslashes_escape_in_every_literal_without_standard_conforming_strings() {
    let off = "SET standard_conforming_strings = off;";
    let on = "SET standard_conforming_strings = on;";
    let text = [off, r"SELECT 'a\';b', U&'\';", on, r"SELECT 'a\';"];
    assert_eq!(statements(text.join("\n")), text);
}

#[test]
fn reconnecting_makes_strings_standard_again() {
    let text = "SET standard_conforming_strings = off;\n\\connect x\nSELECT '\\';";
    assert_eq!(items(text).len(), 3);
}

#[test]
fn a_character_whose_second_byte_is_a_backslash_escapes_nothing() {
    let set = b"SET client_encoding = 'SJIS';\n".to_vec();
    let body = [&set[..], b"SELECT E'\x95\\', E'\xB1\\';', '\x95\\';SELECT 2;"].concat();
    assert_eq!(items(body).len(), 3);
    // There, B1 is no character by itself.
    let set = b"SET client_encoding = 'BIG5';\n".to_vec();
    let body = [&set[..], b"SELECT E'\x95\\', E'\xB1\\', E'\\';';SELECT 2;"].concat();
    assert_eq!(items(body).len(), 3);
}

#[test]
fn variables_of_psql_are_never_substituted() {
    assert_one_statement("SELECT :name, :'name;', :\"name;\", a[1:2], b::text;");
}

#[test]
fn empty_statements_are_left_out() {
    assert_eq!(statements(";; SELECT 1;;\n;"), ["SELECT 1;"]);
    assert_eq!(statements("- ;/ 2;"), ["- ;", "/ 2;"]);
}

#[test]
fn a_statement_knows_its_line_its_offset_and_the_comment_above_it() {
    let toc = "--\n-- Name: t; Type: TABLE; Schema: s; Owner: -\n--\n\n";
    let items = items(format!("SELECT 1;\n{toc}CREATE\nTABLE t (); ALTER TABLE t;"));
    let Item::Statement(first) = &items[0] else { panic!() };
    assert_eq!((first.line, first.offset, &first.toc), (5, HEAD.len() as u64, &None));
    let Item::Statement(last) = &items[2] else { panic!() };
    assert_eq!(last.line, 11);
    assert_eq!(last.toc.as_ref().map(|toc| &*toc.kind), Some("TABLE"));
}

#[test]
fn what_a_literal_quotes_is_not_taken_for_a_comment_a_copy_or_an_end() {
    let quoted = "\n-- Name: x; Type: TABLE; Schema: y; Owner: z\n\\.\n\\connect evil\n\
        COPY x FROM stdin;\n1\n\\.\n-- PostgreSQL database dump complete\n-- Dumped by pg_dump version 1\n";
    let body = format!(
        "SELECT '{quoted}';\nSELECT \"{quoted}\";\nSELECT $${quoted}$$;\n\
        /*{quoted}*/ SELECT 1 /*{quoted}*/;"
    );
    let text = format!("{HEAD}{body}");
    let (items, result, facts) = read(text.as_bytes());
    assert_eq!(items.len(), 4);
    assert!(items.iter().all(|item| matches!(item, Item::Statement(s) if s.toc.is_none())));
    assert!(matches!(result, Err(Flaw::NoTrailer { .. })));
    assert_eq!((facts.pg_dump_version, facts.copy_blocks), (None, 0));
}

#[test]
fn what_a_row_spells_is_not_taken_for_an_end() {
    let rows = "-- PostgreSQL database dump complete\n\\\\.\n\\.x\n\\.\rx\n\\connect x\nCOPY t FROM stdin;\n \\.\n\\N\n";
    let items = items(format!("COPY t (a) FROM stdin;\n{rows}\\.\nSELECT 1;"));
    assert_eq!(copy(&items).1, rows.as_bytes());
    assert_eq!(items.len(), 4);
}

#[test]
fn the_head_of_a_copy_block_may_span_lines() {
    let items = items("COPY public.\"a\nb;'\" (\"c\n\"\"d\",\n e) FROM stdin;\n1\t2\n\\.\n");
    let (block, data) = copy(&items);
    assert_eq!((block.table.text(), data), ("a\nb;'".into(), &b"1\t2\n"[..]));
    assert_eq!(block.columns, ["c\n\"d", "e"]);
}

#[test]
fn a_table_without_columns_has_empty_rows() {
    let items = items("COPY public.t  FROM stdin;\n\n\n\\.\n");
    assert_eq!(copy(&items).1, b"\n\n");
}

#[test]
fn a_table_without_rows_has_no_data() {
    assert_eq!(items("COPY t (a) FROM stdin;\n\\.\n").len(), 2);
    assert_eq!(items("COPY t (a) FROM stdin WITH (FORMAT csv);\n\\.\n").len(), 2);
}

#[test]
fn a_dump_with_windows_line_ends_is_understood() {
    let body = "COPY t (a) FROM stdin;\n1\n\\.\n\nSELECT 'a\n' -- x\n;\n\\unrestrict k\n";
    let text = format!("{HEAD}\\restrict k\n{body}{TAIL}").replace('\n', "\r\n");
    let (items, result, _) = read(text.as_bytes());
    assert_eq!(result, Ok(()));
    assert_eq!(copy(&items[1..]).1, b"1\r\n");
    assert_eq!(items.len(), 6);
}

#[test]
fn a_byte_order_mark_is_skipped() {
    let (_, result, facts) =
        read(format!("\u{feff}-- PostgreSQL database dump\nSELECT 1;\n{TAIL}").as_bytes());
    assert_eq!(result, Ok(()));
    assert!(facts.header);
}

#[test]
fn bytes_of_every_encoding_pass_unchanged() {
    let items =
        items(b"SELECT 'caf\xE9' AS caf\xE9;\nCOPY t\xFF (\"\xE9\") FROM stdin;\n\xFF\xFE\n\\.\n");
    let (block, data) = copy(&items[1..]);
    assert_eq!((block.table.as_bytes(), data), (&b"t\xFF"[..], &b"\xFF\xFE\n"[..]));
    assert_eq!(block.columns[0].to_string(), "é");
}

#[test]
fn copy_data_and_statements_are_slices_of_what_was_fed() {
    let chunk = Bytes::from(format!("{HEAD}SELECT 1;\nCOPY t (a) FROM stdin;\n1\n2\n"));
    let inside = |bytes: &Bytes| chunk.as_ptr_range().contains(&bytes.as_ptr());
    let (mut reader, mut items) = (Reader::new(), Vec::new());
    reader.feed(chunk.clone(), &mut items).expect("no flaw");
    assert!(matches!(&items[0], Item::Statement(s) if inside(&s.text)));
    assert!(matches!(&items[2], Item::CopyData(data) if inside(data) && data.len() == 4));
}
