//! A plain dump: by the spans of its manifest, else in one pass.

use std::collections::HashSet;
use std::io::{self, Cursor, Read};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use super::choosing::{none, several};
use super::failing::{of_dump, of_rows};
use super::picking::{self, Found};
use super::{Failure, Rows, Selection, Take, Watch, Way};
use crate::archive::OpenBackup;
use crate::commands::inspect;
use crate::dump::items::{ItemsError, Unsound};
use crate::dump::picking::{Piece, TableName, beginning};
use crate::model::contents::Table;
use crate::model::damage::damage;
use crate::model::packing::Packing;
use crate::model::span::Span;
use crate::packing::file::BackupFile;
use crate::packing::member_index::MemberIndex;
use crate::packing::metered::Meter;
use crate::packing::unpack::{decompress, decompress_ahead};
use crate::store::manifest::Manifest;

/// What ends rows.
const END: &[u8] = b"\\.\n";
/// Threads that decompress in a pass.
const MOST_THREADS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(3);

pub(super) fn find(
    backup: &OpenBackup,
    file: &BackupFile,
    manifest: Option<&Manifest>,
    selection: Selection,
    watch: &Watch,
) -> Result<Rows, Failure> {
    let meter = Meter::default();
    let start = decompress(meter.of(file.raw()), backup.packing());
    let facts = inspect::preamble_of(start);
    let mut rows = Rows {
        backup: backup.clone(),
        selection,
        recorded: Vec::new(),
        tables: Vec::new(),
        way: Way::Pass { file: file.clone() },
        meter,
    };
    // Rows that were not recorded are of tables that it does not name.
    let whole =
        |manifest: &&Manifest| manifest.has_contents() && manifest.contents.not_recorded.is_empty();
    if let Some(manifest) = manifest.filter(whole) {
        return by_manifest(rows, file, manifest, facts.client_encoding.as_deref());
    }
    if let [pattern] = rows.selection.patterns.as_slice()
        && pattern.is_exact()
        && rows.selection.database.is_none()
        && !facts.cluster
    {
        return Ok(rows);
    }
    let stream = whole_dump(&rows, file);
    let (found, _) =
        picking::pick(stream, &|_| false, &rows.meter, watch, &mut |_| ControlFlow::Continue(()))?;
    match (rows.selection.choose(&found.tables, None), found.error) {
        // What there is before the damage can be had.
        (Ok(chosen), _) => rows.tables = chosen,
        (Err(_), Some(error)) => return Err(of_dump(error)),
        (Err(failure), None) => return Err(failure),
    }
    Ok(rows)
}

/// Takes the spans, where all rows have one, and what stands before them is known.
fn by_manifest(
    mut rows: Rows,
    file: &BackupFile,
    manifest: &Manifest,
    encoding: Option<&str>,
) -> Result<Rows, Failure> {
    let database = manifest.source.database.as_deref();
    let named = |table: &Table| TableName {
        database: None,
        schema: table.schema.clone(),
        name: table.name.clone(),
    };
    // A table whose rows come in several orders of columns is named once for each.
    let mut names = HashSet::new();
    let all: Vec<TableName> = manifest.contents.tables.iter().map(named).collect();
    let all: Vec<TableName> = all.into_iter().filter(|table| names.insert(table.clone())).collect();
    rows.tables = rows.selection.choose(&all, database)?;
    let is_meant = |table: &&Table| rows.tables.contains(&named(table));
    rows.recorded = manifest.contents.tables.iter().filter(is_meant).cloned().collect();
    let is_placed = |table: &Table| table.fingerprint.rows == 0 || !table.spans.is_empty();
    let beginnings: Option<Vec<Vec<u8>>> = rows
        .recorded
        .iter()
        .map(|table| beginning(table, encoding).filter(|_| is_placed(table)))
        .collect();
    if let Some(beginnings) = beginnings {
        rows.way = Way::Spans { file: file.clone(), beginnings };
    }
    Ok(rows)
}

/// Reads the tables one after the other, each from its spans.
pub(super) fn spans(
    rows: &Rows,
    file: &BackupFile,
    beginnings: &[Vec<u8>],
    watch: &Watch,
    take: Take<'_>,
) -> Result<(), Failure> {
    for (table, beginning) in rows.recorded.iter().zip(beginnings) {
        let no_rows: &[Option<&Span>] = &[None];
        let spans: Vec<Option<&Span>> = table.spans.iter().map(Some).collect();
        for span in if spans.is_empty() { no_rows } else { &spans } {
            let data: Box<dyn Read + Send> = match span {
                Some(span) => {
                    let opened = rows_at(file, rows.backup.packing(), span, &rows.meter);
                    let of_io = |error| of_rows(&table.display_name(), disk_or_damage(error));
                    opened.map_err(of_io)?
                }
                None => Box::new(io::empty()),
            };
            let block = Cursor::new(beginning.clone()).chain(data).chain(END);
            let (found, flow) = picking::pick(block, &|_| true, &rows.meter, watch, take)?;
            if let Some(error) = found.error {
                return Err(of_rows(&table.display_name(), error));
            }
            if flow.is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The rows of a span, and nothing after them.
fn rows_at(
    file: &BackupFile,
    packing: Packing,
    span: &Span,
    meter: &Meter,
) -> io::Result<Box<dyn Read + Send>> {
    let Some(at) = span.rows else { return Ok(Box::new(io::empty())) };
    let mut stream = decompress(meter.of(file.raw_from(span.offset)), packing);
    let before = at.offset.saturating_sub(at.begins);
    // Where it ends before, so do the rows, which are counted.
    io::copy(&mut stream.by_ref().take(before), &mut io::sink())?;
    Ok(Box::new(stream.take(at.bytes)))
}

fn disk_or_damage(error: io::Error) -> ItemsError {
    match damage(&error).cloned() {
        Some(damage) => Unsound::Damaged { damage, at: 0 }.into(),
        None => ItemsError::Disk(error),
    }
}

/// Reads the dump from its first byte to its last.
pub(super) fn pass(
    rows: &Rows,
    file: &BackupFile,
    watch: &Watch,
    take: Take<'_>,
) -> Result<(), Failure> {
    let wants = |table: &TableName| match rows.tables.as_slice() {
        [] => rows.selection.wants(table, None),
        // A database that the dump names may be one that the manifest does not.
        chosen => chosen.iter().any(|it| {
            let here = it.database.is_none() || it.database == table.database;
            here && (&it.schema, &it.name) == (&table.schema, &table.name)
        }),
    };
    let (mut begun, mut refused) = (Vec::new(), None);
    let stream = whole_dump(rows, file);
    let (found, flow) = picking::pick(stream, &wants, &rows.meter, watch, &mut |piece| {
        if let Piece::Begin(block) = &piece {
            begun.push(block.table.clone());
            begun.dedup();
            if let Err(failure) = several(&begun) {
                refused = Some(failure);
                return ControlFlow::Break(());
            }
        }
        take(piece)
    })?;
    if let Some(failure) = refused {
        return Err(failure);
    }
    if flow.is_break() {
        return Ok(());
    }
    let Found { tables, error } = found;
    if let Some(error) = error {
        return Err(of_dump(error));
    }
    match rows.selection.patterns.first() {
        Some(pattern) if begun.is_empty() && rows.recorded.is_empty() => {
            Err(none(pattern.text(), &tables))
        }
        _ => Ok(()),
    }
}

fn whole_dump(rows: &Rows, file: &BackupFile) -> Box<dyn Read + Send> {
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let threads = cores.min(MOST_THREADS);
    let raw = rows.meter.of(file.raw());
    decompress_ahead(raw, rows.backup.packing(), &MemberIndex::default(), threads)
}
