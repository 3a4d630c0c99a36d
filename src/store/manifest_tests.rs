use chrono::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::model::contents::{Columns, TableFingerprint};

fn manifest() -> Manifest {
    Manifest {
        format_version: FORMAT_VERSION,
        tool: "ccc-backup 0.1.0".into(),
        created_at: Utc.with_ymd_and_hms(2026, 1, 14, 14, 30, 22).unwrap(),
        source: Source {
            host: Some("localhost".into()),
            server_version_num: Some(150_018),
            ..Source::default()
        },
        pg_dump: PgDump { version: "15.18".into(), args: vec!["--clean".into()] },
        file: BackupFile {
            name: "x.sql.gz".into(),
            bytes: 3,
            sha256: "0".repeat(64),
            uncompressed_bytes: 9,
            compression: "gzip".into(),
        },
        globals: Some(GlobalsFile {
            name: "x.globals.sql".into(),
            bytes: 5,
            sha256: "1".repeat(64),
        }),
        tables: vec![Table {
            schema: "public".into(),
            name: "users".into(),
            columns: Columns::Named(vec!["id".into(), "Übung".into()]),
            fingerprint: TableFingerprint { rows: 2, sum: Fingerprint(0xabc) },
            bytes: 12,
        }],
        sequences: vec![Sequence {
            schema: "public".into(),
            name: "users_id_seq".into(),
            last_value: i64::MIN,
            is_called: true,
        }],
        large_objects: LargeObjects::default(),
        statements: vec![StatementsOfKind {
            kind: "INDEX".into(),
            count: 3,
            fingerprint: Fingerprint(u128::MAX),
        }],
        statements_in_order: Some(Fingerprint(7)),
        alembic_revision: None,
        not_recorded: Vec::new(),
        index: None,
    }
}

/// The manifest with a change by somebody who could make its checksum, too.
fn altered(change: impl FnOnce(&mut serde_json::Value)) -> Result<Manifest, ManifestError> {
    let mut value = serde_json::to_value(manifest()).unwrap();
    change(&mut value);
    value[seal::KEY] = seal::of(&value).into();
    Manifest::parse(&serde_json::to_vec(&value).unwrap())
}

#[test]
fn a_manifest_with_any_byte_of_its_values_changed_is_damaged() {
    let bytes = manifest().to_bytes().unwrap();
    assert_eq!(Manifest::parse(&bytes).unwrap(), manifest());
    for at in (0..bytes.len()).filter(|at| !bytes[*at].is_ascii_whitespace()) {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let error = Manifest::parse(&changed).unwrap_err();
        // The version alone says what else is to be expected.
        let newer = matches!(error, ManifestError::Newer { .. });
        assert!(error.proves_bad() || newer, "byte {at}: {error}");
    }
    let without = String::from_utf8(bytes).unwrap().replace(seal::KEY, "something");
    assert!(Manifest::parse(without.as_bytes()).unwrap_err().proves_bad());
}

#[test]
fn a_manifest_is_read_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let backup = dir.path().join("x.sql.gz");
    assert!(Manifest::read(&backup).unwrap().is_none());
    manifest().write(&backup).unwrap();
    assert_eq!(Manifest::read(&backup).unwrap(), Some(manifest()));
}

#[test]
fn a_fingerprint_is_32_hex_digits() {
    let text = serde_json::to_string(&Fingerprint(0xabc)).unwrap();
    assert_eq!(text, format!("\"{}abc\"", "0".repeat(29)));
    for text in ["abc", &"G".repeat(32), &"A".repeat(32), &format!("+{}", "0".repeat(31))] {
        let read = altered(|value| value["tables"][0]["fingerprint"] = (*text).into());
        assert!(matches!(read, Err(ManifestError::Damaged(_))), "{text}");
    }
}

#[test]
fn a_newer_manifest_is_refused_as_such_and_proves_nothing() {
    let error = altered(|value| {
        value["format_version"] = 2.into();
        value["something_new"] = true.into();
    })
    .unwrap_err();
    assert!(error.to_string().contains("format version 2"), "{error}");
    assert!(!error.proves_bad() && error.hint().is_some());
}

#[test]
fn unknown_keys_missing_keys_and_nonsense_are_damage() {
    let cases: [fn(&mut serde_json::Value); 6] = [
        |value| value["something_new"] = true.into(),
        |value| value["source"]["hots"] = "x".into(),
        |value| value["format_version"] = 0.into(),
        |value| value["file"]["sha256"] = "abc".into(),
        |value| value["tables"][0]["rows"] = (-1).into(),
        |value| drop(value.as_object_mut().unwrap().remove("tables")),
    ];
    for change in cases {
        let error = altered(change).unwrap_err();
        assert!(matches!(error, ManifestError::Damaged(_)), "{error}");
        assert!(error.proves_bad() && error.hint().is_some());
    }
    assert!(altered(|_| ()).is_ok());
    for bytes in [&b""[..], b"{", b"[]", b"\xff\xfe", b"null"] {
        assert!(matches!(Manifest::parse(bytes), Err(ManifestError::Damaged(_))));
    }
}

#[test]
fn a_manifest_of_another_file_is_told_by_the_size() {
    let manifest = manifest();
    let belongs = |name, bytes| manifest.check_belongs(Path::new(name), bytes);
    assert!(belongs("backups/x.sql.gz", 3).is_ok());
    assert!(belongs("copied-elsewhere.sql.gz", 3).is_ok());
    let error = belongs("backups/x.sql.gz", 4).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the manifest belongs to another file: x.sql.gz has 4 bytes instead of 3"
    );
    assert!(belongs("y.sql.gz", 4).unwrap_err().to_string().contains("names x.sql.gz"));
    assert!(error.proves_bad());
}

#[test]
fn what_cannot_be_read_proves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let backup = dir.path().join("x.sql.gz");
    std::fs::create_dir(manifest_path(&backup)).unwrap();
    let unreadable = || {
        let error = Manifest::read(&backup).unwrap_err();
        assert!(matches!(error, ManifestError::Store(_)) && !error.proves_bad(), "{error}");
        assert!(error.hint().unwrap().contains("check the path"));
    };
    unreadable();
    std::fs::remove_dir(manifest_path(&backup)).unwrap();
    // A link to itself cannot even be opened.
    std::os::unix::fs::symlink(manifest_path(&backup), manifest_path(&backup)).unwrap();
    unreadable();
}

prop_compose! {
    fn any_table()(
        schema in ".*", name in ".*",
        columns in proptest::collection::vec(".*", 0..4),
        rows: u64, sum: u128,
    ) -> Table {
        let fingerprint = TableFingerprint { rows, sum: Fingerprint(sum) };
        Table { schema, name, columns: Columns::Named(columns), fingerprint, bytes: rows }
    }
}

proptest! {
    #[test]
    fn any_manifest_survives_the_round_trip(
        tables in proptest::collection::vec(any_table(), 0..4),
        sequences in proptest::collection::vec((".*", any::<i64>(), any::<bool>()), 0..4),
        texts in any::<[Option<String>; 4]>(),
        seconds in 0i64..253_402_300_799, nanos in 0u32..1_000_000_000,
        members in proptest::collection::vec(any::<(u64, u64)>(), 0..4),
    ) {
        let [host, locale, alembic_revision, not_recorded] = texts;
        let manifest = Manifest {
            created_at: Utc.timestamp_opt(seconds, nanos).unwrap(),
            tables,
            sequences: sequences
                .into_iter()
                .map(|(name, last_value, is_called)| Sequence {
                    schema: "s".into(), name, last_value, is_called,
                })
                .collect(),
            source: Source { host, locale, ..Source::default() },
            alembic_revision,
            not_recorded: not_recorded.into_iter().collect(),
            index: Some(Index { members, copies: vec![CopySpan { table: 0, offset: 1, bytes: 2 }] }),
            ..manifest()
        };
        let bytes = manifest.to_bytes().unwrap();
        prop_assert_eq!(Manifest::parse(&bytes).unwrap(), manifest);
    }

    #[test]
    fn any_bytes_can_be_read_as_a_manifest(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Manifest::parse(&bytes);
    }
}
