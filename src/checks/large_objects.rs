//! As many large objects as the dump has.

use super::{Answer, CheckError, ask};
use crate::outcome::{CheckResult, Section, Status, grouped};
use crate::pg::Session;

/// Compares the number of large objects with the dump's, and with the manifest's where there is
/// one.
///
/// # Errors
/// When the server cannot be asked.
pub async fn check(
    session: &Session,
    in_dump: u64,
    in_manifest: Option<u64>,
) -> Result<CheckResult, CheckError> {
    let sql = "SELECT count(*) FROM pg_catalog.pg_largeobject_metadata";
    match ask(session, sql).await? {
        Answer::Refused(refusal) => Err(CheckError(refusal.message)),
        Answer::Rows(rows) => {
            let found: i64 = rows.first().map_or(0, |row| row.get(0));
            Ok(judge(found.unsigned_abs(), in_dump, in_manifest))
        }
    }
}

fn judge(found: u64, in_dump: u64, in_manifest: Option<u64>) -> CheckResult {
    let expected = in_manifest.unwrap_or(in_dump);
    let good = found == in_dump && in_dump == expected;
    let (status, title) = if good {
        (Status::Passed, format!("Large objects match the backup ({})", grouped(found)))
    } else {
        let title = format!(
            "Large objects do not match the backup: expected {}, {} in the dump, found {}",
            grouped(expected),
            grouped(in_dump),
            grouped(found)
        );
        (Status::Failed, title)
    };
    CheckResult::new("contents.large_objects", Section::Contents, status, title)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_number_everywhere_passes_and_a_lost_object_fails() {
        assert_eq!(judge(3, 3, None).status, Status::Passed);
        assert_eq!(judge(3, 3, Some(3)).status, Status::Passed);
        assert_eq!(judge(2, 3, Some(3)).status, Status::Failed);
        assert_eq!(judge(2, 2, Some(3)).status, Status::Failed);
    }
}
