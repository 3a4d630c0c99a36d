//! Whether an answer is the one that was expected.

use super::{Answer, Expected, NotAsked, SqlCheck, Value};
use crate::model::outcome::{CheckResult, Section, Status, counted, spoken};

/// Letters of a value that are shown.
const SHOWN: usize = 60;

/// The result of a question that was asked.
pub fn judge(check: &SqlCheck, answer: &Answer) -> CheckResult {
    let name = &check.name;
    match answer {
        Answer::Rows { columns, rows } => match differs(&check.expected, *columns, rows) {
            None => result(check, Status::Passed, format!("{name}{}", shown(rows))),
            Some(how) => result(check, Status::Failed, format!("{name}: {how}")),
        },
        Answer::Refused(refusal) => {
            let check = result(check, Status::Failed, format!("{name}: {}", refusal.message));
            let more = [&refusal.detail, &refusal.hint].into_iter().flatten();
            more.fold(check, |check, line| check.detail(line.clone()))
        }
        Answer::Unusable(why) => result(check, Status::Failed, format!("{name}: {why}")),
        Answer::Not(why) => not_asked(check, why),
    }
}

/// The result of a question that was not answered, and says nothing of the backup.
pub fn not_asked(check: &SqlCheck, why: &NotAsked) -> CheckResult {
    let said = |words: String| result(check, Status::NotRun, format!("{}: {words}", check.name));
    match why {
        NotAsked::TooSlow => {
            let limit = spoken(check.timeout);
            said(format!("no answer within the {limit} that it may take"))
                .detail("give it longer (timeout), or ask for less")
        }
        NotAsked::Role(refusal) => said(format!("not asked: {}", refusal.message)),
        NotAsked::Wanting(words) => said(format!("no answer: {words}")),
        NotAsked::Lacking(lack, hint) => said(format!("not asked: {lack}")).detail(hint.clone()),
    }
}

/// A question about another database than the one that the backup is of.
pub fn of_another(check: &SqlCheck, database: &str) -> CheckResult {
    let title = format!("{}: not asked, for it is of the database {database}", check.name);
    result(check, Status::Shown, title)
}

fn result(check: &SqlCheck, status: Status, title: String) -> CheckResult {
    CheckResult::new(format!("own.{}", check.name), Section::Own, status, title)
}

/// In what an answer differs from the one that is expected.
fn differs(expected: &Expected, columns: usize, rows: &[Vec<Option<String>>]) -> Option<String> {
    let wanted = words(expected);
    match (expected, rows) {
        (Expected::Nothing, []) | (Expected::Something, [_, ..]) => None,
        (Expected::Nothing, [_, ..]) => {
            Some(format!("expected no row, found {}", row_of(&rows[0])))
        }
        (_, []) => Some(format!("expected {wanted}, found no row")),
        (_, [_, _, ..]) => Some(format!("expected {wanted}, found more than one row")),
        (Expected::Row(values), [row]) => {
            if values.len() != columns {
                return Some(format!(
                    "expected {wanted}, found {}: {}",
                    counted(columns as u64, "column"),
                    row_of(row)
                ));
            }
            let same = values.iter().zip(row).all(|(value, text)| is(value, text.as_deref()));
            (!same).then(|| format!("expected {wanted}, found {}", row_of(row)))
        }
        (Expected::AtLeast(limit) | Expected::AtMost(limit), [row]) => {
            let [value] = &row[..] else {
                return Some(format!(
                    "expected {wanted}, found {}: {}",
                    counted(columns as u64, "column"),
                    row_of(row)
                ));
            };
            let number = value.as_ref().and_then(|text| text.parse::<f64>().ok());
            let holds = number.is_some_and(|number| match expected {
                Expected::AtLeast(_) => number >= *limit,
                _ => number <= *limit,
            });
            (!holds).then(|| format!("expected {wanted}, found {}", row_of(row)))
        }
    }
}

/// Whether PostgreSQL's text is this value.
fn is(value: &Value, text: Option<&str>) -> bool {
    let Some(text) = text else { return false };
    match value {
        Value::Text(expected) => text == expected,
        Value::Boolean(expected) => match text {
            "t" | "true" => *expected,
            "f" | "false" => !*expected,
            _ => false,
        },
        Value::Whole(expected) => whole(text) == Some(i128::from(*expected)),
        #[expect(clippy::float_cmp, reason = "the same number is written")]
        Value::Fraction(expected) => text.parse::<f64>().is_ok_and(|number| number == *expected),
    }
}

/// The whole number that a text is, `5` or `5.00`.
fn whole(text: &str) -> Option<i128> {
    let digits = match text.split_once('.') {
        Some((digits, zeros)) if zeros.bytes().all(|digit| digit == b'0') => digits,
        _ => text,
    };
    digits.parse().ok()
}

fn words(expected: &Expected) -> String {
    match expected {
        Expected::Row(values) => {
            values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        }
        Expected::AtLeast(limit) => format!("at least {limit}"),
        Expected::AtMost(limit) => format!("at most {limit}"),
        Expected::Nothing => "no row".to_owned(),
        Expected::Something => "a row".to_owned(),
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Boolean(value) => value.fmt(f),
            Self::Whole(number) => number.fmt(f),
            Self::Fraction(number) => number.fmt(f),
            Self::Text(text) => f.write_str(&short(text)),
        }
    }
}

/// What was found, behind the name.
fn shown(rows: &[Vec<Option<String>>]) -> String {
    match rows {
        [] => String::new(),
        [row] => format!(" ({})", row_of(row)),
        [_, ..] => " (rows)".to_owned(),
    }
}

fn row_of(row: &[Option<String>]) -> String {
    let value = |value: &Option<String>| value.as_deref().map_or("NULL".to_owned(), short);
    row.iter().map(value).collect::<Vec<_>>().join(", ")
}

/// A text on one line, and not all of a long one. An empty one is seen.
fn short(text: &str) -> String {
    if text.is_empty() {
        return "an empty text".to_owned();
    }
    let plain = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let short: String = text.chars().take(SHOWN).map(plain).collect();
    if text.chars().nth(SHOWN).is_some() { short + "…" } else { short }
}

#[cfg(test)]
#[path = "judging_tests.rs"]
mod tests;
