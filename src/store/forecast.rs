//! How long restores are going to take: by how long they took at which size, how backups grow, and how much slower
//! restores of one size have become. Pure.
//!
//! The trends are Theil and Sen's: the median of the slopes between any two points, which a few restores on a busy machine
//! do not change. A slope of which the middle half of these does not say whether it goes up or down is none.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::history::{Record, Work};
use super::naming::time_in_name;
use super::quantiles::{median, percentile, sorted};
use crate::model::forecast::{Forecast, MONTH_DAYS, Outlook, days_between, days_later};
use crate::model::outcome::Verdict;

/// Fewer restores say nothing.
const LEAST_RESTORES: usize = 8;
/// Over fewer days they say nothing.
const LEAST_DAYS: i64 = 28;
/// What is longer ago is of another time.
const MOST_DAYS: i64 = 180;
/// It looks no further ahead than so many times the days that it is made of.
const AHEAD: i64 = 4;
/// And no further than this.
const MOST_AHEAD_DAYS: i64 = 730;
/// Sizes have to differ by this much to tell what a byte takes.
const SPREAD: f64 = 1.2;

/// A restore of a sound backup.
struct Restore {
    at: DateTime<Utc>,
    bytes: f64,
    seconds: f64,
}

/// A line through points.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Line {
    slope: f64,
    /// Its value at 0.
    base: f64,
}

/// What these runs of one database tell, in the order of the history; `None` where no restore is on record. The goal is
/// `rto_seconds`, else the one that the last verification had.
pub fn outlook(records: &[&Record], rto_seconds: Option<f64>) -> Option<Outlook> {
    let (restores, engine) = restores(records)?;
    let (first, last) = (restores.first()?.at, restores.last()?.at);
    let days = (last - first).num_days();
    if restores.len() < LEAST_RESTORES || days < LEAST_DAYS {
        return Some(Outlook::TooLittle {
            restores: restores.len(),
            days,
            least_restores: LEAST_RESTORES,
            least_days: LEAST_DAYS,
        });
    }
    let day = |at: DateTime<Utc>| days_between(last, at);
    let pace = pace(&restores);
    let growth = Line::through(&sizes(records, last - TimeDelta::days(MOST_DAYS), day));
    let beside = |it: &Restore| (day(it.at), it.seconds - pace.at(it.bytes));
    let drift = Line::through(&restores.iter().map(beside).collect::<Vec<_>>());
    let seconds = (pace.at(growth.at(0.0)) + drift.at(0.0)).max(0.0);
    let a_day = pace.slope * growth.slope + drift.slope;
    let until = last + TimeDelta::days((AHEAD * days).min(MOST_AHEAD_DAYS));
    let goal = records.iter().rev().find_map(|record| record.rto_seconds);
    let rto_seconds = rto_seconds.or(goal);
    Some(Outlook::Told(Forecast {
        engine,
        restores: restores.len(),
        days,
        as_of: last,
        seconds,
        seconds_a_month: a_day * MONTH_DAYS,
        bytes_a_month: growth.slope * MONTH_DAYS,
        rto_seconds,
        passed_at: rto_seconds.and_then(|rto| passed_at(last, seconds, a_day, rto, until)),
        until,
    }))
}

/// When what takes so long, and so much longer each day, takes longer than it may.
fn passed_at(
    now: DateTime<Utc>,
    seconds: f64,
    a_day: f64,
    rto: f64,
    until: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    if a_day > 0.0 {
        return days_later(now, (rto - seconds) / a_day).filter(|at| *at <= until);
    }
    (seconds > rto).then_some(now)
}

/// The restores that count, the oldest first: of sound backups, by the engine that restored last, no longer ago than counts.
fn restores(records: &[&Record]) -> Option<(Vec<Restore>, String)> {
    let counts = |record: &&&Record| {
        let is_sound = record.work == Work::Verify && record.soundness() == Verdict::Passed;
        is_sound && !record.copy && record.restore_seconds().is_some()
    };
    let counted: Vec<&Record> = records.iter().filter(counts).copied().collect();
    let newest = counted.iter().max_by_key(|record| record.started_at)?;
    let (engine, since) = (newest.engine.clone()?, newest.started_at - TimeDelta::days(MOST_DAYS));
    let restore = |record: &&Record| {
        let is_like = record.engine.as_ref() == Some(&engine) && record.started_at >= since;
        let (seconds, bytes) = (record.restore_seconds()?, known_bytes(record)?);
        is_like.then_some(Restore { at: record.started_at, bytes, seconds })
    };
    let mut restores: Vec<Restore> = counted.iter().filter_map(restore).collect();
    restores.sort_by_key(|restore| restore.at);
    Some((restores, engine))
}

#[expect(clippy::cast_precision_loss, reason = "a size for an estimate")]
fn known_bytes(record: &Record) -> Option<f64> {
    record.file_bytes.filter(|bytes| *bytes > 0).map(|bytes| bytes as f64)
}

/// What a byte takes, in seconds. Where all are of one size, the time goes with the size.
fn pace(restores: &[Restore]) -> Line {
    let bytes = sorted(&restores.iter().map(|it| it.bytes).collect::<Vec<_>>());
    let differ = bytes[bytes.len() - 1] >= bytes[0] * SPREAD;
    let line = Line::through(&restores.iter().map(|it| (it.bytes, it.seconds)).collect::<Vec<_>>());
    if differ && line.slope > 0.0 {
        return line;
    }
    let ratios: Vec<f64> = restores.iter().map(|it| it.seconds / it.bytes).collect();
    Line { slope: median(&sorted(&ratios)), base: 0.0 }
}

/// How large the backups of which days were, each once.
fn sizes(
    records: &[&Record],
    since: DateTime<Utc>,
    day: impl Fn(DateTime<Utc>) -> f64,
) -> Vec<(f64, f64)> {
    let mut backups: BTreeMap<&str, (DateTime<Utc>, f64)> = BTreeMap::new();
    for record in records.iter().filter(|record| record.soundness() == Verdict::Passed) {
        let made = match record.work {
            Work::Create => Some(record.started_at),
            Work::Verify => time_in_name(&record.backup).or(Some(record.started_at)),
            Work::Restore | Work::CheckKeys | Work::Scrub => None,
        };
        if let (Some(made), Some(bytes)) = (made.filter(|made| *made >= since), known_bytes(record))
        {
            backups.entry(&record.backup).or_insert((made, bytes));
        }
    }
    backups.into_values().map(|(made, bytes)| (day(made), bytes)).collect()
}

impl Line {
    /// The line of Theil and Sen; level, where most points do not say whether it goes up or down.
    fn through(points: &[(f64, f64)]) -> Self {
        let mut slopes = Vec::new();
        for (at, one) in points.iter().enumerate() {
            let others = points[..at].iter().filter(|other| (one.0 - other.0).abs() > f64::EPSILON);
            slopes.extend(others.map(|other| (one.1 - other.1) / (one.0 - other.0)));
        }
        let slope = match &sorted(&slopes)[..] {
            [] => 0.0,
            slopes if percentile(slopes, 25) * percentile(slopes, 75) <= 0.0 => 0.0,
            slopes => median(slopes),
        };
        let bases: Vec<f64> = points.iter().map(|(x, y)| y - slope * x).collect();
        let base = if bases.is_empty() { 0.0 } else { median(&sorted(&bases)) };
        Self { slope, base }
    }

    fn at(self, x: f64) -> f64 {
        self.base + self.slope * x
    }
}

#[cfg(test)]
#[path = "forecast_tests.rs"]
mod tests;
