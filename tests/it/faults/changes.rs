//! A backup that is changed, replaced or removed while it is read: what was read is of no file that
//! there is, so it is neither good nor bad.

use std::path::Path;

use super::{held_dump, release};
use crate::support::dumps::gzipped;
use crate::support::{Outcome, Place, Running, database, good_dump, unchanged_database};

const CHANGED: &str = "the backup was changed, replaced or removed while it was read";

/// Verifies a backup whose restore is held until `change` was made to its file.
fn changed_during_the_restore(name: &str, bytes: &[u8], change: impl Fn(&Path)) -> Outcome {
    let place = Place::new();
    let file = place.file(name, bytes);
    let mut run = Running::verify(&place, name);
    run.wait_for("Restoring backup (");
    change(&file);
    release(&place);
    let (outcome, _) = run.end();
    place.assert_nothing_left();
    outcome
}

/// The same bytes under another name, then under this one.
fn replace(file: &Path, bytes: &[u8]) {
    let other = file.with_extension("other");
    std::fs::write(&other, bytes).unwrap();
    std::fs::rename(&other, file).unwrap();
}

#[test]
fn a_backup_that_nobody_changes_passes() {
    changed_during_the_restore("a.sql.gz", &gzipped(&held_dump()), |_| ()).passed();
}

#[test]
fn a_backup_that_is_cut_short_while_it_is_restored_is_not_verified() {
    let cut = |file: &Path| {
        let file = std::fs::File::options().write(true).open(file).unwrap();
        file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    };
    for (name, bytes) in [("a.sql", held_dump()), ("a.sql.gz", gzipped(&held_dump()))] {
        changed_during_the_restore(name, &bytes, cut)
            .not_verified(CHANGED)
            .hints("verify it again");
    }
}

#[test]
fn a_backup_that_is_overwritten_while_it_is_restored_is_not_verified() {
    let overwrite = |file: &Path| {
        let mut bytes = std::fs::read(file).unwrap();
        // Rows that no table takes, as many bytes as before.
        let rows = crate::support::dumps::rows_of(&bytes, "users");
        bytes[rows].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b'x');
        std::fs::write(file, bytes).unwrap();
    };
    changed_during_the_restore("a.sql", &held_dump(), overwrite).not_verified(CHANGED);
}

#[test]
fn a_backup_that_is_replaced_while_it_is_restored_is_not_verified() {
    let same = |file: &Path| replace(file, &std::fs::read(file).unwrap());
    changed_during_the_restore("a.sql", &held_dump(), same).not_verified(CHANGED);
    let other = |file: &Path| replace(file, good_dump());
    changed_during_the_restore("a.sql", &held_dump(), other).not_verified(CHANGED);
}

#[test]
fn a_backup_that_is_removed_while_it_is_restored_is_not_verified() {
    let remove = |file: &Path| std::fs::remove_file(file).unwrap();
    changed_during_the_restore("a.sql", &held_dump(), remove).not_verified(CHANGED);
}

#[test]
fn an_archive_that_is_changed_before_it_is_in_the_sandbox_is_not_verified() {
    let place = Place::new();
    let dump = unchanged_database().dump(&["--format=custom"]);
    let file = place.file("a.dump", &dump);
    let mut run = Running::verify(&place, "a.dump");
    // It is opened before the container is started, and copied after it is ready.
    run.wait_for("Starting PostgreSQL");
    replace(&file, &dump);
    let (outcome, _) = run.end();
    place.assert_nothing_left();
    outcome.not_verified(CHANGED);
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn a_backup_that_is_replaced_while_it_is_checked_is_not_verified() {
        let database = database();
        database.sql(
            "ALTER TABLE subscriptions RENAME TO plans;
         CREATE VIEW subscriptions AS SELECT WHERE pg_sleep(3) IS NOT NULL",
        );
        for (name, format) in [("a.sql", "plain"), ("a.dump", "custom")] {
            let place = Place::new();
            let dump = database.dump(&["--format", format]);
            let file = place.file(name, &dump);
            let mut run = Running::verify(&place, name);
            run.wait_for("Content artifacts count");
            replace(&file, &dump);
            let (outcome, _) = run.end();
            outcome.not_verified(CHANGED).hints("verify it again");
            place.assert_nothing_left();
        }
    }

    #[test]
    fn a_restore_error_of_a_backup_that_is_replaced_is_not_held_against_it() {
        let mut bad = held_dump();
        let at = crate::support::dumps::trailer(&bad);
        bad.splice(at..at, b"SELECT no_such_function();\n".iter().copied());
        let same = |file: &Path| replace(file, &std::fs::read(file).unwrap());
        changed_during_the_restore("a.sql", &bad, same).not_verified(CHANGED);
        changed_during_the_restore("a.sql", &bad, |_| ()).failed("no_such_function");
    }
}
