//! What a dump takes from `postgres`, the superuser of every new server, as pg_dumpall of a hosted service
//! writes it. Whoever restores it by psql as that role is refused what follows; we restore it as another.

use std::fmt;

use super::item::Statement;
use super::token::{Token, Tokens};

/// The role, and the word for every role.
const NAMES: [&[u8]; 2] = [b"postgres", b"all"];

/// What is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// Its rights as a superuser.
    Rights,
    /// Its login: psql cannot `\connect` any more.
    Login,
    /// Writing, in every session from the next one on.
    Writing,
    /// Its name.
    Name,
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rights => "its rights as a superuser",
            Self::Login => "its login",
            Self::Writing => "the right to write in sessions to come",
            Self::Name => "its name",
        })
    }
}

/// What a statement takes from it: `ALTER ROLE postgres WITH NOSUPERUSER …`, `… NOLOGIN …`,
/// `ALTER ROLE postgres SET default_transaction_read_only TO 'on'`, `ALTER ROLE postgres RENAME TO …`.
pub fn taken(statement: &Statement) -> Option<Taken> {
    // Most statements of a dump are no ALTER.
    if !statement.starts_with(&["ALTER"]) {
        return None;
    }
    let mut tokens = Tokens::of(&statement.text);
    tokens.next();
    if !tokens.take_word("role") && !tokens.take_word("user") {
        return None;
    }
    let name = tokens.take_name()?;
    if !NAMES.contains(&name.as_slice()) {
        return None;
    }
    if tokens.take_word("rename") {
        return Some(Taken::Name);
    }
    if tokens.take_word("in") {
        tokens.next();
        tokens.next();
    }
    if tokens.take_word("set") {
        return is_read_only(tokens).then_some(Taken::Writing);
    }
    tokens.find_map(|token| {
        if token.is_word("nosuperuser") {
            Some(Taken::Rights)
        } else if token.is_word("nologin") {
            Some(Taken::Login)
        } else {
            None
        }
    })
}

/// Whether it goes on with `default_transaction_read_only TO 'on'`, in any of PostgreSQL's words for it.
fn is_read_only(mut tokens: Tokens) -> bool {
    if !tokens.take_word("default_transaction_read_only") {
        return false;
    }
    let _ = tokens.take_mark(b'=') || tokens.take_word("to");
    let value = match tokens.next() {
        Some(Token::Word(word)) => word.to_ascii_lowercase(),
        Some(Token::Text(text) | Token::Name(text)) => text.to_ascii_lowercase(),
        _ => return false,
    };
    matches!(
        value.as_slice(),
        b"on" | b"true" | b"t" | b"tr" | b"tru" | b"yes" | b"y" | b"ye" | b"1"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &'static str) -> Option<Taken> {
        taken(&Statement { text: text.into(), toc: None, line: 1, offset: 0 })
    }

    #[test]
    fn what_is_taken_from_the_superuser_of_every_server_is_told() {
        for (text, expected) in [
            ("ALTER ROLE postgres WITH NOSUPERUSER INHERIT CREATEROLE LOGIN;", Taken::Rights),
            ("alter user \"postgres\" nosuperuser;", Taken::Rights),
            ("ALTER ROLE postgres WITH SUPERUSER NOLOGIN;", Taken::Login),
            ("ALTER ROLE postgres SET default_transaction_read_only TO 'on';", Taken::Writing),
            ("ALTER ROLE ALL SET default_transaction_read_only = true;", Taken::Writing),
            (
                "ALTER ROLE postgres IN DATABASE shop SET default_transaction_read_only TO on;",
                Taken::Writing,
            ),
            ("ALTER ROLE postgres RENAME TO root;", Taken::Name),
        ] {
            assert_eq!(of(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn other_roles_rights_and_settings_are_not() {
        for text in [
            "ALTER ROLE postgres WITH SUPERUSER INHERIT CREATEROLE LOGIN PASSWORD 'NOLOGIN';",
            "ALTER ROLE app WITH NOSUPERUSER NOLOGIN;",
            "CREATE ROLE postgres NOSUPERUSER;",
            "ALTER ROLE postgres SET default_transaction_read_only TO 'off';",
            "ALTER ROLE postgres SET work_mem TO 'on';",
            "ALTER DATABASE postgres SET default_transaction_read_only TO 'on';",
            "ALTER TABLE postgres RENAME TO nosuperuser;",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
