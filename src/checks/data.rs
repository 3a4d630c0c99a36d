//! The application's tables can be read and counted, and have the rows that are demanded.

use super::{Answer, AppTable, CheckError, ask, refused};
use crate::model::outcome::{CheckResult, Section, Status, grouped};
use crate::pg::{self, Session};

/// One check a table: its rows are counted. Where no least number is demanded, the count is shown
/// and not judged: a count is never below zero.
///
/// # Errors
/// When the server cannot be asked.
pub async fn check(session: &Session, table: &AppTable) -> Result<CheckResult, CheckError> {
    let id = format!("data.{}", table.full_name());
    let least = table.least.unwrap_or(0);
    let what = format!("{} count >= {}", table.label, grouped(least));
    let name = match &table.schema {
        Some(schema) => pg::quote_qualified(schema, &table.name),
        None => pg::quote_ident(&table.name),
    };
    let sql = format!("SELECT COUNT(*) FROM {name}");
    Ok(match ask(session, &sql).await? {
        Answer::Refused(refusal) => refused(id, Section::Data, &what, &refusal),
        Answer::Rows(rows) => judge(id, &what, least, rows.first().map(|row| row.get(0))),
    })
}

/// A count below zero, or none at all, is no count.
fn judge(id: String, what: &str, least: u64, count: Option<i64>) -> CheckResult {
    let result = |status, found: String| {
        CheckResult::new(id, Section::Data, status, format!("{what}{found}"))
    };
    let Some(count) = count else {
        return result(Status::Failed, ": the server gave no count".to_owned());
    };
    match u64::try_from(count) {
        Ok(rows) => {
            let status = match least {
                0 => Status::Shown,
                _ if rows < least => Status::Failed,
                _ => Status::Passed,
            };
            result(status, format!(" (count: {})", grouped(rows)))
        }
        Err(_) => result(Status::Failed, format!(" (count: {count})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(least: u64, count: Option<i64>) -> Status {
        judge("data.users".into(), "Users", least, count).status
    }

    #[test]
    fn verify_data_integrity_invalid_count() {
        for (count, status) in [
            (Some(0), Status::Shown),
            (Some(1234), Status::Shown),
            (Some(-1), Status::Failed),
            (None, Status::Failed),
        ] {
            assert_eq!(judged(0, count), status);
        }
    }

    #[test]
    fn a_least_number_of_rows_is_met_or_not() {
        for (count, status) in [
            (Some(9), Status::Failed),
            (Some(10), Status::Passed),
            (Some(-1), Status::Failed),
            (None, Status::Failed),
        ] {
            assert_eq!(judged(10, count), status);
        }
    }

    #[test]
    fn a_count_is_printed_with_separators() {
        let result = judge("data.users".into(), "Users count >= 0", 0, Some(1234));
        assert_eq!(result.title, "Users count >= 0 (count: 1,234)");
    }
}
