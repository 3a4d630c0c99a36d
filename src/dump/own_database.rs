//! The database that a dump makes by itself (`pg_dump --create`), and what it says of the database rather than of its
//! contents: owner, settings, privileges, comment, connection limit. So it can be given to a database of another name.

use super::encoding;
use super::item::{Item, Meta, Statement};
use super::surroundings::translated;
use super::token::{Token, Tokens};
use crate::model::locale::Locale;
use crate::model::quoting::quote_ident;

/// Statements kept; who has more is not saying what a database is like.
const MOST: usize = 1_000;

/// What a statement on a database does to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Makes it.
    Create,
    /// Drops it.
    Drop,
    /// Comments on it.
    Comment,
    /// Gives it an owner.
    Owner,
    /// Anything else: settings, privileges, labels, limits.
    Other,
}

/// A statement on a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfDatabase {
    /// What it does.
    pub deed: Deed,
    name: Vec<u8>,
    before: Vec<u8>,
    after: Vec<u8>,
}

impl OfDatabase {
    /// What a statement does to a database, if it is one on a database.
    pub fn read(text: &[u8]) -> Option<Self> {
        let mut tokens = Tokens::of(text);
        let Some(Token::Word(verb)) = tokens.next() else { return None };
        let deed = match verb.to_ascii_uppercase().as_slice() {
            b"CREATE" => tokens.take_word("database").then_some(Deed::Create)?,
            b"DROP" => tokens.take_word("database").then_some(Deed::Drop)?,
            b"ALTER" if tokens.take_word("database") => Deed::Other,
            b"ALTER" => {
                let role = tokens.take_word("role") || tokens.take_word("user");
                tokens.next().filter(|_| role)?;
                let of_database = tokens.take_word("in") && tokens.take_word("database");
                of_database.then_some(Deed::Other)?
            }
            b"COMMENT" => {
                let on = tokens.take_word("on") && tokens.take_word("database");
                on.then_some(Deed::Comment)?
            }
            b"SECURITY" | b"GRANT" | b"REVOKE" => after_on_database(&mut tokens)?,
            _ => return None,
        };
        if deed == Deed::Drop && tokens.take_word("if") {
            tokens.next();
        }
        let before = &text[..text.len() - tokens.rest().len()];
        let name = tokens.take_name()?;
        let after = tokens.rest().to_vec();
        let owner = tokens.take_word("owner") && tokens.take_word("to");
        let deed = if owner { Deed::Owner } else { deed };
        Some(Self { deed, name, before: before.to_vec(), after })
    }

    /// The same statement on another database.
    pub fn on(&self, name: &str) -> String {
        let text = |part: &[u8]| String::from_utf8_lossy(part).trim().to_owned();
        let (before, after) = (text(&self.before), text(&self.after));
        format!("{before} {} {}", quote_ident(name), after.trim_end_matches(';'))
    }
}

/// Steps to what `ON DATABASE` names.
fn after_on_database(tokens: &mut Tokens<'_>) -> Option<Deed> {
    while let Some(token) = tokens.next() {
        if token.is_word("on") {
            return tokens.take_word("database").then_some(Deed::Other);
        }
    }
    None
}

/// What a dump says of its database.
#[derive(Debug, Default)]
pub struct OwnDatabase {
    names: Vec<String>,
    connects: u32,
    /// It holds something before it connects the last time.
    is_mixed: bool,
    has_contents: bool,
    is_made: bool,
    statements: Vec<OfDatabase>,
    locale: Option<Locale>,
    left_out: Option<String>,
}

/// Why it is not of one database alone that could have another name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotAlone {
    /// It names several.
    Several(Vec<String>),
    /// It makes things in the database that it begins in, and then goes to another.
    Mixed,
    /// It makes a database and does not go into it.
    Beside(String),
}

impl std::fmt::Display for NotAlone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Several(names) => write!(f, "the dump is of several databases: {}", names.join(", ")),
            Self::Mixed => f.write_str(
                "the dump makes things in the database that it begins in, and in another one that it connects to",
            ),
            Self::Beside(name) => {
                write!(f, "the dump makes the database {name} beside the one that it is restored into")
            }
        }
    }
}

impl OwnDatabase {
    /// Takes the reader's next item; `encoding` is the dump's client encoding at this place.
    pub fn take(&mut self, item: &Item, encoding: Option<&str>) {
        match item {
            Item::Statement(statement) => self.statement(statement, encoding),
            Item::CopyStart(_) => self.has_contents = true,
            Item::Meta(Meta::Connect { database }) => {
                self.named(translated(database, encoding));
                self.connects += 1;
                self.is_mixed |= self.has_contents;
            }
            Item::Meta(_) | Item::CopyData(_) | Item::CopyEnd => {}
        }
    }

    fn statement(&mut self, statement: &Statement, encoding: Option<&str>) {
        let Some(of) = OfDatabase::read(&statement.text) else {
            self.has_contents |= !is_setting(statement);
            return;
        };
        self.named(encoding::decode(&of.name, encoding).into_owned());
        match of.deed {
            Deed::Drop => {}
            Deed::Create => {
                self.is_made = true;
                self.created(&of.after);
            }
            _ if self.statements.len() < MOST => self.statements.push(of),
            _ => {}
        }
    }

    /// Takes what `CREATE DATABASE` says behind the name.
    fn created(&mut self, after: &[u8]) {
        let mut tokens = Tokens::of(after);
        let mut locale = Locale::default();
        tokens.take_word("with");
        while let Some(Token::Word(word)) = tokens.next() {
            if word.eq_ignore_ascii_case(b"connection") {
                tokens.next();
            }
            let _ = tokens.take_mark(b'=');
            let value = match tokens.next() {
                Some(Token::Text(value) | Token::Name(value)) => value,
                Some(Token::Word(value)) => value.to_vec(),
                _ => return,
            };
            let value = String::from_utf8_lossy(&value).into_owned();
            match word.to_ascii_lowercase().as_slice() {
                b"encoding" => locale.encoding = value,
                b"locale" => {
                    locale.collate = Some(value.clone());
                    locale.ctype = Some(value);
                }
                b"lc_collate" => locale.collate = Some(value),
                b"lc_ctype" => locale.ctype = Some(value),
                b"locale_provider" => locale.provider = Some(value),
                b"icu_locale" | b"builtin_locale" => locale.provider_locale = Some(value),
                b"tablespace" if value != "pg_default" => {
                    self.left_out = Some(format!("the tablespace {value} of the database"));
                }
                b"icu_rules" => {
                    self.left_out = Some("ICU rules of the database's locale".to_owned());
                }
                _ => {}
            }
        }
        self.locale = Some(locale);
    }

    fn named(&mut self, name: String) {
        if !self.names.contains(&name) {
            self.names.push(name);
        }
    }

    /// Its database, where it is of one alone: `None` where it leaves that to whoever restores it.
    ///
    /// # Errors
    /// When it cannot be given another name.
    pub fn alone(&self) -> Result<Option<&str>, NotAlone> {
        let name = self.names.first();
        match name {
            _ if self.names.len() > 1 => Err(NotAlone::Several(self.names.clone())),
            _ if self.is_mixed => Err(NotAlone::Mixed),
            Some(name) if self.is_made && self.connects == 0 => Err(NotAlone::Beside(name.clone())),
            name => Ok(name.map(String::as_str)),
        }
    }

    /// Its encoding and locale, where the dump says them.
    pub fn locale(&self) -> Option<&Locale> {
        self.locale.as_ref()
    }

    /// What it says of the database, the owner last: to have one may take the right to do the rest.
    pub fn statements(&self) -> impl Iterator<Item = &OfDatabase> {
        let of = |owner: bool| {
            self.statements.iter().filter(move |of| (of.deed == Deed::Owner) == owner)
        };
        of(false).chain(of(true))
    }

    /// What is not given to a database of another name.
    pub fn left_out(&self) -> Option<&str> {
        self.left_out.as_deref()
    }

    /// How often it connects to its database; what stands before the last time is of no session after it.
    pub fn connects(&self) -> u32 {
        self.connects
    }
}

/// Whether a statement sets something of the session, which a `\connect` after it takes back.
pub(super) fn is_setting(statement: &Statement) -> bool {
    statement.starts_with(&["SET"]) && !statement.starts_with(&["SET", "CONSTRAINTS"])
        || statement.search_path().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::items::Items;

    fn of(sql: &str) -> OwnDatabase {
        let (mut items, mut own) = (Items::new(sql.as_bytes()), OwnDatabase::default());
        while let Ok(Some(item)) = items.pull() {
            own.take(&item, None);
        }
        own
    }

    const CREATED: &str = "SET client_encoding = 'UTF8';\n\
        SELECT pg_catalog.set_config('search_path', '', false);\n\
        DROP DATABASE IF EXISTS shop;\n\
        CREATE DATABASE shop WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = icu \
        LOCALE = 'de_DE.UTF-8' ICU_LOCALE = 'de-DE' TABLESPACE = fast CONNECTION LIMIT = 5;\n\
        ALTER DATABASE shop OWNER TO \"the owner\";\n\\connect shop\n\
        SET client_encoding = 'UTF8';\nCOMMENT ON DATABASE shop IS 'it''s; shop';\n\
        ALTER DATABASE shop SET work_mem TO '9MB';\n\
        ALTER ROLE app IN DATABASE shop SET search_path TO 'a', 'b';\n\\connect shop\n\
        SET client_encoding = 'UTF8';\nCREATE TABLE public.t (id integer);\n\
        REVOKE CONNECT,TEMPORARY ON DATABASE shop FROM PUBLIC;\n\
        GRANT CONNECT ON DATABASE shop TO app WITH GRANT OPTION;\n";

    #[test]
    fn what_a_dump_says_of_its_database_can_be_said_of_another_one() {
        let own = of(CREATED);
        assert_eq!((own.alone(), own.connects()), (Ok(Some("shop")), 2));
        let statements: Vec<String> = own.statements().map(|of| of.on("a \"b\"")).collect();
        assert_eq!(
            statements,
            [
                "COMMENT ON DATABASE \"a \"\"b\"\"\" IS 'it''s; shop'",
                "ALTER DATABASE \"a \"\"b\"\"\" SET work_mem TO '9MB'",
                "ALTER ROLE app IN DATABASE \"a \"\"b\"\"\" SET search_path TO 'a', 'b'",
                "REVOKE CONNECT,TEMPORARY ON DATABASE \"a \"\"b\"\"\" FROM PUBLIC",
                "GRANT CONNECT ON DATABASE \"a \"\"b\"\"\" TO app WITH GRANT OPTION",
                "ALTER DATABASE \"a \"\"b\"\"\" OWNER TO \"the owner\"",
            ]
        );
        let locale = own.locale().unwrap();
        assert_eq!(locale.collate.as_deref(), Some("de_DE.UTF-8"));
        assert_eq!(locale.provider_locale.as_deref(), Some("de-DE"));
        assert_eq!(own.left_out(), Some("the tablespace fast of the database"));
    }

    #[test]
    fn a_dump_that_leaves_the_database_to_others_has_none_of_its_own() {
        let own = of("SET x = 1;\nCREATE TABLE t (id integer);\nCOPY t FROM stdin;\n1\n\\.\n");
        assert_eq!((own.alone(), own.connects(), own.locale()), (Ok(None), 0, None));
    }

    #[test]
    fn what_is_not_of_one_database_alone_is_told() {
        for (sql, expected) in [
            (
                "\\connect a\nCREATE TABLE t (id integer);\n\\connect b\n".to_owned(),
                NotAlone::Several(vec!["a".into(), "b".into()]),
            ),
            ("CREATE TABLE t (id integer);\n\\connect a\n".to_owned(), NotAlone::Mixed),
            (format!("CREATE TABLE t (id integer);\n{CREATED}"), NotAlone::Mixed),
            ("CREATE DATABASE a;\n".to_owned(), NotAlone::Beside("a".into())),
            (
                format!("{CREATED}DROP DATABASE other;\n"),
                NotAlone::Several(vec!["shop".into(), "other".into()]),
            ),
        ] {
            assert_eq!(of(&sql).alone(), Err(expected), "{sql}");
        }
    }

    #[test]
    fn other_statements_are_of_no_database() {
        for text in [
            "GRANT SELECT ON TABLE public.database TO app;",
            "ALTER ROLE app SET search_path TO database;",
            "COMMENT ON TABLE database IS 'DATABASE x';",
            "CREATE TABLE database (id integer);",
            "SELECT 'ON DATABASE x';",
        ] {
            assert_eq!(OfDatabase::read(text.as_bytes()), None, "{text}");
        }
    }
}
