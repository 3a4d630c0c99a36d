//! How far a statement reaches beyond its own object, as far as a restore wants to know: whether it
//! begins or ends a transaction, can share one, can change what is known of tables or functions.

use super::item::{Name, Statement};
use super::subject::{Relation, Subject};
use super::token::{Token, Tokens};

/// What a statement does to the transaction at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transaction {
    /// It begins one.
    Begins,
    /// It ends the one there is.
    Ends,
    /// It goes on in the one there is, or in the next: savepoints, `COMMIT AND CHAIN`.
    GoesOn,
}

/// What follows a statement and is not known before it is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leaves {
    /// Nothing: tables, functions and the like are what they were.
    AllAsItWas,
    /// Tables that may have got triggers, rules, constraints.
    OtherTables,
    /// A function of this name besides.
    Function(Name),
    /// Whatever there is may be another.
    Anything,
}

impl Statement {
    /// What it does to the transaction at hand; `None` where it is no such statement.
    #[must_use]
    pub fn transaction(&self) -> Option<Transaction> {
        let mut tokens = Tokens::of(&self.text);
        let Some(Token::Word(word)) = tokens.next() else { return None };
        match word.to_ascii_uppercase().as_slice() {
            b"BEGIN" => Some(Transaction::Begins),
            b"START" => tokens.take_word("transaction").then_some(Transaction::Begins),
            b"PREPARE" => tokens.take_word("transaction").then_some(Transaction::Ends),
            b"SAVEPOINT" | b"RELEASE" => Some(Transaction::GoesOn),
            b"COMMIT" | b"END" | b"ROLLBACK" | b"ABORT" => ended(tokens),
            _ => None,
        }
    }

    /// Whether it does the same in one transaction with its neighbours as in one of its own. What is
    /// deferred must not be: a batch begins with `SET CONSTRAINTS ALL IMMEDIATE`.
    #[must_use]
    pub fn joins_others(&self) -> bool {
        match self.subject() {
            Subject::Transaction | Subject::Alone => return false,
            Subject::Index(_) | Subject::Table(_) | Subject::ForeignKey(..) => return true,
            Subject::Property(..) | Subject::Sequence(_) | Subject::View(_) => return true,
            Subject::Attached(_) | Subject::IndexPart { .. } => return true,
            Subject::Refresh(_) => return false,
            // It holds from the next transaction on.
            Subject::Session(name) => {
                return name != "characteristics" && !name.starts_with("default_transaction_");
            }
            Subject::Other => {}
        }
        let words = self.leading_words(2);
        let (first, second) = words.split_once(' ').unwrap_or((&words, ""));
        match first {
            // Rows and names of such a table can end with the transaction.
            "CREATE" => {
                !matches!(second, "TEMP" | "TEMPORARY" | "LOCAL" | "GLOBAL")
                    && !self.ends_at_commit()
            }
            "ALTER" | "COMMENT" | "DELETE" | "DROP" | "GRANT" | "INSERT" | "REVOKE"
            | "SECURITY" | "UPDATE" => true,
            "SELECT" => self.makes_large_object(),
            _ => false,
        }
    }

    /// What it leaves to be found out.
    #[must_use]
    pub fn leaves(&self) -> Leaves {
        match self.subject() {
            Subject::Attached(_)
            | Subject::IndexPart { .. }
            | Subject::Refresh(_)
            | Subject::View(_) => return Leaves::OtherTables,
            Subject::Other | Subject::Alone => {}
            _ => return Leaves::AllAsItWas,
        }
        let words = self.leading_words(4);
        let is = |keywords: &[&str]| {
            keywords.iter().any(|keywords| {
                words
                    .strip_prefix(keywords)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
            })
        };
        if is(&[
            "ANALYZE", "COMMENT", "DELETE", "DISCARD", "GRANT", "INSERT", "REVOKE", "UPDATE",
            "VACUUM",
        ]) || is(&["ALTER SEQUENCE", "CREATE SEQUENCE", "SET LOCAL", "SET CONSTRAINTS"])
            || is(&["SELECT"]) && self.makes_large_object()
        {
            Leaves::AllAsItWas
        } else if is(&["CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"]) {
            self.made_function().map_or(Leaves::Anything, Leaves::Function)
        } else if is(&["ALTER INDEX", "ALTER TABLE", "ALTER VIEW", "ALTER MATERIALIZED VIEW"])
            || is(&[
                "CREATE INDEX",
                "CREATE MATERIALIZED VIEW",
                "CREATE POLICY",
                "CREATE PUBLICATION",
            ])
            || is(&["CREATE RULE", "CREATE SCHEMA", "CREATE STATISTICS", "CREATE SUBSCRIPTION"])
            || is(&[
                "CREATE TABLE",
                "CREATE TRIGGER",
                "CREATE CONSTRAINT TRIGGER",
                "CREATE UNIQUE INDEX",
            ])
            || is(&[
                "CREATE VIEW",
                "CREATE OR REPLACE VIEW",
                "REFRESH MATERIALIZED VIEW",
                "TRUNCATE",
            ])
            || is(&["CLUSTER", "REINDEX", "DROP INDEX", "DROP TRIGGER"])
        {
            Leaves::OtherTables
        } else {
            Leaves::Anything
        }
    }

    /// Whether it may call a function, or use a type, that `wanted` knows by its name. Columns of an
    /// index may have such names, too.
    #[must_use]
    pub fn uses_any(&self, wanted: impl Fn(&[u8]) -> bool) -> bool {
        let mut tokens = Tokens::of(&self.text);
        let mut in_list = false;
        while let Some(token) = tokens.next() {
            let next = tokens.clone().next();
            let is_column =
                in_list && !matches!(next, Some(Token::Mark(b'(' | b'.') | Token::Text(_)));
            let known = match &token {
                Token::Word(word) => wanted(&word.to_ascii_lowercase()),
                Token::Name(name) => wanted(name),
                Token::Text(_) | Token::Mark(_) => false,
            };
            if known && !is_column {
                return true;
            }
            in_list = matches!(token, Token::Mark(b'(' | b','));
        }
        false
    }

    /// `… ON COMMIT DROP`
    fn ends_at_commit(&self) -> bool {
        let mut tokens = Tokens::of(&self.text);
        while let Some(token) = tokens.next() {
            if token.is_word("on") && tokens.take_word("commit") {
                return true;
            }
        }
        false
    }

    /// The statistics of several columns that it makes, where their schema is written.
    pub(crate) fn made_statistics(&self) -> Option<Relation> {
        let mut tokens = Tokens::of(&self.text);
        if !tokens.take_word("create") || !tokens.take_word("statistics") {
            return None;
        }
        let [schema, name] = <[Vec<u8>; 2]>::try_from(tokens.take_qualified()?).ok()?;
        Some(Relation { schema: schema.into(), name: name.into() })
    }

    /// `SELECT pg_catalog.lo_create('1234');` and its like, as pg_dump writes them.
    pub(super) fn makes_large_object(&self) -> bool {
        let mut tokens = Tokens::of(&self.text);
        let called = tokens.take_word("select")
            && tokens.take_word("pg_catalog")
            && tokens.take_mark(b'.')
            && ["lo_create", "lo_open", "lowrite", "lo_close", "lo_unlink"]
                .iter()
                .any(|name| tokens.take_word(name));
        called && tokens.take_literals()
    }

    /// Whether it makes a function that an expression can call: one that returns a trigger, triggers alone can.
    pub(super) fn makes_callable(&self) -> bool {
        let mut tokens = Tokens::of(&self.text);
        let created = tokens.take_word("create");
        let _ = tokens.take_word("or") && tokens.take_word("replace");
        if !created || !tokens.take_word("function") {
            return false;
        }
        let returns = tokens.take_qualified().is_some()
            && tokens.take_mark(b'(')
            && tokens.take_mark(b')')
            && tokens.take_word("returns");
        let is_triggers =
            returns && (tokens.take_word("trigger") || tokens.take_word("event_trigger"));
        !is_triggers || matches!(tokens.next(), Some(Token::Mark(_)))
    }

    fn made_function(&self) -> Option<Name> {
        let mut tokens = Tokens::of(&self.text);
        while !tokens.next()?.is_word("function") {}
        tokens.take_qualified()?.pop().map(Name::from)
    }
}

/// What follows COMMIT or ROLLBACK.
fn ended(mut tokens: Tokens) -> Option<Transaction> {
    let _ = tokens.take_word("work") || tokens.take_word("transaction");
    // Of another transaction, by its name.
    if tokens.take_word("prepared") {
        return None;
    }
    let chains = tokens.take_word("and") && !tokens.take_word("no");
    let to_savepoint = tokens.take_word("to");
    Some(if chains || to_savepoint { Transaction::GoesOn } else { Transaction::Ends })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(text: &str) -> Statement {
        Statement { text: text.to_owned().into(), toc: None, line: 1, offset: 0 }
    }

    #[test]
    fn only_what_ends_a_transaction_ends_it() {
        use Transaction::{Begins, Ends, GoesOn};
        for (text, expected) in [
            ("BEGIN;", Some(Begins)),
            ("BEGIN ISOLATION LEVEL SERIALIZABLE;", Some(Begins)),
            ("start transaction;", Some(Begins)),
            ("COMMIT;", Some(Ends)),
            ("END WORK;", Some(Ends)),
            ("ABORT;", Some(Ends)),
            ("COMMIT AND NO CHAIN;", Some(Ends)),
            ("COMMIT AND CHAIN;", Some(GoesOn)),
            ("ROLLBACK WORK AND CHAIN;", Some(GoesOn)),
            ("ROLLBACK TO SAVEPOINT s;", Some(GoesOn)),
            ("ROLLBACK TRANSACTION TO s;", Some(GoesOn)),
            ("SAVEPOINT s;", Some(GoesOn)),
            ("RELEASE s;", Some(GoesOn)),
            ("PREPARE TRANSACTION 'x';", Some(Ends)),
            ("COMMIT PREPARED 'x';", None),
            ("ROLLBACK PREPARED 'x';", None),
            ("PREPARE p AS SELECT 1;", None),
            ("SELECT 1;", None),
        ] {
            assert_eq!(statement(text).transaction(), expected, "{text}");
        }
    }

    #[test]
    fn what_ends_with_its_transaction_is_run_in_one_of_its_own() {
        for text in [
            "CREATE TABLE a (b int);",
            "ALTER TABLE a OWNER TO b;",
            "INSERT INTO a VALUES (1);",
            "SET search_path = '';",
            "SELECT pg_catalog.lo_create('16400');",
        ] {
            assert!(statement(text).joins_others(), "{text}");
        }
        for text in [
            "CREATE TEMP TABLE a (b int);",
            "CREATE TABLE pg_temp.a (b int) ON COMMIT DROP;",
            "SET LOCAL search_path = '';",
            "SET CONSTRAINTS ALL DEFERRED;",
            "LOCK TABLE a;",
            "DECLARE c CURSOR FOR SELECT 1;",
            "SELECT set_config('search_path', '', true);",
            "SELECT public.f();",
            "DO $$ BEGIN END $$;",
            "SET default_transaction_read_only = on;",
            "VACUUM;",
        ] {
            assert!(!statement(text).joins_others(), "{text}");
        }
    }

    #[test]
    fn what_may_change_tables_or_functions_is_told_and_the_rest_changes_nothing() {
        for (text, expected) in [
            ("COMMENT ON TABLE a IS 'x';", Leaves::AllAsItWas),
            ("INSERT INTO a VALUES (1);", Leaves::AllAsItWas),
            ("SELECT pg_catalog.setval('public.s', 1, true);", Leaves::AllAsItWas),
            ("CREATE TRIGGER t AFTER INSERT ON a EXECUTE FUNCTION f();", Leaves::OtherTables),
            ("ALTER TABLE a ADD CONSTRAINT c CHECK (b > 0);", Leaves::OtherTables),
            ("CREATE FUNCTION public.\"F\"() RETURNS int;", Leaves::Function("F".into())),
            ("CREATE OR REPLACE FUNCTION g() RETURNS int;", Leaves::Function("g".into())),
            ("CREATE EVENT TRIGGER t ON ddl_command_end EXECUTE FUNCTION f();", Leaves::Anything),
            ("CREATE OPERATOR public.+ (FUNCTION = f);", Leaves::Anything),
            ("DO $$ BEGIN END $$;", Leaves::Anything),
            ("SELECT public.f();", Leaves::Anything),
            ("SELECT pg_catalog.lo_create(public.f());", Leaves::Anything),
        ] {
            assert_eq!(statement(text).leaves(), expected, "{text}");
        }
    }

    #[test]
    fn functions_and_types_are_found_where_they_are_used_and_columns_are_none() {
        let index = "CREATE INDEX i ON public.t USING btree (col, public.Fn(a), \"G\"(b), ((c)::public.d)) WHERE e = 'h';";
        let index = statement(index);
        let uses = |wanted: &[u8]| index.uses_any(|name| name == wanted);
        assert!([&b"fn"[..], b"G", b"d"].into_iter().all(uses));
        assert!(![&b"col"[..], b"g", b"h"].into_iter().any(uses));
    }
}
