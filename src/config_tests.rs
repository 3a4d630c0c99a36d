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
    assert_eq!(config.checks.migrations, Migrations::None);
    assert_eq!(config.checks.sequences, OnFinding::Warn);
    let rows = [("sales.orders", 1000), ("users", 1)];
    assert_eq!(config.checks.rows, rows.map(|(name, n)| (name.into(), Least::Rows(n))).into());
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
