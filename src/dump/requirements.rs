//! What a dump needs of the server that it does not bring: roles and extensions.

use std::collections::{BTreeMap, BTreeSet};

use memchr::memmem;

use crate::dump::cleaning::Cleaning;
use crate::dump::encoding;
use crate::dump::item::Item;
use crate::dump::role_values::RoleValues;
use crate::dump::token::{Token, Tokens};

/// Names kept of each kind; who has more is not saying names.
const MOST_NAMES: usize = 10_000;
/// Words in the place of a role that are none. Source: PostgreSQL 15 documentation, GRANT.
const NO_ROLES: [&str; 6] =
    ["public", "current_role", "current_user", "session_user", "default", "none"];

/// What was found so far.
#[derive(Debug, Default)]
pub struct Requirements {
    named: BTreeSet<String>,
    superusers: BTreeSet<String>,
    created: BTreeSet<String>,
    role_values: RoleValues,
    /// Where `--clean` writes its drops.
    pub cleaning: Cleaning,
    /// Extensions that are created, with the schema where the dump says one.
    pub extensions: BTreeMap<String, Option<String>>,
}

impl Requirements {
    /// Roles that own something, or that something is granted to, and that the dump does not create
    /// by itself as one of pg_dumpall does.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.named.difference(&self.created).map(String::as_str)
    }

    /// Those, and the ones that the dump creates: for a restoring role that may create none.
    pub fn all_roles(&self) -> impl Iterator<Item = &str> {
        self.named.union(&self.created).map(String::as_str)
    }

    /// Whether the role has to be a superuser. Only one may own an event trigger, a foreign-data wrapper
    /// or a subscription. And of a role in whose name the dump does something, it does not say by what
    /// right: by a membership, or a grant on the database, neither of which it holds.
    pub fn is_superuser(&self, role: &str) -> bool {
        self.superusers.contains(role)
    }

    /// Takes the reader's next item; `encoding` is the dump's client encoding at this place.
    pub fn take(&mut self, item: &Item, encoding: Option<&str>) {
        self.cleaning.take(item);
        for role in self.role_values.take(item) {
            let role = encoding::decode(&role, encoding).into_owned();
            if self.named.len() < MOST_NAMES && !role.starts_with("pg_") {
                self.named.insert(role);
            }
        }
        let Item::Statement(statement) = item else { return };
        let mut tokens = Tokens::of(&statement.text);
        let Some(Token::Word(word)) = tokens.next() else { return };
        let (mut names, mut superusers) = (Vec::new(), false);
        match word.to_ascii_uppercase().as_slice() {
            b"ALTER" => {
                superusers = is_of_superusers(tokens.clone());
                alter(&statement.text, tokens, &mut names);
            }
            b"GRANT" | b"REVOKE" => grantees(tokens, &mut names),
            b"SET" => {
                let role = tokens.take_word("role")
                    || tokens.take_word("session") && tokens.take_word("authorization");
                if role {
                    superusers = true;
                    names.extend(tokens.next().and_then(role_of));
                }
            }
            b"DO" => {
                for role in roles_of_block(tokens) {
                    self.creates(&role, encoding);
                }
            }
            b"CREATE" => match create(tokens, &mut names) {
                Some(Created::Role(role)) => self.creates(&role, encoding),
                Some(Created::Extension(name, schema)) if self.extensions.len() < MOST_NAMES => {
                    let text = |name: &[u8]| encoding::decode(name, encoding).into_owned();
                    self.extensions.insert(text(&name), schema.map(|schema| text(&schema)));
                }
                _ => {}
            },
            _ => {}
        }
        for name in names {
            let name = encoding::decode(&name, encoding).into_owned();
            if self.named.len() < MOST_NAMES && !name.starts_with("pg_") {
                if superusers {
                    self.superusers.insert(name.clone());
                }
                self.named.insert(name);
            }
        }
    }

    fn creates(&mut self, role: &[u8], encoding: Option<&str>) {
        if self.created.len() < MOST_NAMES {
            self.created.insert(encoding::decode(role, encoding).into_owned());
        }
    }
}

/// The roles that a `DO` block creates: `CREATE ROLE app`, also within `EXECUTE 'CREATE ROLE app'`.
fn roles_of_block(tokens: Tokens) -> Vec<Vec<u8>> {
    let bodies = tokens.filter_map(|token| match token {
        Token::Text(body) => Some(body),
        _ => None,
    });
    let mut roles = Vec::new();
    for body in bodies {
        roles_created(Tokens::of(&body), true, &mut roles);
    }
    roles
}

fn roles_created(mut tokens: Tokens, is_block: bool, roles: &mut Vec<Vec<u8>>) {
    while let Some(token) = tokens.next() {
        match token {
            Token::Text(text) if is_block => roles_created(Tokens::of(&text), false, roles),
            word if word.is_word("create") => roles.extend(created_role(&mut tokens)),
            _ => {}
        }
    }
}

/// The name after `CREATE`, where it creates a role: `ROLE`, `USER` or `GROUP`.
pub(super) fn created_role(tokens: &mut Tokens) -> Option<Vec<u8>> {
    let mut ahead = tokens.clone();
    let user = ahead.take_word("user");
    if !user && !ahead.take_word("role") && !ahead.take_word("group")
        || user && ahead.clone().take_word("mapping")
    {
        return None;
    }
    *tokens = ahead;
    tokens.take_name()
}

/// Whether `ALTER` is of something that superusers alone may own. Since PostgreSQL 16, others may own
/// a subscription, too.
fn is_of_superusers(mut tokens: Tokens) -> bool {
    if tokens.take_word("foreign") {
        return tokens.take_word("data");
    }
    tokens.take_word("event") || tokens.take_word("subscription")
}

/// `… OWNER TO role`, and `DEFAULT PRIVILEGES FOR ROLE role … GRANT … TO role`. `TO` is reserved, so
/// that no name is taken for it.
fn alter(text: &[u8], mut tokens: Tokens, names: &mut Vec<Vec<u8>>) {
    if tokens.take_word("default") {
        if tokens.take_word("privileges") && tokens.take_word("for") && tokens.take_word("role") {
            names.extend(tokens.next().and_then(role_of));
        }
        return grantees(tokens, names);
    }
    if memmem::find(text, b"OWNER TO").is_none() {
        return;
    }
    while let Some(token) = tokens.next() {
        if token.is_word("owner") && tokens.take_word("to") {
            names.extend(tokens.next().and_then(role_of));
        }
    }
}

enum Created {
    Role(Vec<u8>),
    Extension(Vec<u8>, Option<Vec<u8>>),
}

/// What is created, where it is a role or an extension; roles of schemas, user mappings and policies.
fn create(mut tokens: Tokens, names: &mut Vec<Vec<u8>>) -> Option<Created> {
    if let Some(role) = created_role(&mut tokens) {
        return Some(Created::Role(role));
    }
    if tokens.take_word("extension") {
        if tokens.take_word("if") {
            tokens.next();
            tokens.next();
        }
        let name = tokens.take_name()?;
        let schema = tokens.take_word("with") && tokens.take_word("schema");
        let schema = if schema { tokens.take_name() } else { None };
        return Some(Created::Extension(name, schema));
    }
    if tokens.take_word("policy") {
        // The expressions after USING and WITH CHECK may say TO, too.
        while let Some(token) = tokens.next() {
            match token {
                Token::Word(word) if word.eq_ignore_ascii_case(b"to") => {
                    list(&mut tokens, names);
                    break;
                }
                Token::Mark(b'(') => break,
                _ => {}
            }
        }
    } else if tokens.take_word("schema") {
        while let Some(token) = tokens.next() {
            if token.is_word("authorization") {
                names.extend(tokens.next().and_then(role_of));
            }
        }
    } else if tokens.take_word("user") && tokens.take_word("mapping") && tokens.take_word("for") {
        names.extend(tokens.next().and_then(role_of));
    }
    None
}

/// The roles after the first `TO` or `FROM` that is in no parentheses.
fn grantees(mut tokens: Tokens, names: &mut Vec<Vec<u8>>) {
    let mut depth = 0usize;
    while let Some(token) = tokens.next() {
        match token {
            Token::Mark(b'(') => depth += 1,
            Token::Mark(b')') => depth = depth.saturating_sub(1),
            ref word if depth == 0 && (word.is_word("to") || word.is_word("from")) => {
                return list(&mut tokens, names);
            }
            _ => {}
        }
    }
}

/// Roles with commas between them.
fn list(tokens: &mut Tokens, names: &mut Vec<Vec<u8>>) {
    loop {
        let _ = tokens.take_word("group");
        names.extend(tokens.next().and_then(role_of));
        if !tokens.take_mark(b',') {
            return;
        }
    }
}

/// The name of a role, where it is one.
fn role_of(token: Token) -> Option<Vec<u8>> {
    match token {
        Token::Word(word) => {
            let name = word.to_ascii_lowercase();
            (!NO_ROLES.iter().any(|none| none.as_bytes() == name)).then_some(name)
        }
        Token::Name(name) | Token::Text(name) => Some(name),
        Token::Mark(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::item::Statement;

    fn needs(statements: &[&str]) -> Requirements {
        let mut needs = Requirements::default();
        for text in statements {
            let text = (*text).to_owned().into();
            let statement = Statement { text, toc: None, line: 1, offset: 0 };
            needs.take(&Item::Statement(statement), None);
        }
        needs
    }

    #[test]
    fn owners_and_grantees_are_found_in_every_statement_that_pg_dump_writes() {
        let cases: [(&str, &[&str]); 13] = [
            ("ALTER TABLE public.users OWNER TO app;", &["app"]),
            ("ALTER FUNCTION public.f(a text, b int) OWNER TO \"App User\";", &["App User"]),
            (
                "GRANT SELECT(a),INSERT ON TABLE public.t TO reader, \"Wri\"\"ter\";",
                &["Wri\"ter", "reader"],
            ),
            ("GRANT ALL ON SCHEMA public TO PUBLIC;", &[]),
            ("REVOKE ALL ON FUNCTION public.f(a timestamp) FROM app;", &["app"]),
            ("GRANT SELECT ON TABLE public.t TO reader WITH GRANT OPTION;", &["reader"]),
            (
                "ALTER DEFAULT PRIVILEGES FOR ROLE app IN SCHEMA s GRANT SELECT ON TABLES TO reader;",
                &["app", "reader"],
            ),
            ("CREATE POLICY p ON public.t FOR SELECT TO tenant USING ((a = 1));", &["tenant"]),
            ("CREATE POLICY p ON public.t USING ((a = b)) WITH CHECK (true);", &[]),
            ("CREATE SCHEMA s AUTHORIZATION app;", &["app"]),
            ("CREATE USER MAPPING FOR app SERVER s;", &["app"]),
            ("SET SESSION AUTHORIZATION 'app';", &["app"]),
            ("GRANT pg_monitor TO CURRENT_USER;", &[]),
        ];
        for (statement, expected) in cases {
            let needs = needs(&[statement]);
            let found: Vec<&str> = needs.roles().collect();
            assert_eq!(found, expected, "{statement}");
        }
    }

    #[test]
    fn names_that_only_look_like_roles_are_none() {
        let innocent = [
            "ALTER TABLE public.owner ADD CONSTRAINT c CHECK ((\"to\" = 'OWNER TO x'::text));",
            "COMMENT ON TABLE public.t IS 'OWNER TO x';",
            "CREATE TABLE public.t (owner text);",
            "CREATE POLICY p ON public.t FOR SELECT USING ((a)::text = 'TO x');",
            "SET search_path = app;",
            "SET SESSION AUTHORIZATION DEFAULT;",
            "SET ROLE NONE;",
        ];
        assert_eq!(needs(&innocent).roles().count(), 0);
    }

    #[test]
    fn roles_that_the_dump_creates_need_not_be_there() {
        for create in [
            "CREATE ROLE app;",
            "CREATE USER app WITH PASSWORD 'x';",
            "CREATE GROUP app;",
            "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'app') THEN \
             CREATE ROLE app LOGIN; END IF; END $$;",
            "DO 'BEGIN EXECUTE ''CREATE USER app''; END';",
        ] {
            let found = needs(&[create, "ALTER TABLE public.t OWNER TO app;"]);
            assert_eq!(found.roles().count(), 0, "{create}");
            assert_eq!(found.all_roles().collect::<Vec<_>>(), ["app"], "{create}");
        }
        let found = needs(&["CREATE USER MAPPING FOR app SERVER s;", "DO $$ SELECT 'app' $$;"]);
        assert_eq!(found.roles().collect::<Vec<_>>(), ["app"]);
    }

    #[test]
    fn roles_that_every_server_has_need_not_be_made() {
        let found = needs(&["GRANT SELECT ON TABLE public.t TO pg_monitor, reader;"]);
        assert_eq!(found.roles().collect::<Vec<_>>(), ["reader"]);
    }

    #[test]
    fn a_role_is_a_superuser_where_it_had_to_be_one_and_nowhere_else() {
        for (statement, expected) in [
            ("ALTER EVENT TRIGGER t OWNER TO app;", true),
            ("ALTER FOREIGN DATA WRAPPER w OWNER TO app;", true),
            ("ALTER SUBSCRIPTION s OWNER TO app;", true),
            ("SET SESSION AUTHORIZATION 'app';", true),
            ("SET ROLE app;", true),
            ("ALTER FOREIGN TABLE public.event OWNER TO app;", false),
            ("ALTER TABLE public.subscription OWNER TO app;", false),
            ("GRANT ALL ON FOREIGN DATA WRAPPER w TO app;", false),
        ] {
            let needs = needs(&[statement]);
            assert_eq!(needs.roles().collect::<Vec<_>>(), ["app"], "{statement}");
            assert_eq!(needs.is_superuser("app"), expected, "{statement}");
        }
    }

    #[test]
    fn extensions_are_found() {
        let found = needs(&[
            "CREATE EXTENSION IF NOT EXISTS postgis WITH SCHEMA public;",
            "CREATE EXTENSION \"uuid-ossp\";",
        ]);
        let found: Vec<_> = found.extensions.into_iter().collect();
        let expected = [("postgis", Some("public")), ("uuid-ossp", None)];
        let owned = |(name, schema): (&str, Option<&str>)| (name.into(), schema.map(Into::into));
        assert_eq!(found, expected.map(owned));
    }

    proptest::proptest! {
        #[test]
        fn any_statement_can_be_looked_at(text in "(ALTER|GRANT|CREATE POLICY|SET ROLE) [\\PC\n]{0,80}") {
            needs(&[&text]);
        }
    }
}
