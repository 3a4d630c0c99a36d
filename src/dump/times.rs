//! Samples of the times with a zone in a dump. pg_dump writes them in its session's zone and does
//! not say which: it can be told from the offsets only.

use std::collections::BTreeSet;

use chrono::{NaiveDate, NaiveTime};

/// Samples kept.
const MOST: usize = 200;
/// Bytes looked at in each piece of COPY data: enough to see every part of a table, and nothing
/// against its size.
const LOOK: usize = 2048;
/// `2026-01-14 14:30:22`
const TIME: &[u8] = b"dddd-dd-dd dd:dd:dd";

/// Times with an offset, such as `2026-01-14 14:30:22.5+01`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Samples(BTreeSet<String>);

impl Samples {
    /// Takes some times from a piece of COPY data.
    pub fn look_at(&mut self, data: &[u8]) {
        let data = &data[..data.len().min(LOOK)];
        let mut at = 0;
        while self.0.len() < MOST && at + TIME.len() < data.len() {
            match time_at(&data[at..]) {
                Some(length) => {
                    self.0.insert(String::from_utf8_lossy(&data[at..at + length]).into_owned());
                    at += length;
                }
                None => at += 1,
            }
        }
    }

    /// The samples, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The length of the time with an offset that `text` begins with.
fn time_at(text: &[u8]) -> Option<usize> {
    let fits = |pattern: u8, byte: u8| {
        if pattern == b'd' { byte.is_ascii_digit() } else { byte == pattern }
    };
    let head = text.get(..TIME.len())?;
    if !TIME.iter().zip(head).all(|(pattern, byte)| fits(*pattern, *byte)) {
        return None;
    }
    let digits = |from: usize| text[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut at = TIME.len();
    if text.get(at) == Some(&b'.') {
        at += 1 + digits(at + 1);
    }
    if !matches!(text.get(at), Some(b'+' | b'-')) || digits(at + 1) != 2 {
        return None;
    }
    at += 3;
    // PostgreSQL's own limit is 15:59:59.
    if text[at - 2..at] > b"15"[..] {
        return None;
    }
    while text.get(at) == Some(&b':') && digits(at + 1) == 2 {
        at += 3;
    }
    if !is_sensible(head) {
        return None;
    }
    // Cut off, it could be another offset. The era is left out: such times are of no use here.
    matches!(text.get(at), Some(b'\t' | b'\n' | b'"' | b',' | b')' | b'}')).then_some(at)
}

/// Whether digits in the form of a time are one, as the server reads it. Others stand in texts.
fn is_sensible(time: &[u8]) -> bool {
    let number = |range: std::ops::Range<usize>| {
        time[range].iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
    };
    let date = NaiveDate::from_ymd_opt(number(0..4).cast_signed(), number(5..7), number(8..10));
    let of_day = NaiveTime::from_hms_opt(number(11..13), number(14..16), number(17..19));
    number(0..4) > 0 && date.is_some() && of_day.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(data: &str) -> Vec<String> {
        let mut samples = Samples::default();
        samples.look_at(data.as_bytes());
        samples.iter().map(str::to_owned).collect()
    }

    #[test]
    fn times_with_an_offset_are_found() {
        let row = "1\t2026-01-14 14:30:22.5+01\t{\"2026-07-01 00:00:00+05:30\"}\n";
        assert_eq!(found(row), ["2026-01-14 14:30:22.5+01", "2026-07-01 00:00:00+05:30"]);
    }

    #[test]
    fn other_times_and_cut_ones_are_not() {
        assert_eq!(found("2026-01-14 14:30:22\t2026-01-14\t14:30:22+01\n"), [""; 0]);
        assert_eq!(found("1\t2026-01-14 14:30:22+01"), [""; 0]);
        assert_eq!(found("0044-03-15 12:00:00+00 BC\n"), [""; 0]);
    }

    #[test]
    fn what_only_looks_like_a_time_is_none() {
        for text in [
            "2026-02-30 10:00:00+01\n",
            "2026-01-01 25:00:00+01\n",
            "0000-01-01 00:00:00+00\n",
            "2026-01-01 00:00:00-99\n",
        ] {
            assert_eq!(found(text), [""; 0]);
        }
    }

    #[test]
    fn no_more_samples_are_kept_than_are_of_use() {
        let mut samples = Samples::default();
        for second in 0..100_000 {
            let time = format!("{:04}-01-01 00:00:00+00\n", second % 9_999 + 1);
            samples.look_at(time.as_bytes());
        }
        assert_eq!(samples.iter().count(), MOST);
    }
}
