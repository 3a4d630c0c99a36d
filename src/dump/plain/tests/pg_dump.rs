//! The reader on what pg_dump 15.18 wrote of a database full of awkward objects.
//!
//! The numbers are those of psql 15.18: the statements that the server logged while psql restored
//! these files, and the rows that it then counted.

use super::*;
use crate::dump::fingerprint::RowHasher;

const COPIES: &[u8] = include_bytes!("../../../../tests/fixtures/dumps/pg_dump_15.sql");
const INSERTS: &[u8] = include_bytes!("../../../../tests/fixtures/dumps/pg_dump_15_inserts.sql");

#[test]
fn pg_dump_is_read_as_psql_reads_it() {
    let (items, result, facts) = read(COPIES);
    assert_eq!(result, Ok(()));
    assert_eq!((facts.statements, facts.copy_blocks), (107, 5));
    let count = |wanted: fn(&Item) -> bool| items.iter().filter(|item| wanted(item)).count();
    assert_eq!(count(|item| matches!(item, Item::Meta(_))), 5);
    assert_eq!(rows(&items), [2, 0, 3, 1, 10]);

    let (items, result, facts) = read(INSERTS);
    assert_eq!((result, facts.statements, facts.copy_blocks), (Ok(()), 82, 0));
    assert_eq!(items.len(), 84);
}

#[test]
fn every_comment_of_pg_dump_names_the_object_of_its_statement() {
    let (items, ..) = read(COPIES);
    for item in &items {
        let (statement, data) = match item {
            Item::Statement(statement) => (statement, false),
            Item::CopyStart(block) => (&block.statement, true),
            _ => continue,
        };
        let Some(toc) = &statement.toc else { continue };
        assert_eq!(toc.kind == "TABLE DATA", data, "{toc:?}");
        if statement.starts_with(&["CREATE", "VIEW"]) {
            assert_eq!((&*toc.kind, &*toc.name), ("VIEW", "v"));
        }
    }
    let sets: Vec<_> = items
        .iter()
        .filter_map(|item| match item {
            Item::Statement(statement) => statement.setval(),
            _ => None,
        })
        .collect();
    assert_eq!(sets.len(), 2);
    assert_eq!(sets[0].sequence, "Se'q");
    assert_eq!((sets[0].value, sets[0].is_called), (-1, true));
}

#[test]
fn pg_dump_cut_anywhere_is_never_accepted() {
    for text in [COPIES, INSERTS] {
        let text = text.trim_ascii_end();
        for cut in (0..text.len()).step_by(11).chain(text.len() - 200..text.len()) {
            let (_, result, _) = read_by(&text[..cut], usize::MAX);
            assert!(result.is_err(), "cut at {cut}");
        }
    }
}

#[test]
fn pg_dump_with_windows_line_ends_has_the_same_rows() {
    let text = String::from_utf8_lossy(COPIES).replace('\n', "\r\n");
    let (items, result, facts) = read(text.as_bytes());
    assert_eq!((result, facts.statements), (Ok(()), 107));
    assert_eq!(rows(&items), [2, 0, 3, 1, 10]);
}

/// Rows of each COPY block.
fn rows(items: &[Item]) -> Vec<u64> {
    let mut rows = Vec::new();
    let mut fingerprint = RowHasher::new();
    for item in items {
        match item {
            Item::CopyData(data) => fingerprint.update(data),
            Item::CopyEnd => rows.push(std::mem::take(&mut fingerprint).finish().rows),
            _ => {}
        }
    }
    rows
}
