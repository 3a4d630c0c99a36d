//! Checks the restored database: the application's tables, then everything against the backup.

use std::sync::Arc;
use std::time::Instant;

use super::{DATABASE, Run};
use crate::checks::contents::{self, Compared, Found};
use crate::checks::rendering::Rendering;
use crate::checks::sequences::{self, State};
use crate::checks::{self, CheckError, large_objects, migrations, presence, soundness};
use crate::config::{Data, Migrations, OnFinding};
use crate::dump::contents::{Contents, DatabaseContents, TableContents};
use crate::dump::fingerprint::TableFingerprint;
use crate::dump::inspect::Inspection;
use crate::dump::item::Name;
use crate::events::{Event, Progress, Work};
use crate::outcome::{CheckResult, Obstacle, Section, Status};
use crate::pg::{ConnectInfo, Session};
use crate::store::manifest::{Manifest, Table};

impl Run<'_> {
    /// Runs the checks on the restored databases.
    pub(super) async fn check(&mut self, inspection: &Inspection) -> Result<(), Obstacle> {
        let Some(sandbox) = &self.sandbox else { return Ok(()) };
        let clock = Instant::now();
        let server = sandbox.connect_info().clone();
        if let Some(name) = self.applications_database(&inspection.contents) {
            self.database = name;
        }
        let schema_alone = presence::is_schema_alone(&inspection.contents);
        self.without_rows = schema_alone && self.may_be_without_rows();
        let token = self.stop.token().clone();
        let checking = async {
            let target = server.database(&self.database);
            let session = target.connect().await.map_err(|error| CheckError::of(&error))?;
            self.application(&session).await?;
            drop(session);
            self.events.emit(Event::SectionStarted(Section::Contents));
            let several = inspection.contents.databases().count() > 1;
            for database in inspection.contents.databases() {
                let name = database.name.as_ref().map_or(DATABASE.into(), Name::text);
                self.about = several.then(|| name.clone().into_owned());
                self.against_the_backup(&server.database(&name), database).await?;
            }
            self.about = None;
            if schema_alone {
                self.note(presence::judge(self.without_rows));
            }
            self.not_proven(inspection);
            Ok::<_, CheckError>(())
        };
        let checked = tokio::select! {
            biased;
            () = token.cancelled() => return Err(self.interrupted()),
            checked = checking => checked,
        };
        self.report.phase("checks", clock.elapsed());
        match checked {
            Ok(()) => Ok(()),
            Err(error) => Err(self.cut_short(&error).await),
        }
    }

    /// Of the databases that a dump makes by itself, the one with the application's tables, else the
    /// last one that holds anything.
    fn applications_database(&self, contents: &Contents) -> Option<String> {
        let is_apps = |table: &TableContents| {
            self.settings.tables.iter().any(|of| of.name == table.name.text())
        };
        let name = |database: &DatabaseContents| {
            database.name.as_ref().map(|name| name.text().into_owned())
        };
        let apps = contents.databases().find(|database| database.tables.iter().any(is_apps));
        apps.or(contents.databases().last()).and_then(name)
    }

    /// The application's checks, section by section, in the order of the report.
    async fn application(&mut self, session: &Session) -> Result<(), CheckError> {
        let tables = &self.settings.tables;
        if !tables.is_empty() {
            self.events.emit(Event::SectionStarted(Section::Schema));
        }
        let mut found = Vec::new();
        for table in tables {
            found.push(checks::schema::check(session, table).await?);
        }
        let missing = found.iter().filter(|check| check.status == Status::Failed).count();
        found.into_iter().for_each(|check| self.note(check));
        if self.settings.tables_are_cccs && missing == tables.len() {
            let other = "none of CCC's tables is there: for another database, name its tables in \
                         ccc-backup.toml ([checks] tables)";
            self.report.warnings.push(other.to_owned());
            self.events.emit(Event::Warning(other.to_owned()));
        }
        if tables.iter().any(|table| table.counted) {
            self.events.emit(Event::SectionStarted(Section::Data));
        }
        for table in tables.iter().filter(|table| table.counted) {
            self.note(checks::data::check(session, table).await?);
        }
        if self.settings.migrations == Migrations::Alembic && !self.without_rows {
            self.events.emit(Event::SectionStarted(Section::Migrations));
            self.note(migrations::check(session).await?);
        }
        Ok(())
    }

    /// What was restored against the dump, and against the manifest where there is one.
    async fn against_the_backup(
        &mut self,
        target: &ConnectInfo,
        dump: &DatabaseContents,
    ) -> Result<(), CheckError> {
        let session = target.connect().await.map_err(|error| CheckError::of(&error))?;
        self.tables(&session, target, dump).await?;
        self.sequences(&session, dump).await?;
        let recorded = self.recorded().map(|manifest| manifest.large_objects.count);
        if dump.large_objects > 0 || recorded.is_some_and(|count| count > 0) {
            self.note(large_objects::check(&session, dump.large_objects, recorded).await?);
        }
        let known = self.manifest.as_ref().and_then(|manifest| manifest.source.unsound.as_deref());
        let sound = soundness::check(&session, known, !self.without_rows).await?;
        self.note(sound);
        if let Some(manifest) = &self.manifest
            && let Some(recorded) = manifest.alembic_revision.as_deref()
        {
            let restored = migrations::revisions(&session).await?.unwrap_or_default().join(", ");
            self.note(migrations::judge_recorded(&restored, recorded));
        }
        Ok(())
    }

    /// Whether the backup may be without rows, by its manifest or by the configuration.
    fn may_be_without_rows(&self) -> bool {
        let args = self.manifest.iter().flat_map(|manifest| &manifest.pg_dump.args);
        self.settings.data == Data::None || presence::leaves_rows_out(args.map(String::as_str))
    }

    /// What the checks do not cover.
    fn not_proven(&mut self, inspection: &Inspection) {
        if !self.settings.content {
            let text = "contents of the restored rows: left out by --no-content";
            self.report.not_proven.push(text.to_owned());
        }
        if self.without_rows {
            let text = "rows: the backup is meant to have none";
            self.report.not_proven.push(text.to_owned());
        }
        if inspection.contents.inserts > 0 {
            let text = "rows and contents of tables that the dump fills by INSERT statements";
            self.report.not_proven.push(text.to_owned());
        }
    }

    /// Rows and contents of every table.
    async fn tables(
        &mut self,
        session: &Session,
        target: &ConnectInfo,
        dump: &DatabaseContents,
    ) -> Result<(), CheckError> {
        let rendering = self.rendering(dump.encoding.as_deref());
        let mut found = if self.settings.content {
            let mut found = self.read_back(target, &dump.tables, &rendering).await?;
            self.retry_renderings(target, dump, &rendering, &mut found).await?;
            found
        } else {
            contents::count(session, &dump.tables).await?
        };
        for table in contents::settle_mixed(&dump.tables, &mut found) {
            self.report.not_proven.push(format!(
                "contents of {table}: its partitions have their columns in different orders"
            ));
        }
        let manifest = self.recorded();
        let compared: Vec<Compared> = dump
            .tables
            .iter()
            .zip(&found)
            .map(|(table, found)| Compared {
                name: table.display_name(),
                dump: table.fingerprint,
                manifest: manifest.and_then(|manifest| recorded(manifest, table)),
                found,
            })
            .collect();
        let not_in_dump = manifest.map(|manifest| lost_tables(manifest, dump)).unwrap_or_default();
        let rows = contents::judge_rows(&compared, &not_in_dump, manifest.is_some());
        let values = self.settings.content.then(|| contents::judge_contents(&compared));
        self.note(rows);
        if let Some(values) = values {
            self.note(values);
        }
        Ok(())
    }

    async fn read_back(
        &self,
        target: &ConnectInfo,
        tables: &[TableContents],
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
        contents::read_back(target, tables, rendering, jobs, Arc::new(progress)).await
    }

    /// Tables whose values differ are read again in the other ways in which the dump's session may
    /// have written them. Equal in one of them is equal.
    async fn retry_renderings(
        &self,
        target: &ConnectInfo,
        dump: &DatabaseContents,
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
            let tables: Vec<_> = open.iter().map(|index| dump.tables[*index].clone()).collect();
            let again = self.read_back(target, &tables, &other).await?;
            for (index, again) in open.into_iter().zip(again) {
                if again == Found::Rows(dump.tables[index].fingerprint) {
                    tracing::debug!(table = dump.tables[index].display_name(), ?other, "equal");
                    found[index] = again;
                }
            }
        }
        Ok(())
    }

    async fn sequences(
        &mut self,
        session: &Session,
        dump: &DatabaseContents,
    ) -> Result<(), CheckError> {
        let in_dump: Vec<State> = dump
            .sequences
            .iter()
            .map(|set| State {
                sequence: match &set.schema {
                    Some(schema) => format!("{schema}.{}", set.sequence),
                    None => set.sequence.to_string(),
                },
                last_value: set.value,
                is_called: set.is_called,
            })
            .collect();
        let recorded: Option<Vec<State>> = self.recorded().map(|manifest| {
            let state = |sequence: &crate::store::manifest::Sequence| State {
                sequence: format!("{}.{}", sequence.schema, sequence.name),
                last_value: sequence.last_value,
                is_called: sequence.is_called,
            };
            manifest.sequences.iter().map(state).collect()
        });
        let restored = sequences::states(session).await?;
        self.note(sequences::judge_states(&restored, &in_dump, recorded.as_deref()));
        if self.settings.sequences == OnFinding::Off {
            return Ok(());
        }
        let feeds = sequences::feeds(session).await?;
        let was_so = |feed: &sequences::Feed| {
            recorded.iter().flatten().any(|state| {
                state.sequence == feed.sequence
                    && state.last_value == feed.last_value
                    && state.is_called == feed.is_called
            })
        };
        let check = sequences::judge_feeds(&feeds, was_so);
        if self.settings.sequences == OnFinding::Warn && check.status == Status::Failed {
            self.report.warnings.push(check.title.clone());
            self.events.emit(Event::Warning(check.title));
            return Ok(());
        }
        self.note(check);
        Ok(())
    }

    /// The manifest, where it says what the backup holds.
    fn recorded(&self) -> Option<&Manifest> {
        self.manifest.as_ref().filter(|manifest| manifest.has_contents())
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

    /// Shows a check's result and keeps it.
    pub(super) fn note(&mut self, mut check: CheckResult) {
        if let Some(database) = &self.about {
            check.id = format!("{}.{database}", check.id);
            check.title = format!("{database}: {}", check.title);
        }
        self.events.emit(Event::Checked(check.clone()));
        self.report.checks.push(check);
    }
}

/// The manifest's record of a table.
fn recorded(manifest: &Manifest, table: &TableContents) -> Option<TableFingerprint> {
    let record = manifest.tables.iter().find(|record| is_of(record, table))?;
    Some(TableFingerprint { rows: record.rows, sum: record.fingerprint.0 })
}

/// Tables of the manifest that the dump does not have.
fn lost_tables(manifest: &Manifest, dump: &DatabaseContents) -> Vec<String> {
    let name = |table: &Table| match table.schema.as_str() {
        "" => table.name.clone(),
        schema => format!("{schema}.{}", table.name),
    };
    let is_lost = |record: &&Table| !dump.tables.iter().any(|table| is_of(record, table));
    manifest.tables.iter().filter(is_lost).map(name).collect()
}

/// Whether a record is of this table and these columns.
fn is_of(record: &Table, table: &TableContents) -> bool {
    record.schema == table.schema.as_ref().map(|schema| schema.text()).unwrap_or_default()
        && record.name == table.name.text()
        && record
            .columns
            .iter()
            .map(String::as_str)
            .eq(table.columns.iter().map(|name| name.text()))
}
