//! Password files. Source: PostgreSQL 18, 32.16 "The Password File", and libpq's `passwordFromFile`.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::model::secret::Secret;

/// The lines of a password file.
#[derive(Debug, Clone, Default)]
pub(super) struct PasswordFile(Vec<Secret>);

/// Whose password is looked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// Any of the names that the host has.
    pub hosts: &'a [String],
    pub port: u16,
    pub database: &'a str,
    pub user: &'a str,
}

impl PasswordFile {
    /// Reads it. Like libpq, nothing of a file that others may read; then a word on why.
    pub fn read(path: &Path) -> (Self, Option<String>) {
        let nothing = |why: &str| {
            let warning = format!("the password file {} {why}, and was left out", path.display());
            (Self::default(), Some(warning))
        };
        let Ok(metadata) = path.metadata() else { return (Self::default(), None) };
        if !metadata.is_file() {
            return nothing("is not a plain file");
        }
        if metadata.mode() & 0o077 != 0 {
            return nothing("may be read by others (chmod 0600)");
        }
        let Ok(bytes) = std::fs::read(path) else { return nothing("cannot be read") };
        let lines = bytes.split(|byte| *byte == b'\n');
        let lines = lines.filter_map(|line| std::str::from_utf8(line).ok());
        let lines = lines.map(|line| line.strip_suffix('\r').unwrap_or(line));
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        (Self(lines.map(Secret::new).collect()), None)
    }

    /// The password of the first line that fits.
    pub fn password(&self, wanted: Wanted) -> Option<Secret> {
        let port = wanted.port.to_string();
        let fits = |line: &str| {
            let host = wanted.hosts.iter().find_map(|host| after(line, host));
            let rest = after(host?, &port)?;
            let rest = after(after(rest, wanted.database)?, wanted.user)?;
            Some(unescaped(rest))
        };
        self.0.iter().find_map(|line| fits(line.expose())).map(Secret::new)
    }
}

/// What comes after a field, if the field is `*` or this value, in which `:` and `\` are escaped.
fn after<'a>(line: &'a str, value: &str) -> Option<&'a str> {
    if let Some(rest) = line.strip_prefix("*:") {
        return Some(rest);
    }
    let mut rest = line.chars();
    for expected in value.chars() {
        let read = rest.next()?;
        let read = match read {
            ':' => return None,
            '\\' => rest.next()?,
            other => other,
        };
        if read != expected {
            return None;
        }
    }
    (rest.next()? == ':').then_some(rest.as_str())
}

/// The last field, which ends with the line or at a `:`.
fn unescaped(field: &str) -> String {
    let mut text = String::new();
    let mut rest = field.chars();
    while let Some(c) = rest.next() {
        match c {
            ':' => break,
            '\\' => text.push(rest.next().unwrap_or('\\')),
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn password(text: &str, host: &str) -> Option<String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pgpass");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        let (file, warning) = PasswordFile::read(&path);
        assert_eq!(warning, None);
        let hosts = [host.to_owned()];
        let wanted = Wanted { hosts: &hosts, port: 5432, database: "my:db", user: "me" };
        file.password(wanted).map(|password| password.expose().to_owned())
    }

    #[test]
    fn the_first_line_that_fits_gives_the_password() {
        let cases = [
            (r"db:5432:my\:db:me:p1", Some("p1")),
            ("db:5432:*:me:p1\n*:*:*:*:p2", Some("p1")),
            ("# db:5432:*:me:p0\n\ndb:*:*:*:p1\r\n", Some("p1")),
            ("other:5432:*:me:p1\ndb:5433:*:me:p2\ndb:5432:other:me:p3\ndb:5432:*:you:p4", None),
            ("db2:5432:*:me:p1\nd:5432:*:me:p2", None),
            (r"*:*:*:*:a\:b\\c", Some(r"a:b\c")),
            ("*:*:*:*:a:b", Some("a")),
            ("*:*:my:db:me:p1", None),
            ("*", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(password(text, "db").as_deref(), expected, "{text}");
        }
        assert_eq!(password(r"\:\:1:*:*:*:p1", "::1").as_deref(), Some("p1"));
    }

    #[test]
    fn a_file_that_others_may_read_is_left_out_with_a_word() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pgpass");
        std::fs::write(&path, "*:*:*:*:hunter2").unwrap();
        for (mode, expected) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            let (file, warning) = PasswordFile::read(&path);
            assert_eq!((file.0.len() == 1, warning.is_none()), (expected, expected), "{mode:o}");
        }
        assert!(PasswordFile::read(dir.path()).1.unwrap().contains("is not a plain file"));
        let (file, warning) = PasswordFile::read(&dir.path().join("missing"));
        assert!(file.0.is_empty() && warning.is_none());
        assert!(!format!("{file:?}").contains("hunter2"));
    }
}
