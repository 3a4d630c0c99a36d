//! Whether a statement may change rows that are there: what it leaves alone can be read back before it has run.
//!
//! Of statements that pg_dump writes after the rows; any other may. Event triggers, operators and casts, by which
//! everything may, are told by [`super::reach::Leaves::Anything`].

use super::item::Statement;
use super::subject::{Relation, Subject};
use super::token::{Token, Tokens};

/// Whose rows may be others after a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touches {
    /// Nobody's.
    NoRows,
    /// Those that functions change which it calls.
    WhatFunctionsDo,
    /// Any.
    AnyRows,
}

/// Statements that call nothing, by their first words.
const QUIET: [&str; 13] = [
    "ALTER DEFAULT PRIVILEGES",
    "ALTER INDEX",
    "ALTER PUBLICATION",
    "ALTER SEQUENCE",
    "COMMENT ON",
    "CREATE CONSTRAINT TRIGGER",
    "CREATE PUBLICATION",
    "CREATE RULE",
    "CREATE STATISTICS",
    "CREATE TRIGGER",
    "CREATE VIEW",
    "GRANT",
    "REVOKE",
];
/// What `ALTER TABLE name` may do besides.
const ROW_SECURITY: [&[&str]; 2] =
    [&["enable", "row", "level", "security"], &["force", "row", "level", "security"]];
/// The same, of a trigger whose name follows.
const TRIGGERS: [&[&str]; 3] =
    [&["enable", "replica", "trigger"], &["enable", "always", "trigger"], &["disable", "trigger"]];

impl Statement {
    /// Whose rows may be others after it.
    #[must_use]
    pub fn touches(&self) -> Touches {
        match self.subject() {
            Subject::Index(_)
            | Subject::Table(_)
            | Subject::ForeignKey(..)
            | Subject::Refresh(_) => return Touches::WhatFunctionsDo,
            Subject::Attached(_)
            | Subject::Property(..)
            | Subject::View(_)
            | Subject::IndexPart { .. }
            | Subject::Sequence(_)
            | Subject::Session(_)
            | Subject::Transaction => return Touches::NoRows,
            Subject::Alone => return Touches::AnyRows,
            Subject::Other => {}
        }
        let words = self.leading_words(4);
        let begins = |with: &str| {
            words.strip_prefix(with).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        if QUIET.into_iter().any(begins) || self.makes_large_object() || self.guarded().is_some() {
            Touches::NoRows
        } else {
            Touches::AnyRows
        }
    }

    /// The table of `ALTER TABLE name ENABLE ROW LEVEL SECURITY` and its like, with nothing else beside, where its schema is
    /// written.
    pub(super) fn guarded_table(&self) -> Option<Relation> {
        let [schema, name] = <[Vec<u8>; 2]>::try_from(self.guarded()?).ok()?;
        Some(Relation { schema: schema.into(), name: name.into() })
    }

    /// The parts of that table's name.
    fn guarded(&self) -> Option<Vec<Vec<u8>>> {
        let mut tokens = Tokens::of(&self.text);
        if !tokens.take_word("alter") || !tokens.take_word("table") {
            return None;
        }
        let _ = tokens.take_word("only");
        let table = tokens.take_qualified()?;
        let after = |words: &&[&str]| {
            let mut rest = tokens.clone();
            words.iter().all(|word| rest.take_word(word)).then_some(rest)
        };
        let is_end = |mut rest: Tokens| matches!(rest.next(), None | Some(Token::Mark(b';')));
        let of_trigger = TRIGGERS.iter().find_map(after);
        let guards = ROW_SECURITY.iter().find_map(after).is_some_and(is_end)
            || of_trigger.is_some_and(|mut rest| rest.take_name().is_some() && is_end(rest));
        guards.then_some(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touches(text: &str) -> Touches {
        Statement { text: text.to_owned().into(), toc: None, line: 1, offset: 0 }.touches()
    }

    #[test]
    fn what_pg_dump_writes_after_the_rows_leaves_them_alone() {
        for text in [
            "SELECT pg_catalog.setval('public.s', 1, true);",
            "SELECT pg_catalog.lo_open('16400', 131072);",
            "BEGIN;",
            "COMMIT;",
            "SET default_tablespace = '';",
            "COMMENT ON TABLE public.a IS 'x';",
            "COMMENT ON INDEX public.a1 IS 'x';",
            "ALTER STATISTICS public.s OWNER TO o;",
            "CREATE OR REPLACE VIEW public.v AS SELECT 1;",
            "CREATE TRIGGER t BEFORE UPDATE ON public.a FOR EACH ROW EXECUTE FUNCTION public.f();",
            "CREATE CONSTRAINT TRIGGER t AFTER INSERT ON public.a EXECUTE FUNCTION public.f();",
            "ALTER INDEX public.p ATTACH PARTITION public.a_pkey;",
            "ALTER TABLE public.a ENABLE ROW LEVEL SECURITY;",
            "ALTER TABLE ONLY public.a FORCE ROW LEVEL SECURITY;",
            "ALTER TABLE public.\"A\" ENABLE ALWAYS TRIGGER t;",
            "ALTER TABLE public.a DISABLE TRIGGER t;",
            "CREATE POLICY p ON public.a USING ((owner = CURRENT_USER));",
            "CREATE PUBLICATION p FOR ALL TABLES;",
            "ALTER PUBLICATION p ADD TABLE ONLY public.a;",
            "GRANT SELECT ON TABLE public.a TO reader;",
            "ALTER DEFAULT PRIVILEGES FOR ROLE o GRANT SELECT ON TABLES TO r;",
        ] {
            assert_eq!(touches(text), Touches::NoRows, "{text}");
        }
    }

    #[test]
    fn what_computes_something_may_change_what_its_functions_change() {
        for text in [
            "CREATE INDEX i ON public.a USING btree (public.f(x));",
            "ALTER TABLE ONLY public.a ADD CONSTRAINT p PRIMARY KEY (id);",
            "ALTER TABLE ONLY public.a ADD CONSTRAINT f FOREIGN KEY (b) REFERENCES public.b(id);",
            "REFRESH MATERIALIZED VIEW public.m;",
        ] {
            assert_eq!(touches(text), Touches::WhatFunctionsDo, "{text}");
        }
    }

    #[test]
    fn anything_else_may_change_any_rows() {
        for text in [
            "UPDATE public.a SET x = 1;",
            "INSERT INTO public.a VALUES (1);",
            "SELECT public.f();",
            "DO $$ BEGIN END $$;",
            "TRUNCATE public.a;",
            "DROP TABLE public.a;",
            "ALTER TABLE public.a ADD CONSTRAINT c CHECK (public.f(x));",
            "ALTER TABLE public.a ALTER COLUMN x TYPE text;",
            "ALTER TABLE public.a ENABLE TRIGGER t, ALTER COLUMN x TYPE text;",
            "ALTER TABLE public.a DROP COLUMN x;",
            "CREATE EVENT TRIGGER t ON ddl_command_end EXECUTE FUNCTION public.f();",
            "CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p;",
            "VACUUM FULL;",
        ] {
            assert_eq!(touches(text), Touches::AnyRows, "{text}");
        }
    }
}
