//! A forecast in words.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::model::forecast::{Forecast, Outlook, days_between};
use crate::model::outcome::{counted, spoken};

/// What is going to be, in a sentence without its full stop.
pub fn said(now: DateTime<Utc>, outlook: &Outlook) -> String {
    let forecast = match outlook {
        Outlook::Told(forecast) => forecast,
        Outlook::TooLittle { restores, days, least_restores, least_days } => {
            return format!(
                "not yet: {} over {}, of {least_restores} over {least_days}",
                counted(*restores as u64, "restore"),
                counted(days.unsigned_abs(), "day"),
            );
        }
    };
    let Some(rto) = forecast.rto_seconds else {
        return "no time is set that a restore may take (--rto)".to_owned();
    };
    let rto = seconds(rto);
    match forecast.passed_at {
        Some(at) if at <= now => format!("{rto} is passed already"),
        Some(at) => format!("{rto} will be passed in {}", span(days_between(now, at))),
        None => {
            format!("{rto} will not be passed within {}", span(days_between(now, forecast.until)))
        }
    }
}

/// What it is made of, in a few words.
pub fn basis(now: DateTime<Utc>, forecast: &Forecast) -> String {
    let change = match forecast.seconds_a_month {
        change if change > 0.0 => format!("{} more a month", seconds(change)),
        change if change < 0.0 => format!("{} less a month", seconds(-change)),
        _ => "no more each month".to_owned(),
    };
    let restores = counted(forecast.restores as u64, "restore");
    let days = counted(forecast.days.unsigned_abs(), "day");
    format!("now {}, {change}; {restores} over {days}", seconds(forecast.seconds_at(now)))
}

fn seconds(seconds: f64) -> String {
    spoken(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

/// A time to come, as roughly as it is known.
fn span(days: f64) -> String {
    let (count, unit) = match days {
        ..1.0 => return "less than a day".to_owned(),
        ..14.0 => (days, "day"),
        ..60.0 => (days / 7.0, "week"),
        ..730.0 => (days / 30.44, "month"),
        _ => (days / 365.25, "year"),
    };
    let s = if count.round() > 1.0 { "s" } else { "" };
    format!("about {} {unit}{s}", in_words(count.round()))
}

fn in_words(number: f64) -> String {
    const WORDS: [&str; 12] = [
        "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
        "twelve",
    ];
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 or more")]
    let at = number as usize;
    WORDS.get(at.wrapping_sub(1)).map_or_else(|| at.to_string(), |word| (*word).to_owned())
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn forecast(rto_seconds: Option<f64>, passed_in: Option<i64>) -> Outlook {
        let as_of = DateTime::UNIX_EPOCH;
        Outlook::Told(Forecast {
            engine: "docker".to_owned(),
            restores: 61,
            days: 60,
            as_of,
            seconds: 1_860.0,
            seconds_a_month: 168.0,
            bytes_a_month: 1.0,
            rto_seconds,
            passed_at: passed_in.map(|days| as_of + TimeDelta::days(days)),
            until: as_of + TimeDelta::days(240),
        })
    }

    fn text(outlook: &Outlook) -> String {
        said(DateTime::UNIX_EPOCH, outlook)
    }

    #[test]
    fn a_forecast_says_when_the_time_is_passed_that_a_restore_may_take() {
        let of = |days| text(&forecast(Some(2_700.0), days));
        assert_eq!(of(Some(150)), "45 min will be passed in about five months");
        assert_eq!(of(Some(0)), "45 min is passed already");
        assert_eq!(of(None), "45 min will not be passed within about eight months");
        assert!(text(&forecast(None, None)).contains("--rto"));
        let Outlook::Told(told) = forecast(None, None) else { panic!() };
        assert_eq!(
            basis(DateTime::UNIX_EPOCH + TimeDelta::days(30), &told),
            "now 33 min 48 s, 2 min 48 s more a month; 61 restores over 60 days"
        );
    }

    #[test]
    fn too_little_is_said_to_be_too_little() {
        let outlook =
            Outlook::TooLittle { restores: 1, days: 0, least_restores: 8, least_days: 28 };
        assert_eq!(text(&outlook), "not yet: 1 restore over 0 days, of 8 over 28");
    }

    #[test]
    fn a_time_to_come_is_told_roughly() {
        let spans = [0.5, 1.0, 5.4, 13.9, 14.0, 59.0, 61.0, 365.0, 400.0, 900.0].map(span);
        assert_eq!(
            spans,
            [
                "less than a day",
                "about one day",
                "about five days",
                "about 14 days",
                "about two weeks",
                "about eight weeks",
                "about two months",
                "about twelve months",
                "about 13 months",
                "about two years",
            ]
        );
    }
}
