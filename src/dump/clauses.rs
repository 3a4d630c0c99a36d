//! What a statement does as a whole, as far as the rules for harmless errors ask. Whatever has more
//! than one action is none of it: a refusal loses all of them.

use super::item::Statement;
use super::requirements;
use super::token::{Token, Tokens};

impl Statement {
    /// The parameter, in small letters, that the statement sets and does nothing besides: `SET name`,
    /// `SELECT set_config('name', …)`, `ALTER DATABASE … SET name`, `ALTER ROLE … SET name`.
    #[must_use]
    pub fn sets(&self) -> Option<String> {
        let mut tokens = Tokens::of(&self.text);
        if tokens.take_word("select") {
            let is_it = (!tokens.take_word("pg_catalog") || tokens.take_mark(b'.'))
                && tokens.take_word("set_config")
                && tokens.take_mark(b'(');
            let Some(Token::Text(name)) = tokens.next().filter(|_| is_it) else { return None };
            let marks = tokens.filter(|token| matches!(token, Token::Mark(b'(' | b')')));
            return (marks.count() == 1).then(|| lower(&name));
        }
        if tokens.take_word("alter") {
            let of = ["database", "role", "user"].iter().any(|kind| tokens.take_word(kind));
            let _ = of.then(|| tokens.next())?;
            if tokens.take_word("in") {
                let _ = tokens.take_word("database").then(|| tokens.next())?;
            }
        }
        if !tokens.take_word("set") {
            return None;
        }
        let _ = tokens.take_word("session") || tokens.take_word("local");
        let name = tokens.take_qualified()?;
        let value = tokens.take_mark(b'=') || tokens.take_word("to");
        value.then(|| lower(&name.join(&b'.')))
    }

    /// Whether it changes an owner: `ALTER TABLE public.users OWNER TO app;`.
    #[must_use]
    pub fn changes_owner(&self) -> bool {
        let mut tokens = Tokens::of(&self.text);
        if !tokens.take_word("alter") {
            return false;
        }
        let Some(words) = single(tokens) else { return false };
        let [.., owner, to, role] = words.as_slice() else { return false };
        owner.is_word("owner")
            && to.is_word("to")
            && matches!(role, Token::Word(_) | Token::Name(_))
    }

    /// Whether it only takes something away, as `--clean` does: `DROP …`, `ALTER … DROP CONSTRAINT …`,
    /// `ALTER … ALTER COLUMN … DROP DEFAULT`, `SELECT pg_catalog.lo_unlink('…')`.
    #[must_use]
    pub fn drops(&self) -> bool {
        let mut tokens = Tokens::of(&self.text);
        if tokens.take_word("drop") {
            return true;
        }
        if tokens.take_word("select") {
            return unlinks(tokens);
        }
        let of_relation = tokens.take_word("alter")
            && (tokens.take_word("table")
                || tokens.take_word("domain")
                || tokens.take_word("foreign") && tokens.take_word("table"));
        let Some(words) = single(tokens).filter(|_| of_relation) else { return false };
        let words: Vec<_> = words.iter().filter(|word| !is_of_drop(word)).collect();
        match words.as_slice() {
            [.., drop, what] if what.is_word("default") => drop.is_word("drop"),
            [.., drop, what, _name] => drop.is_word("drop") && what.is_word("constraint"),
            _ => false,
        }
    }

    /// Whether it is the stand-in for a view that `--clean` writes before dropping what the view needs:
    /// every column is `NULL::type`. Source: PostgreSQL 15, `pg_dump.c`, `createDummyViewAsClause`.
    #[must_use]
    pub fn is_stub_view(&self) -> bool {
        if !self.starts_with(&["CREATE", "OR", "REPLACE", "VIEW"]) {
            return false;
        }
        let mut tokens = Tokens::of(&self.text);
        let Some(_) = tokens.find(|token| token.is_word("select")) else { return false };
        let mut depth = 0_u32;
        let mut begins = true;
        for token in tokens {
            if begins && !token.is_word("null") {
                return false;
            }
            begins = depth == 0 && token == Token::Mark(b',');
            match token {
                Token::Mark(b'(') => depth += 1,
                Token::Mark(b')') => depth = depth.saturating_sub(1),
                ref word if word.is_word("from") || word.is_word("where") => return false,
                _ => {}
            }
        }
        true
    }

    /// Whether it creates a role.
    #[must_use]
    pub fn creates_role(&self) -> bool {
        let mut tokens = Tokens::of(&self.text);
        tokens.take_word("create") && requirements::created_role(&mut tokens).is_some()
    }

    /// The extension that it creates.
    #[must_use]
    pub fn created_extension(&self) -> Option<String> {
        let mut tokens = Tokens::of(&self.text);
        if !tokens.take_word("create") || !tokens.take_word("extension") {
            return None;
        }
        if tokens.take_word("if") {
            let _ = tokens.take_word("not") && tokens.take_word("exists");
        }
        tokens.take_name().map(|name| String::from_utf8_lossy(&name).into_owned())
    }

    /// Whether it restores statistics, as pg_dump from 18 on writes them: they hold nothing of the
    /// backup.
    #[must_use]
    pub fn restores_statistics(&self) -> bool {
        let mut tokens = Tokens::of(&self.text);
        if !tokens.take_word("select") {
            return false;
        }
        let _ = tokens.take_mark(b'*') && tokens.take_word("from");
        let _ = tokens.take_word("pg_catalog") && tokens.take_mark(b'.');
        ["relation", "attribute", "extended"]
            .iter()
            .any(|what| tokens.take_word(&format!("pg_restore_{what}_stats")))
            && tokens.take_mark(b'(')
    }
}

/// The words of a statement's rest with one action: what is in parentheses is left out; `None` where
/// a comma says that there are several actions.
fn single(tokens: Tokens<'_>) -> Option<Vec<Token<'_>>> {
    let (mut depth, mut words) = (0_u32, Vec::new());
    for token in tokens {
        match token {
            Token::Mark(b'(') => depth += 1,
            Token::Mark(b')') => depth = depth.saturating_sub(1),
            Token::Mark(b',') if depth == 0 => return None,
            Token::Mark(b';') => {}
            token if depth == 0 => words.push(token),
            _ => {}
        }
    }
    Some(words)
}

/// A word that a DROP may have beside what it drops.
fn is_of_drop(token: &Token<'_>) -> bool {
    ["if", "exists", "cascade", "restrict"].iter().any(|word| token.is_word(word))
}

fn lower(name: &[u8]) -> String {
    String::from_utf8_lossy(name).to_lowercase()
}

/// What `SELECT` says where it takes away a large object: `pg_catalog.lo_unlink('1');`, and with
/// `--if-exists` `pg_catalog.lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata WHERE oid = '1';`.
/// Source: PostgreSQL 15, `pg_backup_db.c`, `DropBlobIfExists`.
fn unlinks(mut tokens: Tokens<'_>) -> bool {
    const OBJECTS: [&[u8]; 2] = [b"pg_catalog", b"pg_largeobject_metadata"];
    let called = (!tokens.take_word("pg_catalog") || tokens.take_mark(b'.'))
        && tokens.take_word("lo_unlink")
        && tokens.take_mark(b'(')
        && matches!(tokens.next(), Some(Token::Text(_) | Token::Word(_)))
        && tokens.take_mark(b')');
    let one = !tokens.take_word("from")
        || tokens.take_qualified().is_some_and(|of| of == OBJECTS)
            && tokens.take_word("where")
            && tokens.take_word("oid")
            && tokens.take_mark(b'=')
            && matches!(tokens.next(), Some(Token::Text(_)));
    called && one && tokens.take_mark(b';') && tokens.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(text: &str) -> Statement {
        Statement { text: text.to_owned().into(), toc: None, line: 1, offset: 0 }
    }

    #[test]
    fn a_parameter_is_set_by_a_statement_that_does_nothing_else() {
        for (text, name) in [
            ("SET transaction_timeout = 0;", Some("transaction_timeout")),
            ("SET LOCAL Work_Mem TO '1MB';", Some("work_mem")),
            ("SET app.tenant = 'x';", Some("app.tenant")),
            ("SELECT pg_catalog.set_config('Search_Path', '', false);", Some("search_path")),
            ("SELECT set_config('a', (SELECT b()), false);", None),
            (
                "ALTER DATABASE shop SET old_snapshot_threshold TO '1h';",
                Some("old_snapshot_threshold"),
            ),
            (
                "ALTER ROLE a IN DATABASE b SET db_user_namespace TO 'on';",
                Some("db_user_namespace"),
            ),
            ("SET ROLE app;", None),
            ("ALTER TABLE t SET (x = 1);", None),
            ("ALTER DATABASE shop SET TABLESPACE fast;", None),
        ] {
            assert_eq!(statement(text).sets().as_deref(), name, "{text}");
        }
    }

    #[test]
    fn a_change_of_owner_is_nothing_else() {
        for (text, expected) in [
            ("ALTER TABLE public.users OWNER TO app;", true),
            ("ALTER FUNCTION public.f(a text, b integer) OWNER TO \"My App\";", true),
            ("ALTER TABLE public.a ADD COLUMN b integer, OWNER TO app;", false),
            ("ALTER TABLE public.a ALTER b SET DEFAULT ' OWNER TO app';", false),
            ("ALTER TABLE public.a ALTER b SET DEFAULT public.f(' OWNER TO app');", false),
            ("CREATE TABLE public.a (b text DEFAULT ' OWNER TO ');", false),
        ] {
            assert_eq!(statement(text).changes_owner(), expected, "{text}");
        }
    }

    #[test]
    fn a_drop_takes_something_away_and_does_nothing_else() {
        for (text, expected) in [
            ("DROP TABLE public.users;", true),
            ("ALTER TABLE ONLY public.users DROP CONSTRAINT users_pkey;", true),
            ("ALTER TABLE IF EXISTS ONLY s.t DROP CONSTRAINT IF EXISTS c CASCADE;", true),
            ("ALTER DOMAIN shop.price DROP CONSTRAINT positive;", true),
            ("ALTER FOREIGN TABLE s.far ALTER COLUMN id DROP DEFAULT;", true),
            ("SELECT pg_catalog.lo_unlink('18245');", true),
            (
                "SELECT pg_catalog.lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata WHERE oid = '1';",
                true,
            ),
            ("SELECT pg_catalog.lo_unlink(oid) FROM public.lost WHERE oid = '1';", false),
            ("ALTER TABLE s.t ALTER COLUMN id SET DEFAULT public.lost(' DROP DEFAULT');", false),
            ("ALTER TABLE s.t ALTER COLUMN id SET DEFAULT ' DROP CONSTRAINT c';", false),
            ("ALTER TABLE s.t DROP CONSTRAINT c, ADD COLUMN d integer;", false),
            ("ALTER TYPE shop.mood ADD VALUE ' DROP DEFAULT';", false),
            ("SELECT pg_catalog.lo_unlink(lost());", false),
            ("SELECT pg_catalog.lo_open('1', 131072);", false),
        ] {
            assert_eq!(statement(text).drops(), expected, "{text}");
        }
    }

    #[test]
    fn a_stand_in_for_a_view_has_no_values() {
        for (text, expected) in [
            (
                "CREATE OR REPLACE VIEW v AS\nSELECT\n    NULL::s.tier AS tier,\n    NULL::bigint AS n;",
                true,
            ),
            ("CREATE OR REPLACE VIEW v AS\nSELECT\n    NULL::numeric(5,2) AS n;", true),
            ("CREATE OR REPLACE VIEW v AS\nSELECT\n    NULL::bigint AS n\n FROM s.lost;", false),
            (
                "CREATE OR REPLACE VIEW v AS\nSELECT\n    NULL::bigint AS n,\n    s.lost() AS m;",
                false,
            ),
        ] {
            assert_eq!(statement(text).is_stub_view(), expected, "{text}");
        }
    }

    #[test]
    fn statistics_are_known_by_the_function_that_restores_them() {
        let relation = "SELECT * FROM pg_catalog.pg_restore_relation_stats(\n\t'version', '180001'::integer\n);";
        assert!(statement(relation).restores_statistics());
        assert!(
            statement("SELECT * FROM pg_catalog.pg_restore_attribute_stats('a', 'b');")
                .restores_statistics()
        );
        assert!(!statement("SELECT * FROM public.restore_stats();").restores_statistics());
        assert!(!statement("SELECT 'pg_restore_relation_stats('").restores_statistics());
    }
}
