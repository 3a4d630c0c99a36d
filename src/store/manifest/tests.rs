use std::path::Path;

use chrono::{TimeZone, Utc};
use proptest::prelude::*;

use super::*;
use crate::model::contents::{Columns, Sequence, StatementsOfKind, Table, TableFingerprint};
use crate::model::coverage::Coverage;
use crate::model::dump_options::DumpOptions;
use crate::model::files::FileFacts;
use crate::model::fingerprint::Fingerprint;
use crate::model::format::Format;
use crate::model::packing::Packing;
use crate::model::secret::Secret;
use crate::model::span::Span;
use crate::sealing::{Identities, IdentityFile, NewIdentity, Passphrase, Recipients};
use crate::store::naming::manifest_path;

fn manifest() -> Manifest {
    Manifest::of(New {
        created_at: Utc.with_ymd_and_hms(2026, 1, 14, 14, 30, 22).unwrap(),
        pg_dump: "15.18".into(),
        name: "x.sql.gz".into(),
        format: Format::Plain,
        packing: Packing::Gzip,
        files: vec![file("x.sql.gz", 3)],
        dump_bytes: 9,
        globals: Some(file("x.globals.sql", 5)),
        encryption: None,
        source: Source {
            host: Some("localhost".into()),
            server_version_num: Some(150_018),
            ..Source::default()
        },
        options: DumpOptions::of(["--clean"], 15),
        contents: Contents {
            tables: vec![Table {
                schema: "public".into(),
                name: "users".into(),
                columns: Columns::Named(vec!["id".into(), "Übung".into()]),
                fingerprint: TableFingerprint { rows: 2, sum: Fingerprint(0xabc) },
                bytes: 12,
                spans: vec![Span::of_dump(77, 12)],
            }],
            sequences: vec![Sequence {
                schema: "public".into(),
                name: "users_id_seq".into(),
                last_value: i64::MIN,
                is_called: true,
            }],
            statements: vec![StatementsOfKind {
                kind: "INDEX".into(),
                count: 3,
                fingerprint: Fingerprint(u128::MAX),
            }],
            statements_in_order: Some(Fingerprint(7)),
            coverage: Some(Coverage { roles: Some(vec!["app".into()]), ..Coverage::default() }),
            ..Contents::default()
        },
    })
}

fn file(name: &str, bytes: u64) -> FileFacts {
    FileFacts { name: name.into(), bytes, sha256: "0".repeat(64) }
}

fn parse(bytes: &[u8]) -> Result<Manifest, ManifestError> {
    Manifest::parse(bytes, &Identities::default())
}

fn read(backup: &Path) -> Result<Option<Manifest>, ManifestError> {
    Manifest::read(backup, &Identities::default())
}

/// The manifest with a change by somebody who could make its checksum, too.
fn altered(change: impl FnOnce(&mut serde_json::Value)) -> Result<Manifest, ManifestError> {
    let mut value = serde_json::to_value(manifest()).unwrap();
    change(&mut value);
    value[checksum::KEY] = checksum::of(&value).into();
    parse(&serde_json::to_vec(&value).unwrap())
}

#[test]
fn a_manifest_with_any_byte_of_its_values_changed_is_damaged() {
    let manifest = manifest();
    let bytes = manifest.to_bytes(None).unwrap();
    assert_eq!(parse(&bytes).unwrap(), manifest);
    for at in (0..bytes.len()).filter(|at| !bytes[*at].is_ascii_whitespace()) {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let error = parse(&changed).unwrap_err();
        // The version alone says what else is to be expected.
        let newer = matches!(error, ManifestError::Newer { .. });
        assert!(error.proves_bad() || newer, "byte {at}: {error}");
    }
    let without = String::from_utf8(bytes).unwrap().replace(checksum::KEY, "something");
    assert!(parse(without.as_bytes()).unwrap_err().proves_bad());
}

#[test]
fn a_manifest_is_read_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let backup = dir.path().join("x.sql.gz");
    assert!(read(&backup).unwrap().is_none());
    let manifest = manifest();
    manifest.write(&backup, None).unwrap();
    assert_eq!(read(&backup).unwrap(), Some(manifest));
}

#[test]
fn a_newer_manifest_is_refused_as_such_and_proves_nothing() {
    let error = altered(|value| {
        value["format_version"] = 3.into();
        value["something_new"] = true.into();
    })
    .unwrap_err();
    assert!(error.to_string().contains("format version 3"), "{error}");
    assert!(!error.proves_bad() && error.hint().is_some());
}

#[test]
fn what_has_to_be_understood_and_is_not_is_no_proof_of_anything() {
    type Change = fn(&mut serde_json::Value);
    let cases: [(Change, &str); 2] = [
        (|value| value["requires"] = serde_json::json!(["pgp"]), "pgp"),
        (|value| value["kind"] = "physical".into(), "backups of the kind physical"),
    ];
    for (change, said) in cases {
        let error = altered(change).unwrap_err();
        assert!(matches!(&error, ManifestError::Unsupported(what) if what == said), "{error}");
        assert!(!error.proves_bad() && error.hint().unwrap().contains("newer"));
    }
}

#[test]
fn keys_that_are_not_known_are_passed_over_and_written_again() {
    let read = altered(|value| {
        value["something_new"] = true.into();
        value["source"]["hots"] = "x".into();
        value["contents"]["tables"][0]["weight"] = 7.into();
    });
    let mut read = read.unwrap();
    read.outline.name = "y.sql.gz".into();
    let written: serde_json::Value = serde_json::from_slice(&read.to_bytes(None).unwrap()).unwrap();
    assert_eq!(written["something_new"], true);
    assert_eq!(written["source"]["hots"], "x");
    assert_eq!(written["contents"]["tables"][0]["weight"], 7);
    assert_eq!(written["name"], "y.sql.gz");
    assert_eq!(parse(&read.to_bytes(None).unwrap()).unwrap(), read);
    // They are under the manifest's own checksum as the others are.
    let mut changed = written;
    changed["something_new"] = false.into();
    let changed = serde_json::to_vec(&changed).unwrap();
    assert!(parse(&changed).unwrap_err().proves_bad());
}

#[test]
fn missing_keys_and_nonsense_are_damage() {
    let cases: [fn(&mut serde_json::Value); 8] = [
        |value| value["format_version"] = 0.into(),
        |value| value["files"][0]["sha256"] = "abc".into(),
        |value| value["globals"]["sha256"] = "abc".into(),
        |value| value["files"] = serde_json::json!([]),
        |value| value["contents"]["tables"][0]["rows"] = (-1).into(),
        |value| value["contents"]["tables"][0]["fingerprint"] = "abc".into(),
        |value| value["requires"] = 1.into(),
        |value| drop(value.as_object_mut().unwrap().remove("contents")),
    ];
    for change in cases {
        let error = altered(change).unwrap_err();
        assert!(matches!(error, ManifestError::Damaged(_)), "{error}");
        assert!(error.proves_bad() && error.hint().is_some());
    }
    assert!(altered(|_| ()).is_ok());
    for bytes in [&b""[..], b"{", b"[]", b"\xff\xfe", b"null"] {
        assert!(matches!(parse(bytes), Err(ManifestError::Damaged(_))));
    }
}

#[test]
fn the_one_checksum_of_a_directory_is_that_of_its_files() {
    let mut manifest = manifest();
    assert_eq!(manifest.outline.sha256(), "0".repeat(64));
    assert!(manifest.outline.files_of_directory().is_empty());
    manifest.outline.format = Format::Directory;
    manifest.outline.files = vec![file("1.dat.gz", 3), file("toc.dat", 4)];
    let whole = manifest.outline.sha256();
    assert_eq!((manifest.outline.bytes(), manifest.outline.files_of_directory().len()), (7, 2));
    manifest.outline.files[0].bytes = 2;
    assert_ne!(manifest.outline.sha256(), whole);
}

#[test]
fn the_schema_in_docs_is_the_one_of_the_types() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/manifest.schema.json");
    let generated = String::from_utf8(schema().unwrap()).unwrap();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &generated).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(kept == generated, "{path} is out of date: run the tests with UPDATE_DOCS=1");
}

#[test]
fn a_manifest_of_another_file_is_told_by_the_size() {
    let manifest = manifest();
    let belongs = |name, bytes| manifest.outline.check_belongs(Path::new(name), bytes);
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
        let error = read(&backup).unwrap_err();
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
        let spans = vec![Span::of_dump(rows, rows)];
        Table { schema, name, columns: Columns::Named(columns), fingerprint, bytes: rows, spans }
    }
}

fn key() -> (Identities, Recipients) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    let new = NewIdentity::generate();
    new.write(&path, "", None).unwrap();
    let files = vec![IdentityFile::read(&path).unwrap()];
    let identities = Identities::of(files, Passphrase::given(Secret::new("x")));
    (identities, Recipients::of(&[new.recipient()]).unwrap())
}

/// One that is sealed, with a key in it that is not known.
fn sealed(recipients: &Recipients) -> (Manifest, Vec<u8>) {
    let mut value = serde_json::to_value(manifest()).unwrap();
    value["contents"]["later"] = "x".into();
    value[checksum::KEY] = checksum::of(&value).into();
    let mut manifest = parse(&serde_json::to_vec(&value).unwrap()).unwrap();
    manifest.outline.encryption = Some(Encryption::age(recipients.names()));
    manifest.outline.requires = vec!["age".to_owned()];
    let bytes = manifest.to_bytes(Some(recipients)).unwrap();
    (manifest, bytes)
}

#[test]
fn a_sealed_manifest_tells_its_outline_and_with_the_key_all() {
    let (identities, recipients) = key();
    let (manifest, bytes) = sealed(&recipients);
    assert_eq!(Manifest::parse(&bytes, &identities).unwrap(), manifest);
    let text = String::from_utf8(bytes.clone()).unwrap();
    for secret in ["localhost", "users", "public", "15.18", "later", "INDEX", "app"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    let error = parse(&bytes).unwrap_err();
    assert!(!error.proves_bad() && error.hint().is_some());
    assert_eq!(error.outline(), Some(&manifest.outline));
    let other = Manifest::parse(&bytes, &key().0).unwrap_err();
    assert!(matches!(other, ManifestError::Sealed { .. }), "{other}");
    // Whoever does not know of encryption must not use it.
    assert!(text.contains("\"requires\": [\n    \"age\"\n  ]"), "{text}");
}

#[test]
fn what_is_sealed_belongs_to_one_backup_and_shows_every_change() {
    let (identities, recipients) = key();
    let (_, bytes) = sealed(&recipients);
    let (_, others) = sealed(&recipients);
    let value = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).unwrap();
    let changed = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut value = value(&bytes);
        value.as_object_mut().unwrap().remove(checksum::KEY);
        change(&mut value);
        value[checksum::KEY] = checksum::of(&value).into();
        Manifest::parse(&serde_json::to_vec(&value).unwrap(), &identities)
    };
    assert!(changed(&|_| {}).is_ok());
    let of_another = changed(&|it| it["sealed"] = value(&others)["sealed"].clone()).unwrap_err();
    assert!(of_another.to_string().contains("of another backup"), "{of_another}");
    for error in [
        changed(&|it| it["files"][0]["sha256"] = "1".repeat(64).into()),
        changed(&|it| it["sealed"] = it["sealed"].as_str().unwrap().replace('A', "B").into()),
        changed(&|it| it["sealed"] = "".into()),
        changed(&|it| drop(it.as_object_mut().unwrap().remove("sealed"))),
    ] {
        let error = error.unwrap_err();
        assert!(error.proves_bad() || matches!(error, ManifestError::Sealed { .. }), "{error}");
    }
}

proptest! {
    #[test]
    fn any_manifest_survives_the_round_trip(
        tables in proptest::collection::vec(any_table(), 0..4),
        sequences in proptest::collection::vec((".*", any::<i64>(), any::<bool>()), 0..4),
        texts in any::<[Option<String>; 4]>(),
        seconds in 0i64..253_402_300_799, nanos in 0u32..1_000_000_000,
    ) {
        let [host, locale, revision, not_recorded] = texts;
        let contents = Contents {
            tables,
            sequences: sequences
                .into_iter()
                .map(|(name, last_value, is_called)| Sequence {
                    schema: "s".into(), name, last_value, is_called,
                })
                .collect(),
            revision,
            not_recorded: not_recorded.into_iter().collect(),
            ..Contents::default()
        };
        let manifest = Manifest {
            outline: Outline {
                created_at: Utc.timestamp_opt(seconds, nanos).unwrap(),
                ..manifest().outline
            },
            source: Source { host, locale, ..Source::default() },
            contents,
            ..manifest()
        };
        let bytes = manifest.to_bytes(None).unwrap();
        prop_assert_eq!(parse(&bytes).unwrap(), manifest);
    }

    #[test]
    fn any_bytes_can_be_read_as_a_manifest(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse(&bytes);
    }
}
