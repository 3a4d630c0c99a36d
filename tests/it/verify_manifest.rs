//! A backup with its manifest: what was changed after it was made is noticed, restorable or not.

use std::path::PathBuf;

use ccc_backup::sealing::Identities;
use ccc_backup::store::manifest::Manifest;
use sha2::{Digest, Sha256};

use crate::support::dumps::{piped, position, rows, rows_of};
use crate::support::{Outcome, Place, unchanged_database};

/// A place with an uncompressed backup `a.sql` made by `create`, and the backup's bytes.
fn backed_up() -> (Place, PathBuf, Vec<u8>) {
    let place = Place::on_a_lent_server();
    let mut create = place.create(unchanged_database());
    let outcome = Outcome::of(&create.args(["a.sql", "--compress", "none"]).output().unwrap());
    assert_eq!(outcome.code, 0, "{outcome}");
    let path = place.dir().join("a.sql");
    let bytes = std::fs::read(&path).unwrap();
    (place, path, bytes)
}

fn verified(place: &Place) -> Outcome {
    place.outcome(place.verify().arg("a.sql"))
}

/// Changes the manifest as somebody would who can make its own checksum, too.
fn change_manifest(place: &Place, change: impl Fn(&mut Manifest)) {
    let path = place.dir().join("a.sql.manifest.json");
    let mut manifest =
        Manifest::parse(&std::fs::read(&path).unwrap(), &Identities::default()).unwrap();
    change(&mut manifest);
    std::fs::write(path, manifest.to_bytes(None).unwrap()).unwrap();
}

#[test]
fn a_backup_that_is_as_it_was_made_passes_with_nothing_left_to_prove() {
    let (place, _, _) = backed_up();
    let outcome = verified(&place);
    outcome.passed().says("Failed: 0");
    assert!(!outcome.stdout.contains("Not proven"), "{outcome}");
}

#[test]
fn one_changed_byte_in_a_row_fails() {
    let (place, path, mut bytes) = backed_up();
    let at = rows_of(&bytes, "organizations").start;
    let offset = bytes[at..].iter().position(u8::is_ascii_alphabetic).unwrap();
    bytes[at + offset] ^= 0x20;
    std::fs::write(path, bytes).unwrap();
    let outcome = verified(&place);
    outcome.failed("Checksum does not match the manifest").hints("another copy");
}

#[test]
fn a_row_that_is_gone_fails() {
    let (place, path, bytes) = backed_up();
    let row = rows(&bytes, "comments")[0].len();
    let at = rows_of(&bytes, "comments").start;
    std::fs::write(path, [&bytes[..at], &bytes[at + row..]].concat()).unwrap();
    let outcome = verified(&place);
    assert_eq!(outcome.code, 1, "{outcome}");
    outcome.hints("");
}

#[test]
fn a_manifest_that_counts_other_rows_fails() {
    let (place, _, _) = backed_up();
    change_manifest(&place, |manifest| {
        let users =
            manifest.contents.tables.iter_mut().find(|table| table.name == "users").unwrap();
        users.fingerprint.rows += 1;
    });
    let outcome = verified(&place);
    outcome.failed("public.users");
}

#[test]
fn a_backup_that_was_cut_after_it_was_made_fails_before_anything_is_started() {
    let (place, path, bytes) = backed_up();
    std::fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
    let outcome = verified(&place);
    outcome.failed("the manifest belongs to another file").hints("another copy");
    assert!(!outcome.stdout.contains("container"), "{outcome}");
}

#[test]
fn a_backup_that_was_renamed_with_its_manifest_passes() {
    let (place, path, _) = backed_up();
    for suffix in ["", ".manifest.json"] {
        let name = |name: &str| place.dir().join(format!("{name}{suffix}"));
        std::fs::rename(name("a.sql"), name("b.sql")).unwrap();
    }
    assert!(!path.exists());
    place.outcome(place.verify().arg("b.sql")).passed();
}

#[test]
fn a_manifest_that_is_damaged_fails() {
    let (place, _, _) = backed_up();
    std::fs::write(place.dir().join("a.sql.manifest.json"), b"{\"format_version\": 1,").unwrap();
    verified(&place).failed("the manifest is damaged").hints("another copy");
}

#[test]
fn a_manifest_that_is_larger_than_any_is_not_read_into_memory() {
    let (place, _, _) = backed_up();
    let path = place.dir().join("a.sql.manifest.json");
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(1 << 40).unwrap();
    verified(&place).failed("the manifest is damaged: it is larger than 256 MiB");
}

#[test]
fn a_manifest_of_a_version_to_come_is_not_verified() {
    let (place, _, _) = backed_up();
    let newer = br#"{"format_version": 99, "something": "new"}"#;
    std::fs::write(place.dir().join("a.sql.manifest.json"), newer).unwrap();
    let outcome = verified(&place);
    outcome.not_verified("format version 99").hints("the version of ccc-backup that made it");
}

#[test]
fn a_stream_that_is_not_read_here_and_is_not_the_one_of_its_manifest_fails() {
    let (place, path, bytes) = backed_up();
    let packed = piped(&bytes, "zstd", &["-q", "--long=31", "-c"]);
    std::fs::write(&path, &packed).unwrap();
    change_manifest(&place, |manifest| manifest.outline.files[0].bytes = packed.len() as u64);
    let outcome = verified(&place);
    outcome.failed("Checksum does not match the manifest");
    // The one that it was made for may be good.
    let sha256 = hex::encode(Sha256::digest(&packed));
    change_manifest(&place, |manifest| manifest.outline.files[0].sha256 = sha256.clone());
    verified(&place).not_verified("needs more than 128 MiB of memory");
}

#[test]
fn a_statement_that_was_moved_among_others_of_another_kind_fails_though_it_restores() {
    let (place, path, dump) = backed_up();
    let kind = position(&dump, "; Type: MATERIALIZED VIEW DATA");
    let begin = memchr::memmem::rfind(&dump[..kind], b"--\n-- Name: ").unwrap();
    let end = kind + position(&dump[kind..], ";\n\n\n--\n") + 4;
    let rows = position(&dump, "--\n-- Data for Name: ");
    let moved = [&dump[..rows], &dump[begin..end], &dump[rows..begin], &dump[end..]].concat();
    assert_eq!(moved.len(), dump.len());
    std::fs::write(&path, &moved).unwrap();
    let fitted = |manifest: &mut Manifest| {
        manifest.outline.files[0].sha256 = hex::encode(Sha256::digest(&moved))
    };
    change_manifest(&place, fitted);
    let outcome = verified(&place);
    outcome.failed("they are not in the order in which they were written");
    // A manifest of before the order was recorded proves the rest.
    change_manifest(&place, |manifest| manifest.contents.statements_in_order = None);
    verified(&place).passed();
    std::fs::write(&path, &dump).unwrap();
    change_manifest(&place, |manifest| {
        manifest.outline.files[0].sha256 = hex::encode(Sha256::digest(&dump));
    });
    verified(&place).passed();
}

#[test]
fn of_a_directory_the_file_that_is_not_what_was_written_is_named() {
    let place = Place::on_a_lent_server();
    let mut create = place.create(unchanged_database());
    let outcome = Outcome::of(&create.args(["a", "--format=directory"]).output().unwrap());
    assert_eq!(outcome.code, 0, "{outcome}");
    let manifest =
        Manifest::read(&place.dir().join("a.dir"), &Identities::default()).unwrap().unwrap();
    let names: Vec<&str> = manifest.outline.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, place.names("a.dir"));
    let name = names.iter().find(|name| name.ends_with(".gz")).unwrap();
    let path = place.dir().join("a.dir").join(name);
    let mut bytes = std::fs::read(&path).unwrap();
    // The time in the head of a gzip file, which nothing else covers.
    bytes[4] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    place.outcome(place.verify().arg("a.dir")).failed(&format!("{name} is not what was written"));
}

#[test]
fn a_manifest_that_requires_what_is_not_known_here_is_not_verified() {
    let (place, _, _) = backed_up();
    change_manifest(&place, |manifest| manifest.outline.requires.push("pgp".to_owned()));
    let outcome = verified(&place);
    outcome.not_verified("requires what this version of ccc-backup does not understand: pgp");
    outcome.hints("or a newer one");
}
