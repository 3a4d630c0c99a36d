//! What a statement is, as far as a restore and its checks want to know: leading keywords, setval.

use super::item::{Item, Meta, Name, Statement};
use super::session::{Setting, setting};
use super::token::{Token, Tokens};

impl Item {
    /// The encoding that it sets for the rest of the dump.
    #[must_use]
    pub fn client_encoding(&self) -> Option<String> {
        match self {
            Self::Statement(statement) => statement.client_encoding(),
            Self::Meta(Meta::Encoding(encoding)) => Some(encoding.clone()),
            _ => None,
        }
    }
}

impl Statement {
    /// Whether the statement begins with these keywords, whatever their case.
    ///
    /// `statement.starts_with(&["ALTER", "TABLE"])`. Allocates nothing for unquoted words.
    #[must_use]
    pub fn starts_with(&self, keywords: &[&str]) -> bool {
        let mut tokens = Tokens::of(&self.text);
        keywords.iter().all(|keyword| tokens.take_word(keyword))
    }

    /// Up to `most` leading keywords in upper case, for example `CREATE UNIQUE INDEX`.
    ///
    /// Stops at the first quoted name, literal or other character.
    #[must_use]
    pub fn leading_words(&self, most: usize) -> String {
        let mut words = Vec::new();
        for token in Tokens::of(&self.text).take(most) {
            let Token::Word(word) = token else { break };
            words.push(String::from_utf8_lossy(word).to_uppercase());
        }
        words.join(" ")
    }

    /// The name in `CREATE DATABASE name …`, and its encoding where it is said.
    #[must_use]
    pub fn created_database(&self) -> Option<(Name, Option<String>)> {
        let mut tokens = Tokens::of(&self.text);
        if !tokens.take_word("create") || !tokens.take_word("database") {
            return None;
        }
        let name = Name::from(tokens.take_name()?);
        while let Some(token) = tokens.next() {
            if token.is_word("encoding")
                && tokens.take_mark(b'=')
                && let Some(Token::Text(encoding)) = tokens.next()
            {
                return Some((name, Some(String::from_utf8_lossy(&encoding).into_owned())));
            }
        }
        Some((name, None))
    }

    /// `CREATE DATABASE … TABLESPACE = name …` without that clause.
    #[must_use]
    pub fn without_tablespace(&self) -> Option<String> {
        let mut tokens = Tokens::of(&self.text);
        if !tokens.take_word("create") || !tokens.take_word("database") {
            return None;
        }
        tokens.take_name()?;
        loop {
            let before = self.text.len() - tokens.rest().len();
            if tokens.next()?.is_word("tablespace") {
                let _ = tokens.take_mark(b'=');
                tokens.take_name()?;
                let text = [&self.text[..before], tokens.rest()].concat();
                return String::from_utf8(text).ok();
            }
        }
    }

    /// The encoding that `SET client_encoding = 'LATIN1';` sets.
    #[must_use]
    pub fn client_encoding(&self) -> Option<String> {
        match setting(&self.text)? {
            Setting::ClientEncoding(encoding) => Some(encoding),
            Setting::StandardStrings(_) => None,
        }
    }

    /// What `SET standard_conforming_strings = off;` sets: whether a backslash in a plain literal is
    /// a character like any other.
    #[must_use]
    pub fn standard_strings(&self) -> Option<bool> {
        match setting(&self.text)? {
            Setting::StandardStrings(on) => Some(on),
            Setting::ClientEncoding(_) => None,
        }
    }

    /// The first schema of the path that `SET search_path = public, pg_catalog;` or
    /// `SELECT pg_catalog.set_config('search_path', '', false);` sets; the inner `None` for an
    /// empty path. The outer one where the statement sets no path.
    #[must_use]
    pub fn search_path(&self) -> Option<Option<Name>> {
        let mut tokens = Tokens::of(&self.text);
        if tokens.take_word("select") {
            let set = tokens.take_word("pg_catalog")
                && tokens.take_mark(b'.')
                && tokens.take_word("set_config")
                && tokens.take_mark(b'(')
                && tokens.next() == Some(Token::Text(b"search_path".to_vec()))
                && tokens.take_mark(b',');
            let Some(Token::Text(path)) = tokens.next().filter(|_| set) else { return None };
            return Some(first_schema(Tokens::of(&path)));
        }
        let set = tokens.take_word("set")
            && tokens.take_word("search_path")
            && (tokens.take_mark(b'=') || tokens.take_word("to"));
        set.then(|| first_schema(tokens))
    }

    /// The state that `SELECT pg_catalog.setval('public.users_id_seq', 142, true);` sets, where the
    /// dump has `standard_conforming_strings` on, as all dumps but the oddest have.
    #[must_use]
    pub fn setval(&self) -> Option<SetVal> {
        self.setval_under(true)
    }

    /// The same, under the given `standard_conforming_strings`.
    #[must_use]
    pub fn setval_under(&self, standard_strings: bool) -> Option<SetVal> {
        let mut tokens = Tokens::under(standard_strings, &self.text);
        let prefixed = tokens.take_word("select")
            && (!tokens.take_word("pg_catalog") || tokens.take_mark(b'.'))
            && tokens.take_word("setval")
            && tokens.take_mark(b'(');
        if !prefixed {
            return None;
        }
        let Token::Text(path) = tokens.next()? else {
            return None;
        };
        let comma = tokens.take_mark(b',');
        let minus = tokens.take_mark(b'-');
        let Token::Word(digits) = tokens.next()? else {
            return None;
        };
        let digits = std::str::from_utf8(digits).ok()?;
        let value = format!("{}{digits}", if minus { "-" } else { "" }).parse().ok()?;
        let is_called = if tokens.take_mark(b',') {
            let yes = tokens.take_word("true");
            if !yes && !tokens.take_word("false") {
                return None;
            }
            yes
        } else {
            true
        };
        if !comma || !tokens.take_mark(b')') || !tokens.take_mark(b';') {
            return None;
        }
        let mut parts = Tokens::of(&path).take_qualified()?;
        let sequence = parts.pop()?.into();
        Some(SetVal { schema: parts.pop().map(Name::from), sequence, value, is_called })
    }
}

/// The first schema of a path. `"$user"` is passed over: who restores has no schema of that name.
fn first_schema(mut tokens: Tokens) -> Option<Name> {
    loop {
        return match tokens.next()? {
            Token::Word(word) if word.eq_ignore_ascii_case(b"default") => Some("public".into()),
            Token::Word(name) => Some(name.to_ascii_lowercase().into()),
            Token::Name(name) | Token::Text(name) if name == b"$user" => {
                tokens.take_mark(b',').then_some(())?;
                continue;
            }
            Token::Name(name) | Token::Text(name) => {
                Some(name).filter(|name| !name.is_empty()).map(Name::from)
            }
            Token::Mark(_) => None,
        };
    }
}

/// The state of a sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetVal {
    /// Schema, when it is written.
    pub schema: Option<Name>,
    /// Sequence.
    pub sequence: Name,
    /// Its last value.
    pub value: i64,
    /// Whether the next value comes after it; if not, it is the next.
    pub is_called: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(text: &'static str) -> Statement {
        Statement { text: text.into(), toc: None, line: 1, offset: 0 }
    }

    #[test]
    fn setval_as_pg_dump_writes_it_is_understood() {
        let set = statement("SELECT pg_catalog.setval('public.users_id_seq', 142, true);").setval();
        let expected = SetVal {
            schema: Some("public".into()),
            sequence: "users_id_seq".into(),
            value: 142,
            is_called: true,
        };
        assert_eq!(set, Some(expected));
    }

    #[test]
    fn setval_understands_quoted_names_negative_values_and_false() {
        let text = r#"SELECT pg_catalog.setval('"My ""S"".x"."It''s", y', -5, false);"#;
        assert_eq!(statement(text).setval().map(|s| s.sequence), Some("It's".into()));
        let set = statement(r#"SELECT pg_catalog.setval('"a.b".s', -9223372036854775808, false);"#);
        let set = set.setval().expect("a setval");
        assert_eq!((set.value, set.is_called), (i64::MIN, false));
        assert_eq!(set.schema, Some("a.b".into()));
        let set = statement(r"SELECT pg_catalog.setval(E'public.a\\b', 1, true);").setval();
        assert!(set.is_some());
    }

    #[test]
    fn a_backslash_in_a_sequences_name_means_what_the_dumps_strings_say() {
        let set = statement(r#"SELECT pg_catalog.setval('public."a\\b"', 1, true);"#);
        let name = |standard| set.setval_under(standard).map(|set| set.sequence);
        assert_eq!(name(true), Some(r"a\\b".into()));
        assert_eq!(name(false), Some(r"a\b".into()));
    }

    #[test]
    fn other_statements_are_no_setval() {
        for text in [
            "SELECT 1;",
            "SELECT setval(a, 1, true);",
            "SELECT setval('s', 1, a);",
            "SELECT setval('s', 1) + 1;",
        ] {
            assert_eq!(statement(text).setval(), None, "{text}");
        }
        assert!(statement("select setval('s', 1);").setval().is_some());
    }

    #[test]
    fn the_search_path_is_read_as_old_and_new_versions_of_pg_dump_set_it() {
        for (text, path) in [
            ("SET search_path = public, pg_catalog;", Some(Some("public"))),
            ("SET search_path = \"My schema\", pg_catalog;", Some(Some("My schema"))),
            ("SELECT pg_catalog.set_config('search_path', '', false);", Some(None)),
            ("SELECT pg_catalog.set_config('search_path', 'A, b', false);", Some(Some("a"))),
            ("SELECT pg_catalog.set_config('a', 'b', false);", None),
            ("SET search_path = '';", Some(None)),
            ("SET search_path = ;", Some(None)),
            ("SET search_path TO DEFAULT;", Some(Some("public"))),
            ("SET search_path = \"$user\", shop, public;", Some(Some("shop"))),
            ("SET search_path = \"$user\";", Some(None)),
            (
                "SELECT pg_catalog.set_config('search_path', '\"$user\", \"Shop\"', false);",
                Some(Some("Shop")),
            ),
            ("SET row_security = off;", None),
        ] {
            let found = statement(text).search_path();
            assert_eq!(found, path.map(|path| path.map(Name::from)), "{text}");
        }
    }

    #[test]
    fn leading_keywords_are_found_past_space_and_comments() {
        let statement = statement("create /* a /* b */ */ unique\n-- c\nINDEX \"x\" ON t;");
        assert!(statement.starts_with(&["CREATE", "UNIQUE", "INDEX"]));
        assert!(!statement.starts_with(&["CREATE", "INDEX"]));
        assert_eq!(statement.leading_words(2), "CREATE UNIQUE");
        assert_eq!(statement.leading_words(9), "CREATE UNIQUE INDEX");
    }

    #[test]
    fn a_database_is_created_without_the_tablespace_that_it_was_in() {
        let without = |text| statement(text).without_tablespace();
        let said =
            "CREATE DATABASE shop WITH TEMPLATE = template0 TABLESPACE = \"Fast\" LOCALE = 'C';";
        let expected = "CREATE DATABASE shop WITH TEMPLATE = template0 LOCALE = 'C';";
        assert_eq!(without(said).as_deref(), Some(expected));
        let said = "CREATE DATABASE tablespace WITH OWNER = \"TABLESPACE = x\" tablespace x;";
        let expected = "CREATE DATABASE tablespace WITH OWNER = \"TABLESPACE = x\";";
        assert_eq!(without(said).as_deref(), Some(expected));
        assert_eq!(without("CREATE DATABASE shop LOCALE = 'TABLESPACE';"), None);
        assert_eq!(without("CREATE TABLE shop (a int) TABLESPACE fast;"), None);
    }

    #[test]
    fn a_database_that_is_created_is_named_with_its_encoding_where_it_is_said() {
        let created = |text| statement(text).created_database();
        let said = "CREATE DATABASE \"Shop\" WITH TEMPLATE = template0 ENCODING = 'LATIN1';";
        assert_eq!(created(said), Some(("Shop".into(), Some("LATIN1".to_owned()))));
        let unsaid = "CREATE DATABASE shop WITH TEMPLATE = encoding;";
        assert_eq!(created(unsaid), Some(("shop".into(), None)));
        assert_eq!(created("CREATE TABLE database (encoding text);"), None);
    }
}
