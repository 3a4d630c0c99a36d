//! Tells Prometheus whether those were told who were to be.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, Utc};

use crate::commands::ledger;
use crate::report::notify_metrics::{self, Telling, Tellings, Told};

/// What became of telling in one run.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Who is told, and of what.
    pub told: Told,
    /// Whether it arrived; `None` where there was nothing to tell.
    pub arrived: Option<bool>,
}

/// Notes in the metrics what became of all who are to be told of a command. Who is not any more is forgotten.
///
/// # Errors
/// One sentence, where the metrics cannot be written.
pub(super) fn renew(
    file: &Path,
    command: &str,
    outcomes: &[Outcome],
    now: DateTime<Utc>,
) -> Result<(), String> {
    ledger::renew_text(file, |before| {
        let before = before?;
        let tellings = after(notify_metrics::read(&before), command, outcomes, now);
        let text = notify_metrics::renewed(&before, &tellings);
        Ok((text != before).then_some(text))
    })
}

fn after(before: Tellings, command: &str, outcomes: &[Outcome], now: DateTime<Utc>) -> Tellings {
    // Of several at one host, the one that could not be told counts.
    let mut arrived: BTreeMap<&Told, Option<bool>> = BTreeMap::new();
    for outcome in outcomes {
        let all = arrived.entry(&outcome.told).or_default();
        *all = match (*all, outcome.arrived) {
            (Some(one), Some(other)) => Some(one && other),
            (one, other) => one.or(other),
        };
    }
    let is_told = |told: &Told| told.command != command || arrived.contains_key(told);
    let mut after: Tellings = before.into_iter().filter(|(told, _)| is_told(told)).collect();
    for (told, arrived) in arrived {
        match arrived {
            Some(true) => {
                after.insert(told.clone(), Telling { failures: 0, last_success: now.timestamp() });
            }
            Some(false) => after.entry(told.clone()).or_default().failures += 1,
            None => {}
        }
    }
    after
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(command: &str, host: &str) -> Told {
        Told { command: command.to_owned(), kind: "ping".to_owned(), host: host.to_owned() }
    }

    fn outcome(host: &str, arrived: Option<bool>) -> Outcome {
        Outcome { told: told("verify", host), arrived }
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn failures_are_counted_until_one_arrives() {
        let mut tellings = Tellings::new();
        let mut run = |arrived, now| {
            let before = std::mem::take(&mut tellings);
            tellings = after(before, "verify", &[outcome("h", arrived)], at(now));
            tellings.get(&told("verify", "h")).map(|it| (it.failures, it.last_success))
        };
        assert_eq!(run(None, 1), None);
        assert_eq!(run(Some(false), 2), Some((1, 0)));
        assert_eq!(run(Some(false), 3), Some((2, 0)));
        assert_eq!(run(None, 4), Some((2, 0)));
        assert_eq!(run(Some(true), 5), Some((0, 5)));
        assert_eq!(run(Some(false), 6), Some((1, 5)));
    }

    #[test]
    fn of_several_at_one_host_the_one_that_could_not_be_told_counts_once() {
        let outcomes = [Some(true), Some(false), Some(false)].map(|arrived| outcome("h", arrived));
        let tellings = after(Tellings::new(), "verify", &outcomes, at(9));
        assert_eq!(tellings[&told("verify", "h")], Telling { failures: 1, last_success: 0 });
    }

    #[test]
    fn who_is_not_told_any_more_is_forgotten_and_what_other_commands_say_stays() {
        let failed = Telling { failures: 4, last_success: 0 };
        let before = ["verify", "create"].map(|command| (told(command, "old"), failed));
        let tellings = after(before.into(), "verify", &[], at(9));
        assert_eq!(tellings.into_keys().collect::<Vec<_>>(), [told("create", "old")]);
    }
}
