//! Sealed backups that are damaged are bad, with the place; what another key would open is not.

use super::{created, key, verified};
use crate::support::{Outcome, Place, unchanged_database};

const CHUNK: usize = 64 * 1024 + 16;

/// A sealed backup of one chunk for each hundred kilobytes, without its manifest, and where its chunks begin.
fn backup(place: &Place, name: &str) -> (Vec<u8>, usize) {
    let args = [name, "--encrypt-to", &key(place, &format!("{name}.key")), "--compress", "none"];
    created(place, unchanged_database(), &args);
    let path = place.dir().join(format!("{name}.sql.age"));
    std::fs::remove_file(place.dir().join(format!("{name}.sql.age.manifest.json"))).unwrap();
    let bytes = std::fs::read(path).unwrap();
    let head = memchr::memmem::find(&bytes, b"\n---").unwrap();
    let line = memchr::memchr(b'\n', &bytes[head + 1..]).unwrap();
    // The nonce follows.
    (bytes, head + 1 + line + 1 + 16)
}

fn with(place: &Place, bytes: &[u8]) -> Outcome {
    place.file("x.sql.age", bytes);
    verified(place, &["x.sql.age", "--identity", "a.key"])
}

#[test]
fn one_that_is_cut_fails_wherever_it_is_cut() {
    let place = Place::on_a_lent_server();
    let (bytes, chunks) = backup(&place, "a");
    assert!(bytes.len() > chunks + 3 * CHUNK);
    for kept in
        [chunks - 40, chunks, chunks + 1, chunks + CHUNK, chunks + 2 * CHUNK + 7, bytes.len() - 1]
    {
        let outcome = with(&place, &bytes[..kept]);
        outcome.failed("cut off").hints("older backup");
    }
}

#[test]
fn one_whose_chunks_are_altered_reordered_doubled_or_another_ones_fails() {
    let place = Place::on_a_lent_server();
    let (bytes, chunks) = backup(&place, "a");
    let (other, of_other) = backup(&place, "b");
    let chunk = |number: usize| chunks + number * CHUNK..chunks + (number + 1) * CHUNK;
    let mut altered = bytes.clone();
    altered[chunks + CHUNK + 100] ^= 1;
    let mut reordered = bytes.clone();
    reordered[chunk(0)].copy_from_slice(&bytes[chunk(1)]);
    reordered[chunk(1)].copy_from_slice(&bytes[chunk(0)]);
    let doubled = [&bytes[..chunk(1).end], &bytes[chunk(1)], &bytes[chunk(1).end..]].concat();
    let mut swapped = bytes.clone();
    swapped[chunk(1)].copy_from_slice(&other[of_other + CHUNK..of_other + 2 * CHUNK]);
    for (what, changed) in
        [("altered", altered), ("reordered", reordered), ("doubled", doubled), ("swapped", swapped)]
    {
        let outcome = with(&place, &changed);
        assert_eq!(outcome.code, 1, "{what}: {outcome}");
        outcome.failed("the age stream is corrupt: what follows its first");
    }
    with(&place, &bytes).passed();
}

#[test]
fn with_a_manifest_a_change_is_proof_even_without_the_key() {
    let place = Place::without_docker();
    let recipient = key(&place, "k");
    key(&place, "other");
    created(&place, unchanged_database(), &["a", "--encrypt-to", &recipient]);
    let path = place.dir().join("a.sql.gz.age");
    let whole = std::fs::read(&path).unwrap();
    let verify = |key: &str| {
        Outcome::of(
            &place.ccc().args(["verify", "a.sql.gz.age", "--identity", key]).output().unwrap(),
        )
    };
    verify("other").not_verified("the key that was given does not open it");
    let mut changed = whole.clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    std::fs::write(&path, &changed).unwrap();
    verify("other").failed("its checksum is not the one in its manifest");
    std::fs::write(&path, &whole[..last]).unwrap();
    verify("other").failed("its checksum is not the one in its manifest");
    std::fs::write(&path, &whole).unwrap();
    verify("other").not_verified("the key that was given does not open it");
}

#[test]
fn a_manifest_of_another_backup_or_with_anothers_contents_fails() {
    let place = Place::without_docker();
    let recipient = key(&place, "k");
    for name in ["a", "b"] {
        created(&place, unchanged_database(), &[name, "--encrypt-to", &recipient]);
    }
    let path = |name: &str| place.dir().join(format!("{name}.sql.gz.age.manifest.json"));
    let read = |name: &str| -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(path(name)).unwrap()).unwrap()
    };
    let (a, b) = (read("a"), read("b"));
    let mut mixed = a.clone();
    mixed["sealed"] = b["sealed"].clone();
    std::fs::write(path("a"), mixed.to_string()).unwrap();
    let verify = || {
        let mut verify = place.ccc();
        verify.args(["verify", "a.sql.gz.age", "--identity", "k", "--engine", "docker"]);
        Outcome::of(&verify.output().unwrap())
    };
    verify().failed("it is not what was written, by its own checksum");
    let mut dropped = a;
    dropped.as_object_mut().unwrap().remove("sealed");
    std::fs::write(path("a"), dropped.to_string()).unwrap();
    verify().failed("the manifest is damaged");
}

#[test]
fn what_differs_from_the_manifest_is_bad_in_a_directory_and_at_the_first_byte_too_with_a_key_or_without()
 {
    let place = Place::without_docker();
    let recipient = key(&place, "k");
    key(&place, "other");
    created(&place, unchanged_database(), &["a", "--encrypt-to", &recipient]);
    let args = ["d", "--format", "directory", "--encrypt-to", &recipient];
    created(&place, unchanged_database(), &args);
    let verify = |backup: &str, key: &[&str]| {
        Outcome::of(&place.ccc().args(["verify", backup]).args(key).output().unwrap())
    };
    let keys: [&[&str]; 3] = [&[], &["--identity", "other"], &["--identity", "k"]];
    let said = "its checksum is not the one in its manifest";
    let member =
        place.names("d.dir.age").into_iter().find(|name| name.ends_with(".dat.gz.age")).unwrap();
    let member = format!("d.dir.age/{member}");
    for (backup, file, at) in [
        ("a.sql.gz.age", "a.sql.gz.age", 0),
        ("a.sql.gz.age", "a.sql.gz.age", 20),
        ("a.sql.gz.age", "a.sql.gz.age", 30),
        ("d.dir.age", "d.dir.age/toc.dat.age", 0),
        ("d.dir.age", "d.dir.age/toc.dat.age", 30),
        ("d.dir.age", "d.dir.age/toc.dat.age", 400),
    ] {
        let path = place.dir().join(file);
        let whole = std::fs::read(&path).unwrap();
        let mut changed = whole.clone();
        changed[at] ^= 1;
        std::fs::write(&path, &changed).unwrap();
        for key in keys {
            let outcome = verify(backup, key);
            assert_eq!(outcome.code, 1, "{file} {at} {key:?}: {outcome}");
        }
        std::fs::write(&path, &whole).unwrap();
        verify(backup, &[]).not_verified("no key was given");
    }
    let path = place.dir().join(&member);
    let whole = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    verify("d.dir.age", &[]).failed(said);
    std::fs::write(&path, [&whole[..whole.len() - 1], &[whole[whole.len() - 1] ^ 1][..]].concat())
        .unwrap();
    verify("d.dir.age", &[]).failed(said);
    let check = |backup: &str| {
        Outcome::of(
            &place.ccc().args(["keys", "check", backup, "--identity", "k"]).output().unwrap(),
        )
    };
    let path = place.dir().join("a.sql.gz.age");
    let mut changed = std::fs::read(&path).unwrap();
    changed[30] ^= 1;
    std::fs::write(&path, &changed).unwrap();
    let outcome = check("a.sql.gz.age");
    assert!(outcome.code == 1 && outcome.stderr.contains(said), "{outcome}");
}

#[test]
fn what_a_manifest_makes_up_does_not_reach_the_terminal() {
    let place = Place::without_docker();
    let recipient = key(&place, "k");
    created(&place, unchanged_database(), &["b/a", "--encrypt-to", &recipient]);
    let path = place.dir().join("b/a.sql.gz.age.manifest.json");
    let read = std::fs::read(&path).unwrap();
    let mut manifest: serde_json::Value = serde_json::from_slice(&read).unwrap();
    manifest["encryption"]["recipients"] = serde_json::json!(["age1evil\u{1b}[31m\n\u{7}X"]);
    std::fs::write(&path, manifest.to_string()).unwrap();
    for args in [
        &["verify", "b/a.sql.gz.age"][..],
        &["list", "--backup-dir", "b"],
        &["keys", "sheet", "--backup-dir", "b"],
    ] {
        let output = place.ccc().args(args).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(
            !said.contains(&0x1b) && !said.contains(&7),
            "{args:?}: {}",
            String::from_utf8_lossy(&said)
        );
    }
}

#[test]
fn a_backup_that_is_not_encrypted_though_its_name_says_so_is_pointed_out() {
    let place = Place::on_a_lent_server();
    key(&place, "k");
    place.file("a.sql.age", crate::support::good_dump());
    let outcome = verified(&place, &["a.sql.age", "--identity", "k"]);
    outcome.passed();
    let said = "its name says that it is encrypted, and it is not";
    assert!(format!("{outcome}").contains(said), "{outcome}");
}
