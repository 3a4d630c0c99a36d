//! How restores, sizes and rows went over the months, and where restores are going.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};

use super::Evidence;
use super::axis::Unit;
use super::plot::{Kind, Plot, Point};
use crate::model::forecast::Forecast;
use crate::model::outcome::Verdict;
use crate::report::drill::seconds;
use crate::report::forecast;
use crate::store::history::{Record, Work};
use crate::store::listing::Listed;
use crate::store::naming::time_in_name;
use crate::store::statistics::Statistics;

/// How far back plots go: a year, and a month to compare with.
const BACK_DAYS: i64 = 397;
/// With fewer points there is nothing to see.
const FEWEST: usize = 2;
/// How far past the last restore the forecast is drawn where it does not pass its goal, as a part of the time shown.
const AHEAD: f64 = 0.2;

/// A section for each database.
pub(super) fn sections(evidence: &Evidence<'_>) -> Markup {
    let databases = evidence.databases();
    html! {
        @for database in &databases { (of_database(evidence, database, databases.len() > 1)) }
    }
}

fn of_database(evidence: &Evidence<'_>, database: &Statistics, several: bool) -> Markup {
    let since = evidence.now - TimeDelta::days(BACK_DAYS);
    let runs: Vec<&Record> =
        evidence.on_record.runs.iter().filter(|run| run.database == database.database).collect();
    let restores = restores(&runs, since);
    let backups = backups(evidence, &runs, database.database.as_deref(), since);
    let name = database.database.as_deref().unwrap_or("not known");
    html! {
        @if restores.len() >= FEWEST || database.outlook.is_some() {
            section {
                h2 { "Restore times" @if several { ": " (name) } }
                (restore_times(evidence, database, restores))
            }
        }
        @let plots = [sizes(&backups), rows(&backups)];
        @if plots.iter().any(|plot| !plot.0.is_empty()) {
            section {
                h2 { "Sizes and rows" @if several { ": " (name) } }
                div class="halves" { @for plot in &plots { (plot) } }
            }
        }
    }
}

/// The restores that came to their end.
fn restores(runs: &[&Record], since: DateTime<Utc>) -> Vec<Point> {
    let point = |run: &&Record| {
        let counts = run.work == Work::Verify && !run.copy && run.started_at >= since;
        let kind = match run.soundness() {
            Verdict::Passed if run.missed_rto() => Kind::Slow,
            Verdict::Passed => Kind::Good,
            Verdict::Failed | Verdict::NotVerified => Kind::Bad,
        };
        let value = run.restore_seconds().filter(|_| counts)?;
        Some(Point { at: run.started_at, value, kind })
    };
    let mut points: Vec<Point> = runs.iter().filter_map(point).collect();
    points.sort_by_key(|point| point.at);
    points
}

fn restore_times(evidence: &Evidence<'_>, database: &Statistics, points: Vec<Point>) -> Markup {
    let told = database.outlook.as_ref().and_then(|outlook| outlook.forecast());
    let rto = told.and_then(|it| it.rto_seconds).or_else(|| evidence.rto_seconds());
    let has = |kind| points.iter().any(|point| point.kind == kind);
    let (slow, bad, drawn) = (has(Kind::Slow), has(Kind::Bad), is_worth_a_plot(&points));
    let expected = told.zip(points.first()).map(|(it, first)| expected(it, first.at));
    let plot = Plot {
        unit: Unit::Seconds,
        points,
        is_joined: false,
        limit: rto.map(|rto| (rto, format!("{} allowed", seconds(rto)))),
        expected,
    };
    html! {
        @if let Some(outlook) = &database.outlook {
            @let said = forecast::said(evidence.now, outlook);
            @match told {
                Some(forecast) => {
                    p class="said" { (first_upper(&said)) "." }
                    p class="note" { "By its trend: " (forecast::basis(evidence.now, forecast)) "." }
                }
                None => {
                    p class="said" { "There is no forecast yet." }
                    p class="note" { (said.trim_start_matches("not yet: ")) " that it takes." }
                }
            }
        }
        @if drawn {
            figure role="img" aria-label=(described(database)) {
                (plot.wide())
            }
            p class="legend" {
                (key("dot", "restored and sound", true))
                (key("ring", "too slow", slow))
                (key("cross", "not sound", bad))
                (key("limit", "what it may take", rto.is_some()))
                (key("expected", "the trend", told.is_some()))
            }
        }
    }
}

/// What a mark in the plot means, where there is one.
fn key(class: &str, text: &str, is_there: bool) -> Markup {
    html! {
        @if is_there { span { span class={ "key " (class) } {} (text) } }
    }
}

/// Whether there is anything to see: points of more than a day.
fn is_worth_a_plot(points: &[Point]) -> bool {
    let span = points.first().zip(points.last()).map(|(first, last)| last.at - first.at);
    points.len() >= FEWEST && span.is_some_and(|span| span > TimeDelta::days(1))
}

/// The trend, from the first restore on to where it passes its goal, or a little ahead.
fn expected(forecast: &Forecast, first: DateTime<Utc>) -> [(DateTime<Utc>, f64); 2] {
    let shown = (forecast.as_of - first).as_seconds_f64() * AHEAD;
    #[expect(clippy::cast_possible_truncation, reason = "seconds of some months")]
    let ahead = TimeDelta::try_seconds(shown as i64).unwrap_or_default();
    let begin = first.max(forecast.as_of - TimeDelta::days(forecast.days));
    let end = forecast.passed_at.unwrap_or(forecast.as_of + ahead).max(forecast.as_of + ahead);
    [begin, end].map(|at| (at, forecast.seconds_at(at)))
}

/// What the plot of restores shows, for those who do not see it.
fn described(database: &Statistics) -> String {
    database.restore.as_ref().map_or_else(String::new, |restore| {
        format!(
            "How long {} restores took: the last one {}, half of them no longer than {}, 95 of 100 no longer than {}",
            restore.count,
            seconds(restore.last),
            seconds(restore.median),
            seconds(restore.p95)
        )
    })
}

/// A backup that was made.
struct Made {
    at: DateTime<Utc>,
    bytes: Option<u64>,
    rows: Option<u64>,
}

/// The backups that are on record, or lie somewhere, each once, the oldest first.
fn backups(
    evidence: &Evidence<'_>,
    runs: &[&Record],
    database: Option<&str>,
    since: DateTime<Utc>,
) -> Vec<Made> {
    let mut named: BTreeMap<String, Made> = BTreeMap::new();
    for run in runs.iter().filter(|run| run.soundness() == Verdict::Passed) {
        let at = match run.work {
            Work::Create => Some(run.started_at),
            Work::Verify => time_in_name(&run.backup),
            Work::Restore | Work::CheckKeys | Work::Scrub => None,
        };
        let Some(at) = at.filter(|at| *at >= since) else { continue };
        let made = named.entry(run.backup.clone()).or_insert(Made { at, bytes: None, rows: None });
        made.bytes = made.bytes.or(run.file_bytes);
        made.rows = made.rows.or(run.rows);
    }
    let there = evidence.on_record.places.iter().flat_map(|place| &place.backups);
    let of_it = |backup: &&Listed| backup.database.as_deref() == database && backup.time >= since;
    for backup in there.filter(of_it) {
        let name = backup.name.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let made = Made { at: backup.time, bytes: Some(backup.bytes), rows: backup.rows };
        named.entry(name).or_insert(made);
    }
    let mut all: Vec<Made> = named.into_values().collect();
    all.sort_by_key(|made| made.at);
    all
}

fn sizes(backups: &[Made]) -> Markup {
    series("Size of a backup", Unit::Bytes, backups, |made| made.bytes)
}

fn rows(backups: &[Made]) -> Markup {
    series("Rows in it", Unit::Count, backups, |made| made.rows)
}

fn series(title: &str, unit: Unit, backups: &[Made], of: impl Fn(&Made) -> Option<u64>) -> Markup {
    let point = |made: &Made| {
        #[expect(clippy::cast_precision_loss, reason = "a place in a plot")]
        let value = of(made)? as f64;
        Some(Point { at: made.at, value, kind: Kind::Good })
    };
    let points: Vec<Point> = backups.iter().filter_map(point).collect();
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return html! {} };
    if !is_worth_a_plot(&points) {
        return html! {};
    }
    let words = |value: f64| super::axis::label(value, unit, value);
    let said = format!("{title}: from {} to {}", words(first.value), words(last.value));
    let plot = Plot { unit, points, is_joined: true, limit: None, expected: None };
    html! {
        figure {
            figcaption { (title) }
            div role="img" aria-label=(said) { (plot.half()) }
        }
    }
}

fn first_upper(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
