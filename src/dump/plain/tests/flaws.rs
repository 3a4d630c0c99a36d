//! What a dump says about itself, and what it must not be: cut, strange, dangerous.

use super::*;

/// The flaw of a body between header and trailer.
fn flaw(body: &str) -> Flaw {
    let (_, result, _) = read(format!("{HEAD}{body}\n{TAIL}").as_bytes());
    result.expect_err("a flaw")
}

#[test]
fn the_header_says_who_wrote_the_dump_and_the_settings_in_which_encoding() {
    let text = "--\n-- PostgreSQL database dump\n--\n\n\\restrict abc123\n\n\
        -- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)\n\
        -- Dumped by pg_dump version 16.4\n\nSET client_encoding = 'LATIN1';\n\
        --\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict abc123\n\n";
    let (items, result, facts) = read(text.as_bytes());
    assert_eq!(result, Ok(()));
    assert_eq!(items.len(), 3);
    assert_eq!(facts.server_version.as_deref(), Some("15.18 (Debian 15.18-0+deb12u1)"));
    assert_eq!(facts.pg_dump_version.as_deref(), Some("16.4"));
    assert_eq!(facts.client_encoding.as_deref(), Some("LATIN1"));
    assert_eq!((facts.statements, facts.copy_blocks), (1, 0));
}

#[test]
fn a_cluster_dump_ends_at_its_own_trailer_only() {
    let head = "--\n-- PostgreSQL database cluster dump\n--\n\n\\restrict a\nCREATE ROLE x;\n\\unrestrict a\n";
    let inner = format!("\\connect template1\n{HEAD}SELECT 1;\n{TAIL}");
    let (_, cut, _) = read(format!("{head}{inner}").as_bytes());
    assert!(matches!(cut, Err(Flaw::NoTrailer { .. })), "{cut:?}");
    let tail = "--\n-- PostgreSQL database cluster dump complete\n--\n\n";
    let (items, whole, facts) = read(format!("{head}{inner}{tail}").as_bytes());
    assert_eq!((whole, items.len()), (Ok(()), 5));
    assert!(facts.cluster && facts.header);
}

#[test]
fn what_stands_before_the_header_and_after_the_trailer_does_not_make_a_dump_cut() {
    let dump = format!("{HEAD}SELECT 1;\n{TAIL}");
    for (before, after, items) in [
        ("", "-- x\n\n/* y */\n", 1),
        ("BEGIN;\nSET a = b;\n", "COMMIT;\n", 4),
        ("", "INSERT INTO t (a) VALUES\n('1'),\n('2');\n", 2),
        ("", "COPY t (a) FROM stdin;\n\\.\n", 3),
        ("", "\\connect x\nANALYZE;", 3),
        ("", "ANALYZE", 2),
        ("", &dump, 2),
        ("\\timing on\n\\set ON_ERROR_STOP on\n", "\\echo done", 1),
    ] {
        let (found, result, facts) = read(format!("{before}{dump}{after}").as_bytes());
        assert_eq!((result, found.len()), (Ok(()), items), "{before}{after}");
        assert!(facts.trailer && facts.is_dump());
    }
}

#[test]
fn a_dump_without_its_end_is_cut_whatever_follows_it() {
    let (cut, whole) = (format!("{HEAD}SELECT 1;\n"), format!("{HEAD}SELECT 2;\n{TAIL}"));
    let said = |text: String| read(text.as_bytes()).1.expect_err("a flaw").to_string();
    assert_eq!(
        said(format!("{cut}{whole}")),
        "the dump that begins on line 2 has no \"PostgreSQL database dump complete\" before line 7: \
         it is cut"
    );
    assert_eq!(
        said(format!("{whole}{cut}")),
        "the dump that begins on line 11 ends on line 15 without \"PostgreSQL database dump \
         complete\": it is cut"
    );
    assert!(said(format!("{cut}INSERT INTO t VALUES (1);\n")).contains("without"));
    let last = format!("{whole}INSERT INTO t VALUES (1");
    assert!(said(last).contains("inside the statement"));
    let lost = format!("{whole}SELECT 3;\n{TAIL}");
    assert_eq!(said(lost), "line 12 ends a dump whose beginning is not in the file: it was lost");
    let announced = format!("{whole}-- Name: x; Type: TABLE; Schema: y; Owner: z\n");
    assert!(said(announced).contains("has lost a statement"));
}

#[test]
fn zeros_may_follow_the_end_and_nothing_else_them() {
    let text = format!("{HEAD}SELECT 1;\n{TAIL}");
    let (_, result, facts) = read(format!("{text}\0\0\0\0").as_bytes());
    assert_eq!((result, facts.padded), (Ok(()), true));
    let (_, result, _) = read(format!("{text}\0\0x").as_bytes());
    assert_eq!(result, Err(Flaw::NulByte { line: 10 }));
    let (_, result, _) = read(format!("{HEAD}SELECT 1;\n\0\0").as_bytes());
    assert_eq!(result, Err(Flaw::NulByte { line: 6 }));
    assert!(!read(text.as_bytes()).2.padded);
}

#[test]
fn words_of_a_program_before_the_header_are_named_and_whose_they_are() {
    let dump = format!("{HEAD}SET a = 'b';\n{TAIL}");
    for (words, whose) in [
        ("pg_dump: warning: there are circular foreign keys\npg_dump: detail: t\n", "pg_dump"),
        ("Defaulted container \"db\" out of: db, logs\n", "kubectl"),
        ("Last login: couldn't tell\n", "another program"),
    ] {
        let (_, result, _) = read(format!("{words}{dump}").as_bytes());
        let text = words.lines().next().unwrap().to_owned();
        assert_eq!(result, Err(Flaw::Words { line: 1, whose, text }), "{words}");
    }
    let (_, result, _) = read(format!("{dump}pg_dump: done\n").as_bytes());
    assert!(matches!(result, Err(Flaw::Words { line: 10, whose: "pg_dump", .. })), "{result:?}");
}

#[test]
fn a_byte_order_mark_in_the_middle_is_named() {
    let dump = format!("\u{feff}{HEAD}SELECT 1;\n{TAIL}");
    assert_eq!(read(format!("{dump}{dump}").as_bytes()).1, Err(Flaw::Mark { line: 10 }));
}

#[test]
fn commands_that_change_nothing_are_passed_over() {
    assert_eq!(items("\\timing\nSELECT 1; \\echo done\n\\x on\nSELECT 2;").len(), 2);
    assert_eq!(
        items(
            "\\unrestrict (null)\n\\connect x\n\\restrict (null)\n\\unrestrict (null)\nSELECT 1;"
        )
        .len(),
        4
    );
    assert!(matches!(flaw("\\restrict a\n\\echo x"), Flaw::Restricted { .. }));
    assert_eq!(items("\\c x\nSELECT 1;").len(), 2);
}

#[test]
fn commands_that_decide_over_the_rest_are_our_limit() {
    for body in ["\\set AUTOCOMMIT off", "\\if true", "SELECT 1 \\gexec", "SELECT 1\n\\gset"] {
        let flaw = flaw(body);
        assert!(matches!(flaw, Flaw::Unsupported { .. }), "{body}: {flaw:?}");
        assert!(flaw.our_limit().is_some());
    }
    let used = flaw("\\set owner me\nALTER TABLE x OWNER TO :owner;");
    assert_eq!(used, Flaw::Variable { line: 6, name: ":owner".into() });
    assert_eq!(items("\\set owner me\nSELECT a::owner, 1 AS b;").len(), 1);
    let elsewhere = flaw("COPY public.t (a) FROM '$$PATH$$/3300.dat';");
    assert!(matches!(elsewhere, Flaw::RowsElsewhere { line: 5, .. }), "{elsewhere:?}");
}

#[test]
fn sql_without_pg_dumps_header_is_read_and_its_damage_told() {
    let sql = "SET a = 'b';\nCREATE TABLE t (a int);\nCOPY t (a) FROM stdin;\n1\n\\.\n";
    for text in [sql.to_owned(), format!("{sql}{TAIL}"), format!("/* Navicat */\n{sql}")] {
        let (_, result, facts) = read(text.as_bytes());
        assert_eq!((result, facts.is_dump()), (Ok(()), false), "{text}");
    }
    let damaged = |text: &str| {
        let (_, result, _) = read(text.as_bytes());
        let Err(Flaw::NotADump { told, .. }) = result else { panic!("{text}: {result:?}") };
        told
    };
    assert_eq!(damaged(&format!("{sql}{TAIL}\\unrestrict k\n")), "; its beginning was lost");
    let rows = format!("COPY t (a) FROM stdin;\n1\n\\.\n{TAIL}");
    assert_eq!(damaged(&rows), "; its beginning was lost");
    assert_eq!(damaged(&format!("teger);\n{sql}{TAIL}")), "; line 1 is no SQL: teger);");
    assert_eq!(damaged("2\tx\n3\ty\n\\.\n"), "");
    assert_eq!(damaged("CREATE TABLE t (a"), "");
}

#[test]
fn a_missing_unrestrict_shows_that_the_end_was_cut() {
    let text = format!("{HEAD}\\restrict k\nSELECT 1;\n{TAIL}");
    assert!(matches!(read(text.as_bytes()).1, Err(Flaw::NoUnrestrict { .. })));
    assert_eq!(read(format!("{text}\\unrestrict k").as_bytes()).1, Ok(()));
}

#[test]
fn commands_that_pg_dump_does_not_write_are_refused_with_their_line() {
    let refused = |line, text: &str| Flaw::MetaCommand { line, text: text.to_owned() };
    assert_eq!(flaw("\\! id"), refused(5, "\\! id"));
    assert_eq!(flaw("SELECT 1; \\connect x"), refused(5, "\\connect x"));
    assert_eq!(flaw("\\."), refused(5, "\\."));
    let (_, result, _) = read(format!("{HEAD}SELECT 1;\n{TAIL}\\! id").as_bytes());
    assert_eq!(result, Err(refused(10, "\\! id")));
    let text = flaw("\\! id").to_string();
    assert_eq!(text, "line 5 has a psql command that pg_dump does not write there: \\! id");
}

#[test]
fn a_command_inside_a_statement_is_refused_with_the_statement() {
    let refused = |line, text: &str, began, statement: &str| Flaw::CommandInStatement {
        line,
        text: text.to_owned(),
        began,
        statement: statement.to_owned(),
    };
    assert_eq!(flaw("SELECT 1\n\n\\g |cat"), refused(7, "\\g |cat", 5, "SELECT 1"));
    let (_, result, _) = read(format!("{HEAD}SELECT 1;\n{TAIL}SELECT 1 \\! id").as_bytes());
    assert_eq!(result, Err(refused(10, "\\! id", 10, "SELECT 1")));
    // The parenthesis that would end the first statement is lost.
    let swallowed = flaw("CREATE TABLE t (a int;\nCOPY t (a) FROM stdin;\n1\n\\.\n");
    let said = "line 8 has a psql command inside the statement that begins on line 5 \
                (CREATE TABLE t (a int; COPY t (a) FROM stdin; 1): \\.";
    assert_eq!(swallowed.to_string(), said);
}

#[test]
fn a_restricted_dump_has_no_command_but_its_own_unrestrict() {
    for body in ["\\restrict a\n\\connect x", "\\restrict a\n\\unrestrict b", "\\unrestrict a"] {
        assert!(matches!(flaw(body), Flaw::Restricted { .. }), "{body}");
    }
}

#[test]
fn a_cut_dump_says_where_it_was_cut() {
    let cut = |text: &str| {
        let (_, result, _) = read(format!("{HEAD}{text}").as_bytes());
        result.expect_err("a flaw").to_string()
    };
    assert_eq!(
        cut("COPY s.t (a) FROM stdin;\n1\n2\n"),
        "the dump ends inside the data of table s.t, which begin on line 5: it is cut"
    );
    assert!(cut("COPY s.t (a) FROM stdin;").contains("table s.t"));
    assert!(cut("COPY s.t (a) FROM stdin;\n\\.").contains("table s.t"));
    assert_eq!(
        cut("\nCREATE TABLE\n t ("),
        "the dump ends inside the statement that begins on line 6 (CREATE TABLE t (): it is cut"
    );
    assert!(cut("SELECT 'a;\n").contains("inside quotes in the statement"));
    assert!(cut("SELECT $a$;\n").contains("inside quotes in the statement"));
    assert!(cut("SELECT \"a;\n").contains("inside quotes in the statement"));
    assert!(cut("/* a").contains("comment that begins on line 5"));
    assert!(cut("SELECT 1;\n").contains("ends on line 6 without"));
}

#[test]
fn a_dump_of_nothing_but_comments_is_no_whole_dump() {
    assert_eq!(flaw("-- SET a = b;\n/* SELECT 1; */\n;"), Flaw::NoStatement);
    assert_eq!(flaw("\\connect shop"), Flaw::NoStatement);
}

#[test]
fn a_file_of_another_kind_is_called_so() {
    let page = format!("<!DOCTYPE html>\n{}", "<p>it's".repeat(500_000));
    for text in ["", "hello", "SELECT 1;", "\0\0", "\\i x\n", TAIL, &page] {
        let (_, result, _) = read_by(text.as_bytes(), 4096);
        assert!(matches!(result, Err(Flaw::NotADump { .. })), "{text:.20}: {result:?}");
    }
}

#[test]
fn the_line_up_to_which_a_file_is_no_dump_does_not_depend_on_how_it_is_cut() {
    // Read whole and byte by byte.
    for text in ["SELECT\n\n1\0", "-- x\nSELECT '\n\0'", "a\n\nb \\x\nc"] {
        let (_, result, _) = read(text.as_bytes());
        assert!(matches!(result, Err(Flaw::NotADump { line: 3, .. })), "{text:?}: {result:?}");
    }
}

#[test]
fn a_nul_byte_outside_copy_data_is_refused_with_its_line() {
    for body in ["SELECT\n'\0';", "\n\0", "--\n-- \0", "/*\n\0*/"] {
        assert_eq!(flaw(body), Flaw::NulByte { line: 6 }, "{body:?}");
    }
}

#[test]
fn text_after_a_copy_statement_is_refused() {
    assert_eq!(flaw("COPY t FROM stdin; SELECT 1;\n\\."), Flaw::TextAfterCopy { line: 5 });
    for rest in [" \t", " -- the rows", "/* a */ /* b */ -- c\r"] {
        assert_eq!(items(format!("COPY t FROM stdin;{rest}\n\\.\n")).len(), 2, "{rest}");
    }
    assert_eq!(flaw("COPY t FROM stdin; /* a\n\\."), Flaw::TextAfterCopy { line: 5 });
}

#[test]
fn the_items_before_a_flaw_are_given_and_the_flaw_stays() {
    let (mut reader, mut items) = (Reader::new(), Vec::new());
    let text = format!("{HEAD}SELECT 1;\n\\! id\nSELECT 2;");
    let first = reader.feed(text.into(), &mut items).expect_err("a flaw");
    assert_eq!(items.len(), 1);
    assert_eq!(reader.feed(Bytes::from_static(b"\n"), &mut items), Err(first.clone()));
    assert_eq!(reader.finish(&mut items), Err(first));
    assert!(reader.facts().header);
}

/// A dump whose entries are these kinds, each with what follows it.
fn with_entries(entries: &[(&str, &str)]) -> Result<(), Flaw> {
    let entry = |(kind, text): &(&str, &str)| {
        format!("--\n-- Name: x; Type: {kind}; Schema: public; Owner: -\n--\n\n{text}\n\n")
    };
    let body: String = entries.iter().map(entry).collect();
    read(format!("{HEAD}{body}{TAIL}").as_bytes()).1
}

#[test]
fn a_comment_above_an_object_that_no_statement_follows_shows_a_lost_statement() {
    let lost = |line, object: &str| Err(Flaw::LostStatement { line, object: object.to_owned() });
    let (table, index) = (("TABLE", "CREATE TABLE x ();"), ("INDEX", "CREATE INDEX x ON y;"));
    assert_eq!(with_entries(&[table, index]), Ok(()));
    assert_eq!(with_entries(&[("TABLE", ""), index]), lost(6, "TABLE public.x"));
    assert_eq!(with_entries(&[table, ("INDEX", "")]), lost(12, "INDEX public.x"));
    assert_eq!(with_entries(&[("SEQUENCE SET", "/* gone */")]), lost(6, "SEQUENCE SET public.x"));
    let verbose = "-- TOC entry 1 (class 1259 OID 1)\n-- Dependencies: 7";
    assert_eq!(with_entries(&[("TABLE", verbose), index]), lost(6, "TABLE public.x"));
}

#[test]
fn entries_that_are_left_empty_on_purpose_are_not_lost() {
    for entry in [
        ("SCHEMA", "-- *not* creating schema, since initdb creates it"),
        ("SCHEMA", ""),
        ("COMMENT", ""),
        ("EXTENSION", ""),
        ("TRIGGER", "-- CREATE TRIGGER x BEFORE INSERT ON y EXECUTE FUNCTION z();"),
        ("A KIND TO COME", ""),
        ("ACL", ""),
        ("PUBLICATION", ""),
    ] {
        assert_eq!(with_entries(&[entry, ("TABLE", "CREATE TABLE x ();")]), Ok(()), "{entry:?}");
    }
}

#[test]
fn every_kind_that_always_has_a_statement_is_missed_and_others_are_counted() {
    for kind in
        ["BLOBS", "ROW SECURITY", "SEQUENCE OWNED BY", "STATISTICS", "POLICY", "OPERATOR CLASS"]
    {
        let lost = with_entries(&[(kind, ""), ("TABLE", "CREATE TABLE x ();")]);
        assert!(matches!(lost, Err(Flaw::LostStatement { line: 6, .. })), "{kind}: {lost:?}");
    }
    let entry = "--\n-- Name: TABLE x; Type: ACL; Schema: public; Owner: -\n--\n\n";
    let (_, result, facts) = read(format!("{HEAD}SELECT 1;\n{entry}{entry}{TAIL}").as_bytes());
    assert_eq!((result, facts.unmade), (Ok(()), 2));
    assert_eq!(facts.first_unmade.as_deref(), Some("line 7, ACL public.TABLE x"));
}

#[test]
fn rows_that_are_inserted_behind_a_dump_hide_no_lost_ones() {
    let entry = "--\n-- Data for Name: x; Type: TABLE DATA; Schema: public; Owner: -\n--\n\n";
    let body = format!("{entry}COPY x (a) FROM stdin;\n\\.\n{entry}");
    let (_, result, _) = read(format!("{HEAD}{body}{TAIL}INSERT INTO m VALUES (1);").as_bytes());
    assert!(matches!(result, Err(Flaw::LostStatement { .. })), "{result:?}");
}

#[test]
fn rows_are_lost_where_others_come_by_copy_and_absent_where_they_come_by_insert() {
    let (rows, copy) = (("TABLE DATA", ""), ("TABLE DATA", "COPY y (a) FROM stdin;\n\\."));
    let lost = with_entries(&[rows, copy]).expect_err("a flaw");
    assert_eq!(lost, Flaw::LostStatement { line: 6, object: "TABLE DATA public.x".to_owned() });
    assert_eq!(with_entries(&[copy, rows]).map_err(drop), Err(()));
    let insert = ("TABLE DATA", "INSERT INTO y VALUES (1);");
    assert_eq!(with_entries(&[rows, insert]), Ok(()));
    let table = ("TABLE", "CREATE TABLE x ();");
    assert_eq!(with_entries(&[table, rows]), Ok(()));
}

#[test]
fn an_encoding_that_postgresql_does_not_have_is_refused() {
    for text in ["SET client_encoding = 'UTF9';", "SET client_encoding\n= 'UTF9'\n;"] {
        assert_eq!(flaw(text), Flaw::UnknownEncoding { line: 5, name: "UTF9".to_owned() });
    }
}
