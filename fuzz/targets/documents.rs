//! Manifest, history and the configuration: what was understood is written, and read back
//! equal; the rest is refused.

#![no_main]

use std::io::Write;
use std::path::{Path, PathBuf};

use ccc_backup::config::Config;
use ccc_backup::sealing::Identities;
use ccc_backup::store::history;
use ccc_backup::store::manifest::{FORMAT_VERSION, Manifest};
use ccc_backup::store::proof::{Backup, Memory};
use ccc_backup::store::totals::Totals;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// JSON without its fractions: those are read back to the last digit but one.
fn without_fractions(mut value: Value) -> Value {
    fn blank(value: &mut Value) {
        match value {
            Value::Number(number) if number.is_f64() => *value = Value::Null,
            Value::Array(values) => values.iter_mut().for_each(blank),
            Value::Object(fields) => fields.values_mut().for_each(blank),
            _ => {}
        }
    }
    blank(&mut value);
    value
}

fn digests(manifest: &Manifest) -> impl Iterator<Item = &str> {
    manifest.outline.files.iter().chain(&manifest.outline.globals).map(|file| file.sha256.as_str())
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn manifest(input: &[u8]) {
    let parsed = Manifest::parse(input, &Identities::default());
    // Without its checksum, which no fuzzer finds.
    let bare = serde_json::from_slice::<Manifest>(input);
    for manifest in parsed.into_iter().chain(bare) {
        let bytes = manifest.to_bytes(None).unwrap();
        match Manifest::parse(&bytes, &Identities::default()) {
            Ok(again) => assert_eq!(again, manifest),
            Err(error) => assert!(
                manifest.outline.format_version != FORMAT_VERSION
                    || !manifest.outline.requires.is_empty()
                    || manifest.outline.files.len() != 1
                    || !is_digest(&manifest.outline.sha256())
                    || !digests(&manifest).all(is_digest),
                "{error}"
            ),
        }
    }
}

fn records(input: &[u8]) {
    let read = history::parse(input);
    let lines: Vec<String> =
        read.records.iter().map(|record| serde_json::to_string(record).unwrap()).collect();
    let again = history::parse(lines.join("\n").as_bytes());
    let values = |of: &history::History| -> Vec<Value> {
        let value = |record| without_fractions(serde_json::to_value(record).unwrap());
        of.records.iter().map(value).collect()
    };
    assert_eq!(values(&again), values(&read));
    assert_eq!((again.damaged, again.newer), (0, 0));
    Totals::of(&read.records);
    let names: Vec<String> = read.records.iter().map(|record| record.backup.clone()).collect();
    let memory = Memory::of(vec![(PathBuf::from("/backups"), read)]);
    for name in names {
        let path = Path::new("/backups").join(name);
        memory.of_backup(&Backup { path: &path, bytes: 1, recorded: None }).proven();
    }
}

fn configuration(input: &[u8]) {
    let mut file = tempfile::NamedTempFile::new_in("/dev/shm").unwrap();
    file.write_all(input).unwrap();
    if let Err(error) = Config::read(Some(file.path())) {
        assert!(!error.to_string().is_empty() && !error.hint().is_empty());
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((kind, text)) = input.split_first() else { return };
    match kind {
        b'm' => manifest(text),
        b'c' => configuration(text),
        _ => records(text),
    }
});
