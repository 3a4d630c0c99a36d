use super::*;
use crate::dump::contents::Contents;
use crate::dump::plain::Reader;

fn listed(dump: &[u8], chunk: usize, mut script: Script) -> Script {
    let (mut reader, mut contents, mut items) = (Reader::new(), Contents::default(), Vec::new());
    for piece in dump.chunks(chunk) {
        reader.feed(Bytes::copy_from_slice(piece), &mut items).unwrap();
        for item in items.drain(..) {
            let inserts = contents.take(&item, None);
            script.take(&item, inserts);
        }
    }
    script
}

fn script(dump: &[u8], chunk: usize) -> Vec<Entry> {
    let parts = listed(dump, chunk, Script::default()).parts().unwrap();
    assert_eq!(parts.len(), 1);
    parts[0].entries.to_vec()
}

/// The runs of INSERT statements of a dump, parted at every statement.
fn runs(dump: &str) -> Vec<InsertRun> {
    let parts = listed(dump.as_bytes(), 7, Script::with_parts_of(1)).parts().unwrap();
    let run = |entry: &Entry| match entry {
        Entry::Inserts(run) => Some(run.clone()),
        _ => None,
    };
    parts.iter().flat_map(|part| part.entries.iter().filter_map(run)).collect()
}

#[test]
fn long_rows_are_cut_at_their_ends_only() {
    let row = b"1\tsome text\\\nthat goes on\\nand on\n";
    let rows = row.repeat(400_000);
    let dump = [b"COPY public.t (a, b) FROM stdin;\n", &rows[..], b"\\.\n"].concat();
    let entries = script(&dump, 100_003);
    let Some(Entry::Copy { bytes, cuts, .. }) = entries.first() else { panic!("{entries:?}") };
    assert_eq!(*bytes, rows.len() as u64);
    assert_eq!(cuts.len() as u64, bytes / (PART_BYTES + 100_003));
    for cut in cuts {
        assert_eq!(cut % row.len() as u64, 0);
    }
    assert!(cuts.is_sorted() && cuts.iter().all(|cut| cut < bytes));
}

#[test]
fn rows_are_counted_and_those_of_a_large_table_guessed() {
    let rows = |rows: &[u8], piece: usize| {
        let dump = [b"COPY public.t (a, b) FROM stdin;\n", rows, b"\\.\n"].concat();
        match script(&dump, piece).first() {
            Some(Entry::Copy { rows, .. }) => *rows,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(rows(b"", 7), 0);
    assert_eq!(rows(&b"1\tx\n".repeat(1000), 7), 1000);
    // Later rows are twice as long.
    let many = [
        b"1\txxxxxxxxxxxx\n".repeat(200_000),
        b"1\txxxxxxxxxxxxxxxxxxxxxxxxxxxx\n".repeat(200_000),
    ]
    .concat();
    let guessed = rows(&many, 100_003);
    assert!((400_000..800_000).contains(&guessed), "{guessed}");
}

#[test]
fn rows_in_another_format_are_not_cut() {
    let rows = b"1,text\n".repeat(2_000_000);
    let head = b"COPY public.t (a, b) FROM stdin WITH (FORMAT csv);\n";
    let dump = [head, &rows[..], b"\\.\n"].concat();
    let entries = script(&dump, 1 << 20);
    assert!(matches!(&entries[0], Entry::Copy { cuts, .. } if cuts.is_empty()));
}

#[test]
fn a_dump_whose_statements_are_too_large_to_be_kept_has_no_list() {
    let text = Bytes::from(vec![b'x'; MOST_BYTES / 10]);
    let statement = Item::Statement(Statement { text, toc: None, line: 1, offset: 0 });
    let listed = |statements| {
        let mut script = Script::default();
        (0..statements).for_each(|_| script.take(&statement, None));
        script.parts().map(|parts| parts[0].entries.len())
    };
    assert_eq!(listed(9), Some(9));
    assert_eq!(listed(10), None);
    assert_eq!(listed(20), None);
}

#[test]
fn each_part_of_a_run_begins_where_a_statement_does() {
    let dump = "SET x = 1;\n\nINSERT INTO public.t VALUES (1, 'a\nb');\nINSERT INTO public.t VALUES (2, ';');\n\n\
                INSERT INTO public.t VALUES\n\t(3, 'x'),\n\t(4, 'y');\nINSERT INTO public.u VALUES (5);\n";
    let runs = runs(dump);
    assert_eq!(runs.len(), 2);
    assert_eq!((runs[0].rows, runs[1].rows), (4, 1));
    let mut found = Vec::new();
    for part in 0..=runs[0].cuts.len() {
        let from = usize::try_from(runs[0].offset_of(part)).unwrap();
        let mut reader = Reader::between_statements(runs[0].line_of(part), from as u64);
        let mut items = Vec::new();
        reader.feed(Bytes::copy_from_slice(&dump.as_bytes()[from..]), &mut items).unwrap();
        let Some(Item::Statement(statement)) = items.into_iter().next() else { panic!() };
        found.push((statement.line, statement.offset));
    }
    assert_eq!(found, [(3, 12), (5, 52), (7, 91)]);
    let end = usize::try_from(runs[0].head.offset + runs[0].bytes).unwrap();
    assert!(dump[..end].ends_with("(4, 'y');"));
}

#[test]
fn a_run_is_of_one_table_and_the_same_columns() {
    for (dump, expected) in [
        ("INSERT INTO s.t VALUES (1);\nINSERT INTO s.t VALUES (2);\n", 1),
        ("INSERT INTO s.t VALUES (1);\nINSERT INTO s.u VALUES (2);\n", 2),
        ("INSERT INTO s.t VALUES (1);\nINSERT INTO s.t (a) VALUES (2);\n", 2),
        ("INSERT INTO s.t (a) VALUES (1);\nINSERT INTO s.t (b) VALUES (2);\n", 2),
        ("INSERT INTO s.t VALUES (1);\nSET x = 1;\nINSERT INTO s.t VALUES (2);\n", 2),
        // These are run where they stand.
        ("INSERT INTO t VALUES (1);\n", 0),
        ("INSERT INTO s.t VALUES (now());\n", 0),
        ("INSERT INTO s.t SELECT 1;\n", 0),
        ("SET standard_conforming_strings = off;\nINSERT INTO s.t VALUES ('x');\n", 0),
    ] {
        assert_eq!(runs(dump).len(), expected, "{dump}");
    }
}

#[test]
fn many_statements_of_constants_are_kept_as_one_run() {
    let insert = format!("INSERT INTO s.t VALUES ('{}');\n", "x".repeat(1 << 20));
    let dump = format!("--\n-- PostgreSQL database dump\n--\n\n{}", insert.repeat(30));
    let entries = script(dump.as_bytes(), 1 << 20);
    let [Entry::Inserts(run)] = &entries[..] else { panic!("{} entries", entries.len()) };
    assert_eq!((run.rows, run.bytes), (30, 30 * insert.len() as u64 - 1));
    assert!(run.cuts.len() >= 10 && run.head.text.len() <= 1024);
}

#[test]
fn there_is_a_part_for_each_database() {
    let dump = "CREATE ROLE r;\nCREATE DATABASE a;\n\\connect a\n\nSET x = 1;\nCREATE TABLE public.t (i int);\n\
                \\connect b\n\nCREATE TABLE public.u (i int);\n";
    let listed = listed(dump.as_bytes(), 7, Script::default());
    let parts = listed.parts().unwrap();
    let connects: Vec<_> = parts.iter().map(|part| part.connects.clone()).collect();
    assert_eq!(connects, [None, Some(("a".into(), 2)), Some(("b".into(), 6))]);
    let entries: Vec<_> = parts.iter().map(|part| part.entries.len()).collect();
    assert_eq!(entries, [2, 2, 1]);
    // It is of more than one.
    assert!(listed.part_of_one().is_none());
}

#[test]
fn of_a_dump_of_one_database_what_is_said_of_that_is_left_out() {
    let dump = b"SET x = 1;\nCREATE DATABASE a;\n\\connect a\n\nSET x = 2;\nCREATE TABLE public.t (i int);\n\
                 ALTER DATABASE a SET y = 3;\n";
    let one = listed(dump, 7, Script::default()).part_of_one().unwrap();
    assert_eq!((one.connects, one.entries.len()), (None, 2));
}
