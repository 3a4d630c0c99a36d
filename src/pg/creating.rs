//! Statements of which any one does, such as those that make a database in one locale or another.

use tokio_postgres::Error;

use super::{ServerError, Session};

/// Runs statements in turn until one works, and gives what belongs to that one. Other errors than a missing or unfit
/// locale would only come again.
///
/// # Errors
/// The last one; `None` where there was no statement.
pub async fn first_that_works<T>(
    session: &Session,
    statements: impl IntoIterator<Item = (String, T)>,
) -> Result<T, Option<Error>> {
    let mut last = None;
    for (statement, with) in statements {
        match session.batch_execute(&statement).await {
            Ok(()) => return Ok(with),
            Err(error) if !ServerError::is_about_a_locale(&error) => return Err(Some(error)),
            Err(error) => last = Some(error),
        }
    }
    Err(last)
}
