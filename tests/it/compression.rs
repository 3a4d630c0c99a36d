//! The ways to pack a backup: what `create` writes, other programs read, and `verify` takes it.

use std::process::Command;

use crate::support::dumps::AS_CREATE_DOES;
use crate::support::{Outcome, Place, good_dump, text, unchanged_database};

/// How to ask for it, the file that comes of `a.sql`, the program that tests such files, and what
/// the manifest calls it.
const WAYS: [(&[&str], &str, Option<&str>, &str); 6] = [
    (&["a.sql"], "a.sql.gz", Some("gzip"), "gzip"),
    (&["a.sql", "--compress", "gzip:1"], "a.sql.gz", Some("gzip"), "gzip"),
    (&["a.sql", "--compress", "zstd"], "a.sql.zst", Some("zstd"), "zstd"),
    (&["a.sql.zst"], "a.sql.zst", Some("zstd"), "zstd"),
    (&["a", "--compress", "zstd:19"], "a.sql.zst", Some("zstd"), "zstd"),
    (&["a.sql", "--compress", "none"], "a.sql", None, "none"),
];

fn create(place: &Place, args: &[&str]) -> Outcome {
    Outcome::of(&place.create(unchanged_database()).args(args).output().unwrap())
}

/// What a program prints of a file; it must succeed.
fn said(place: &Place, program: &str, args: &[&str], file: &str) -> Vec<u8> {
    let output =
        Command::new(program).args(args).arg(file).current_dir(place.dir()).output().unwrap();
    assert!(output.status.success(), "{program} {args:?} {file}: {}", text(&output.stderr));
    output.stdout
}

#[test]
fn a_backup_packed_by_zstd_is_listed_found_as_the_latest_and_cleaned_up() {
    let place = Place::without_docker();
    for name in ["20250101_020000.sql.zst", "20260115_020000.sql.zst", "20260114_020000.sql.gz"] {
        place.file(&format!("backups/backup_{name}"), b"");
    }
    let output = |args: &[&str]| Outcome::of(&place.ccc().args(args).output().unwrap());
    let listed = output(&["list"]).stdout;
    assert!(listed.contains("backup_20260115_020000.sql.zst"), "{listed}");
    let latest = output(&["verify", "--latest"]);
    latest.failed("empty").says("Backup file: ./backups/backup_20260115_020000.sql.zst");
    let cleaned = output(&["cleanup", "--older-than", "30d"]);
    assert_eq!(cleaned.code, 0, "{cleaned}");
    let left = place.names("backups");
    assert!(!left.contains(&"backup_20250101_020000.sql.zst".to_owned()), "{left:?}");
    assert!(left.contains(&"backup_20260115_020000.sql.zst".to_owned()), "{left:?}");
}

#[test]
fn a_default_name_ends_as_the_backup_is_packed() {
    for (method, suffix) in [("zstd", ".sql.zst"), ("gzip:9", ".sql.gz"), ("none", ".sql")] {
        let place = Place::without_docker();
        assert_eq!(create(&place, &["--compress", method]).code, 0);
        let names = place.names("backups");
        let backup = names.iter().find(|name| name.starts_with("backup_")).unwrap();
        assert_eq!(&backup["backup_20260114_020000".len()..], suffix);
    }
}

#[test]
fn a_name_that_contradicts_the_compression_is_refused_and_nothing_is_made() {
    for (args, hint) in [
        (&["a.sql.gz", "--compress", "zstd"][..], "use --compress gzip"),
        (&["a.sql.zst", "--compress", "none"], "use --compress zstd"),
        (&["a.sql.xz"], "end the name in .sql.gz or .sql.zst"),
        (&["a.sql", "--compress", "zstd:20"], "zstd:1 to zstd:19"),
    ] {
        let place = Place::without_docker();
        let outcome = create(&place, args);
        assert_eq!(outcome.code, 2, "{args:?}: {outcome}");
        outcome.hints(hint);
        assert_eq!(place.names("."), Vec::<String>::new());
    }
}

#[test]
fn a_backup_packed_by_zstd_that_is_damaged_fails_by_itself_and_by_its_manifest() {
    let place = Place::without_docker();
    assert_eq!(create(&place, &["a.sql.zst"]).code, 0);
    let whole = std::fs::read(place.dir().join("a.sql.zst")).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 4;
    let followed = [whole.as_slice(), b"\x01"].concat();
    let (cut, by_manifest) = (whole[..whole.len() / 2].to_vec(), "the manifest belongs to another");
    for (bytes, alone, beside) in [
        (cut, "the zstd stream is cut off", by_manifest),
        (flipped, "the zstd stream is corrupt", "Checksum does not match"),
        (followed, "garbage follows the zstd stream", by_manifest),
    ] {
        let verified = |name: &str| {
            place.file(name, &bytes);
            let dead = format!("unix://{}/dead.sock", place.dir().display());
            let mut verify = place.ccc();
            verify.args(["verify", "--engine=docker", name]).env("DOCKER_HOST", dead);
            Outcome::of(&verify.output().unwrap())
        };
        verified("alone.sql.zst").failed(alone).hints("older backup");
        verified("a.sql.zst").failed(beside);
    }
}

#[test]
fn a_file_that_needs_too_much_memory_to_be_unpacked_is_not_verified() {
    let place = Place::on_a_lent_server();
    let dump = place.file("a.sql", good_dump());
    let args = ["-q", "--long=31", "-c"];
    let packed = said(&place, "zstd", &args, dump.to_str().unwrap());
    // The size of the dump is in the header, and bounds the window; without it the window is asked for.
    let piped = crate::support::dumps::piped(good_dump(), "zstd", &args);
    place.verify_bytes("small.sql.zst", &packed).passed();
    let outcome = place.verify_bytes("large.sql.zst", &piped);
    outcome.not_verified("needs more than 128 MiB of memory").hints("with its own program");
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn what_create_packs_other_programs_read_and_verify_passes() {
        let dump = unchanged_database().dump(&AS_CREATE_DOES);
        let lines =
            |dump: &[u8]| text(dump).lines().filter(|line| !line.contains("restrict ")).count();
        for (args, file, program, method) in WAYS {
            let place = Place::on_a_lent_server();
            let outcome = create(&place, args);
            assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{args:?}: {outcome}");
            assert_eq!(place.names(".")[..2], [file.to_owned(), format!("{file}.manifest.json")]);
            let manifest =
                std::fs::read(place.dir().join(format!("{file}.manifest.json"))).unwrap();
            let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
            assert_eq!(manifest["packing"], method);
            if let Some(program) = program {
                said(&place, program, &["-t"], file);
                assert_eq!(lines(&said(&place, program, &["-dc"], file)), lines(&dump));
            }
            place.outcome(place.verify().arg(file)).passed();
        }
    }
}
