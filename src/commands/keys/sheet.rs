//! What has to lie in the safe: enough to open a backup on the day of the disaster, on another machine, without
//! this program.

use crate::model::format::Format;
use crate::sealing::{KeyError, Unsealing};
use crate::store::manifest::Outline;

/// The sheet, of the keys at hand and of the newest encrypted backup.
pub(super) fn text(unsealing: &Unsealing, newest: Option<&Outline>) -> Result<String, KeyError> {
    let mut text =
        String::from("CCC-BACKUP: HOW TO OPEN THE BACKUPS\n\nRecipients (public keys)\n");
    let mut line = |words: String| {
        text.push_str(&words);
        text.push('\n');
    };
    let ours = unsealing.identities.recipients()?;
    let sealed_for = newest.and_then(|outline| outline.encryption.as_ref());
    let sealed_for = sealed_for.map(|encryption| encryption.recipients.clone());
    let all = sealed_for.clone().unwrap_or_else(|| ours.clone());
    for recipient in &all {
        let whose = match ours.contains(recipient) {
            true => "",
            false => "  (its identity was not given to this command)",
        };
        line(format!("  {recipient}{whose}"));
    }
    if all.is_empty() {
        line("  none is known: give --identity FILE, or make an encrypted backup".to_owned());
    }
    let strangers = ours.iter().filter(|key| !all.contains(key));
    for recipient in strangers {
        line(format!("  {recipient}  (does NOT open the newest backup)"));
    }
    line("\nIdentities (private keys): lie in".to_owned());
    for file in unsealing.identities.files() {
        let path = std::path::absolute(file.path()).unwrap_or_else(|_| file.path().to_owned());
        line(format!("  {}", path.display()));
    }
    line("  and in the safe: ________________________________________".to_owned());
    line(
        "\nWithout ccc-backup, with age (https://age-encryption.org) and PostgreSQL's programs"
            .to_owned(),
    );
    let name = newest.map_or("BACKUP.sql.gz.age", |outline| outline.name.as_str());
    for command in by_hand(name, newest.map_or(Format::Plain, |outline| outline.format)) {
        line(format!("  {command}"));
    }
    if let Some(globals) = newest.and_then(|outline| outline.globals.as_ref()) {
        line("  and before that the server's roles:".to_owned());
        let globals = quoted(&globals.name);
        line(format!("  age --decrypt -i IDENTITY {globals} | psql -d postgres"));
    }
    let name = &quoted(name);
    line("\nWith ccc-backup".to_owned());
    line(format!("  ccc-backup verify {name} --identity IDENTITY"));
    line(format!(
        "  ccc-backup restore {name} --identity IDENTITY --into postgresql://…/NAME --swap"
    ));
    Ok(text)
}

/// How a backup of this name is restored by hand.
pub(super) fn by_hand(name: &str, format: Format) -> Vec<String> {
    let unquoted = name.strip_suffix(".age").unwrap_or(name);
    let (name, open) = (quoted(name), quoted(unquoted));
    let decrypt = format!("age --decrypt -i IDENTITY {name}");
    let unpack = match unquoted.rsplit_once('.') {
        Some((_, "gz")) => " | gunzip",
        Some((_, "zst")) => " | zstd -d",
        _ => "",
    };
    match format {
        Format::Plain => {
            vec![format!("{decrypt}{unpack} | psql -v ON_ERROR_STOP=1 -d EMPTY_DATABASE")]
        }
        Format::Custom | Format::Tar => {
            vec![format!("{decrypt} | pg_restore --exit-on-error -d EMPTY_DATABASE")]
        }
        Format::Directory => vec![
            format!(
                "mkdir {open} && for f in {name}/*.age; do age --decrypt -i IDENTITY \
                 -o {open}/\"$(basename \"$f\" .age)\" \"$f\"; done"
            ),
            format!("pg_restore --exit-on-error -d EMPTY_DATABASE {open}"),
        ],
    }
}

/// A name as a word of the shell.
fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    if !name.starts_with('-') && name.chars().all(plain) {
        return name.to_owned();
    }
    // Nothing of a terminal's.
    let name: String = name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    format!("'{}'", name.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_word_of_the_shell() {
        for (name, word) in [
            ("backup_1.sql.gz.age", "backup_1.sql.gz.age"),
            ("a b.age", "'a b.age'"),
            ("q'$(x).age", r"'q'\''$(x).age'"),
            ("a\u{1b}[2J", "'a\u{fffd}[2J'"),
        ] {
            assert_eq!(quoted(name), word);
        }
    }

    #[test]
    fn each_format_has_its_commands() {
        for (name, format, expected) in [
            (
                "b.sql.gz.age",
                Format::Plain,
                "age --decrypt -i IDENTITY b.sql.gz.age | gunzip | psql -v ON_ERROR_STOP=1 -d EMPTY_DATABASE",
            ),
            (
                "b.sql.zst.age",
                Format::Plain,
                "age --decrypt -i IDENTITY b.sql.zst.age | zstd -d | psql -v ON_ERROR_STOP=1 -d EMPTY_DATABASE",
            ),
            (
                "b.dump.age",
                Format::Custom,
                "age --decrypt -i IDENTITY b.dump.age | pg_restore --exit-on-error -d EMPTY_DATABASE",
            ),
        ] {
            assert_eq!(by_hand(name, format), [expected]);
        }
        assert_eq!(by_hand("b.dir.age", Format::Directory).len(), 2);
    }

    #[test]
    fn without_keys_or_backups_it_says_so() {
        let text = text(&Unsealing::default(), None).unwrap();
        assert!(text.contains("none is known"), "{text}");
    }
}
