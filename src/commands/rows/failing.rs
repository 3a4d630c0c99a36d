//! Why rows could not be read, in words.

use std::io;

use crate::archive::ArchiveError;
use crate::commands::Failure;
use crate::dump::items::{ItemsError, Unsound};
use crate::model::damage::{OLDER, damage, refusal};

/// What to do where a disk fails.
const DISK: &str = "check the disk that holds the backup, then run it again";

/// The backup is bad.
pub(super) fn bad(cause: String, hint: &str) -> Failure {
    Failure { exit: 1, cause, hint: Some(hint.to_owned()), notes: Vec::new() }
}

/// It could not be told or done.
pub(super) fn cannot(cause: String, hint: &str) -> Failure {
    Failure { exit: 2, cause, hint: Some(hint.to_owned()), notes: Vec::new() }
}

/// Somebody asked to stop.
pub(super) fn interrupted() -> Failure {
    Failure { exit: 2, cause: "interrupted".to_owned(), hint: None, notes: Vec::new() }
}

/// It is no longer what was opened.
pub(super) fn changed() -> Failure {
    let cause = "the backup was written to, replaced or removed while it was read".to_owned();
    cannot(cause, "run it again when nothing writes there")
}

/// Of a dump that is read from its beginning.
pub(super) fn of_dump(error: ItemsError) -> Failure {
    match error {
        ItemsError::Unsound(unsound) => match unsound.our_limit() {
            Some(hint) => cannot(unsound.to_string(), hint),
            None => bad(unsound.to_string(), unsound.hint()),
        },
        ItemsError::Disk(error) => of_disk(&error),
    }
}

/// Of the rows of one table, read by themselves: places in them are none of the dump.
pub(super) fn of_rows(table: &str, error: ItemsError) -> Failure {
    match error {
        ItemsError::Unsound(Unsound::Damaged { damage, .. }) => {
            bad(format!("the rows of {table} are damaged: {damage}"), OLDER)
        }
        ItemsError::Unsound(unsound) => match unsound.our_limit() {
            Some(hint) => cannot(format!("the rows of {table}: {unsound}"), hint),
            None => bad(format!("the rows of {table} are cut or damaged"), OLDER),
        },
        ItemsError::Disk(error) => of_disk(&error),
    }
}

/// Of an archive.
pub(super) fn of_archive(error: ArchiveError) -> Failure {
    match error {
        ArchiveError::Flaw(flaw) => bad(flaw.to_string(), flaw.hint()),
        ArchiveError::Version(version) => {
            let hint = "a newer ccc-backup may know it; pg_restore --list shows what made it";
            cannot(version.to_string(), hint)
        }
        ArchiveError::Disk(error) => of_disk(&error),
    }
}

fn of_disk(error: &io::Error) -> Failure {
    if let Some(damage) = damage(error) {
        return bad(damage.to_string(), OLDER);
    }
    match refusal(error) {
        Some(refusal) => cannot(
            format!("the backup was not read: {refusal}"),
            "unpack it with the program that packed it, and name the file that comes of it",
        ),
        None => cannot(format!("the backup could not be read: {error}"), DISK),
    }
}
