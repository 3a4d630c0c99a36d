use clap::Parser;

use super::*;
use crate::cli::{Cli, Command};

/// What a configuration comes to with these flags and variables.
fn resolved(
    text: &str,
    flags: &[&str],
    variables: &[(&str, &str)],
) -> Result<CreationSettings, SettingsError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let config = ["--config", file.path().to_str().unwrap()];
    let cli = Cli::try_parse_from([&["ccc-backup", "create"], flags, &config].concat()).unwrap();
    let Command::Create(args) = cli.command else { panic!("not create") };
    create(&args, &|name| {
        let found = variables.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| (*value).to_owned())
    })
}

fn shown(settings: &CreateSettings) -> String {
    let source = &settings.source;
    let text = |field: &Option<String>| field.clone().unwrap_or_else(|| "-".to_owned());
    format!(
        "{}@{}:{}/{} {}",
        text(&source.username),
        text(&source.host),
        text(&source.port),
        text(&source.dbname),
        settings.format
    )
}

/// The backups that are known without asking a server, each as it is reached.
fn backups(text: &str, flags: &[&str], variables: &[(&str, &str)]) -> Vec<String> {
    let settings = resolved(text, flags, variables).unwrap();
    match settings.several {
        None => vec![shown(&settings.backup)],
        Some(several) => several.configured.iter().map(|one| shown(&one.settings)).collect(),
    }
}

const TWO: &str = "[[databases]]\nname = \"shop\"\n\
                   [[databases]]\nname = \"blog\"\nhost = \"h2\"\nport = 5433\nuser = \"u2\"\nformat = \"custom\"\n";

#[test]
fn a_flag_names_one_the_configuration_comes_next_and_the_environment_last() {
    let here = [("DB_HOST", "h1"), ("DB_USER", "u1"), ("DB_NAME", "ccc")];
    assert_eq!(backups("", &[], &here), ["u1@h1:5432/ccc plain"]);
    let both = ["u1@h1:5432/shop plain", "u2@h2:5433/blog custom"];
    assert_eq!(backups(TWO, &[], &here), both);
    assert_eq!(backups(TWO, &["--all-databases"], &here), both);
    assert_eq!(backups(TWO, &["--dbname", "ccc"], &here), ["u1@h1:5432/ccc plain"]);
    // One of the configuration's is backed up as that says.
    assert_eq!(backups(TWO, &["--dbname", "blog"], &here), [both[1]]);
    let url = ["--database-url", "postgresql://u3@h3/shop"];
    assert_eq!(backups(TWO, &url, &here), ["u3@h3:5432/shop plain"]);
    let url = ["--database-url", "postgresql://u3@h3"];
    assert_eq!(backups(TWO, &url, &here).len(), 2);
    // Flags are stronger.
    let flags = ["--host", "h0", "--format", "plain"];
    assert_eq!(backups(TWO, &flags, &here)[1], "u2@h0:5433/blog plain");
}

#[test]
fn a_single_database_of_the_configuration_is_backed_up_alone_and_its_name_says_which_it_is() {
    let one = "[[databases]]\nname = \"shop\"\n";
    let settings = resolved(one, &[], &[("DB_NAME", "ccc")]).unwrap();
    assert!(settings.several.is_none() && settings.backup.names_database);
    assert_eq!(settings.backup.source.dbname.as_deref(), Some("shop"));
    assert!(!resolved(one, &["--dbname", "ccc"], &[]).unwrap().backup.names_database);
    assert!(resolved(one, &["x.sql"], &[]).unwrap().backup.output.is_some());
}

#[test]
fn all_of_a_server_are_meant_where_that_is_said() {
    let several = |text: &str, flags: &[&str]| resolved(text, flags, &[]).unwrap().several;
    assert!(several("", &["--all-databases", "--dbname", "admin"]).unwrap().all);
    assert!(!several(TWO, &[]).unwrap().all && several("", &[]).is_none());
}

#[test]
fn roles_stand_beside_each_of_several_unless_nobody_wants_them() {
    let globals = |text: &str, flags: &[&str]| resolved(text, flags, &[]).unwrap().backup.globals;
    assert!(globals(TWO, &[]) && globals("", &["--all-databases"]));
    assert!(!globals(TWO, &["--no-globals"]) && !globals("", &[]));
}

#[test]
fn a_password_comes_from_the_variable_that_is_named_and_has_no_place_in_the_file() {
    let text = "[[databases]]\nname = \"shop\"\npassword_env = \"SHOP\"\n";
    let both = [("SHOP", "s3cret"), ("DB_PASSWORD", "other")];
    let password = |text, variables: &[(&str, &str)]| {
        let password = resolved(text, &[], variables).unwrap().backup.source.password;
        password.map(|password| password.expose().to_owned())
    };
    assert_eq!(password(text, &both).as_deref(), Some("s3cret"));
    let without = "[[databases]]\nname = \"shop\"\n";
    assert_eq!(password(without, &both).as_deref(), Some("other"));
    let error = resolved(text, &[], &[]).unwrap_err();
    assert!(error.to_string().contains("the variable SHOP has, which is not set"), "{error}");
    let secret = "[[databases]]\nname = \"shop\"\npassword = \"s3cret\"\n";
    let error = resolved(secret, &[], &[]).unwrap_err();
    let all = format!("{error} {}", error.hint);
    assert!(all.contains("password_env") && !all.contains("s3cret"), "{all}");
}

#[test]
fn what_cannot_be_meant_is_refused_before_the_work() {
    let twice = format!("{TWO}[[databases]]\nname = \"shop\"\nhost = \"h3\"\n");
    let nameless = "[[databases]]\nname = \"\"\n";
    for (text, flags, words) in [
        (&*twice, &[][..], "has \"shop\" twice"),
        (nameless, &[], "one without a name"),
        ("[[databases]]\nhost = \"h\"\n", &[], "missing field `name`"),
        ("[[databases]]\nname = \"x\"\nformat = \"sql\"\n", &[], "unknown variant"),
        ("[[databases]]\nname = \"x\"\ncompress = \"rar\"\n", &[], "rar is not a method"),
        (TWO, &["x.sql"], "OUTPUT is the name of one backup"),
        (TWO, &["-"], "standard output takes one backup"),
        (TWO, &["--to-command", "cat"], "--to-command stores one backup"),
        ("", &["--all-databases", "x.sql"], "and there are several databases"),
        ("", &["--exclude-database", "x"], "this is a backup of one"),
        ("", &["--no-globals"], "this is a backup of one"),
        ("", &["--all-databases", "--exclude-database", "a.b"], "double quotes"),
    ] {
        let error = resolved(text, flags, &[]).unwrap_err();
        assert!(error.to_string().contains(words), "{text} {flags:?}: {error}");
        assert!(!error.hint.is_empty());
    }
}
