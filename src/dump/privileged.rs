//! The statements of a dump that PostgreSQL leaves to superusers, or to members of some role: what a server will
//! refuse to others. What only changes an owner, or comments on an extension, is passed over by a restore, and so
//! is no need.
//!
//! Source: the permission checks of the commands in PostgreSQL 10 to 18 (`src/backend/commands`).

use super::encoding;
use super::item::{Item, Statement};
use super::token::{Token, Tokens};

/// Statements kept.
const MOST: usize = 1_000;
/// Letters of a statement that are shown.
const SHOWN: usize = 70;

/// What a statement needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// A superuser.
    Superuser(Matter),
    /// A superuser before version 16, else a member of `pg_create_subscription`.
    Subscription,
    /// The rights of a role.
    RightsOf(String),
    /// To be able to become a role.
    Becoming(String),
    /// To be another session user than the one that connected.
    SessionAuthorization(String),
    /// The right to set a parameter.
    Setting(String),
    /// The right to make things in a tablespace.
    Tablespace(String),
    /// A schema of one's own.
    OwnSchema(String),
    /// A language that others may use.
    Language(String),
    /// A module that knows this label, and lets one set it.
    Label {
        /// The provider, where it is named.
        provider: Option<String>,
        /// The label.
        text: String,
    },
}

/// What superusers alone make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matter {
    /// An event trigger.
    EventTrigger,
    /// A publication of all tables, or of schemas.
    Publication,
    /// A foreign-data wrapper.
    Wrapper,
    /// A base type.
    BaseType,
    /// An operator class or family.
    OperatorClass,
    /// A cast that calls nothing.
    Cast,
    /// A function that is trusted not to leak.
    Leakproof,
    /// An aggregate with an internal state.
    Aggregate,
    /// An access method.
    AccessMethod,
    /// A parser or template of text search.
    TextSearch,
    /// A language with its handler.
    Language,
    /// A tablespace.
    Tablespace,
    /// A setting of the whole server.
    System,
    /// A change of a catalog.
    Catalog,
}

/// A statement that not everybody may run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Privileged {
    /// What it needs.
    pub need: Need,
    /// Its line.
    pub line: u64,
    /// Its beginning.
    pub text: String,
}

/// Those of a dump.
#[derive(Debug, Default)]
pub struct PrivilegedStatements {
    found: Vec<Privileged>,
}

impl PrivilegedStatements {
    /// Takes the reader's next item; `encoding` is the dump's client encoding at this place.
    pub fn take(&mut self, item: &Item, encoding: Option<&str>) {
        let Item::Statement(statement) = item else { return };
        if self.found.len() < MOST
            && let Some(need) = need(statement, encoding)
        {
            let text = String::from_utf8_lossy(&statement.text);
            let mut text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            if let Some((end, _)) = text.char_indices().nth(SHOWN) {
                text.truncate(end);
                text.push('…');
            }
            let text = text.trim_end_matches(';').to_owned();
            self.found.push(Privileged { need, line: statement.line, text });
        }
    }

    /// In the dump's order.
    pub fn list(&self) -> &[Privileged] {
        &self.found
    }
}

/// What a statement needs; `None` where everybody may run it in a database of their own.
fn need(statement: &Statement, encoding: Option<&str>) -> Option<Need> {
    let mut tokens = Tokens::of(&statement.text);
    let Some(Token::Word(verb)) = tokens.next() else { return None };
    let name = |tokens: &mut Tokens<'_>| {
        Some(encoding::decode(&tokens.take_name()?, encoding).into_owned())
    };
    match verb.to_ascii_uppercase().as_slice() {
        b"CREATE" => created(tokens, encoding),
        b"ALTER" => altered(tokens, encoding),
        b"SET" => set(tokens, encoding),
        b"COMMENT" => {
            let schema = tokens.take_word("on") && tokens.take_word("schema");
            // Others are made by the dump itself.
            let of = name(&mut tokens).filter(|of| schema && of == "public")?;
            Some(Need::OwnSchema(of))
        }
        b"SECURITY" if tokens.take_word("label") => {
            let provider = match tokens.take_word("for") {
                true => Some(name_or_text(&mut tokens)?),
                false => None,
            };
            let decoded = |bytes: Vec<u8>| encoding::decode(&bytes, encoding).into_owned();
            // `IS NULL` takes one away.
            let text = tokens.filter_map(|token| match token {
                Token::Text(text) => Some(text),
                _ => None,
            });
            Some(Need::Label { provider: provider.map(decoded), text: decoded(text.last()?) })
        }
        b"UPDATE" | b"INSERT" | b"DELETE" => {
            let _ =
                tokens.take_word("into") || tokens.take_word("from") || tokens.take_word("only");
            let catalog = tokens.take_word("pg_catalog") && tokens.take_mark(b'.');
            catalog.then_some(Need::Superuser(Matter::Catalog))
        }
        _ => None,
    }
}

/// What `CREATE …` needs.
fn created(mut tokens: Tokens<'_>, encoding: Option<&str>) -> Option<Need> {
    if tokens.take_word("or") {
        tokens.next();
    }
    let _ = tokens.take_word("trusted");
    let procedural = tokens.take_word("procedural");
    let Some(Token::Word(kind)) = tokens.next() else { return None };
    let of = |matter| Some(Need::Superuser(matter));
    match kind.to_ascii_uppercase().as_slice() {
        b"EVENT" => of(Matter::EventTrigger),
        b"PUBLICATION" => {
            tokens.take_name()?;
            let wide =
                tokens.take_word("for") && (tokens.take_word("all") || tokens.take_word("tables"));
            wide.then_some(Need::Superuser(Matter::Publication))
        }
        b"SUBSCRIPTION" => Some(Need::Subscription),
        b"FOREIGN" if tokens.take_word("data") => of(Matter::Wrapper),
        b"ACCESS" => of(Matter::AccessMethod),
        b"TABLESPACE" => of(Matter::Tablespace),
        b"OPERATOR" if tokens.take_word("class") || tokens.take_word("family") => {
            of(Matter::OperatorClass)
        }
        b"TEXT" if tokens.take_word("search") => {
            let special = tokens.take_word("parser") || tokens.take_word("template");
            special.then_some(Need::Superuser(Matter::TextSearch))
        }
        b"LANGUAGE" => outside(tokens).any(|token| token.is_word("handler")).then_some(
            // Without one it is an extension.
            Need::Superuser(Matter::Language),
        ),
        b"TYPE" => {
            tokens.take_qualified()?;
            let base =
                tokens.take_mark(b'(') || tokens.next().is_none_or(|of| of == Token::Mark(b';'));
            base.then_some(Need::Superuser(Matter::BaseType))
        }
        b"CAST" => outside(tokens)
            .any(|token| token.is_word("without"))
            .then_some(Need::Superuser(Matter::Cast)),
        b"AGGREGATE" => {
            let all: Vec<Token<'_>> = tokens.collect();
            let internal = all.windows(3).any(|of| {
                of[0].is_word("stype") && of[1] == Token::Mark(b'=') && of[2].is_word("internal")
            });
            internal.then_some(Need::Superuser(Matter::Aggregate))
        }
        b"FUNCTION" | b"PROCEDURE" if !procedural => function(tokens, encoding),
        _ => None,
    }
}

/// What a function needs.
fn function(tokens: Tokens<'_>, encoding: Option<&str>) -> Option<Need> {
    let all: Vec<Token<'_>> = outside(tokens).collect();
    let leakproof = all.iter().position(|token| token.is_word("leakproof"));
    if leakproof.is_some_and(|at| at == 0 || !all[at - 1].is_word("not")) {
        return Some(Need::Superuser(Matter::Leakproof));
    }
    let at = all.iter().position(|token| token.is_word("language"))?;
    let language = match all.get(at + 1)? {
        Token::Word(word) => word.to_ascii_lowercase(),
        Token::Name(name) | Token::Text(name) => name.clone(),
        Token::Mark(_) => return None,
    };
    Some(Need::Language(encoding::decode(&language, encoding).into_owned()))
}

/// What `ALTER …` needs.
fn altered(mut tokens: Tokens<'_>, encoding: Option<&str>) -> Option<Need> {
    if tokens.take_word("system") {
        return Some(Need::Superuser(Matter::System));
    }
    if tokens.take_word("operator") && tokens.take_word("family") {
        let changes = |token: &Token<'_>| token.is_word("add") || token.is_word("drop");
        return outside(tokens)
            .any(|token| changes(&token))
            .then_some(Need::Superuser(Matter::OperatorClass));
    }
    if tokens.take_word("publication") {
        tokens.take_name()?;
        let wide =
            (tokens.take_word("add") || tokens.take_word("set")) && tokens.take_word("tables");
        return wide.then_some(Need::Superuser(Matter::Publication));
    }
    if tokens.take_word("default") && tokens.take_word("privileges") && tokens.take_word("for") {
        let _ = tokens.take_word("role") || tokens.take_word("user");
        let role = encoding::decode(&tokens.take_name()?, encoding).into_owned();
        return Some(Need::RightsOf(role));
    }
    None
}

/// What `SET …` needs.
fn set(mut tokens: Tokens<'_>, encoding: Option<&str>) -> Option<Need> {
    let _ = tokens.take_word("session") || tokens.take_word("local");
    let decoded = |bytes: &[u8]| encoding::decode(bytes, encoding).into_owned();
    if tokens.take_word("authorization") {
        return match tokens.next()? {
            Token::Word(word) if word.eq_ignore_ascii_case(b"default") => None,
            Token::Word(word) => Some(decoded(&word.to_ascii_lowercase())),
            Token::Name(name) | Token::Text(name) => Some(decoded(&name)),
            Token::Mark(_) => None,
        }
        .map(Need::SessionAuthorization);
    }
    let name = decoded(&tokens.take_name()?);
    let _ = tokens.take_word("to") || tokens.take_mark(b'=');
    let value = match tokens.next() {
        Some(Token::Word(word)) => word.to_ascii_lowercase(),
        Some(Token::Name(text) | Token::Text(text)) => text,
        _ => return None,
    };
    match name.as_str() {
        "role" => (value != b"none").then(|| Need::Becoming(decoded(&value))),
        // Reset, or where everybody may.
        "default_tablespace" => {
            (!value.is_empty() && value != b"pg_default").then(|| Need::Tablespace(decoded(&value)))
        }
        "constraints" | "transaction" | "characteristics" | "time" => None,
        _ => Some(Need::Setting(name)),
    }
}

/// A name, or a literal in its place.
fn name_or_text(tokens: &mut Tokens<'_>) -> Option<Vec<u8>> {
    match tokens.next()? {
        Token::Word(word) => Some(word.to_ascii_lowercase()),
        Token::Name(name) | Token::Text(name) => Some(name),
        Token::Mark(_) => None,
    }
}

/// The tokens that stand in no parentheses.
fn outside(tokens: Tokens<'_>) -> impl Iterator<Item = Token<'_>> {
    let mut depth = 0_i32;
    tokens.filter(move |token| {
        match token {
            Token::Mark(b'(') => depth += 1,
            Token::Mark(b')') => depth -= 1,
            _ => return depth == 0,
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &'static str) -> Option<Need> {
        need(&Statement { text: text.into(), toc: None, line: 1, offset: 0 }, None)
    }

    #[test]
    fn what_superusers_alone_may_is_told() {
        use Matter::*;
        for (text, matter) in [
            ("CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f();", EventTrigger),
            ("CREATE PUBLICATION p FOR ALL TABLES WITH (publish = 'insert');", Publication),
            ("ALTER PUBLICATION p ADD TABLES IN SCHEMA public;", Publication),
            ("CREATE FOREIGN DATA WRAPPER w;", Wrapper),
            ("CREATE TYPE public.t (\n    INPUT = f,\n    OUTPUT = g\n);", BaseType),
            ("CREATE TYPE public.t;", BaseType),
            (
                "CREATE OPERATOR CLASS public.c FOR TYPE integer USING btree AS STORAGE integer;",
                OperatorClass,
            ),
            ("CREATE OPERATOR FAMILY public.c USING btree;", OperatorClass),
            (
                "ALTER OPERATOR FAMILY public.c USING btree ADD OPERATOR 1 <(integer,integer);",
                OperatorClass,
            ),
            ("CREATE CAST (a AS b) WITHOUT FUNCTION;", Cast),
            (
                "CREATE FUNCTION f() RETURNS integer LANGUAGE sql LEAKPROOF AS $$SELECT 1$$;",
                Leakproof,
            ),
            ("CREATE AGGREGATE a(integer) (SFUNC = f, STYPE = internal);", Aggregate),
            ("CREATE ACCESS METHOD m TYPE TABLE HANDLER heap_tableam_handler;", AccessMethod),
            ("CREATE TEXT SEARCH TEMPLATE t (LEXIZE = dsimple_lexize);", TextSearch),
            ("CREATE OR REPLACE TRUSTED PROCEDURAL LANGUAGE x HANDLER h;", Language),
            ("CREATE TABLESPACE t LOCATION '/t';", Tablespace),
            ("ALTER SYSTEM SET work_mem = '1MB';", System),
            ("UPDATE pg_catalog.pg_index SET indisvalid = false;", Catalog),
        ] {
            assert_eq!(of(text), Some(Need::Superuser(matter)), "{text}");
        }
    }

    #[test]
    fn what_needs_a_role_or_a_right_names_it() {
        let name = |text: &str| text.to_owned();
        for (text, expected) in [
            ("CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p;", Need::Subscription),
            (
                "ALTER DEFAULT PRIVILEGES FOR ROLE \"A b\" IN SCHEMA s GRANT ALL ON TABLES TO c;",
                Need::RightsOf(name("A b")),
            ),
            ("SET ROLE app;", Need::Becoming(name("app"))),
            ("SET SESSION AUTHORIZATION 'app';", Need::SessionAuthorization(name("app"))),
            (
                "SET session_replication_role = replica;",
                Need::Setting(name("session_replication_role")),
            ),
            ("SET default_tablespace = fast;", Need::Tablespace(name("fast"))),
            ("COMMENT ON SCHEMA public IS 'x';", Need::OwnSchema(name("public"))),
            (
                "CREATE FUNCTION f(language text) RETURNS integer\n    LANGUAGE c\n    AS 'l', 'f';",
                Need::Language(name("c")),
            ),
        ] {
            assert_eq!(of(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_label_names_its_provider() {
        let label = |provider: Option<&str>, text: &str| {
            Some(Need::Label { provider: provider.map(str::to_owned), text: text.to_owned() })
        };
        for (text, expected) in [
            (
                "SECURITY LABEL FOR selinux ON TABLE public.t IS 'a:b';",
                label(Some("selinux"), "a:b"),
            ),
            (
                "SECURITY LABEL FOR \"A b\" ON FUNCTION f(\"IS\" text) IS 'it''s';",
                label(Some("A b"), "it's"),
            ),
            ("SECURITY LABEL FOR 'x' ON COLUMN public.t.a IS 'y';", label(Some("x"), "y")),
            ("SECURITY LABEL ON SCHEMA s IS 'y';", label(None, "y")),
            ("SECURITY LABEL FOR x ON SCHEMA s IS NULL;", None),
        ] {
            assert_eq!(of(text), expected, "{text}");
        }
    }

    #[test]
    fn what_everybody_may_in_a_database_of_their_own_needs_nothing() {
        for text in [
            "CREATE TYPE public.mood AS ENUM ('x');",
            "CREATE TABLE public.event (id integer);",
            "CREATE PUBLICATION p WITH (publish = 'insert');",
            "ALTER PUBLICATION p ADD TABLE ONLY public.t;",
            "CREATE CAST (a AS b) WITH FUNCTION f(a);",
            "CREATE PROCEDURAL LANGUAGE plpgsql;",
            "CREATE AGGREGATE a(integer) (SFUNC = f, STYPE = integer);",
            "CREATE FOREIGN TABLE t (id integer) SERVER s;",
            "CREATE TEXT SEARCH CONFIGURATION c (PARSER = pg_catalog.\"default\");",
            "ALTER OPERATOR FAMILY public.c USING btree OWNER TO x;",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT ALL ON TABLES TO c;",
            "SET default_tablespace = '';",
            "SET ROLE NONE;",
            "SET SESSION AUTHORIZATION DEFAULT;",
            "COMMENT ON SCHEMA other IS 'x';",
            "COPY t FROM stdin;",
            "UPDATE t SET a = 1;",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
