//! What the clock of a place says, by the answers that come from there. A request that is signed by a clock gone wrong is refused.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::{DATE, HeaderMap};

/// How far it is before ours, by the last answer that said its time, to a second; behind where it is negative.
#[derive(Debug, Clone, Default)]
pub(super) struct Clock(Arc<Mutex<Option<TimeDelta>>>);

impl Clock {
    /// Takes note of an answer that has just come.
    pub(super) fn note(&self, headers: &HeaderMap) {
        let said = headers.get(DATE).and_then(|date| date.to_str().ok());
        let said = said.and_then(|date| DateTime::parse_from_rfc2822(date).ok());
        if let Some(said) = said {
            let ahead = said.to_utc() - Utc::now();
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(ahead);
        }
    }

    /// How far it is before ours; `None` where no answer said its time.
    pub(super) fn ahead(&self) -> Option<TimeDelta> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_answer_that_said_its_time_counts() {
        let clock = Clock::default();
        assert_eq!(clock.ahead(), None);
        let note = |date: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(DATE, date.parse().unwrap());
            clock.note(&headers);
        };
        note("Wed, 14 Jan 2026 02:00:30 GMT");
        note("soon");
        clock.note(&HeaderMap::new());
        let then = DateTime::parse_from_rfc3339("2026-01-14T02:00:30Z").unwrap().to_utc();
        let expected = then - Utc::now();
        assert!((clock.ahead().unwrap() - expected).num_seconds().abs() < 60);
    }
}
