//! Clocks: backups are named by ours, and a request that is signed by one gone wrong is refused.

use std::time::Duration;

use chrono::TimeDelta;

use crate::model::checkup::{Area, Finding, State};
use crate::model::outcome::spoken;

/// What clocks differ by that nobody has to look at.
const USUAL: TimeDelta = TimeDelta::seconds(60);
/// From here on, S3 refuses what is signed.
const REFUSED: TimeDelta = TimeDelta::minutes(15);

/// What it means that another clock is so far before ours. `signs` says whether requests there are signed with the time.
pub(super) fn judge(area: Area, id: &str, of: &str, ahead: TimeDelta, signs: bool) -> Finding {
    let found = |state, said: String| Finding::new(area, id, "clock", state, said);
    let by = ahead.abs();
    if by <= USUAL {
        return found(State::Works, format!("this machine's agrees with {of}"));
    }
    let spoken = spoken(by.to_std().unwrap_or(Duration::MAX));
    let side = if ahead > TimeDelta::zero() { "behind" } else { "ahead of" };
    let said = format!("this machine's is {spoken} {side} {of}");
    let is_refused = signs && by >= REFUSED;
    let said = if is_refused { format!("{said}, which refuses it") } else { said };
    let state = if is_refused { State::Broken } else { State::Remark };
    found(state, said).mended("set the clock: timedatectl set-ntp true, or chronyc makestep")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_gone_wrong_is_a_remark_and_broken_where_requests_are_signed() {
        let judged = |seconds, signs| {
            let found = judge(Area::Places, "clock", "theirs", TimeDelta::seconds(seconds), signs);
            (found.state, found.said)
        };
        for near in [0, 59, -60] {
            assert_eq!(judged(near, true).0, State::Works);
        }
        let behind = "this machine's is 2 min behind theirs".to_owned();
        assert_eq!(judged(120, true), (State::Remark, behind));
        assert!(judged(-120, true).1.contains("ahead of"));
        assert_eq!(judged(3600, false).0, State::Remark);
        assert_eq!(judged(-3600, true).0, State::Broken);
    }
}
