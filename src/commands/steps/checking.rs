//! The last step: checks the restored databases, the application's tables first, then everything against
//! the backup.

use std::time::Instant;

use super::context::Context;
use super::database::{Checking, RestoredDatabase};
use super::findings::{Notes, Step};
use super::kind::Expectations;
use super::obstacles::{cut_short, interrupted};
use super::restoring::Restored;
use super::server::Server;
use super::tables;
use super::watching::lost;
use super::{earlier, large_objects, migrations, own, sequences};
use crate::checks::migrations as revisions;
use crate::checks::{self, CheckError, coverage, presence, soundness};
use crate::config::OnFinding;
use crate::dump::contents::{Contents, DatabaseContents};
use crate::events::Event;
use crate::model::contents::Table;
use crate::model::outcome::{Obstacle, Section, Status};
use crate::pg::Session;

/// Runs the checks on the restored databases.
pub(in crate::commands) async fn check(
    cx: Context<'_>,
    expected: &Expectations<'_>,
    server: &Server,
    restored: &Restored,
) -> Step<()> {
    let mut notes = Notes::new(cx.events);
    let clock = Instant::now();
    let database = match server.database() {
        Some(_) => None,
        None => applications_database(cx, expected.contents),
    };
    let database = database.unwrap_or_else(|| restored.database.clone());
    notes.findings.facts.database = Some(database.clone());
    let without_rows = expected.is_schema_alone && cx.may_be_without_rows();
    let early = &restored.early;
    let checking = Checking { cx, expected, server, early, without_rows };
    let checked = tokio::select! {
        biased;
        () = cx.stop.token().cancelled() => {
            return notes.end(Err(interrupted(cx.stop)));
        }
        checked = check_all(&checking, restored, &database, &mut notes) => checked,
        why = lost(server.connect_info()) => Err(CheckError::lost(why)),
    };
    notes.phase("checks", clock.elapsed());
    let outcome: Result<_, Obstacle> = match checked {
        Ok(()) => Ok(Some(())),
        Err(error) => Err(cut_short(server, &error).await),
    };
    notes.end(outcome)
}

/// Of the databases that a dump makes by itself, the one with the application's tables, else the
/// last one that holds anything.
fn applications_database(cx: Context<'_>, contents: &Contents) -> Option<String> {
    let is_apps = |table: &Table| cx.proof.tables.iter().any(|of| of.name == table.name);
    let name = |database: &DatabaseContents| database.name.clone();
    let apps = contents.databases().find(|database| database.tables.iter().any(is_apps));
    apps.or(contents.databases().last()).and_then(name)
}

/// All checks, in the order of the report, with the tables read back beside the first of them: of the database that the
/// restore began in, unless the dump names others; those of the application in `database`.
async fn check_all(
    checking: &Checking<'_>,
    restored: &Restored,
    database: &str,
    notes: &mut Notes<'_>,
) -> Result<(), CheckError> {
    let (events, contents) = (checking.cx.events, checking.expected.contents);
    let server = checking.server.connect_info();
    let session = server.database(database).connect().await;
    let session = session.map_err(|error| CheckError::of(&error))?;
    let (checked, ()) =
        tokio::join!(application(checking, &session, notes), read_ahead(checking, restored));
    checked?;
    events.emit(Event::SectionStarted(Section::Contents));
    let several = contents.databases().count() > 1;
    for dump in contents.databases() {
        let name = name_of(checking, dump, restored);
        notes.about = several.then(|| name.to_owned());
        let database = RestoredDatabase::open(checking, server.database(name), dump).await?;
        against_the_backup(checking, &database, notes).await?;
    }
    notes.about = None;
    if checking.expected.is_schema_alone {
        notes.check(presence::judge(checking.without_rows));
    }
    note_coverage(checking, notes);
    own::check(checking, restored, database, notes).await?;
    note_not_proven(checking, notes);
    Ok(())
}

/// Reads the tables of a dump of one database, so that its contents are known when they are asked for.
async fn read_ahead(checking: &Checking<'_>, restored: &Restored) {
    let mut databases = checking.expected.contents.databases();
    let (Some(dump), None) = (databases.next(), databases.next()) else { return };
    let server = checking.server.connect_info();
    let database = server.database(name_of(checking, dump, restored));
    if let Ok(database) = RestoredDatabase::open(checking, database, dump).await {
        database.read_ahead().await;
    }
}

/// The database that one of the dump's was restored into.
fn name_of<'a>(
    checking: &Checking<'_>,
    dump: &'a DatabaseContents,
    restored: &'a Restored,
) -> &'a str {
    // One that others use has its own name.
    let name = dump.name.as_deref().filter(|_| checking.server.database().is_none());
    name.unwrap_or(&restored.database)
}

/// The application's checks, section by section, in the order of the report.
async fn application(
    checking: &Checking<'_>,
    session: &Session,
    notes: &mut Notes<'_>,
) -> Result<(), CheckError> {
    let Context { proof, events, stop, .. } = checking.cx;
    let tables = &proof.tables;
    if !tables.is_empty() {
        events.emit(Event::SectionStarted(Section::Schema));
    }
    let mut found = Vec::new();
    for table in tables {
        found.push(checks::schema::check(session, table).await?);
    }
    let missing = found.iter().filter(|check| check.status == Status::Failed).count();
    found.into_iter().for_each(|check| notes.check(check));
    if proof.tables_are_cccs && missing == tables.len() {
        let other = "none of CCC's tables is there: for another database, name its tables in \
                     ccc-backup.toml ([checks] tables)";
        notes.warn(other.to_owned());
    }
    if tables.iter().any(|table| table.counted) {
        events.emit(Event::SectionStarted(Section::Data));
    }
    for table in tables.iter().filter(|table| table.counted) {
        notes.check(checks::data::check(session, table).await?);
    }
    earlier::check(checking, notes).await;
    if !checking.without_rows {
        migrations::check(session, &proof.migrations, (events, stop), notes).await?;
    }
    Ok(())
}

/// What was restored against the dump, and against the manifest where there is one.
async fn against_the_backup(
    checking: &Checking<'_>,
    database: &RestoredDatabase<'_>,
    notes: &mut Notes<'_>,
) -> Result<(), CheckError> {
    let session = &database.session;
    let added = tables::check(database, notes).await?;
    sequences::check(database, &added, notes).await?;
    large_objects::check(database, notes).await?;
    let manifest = checking.cx.manifest;
    let known = manifest.and_then(|manifest| manifest.source.unsound.as_deref());
    notes.check(soundness::check(session, known, !checking.without_rows).await?);
    if let Some(recorded) = manifest.and_then(|of| of.contents.revision.as_deref()) {
        let restored = revisions::revisions(session).await?.unwrap_or_default();
        notes.check(revisions::judge_recorded(&restored, recorded));
    }
    Ok(())
}

/// Says once what the source has and the backup has not.
fn note_coverage(checking: &Checking<'_>, notes: &mut Notes<'_>) {
    let wanted = checking.cx.proof.coverage;
    if wanted == OnFinding::Off {
        return;
    }
    let known = checking.cx.manifest.and_then(|manifest| manifest.contents.coverage.as_ref());
    if let Some(check) = coverage::judge(known, wanted == OnFinding::Fail) {
        notes.check(check);
    }
}

/// What the checks do not cover.
fn note_not_proven(checking: &Checking<'_>, notes: &mut Notes<'_>) {
    if !checking.cx.proof.content {
        notes.not_proven("contents of the restored rows: left out by --no-content");
    }
    if checking.without_rows {
        notes.not_proven("rows: the backup is meant to have none");
    }
    if checking.expected.contents.inserts > 0 {
        notes.not_proven("rows and contents in INSERT statements that are not understood");
    }
}
