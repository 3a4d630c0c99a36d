//! Reads connection URLs: libpq's own, and SQLAlchemy's with a driver (`postgresql+psycopg2://`).

use percent_encoding::percent_decode_str;
use thiserror::Error;

use super::settings::ConnectSettings;
use crate::model::secret::Secret;

/// Why a URL could not be read. Never shows the URL, which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UrlError {
    /// It is another kind of URL, or none.
    #[error("the database URL is not a PostgreSQL URL")]
    NotPostgres,
    /// A `%` without two hex digits, or what they stand for is no text.
    #[error("the database URL has a bad percent-encoding in its {0}")]
    Encoding(&'static str),
    /// A `@` that is not where the user and the password end: one of them has a `/` or `?` in it.
    #[error("the database URL has a / or ? before its @, which is not encoded")]
    At,
    /// The port is no number.
    #[error("the database URL has a port that is not a number")]
    Port,
    /// A `[` without its `]`.
    #[error("the database URL has an IPv6 address without its closing bracket")]
    Bracket,
    /// A parameter of TLS or authentication that libpq does not know, or that cannot be passed on.
    #[error("the database URL has a parameter that cannot be passed on to pg_dump: {0}")]
    Parameter(String),
}

impl UrlError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NotPostgres => "it begins with postgresql:// (or postgresql+driver://)",
            Self::Encoding(_) | Self::At => {
                "write % as %25, @ as %40, / as %2F, ? as %3F, : as %3A"
            }
            Self::Port => "write postgresql://user@host:5432/database",
            Self::Bracket => "write postgresql://user@[::1]:5432/database",
            Self::Parameter(_) => {
                "check its spelling, or put it into a connection service file (PGSERVICE)"
            }
        };
        Some(hint.to_owned())
    }
}

/// Reads a connection URL. A `@` in a password need not be encoded. Parameters that are the
/// driver's and not libpq's are left out and named in [`ConnectSettings::ignored`].
///
/// # Errors
/// [`UrlError`].
pub fn parse_database_url(url: &str) -> Result<ConnectSettings, UrlError> {
    let (scheme, rest) = url.trim().split_once("://").ok_or(UrlError::NotPostgres)?;
    let (name, driver) = match scheme.split_once('+') {
        Some((name, driver)) => (name, Some(driver)),
        None => (scheme, None),
    };
    if !matches!(name, "postgresql" | "postgres") {
        return Err(UrlError::NotPostgres);
    }
    let (rest, query) = match rest.split_once('?') {
        Some((rest, query)) => (rest, query),
        None => (rest, ""),
    };
    let (authority, dbname) = match rest.split_once('/') {
        Some((authority, dbname)) => (authority, dbname),
        None => (rest, ""),
    };
    if !authority.contains('@') && is_cut_short(authority, dbname, query) {
        return Err(UrlError::At);
    }
    let mut settings = ConnectSettings {
        dbname: some(decode(dbname, "database name")?),
        ..ConnectSettings::default()
    };
    let hosts = match authority.rsplit_once('@') {
        Some((user, hosts)) => {
            let (user, password) = user.split_once(':').unwrap_or((user, ""));
            settings.username = some(decode(user, "user name")?);
            settings.password = some(decode(password, "password")?).map(Secret::new);
            hosts
        }
        None => authority,
    };
    read_hosts(hosts, &mut settings)?;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        // SQLAlchemy reads + as a space, libpq does not.
        let pair = match driver {
            Some(_) => pair.replace('+', "%20"),
            None => pair.to_owned(),
        };
        let (name, value) = pair.split_once('=').unwrap_or((&pair, ""));
        set(&mut settings, decode(name, "query")?, decode(value, "query")?)?;
    }
    Ok(settings)
}

/// Whether a password with a `/` or `?` was taken for the end of the authority. Read on, a part of it
/// would be taken for a name, and shown.
fn is_cut_short(authority: &str, dbname: &str, query: &str) -> bool {
    let in_a_name = |pair: &str| pair.split('=').next().is_some_and(|name| name.contains('@'));
    dbname.contains('@')
        || query.split('&').any(in_a_name)
        || authority.contains(':') && dbname.is_empty() && query.contains('@')
}

/// `host:port`, several separated by commas, as libpq reads them.
fn read_hosts(text: &str, settings: &mut ConnectSettings) -> Result<(), UrlError> {
    let (mut hosts, mut ports) = (Vec::new(), Vec::new());
    for part in text.split(',') {
        let (host, port) = match part.strip_prefix('[') {
            Some(bracketed) => {
                let (host, rest) = bracketed.split_once(']').ok_or(UrlError::Bracket)?;
                (host, rest.strip_prefix(':').unwrap_or(rest))
            }
            None => part.split_once(':').unwrap_or((part, "")),
        };
        if !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(UrlError::Port);
        }
        hosts.push(decode(host, "host")?);
        ports.push(port);
    }
    let set = |list: &str| list.bytes().any(|byte| byte != b',');
    settings.host = Some(hosts.join(",")).filter(|list| set(list));
    settings.port = Some(ports.join(",")).filter(|list| set(list));
    Ok(())
}

fn set(settings: &mut ConnectSettings, name: String, value: String) -> Result<(), UrlError> {
    match name.as_str() {
        // SQLAlchemy's word.
        "database" => settings.dbname = some(value),
        // JDBC's and asyncpg's spelling of sslmode.
        "ssl" => {
            let mode = match value.to_ascii_lowercase().as_str() {
                "true" | "1" | "on" => "require".to_owned(),
                "false" | "0" | "off" => "disable".to_owned(),
                _ => value,
            };
            settings.set("sslmode", mode);
        }
        known if settings.set(known, value) => {}
        // To leave out what secures the connection would connect less securely than was asked for.
        other
            if ["ssl", "gss", "krb", "pass", "auth"].iter().any(|part| other.starts_with(part)) =>
        {
            return Err(UrlError::Parameter(name));
        }
        _ => settings.ignored.push(name),
    }
    Ok(())
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn decode(text: &str, part: &'static str) -> Result<String, UrlError> {
    // The decoder would leave such a `%` as it is; libpq refuses it.
    let is_escape = |rest: &str| {
        rest.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    match percent_decode_str(text).decode_utf8() {
        // No environment variable can hold a NUL.
        Ok(decoded) if text.split('%').skip(1).all(is_escape) && !decoded.contains('\0') => {
            Ok(decoded.into_owned())
        }
        _ => Err(UrlError::Encoding(part)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(url: &str) -> String {
        let s = parse_database_url(url).unwrap();
        let or = |text: Option<String>| text.unwrap_or("-".into());
        let password = s.password.map(|password| password.expose().to_owned());
        let mut shown =
            [or(s.username), or(password), or(s.host), or(s.port), or(s.dbname)].join(" ");
        for (name, value) in &s.parameters {
            shown += &format!(" {name}={}", value.expose());
        }
        shown
    }

    #[test]
    fn urls_of_libpq_and_of_sqlalchemy_are_read() {
        let cases = [
            ("postgresql://u:p@h:5433/d", "u p h 5433 d"),
            ("postgres://u@h/d", "u - h - d"),
            ("postgresql+psycopg2://u:p%40%2F%25@h/d", "u p@/% h - d"),
            ("postgresql+asyncpg://u:p@h/d?ssl=true", "u p h - d sslmode=require"),
            ("postgresql://h/d?ssl=0", "- - h - d sslmode=disable"),
            ("postgresql://h/d?ssl=verify-full", "- - h - d sslmode=verify-full"),
            ("postgresql://", "- - - - -"),
            ("postgresql:///d", "- - - - d"),
            ("postgresql:///d?host=/run/postgresql", "- - /run/postgresql - d"),
            ("postgresql://%2Frun%2Fpg/d", "- - /run/pg - d"),
            ("postgresql://u:p@[::1]:5433/d", "u p ::1 5433 d"),
            ("postgresql://a:1,b/d", "- - a,b 1, d"),
            ("postgresql://u:p@ss:w@h/d", "u p@ss:w h - d"),
            ("postgresql://u:p+q@h/d", "u p+q h - d"),
            ("postgresql://h/d?sslmode=verify-full&user=u", "u - h - d sslmode=verify-full"),
            ("postgresql://h/d?user=u@tenant", "u@tenant - h - d"),
            ("postgresql://u@h:1/d?application_name=a@b", "u - h 1 d application_name=a@b"),
            ("postgresql+psycopg://h/d?options=-c+a%3Db", "- - h - d options=-c a=b"),
            ("postgresql://h/%C3%9Cbung", "- - h - Übung"),
        ];
        for (url, expected) in cases {
            assert_eq!(shown(url), expected, "{url}");
        }
    }

    #[test]
    fn what_is_not_libpqs_is_left_out_and_named() {
        let read = parse_database_url("postgresql://h/d?schema=public&pool_size=3").unwrap();
        assert_eq!(read.ignored, ["schema", "pool_size"]);
    }

    #[test]
    fn bad_urls_are_refused_without_showing_their_password() {
        let cases = [
            ("mysql://u:hunter2@h/d", UrlError::NotPostgres),
            ("hunter2", UrlError::NotPostgres),
            ("host=h password=hunter2", UrlError::NotPostgres),
            ("postgresql://u:hunter2%zz@h/d", UrlError::Encoding("password")),
            ("postgresql://u:hunter2%2@h/d", UrlError::Encoding("password")),
            ("postgresql://u:hunter2%00@h/d", UrlError::Encoding("password")),
            ("postgresql://u:hunter2%ff@h/d", UrlError::Encoding("password")),
            ("postgresql://u:hunter2@h:port/d", UrlError::Port),
            ("postgresql://u:12/hunter2@h/d", UrlError::At),
            ("postgresql://u:12?hunter2@h/d", UrlError::At),
            ("postgresql://u:12?a=b&hunter2@h/d", UrlError::At),
            ("postgresql://u:12?a=hunter2@h/d", UrlError::At),
            ("postgresql://u:hunter2/x@h/d", UrlError::At),
            ("postgresql://u:hunter2@[::1/d", UrlError::Bracket),
            ("postgresql://h/d?sslmod=x", UrlError::Parameter("sslmod".into())),
            ("postgresql://h/d?sslpassword=hunter2", UrlError::Parameter("sslpassword".into())),
        ];
        for (url, expected) in cases {
            let error = parse_database_url(url).unwrap_err();
            assert_eq!(error, expected, "{url}");
            assert!(!format!("{error} {error:?} {:?}", error.hint()).contains("hunter2"));
        }
    }

    proptest! {
        #[test]
        fn any_text_can_be_read_as_a_url(tail in ".*") {
            let _ = parse_database_url(&tail);
            let _ = parse_database_url(&format!("postgresql://{tail}"));
        }

        #[test]
        fn any_password_comes_through_its_encoding(password in "[^\\x00]+") {
            let encoded: String = password.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let read = parse_database_url(&format!("postgresql://u:{encoded}@h/d")).unwrap();
            prop_assert_eq!(read.password, Some(Secret::new(password)));
        }
    }
}
