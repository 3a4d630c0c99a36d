//! Reads connection strings of keywords and values, `host=db dbname='my data'`, and tells them from URLs.
//! Source: PostgreSQL 18, 32.1.1.1 "Keyword/Value Connection Strings".

use std::iter::Peekable;
use std::str::Chars;

use thiserror::Error;

use super::settings::ConnectSettings;
use super::url::{UrlError, parse_database_url};

/// Why a connection string could not be read. Never shows it, for it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StringError {
    /// A word without a `=`.
    #[error("the connection string has a word without a =")]
    Equals,
    /// A quote without its end.
    #[error("the connection string has a quote that does not end")]
    Quote,
    /// A keyword that libpq does not know, or that cannot be followed.
    #[error("the connection string has a keyword that is not one of libpq's or cannot be followed")]
    Keyword,
    /// It is a URL, and wrong.
    #[error(transparent)]
    Url(#[from] UrlError),
}

impl StringError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Equals | Self::Quote => Some(
                r"write host=db password='it\'s', with values that have spaces in quotes".into(),
            ),
            Self::Keyword => Some(
                "check its spelling; a URL such as postgresql://user@db/data does as well".into(),
            ),
            Self::Url(error) => error.hint(),
        }
    }
}

/// Reads a connection URL, or a string of keywords and values.
///
/// # Errors
/// [`StringError`].
pub fn parse(text: &str) -> Result<ConnectSettings, StringError> {
    let name = text.split('=').next().unwrap_or_default();
    if name.contains("://") || !text.contains('=') {
        return Ok(parse_database_url(text)?);
    }
    let mut settings = ConnectSettings::default();
    let mut rest = text.chars().peekable();
    while let Some(name) = keyword(&mut rest)? {
        let value = value(&mut rest)?;
        if value.contains('\0') || !settings.set(&name, value) {
            return Err(StringError::Keyword);
        }
    }
    Ok(settings)
}

fn skip_spaces(rest: &mut Peekable<Chars>) {
    while rest.next_if(char::is_ascii_whitespace).is_some() {}
}

fn keyword(rest: &mut Peekable<Chars>) -> Result<Option<String>, StringError> {
    skip_spaces(rest);
    if rest.peek().is_none() {
        return Ok(None);
    }
    let mut name = String::new();
    while let Some(c) = rest.next_if(|c| *c != '=' && !c.is_ascii_whitespace()) {
        name.push(c);
    }
    skip_spaces(rest);
    rest.next_if_eq(&'=').ok_or(StringError::Equals)?;
    skip_spaces(rest);
    Ok(Some(name))
}

fn value(rest: &mut Peekable<Chars>) -> Result<String, StringError> {
    let quoted = rest.next_if_eq(&'\'').is_some();
    let mut value = String::new();
    loop {
        match rest.next() {
            Some('\'') if quoted => return Ok(value),
            Some(c) if !quoted && c.is_ascii_whitespace() => return Ok(value),
            Some('\\') => value.extend(rest.next()),
            Some(c) => value.push(c),
            None if quoted => return Err(StringError::Quote),
            None => return Ok(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::settings::conninfo_item;
    use super::*;

    fn read(text: &str) -> Vec<String> {
        let settings = parse(text).unwrap();
        let named = [settings.host, settings.port, settings.dbname, settings.username];
        let password = settings.password.map(|password| password.expose().to_owned());
        let others = settings.parameters.iter();
        let others = others.map(|(name, value)| format!("{name}={}", value.expose()));
        named.into_iter().chain([password]).flatten().chain(others).collect()
    }

    #[test]
    fn keywords_and_values_are_read_as_libpq_reads_them() {
        let cases: [(&str, &[&str]); 6] = [
            ("host=db", &["db"]),
            ("  host = db port=5433\n dbname='my data' ", &["db", "5433", "my data"]),
            (r"user=a\ b password='it\'s \\'", &["a b", r"it's \"]),
            ("host=/run/pg sslmode=verify-full", &["/run/pg", "sslmode=verify-full"]),
            ("host='' dbname=d options='-c a=b'", &["d", "options=-c a=b"]),
            ("postgresql://u@h:1/d?sslmode=require", &["h", "1", "d", "u", "sslmode=require"]),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn bad_strings_are_refused_without_showing_their_password() {
        let cases = [
            ("hunter2", StringError::Url(UrlError::NotPostgres)),
            ("host=h password hunter2", StringError::Equals),
            ("host=h password='hunter2", StringError::Quote),
            ("host=h passwort=hunter2", StringError::Keyword),
            ("host=h hunter2=", StringError::Keyword),
            ("mysql://u:hunter2@h/d?a=b", StringError::Url(UrlError::NotPostgres)),
        ];
        for (text, expected) in cases {
            let error = parse(text).unwrap_err();
            assert_eq!(error, expected, "{text}");
            assert!(!format!("{error} {error:?} {:?}", error.hint()).contains("hunter2"));
        }
    }

    proptest! {
        #[test]
        fn any_text_can_be_read_as_a_connection_string(text in ".*") {
            let _ = parse(&text);
            let _ = parse(&format!("host={text}"));
        }

        #[test]
        fn any_value_comes_through_its_quotes(password in "[^\\x00]+") {
            let read = parse(&conninfo_item("password", &password)).unwrap();
            prop_assert_eq!(read.password, Some(password.into()));
        }
    }
}
