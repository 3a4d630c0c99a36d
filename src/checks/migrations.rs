//! The Alembic revision is there.

use super::{Answer, CheckError, ask, refused};
use crate::model::outcome::{CheckResult, Section, Status};
use crate::pg::Session;

const REVISIONS: &str = "SELECT version_num::text FROM alembic_version ORDER BY 1";

/// The revisions of the restored database; `None` without a table of them.
///
/// # Errors
/// When the server cannot be asked.
pub async fn revisions(session: &Session) -> Result<Option<Vec<String>>, CheckError> {
    Ok(match ask(session, REVISIONS).await? {
        Answer::Rows(rows) => Some(rows.iter().filter_map(|row| row.get(0)).collect()),
        Answer::Refused(_) => None,
    })
}

/// The revision in `alembic_version`. Alembic keeps one row a head; several are all shown.
///
/// # Errors
/// When the server cannot be asked.
pub async fn check(session: &Session) -> Result<CheckResult, CheckError> {
    Ok(match ask(session, REVISIONS).await? {
        Answer::Refused(refusal) => {
            refused("migrations.version".into(), Section::Migrations, "Migration version", &refusal)
        }
        Answer::Rows(rows) => {
            judge(&rows.iter().filter_map(|row| row.get(0)).collect::<Vec<String>>())
        }
    })
}

/// Whether the restored revision is the one in the manifest.
pub fn judge_recorded(restored: &str, recorded: &str) -> CheckResult {
    let (status, title) = if recorded == restored {
        (Status::Passed, "Migration version matches the manifest".to_owned())
    } else {
        let title = format!(
            "Migration version does not match the manifest: expected {recorded}, found {restored}"
        );
        (Status::Failed, title)
    };
    CheckResult::new("contents.revision", Section::Contents, status, title)
}

fn judge(revisions: &[String]) -> CheckResult {
    let (status, title) = match revisions {
        [] => (Status::Failed, "Migration version is missing: alembic_version is empty".to_owned()),
        _ => (Status::Passed, format!("Migration version: {}", revisions.join(", "))),
    };
    CheckResult::new("migrations.version", Section::Migrations, status, title)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_revision_than_the_recorded_one_fails() {
        assert_eq!(judge_recorded("a", "a").status, Status::Passed);
        assert_eq!(judge_recorded("b", "a").status, Status::Failed);
    }

    #[test]
    fn an_empty_alembic_version_fails_and_a_revision_passes() {
        assert_eq!(judge(&[]).status, Status::Failed);
        let result = judge(&["0607bc5b8541".to_owned()]);
        assert_eq!(result.status, Status::Passed);
        assert_eq!(result.title, "Migration version: 0607bc5b8541");
    }
}
