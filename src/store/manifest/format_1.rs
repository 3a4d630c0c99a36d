//! Manifests of format 1, which had pg_dump's arguments in place of what they mean, and one checksum for a
//! whole directory.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::document::{Contents, Manifest, Tools};
use super::outline::{FORMAT_VERSION, Kind, Outline};
use super::source::Source;
use super::unknown::Unknown;
use crate::model::backup_id::BackupId;
use crate::model::contents::{ObjectContents, Sequence, StatementsOfKind, Table};
use crate::model::dump_options::DumpOptions;
use crate::model::files::FileFacts;
use crate::model::fingerprint::Fingerprint;
use crate::model::format::Format;
use crate::model::packing::Packing;
use crate::model::version::major_of;

/// The oldest major version of pg_dump that wrote such a backup.
const OLDEST_MAJOR: u32 = 13;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(rename = "format_version")]
    _format_version: u32,
    tool: String,
    created_at: DateTime<Utc>,
    source: Source,
    pg_dump: PgDump,
    file: BackupFile,
    #[serde(default)]
    globals: Option<FileFacts>,
    tables: Vec<Table>,
    sequences: Vec<Sequence>,
    large_objects: LargeObjects,
    statements: Vec<StatementsOfKind>,
    #[serde(default)]
    statements_in_order: Option<Fingerprint>,
    #[serde(default)]
    alembic_revision: Option<String>,
    #[serde(default)]
    not_recorded: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PgDump {
    version: String,
    args: Vec<String>,
}

/// The file of the backup, or its directory as if it were one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BackupFile {
    name: String,
    bytes: u64,
    sha256: String,
    uncompressed_bytes: u64,
    compression: Packing,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LargeObjects {
    count: u64,
    #[serde(default)]
    bytes: Option<u64>,
    #[serde(default)]
    fingerprint: Option<Fingerprint>,
}

/// What such a manifest, without its checksum, says in today's format.
///
/// # Errors
/// When it is no manifest.
pub(super) fn read(value: Value) -> Result<Manifest, serde_json::Error> {
    let written = Written::deserialize(value)?;
    let format = format_of(&written.pg_dump.args);
    let BackupFile { name, bytes, sha256, uncompressed_bytes, compression } = written.file;
    Ok(Manifest {
        outline: Outline {
            format_version: FORMAT_VERSION,
            backup_id: BackupId::derived(written.created_at, &sha256),
            kind: Kind::Logical,
            requires: Vec::new(),
            created_at: written.created_at,
            format,
            globals: written.globals,
            encryption: None,
            directory_sha256: (format == Format::Directory).then(|| sha256.clone()),
            files: vec![FileFacts { name: name.clone(), bytes, sha256 }],
            name,
        },
        tools: Tools {
            ccc_backup: written.tool.trim_start_matches("ccc-backup ").to_owned(),
            pg_dump: written.pg_dump.version.clone(),
        },
        packing: compression,
        dump_bytes: uncompressed_bytes,
        source: written.source,
        options: DumpOptions::of(
            &written.pg_dump.args,
            major_of(&written.pg_dump.version).unwrap_or(OLDEST_MAJOR),
        ),
        contents: Contents {
            tables: written.tables,
            sequences: written.sequences,
            large_objects: written.large_objects.into(),
            statements: written.statements,
            statements_in_order: written.statements_in_order,
            revision: written.alembic_revision,
            not_recorded: written.not_recorded,
            coverage: None,
        },
        unknown: Unknown::default(),
    })
}

/// The format by the argument that was always the first.
fn format_of(args: &[String]) -> Format {
    let named = args.iter().find_map(|arg| arg.strip_prefix("--format="));
    named.and_then(Format::named).unwrap_or_default()
}

impl From<LargeObjects> for crate::model::contents::LargeObjects {
    fn from(written: LargeObjects) -> Self {
        let contents = written.bytes.zip(written.fingerprint);
        Self {
            count: written.count,
            contents: contents.map(|(bytes, fingerprint)| ObjectContents { bytes, fingerprint }),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::checksum;
    use super::super::error::ManifestError;
    use super::*;
    use crate::model::contents::Columns;
    use crate::sealing::Identities;

    fn written() -> Value {
        json!({
            "format_version": 1,
            "tool": "ccc-backup 0.1.0",
            "created_at": "2026-01-14T14:30:22Z",
            "source": {"database": "shop", "time_zone": "UTC"},
            "pg_dump": {"version": "15.18", "args": ["--format=plain", "--no-owner", "-sx"]},
            "file": {
                "name": "x.sql.gz", "bytes": 3, "sha256": "ab".repeat(32),
                "uncompressed_bytes": 9, "compression": "gzip",
            },
            "tables": [{
                "schema": "public", "name": "users", "columns": ["id"], "rows": 2,
                "fingerprint": "0".repeat(32),
            }],
            "sequences": [{"schema": "s", "name": "q", "last_value": 7, "is_called": true}],
            "large_objects": {"count": 1, "bytes": 4, "fingerprint": "1".repeat(32)},
            "statements": [{"kind": "INDEX", "count": 3, "fingerprint": "2".repeat(32)}],
            "alembic_revision": "0607bc5b8541",
            "not_recorded": [],
        })
    }

    fn read(change: impl FnOnce(&mut Value)) -> Result<Manifest, ManifestError> {
        let mut value = written();
        change(&mut value);
        value[checksum::KEY] = checksum::of(&value).into();
        Manifest::parse(&serde_json::to_vec(&value).unwrap(), &Identities::default())
    }

    #[test]
    fn what_it_says_is_said_in_todays_format() {
        let manifest = read(|_| ()).unwrap();
        assert_eq!((manifest.outline.bytes(), manifest.outline.sha256()), (3, "ab".repeat(32)));
        assert_eq!(
            (manifest.tools.ccc_backup.as_str(), manifest.outline.format),
            ("0.1.0", Format::Plain)
        );
        let DumpOptions { owners, privileges, schema_only, .. } = manifest.options;
        assert_eq!((owners, privileges, schema_only), (false, false, true));
        let table = &manifest.contents.tables[0];
        assert_eq!(table.columns, Columns::Named(vec!["id".into()]));
        assert_eq!(table.fingerprint.rows, 2);
        assert_eq!(manifest.contents.large_objects.contents.unwrap().bytes, 4);
        assert_eq!(manifest.contents.revision.as_deref(), Some("0607bc5b8541"));
        assert_eq!(manifest.outline.backup_id, read(|_| ()).unwrap().outline.backup_id);
        assert_eq!(
            Manifest::parse(&manifest.to_bytes(None).unwrap(), &Identities::default()).unwrap(),
            manifest
        );
    }

    #[test]
    fn the_checksum_of_a_directory_is_its_own_and_those_of_its_files_are_not_known() {
        let manifest = read(|value| value["pg_dump"]["args"][0] = "--format=directory".into());
        let manifest = manifest.unwrap();
        assert_eq!(
            (manifest.outline.format, manifest.outline.sha256()),
            (Format::Directory, "ab".repeat(32))
        );
        assert!(manifest.outline.files_of_directory().is_empty());
        assert_eq!(
            Manifest::parse(&manifest.to_bytes(None).unwrap(), &Identities::default()).unwrap(),
            manifest
        );
    }

    #[test]
    fn unknown_keys_missing_keys_and_nonsense_are_damage() {
        let cases: [fn(&mut Value); 5] = [
            |value| value["something_new"] = true.into(),
            |value| value["file"]["hots"] = "x".into(),
            |value| value["file"]["sha256"] = "abc".into(),
            |value| value["tables"][0]["rows"] = (-1).into(),
            |value| drop(value.as_object_mut().unwrap().remove("tables")),
        ];
        for change in cases {
            assert!(read(change).unwrap_err().proves_bad());
        }
        let mut unsealed = written();
        unsealed[checksum::KEY] = "0".repeat(64).into();
        let error =
            Manifest::parse(&serde_json::to_vec(&unsealed).unwrap(), &Identities::default())
                .unwrap_err();
        assert!(error.proves_bad(), "{error}");
    }
}
