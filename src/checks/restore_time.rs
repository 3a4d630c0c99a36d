//! The backup restores in the time that a disaster leaves (the RTO, recovery time objective).

use std::time::Duration;

use crate::model::outcome::{CheckResult, RESTORE_TIME, Section, Status, spoken};

/// Compares the time that the restore took with what it may take. A restore that did not come to
/// its end has no time of its own, but can have taken too long already.
pub fn judge(took: Duration, allowed: Duration, restored: bool) -> CheckResult {
    let (measured, limit) = (spoken(took), spoken(allowed));
    let result = |status, title| CheckResult::new(RESTORE_TIME, Section::Restore, status, title);
    if took > allowed {
        let title = format!("Restore took {measured}, longer than the {limit} allowed (--rto)");
        let over = spoken(took.saturating_sub(allowed));
        result(Status::Failed, title).detail(format!("{over} too long"))
    } else if restored {
        result(Status::Passed, format!("Restore took {measured} of the {limit} allowed (--rto)"))
    } else {
        let title = format!("Restore time: the restore did not come to its end (--rto {limit})");
        result(Status::NotRun, title)
    }
}

/// The result where no restore began.
pub fn not_measured() -> CheckResult {
    let title = "Restore time: nothing was restored (--rto)";
    CheckResult::new(RESTORE_TIME, Section::Restore, Status::NotRun, title)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(45 * 60);

    #[test]
    fn a_restore_in_time_passes_with_both_times() {
        let check = judge(Duration::from_millis(3_210), LIMIT, true);
        assert_eq!(check.status, Status::Passed);
        assert_eq!(check.title, "Restore took 3.2 s of the 45 min allowed (--rto)");
        assert_eq!(judge(LIMIT, LIMIT, true).status, Status::Passed);
    }

    #[test]
    fn a_slower_restore_fails_whether_or_not_it_came_to_its_end() {
        for restored in [true, false] {
            let check = judge(LIMIT + Duration::from_secs(430), LIMIT, restored);
            assert_eq!(check.status, Status::Failed);
            let title = "Restore took 52 min 10 s, longer than the 45 min allowed (--rto)";
            assert_eq!(check.title, title);
        }
    }

    #[test]
    fn a_restore_that_was_cut_short_in_time_tells_nothing() {
        assert_eq!(judge(Duration::from_secs(1), LIMIT, false).status, Status::NotRun);
        assert_eq!(not_measured().status, Status::NotRun);
    }
}
