use super::*;

fn rows(text: &str) -> Rows {
    #[derive(serde::Deserialize)]
    struct Table {
        rows: Rows,
    }
    toml::from_str::<Table>(&format!("[rows]\n{text}")).unwrap().rows
}

fn asked(text: &str) -> Result<Vec<SqlCheck>, SettingsError> {
    #[derive(serde::Deserialize)]
    struct Table {
        sql: Vec<config::SqlCheck>,
    }
    questions(toml::from_str::<Table>(text).unwrap().sql)
}

fn refused(text: &str) -> String {
    let error = asked(text).unwrap_err();
    assert!(!error.hint.is_empty());
    error.to_string()
}

#[test]
fn rows_are_demanded_of_the_applications_tables_and_of_others() {
    let checks = Checks {
        rows: rows(
            "users = 5\nalembic_version = 1\n\"sales.orders\" = { min = 9 }\nnotes = { max_drop = \"5%\" }\n",
        ),
        ..Checks::default()
    };
    let (tables, is_cccs) = tables(&checks);
    assert!(is_cccs);
    let demanded: Vec<_> = tables
        .iter()
        .filter_map(|table| Some((table.label.as_str(), table.counted, table.least?)))
        .collect();
    let expected = [("Alembic version", true, 1), ("Users", true, 5), ("sales.orders", true, 9)];
    assert_eq!(demanded, expected);
    assert_eq!(tables.len(), ccc_tables().len() + 2);
}

#[test]
fn bounds_are_those_of_all_tables_and_those_of_single_ones() {
    let bounds = bounds(&rows(
        "max_drop = \"20%\"\nusers = 5\n\"sales.orders\" = { max_growth = \"300%\", max_drop = \"0.5%\" }\n",
    ));
    assert_eq!(bounds.any, Bound { max_drop: Some(20.0), max_growth: None });
    let own = Bound { max_drop: Some(0.5), max_growth: Some(300.0) };
    assert_eq!(bounds.of, [(Some("sales".to_owned()), "orders".to_owned(), own)]);
    assert!(super::bounds(&rows("users = 5\n")).is_empty());
}

#[test]
fn a_time_that_is_none_is_refused() {
    let checks = |text: &str| Checks { max_age: Some(text.to_owned()), ..Checks::default() };
    assert_eq!(max_age(&checks("26h")).unwrap(), Some(Duration::from_secs(26 * 3600)));
    assert_eq!(max_age(&Checks::default()).unwrap(), None);
    let error = max_age(&checks("26")).unwrap_err().to_string();
    assert!(
        error.starts_with("max_age = \"26\" is no time: expected a number and a unit"),
        "{error}"
    );
}

#[test]
fn a_question_has_a_name_a_query_one_expectation_and_a_time() {
    let asked = asked(
        "[[sql]]\nname = \"a\"\nquery = \"SELECT 1\"\nexpect = [1, 2.5, \"x\", true]\nrole = \"app\"\n\
         database = \"shop\"\ntimeout = \"5s\"\n\
         [[sql]]\nname = \"b\"\nquery = \"SELECT 1\"\nmin = 1\n\
         [[sql]]\nname = \"c\"\nquery = \"SELECT 1\"\nmax = 1.5\n\
         [[sql]]\nname = \"d\"\nquery = \"SELECT 1\"\nempty = true\n\
         [[sql]]\nname = \"e\"\nquery = \"SELECT 1\"\nempty = false\n",
    )
    .unwrap();
    let text = Value::Text("x".to_owned());
    let row = vec![Value::Whole(1), Value::Fraction(2.5), text, Value::Boolean(true)];
    let expected: Vec<Expected> = asked.iter().map(|check| check.expected.clone()).collect();
    assert_eq!(
        expected,
        [
            Expected::Row(row),
            Expected::AtLeast(1.0),
            Expected::AtMost(1.5),
            Expected::Nothing,
            Expected::Something
        ]
    );
    assert_eq!((asked[0].timeout, asked[1].timeout), (Duration::from_secs(5), TIMEOUT));
    assert_eq!(
        (asked[0].role.as_deref(), asked[0].database.as_deref()),
        (Some("app"), Some("shop"))
    );
}

#[test]
fn a_question_that_makes_no_sense_is_refused_by_its_name() {
    let one = "[[sql]]\nname = \"a\"\nquery = \"SELECT 1\"\n";
    for (text, why) in [
        (
            "[[sql]]\nname = \" \"\nquery = \"SELECT 1\"\nmin = 1\n".to_owned(),
            "has no name: SELECT 1",
        ),
        (
            "[[sql]]\nname = \"a\"\nquery = \" \"\nmin = 1\n".to_owned(),
            "\"a\" of [[checks.sql]] has no query",
        ),
        (one.to_owned(), "\"a\" of [[checks.sql]] expects nothing"),
        (format!("{one}min = 1\nmax = 2\n"), "has more than one of expect, min, max and empty"),
        (format!("{one}expect = 1\nempty = true\n"), "has more than one of"),
        (format!("{one}expect = []\n"), "expects a row without values"),
        (format!("{one}min = nan\n"), "is held to what is no number"),
        (format!("{one}min = 1\n{one}max = 2\n"), "two checks of [[checks.sql]] are called \"a\""),
        (
            format!("{one}min = 1\ntimeout = \"soon\"\n"),
            "timeout of the check \"a\" = \"soon\" is no time",
        ),
    ] {
        let error = refused(&text);
        assert!(error.contains(why), "{error}: {why}");
    }
}

#[test]
fn what_keeps_migrations_is_alembic_for_ccc_and_found_out_for_others() {
    let keeper = |said: Migrations, is_cccs| migrations(said, is_cccs, false).unwrap().keeper;
    let of = |kind| Migrations { kind: Some(kind), ..Migrations::default() };
    assert_eq!(keeper(Migrations::default(), true), Keeper::Kind(Kind::Alembic));
    assert_eq!(keeper(Migrations::default(), false), Keeper::Found);
    assert_eq!(keeper(of(MigrationKind::None), true), Keeper::None);
    assert_eq!(keeper(of(MigrationKind::Django), true), Keeper::Kind(Kind::Django));
    let table = Some("app.history".to_owned());
    let demand =
        migrations(Migrations { table, ..of(MigrationKind::Flyway) }, false, false).unwrap();
    assert_eq!(demand.table, Some((Some("app".to_owned()), "history".to_owned())));
}

#[test]
fn a_directory_of_migrations_is_there_and_has_files_before_anything_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let with = |directory: &Path| Migrations {
        directory: Some(directory.to_owned()),
        require_head: true,
        ..Migrations::default()
    };
    let refused =
        |directory: &Path| migrations(with(directory), false, false).unwrap_err().to_string();
    assert!(refused(&dir.path().join("none")).contains("cannot be read"));
    assert!(refused(dir.path()).contains("has no file of a revision"));
    std::fs::write(dir.path().join("a.py"), "not understood").unwrap();
    let demand = migrations(with(dir.path()), false, false).unwrap();
    assert_eq!(demand.keeper, Keeper::Kind(Kind::Alembic));
    assert_eq!(demand.source, Some(Source::Directory(dir.path().to_owned())));
}

#[test]
fn what_does_not_go_together_and_a_command_that_nobody_vouched_for_are_refused() {
    let base = Migrations::default;
    let command = Some("alembic heads".to_owned());
    let django = Some(MigrationKind::Django);
    for (said, why) in [
        (Migrations { command: command.clone(), kind: django, ..base() }, "are Alembic's"),
        (
            Migrations { directory: Some("x".into()), kind: Some(MigrationKind::None), ..base() },
            "are Alembic's",
        ),
        (Migrations { require_head: true, ..base() }, "needs the application's migrations"),
        (Migrations { table: Some("t".to_owned()), ..base() }, "needs a kind"),
        (
            Migrations { command: command.clone(), directory: Some("x".into()), ..base() },
            "both list migrations",
        ),
        (Migrations { command: command.clone(), ..base() }, "and is not named"),
    ] {
        let error = migrations(said, false, false).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
    assert!(migrations(Migrations { command, ..base() }, false, true).is_ok());
}
