use chrono::TimeZone;
use proptest::prelude::*;

use super::*;

fn at(seconds: i64) -> DateTime<Utc> {
    Utc.timestamp_opt(seconds, 0).unwrap()
}

#[test]
fn a_default_name_is_the_time_in_utc() {
    let name = default_name(at(1_768_401_022), None, Format::Plain, Packing::Gzip);
    assert_eq!(name, "backup_20260114_143022.sql.gz");
    assert_eq!(own_time(&name), Some(at(1_768_401_022)));
    assert!(default_name(at(0), None, Format::Plain, Packing::None).ends_with("_000000.sql"));
}

#[test]
fn the_name_of_the_output_follows_the_packing() {
    let cases = [
        ("backups/x.sql", Packing::Gzip, "backups/x.sql.gz"),
        ("x.sql.gz", Packing::Gzip, "x.sql.gz"),
        ("x.gz", Packing::Gzip, "x.gz"),
        ("x", Packing::Gzip, "x.sql.gz"),
        ("nightly.2026-01", Packing::Gzip, "nightly.2026-01.sql.gz"),
        ("x.sql", Packing::None, "x.sql"),
        ("x.sql.gz", Packing::None, "x.sql"),
        ("x.sql.gz", Packing::Zstd, "x.sql.zst"),
        ("/tmp/x", Packing::None, "/tmp/x.sql"),
        ("..", Packing::Gzip, ".."),
    ];
    for (given, packing, expected) in cases {
        let made = output_path(Path::new(given), Format::Plain, packing);
        assert_eq!(made, Path::new(expected), "{given}");
    }
}

#[test]
fn the_name_of_an_archive_follows_its_format() {
    use Format::{Custom, Directory, Tar};
    let cases = [
        ("backups/x", Custom, "backups/x.dump"),
        ("x.dump", Custom, "x.dump"),
        ("nightly.2026-01", Directory, "nightly.2026-01.dir"),
        ("x.dir", Directory, "x.dir"),
        (".dump", Custom, ".dump.dump"),
        ("..", Custom, ".."),
    ];
    for (given, kind, expected) in cases {
        let made = output_path(Path::new(given), kind, Packing::None);
        assert_eq!(made, Path::new(expected), "{given}");
    }
    for kind in [Custom, Directory, Tar] {
        let name = default_name(at(1_768_401_022), None, kind, Packing::Gzip);
        assert_eq!(own_time(&name), Some(at(1_768_401_022)), "{name}");
    }
}

#[test]
fn a_time_is_found_anywhere_in_a_name() {
    let expected = Some(at(1_768_401_022));
    for name in [
        "backup_20260114_143022.sql",
        "shop-20260114-143022.dump",
        "20260114T143022Z.sql.gz",
        "db_99_20260114_143022",
    ] {
        assert_eq!(time_in_name(name), expected, "{name}");
    }
    for name in [
        "backup.sql",
        "backup_20261414_143022.sql",
        "backup_20260114_250000.sql",
        "x120260114_143022.sql",
        "20260114_1430221.sql",
        "20260114_14302",
        "ü20260114 143022",
    ] {
        assert_eq!(time_in_name(name), None, "{name}");
    }
}

#[test]
fn only_names_that_create_gives_are_our_own() {
    assert!(own_time("backup_20260114_143022").is_some());
    assert!(own_time("backup_20260114_143022.dump").is_some());
    assert!(own_time("backup_20260114_143022.dir").is_some());
    assert!(own_time("backup_20260114_143022.sql.gz.age").is_some());
    assert!(own_time("backup_20260114_143022.dir.age").is_some());
    for name in [
        "shop_20260114_143022.sql",
        "backup_20260114_143022.sql.gpg",
        "backup_20260114_143022.sql.age.age",
        "backup_20260114_143022.sql.bak",
        "backup_20260114_143022_before_upgrade.sql",
        "backup_20260114-143022.sql",
        "backup_20260230_143022.sql",
        "backup_20260114_14302ü.sql",
        "backup_",
    ] {
        assert_eq!(own_time(name), None, "{name}");
    }
}

#[test]
fn a_name_says_of_which_database_the_backup_is_and_nothing_else_is_taken_for_that() {
    let name = default_name(at(1_768_401_022), Some("My shop"), Format::Directory, Packing::Gzip);
    assert_eq!(name, "backup_20260114_143022_of_My-20shop.dir");
    for (name, database) in [
        ("backup_20260114_143022_of_shop.sql.gz", Some("shop")),
        ("backup_20260114_143022_of_a_of_b.dump", Some("a_of_b")),
        ("backup_20260114_143022_of_3f9a0c12be.sql.gz.age", Some("3f9a0c12be")),
        ("backup_20260114_143022_of_shop", Some("shop")),
        ("backup_20260114_143022.sql.gz", None),
    ] {
        assert_eq!(database_in_name(name).as_deref(), database, "{name}");
        assert!(own_time(name).is_some(), "{name}");
    }
    for name in [
        "backup_20260114_143022_of_.sql",
        "backup_20260114_143022_of_a.b.sql",
        "backup_20260114_143022_of_my shop.sql",
        "backup_20260114_143022_before.sql",
        "backup_20260114_143022shop.sql",
    ] {
        assert_eq!((own_time(name), database_in_name(name)), (None, None), "{name}");
    }
}

#[test]
fn hidden_files_partial_files_manifests_and_the_history_are_no_backups() {
    let open = ["x.sql", "x.sql.gz", "x.sql.zst", "x.dump", "x.tar"];
    let encrypted =
        ["x.sql.age", "x.sql.gz.age", "x.dump.age", "x.dump.enc", "x.sql.gz.gpg", "x.sql.asc"];
    for name in open.into_iter().chain(encrypted) {
        assert!(is_backup_name(OsStr::new(name)), "{name}");
    }
    for name in [
        ".x.sql",
        ".x.sql.gz.partial",
        "x.sql.gz.manifest.json",
        "x.globals.sql",
        "x.globals.sql.age",
        "x.age",
        "key.asc",
        ".x.sql.age.partial",
        HISTORY_FILE,
        "history.totals.json",
        ".sql",
        "README.md",
        "x.gz",
    ] {
        assert!(!is_backup_name(OsStr::new(name)), "{name}");
    }
}

#[test]
fn a_manifest_and_a_partial_file_stand_beside_their_backup() {
    let path = manifest_path(Path::new("b/x.sql.gz"));
    assert_eq!(path, Path::new("b/x.sql.gz.manifest.json"));
    assert_eq!(partial_of(".x.sql.gz.partial"), Some("x.sql.gz"));
    assert_eq!(partial_of("x.partial"), None);
    assert_eq!(partial_of(".partial"), None);
}

proptest! {
    #[test]
    fn any_name_can_be_looked_at(name in ".*") {
        let _ = (time_in_name(&name), own_time(&name), is_backup_name(OsStr::new(&name)));
    }

    #[test]
    fn a_default_name_says_the_time_and_the_database_that_it_was_made_from(
        seconds in 0i64..253_402_300_799,
        database in proptest::option::of("\\PC{1,20}"),
    ) {
        let name = default_name(at(seconds), database.as_deref(), Format::Plain, Packing::Zstd);
        prop_assert_eq!(own_time(&name), Some(at(seconds)));
        prop_assert_eq!(time_in_name(&name), Some(at(seconds)));
        prop_assert_eq!(database_in_name(&name), database);
        prop_assert!(is_backup_name(OsStr::new(&name)));
    }
}
