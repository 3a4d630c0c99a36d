//! Rows and contents of every restored table, against the dump and the manifest.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Run;
use super::by_value::Source;
use crate::checks::CheckError;
use crate::checks::column_order;
use crate::checks::contents::{self, Compared};
use crate::checks::event_triggers;
use crate::checks::read_back::{self, Found, Wanted};
use crate::checks::rendering::Rendering;
use crate::dump::contents::DatabaseContents;
use crate::events::{Event, Progress, Work};
use crate::model::contents::{Columns, Table, TableFingerprint};
use crate::pg::{ConnectInfo, Session};
use crate::store::manifest::Manifest;

impl Run<'_> {
    /// Compares every table. Gives the names of those that event triggers added rows to.
    pub(super) async fn tables(
        &mut self,
        session: &Session,
        target: &ConnectInfo,
        dump: &DatabaseContents,
        source: Source<'_>,
    ) -> Result<Vec<String>, CheckError> {
        let mut tables: Vec<Wanted> = dump.tables.iter().cloned().map(Wanted::all).collect();
        let rendering = self.rendering(dump.encoding.as_deref());
        let mut found = self.read(session, target, tables.clone(), &rendering).await?;
        let added =
            self.leave_out_added(session, target, &rendering, &mut tables, &mut found).await?;
        if self.settings.content {
            self.retry_renderings(target, dump, &tables, &rendering, &mut found).await?;
        }
        let own = self.leave_out_extensions(session, dump, &tables, &rendering, &mut found).await?;
        for table in contents::settle_mixed(&dump.tables, &mut found) {
            self.report.not_proven.push(format!(
                "contents of {table}: its partitions have their columns in different orders"
            ));
        }
        self.report.not_proven.extend(contents::settle_changed(dump, &mut found));
        if self.settings.content {
            self.compare_by_value(source, target, dump, &rendering, &mut found).await?;
        }
        self.settle_changing_extensions(session, dump, &tables, &rendering, &own, &mut found)
            .await?;
        let manifest = self.recorded();
        let mut recorded = manifest.map(Records::of).unwrap_or_default();
        if self.settings.content {
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
        let rows = contents::judge_rows(&compared, &not_in_dump, manifest.is_some());
        let values = self.settings.content.then(|| contents::judge_contents(&compared));
        self.note(rows);
        if let Some(values) = values {
            self.note(values);
        }
        Ok(added)
    }

    /// Reads tables back, or counts their rows where the contents are left out.
    async fn read(
        &self,
        session: &Session,
        target: &ConnectInfo,
        tables: Vec<Wanted>,
        rendering: &Rendering,
    ) -> Result<Vec<Found>, CheckError> {
        if self.settings.content {
            self.read_back(target, tables, rendering).await
        } else {
            read_back::count(session, &tables).await
        }
    }

    async fn read_back(
        &self,
        target: &ConnectInfo,
        tables: Vec<Wanted>,
        rendering: &Rendering,
    ) -> Result<Vec<Found>, CheckError> {
        let jobs = self.settings.jobs;
        let (events, total) = (self.events.clone(), tables.len() as u64);
        let progress = move |done: usize| {
            events.emit(Event::Progress(Progress {
                work: Work::Comparing,
                done: done as u64,
                total: Some(total),
                current: None,
            }));
        };
        read_back::read_back(target, tables, rendering, jobs, Arc::new(progress)).await
    }

    /// Tables with more rows than the dump are read again without what came after the first of the
    /// backup's event triggers. Where that leaves the dump's number of rows, the others were added by
    /// the triggers, which is a warning. Gives the names of these tables.
    async fn leave_out_added(
        &mut self,
        session: &Session,
        target: &ConnectInfo,
        rendering: &Rendering,
        tables: &mut [Wanted],
        found: &mut [Found],
    ) -> Result<Vec<String>, CheckError> {
        let has_more = |index: &usize| {
            let dump = tables[*index].table.fingerprint;
            matches!(found[*index], Found::Rows(now) if now.rows > dump.rows)
        };
        let open: Vec<usize> = (0..tables.len()).filter(has_more).collect();
        if open.is_empty() {
            return Ok(Vec::new());
        }
        let Some(mark) = event_triggers::first_made(session).await? else { return Ok(Vec::new()) };
        let before = |index: &usize| tables[*index].clone().before(&mark);
        let wanted: Vec<Wanted> = open.iter().map(before).collect();
        let again = self.read(session, target, wanted.clone(), rendering).await?;
        let mut names = Vec::new();
        for (index, (wanted, before)) in open.into_iter().zip(wanted.into_iter().zip(again)) {
            let (Found::Rows(now), Found::Rows(then)) = (&found[index], &before) else { continue };
            let dump = wanted.table.fingerprint;
            if let Some(added) = event_triggers::added(dump, *now, *then) {
                let name = wanted.table.display_name();
                self.warn(event_triggers::warning(added, &name));
                names.push(name);
                (tables[index], found[index]) = (wanted, before);
            }
        }
        Ok(names)
    }

    /// Tables whose values differ are read again in the other ways in which the dump's session may
    /// have written them. Equal in one of them is equal.
    async fn retry_renderings(
        &self,
        target: &ConnectInfo,
        dump: &DatabaseContents,
        tables: &[Wanted],
        rendering: &Rendering,
        found: &mut [Found],
    ) -> Result<(), CheckError> {
        let differs = |index: usize, found: &Found| {
            let expected = dump.tables[index].fingerprint;
            matches!(found, Found::Rows(found) if found.rows == expected.rows && *found != expected)
        };
        if !found.iter().enumerate().any(|(index, found)| differs(index, found)) {
            return Ok(());
        }
        let session = target.connect().await.map_err(|error| CheckError::of(&error))?;
        for other in rendering.alternatives(&session, &dump.times).await? {
            let open: Vec<usize> =
                (0..found.len()).filter(|index| differs(*index, &found[*index])).collect();
            if open.is_empty() {
                break;
            }
            let wanted: Vec<Wanted> = open.iter().map(|index| tables[*index].clone()).collect();
            let again = self.read_back(target, wanted, &other).await?;
            for (index, again) in open.into_iter().zip(again) {
                if again == Found::Rows(dump.tables[index].fingerprint) {
                    tracing::debug!(table = dump.tables[index].display_name(), ?other, "equal");
                    found[index] = again;
                }
            }
        }
        Ok(())
    }

    /// How the dump's session wrote its values, as far as it is known.
    fn rendering(&self, encoding: Option<&str>) -> Rendering {
        let source = self.manifest.as_ref().map(|manifest| &manifest.source);
        let setting = |value: Option<&String>, default: &str| {
            value.cloned().unwrap_or_else(|| default.to_owned())
        };
        Rendering {
            encoding: encoding.unwrap_or("UTF8").to_owned(),
            time_zone: setting(source.and_then(|source| source.time_zone.as_ref()), "UTC"),
            bytea_output: setting(source.and_then(|source| source.bytea_output.as_ref()), "hex"),
        }
    }
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
