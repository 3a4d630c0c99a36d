//! The newest backup is not too old: a job that makes none any more leaves good backups behind.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::model::outcome::{AGE, CheckResult, Section, Status, spoken};

/// When a backup was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Made {
    /// The time.
    pub at: DateTime<Utc>,
    /// Whether its manifest or its name says so; else it is the time of the last change.
    pub is_said: bool,
}

/// Compares the age of the newest backup with what it may be. One that is dated ahead of the clock is new.
pub fn judge(made: Made, now: DateTime<Utc>, allowed: Duration) -> CheckResult {
    let age = (now - made.at).to_std().unwrap_or_default();
    let (is, may_be) = (spoken(age), spoken(allowed));
    let result = |status, title| CheckResult::new(AGE, Section::File, status, title);
    let check = if age > allowed {
        let title =
            format!("The newest backup is {is} old, older than the {may_be} allowed (max_age)");
        result(Status::Failed, title).detail(format!(
            "made {} UTC: look at the job that makes backups",
            made.at.format("%Y-%m-%d %H:%M")
        ))
    } else {
        result(
            Status::Passed,
            format!("The newest backup is {is} old, of the {may_be} allowed (max_age)"),
        )
    };
    match made.is_said {
        true => check,
        false => check
            .detail("by its last change: neither a manifest nor its name says when it was made"),
    }
}

/// Nothing says when it was made.
pub fn not_known() -> CheckResult {
    let title = "How old the newest backup is, is not known (max_age)";
    CheckResult::new(AGE, Section::File, Status::NotRun, title)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWED: Duration = Duration::from_secs(26 * 3600);

    fn judged(age: i64, is_said: bool) -> CheckResult {
        let now = DateTime::UNIX_EPOCH + Duration::from_secs(1 << 30);
        let at = now - chrono::TimeDelta::hours(age);
        judge(Made { at, is_said }, now, ALLOWED)
    }

    #[test]
    fn a_backup_is_as_old_as_it_may_be_or_older() {
        let passed = judged(26, true);
        assert_eq!((passed.status, passed.is_about_the_backup()), (Status::Passed, false));
        assert_eq!(
            passed.title,
            "The newest backup is 1 d 2 h old, of the 1 d 2 h allowed (max_age)"
        );
        let failed = judged(27, true);
        assert_eq!(failed.status, Status::Failed);
        assert!(failed.title.contains("1 d 3 h old, older than the 1 d 2 h allowed"), "{failed:?}");
    }

    #[test]
    fn one_that_is_dated_ahead_is_new_and_a_time_that_nobody_says_is_told_apart() {
        assert_eq!(judged(-5, true).status, Status::Passed);
        assert!(judged(1, false).details[0].starts_with("by its last change"));
        assert!(judged(1, true).details.is_empty());
    }
}
