//! Which backups a drill tries, and in which order. Pure: by what is on record, and nothing else.
//!
//! A drill keeps no state of its own. What it has proven is on record, and comes last in the next one: so one that was
//! cut short goes on where it was when it is run again.

use std::cmp::Reverse;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::by_database::by_database;
use super::listing::Listed;
use super::proof::Judged;
use crate::model::drill::Standing;
use crate::model::outcome::Verdict;

/// A backup in a place.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The directory or the place.
    pub place: PathBuf,
    /// The backup, and what is known of it there.
    pub backup: Listed,
    /// What is on record of it, of the kind that the drill asks for.
    pub standing: Standing,
    /// Whether it is the newest of its database there.
    pub newest: bool,
}

impl Candidate {
    /// The path that names it.
    pub fn path(&self) -> PathBuf {
        self.place.join(&self.backup.name)
    }
}

/// What is proven of a backup.
pub fn of_proof(backup: &Listed) -> Standing {
    backup.verdict.or(backup.last_attempt).map_or(Standing::Untried, standing)
}

/// Whether the bytes of a backup were compared with its manifest, by a drill that did no more than that.
pub fn of_bytes(backup: &Listed) -> Standing {
    backup.scrubbed.map_or(Standing::Untried, standing)
}

fn standing(judged: Judged) -> Standing {
    match judged.verdict {
        Verdict::Passed => Standing::Proven(judged.at),
        Verdict::Failed => Standing::Bad(judged.at),
        Verdict::NotVerified => Standing::Inconclusive(judged.at),
    }
}

/// Who comes first: what was never proven, then what was proven the longest ago, and last what is known to be bad, which
/// another try does not make better. Of what was never proven, what was tried comes after what was not, so that
/// what can never be told does not take the turn of all others.
fn turn(standing: Standing) -> (u8, DateTime<Utc>) {
    match standing {
        Standing::Untried => (0, DateTime::UNIX_EPOCH),
        Standing::Inconclusive(at) => (1, at),
        Standing::Proven(at) => (2, at),
        Standing::Bad(at) => (3, at),
    }
}

/// Of the backups of some places, those to try, in their order: in each place, of each database, the newest, and so many
/// `older` ones, or all. `standing` is what the drill goes by.
pub fn sample(
    places: Vec<(PathBuf, Vec<Listed>)>,
    older: Option<usize>,
    standing: impl Fn(&Listed) -> Standing,
) -> Vec<Candidate> {
    let turn = |backup: &Listed| turn(standing(backup));
    let mut chosen: Vec<(usize, Candidate)> = Vec::new();
    for (at, (place, backups)) in places.into_iter().enumerate() {
        for mut backups in by_database(backups, |it| it.database.as_deref()).into_values() {
            backups.sort_by_key(|backup| Reverse(backup.time));
            let mut rest = backups.split_off(1);
            rest.sort_by_key(|backup| (turn(backup), Reverse(backup.time)));
            rest.truncate(older.unwrap_or(usize::MAX));
            let candidate = |newest| {
                let place = place.clone();
                let standing = &standing;
                move |backup| {
                    let standing = standing(&backup);
                    (at, Candidate { place: place.clone(), backup, standing, newest })
                }
            };
            chosen.extend(backups.into_iter().map(candidate(true)));
            chosen.extend(rest.into_iter().map(candidate(false)));
        }
    }
    chosen.sort_by_key(|(at, of)| (turn(&of.backup), Reverse(of.backup.time), *at));
    chosen.into_iter().map(|(_, candidate)| candidate).collect()
}

/// What fits into a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fitting {
    /// Of each, whether it does.
    pub fits: Vec<bool>,
    /// When the last of those has ended.
    pub takes: Duration,
}

/// Which of these end within a time, when so many are at work at once and each that would not is passed over. What is not
/// known to take long is taken to fit.
pub fn fitting(expected: &[Option<Duration>], within: Duration, at_once: usize) -> Fitting {
    let mut busy = vec![Duration::ZERO; at_once.max(1)];
    let fit = |expected: &Option<Duration>| {
        let Some(soonest) = busy.iter_mut().min() else { return false };
        let end = *soonest + expected.unwrap_or_default();
        let fits = end <= within;
        if fits {
            *soonest = end;
        }
        fits
    };
    let fits = expected.iter().map(fit).collect();
    Fitting { fits, takes: busy.into_iter().max().unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::listing::ManifestState;

    fn day(day: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(day * 86_400, 0).unwrap()
    }

    fn backup(made: i64, standing: Standing) -> Listed {
        let judged = |at, verdict| Some(Judged { verdict, at, rto_missed: false });
        let (verdict, last_attempt) = match standing {
            Standing::Untried => (None, None),
            Standing::Inconclusive(at) => (None, judged(at, Verdict::NotVerified)),
            Standing::Proven(at) => (judged(at, Verdict::Passed), judged(at, Verdict::Passed)),
            Standing::Bad(at) => (judged(at, Verdict::Failed), judged(at, Verdict::Failed)),
        };
        Listed {
            name: format!("{made}.sql").into(),
            time: day(made),
            time_from_name: true,
            bytes: 1,
            recipients: Vec::new(),
            database: None,
            rows: None,
            manifest: ManifestState::Present,
            signature: None,
            proven: None,
            verdict,
            last_attempt,
            scrubbed: None,
            copies: Vec::new(),
        }
    }

    fn names(places: Vec<(PathBuf, Vec<Listed>)>, older: Option<usize>) -> Vec<String> {
        let chosen = sample(places, older, of_proof);
        chosen.iter().map(|of| of.path().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn what_was_never_proven_comes_first_and_then_the_oldest_proof() {
        use Standing::{Bad, Inconclusive, Proven, Untried};
        let backups = vec![
            backup(9, Proven(day(10))),
            backup(8, Proven(day(3))),
            backup(7, Bad(day(1))),
            backup(6, Inconclusive(day(9))),
            backup(5, Untried),
            backup(4, Proven(day(2))),
            backup(3, Untried),
        ];
        assert_eq!(
            names(vec![("p".into(), backups.clone())], None),
            ["p/5.sql", "p/3.sql", "p/6.sql", "p/4.sql", "p/8.sql", "p/9.sql", "p/7.sql"]
        );
        // The newest is always one of them, and takes its turn.
        let places = vec![("p".into(), backups)];
        assert_eq!(names(places.clone(), Some(2)), ["p/5.sql", "p/3.sql", "p/9.sql"]);
        assert_eq!(names(places, Some(0)), ["p/9.sql"]);
        assert_eq!(names(vec![("p".into(), vec![])], None), Vec::<String>::new());
    }

    #[test]
    fn each_place_and_each_database_has_a_newest_of_its_own() {
        let of = |made, database: &str| Listed {
            database: Some(database.to_owned()),
            ..backup(made, Standing::Untried)
        };
        let backups = vec![of(1, "shop"), of(2, "shop"), of(3, "app")];
        let places = vec![("near".into(), backups.clone()), ("far".into(), backups)];
        assert_eq!(names(places, Some(0)), ["near/3.sql", "far/3.sql", "near/2.sql", "far/2.sql"]);
    }

    #[test]
    fn a_drill_that_was_cut_short_goes_on_where_it_was() {
        let mut backups: Vec<Listed> =
            (1..=6).map(|made| backup(made, Standing::Proven(day(made)))).collect();
        let mut tried = Vec::new();
        for now in [10, 11, 12] {
            // Each comes to two of them, and no further.
            for name in names(vec![("p".into(), backups.clone())], Some(3)).iter().take(2) {
                let made = name.trim_start_matches("p/").trim_end_matches(".sql");
                let at: usize = made.parse().unwrap();
                backups[at - 1] = backup(i64::try_from(at).unwrap(), Standing::Proven(day(now)));
                tried.push(at);
            }
        }
        assert_eq!(tried, [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn a_drill_that_compares_bytes_goes_by_when_they_were_compared() {
        let at = day(3);
        let scrubbed = Some(Judged { verdict: Verdict::Passed, at, rto_missed: false });
        let proven = backup(1, Standing::Proven(day(9)));
        assert_eq!(of_bytes(&proven), Standing::Untried);
        assert_eq!(of_bytes(&Listed { scrubbed, ..proven.clone() }), Standing::Proven(at));
        assert_eq!(of_proof(&Listed { scrubbed, ..proven }), Standing::Proven(day(9)));
    }

    #[test]
    fn what_would_not_end_in_time_is_passed_over_and_what_is_smaller_is_not() {
        let minutes = |minutes: &[u64]| -> Vec<_> {
            minutes.iter().map(|minutes| Some(Duration::from_secs(60 * minutes))).collect()
        };
        let hour = Duration::from_secs(3600);
        let fit = |expected: &[_], at_once| {
            let Fitting { fits, takes } = fitting(expected, hour, at_once);
            (fits, takes.as_secs() / 60)
        };
        let four = minutes(&[40, 30, 20, 1]);
        assert_eq!(fit(&four, 1), (vec![true, false, true, false], 60));
        assert_eq!(fit(&four, 2), (vec![true; 4], 50));
        assert_eq!(fit(&[None, Some(hour * 2), None], 1), (vec![true, false, true], 0));
    }
}
