use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(Path::new("ccc-backup.toml"), text)
}

#[test]
fn what_is_not_said_is_as_without_a_file() {
    assert_eq!(parse("").unwrap(), Config::default());
    assert_eq!(parse("[checks]\n[verify]\n").unwrap(), Config::default());
}

#[test]
fn everything_can_be_said() {
    let config = parse(
        "[checks]\ntables = [\"users\", \"sales.orders\"]\nmigrations = \"none\"\n\
         sequences = \"warn\"\n\n[checks.rows]\nusers = 1\n\"sales.orders\" = 1000\n\n[verify]\nimage = \"postgis/postgis:15-3.4\"\n\
         memory = \"4GB\"\ncpus = 2\nrequire_proof = true\n\n\
         [verify.settings]\nshared_preload_libraries = \"timescaledb\"\njit = true\n\
         max_connections = 50\n",
    )
    .unwrap();
    assert_eq!(config.checks.tables.as_deref().unwrap(), ["users", "sales.orders"]);
    assert_eq!(config.checks.migrations.kind, Some(MigrationKind::None));
    assert_eq!(config.checks.sequences, OnFinding::Warn);
    let rows = [("sales.orders", 1000), ("users", 1)];
    let rule = |min| RowRule { min: Some(min), ..RowRule::default() };
    assert_eq!(config.checks.rows.tables, rows.map(|(name, n)| (name.into(), rule(n))).into());
    assert_eq!(config.verify.image.as_deref(), Some("postgis/postgis:15-3.4"));
    assert_eq!((config.verify.memory.as_deref(), config.verify.cpus), (Some("4GB"), Some(2.0)));
    assert!(config.verify.require_proof);
    let settings: Vec<String> =
        config.verify.settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let expected = ["jit=on", "max_connections=50", "shared_preload_libraries=timescaledb"];
    assert_eq!(settings, expected);
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_key() {
    let cases = [
        ("[checks]\n\ntabels = []\n", 3, Some("did you mean tables?")),
        ("[checks]\nmigrations = \"non\"\n", 2, Some("did you mean none?")),
        ("[verfy]\n", 1, Some("did you mean verify?")),
        ("[checks]\nzebra = 1\n", 2, None),
    ];
    for (text, expected, hint) in cases {
        let error = parse(text).unwrap_err();
        let ConfigError::Wrong { line, .. } = &error else { panic!("{error}") };
        assert_eq!(*line, expected, "{error}");
        assert_eq!(error.hint().starts_with("did"), hint.is_some(), "{error}");
        hint.into_iter().for_each(|hint| assert_eq!(error.hint(), hint));
    }
}

#[test]
fn least_rows_that_are_no_number_or_of_an_unquoted_name_say_how_they_are_written() {
    for text in ["users = -1", "users = \"many\"", "users = 1.5", "sales.orders = 1"] {
        let error = parse(&format!("[checks.rows]\n{text}\n")).unwrap_err().to_string();
        assert!(error.contains("line 2: ") && error.contains("whole number"), "{error}");
    }
}

#[test]
fn what_is_asked_of_a_database_can_be_said() {
    let checks = parse(
        "[checks]\nmax_age = \"26h\"\ncoverage = \"fail\"\n\n[checks.migrations]\nkind = \"alembic\"\n\
         table = \"app.alembic_version\"\ndirectory = \"alembic\"\nrequire_head = true\n\n\
         [checks.rows]\nmax_drop = \"20%\"\nmax_growth = \"300 %\"\n\"public.users\" = 100\n\
         \"public.orders\" = { min = 100, max_drop = \"0.5%\", max_growth = \"50%\" }\n\n\
         [[checks.sql]]\nname = \"a\"\nquery = \"SELECT 1\"\nexpect = [1, 1.5, true, \"x\"]\nrole = \"app\"\n\
         [[checks.sql]]\nname = \"b\"\nquery = \"SELECT 1\"\nmin = 1\ntimeout = \"5s\"\ndatabase = \"shop\"\n",
    )
    .unwrap()
    .checks;
    assert_eq!((checks.max_age.as_deref(), checks.coverage), (Some("26h"), Some(OnFinding::Fail)));
    let migrations = &checks.migrations;
    assert_eq!(migrations.kind, Some(MigrationKind::Alembic));
    assert_eq!(migrations.directory.as_deref(), Some(Path::new("alembic")));
    assert!(migrations.require_head && migrations.table.is_some());
    assert_eq!(checks.rows.max_drop, Some(Percent(20.0)));
    assert_eq!(checks.rows.max_growth, Some(Percent(300.0)));
    let orders =
        RowRule { min: Some(100), max_drop: Some(Percent(0.5)), max_growth: Some(Percent(50.0)) };
    assert_eq!(checks.rows.tables["public.orders"], orders);
    let row = [
        Scalar::Number(Number::Whole(1)),
        Scalar::Number(Number::Fraction(1.5)),
        Scalar::Boolean(true),
        Scalar::Text("x".to_owned()),
    ];
    assert_eq!(checks.sql[0].expect, Some(Expected::Row(row.to_vec())));
    assert_eq!(checks.sql[1].min, Some(Number::Whole(1)));
}

#[test]
fn what_is_asked_wrongly_is_told_with_its_line() {
    for (text, line, why) in [
        (
            "[checks.rows]\nusers = 1\nmax_drop = \"20\"\n",
            3,
            "\"20\" is no percentage: write it as \"20%\"",
        ),
        ("[checks.rows]\nmax_drop = 20\n", 2, "expected a percentage, such as \"20%\""),
        ("[checks.rows]\nmax_drop = \"-5%\"\n", 2, "is no percentage"),
        ("[checks.rows]\nmax_drop = \"inf%\"\n", 2, "is no percentage"),
        ("[checks.rows]\nmax_drop = \"120%\"\n", 2, "max_drop is 100% at the most"),
        ("[checks.rows]\nusers = { max_growth = \"many\" }\n", 2, "is no percentage"),
        ("[checks.rows]\nusers = { mix = 1 }\n", 2, "unknown key \"mix\""),
        ("[checks.migrations]\nkind = \"alembik\"\n", 2, "unknown variant `alembik`"),
        ("[checks.migrations]\ndirectry = \"alembic\"\n", 2, "unknown field `directry`"),
        ("[checks]\nmigrations = 5\n", 2, "what keeps the migrations"),
        (
            "[[checks.sql]]\nname = \"a\"\nquery = \"x\"\nexpect = { a = 1 }\n",
            4,
            "a text, a number, true or false",
        ),
        ("[[checks.sql]]\nname = \"a\"\nquery = \"x\"\nmin = \"1\"\n", 4, "expected a number"),
        ("[[checks.sql]]\nname = \"a\"\n", 1, "missing field `query`"),
    ] {
        let error = parse(text).unwrap_err();
        let ConfigError::Wrong { line: found, message, .. } = &error else { panic!("{error}") };
        assert!(message.contains(why), "{error}: {why}");
        assert_eq!(*found, line, "{error}");
    }
}

#[test]
fn a_directory_of_migrations_leads_from_the_configuration() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "[checks.migrations]\ndirectory = \"alembic\"\n").unwrap();
    let migrations = Config::read(Some(file.path())).unwrap().checks.migrations;
    let home = file.path().parent().unwrap();
    assert_eq!(migrations.directory, Some(home.join("alembic")));
    assert_eq!(migrations.home, home);
}

#[test]
fn what_is_no_toml_or_of_the_wrong_kind_is_named_with_its_line() {
    for text in ["[checks", "[checks]\ntables = 5\n", "[verify.settings]\nx = [1]\n", "a = \n"] {
        assert!(matches!(parse(text), Err(ConfigError::Wrong { line: 1 | 2, .. })), "{text}");
    }
}

#[test]
fn what_is_ours_or_roots_and_nobody_elses_to_write_is_trusted() {
    for (owner, mode) in [(0, 0o644), (7, 0o600), (7, 0o40755), (0, 0o444)] {
        assert_eq!(distrusted(owner, mode, 7), None, "{owner} {mode:o}");
    }
    for (owner, mode, why) in [
        (8, 0o644, "the user 8"),
        (7, 0o664, "its group"),
        (0, 0o646, "everybody"),
        (0, 0o41777, "everybody"),
    ] {
        assert!(distrusted(owner, mode, 7).unwrap().contains(why), "{owner} {mode:o}");
    }
    assert!(distrusted(7, 0o644, 0).is_some(), "root does not run what another user writes");
}

#[test]
fn files_of_signatures_lie_beside_the_configuration_unless_they_are_named_otherwise() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = "[signing]\nkey = \"keys/sign\"\nallowed_signers = \"/etc/allowed\"\n";
    std::fs::write(file.path(), text).unwrap();
    let signing = Config::read(Some(file.path())).unwrap().signing;
    assert_eq!(signing.key, Some(file.path().parent().unwrap().join("keys/sign")));
    assert_eq!(signing.allowed_signers.as_deref(), Some(Path::new("/etc/allowed")));
    assert_eq!(signing.passphrase_file, None);
}

#[test]
fn a_named_file_must_be_there() {
    assert!(Config::read(Some(Path::new("/nowhere/x.toml"))).is_err());
}

proptest! {
    #[test]
    fn any_text_can_be_read(text in "\\PC{0,200}") {
        let _ = parse(&text);
    }
}
