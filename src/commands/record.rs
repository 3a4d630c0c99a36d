//! What is put on record: the manifest of a backup, and the lines of the history.

use std::path::Path;

use chrono::{DateTime, Utc};

use crate::dump::contents::{Contents, TableContents};
use crate::dump::inserts::Columns;
use crate::dump::item::{Facts, Name};
use crate::dump::items::Unsound;
use crate::dump::statements::StatementsOfKind;
use crate::model::outcome::{RunReport, Status, Verdict};
use crate::packing::compress::Compressed;
use crate::settings::CreateSettings;
use crate::source::facts::Facts as SourceFacts;
use crate::source::pg_dump::DumpRequest;
use crate::store::history::{Record, Work};
use crate::store::manifest::{
    BackupFile, FORMAT_VERSION, Fingerprint, GlobalsFile, LargeObjects, Manifest, PgDump, Sequence,
    Source, Statements, Table,
};

/// How a backup was made.
#[derive(Debug)]
pub struct Made<'a> {
    /// By which settings.
    pub settings: &'a CreateSettings,
    /// By which call of pg_dump.
    pub request: &'a DumpRequest,
    /// What the source said of itself.
    pub facts: SourceFacts,
    /// Into which file.
    pub target: &'a Path,
    /// The file of the server's roles and tablespaces, where one is made.
    pub globals: Option<GlobalsFile>,
    /// When it began.
    pub started_at: DateTime<Utc>,
}

/// The file that was made, or the directory.
#[derive(Debug)]
pub struct Packed {
    /// Its size in bytes.
    pub bytes: u64,
    /// Its checksum.
    pub sha256: String,
    /// Bytes of its SQL; 0 where it was not read.
    pub uncompressed_bytes: u64,
}

impl<W> From<&Compressed<W>> for Packed {
    fn from(compressed: &Compressed<W>) -> Self {
        Self {
            bytes: compressed.bytes_out,
            sha256: compressed.sha256_hex(),
            uncompressed_bytes: compressed.bytes_in,
        }
    }
}

/// The manifest of a backup whose bytes were read.
pub fn manifest(
    made: &Made,
    packed: Packed,
    contents: &Contents,
    facts: &Facts,
    not_understood: Option<&Unsound>,
) -> Manifest {
    Manifest {
        format_version: FORMAT_VERSION,
        tool: concat!("ccc-backup ", env!("CARGO_PKG_VERSION")).to_owned(),
        created_at: made.started_at,
        source: source(made, facts),
        pg_dump: PgDump {
            version: made.request.pg_dump.version.clone(),
            args: made
                .request
                .arguments()
                .iter()
                .map(|arg| arg.to_string_lossy().into_owned())
                .collect(),
        },
        file: BackupFile {
            name: name_of(made.target),
            bytes: packed.bytes,
            sha256: packed.sha256,
            uncompressed_bytes: packed.uncompressed_bytes,
            compression: made.settings.codec.packing().name().to_owned(),
        },
        globals: made.globals.clone(),
        tables: tables(contents, &made.facts),
        sequences: sequences(contents),
        large_objects: large_objects(contents),
        statements: statements(contents),
        statements_in_order: Some(Fingerprint(contents.statements.in_order())),
        alembic_revision: contents.alembic_revisions().map(|revisions| revisions.join(", ")),
        not_recorded: not_recorded(&made.facts, contents, not_understood),
        index: None,
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

fn tables(contents: &Contents, facts: &SourceFacts) -> Vec<Table> {
    let table = |table: &TableContents| Table {
        schema: text(&table.schema),
        name: text(&table.name),
        columns: match &table.columns {
            Columns::Named(columns) => columns.iter().map(text).collect(),
            Columns::Stored => columns_of_child(table, facts),
        },
        rows: table.fingerprint.rows,
        fingerprint: Fingerprint(table.fingerprint.sum),
    };
    contents.database.tables.iter().map(table).collect()
}

/// The columns of a table that inherits some, in the source's order: INSERT statements without columns
/// mean that order, and a restored table may have another. Of other tables it is the dump's.
fn columns_of_child(table: &TableContents, facts: &SourceFacts) -> Vec<String> {
    let SourceFacts::Known(known) = facts else { return Vec::new() };
    let (schema, name) = (text(&table.schema), text(&table.name));
    let child = known.children.iter().find(|of| of.schema == schema && of.name == name);
    child.map(|child| child.columns.clone()).unwrap_or_default()
}

fn sequences(contents: &Contents) -> Vec<Sequence> {
    let sequence = |set: &crate::dump::contents::SequenceState| Sequence {
        schema: text(&set.schema),
        name: text(&set.name),
        last_value: set.value,
        is_called: set.is_called,
    };
    contents.database.sequences.iter().map(sequence).collect()
}

fn large_objects(contents: &Contents) -> LargeObjects {
    let written = &contents.database.large_objects;
    let known = written.contents();
    LargeObjects {
        count: written.count(),
        bytes: known.map(|known| known.bytes),
        fingerprint: known.map(|known| Fingerprint(known.sum)),
    }
}

fn statements(contents: &Contents) -> Vec<Statements> {
    let statements = |found: StatementsOfKind| Statements {
        kind: found.kind,
        count: found.count,
        fingerprint: Fingerprint(found.fingerprint),
    };
    contents.statements.by_kind().into_iter().map(statements).collect()
}

fn text(name: &Name) -> String {
    name.text().into_owned()
}

fn not_recorded(
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
    if contents.database.large_objects.contents().is_none() {
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
        record.pg_dump_version = Some(manifest.pg_dump.version.clone());
        record.file_bytes = Some(manifest.file.bytes);
        record.dump_bytes = Some(manifest.file.uncompressed_bytes);
        record.sha256 = Some(manifest.file.sha256.clone());
        record.tables = Some(manifest.tables.len() as u64);
        record.rows = Some(manifest.tables.iter().map(|table| table.rows).sum());
    }
    record
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
