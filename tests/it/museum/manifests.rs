//! A good backup beside a manifest that is damaged, another backup's, or says something else.

use ccc_backup::model::contents::Table;
use ccc_backup::model::fingerprint::Fingerprint;
use ccc_backup::store::manifest::Manifest;

use super::broken::{Broken, fit, manifest};
use super::dump::good;
use crate::support::dumps::gzipped;

/// Adds these breakages.
pub fn collect(museum: &mut Vec<Broken>) {
    damaged(museum);
    of_another_backup(museum);
    says_otherwise(museum);
}

fn damaged(museum: &mut Vec<Broken>) {
    let written = good().manifest.to_bytes(None).unwrap();
    let text = String::from_utf8(written.clone()).unwrap();
    let said = "the manifest is damaged";
    let replaced = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1).into_bytes()
    };
    for (breakage, bytes) in [
        ("an empty manifest", Vec::new()),
        // In a key: where the middle is depends on what else the source's server has.
        ("a manifest cut in the middle", {
            let at = text.find("\"contents\"").unwrap() + 5;
            written[..at].to_vec()
        }),
        ("a manifest of zeros", vec![0; written.len()]),
        ("a manifest that is an HTML page", b"<!DOCTYPE html><html></html>".to_vec()),
        ("a manifest that is other JSON", b"{\"name\": \"ccc\", \"version\": 1}".to_vec()),
        ("a manifest with a digit of a count changed", replaced("\"rows\": 742", "\"rows\": 743")),
        ("a manifest with a digit of a fingerprint changed", {
            let at = text.find("\"fingerprint\": \"").unwrap() + 20;
            let mut bytes = written.clone();
            bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
            bytes
        }),
        (
            "a manifest with a letter of a name changed",
            replaced("\"name\": \"users\"", "\"name\": \"usurs\""),
        ),
        (
            "a manifest with another encoding",
            replaced("\"encoding\": \"UTF8\"", "\"encoding\": \"UTF9\""),
        ),
        ("a manifest with a key lost", replaced("\"large_objects\"", "\"larger_objects\"")),
        ("a manifest with a key added", replaced("{", "{\n  \"note\": \"checked by hand\",")),
        ("a manifest without its own checksum", {
            let at = text.find(",\n  \"manifest_sha256\"").unwrap();
            format!("{}\n}}\n", &text[..at]).into_bytes()
        }),
        (
            "a manifest of a format that never was",
            replaced("\"format_version\": 2", "\"format_version\": 0"),
        ),
    ] {
        manifest(museum, breakage, bytes, said);
    }
}

fn of_another_backup(museum: &mut Vec<Broken>) {
    let bytes = |manifest: &Manifest| manifest.to_bytes(None).unwrap();
    let mut other = fit(&good().manifest, &gzipped(b"another backup"));
    other.outline.name = "backup_20260113_020000.sql.gz".to_owned();
    manifest(
        museum,
        "another backup's manifest",
        bytes(&other),
        "the manifest belongs to another file: it names backup_20260113_020000.sql.gz",
    );
    other.outline.files[0].bytes = good().manifest.outline.bytes();
    manifest(
        museum,
        "the manifest of another backup of the same size",
        bytes(&other),
        "Checksum does not match the manifest",
    );
}

fn users(manifest: &mut Manifest) -> &mut Table {
    manifest.contents.tables.iter_mut().find(|it| it.name == "users").unwrap()
}

/// As if the dump had been made of another database than the manifest.
fn says_otherwise(museum: &mut Vec<Broken>) {
    let mut put = |breakage: &'static str, change: fn(&mut Manifest), said: &'static str| {
        let mut changed = good().manifest.clone();
        change(&mut changed);
        manifest(museum, breakage, changed.to_bytes(None).unwrap(), said);
    };
    put(
        "a manifest that counts a row more",
        |manifest| users(manifest).fingerprint.rows += 1,
        "public.users: expected 23 rows by the manifest, found 22 in the dump",
    );
    put(
        "a manifest with another fingerprint",
        |manifest| {
            let users = users(manifest);
            users.fingerprint.sum = Fingerprint(users.fingerprint.sum.0 ^ 1);
        },
        "public.users: the dump is not what was written",
    );
    put(
        "a manifest without a table",
        |manifest| manifest.contents.tables.retain(|table| table.name != "users"),
        "public.users: in the dump, not in the manifest",
    );
    put(
        "a manifest with a table more",
        |manifest| {
            let mut more = manifest.contents.tables[0].clone();
            more.name = "more".to_owned();
            manifest.contents.tables.push(more);
        },
        "analytics.more: in the manifest, not in the dump",
    );
    put(
        "a manifest with another state of a sequence",
        |manifest| manifest.contents.sequences[0].last_value += 1,
        "expected 41 (called) by the manifest, found 40 (called)",
    );
    put(
        "a manifest with a large object more",
        |manifest| manifest.contents.large_objects.count = 1,
        "Large objects do not match the backup: expected 1, 0 in the dump, found 0",
    );
    put(
        "a manifest with another revision",
        |manifest| manifest.contents.revision = Some("e10b6a53d8f4".to_owned()),
        "Migration version does not match the manifest: expected e10b6a53d8f4",
    );
    put(
        "a manifest with a statement more",
        |manifest| {
            manifest
                .contents
                .statements
                .iter_mut()
                .for_each(|of| of.count += u64::from(of.kind == "INDEX"))
        },
        "Statements do not match the manifest: INDEX: expected 42, found 41",
    );
}
