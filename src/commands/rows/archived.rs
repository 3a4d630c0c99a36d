//! An archive: the data of its tables, from their own places.

use std::io::Read;
use std::ops::ControlFlow;

use super::failing::{of_archive, of_rows};
use super::{Failure, Rows, Selection, Take, Watch, Way, picking};
use crate::archive::{OpenBackup, pick};
use crate::dump::items::Items;
use crate::dump::picking::{Picker, TableName};
use crate::packing::metered::Meter;
use crate::store::manifest::Manifest;

pub(super) fn find(
    backup: &OpenBackup,
    manifest: Option<&Manifest>,
    selection: Selection,
) -> Result<Rows, Failure> {
    let meter = Meter::default();
    let archive = pick::Tables::of(backup, &meter).map_err(of_archive)?;
    let all = names(&archive);
    let tables = selection.choose(&all, archive.head.database.as_deref())?;
    let numbers = (0..all.len()).filter(|at| tables.contains(&all[*at]));
    let chosen: Vec<usize> = numbers.collect();
    let recorded = manifest.map(|manifest| manifest.contents.tables.iter());
    let is_chosen = |schema: &str, name: &str| {
        tables.iter().any(|table| (table.schema.as_str(), table.name.as_str()) == (schema, name))
    };
    let recorded = recorded
        .into_iter()
        .flatten()
        .filter(|table| is_chosen(&table.schema, &table.name))
        .cloned()
        .collect();
    let (backup, archive) = (backup.clone(), Box::new(archive));
    Ok(Rows { backup, selection, recorded, tables, way: Way::Archive { archive, chosen }, meter })
}

/// The names of the tables, in the order of their numbers: those of the COPY statements, which are in an
/// encoding that is known.
fn names(archive: &pick::Tables) -> Vec<TableName> {
    let session = &archive.session;
    let of_copy = |copy: &[u8]| {
        let head = [session, copy].concat();
        let mut items = Items::new(&head[..]);
        let (mut picker, mut pieces) = (Picker::new(&|_| true), Vec::new());
        while let Ok(Some(item)) = items.pull() {
            picker.take(item, items.encoding(), &mut pieces);
        }
        picker.seen().first().cloned()
    };
    let of_entry = |table: &pick::TableData<'_>| TableName {
        database: None,
        schema: table.schema.to_owned(),
        name: table.name.to_owned(),
    };
    archive
        .list()
        .map(|table| table.copy.and_then(of_copy).unwrap_or_else(|| of_entry(&table)))
        .collect()
}

/// Reads the tables in the order of the archive.
pub(super) fn read(
    rows: &Rows,
    archive: &pick::Tables,
    chosen: &[usize],
    watch: &Watch,
    take: Take<'_>,
) -> Result<(), Failure> {
    let tables: Vec<_> = archive.list().collect();
    let mut failed = None;
    let outcome = archive.read(&rows.backup, chosen, &rows.meter, &mut |at, data| {
        let begins = [&archive.session, tables[at].copy.unwrap_or_default()].concat();
        let picked = picking::pick(begins.chain(data), &|_| true, &rows.meter, watch, take);
        let (failure, flow) = match picked {
            Ok((found, flow)) => {
                let name = || format!("{}.{}", tables[at].schema, tables[at].name);
                (found.error.map(|error| of_rows(&name(), error)), flow)
            }
            Err(failure) => (Some(failure), ControlFlow::Break(())),
        };
        let flow = if failure.is_some() { ControlFlow::Break(()) } else { flow };
        failed = failure;
        flow
    });
    match failed {
        Some(failure) => Err(failure),
        None => outcome.map_err(of_archive),
    }
}
