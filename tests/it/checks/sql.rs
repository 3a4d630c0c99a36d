//! `[[checks.sql]]`.

use super::{NO_APPLICATION, verified};
use crate::support::{Place, good_dump, unchanged_database};

/// A check of this name, with these lines.
fn check(name: &str, lines: &str) -> String {
    format!("[[checks.sql]]\nname = \"{name}\"\n{lines}\n")
}

fn asking(checks: &[String]) -> String {
    format!("{NO_APPLICATION}{}", checks.concat())
}

/// Questions that the good dump answers as it should, and what is said of each.
fn good() -> (String, Vec<&'static str>) {
    let checks = [
        check("organizations", "query = \"SELECT count(*) FROM organizations\"\nmin = 1"),
        check(
            "no user without a mail",
            "query = \"SELECT 1 FROM users WHERE email IS NULL\"\nempty = true",
        ),
        check("some user", "query = \"TABLE users\"\nempty = false"),
        check(
            "values",
            "query = \"SELECT 1::numeric(9,2), 'a', true, 2.5, 7::bigint;\"\nexpect = [1, \"a\", true, 2.5, 7]",
        ),
        check("a mood", "query = \"VALUES (NULL::int IS NULL)\"\nexpect = true\ntimeout = \"5m\""),
        check("few", "query = \"WITH t AS (SELECT 3) SELECT * FROM t -- three\"\nmax = 3.5"),
        check("a date", "query = \"SELECT date '2026-01-14'\"\nexpect = \"2026-01-14\""),
    ];
    let said = vec![
        "✓ no user without a mail",
        "✓ some user (rows)",
        "✓ values (1.00, a, t, 2.5, 7)",
        "✓ a mood (t)",
        "✓ few (3)",
        "✓ a date (2026-01-14)",
    ];
    (asking(&checks), said)
}

#[test]
fn questions_of_ones_own_are_answered_by_the_restored_database_in_every_engine_and_format() {
    let place = Place::on_a_lent_server();
    let (config, said) = good();
    place.file("good.sql", good_dump());
    place.file("good.dump", &unchanged_database().dump(&["-Fc"]));
    for file in ["good.sql", "good.dump"] {
        let outcome = verified(&place, file, &config);
        outcome.passed().says("Verifying checks of your own...");
        said.iter().for_each(|line| {
            outcome.says(line);
        });
        assert!(outcome.stdout.contains("✓ organizations ("), "{outcome}");
    }
    let local = place.outcome(place.verify_locally().args(["good.sql", "--config", "own.toml"]));
    local.passed().says("✓ values (1.00, a, t, 2.5, 7)");
}

#[test]
fn an_answer_that_is_not_expected_fails_whatever_it_is() {
    let place = Place::on_a_lent_server();
    place.file("good.sql", good_dump());
    let cases = [
        ("wrong", "query = \"SELECT 17\"\nexpect = 0", "expected 0, found 17"),
        (
            "rows",
            "query = \"SELECT generate_series(1, 1000000)\"\nexpect = 1",
            "expected 1, found more than one row",
        ),
        ("nothing", "query = \"SELECT 1 WHERE false\"\nexpect = 1", "expected 1, found no row"),
        (
            "null",
            "query = \"SELECT max(id) FROM users WHERE false\"\nmin = 1",
            "expected at least 1, found NULL",
        ),
        ("columns", "query = \"SELECT 1, 2\"\nexpect = 1", "expected 1, found 2 columns: 1, 2"),
        (
            "no column",
            "query = \"SELECT FROM users\"\nempty = false",
            "it gives no columns: only a query that reads can be asked, such as a SELECT",
        ),
        ("some", "query = \"SELECT 7\"\nempty = true", "expected no row, found 7"),
        (
            "absent",
            "query = \"SELECT 1 FROM no_such\"\nempty = true",
            "relation \\\"no_such\\\" does not exist",
        ),
        ("typing", "query = \"SELEC 1\"\nexpect = 1", "syntax error at or near \\\"SELEC\\\""),
        (
            "two",
            "query = \"SELECT 1; DELETE FROM users\"\nexpect = 1",
            "cannot insert multiple commands into a prepared statement",
        ),
        (
            "writing",
            "query = \"DELETE FROM users\"\nempty = true",
            "it gives no columns: only a query that reads can be asked, such as a SELECT",
        ),
        (
            "returning",
            "query = \"DELETE FROM users RETURNING 1\"\nempty = true",
            "only a query that reads can be asked: a SELECT, VALUES, TABLE or WITH",
        ),
        (
            "hidden",
            "query = \"WITH d AS (DELETE FROM users RETURNING 1) SELECT * FROM d\"\nempty = true",
            "DECLARE CURSOR must not contain data-modifying statements in WITH",
        ),
        (
            "moving",
            "query = \"SELECT nextval('organizations_id_seq')\"\nmin = 1",
            "cannot execute nextval() in a read-only transaction",
        ),
        (
            "unbound",
            "query = \"SELECT $1::int\"\nexpect = 1",
            "it has parameters, such as $1, and nothing says what they are",
        ),
        ("dividing", "query = \"SELECT 1 / 0\"\nexpect = 1", "division by zero"),
    ];
    let checks = cases.map(|(name, lines, _)| check(name, lines));
    let outcome = verified(&place, "good.sql", &asking(&checks));
    outcome.failed("wrong: expected 0, found 17");
    for (name, _, why) in cases {
        outcome.says(&format!("✗ {name}: {}", why.replace('\\', "")));
    }
    outcome.says("✓ Contents match the backup (25 tables)");
}

#[test]
fn questions_that_make_no_sense_are_told_before_anything_is_done() {
    let place = Place::without_docker();
    place.file("a.sql", b"");
    for (text, cause) in [
        (check("a", "query = \"SELECT 1\""), "the check \"a\" of [[checks.sql]] expects nothing"),
        (
            check("a", "query = \"SELECT 1\"\nmin = 1\nmax = 2"),
            "has more than one of expect, min, max and empty",
        ),
        (
            check("a", "query = \"SELECT 1\"\nmin = 1").repeat(2),
            "two checks of [[checks.sql]] are called \"a\"",
        ),
        (check("", "query = \"SELECT 1\"\nmin = 1"), "a check of [[checks.sql]] has no name"),
        (check("a", "query = \"\"\nmin = 1"), "the check \"a\" of [[checks.sql]] has no query"),
        (
            "[checks.rows]\nmax_drop = \"much\"\n".to_owned(),
            "own.toml, line 2: \"much\" is no percentage",
        ),
        ("[checks]\nmax_age = \"soon\"\n".to_owned(), "max_age = \"soon\" is no time"),
    ] {
        let outcome = verified(&place, "a.sql", &text);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{outcome}");
        assert!(outcome.stderr.contains(cause), "{cause}: {outcome}");
        outcome.hints("");
    }
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn a_question_that_hangs_or_needs_what_the_sandbox_lacks_is_not_run() {
        let place = Place::on_a_lent_server();
        place.file("good.sql", good_dump());
        let hanging = check(
            "hanging",
            "query = \"SELECT pg_sleep(3600)\"\nempty = false\ntimeout = \"100ms\"",
        );
        let outcome = verified(&place, "good.sql", &asking(std::slice::from_ref(&hanging)));
        outcome.not_verified("hanging: no answer within the 100 ms that it may take");
        outcome.says("✓ Contents match the backup (25 tables)");
        let zone = check("zone", "query = \"SELECT now() AT TIME ZONE 'No/Such'\"\nempty = false");
        let outcome = verified(&place, "good.sql", &asking(&[zone]));
        outcome.not_verified("zone: not asked: the sandbox lacks the time zone No/Such");
        // What is bad stays so, whatever else could not be told.
        let wrong = check("wrong", "query = \"SELECT 17\"\nexpect = 0");
        verified(&place, "good.sql", &asking(&[hanging, wrong]))
            .failed("wrong: expected 0, found 17");
        // On the machine's own server, a backup has no superuser's rights.
        let reading =
            check("reading", "query = \"SELECT length(pg_read_file('PG_VERSION'))\"\nmin = 1");
        place.file("own.toml", asking(&[reading]).as_bytes());
        let local =
            place.outcome(place.verify_locally().args(["good.sql", "--config", "own.toml"]));
        local.not_verified("reading: not asked: the sandbox lacks a superuser's rights");
    }

    #[test]
    fn a_question_of_another_database_is_not_asked_and_said() {
        let place = Place::on_a_lent_server();
        let database = unchanged_database();
        super::super::made(&place, database, &["own.sql.gz"]);
        let named = |name: &str| {
            check("of one", &format!("query = \"SELECT 1\"\nexpect = 1\ndatabase = \"{name}\""))
        };
        let other = verified(&place, "own.sql.gz", &asking(&[named("shop")]));
        other.passed().says("· of one: not asked, for it is of the database shop");
        let ours = verified(&place, "own.sql.gz", &asking(&[named(&database.name)]));
        ours.passed().says("✓ of one (1)");
    }
}
