//! What is put on record: the manifest of a backup, and the lines of the history.

use std::collections::HashMap;
use std::path::Path;

use chrono::{DateTime, Utc};

use crate::dump::contents::Contents;
use crate::dump::item::Facts;
use crate::dump::items::Unsound;
use crate::model::contents::{Columns, Table};
use crate::model::files::FileFacts;
use crate::model::outcome::{RunReport, Status, Verdict};
use crate::model::span::{RowsAt, Span};
use crate::packing::member_index::MemberStart;
use crate::settings::CreateSettings;
use crate::signing::Signer;
use crate::source::coverage::{Held, SourceHas};
use crate::source::facts::{Child, Facts as SourceFacts};
use crate::source::pg_dump::DumpRequest;
use crate::store::history::{Record, Work};
use crate::store::manifest::{self, Encryption, Manifest, New, Source};

/// How a backup was made.
#[derive(Debug)]
pub struct Made<'a> {
    /// By which settings.
    pub settings: &'a CreateSettings,
    /// By which call of pg_dump.
    pub request: &'a DumpRequest,
    /// What the source said of itself.
    pub facts: SourceFacts,
    /// What the source has.
    pub has: SourceHas,
    /// Into which file.
    pub target: &'a Path,
    /// The file of the server's roles and tablespaces, where one is made.
    pub globals: Option<FileFacts>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// Who signs it.
    pub signer: Option<&'a Signer>,
}

/// The file that was made, or the directory.
#[derive(Debug)]
pub struct Packed {
    /// Its files.
    pub files: Vec<FileFacts>,
    /// Bytes of its SQL; 0 where it was not read.
    pub dump_bytes: u64,
}

/// The file of a backup that is one.
pub fn file_facts(target: &Path, bytes: u64, sha256: String) -> FileFacts {
    FileFacts { name: name_of(target), bytes, sha256 }
}

/// The manifest of a backup whose bytes were read.
pub fn manifest(
    made: &Made,
    packed: Packed,
    found: &Contents,
    facts: &Facts,
    not_recorded: Vec<String>,
) -> Manifest {
    let options = made.request.options();
    let (tables, statements) = (tables(found, &made.facts), found.statements.by_kind());
    // Where the dump was not read, it is not known what it has not.
    let coverage = (!statements.is_empty()).then(|| {
        let globals = made.globals.is_some();
        let held = Held { options: &options, tables: &tables, statements: &statements, globals };
        made.has.beside(held)
    });
    let contents = manifest::Contents {
        tables,
        sequences: found.database.sequences.clone(),
        large_objects: found.database.large_objects.objects(),
        statements,
        statements_in_order: Some(found.statements.in_order()),
        revision: found.alembic_revisions().map(|revisions| revisions.join(", ")),
        not_recorded,
        coverage: coverage.flatten(),
    };
    Manifest::of(New {
        created_at: made.started_at,
        pg_dump: made.request.pg_dump.version.clone(),
        name: name_of(made.target),
        format: made.request.format,
        packing: made.settings.codec.packing(),
        files: packed.files,
        dump_bytes: packed.dump_bytes,
        globals: made.globals.clone(),
        encryption: made.settings.recipients.as_ref().map(|to| Encryption::age(to.names())),
        source: source(made, facts),
        options,
        contents,
    })
}

/// Has the rows of a packed plain dump read from the last of these places before them: where a byte of the
/// file, the first of each, is unpacked to a byte of the dump, the second.
pub fn place_rows(tables: &mut [Table], packed: bool, members: &[MemberStart]) {
    for span in tables.iter_mut().flat_map(|table| &mut table.spans) {
        let Some(rows) = span.rows else { continue };
        if !packed {
            span.begin_at(rows.offset, rows.offset);
            continue;
        }
        if let Some(member) = MemberStart::last_before(members, rows.offset) {
            span.begin_at(member.offset, member.dump_offset);
        }
    }
}

/// Says where the rows are in an archive, in place of where they are in the SQL that it was read as.
pub fn place_rows_of_archive(tables: &mut [Table], rows: Vec<RowsAt>) {
    let mut places: HashMap<(String, String), Vec<Span>> = HashMap::new();
    for RowsAt { schema, name, span } in rows {
        places.entry((schema, name)).or_default().push(span);
    }
    for table in tables {
        let places = places.remove(&(table.schema.clone(), table.name.clone()));
        table.spans = places.unwrap_or_default();
    }
}

fn source(made: &Made, facts: &Facts) -> Source {
    match &made.facts {
        SourceFacts::Known(known) => Source {
            host: Some(known.host.clone()).filter(|host| !host.is_empty()),
            port: Some(known.port.clone()).filter(|port| !port.is_empty()),
            database: Some(known.database.clone()),
            user: Some(known.user.clone()),
            server_version: Some(known.server_version.clone()),
            server_version_num: Some(known.server_version_num),
            encoding: Some(known.encoding.clone()),
            collate: known.collate.clone(),
            ctype: known.ctype.clone(),
            locale_provider: Some(known.locale_provider.clone()),
            locale: known.locale.clone(),
            database_bytes: known.database_bytes,
            time_zone: Some(known.time_zone.clone()),
            bytea_output: Some(known.bytea_output.clone()),
            unsound: Some(known.unsound.clone()),
        },
        SourceFacts::Unknown { .. } => Source {
            host: made.settings.source.host.clone(),
            port: made.settings.source.port.clone(),
            database: made.settings.source.dbname.clone(),
            user: made.settings.source.username.clone(),
            server_version: facts.server_version.clone(),
            encoding: facts.client_encoding.clone(),
            ..Source::default()
        },
    }
}

/// The tables of the dump. INSERT statements without columns mean the source's order of columns, and a
/// restored table that inherits some may have another: of those, the source's columns.
fn tables(contents: &Contents, facts: &SourceFacts) -> Vec<Table> {
    let mut tables = contents.database.tables.clone();
    let SourceFacts::Known(known) = facts else { return tables };
    for table in tables.iter_mut().filter(|table| table.columns == Columns::Stored) {
        let same = |of: &&Child| (&of.schema, &of.name) == (&table.schema, &table.name);
        if let Some(child) = known.children.iter().find(same) {
            table.columns = Columns::Named(child.columns.clone());
        }
    }
    tables
}

/// What could not be recorded of a dump, one sentence each.
pub fn not_recorded(
    facts: &SourceFacts,
    contents: &Contents,
    not_understood: Option<&Unsound>,
) -> Vec<String> {
    let mut reasons = Vec::new();
    if let SourceFacts::Unknown { reason } = facts {
        reasons.push(format!("the source's version, encoding and locale: {reason}"));
    }
    if contents.inserts > 0 {
        reasons.push("rows of INSERT statements that are not understood".to_owned());
    }
    if contents.database.large_objects.objects().contents.is_none() {
        reasons.push("contents of large objects, which pg_dump writes otherwise".to_owned());
    }
    if let Some(unsound) = not_understood {
        reasons.push(format!("what follows the place where the dump is not understood: {unsound}"));
    }
    reasons
}

/// The line of the history for a backup that was made, or was not.
pub fn history(
    target: &Path,
    started_at: DateTime<Utc>,
    seconds: f64,
    verdict: Verdict,
    manifest: Option<&Manifest>,
) -> Record {
    let mut record = Record::new(Work::Create, name_of(target), started_at, verdict);
    record.seconds = seconds;
    if let Some(manifest) = manifest {
        record.database.clone_from(&manifest.source.database);
        record.server_version.clone_from(&manifest.source.server_version);
        record.pg_dump_version = Some(manifest.tools.pg_dump.clone());
        record.file_bytes = Some(manifest.outline.bytes());
        record.dump_bytes = Some(manifest.dump_bytes);
        record.sha256 = Some(manifest.outline.sha256());
        record.tables = Some(manifest.contents.tables.len() as u64);
        record.rows = Some(manifest.rows());
    }
    record
}

/// The line of the history for a restore of a backup of this database.
pub fn restore(report: &RunReport, database: Option<String>) -> Record {
    Record { work: Work::Restore, ..verification(report, database) }
}

/// The line of the history for a backup whose bytes were compared with its manifest, and no more.
pub fn scrub(report: &RunReport) -> Record {
    Record { work: Work::Scrub, ..verification(report, None) }
}

/// The line of the history for a verification of a backup of this database.
pub fn verification(report: &RunReport, database: Option<String>) -> Record {
    let name = name_of(&report.backup);
    let mut record = Record::new(Work::Verify, name, report.started_at, report.verdict());
    record.soundness = Some(report.soundness()).filter(|sound| *sound != report.verdict());
    record.sha256.clone_from(&report.sha256);
    record.seconds = report.seconds;
    record.phases.clone_from(&report.phases);
    record.file_bytes = Some(report.backup_bytes);
    record.database = database;
    record.rows = report.rows;
    record.checks =
        Some(report.checks.iter().filter(|check| check.status != Status::Shown).count() as u64);
    record.rto_seconds = report.rto_seconds;
    let failed = report.checks.iter().filter(|check| check.status == Status::Failed);
    record.failed_checks = failed.map(|check| check.id.clone()).collect();
    if let Some(sandbox) = &report.sandbox {
        record.engine = Some(sandbox.engine.clone());
        record.image.clone_from(&sandbox.image);
        record.image_digest.clone_from(&sandbox.image_digest);
        record.server_version = Some(sandbox.server_version.clone());
    }
    record
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
