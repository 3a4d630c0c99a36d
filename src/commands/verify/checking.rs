//! Checks the restored database: the application's tables, then everything against the backup.

use std::time::Instant;

use super::by_value::Source;
use super::watching::lost;
use super::{DATABASE, Run};
use crate::checks::sequences::{self, State};
use crate::checks::{
    self, CheckError, event_triggers, large_objects, migrations, presence, soundness,
};
use crate::commands::inspect::Inspection;
use crate::config::{Data, Migrations, OnFinding};
use crate::dump::contents::{Contents, DatabaseContents, TableContents};
use crate::dump::item::Name;
use crate::events::{Event, Progress, Work};
use crate::model::outcome::{CheckResult, Obstacle, Section, Status};
use crate::pg::{ConnectInfo, Session};
use crate::store::manifest::Manifest;

impl Run<'_> {
    /// Runs the checks on the restored databases.
    pub(super) async fn check(
        &mut self,
        inspection: &Inspection,
        source: Source<'_>,
    ) -> Result<(), Obstacle> {
        let Some(sandbox) = &self.sandbox else { return Ok(()) };
        let clock = Instant::now();
        let server = sandbox.connect_info().clone();
        if let Some(name) = self.applications_database(&inspection.contents) {
            self.database = name;
        }
        let schema_alone = presence::is_schema_alone(&inspection.contents, &inspection.facts);
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
                self.against_the_backup(&server.database(&name), database, source).await?;
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
            why = lost(&server) => Err(CheckError::lost(why)),
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
            self.warn(other.to_owned());
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
        source: Source<'_>,
    ) -> Result<(), CheckError> {
        let session = target.connect().await.map_err(|error| CheckError::of(&error))?;
        let added = self.tables(&session, target, dump, source).await?;
        self.sequences(&session, dump, &added).await?;
        let objects = large_objects::Expected {
            in_dump: &dump.large_objects,
            recorded: self.recorded().map(|manifest| {
                let recorded = &manifest.large_objects;
                let fingerprint = recorded.fingerprint.map(|fingerprint| fingerprint.0);
                let contents = recorded.bytes.zip(fingerprint);
                large_objects::Recorded { count: recorded.count, contents }
            }),
            content: self.settings.content,
        };
        if objects.any() {
            let (events, total) = (&self.events, dump.large_objects.contents());
            let progress = |done| {
                let (work, total) = (Work::ComparingObjects, total.map(|total| total.bytes));
                events.emit(Event::Progress(Progress { work, done, total, current: None }));
            };
            let (check, why_not) = large_objects::check(&session, objects, &progress).await?;
            self.note(check);
            let why_not = why_not.map(|why| format!("contents of large objects: {why}"));
            self.report.not_proven.extend(why_not);
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
    pub(super) fn may_be_without_rows(&self) -> bool {
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
            let text = "rows and contents in INSERT statements that are not understood";
            self.report.not_proven.push(text.to_owned());
        }
    }

    async fn sequences(
        &mut self,
        session: &Session,
        dump: &DatabaseContents,
        added: &[String],
    ) -> Result<(), CheckError> {
        let in_dump: Vec<State> = dump
            .sequences
            .iter()
            .map(|set| State {
                sequence: format!("{}.{}", set.schema, set.name),
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
        let mut restored = sequences::states(session).await?;
        let wanted = self.settings.sequences != OnFinding::Off;
        let feeds =
            if wanted || !added.is_empty() { sequences::feeds(session).await? } else { Vec::new() };
        for sequence in event_triggers::take_back(&mut restored, &in_dump, &feeds, added) {
            tracing::info!(sequence, "moved on by rows that event triggers added");
        }
        for (index, set) in in_dump.iter().enumerate() {
            if let Some(moved) = dump.moved(index)
                && let Some(state) = restored.iter_mut().find(|of| of.sequence == set.sequence)
                && state != set
            {
                self.report.not_proven.push(format!("state of {}: {moved}", set.sequence));
                state.clone_from(set);
            }
        }
        self.note(sequences::judge_states(&restored, &in_dump, recorded.as_deref()));
        if !wanted {
            return Ok(());
        }
        // A dump says itself of a sequence that nothing was ever taken of it: who filled its column did so
        // without it. pg_dump writes no state of most of the extensions' sequences.
        let was_so = |feed: &sequences::Feed| {
            feed.is_extensions
                || recorded.as_ref().is_some_and(|recorded| feed.is_in(recorded))
                || feed.is_untouched && feed.is_in(&in_dump)
        };
        let check = sequences::judge_feeds(&feeds, was_so);
        if self.settings.sequences == OnFinding::Warn && check.status == Status::Failed {
            self.warn(check.title);
            return Ok(());
        }
        self.note(check);
        Ok(())
    }

    /// The manifest, where it says what the backup holds.
    pub(super) fn recorded(&self) -> Option<&Manifest> {
        self.manifest.as_ref().filter(|manifest| manifest.has_contents())
    }

    /// Shows a warning and keeps it.
    pub(super) fn warn(&mut self, text: String) {
        let text = match &self.about {
            Some(database) => format!("{database}: {text}"),
            None => text,
        };
        self.report.warnings.push(text.clone());
        self.events.emit(Event::Warning(text));
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
