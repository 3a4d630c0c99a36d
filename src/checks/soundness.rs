//! Constraints are validated, indexes valid, materialized views populated.

use super::{Answer, CheckError, ask};
use crate::outcome::{CheckResult, Section, Status};
use crate::pg::Session;

/// Constraints that are not validated, indexes that are not valid, materialized views that are
/// not populated, one row each: what it is, and its name.
///
/// PostgreSQL 18 lists NOT NULL constraints among the others, and has constraints that are not
/// enforced; those are never validated, by design.
pub const UNSOUND: &str = "\
SELECT 'constraint', pg_catalog.format('%s on %I.%I', c.conname, n.nspname, t.relname)
FROM pg_catalog.pg_constraint c
JOIN pg_catalog.pg_class t ON t.oid = c.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
WHERE NOT c.convalidated
  AND coalesce((pg_catalog.to_jsonb(c) ->> 'conenforced')::boolean, true)
UNION ALL
SELECT 'index', pg_catalog.format('%I.%I', n.nspname, i.relname)
FROM pg_catalog.pg_index x
JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = i.relnamespace
WHERE NOT x.indisvalid AND n.nspname NOT LIKE 'pg\\_%'
UNION ALL
SELECT 'materialized view', pg_catalog.format('%I.%I', n.nspname, m.relname)
FROM pg_catalog.pg_class m
JOIN pg_catalog.pg_namespace n ON n.oid = m.relnamespace
WHERE m.relkind = 'm' AND NOT m.relispopulated
ORDER BY 1, 2";

/// Whether all are sound. What was not sound in the source either, by `known`, is a warning;
/// without a manifest nothing is known, and what the dump restored as it says is a warning too.
///
/// # Errors
/// When the server cannot be asked.
pub async fn check(session: &Session, known: Option<&[String]>) -> Result<CheckResult, CheckError> {
    match ask(session, UNSOUND).await? {
        Answer::Refused(refusal) => Err(CheckError(refusal.message)),
        Answer::Rows(rows) => {
            let found: Vec<String> = rows
                .iter()
                .map(|row| format!("{} {}", row.get::<_, String>(0), row.get::<_, String>(1)))
                .collect();
            Ok(judge(&found, known))
        }
    }
}

fn judge(found: &[String], known: Option<&[String]>) -> CheckResult {
    let lost = known.is_some_and(|known| found.iter().any(|thing| !known.contains(thing)));
    let (status, title) = match (found.len(), lost) {
        (0, _) => (Status::Passed, "Constraints, indexes and materialized views are sound".into()),
        (count, true) => {
            (Status::Failed, format!("{count} objects are not as sound as in the source"))
        }
        (count, false) => {
            (Status::Warned, format!("{count} objects are not validated, valid or populated"))
        }
    };
    let mut result = CheckResult::new("contents.soundness", Section::Contents, status, title);
    result.details.extend_from_slice(found);
    result
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
