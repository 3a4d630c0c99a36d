//! The times of `valid-after` and `valid-before`: ssh-keygen(1), "ALLOWED SIGNERS".

use chrono::{DateTime, Local, NaiveDate, NaiveDateTime, TimeZone, Utc};

/// `YYYYMMDD` or `YYYYMMDDHHMM[SS]`, in the zone of this machine unless `Z` or `UTC` follows.
pub(super) fn parse(text: &str) -> Option<DateTime<Utc>> {
    let utc = ["Z", "z", "UTC", "utc"].iter().find_map(|suffix| text.strip_suffix(suffix));
    let digits = utc.unwrap_or(text);
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = |at: usize, length: usize| digits.get(at..at + length)?.parse::<u32>().ok();
    let seconds = match digits.len() {
        8 => return zoned(date(digits)?.and_hms_opt(0, 0, 0)?, utc.is_some()),
        12 => 0,
        14 => number(12, 2)?,
        _ => return None,
    };
    let time = date(digits)?.and_hms_opt(number(8, 2)?, number(10, 2)?, seconds)?;
    zoned(time, utc.is_some())
}

fn date(digits: &str) -> Option<NaiveDate> {
    let year = digits.get(..4)?.parse().ok()?;
    NaiveDate::from_ymd_opt(year, digits.get(4..6)?.parse().ok()?, digits.get(6..8)?.parse().ok()?)
}

fn zoned(time: NaiveDateTime, is_utc: bool) -> Option<DateTime<Utc>> {
    if is_utc {
        return Some(time.and_utc());
    }
    Local.from_local_datetime(&time).earliest().map(|time| time.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_the_forms_of_ssh_keygen_and_nothing_else_is() {
        let at = |text: &str| parse(text).map(|time| time.to_rfc3339());
        assert_eq!(at("20260114Z").as_deref(), Some("2026-01-14T00:00:00+00:00"));
        assert_eq!(at("202601141430UTC").as_deref(), Some("2026-01-14T14:30:00+00:00"));
        assert_eq!(at("20260114143022Z").as_deref(), Some("2026-01-14T14:30:22+00:00"));
        let local = Local.with_ymd_and_hms(2026, 1, 14, 14, 30, 0).unwrap().with_timezone(&Utc);
        assert_eq!(parse("202601141430"), Some(local));
        for wrong in
            ["", "Z", "2026", "20261301Z", "2026011425Z", "202601142500Z", "2026-01-14", "1º"]
        {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
