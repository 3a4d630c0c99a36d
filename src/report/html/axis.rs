//! Where the marks of an axis are, and what stands at them: times, durations, sizes, numbers.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveTime, Utc};

use crate::model::forecast::days_between;
use crate::report::drill::seconds;

/// What the values of an axis are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Durations, in seconds.
    Seconds,
    /// Sizes, in bytes.
    Bytes,
    /// Numbers of things.
    Count,
}

/// Steps that people count durations in, in seconds.
const DURATIONS: [f64; 25] = [
    0.001, 0.01, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0,
    1_800.0, 3_600.0, 7_200.0, 10_800.0, 21_600.0, 43_200.0, 86_400.0, 172_800.0, 604_800.0,
];
/// What is shorter has days for marks, and not months.
const FEW_DAYS: f64 = 70.0;
/// Days of a month.
const MONTH: f64 = 30.44;
/// Units of sizes, from the smallest on.
const SIZES: [(f64, &str); 5] = [
    (1.0, "B"),
    (1024.0, "KiB"),
    (1_048_576.0, "MiB"),
    (1_073_741_824.0, "GiB"),
    (1_099_511_627_776.0, "TiB"),
];

/// The marks up to `most`, from 0 on: no more than `count` besides that one.
pub(super) fn marks(most: f64, unit: Unit, count: u32) -> Vec<f64> {
    let least = most / f64::from(count);
    let step = match unit {
        Unit::Seconds => DURATIONS.into_iter().find(|step| *step >= least),
        Unit::Bytes => {
            let scale = scale(most).0;
            Some(round_step(least / scale) * scale)
        }
        Unit::Count => Some(round_step(least).ceil().max(1.0)),
    };
    let step = step.unwrap_or_else(|| round_step(least));
    let mut marks = vec![0.0];
    while let Some(last) = marks.last().copied().filter(|last| last + step <= most) {
        marks.push(last + step);
    }
    marks
}

/// The next 1, 2, 2½ or 5 with zeros behind it, or before.
fn round_step(least: f64) -> f64 {
    if least <= 0.0 || !least.is_finite() {
        return 1.0;
    }
    let power = 10_f64.powf(least.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0].into_iter().find(|step| step * power >= least * 0.999_999);
    step.unwrap_or(10.0) * power
}

/// The unit that a size of up to `most` is told in.
fn scale(most: f64) -> (f64, &'static str) {
    SIZES.into_iter().rev().find(|(scale, _)| most >= *scale).unwrap_or(SIZES[0])
}

/// What stands at a mark, of an axis up to `most`.
pub(super) fn label(value: f64, unit: Unit, most: f64) -> String {
    match unit {
        _ if value == 0.0 => "0".to_owned(),
        Unit::Seconds => seconds(value),
        Unit::Bytes => {
            let (scale, name) = scale(most);
            format!("{} {name}", short(value / scale))
        }
        Unit::Count => match value {
            1e9.. => format!("{} bn", short(value / 1e9)),
            1e6.. => format!("{} m", short(value / 1e6)),
            10_000.0.. => format!("{} k", short(value / 1e3)),
            _ => short(value),
        },
    }
}

/// A number with no more decimals than it needs, and two at the most.
fn short(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The marks of a time, no more than `most`: each with its day from `begin`, and what stands there. They are beginnings of
/// months, or days where it is short.
pub(super) fn dates(begin: DateTime<Utc>, end: DateTime<Utc>, most: u32) -> Vec<(f64, String)> {
    let (days, most) = (days_between(begin, end), f64::from(most));
    let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
    let mut marks = Vec::new();
    let (mut day, next): (_, Box<dyn Fn(NaiveDate) -> Option<NaiveDate>>) = if days < FEW_DAYS {
        let steps = [1_u32, 2, 7, 14, 28];
        let step = steps.into_iter().find(|step| days / f64::from(*step) <= most).unwrap_or(28);
        let next = move |day: NaiveDate| day.checked_add_days(Days::new(step.into()));
        (begin.date_naive(), Box::new(next))
    } else {
        let steps = [1, 2, 3, 6, 12];
        let fits = |step: &u32| days / (MONTH * f64::from(*step)) <= most;
        let step = steps.into_iter().find(fits).unwrap_or(12);
        let next = move |day: NaiveDate| day.checked_add_months(Months::new(step));
        (beginning(begin.date_naive(), step), Box::new(next))
    };
    while midnight(day) <= end {
        let at = days_between(begin, midnight(day));
        if at >= 0.0 {
            let text = match day.month() {
                _ if days < FEW_DAYS => day.format("%-d %b"),
                1 => day.format("%Y"),
                _ => day.format("%b"),
            };
            marks.push((at, text.to_string()));
        }
        let Some(later) = next(day) else { break };
        day = later;
    }
    marks
}

/// The beginning of the month, of the months of a year taken by so many, that a day is in.
fn beginning(day: NaiveDate, step: u32) -> NaiveDate {
    let month = day.month0() / step * step;
    NaiveDate::from_ymd_opt(day.year(), month + 1, 1).unwrap_or(day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_where_people_count_and_no_more_than_there_is_room_for() {
        let labels = |most: f64, unit| -> Vec<String> {
            marks(most, unit, 5).into_iter().map(|mark| label(mark, unit, most)).collect()
        };
        assert_eq!(labels(2_900.0, Unit::Seconds), ["0", "10 min", "20 min", "30 min", "40 min"]);
        assert_eq!(labels(4.2, Unit::Seconds), ["0", "1.0 s", "2.0 s", "3.0 s", "4.0 s"]);
        assert_eq!(labels(16_000_000.0, Unit::Bytes), ["0", "5 MiB", "10 MiB", "15 MiB"]);
        assert_eq!(labels(1.3 * 1_073_741_824.0, Unit::Bytes), ["0", "0.5 GiB", "1 GiB"]);
        assert_eq!(labels(1_265_000.0, Unit::Count), ["0", "500 k", "1 m"]);
        assert_eq!(labels(3.0, Unit::Count), ["0", "1", "2", "3"]);
        assert_eq!(labels(0.0, Unit::Count), ["0"]);
        for unit in [Unit::Seconds, Unit::Bytes, Unit::Count] {
            for power in -3..15 {
                let marks = marks(7.3 * 10_f64.powi(power), unit, 5).len();
                assert!((1..=6).contains(&marks), "{unit:?} 10^{power}: {marks}");
            }
        }
    }

    #[test]
    fn dates_are_months_or_days_and_say_the_year_where_it_begins() {
        let at = |text: &str| DateTime::parse_from_rfc3339(text).unwrap().to_utc();
        let texts = |begin, end, most| -> Vec<String> {
            dates(at(begin), at(end), most).into_iter().map(|(_, text)| text).collect()
        };
        let year = ("2025-02-10T02:00:00Z", "2026-02-20T02:00:00Z");
        assert_eq!(texts(year.0, year.1, 5), ["Apr", "Jul", "Oct", "2026"]);
        assert_eq!(texts(year.0, year.1, 13).len(), 12);
        let week = ("2026-01-10T02:00:00Z", "2026-01-16T02:00:00Z");
        assert_eq!(texts(week.0, week.1, 4), ["12 Jan", "14 Jan", "16 Jan"]);
        assert_eq!(texts(week.0, week.0, 4), Vec::<String>::new());
        let marks = dates(at(week.0), at(week.1), 9);
        assert!((marks[0].0 - 22.0 / 24.0).abs() < 1e-9, "{marks:?}");
    }
}
