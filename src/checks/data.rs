//! The application's tables can be read and counted.

use super::{Answer, AppTable, CheckError, ask, refused};
use crate::model::outcome::{CheckResult, Section, Status, grouped};
use crate::pg::{self, Session};

/// One check a table: its rows are counted.
///
/// # Errors
/// When the server cannot be asked.
pub async fn check(session: &Session, table: &AppTable) -> Result<CheckResult, CheckError> {
    let id = format!("data.{}", table.full_name());
    let what = format!("{} count >= 0", table.label);
    let name = match &table.schema {
        Some(schema) => pg::quote_qualified(schema, &table.name),
        None => pg::quote_ident(&table.name),
    };
    let sql = format!("SELECT COUNT(*) FROM {name}");
    Ok(match ask(session, &sql).await? {
        Answer::Refused(refusal) => refused(id, Section::Data, &what, &refusal),
        Answer::Rows(rows) => judge(id, &what, rows.first().map(|row| row.get(0))),
    })
}

/// A count below zero, or none at all, is no count.
fn judge(id: String, what: &str, count: Option<i64>) -> CheckResult {
    match count {
        Some(count @ 0..) => {
            let title = format!("{what} (count: {})", grouped(count.unsigned_abs()));
            CheckResult::new(id, Section::Data, Status::Passed, title)
        }
        Some(count) => {
            let title = format!("{what} (count: {count})");
            CheckResult::new(id, Section::Data, Status::Failed, title)
        }
        None => {
            let title = format!("{what}: the server gave no count");
            CheckResult::new(id, Section::Data, Status::Failed, title)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verify_data_integrity_invalid_count() {
        for (count, status) in [
            (Some(0), Status::Passed),
            (Some(1234), Status::Passed),
            (Some(-1), Status::Failed),
            (None, Status::Failed),
        ] {
            assert_eq!(judge("data.users".into(), "Users count >= 0", count).status, status);
        }
    }

    #[test]
    fn a_count_is_printed_with_separators() {
        let result = judge("data.users".into(), "Users count >= 0", Some(1234));
        assert_eq!(result.title, "Users count >= 0 (count: 1,234)");
    }
}
