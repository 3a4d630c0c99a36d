//! `[images]`: which image has which extensions.

use super::{WITH_HYPOPG, configure, fixture, images, place, shows, verified};
use crate::support::Place;

#[test]
fn the_image_of_its_extensions_is_taken_and_the_contents_are_proven() {
    let place = place();
    configure(&place, &images(WITH_HYPOPG, &["postgis", "pg_cron, hypopg", "hypopg"]));
    for name in ["hypopg.sql", "hypopg.dump"] {
        let outcome = verified(&place, name, &fixture(name), &[]);
        outcome.passed().says("✓ Contents match the backup (1 table)");
        shows(&outcome, "image ccc-backup-test/hypopg:15, as asked");
    }
}

#[test]
fn extensions_that_have_an_image_each_and_none_together_are_named() {
    let place = Place::new();
    let apart = "[images]\npostgis = \"gis:{major}\"\npg_cron = \"cron:{major}\"\n";
    configure(&place, apart);
    let outcome = verified(&place, "a.sql", &fixture("several.sql"), &[]);
    outcome.not_verified("[images] has no image that has all of pg_cron, postgis");
    outcome.hints("\"pg_cron,postgis\" = \"IMAGE\"").hints("--build-image");
}

#[test]
fn a_table_of_images_that_makes_no_sense_is_refused() {
    let place = Place::without_docker();
    for (line, said) in [
        ("postgis = \"gis:{version}\"", "{major} alone"),
        ("postgis = \"\"", "names no image for postgis"),
        ("postgis = 5", "expected a string"),
    ] {
        configure(&place, &format!("[images]\n{line}\n"));
        place.file("a.sql", b"");
        let outcome = place.outcome(place.verify_by_version().arg("a.sql"));
        assert_eq!(outcome.code, 2, "{outcome}");
        assert!(outcome.stderr.contains(said), "{outcome}");
    }
}

#[test]
fn a_local_server_names_the_package_that_has_the_extension() {
    let place = Place::without_docker();
    configure(&place, "");
    for (name, package) in
        [("vector", "postgresql-15-pgvector"), ("postgis", "postgresql-15-postgis-3")]
    {
        let dump = String::from_utf8(fixture("hypopg.sql")).unwrap().replace("hypopg", name);
        place.file("a.sql", dump.as_bytes());
        let outcome = place.outcome(place.verify_locally().arg("a.sql"));
        outcome.not_verified(&format!("the backup needs the extension {name}, which this machine"));
        outcome.hints(&format!("apt-get install {package}"));
    }
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn a_bad_backup_fails_in_the_image_of_its_extensions() {
        let place = place();
        configure(&place, &images(WITH_HYPOPG, &["hypopg"]));
        let whole = String::from_utf8(fixture("hypopg.sql")).unwrap();
        let bad = whole.replacen("\n7\n", "\nseven\n", 1);
        assert_ne!(bad, whole);
        verified(&place, "a.sql", bad.as_bytes(), &[]).failed("restore error");
        let cut = &whole.as_bytes()[..whole.find("\n7\n").unwrap()];
        verified(&place, "a.sql", cut, &[]).failed("cut");
    }

    #[test]
    fn an_image_that_is_named_wins_and_others_are_for_backups_without_these_extensions() {
        let place = place();
        configure(&place, &images(WITH_HYPOPG, &["hypopg"]));
        let image = crate::support::docker::image();
        let args = ["--image", image];
        let outcome = verified(&place, "a.sql", &fixture("hypopg.sql"), &args);
        outcome.not_verified("the backup needs the extension hypopg, which the image lacks");
        outcome.hints("apt-get install postgresql-15-hypopg").hints("--build-image");
        let without =
            String::from_utf8(fixture("hypopg.sql")).unwrap().replace("hypopg", "pgcrypto");
        let outcome = verified(&place, "a.sql", without.as_bytes(), &[]);
        assert!(!outcome.passed().stdout.contains("ccc-backup-test"), "{outcome}");
    }
}
