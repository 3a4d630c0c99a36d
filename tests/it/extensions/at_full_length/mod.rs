//! Extensions that are large or slow to have, which `make test-long` alone takes.

mod timescaledb;

use std::sync::OnceLock;

use super::{APT, alone, configure, fixture, images, make_images, shows, verified};
use crate::support::Place;

/// Images with these extensions.
const WITH_EXTENSIONS: &str = "ccc-backup-test/extensions:{major}";

/// A place, where all images are here.
fn place() -> Place {
    static MADE: OnceLock<()> = OnceLock::new();
    MADE.get_or_init(|| make_images(&["--all"]));
    Place::new()
}

#[test]
fn many_extensions_have_their_image_and_their_contents_are_proven() {
    let place = place();
    configure(&place, &images(WITH_EXTENSIONS, &["postgis", "pg_cron, hypopg", "vector"]));
    for (name, major, tables) in [
        ("postgis.sql", 15, "4 tables"),
        ("postgis.dump", 15, "4 tables"),
        ("hypopg.sql", 15, "1 table"),
        ("vector.sql", 17, "1 table"),
        ("vector.dump", 17, "1 table"),
        // postgis, pg_cron with jobs that delete rows, partman, rum, pgaudit and more.
        ("several.sql", 15, "19 tables"),
        ("several.dump", 15, "19 tables"),
    ] {
        let outcome = verified(&place, name, &fixture(name), &[]);
        outcome.passed().says(&format!("✓ Contents match the backup ({tables})"));
        shows(&outcome, &format!("image ccc-backup-test/extensions:{major}, as asked"));
    }
}

#[test]
fn rows_of_an_extension_of_another_version_are_not_held_against_the_backup() {
    let place = place();
    configure(&place, &images(WITH_EXTENSIONS, &["postgis, pg_cron"]));
    let whole = String::from_utf8(fixture("several.sql")).unwrap();
    let of_partman = whole.replacen(
        "COPY partman.part_config (parent_table, control,",
        "COPY partman.part_config (parent_table, steered_by,",
        1,
    );
    assert_ne!(of_partman, whole);
    let outcome = verified(&place, "a.sql", of_partman.as_bytes(), &[]);
    outcome.not_verified("the extension pg_partman is of another version than the source's");
    let ours = "COPY public.places (id, name, at)";
    let both = of_partman.replacen(ours, "COPY public.places (id, lost, at)", 1);
    assert_ne!(both, of_partman);
    verified(&place, "a.sql", both.as_bytes(), &[])
        .failed("column \"lost\" of relation \"places\" does not exist");
}

#[test]
fn several_extensions_are_built_into_one_image_with_what_they_want_loaded() {
    let (place, _alone) = (place(), alone());
    configure(&place, "");
    let args = ["--build-image", "--image", APT];
    let outcome = verified(&place, "a.sql", &fixture("several.sql"), &args);
    shows(outcome.passed().says("✓ Contents match the backup (19 tables)"), "postgresql-15-cron");
}
