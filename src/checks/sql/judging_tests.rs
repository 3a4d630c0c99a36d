use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::pg::ServerError;

fn check(expected: Expected) -> SqlCheck {
    SqlCheck {
        name: "orders".to_owned(),
        query: "SELECT 1".to_owned(),
        expected,
        database: None,
        role: None,
        timeout: Duration::from_secs(30),
    }
}

fn rows(rows: &[&[Option<&str>]]) -> Answer {
    let text = |value: &Option<&str>| value.map(str::to_owned);
    let of: Vec<Vec<Option<String>>> =
        rows.iter().map(|row| row.iter().map(text).collect()).collect();
    Answer::Rows { columns: rows.first().map_or(1, |row| row.len()), rows: of }
}

fn judged(expected: Expected, answer: &Answer) -> (Status, String) {
    let result = judge(&check(expected), answer);
    (result.status, result.title)
}

fn row(values: &[Value]) -> Expected {
    Expected::Row(values.to_vec())
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[test]
fn a_row_is_compared_value_by_value_whatever_its_types() {
    use Value::{Boolean, Fraction, Whole};
    for (value, found, same) in [
        (Whole(5), "5", true),
        (Whole(5), "5.00", true),
        (Whole(5), "5.01", false),
        (Whole(-7), "-7", true),
        (Whole(i64::MAX), "9223372036854775807", true),
        (Whole(i64::MAX), "9223372036854775806", false),
        (Whole(5), "five", false),
        (Fraction(0.1), "0.1", true),
        (Fraction(0.1), "0.10", true),
        (Fraction(0.1), "NaN", false),
        (Boolean(true), "t", true),
        (Boolean(false), "t", false),
        (Boolean(false), "false", true),
        (Boolean(true), "1", false),
        (text("ä b"), "ä b", true),
        (text(""), "", true),
        (text("5"), "5.0", false),
    ] {
        let (status, title) = judged(row(std::slice::from_ref(&value)), &rows(&[&[Some(found)]]));
        assert_eq!(status == Status::Passed, same, "{value:?} {found}: {title}");
    }
}

#[test]
fn several_columns_are_a_list() {
    let expected = || row(&[Value::Whole(1), text("a")]);
    assert_eq!(judged(expected(), &rows(&[&[Some("1"), Some("a")]])).1, "orders (1, a)");
    let (status, title) = judged(expected(), &rows(&[&[Some("1"), Some("b")]]));
    assert_eq!((status, title.as_str()), (Status::Failed, "orders: expected 1, a, found 1, b"));
    let (_, title) = judged(expected(), &rows(&[&[Some("1")]]));
    assert_eq!(title, "orders: expected 1, a, found 1 column: 1");
    let (_, title) = judged(row(&[Value::Whole(1)]), &rows(&[&[Some("1"), Some("2")]]));
    assert_eq!(title, "orders: expected 1, found 2 columns: 1, 2");
}

#[test]
fn no_row_null_and_more_than_one_row_are_no_answer_that_is_expected() {
    let one = || row(&[Value::Whole(1)]);
    for (expected, answer, found) in [
        (one(), rows(&[]), "expected 1, found no row"),
        (one(), rows(&[&[None]]), "expected 1, found NULL"),
        (row(&[text("NULL")]), rows(&[&[None]]), "expected NULL, found NULL"),
        (one(), rows(&[&[Some("1")], &[Some("1")]]), "expected 1, found more than one row"),
        (Expected::AtLeast(1.0), rows(&[]), "expected at least 1, found no row"),
        (Expected::AtLeast(1.0), rows(&[&[None]]), "expected at least 1, found NULL"),
        (Expected::AtLeast(1.0), rows(&[&[Some("0.5")]]), "expected at least 1, found 0.5"),
        (Expected::AtMost(1.0), rows(&[&[Some("1.5")]]), "expected at most 1, found 1.5"),
        (Expected::AtMost(1.0), rows(&[&[Some("x")]]), "expected at most 1, found x"),
        (Expected::AtMost(1.0), rows(&[&[Some("NaN")]]), "expected at most 1, found NaN"),
        (Expected::AtMost(1.0), rows(&[&[Some("0"), Some("0")]]), "found 2 columns: 0, 0"),
        (Expected::Nothing, rows(&[&[Some("7"), None]]), "expected no row, found 7, NULL"),
        (Expected::Something, rows(&[]), "expected a row, found no row"),
    ] {
        let (status, title) = judged(expected, &answer);
        assert!(status == Status::Failed && title.ends_with(found), "{title}: {found}");
    }
}

#[test]
fn limits_and_emptiness_hold() {
    for (expected, answer, title) in [
        (Expected::AtLeast(1.0), rows(&[&[Some("1")]]), "orders (1)"),
        (Expected::AtMost(1.5), rows(&[&[Some("1.50")]]), "orders (1.50)"),
        (Expected::AtLeast(0.0), rows(&[&[Some("Infinity")]]), "orders (Infinity)"),
        (Expected::Nothing, rows(&[]), "orders"),
        (Expected::Something, rows(&[&[None]]), "orders (NULL)"),
        (Expected::Something, rows(&[&[None], &[None]]), "orders (rows)"),
    ] {
        assert_eq!(judged(expected, &answer), (Status::Passed, title.to_owned()));
    }
}

#[test]
fn a_refusal_fails_with_the_servers_words_and_what_was_not_told_is_not_run() {
    let refusal = || ServerError {
        code: "42P01".into(),
        message: "relation \"orders\" does not exist".into(),
        detail: None,
        hint: Some("perhaps".into()),
        context: None,
        position: None,
    };
    let check = check(Expected::Nothing);
    let result = judge(&check, &Answer::Refused(refusal()));
    assert_eq!(result.status, Status::Failed);
    assert_eq!(result.title, "orders: relation \"orders\" does not exist");
    assert_eq!(result.details, ["perhaps"]);
    assert_eq!(judge(&check, &Answer::Unusable("no")).status, Status::Failed);
    for why in [
        NotAsked::TooSlow,
        NotAsked::Role(refusal()),
        NotAsked::Wanting("no room".into()),
        NotAsked::Lacking("the library x".into(), "use another image".into()),
    ] {
        let result = judge(&check, &Answer::Not(why));
        assert_eq!((result.status, result.id.as_str()), (Status::NotRun, "own.orders"));
    }
    assert_eq!(of_another(&check, "shop").status, Status::Shown);
}

#[test]
fn what_a_database_says_is_one_short_line() {
    let long = "x".repeat(1_000);
    let (_, title) =
        judged(Expected::Nothing, &rows(&[&[Some("a\nb\u{1b}[0m"), Some(&long), Some("")]]));
    assert!(
        title.starts_with("orders: expected no row, found a\u{fffd}b\u{fffd}[0m, xxx"),
        "{title}"
    );
    assert!(title.ends_with("x…, an empty text") && title.chars().count() < 150, "{title}");
}

proptest! {
    #[test]
    fn any_answer_can_be_judged(found in "\\PC{0,80}", limit in any::<f64>(), number in any::<i64>()) {
        for expected in [row(&[Value::Whole(number)]), Expected::AtLeast(limit), row(&[Value::Fraction(limit)])] {
            judged(expected, &rows(&[&[Some(&found)]]));
        }
        let same = judged(row(&[Value::Whole(number)]), &rows(&[&[Some(&number.to_string())]]));
        prop_assert_eq!(same.0, Status::Passed);
    }
}
