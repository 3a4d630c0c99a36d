//! The Alembic revision is there.

use super::{Answer, CheckError, ask, refused};
use crate::outcome::{CheckResult, Section, Status};
use crate::pg::Session;

/// The revision in `alembic_version`. Alembic keeps one row a head; several are all shown.
///
/// # Errors
/// When the server cannot be asked.
pub async fn check(session: &Session) -> Result<CheckResult, CheckError> {
    let sql = "SELECT version_num::text FROM alembic_version ORDER BY 1";
    Ok(match ask(session, sql).await? {
        Answer::Refused(refusal) => {
            refused("migrations.version".into(), Section::Migrations, "Migration version", &refusal)
        }
        Answer::Rows(rows) => {
            judge(&rows.iter().filter_map(|row| row.get(0)).collect::<Vec<String>>())
        }
    })
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
    fn an_empty_alembic_version_fails_and_a_revision_passes() {
        assert_eq!(judge(&[]).status, Status::Failed);
        let result = judge(&["0607bc5b8541".to_owned()]);
        assert_eq!(result.status, Status::Passed);
        assert_eq!(result.title, "Migration version: 0607bc5b8541");
    }
}
