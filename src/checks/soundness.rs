//! Constraints are validated, indexes valid, materialized views populated.

use super::{CheckError, rows};
use crate::model::outcome::{CheckResult, Section, Status};
use crate::pg::{Session, UNSOUND};

/// Whether all are sound, but for materialized views in a backup without rows (`with_rows`): those are
/// not populated. What was not sound in the source either, by `known`, is a warning;
/// without a manifest nothing is known, and what the dump restored as it says is a warning too.
///
/// # Errors
/// When the server cannot be asked.
pub async fn check(
    session: &Session,
    known: Option<&[String]>,
    with_rows: bool,
) -> Result<CheckResult, CheckError> {
    let rows = rows(session, UNSOUND).await?;
    let found: Vec<String> = rows
        .iter()
        .filter(|row| with_rows || row.get::<_, &str>(0) != "materialized view")
        .map(|row| format!("{} {}", row.get::<_, String>(0), row.get::<_, String>(1)))
        .collect();
    Ok(judge(&found, known))
}

fn judge(found: &[String], known: Option<&[String]>) -> CheckResult {
    let lost: Vec<&String> = match known {
        Some(known) => found.iter().filter(|thing| !known.contains(thing)).collect(),
        None => Vec::new(),
    };
    let (status, title) = match (found.len(), lost.first()) {
        (0, _) => (Status::Passed, "Constraints, indexes and materialized views are sound".into()),
        (_, Some(first)) => {
            let title = format!(
                "{} not as sound as in the source, the first: {first}",
                objects(lost.len())
            );
            (Status::Failed, title)
        }
        (count, None) => {
            (Status::Warned, format!("{} not validated, valid or populated", objects(count)))
        }
    };
    let mut result = CheckResult::new("contents.soundness", Section::Contents, status, title);
    result.details.extend_from_slice(found);
    result
}

fn objects(count: usize) -> String {
    format!("{count} object{}", if count == 1 { " is" } else { "s are" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_source_did_not_have_fails_and_what_it_had_is_a_warning() {
        let found = ["index public.a_idx".to_owned()];
        assert_eq!(judge(&[], Some(&[])).status, Status::Passed);
        assert_eq!(judge(&found, Some(&[])).status, Status::Failed);
        assert_eq!(judge(&found, Some(&found)).status, Status::Warned);
        assert_eq!(judge(&found, None).status, Status::Warned);
    }
}
