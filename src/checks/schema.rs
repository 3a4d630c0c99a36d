//! The application's tables exist.

use super::{Answer, AppTable, CheckError, ask, refused};
use crate::model::outcome::{CheckResult, Section, Status};
use crate::pg::{self, Session};

/// One check a table.
///
/// # Errors
/// When the server cannot be asked.
pub async fn check(session: &Session, table: &AppTable) -> Result<CheckResult, CheckError> {
    let id = format!("schema.{}", table.full_name());
    let title = format!("{} table exists", table.label);
    let in_schema = table.schema.as_deref().map_or(String::new(), |schema| {
        format!(" AND table_schema = {}", pg::quote_literal(schema))
    });
    let sql = format!(
        "SELECT EXISTS (SELECT FROM information_schema.tables WHERE table_name = {}{in_schema})",
        pg::quote_literal(&table.name)
    );
    Ok(match ask(session, &sql).await? {
        Answer::Refused(refusal) => refused(id, Section::Schema, &title, &refusal),
        Answer::Rows(rows) if rows.iter().any(|row| row.get(0)) => {
            CheckResult::new(id, Section::Schema, Status::Passed, title)
        }
        Answer::Rows(_) => {
            let title = format!("{} table is missing", table.label);
            CheckResult::new(id, Section::Schema, Status::Failed, title)
                .detail(format!("expected a table named {}", table.full_name()))
        }
    })
}
