//! When it is looked whether the server is ready that does not answer, and when another way to it is made. Pure.
//! A server that is reached at once is asked nothing more.

use std::time::Duration;

use tokio::time::Instant;

/// Before the server's log is looked at, and between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// How long the ways that are there may take, when the server is ready.
const GRACE: Duration = Duration::from_millis(500);
/// The same, when that cannot be told: its log may be elsewhere, or in another language.
const UNTOLD: Duration = Duration::from_secs(10);
/// How long each way that was made may take.
const DETOUR: Duration = Duration::from_secs(3);

/// See the module.
#[derive(Debug)]
pub struct Pace {
    begun: Instant,
    looks: Instant,
    goes_on: Option<Instant>,
}

impl Pace {
    /// It was just begun to wait.
    pub fn begin(now: Instant) -> Self {
        Self { begun: now, looks: now + LOOK, goes_on: None }
    }

    /// Whether it is time for a look at the log.
    pub fn may_look(&mut self, now: Instant) -> bool {
        let is_time = now >= self.looks;
        if is_time {
            self.looks = now + LOOK;
        }
        is_time
    }

    /// Whether it is time for the next way.
    pub fn may_go_on(&mut self, now: Instant, is_ready: bool) -> bool {
        let at = match self.goes_on {
            Some(at) => at,
            None if is_ready => *self.goes_on.insert(now + GRACE),
            None => self.begun + UNTOLD,
        };
        let is_time = now >= at;
        if is_time {
            self.goes_on = Some(now + DETOUR);
        }
        is_time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_way_is_made_when_the_server_is_known_to_be_ready_and_those_before_had_their_time() {
        let begun = Instant::now();
        let after = |millis| begun + Duration::from_millis(millis);
        let mut pace = Pace::begin(begun);
        let looks = [0, 900, 1000, 1001, 2000].map(|millis| pace.may_look(after(millis)));
        assert_eq!(looks, [false, false, true, false, true]);
        let on = [2000, 2499, 2500, 5499, 5500].map(|millis| pace.may_go_on(after(millis), true));
        assert_eq!(on, [false, false, true, false, true]);
    }

    #[tokio::test]
    async fn where_it_cannot_be_told_whether_it_is_ready_time_tells() {
        let begun = Instant::now();
        let mut pace = Pace::begin(begun);
        let on =
            [0, 9, 10, 12, 13].map(|secs| pace.may_go_on(begun + Duration::from_secs(secs), false));
        assert_eq!(on, [false, false, true, false, true]);
    }
}
