//! Rows and contents of every restored table, against the dump and the manifest.

use std::collections::BTreeMap;

use super::database::RestoredDatabase;
use super::findings::Notes;
use super::{by_value, extensions};
use crate::checks::CheckError;
use crate::checks::column_order;
use crate::checks::contents::{self, Compared};
use crate::checks::event_triggers;
use crate::checks::read_back::{Found, Wanted};
use crate::model::contents::{Columns, Table, TableFingerprint};
use crate::store::manifest::Manifest;

/// Compares every table. Gives the names of those that event triggers added rows to.
pub(in crate::commands) async fn check(
    database: &RestoredDatabase<'_>,
    notes: &mut Notes<'_>,
) -> Result<Vec<String>, CheckError> {
    let RestoredDatabase { checking, session, dump, .. } = database;
    let content = database.with_content();
    let mut tables: Vec<Wanted> = dump.tables.iter().cloned().map(Wanted::all).collect();
    let mut found = database.read_first(&tables).await?;
    let added = leave_out_added(database, &mut tables, &mut found, notes).await?;
    if content {
        retry_renderings(database, &tables, &mut found).await?;
    }
    let own = extensions::leave_out(database, &tables, &mut found).await?;
    for table in contents::settle_mixed(&dump.tables, &mut found) {
        notes.not_proven(format!(
            "contents of {table}: its partitions have their columns in different orders"
        ));
    }
    notes.findings.not_proven.extend(contents::settle_changed(dump, &mut found));
    if content {
        by_value::compare(database, &mut found).await?;
    }
    extensions::settle_changing(database, &tables, &own, &mut found).await?;
    let manifest = checking.cx.recorded();
    let mut recorded = manifest.map(Records::of).unwrap_or_default();
    if content {
        let columns = |table: &Table| recorded.columns(table);
        column_order::settle(session, &dump.tables, columns, &mut found).await?;
    }
    let compared: Vec<Compared> = dump
        .tables
        .iter()
        .zip(&found)
        .map(|(table, found)| Compared {
            name: table.display_name(),
            dump: table.fingerprint,
            manifest: recorded.take(table),
            found,
        })
        .collect();
    let not_in_dump = recorded.left();
    notes.check(contents::judge_rows(&compared, &not_in_dump, manifest.is_some()));
    if content {
        notes.check(contents::judge_contents(&compared));
    }
    Ok(added)
}

/// Tables with more rows than the dump are read again without what came after the first of the
/// backup's event triggers. Where that leaves the dump's number of rows, the others were added by
/// the triggers, which is a warning. Gives the names of these tables.
async fn leave_out_added(
    database: &RestoredDatabase<'_>,
    tables: &mut [Wanted],
    found: &mut [Found],
    notes: &mut Notes<'_>,
) -> Result<Vec<String>, CheckError> {
    let has_more = |index: &usize| {
        let dump = tables[*index].table.fingerprint;
        matches!(found[*index], Found::Rows(now) if now.rows > dump.rows)
    };
    let open: Vec<usize> = (0..tables.len()).filter(has_more).collect();
    if open.is_empty() {
        return Ok(Vec::new());
    }
    let mark = event_triggers::first_made(&database.session).await?;
    let Some(mark) = mark else { return Ok(Vec::new()) };
    let before = |index: &usize| tables[*index].clone().before(&mark);
    let wanted: Vec<Wanted> = open.iter().map(before).collect();
    let again = database.read(wanted.clone()).await?;
    let mut names = Vec::new();
    for (index, (wanted, before)) in open.into_iter().zip(wanted.into_iter().zip(again)) {
        let (Found::Rows(now), Found::Rows(then)) = (&found[index], &before) else { continue };
        let dump = wanted.table.fingerprint;
        if let Some(added) = event_triggers::added(dump, *now, *then) {
            let name = wanted.table.display_name();
            notes.warn(event_triggers::warning(added, &name));
            names.push(name);
            (tables[index], found[index]) = (wanted, before);
        }
    }
    Ok(names)
}

/// Tables whose values differ are read again in the other ways in which the dump's session may
/// have written them. Equal in one of them is equal.
async fn retry_renderings(
    database: &RestoredDatabase<'_>,
    tables: &[Wanted],
    found: &mut [Found],
) -> Result<(), CheckError> {
    let RestoredDatabase { target, dump, rendering, .. } = database;
    if database.differing(found).is_empty() {
        return Ok(());
    }
    let session = target.connect().await.map_err(|error| CheckError::of(&error))?;
    for other in rendering.alternatives(&session, &dump.times).await? {
        let open = database.differing(found);
        if open.is_empty() {
            break;
        }
        let wanted: Vec<Wanted> = open.iter().map(|index| tables[*index].clone()).collect();
        let again = database.read_back(wanted, &other).await?;
        for (index, again) in open.into_iter().zip(again) {
            if again == Found::Rows(dump.tables[index].fingerprint) {
                tracing::debug!(table = dump.tables[index].display_name(), ?other, "equal");
                found[index] = again;
            }
        }
    }
    Ok(())
}

fn key(table: &Table) -> (String, String, Vec<String>) {
    (table.schema.clone(), table.name.clone(), table.columns.named().to_vec())
}

/// The manifest's records of tables, by schema, name and columns.
#[derive(Default)]
struct Records<'a>(BTreeMap<(String, String, Vec<String>), &'a Table>);

impl<'a> Records<'a> {
    fn of(manifest: &'a Manifest) -> Self {
        Self(manifest.contents.tables.iter().map(|table| (key(table), table)).collect())
    }

    /// The key of a table of the dump. Of one whose columns the dump does not name, the record may.
    fn key(&self, table: &Table) -> (String, String, Vec<String>) {
        let key = key(table);
        if table.columns != Columns::Stored || self.0.contains_key(&key) {
            return key;
        }
        let named = self.0.keys().find(|of| (&of.0, &of.1) == (&key.0, &key.1));
        named.cloned().unwrap_or(key)
    }

    /// The columns of the source in its order, where they are recorded.
    fn columns(&self, table: &Table) -> Vec<String> {
        self.0
            .get(&self.key(table))
            .map(|record| record.columns.named().to_vec())
            .unwrap_or_default()
    }

    /// The record of a table of the dump.
    fn take(&mut self, table: &Table) -> Option<TableFingerprint> {
        Some(self.0.remove(&self.key(table))?.fingerprint)
    }

    /// Tables that the dump does not have, sorted.
    fn left(self) -> Vec<String> {
        let name = |table: &Table| match table.schema.as_str() {
            "" => table.name.clone(),
            _ => table.display_name(),
        };
        self.0.into_values().map(name).collect()
    }
}
