//! What the source has and the backup has not, as its manifest knows it.

use crate::model::coverage::Coverage;
use crate::model::outcome::{CheckResult, Section, Status};

/// Says once what is not in the backup; nothing where all is, unless that has to be so (`must`). Other databases are
/// never in a backup of one, and only said.
pub fn judge(coverage: Option<&Coverage>, must: bool) -> Option<CheckResult> {
    let result = |status, title: String| {
        Some(CheckResult::new("contents.coverage", Section::Contents, status, title))
    };
    let Some(coverage) = coverage else {
        let title = "What is not in the backup is not known: no manifest says it";
        return if must { result(Status::NotRun, title.to_owned()) } else { None };
    };
    let (left_out, around) = (coverage.left_out(), coverage.around());
    let all = [left_out.clone(), around].concat().join(", ");
    if all.is_empty() {
        let title = "The backup has all that its source has";
        return if must { result(Status::Passed, title.to_owned()) } else { None };
    }
    let is_wanting = !left_out.is_empty() || !coverage.is_whole_but_for_databases();
    let status = match (must, left_out.is_empty()) {
        (true, _) if is_wanting => Status::Failed,
        (false, false) => Status::Warned,
        _ => Status::Shown,
    };
    result(status, format!("Not in the backup: {all}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(name: &str) -> Option<Vec<String>> {
        Some(vec![name.to_owned()])
    }

    #[test]
    fn what_the_backup_has_not_is_shown_warned_of_or_fails_it() {
        let nothing = Coverage { databases: names("postgres"), ..Coverage::default() };
        let other = Coverage { databases: names("shop"), ..Coverage::default() };
        let roles = Coverage { roles: names("app"), ..other.clone() };
        let rows = Coverage { excluded_tables: names("public.log"), ..Coverage::default() };
        let status = |coverage: &Coverage, must| judge(Some(coverage), must).map(|of| of.status);
        for (coverage, warned, failed) in [
            (&nothing, None, Some(Status::Passed)),
            (&other, Some(Status::Shown), Some(Status::Shown)),
            (&roles, Some(Status::Shown), Some(Status::Failed)),
            (&rows, Some(Status::Warned), Some(Status::Failed)),
        ] {
            assert_eq!(
                (status(coverage, false), status(coverage, true)),
                (warned, failed),
                "{coverage:?}"
            );
        }
        let title = judge(Some(&rows), false).unwrap().title;
        assert_eq!(title, "Not in the backup: the rows of 1 table (left out: public.log)");
    }

    #[test]
    fn what_no_manifest_says_is_not_known_where_it_has_to_be() {
        assert_eq!(judge(None, false), None);
        assert_eq!(judge(None, true).unwrap().status, Status::NotRun);
    }
}
