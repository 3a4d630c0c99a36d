//! What a statement of pg_dump works on, as far as a restore wants to run several at once.
//!
//! Whatever is not recognised is [`Subject::Other`]: it runs alone and in its place.

use super::item::{Name, Statement};
use super::token::{Token, Tokens};

/// A table or sequence, by its full name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Relation {
    /// Schema.
    pub schema: Name,
    /// Name.
    pub name: Name,
}

/// What belongs to a table and has a name of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Object {
    /// An index.
    Index,
    /// Statistics of several columns.
    Statistics,
}

/// What a statement works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// `CREATE INDEX … ON table`: several at once on one table are fine.
    Index(Relation),
    /// `ALTER TABLE … ADD CONSTRAINT … PRIMARY KEY | UNIQUE | EXCLUDE`, `CLUSTER ON`,
    /// `REPLICA IDENTITY`, `COMMENT ON CONSTRAINT | RULE | TRIGGER … ON table`: alone on its table.
    Table(Relation),
    /// `COMMENT ON INDEX | STATISTICS`, `ALTER INDEX … ALTER COLUMN … SET`, `ALTER STATISTICS`: touches nothing but that.
    Property(Object, Relation),
    /// `CREATE TRIGGER`, `CREATE POLICY`, `CREATE RULE` but of a view, `CREATE STATISTICS`, `ALTER TABLE … ENABLE ROW LEVEL
    /// SECURITY` and its like: alone on its table, whose rows may be taken in another way afterwards.
    Attached(Relation),
    /// `CREATE [OR REPLACE] VIEW view`, which may lean on keys of any tables.
    View(Relation),
    /// `ALTER INDEX index ATTACH PARTITION part`: alone on the tables of both.
    IndexPart {
        /// The index of the partitioned table.
        index: Relation,
        /// That of a partition.
        part: Relation,
    },
    /// `REFRESH MATERIALIZED VIEW view`: reads any tables.
    Refresh(Relation),
    /// `ALTER TABLE … ADD CONSTRAINT … FOREIGN KEY … REFERENCES …`: alone on both.
    ForeignKey(Relation, Relation),
    /// `SELECT setval('schema.sequence', 1, true)`: touches nothing but the sequence.
    Sequence(Relation),
    /// `SET name = …`, `RESET name`, or `set_config` of it: changes the session for what follows.
    Session(String),
    /// `BEGIN`, `COMMIT` and their like: never in one message with others.
    Transaction,
    /// `CREATE DATABASE` and what else refuses to run in a transaction.
    Alone,
    /// Anything else.
    Other,
}

impl Statement {
    /// What it works on.
    #[must_use]
    pub fn subject(&self) -> Subject {
        if self.transaction().is_some() {
            return Subject::Transaction;
        }
        let mut tokens = Tokens::of(&self.text);
        let Some(Token::Word(word)) = tokens.next() else { return Subject::Other };
        let known = match word.to_ascii_uppercase().as_slice() {
            b"CREATE" => create(tokens),
            b"ALTER" => alter(tokens).or_else(|| self.guarded_table().map(Subject::Attached)),
            b"COMMENT" => comment(tokens),
            b"SELECT" => select(tokens).or_else(|| self.sequence()),
            b"SET" => set(tokens),
            b"RESET" => reset(tokens),
            b"REFRESH" => refresh(tokens),
            b"DISCARD" => tokens.take_word("all").then_some(Subject::Alone),
            // Of a transaction that was prepared.
            b"VACUUM" | b"CLUSTER" | b"REINDEX" | b"COMMIT" | b"ROLLBACK" => Some(Subject::Alone),
            _ => None,
        };
        known.unwrap_or(Subject::Other)
    }

    /// The sequence whose state it sets, where nothing is asked for it.
    fn sequence(&self) -> Option<Subject> {
        let set = self.setval()?;
        Some(Subject::Sequence(Relation { schema: set.schema?, name: set.sequence }))
    }
}

/// `CREATE [UNIQUE] INDEX name ON [ONLY] table …`, what is attached to a table, and views
fn create(mut tokens: Tokens) -> Option<Subject> {
    if tokens.take_word("database") || tokens.take_word("tablespace") {
        return Some(Subject::Alone);
    }
    if tokens.take_word("rule") {
        return rule(tokens);
    }
    let replaces = tokens.take_word("or") && tokens.take_word("replace");
    if tokens.take_word("view") {
        return Some(Subject::View(relation(&mut tokens)?));
    }
    if replaces {
        return None;
    }
    let _ = tokens.take_word("constraint");
    let before_its_table = if tokens.take_word("trigger") || tokens.take_word("policy") {
        Some("on")
    } else if tokens.take_word("statistics") {
        Some("from")
    } else {
        None
    };
    if let Some(word) = before_its_table {
        tokens.skip_to(word)?;
        return Some(Subject::Attached(relation(&mut tokens)?));
    }
    let _ = tokens.take_word("unique");
    if !tokens.take_word("index") {
        return None;
    }
    // CONCURRENTLY and IF NOT EXISTS are not pg_dump's; the name never says ON unquoted.
    tokens.take_name()?;
    if !tokens.take_word("on") {
        return None;
    }
    let _ = tokens.take_word("only");
    Some(Subject::Index(relation(&mut tokens)?))
}

/// `CREATE RULE name AS ON event TO table …`. What happens when a view is read is the view.
fn rule(mut tokens: Tokens) -> Option<Subject> {
    tokens.take_name()?;
    if !tokens.take_word("as") || !tokens.take_word("on") || tokens.take_word("select") {
        return None;
    }
    tokens.next()?;
    if !tokens.take_word("to") {
        return None;
    }
    Some(Subject::Attached(relation(&mut tokens)?))
}

/// `REFRESH MATERIALIZED VIEW view;`
fn refresh(mut tokens: Tokens) -> Option<Subject> {
    if !tokens.take_word("materialized") || !tokens.take_word("view") {
        return None;
    }
    let view = relation(&mut tokens)?;
    matches!(tokens.next(), None | Some(Token::Mark(b';'))).then_some(Subject::Refresh(view))
}

/// `ALTER TABLE [ONLY] table ADD CONSTRAINT name …`, `CLUSTER ON …`, `REPLICA IDENTITY …`; `ALTER INDEX index ATTACH
/// PARTITION part`, `ALTER COLUMN …`; `ALTER STATISTICS statistics …`
fn alter(mut tokens: Tokens) -> Option<Subject> {
    if tokens.take_word("statistics") {
        let statistics = relation(&mut tokens)?;
        let is_property = tokens.take_word("owner") || tokens.take_word("set");
        // By `SET SCHEMA` it gets another name.
        let keeps_name = !tokens.clone().next().is_some_and(|what| what.is_word("schema"));
        return (is_property && keeps_name)
            .then_some(Subject::Property(Object::Statistics, statistics));
    }
    if tokens.take_word("index") {
        let index = relation(&mut tokens)?;
        if tokens.take_word("alter") && tokens.take_word("column") {
            return Some(Subject::Property(Object::Index, index));
        }
        let attaches = tokens.take_word("attach") && tokens.take_word("partition");
        let part = relation(&mut tokens).filter(|_| attaches)?;
        return Some(Subject::IndexPart { index, part });
    }
    if !tokens.take_word("table") {
        return None;
    }
    let _ = tokens.take_word("only");
    let table = relation(&mut tokens)?;
    if tokens.take_word("cluster") || tokens.take_word("replica") {
        return Some(Subject::Table(table));
    }
    if !tokens.take_word("add") || !tokens.take_word("constraint") {
        return None;
    }
    tokens.take_name()?;
    if tokens.take_word("primary") || tokens.take_word("unique") || tokens.take_word("exclude") {
        return Some(Subject::Table(table));
    }
    if !tokens.take_word("foreign") {
        return None;
    }
    // FOREIGN KEY (columns) REFERENCES table: the columns hold no parenthesis unquoted.
    while tokens.next()? != Token::Mark(b')') {}
    if !tokens.take_word("references") {
        return None;
    }
    Some(Subject::ForeignKey(table, relation(&mut tokens)?))
}

/// `COMMENT ON INDEX | STATISTICS name IS 'text'`, `COMMENT ON CONSTRAINT | RULE | TRIGGER name ON table IS 'text'`
fn comment(mut tokens: Tokens) -> Option<Subject> {
    if !tokens.take_word("on") {
        return None;
    }
    if tokens.take_word("index") {
        return Some(Subject::Property(Object::Index, relation(&mut tokens)?));
    }
    if tokens.take_word("statistics") {
        return Some(Subject::Property(Object::Statistics, relation(&mut tokens)?));
    }
    if !["constraint", "rule", "trigger"].iter().any(|what| tokens.take_word(what)) {
        return None;
    }
    tokens.take_name()?;
    // A domain has constraints, too.
    if !tokens.take_word("on") || tokens.clone().next().is_some_and(|of| of.is_word("domain")) {
        return None;
    }
    Some(Subject::Table(relation(&mut tokens)?))
}

/// `SELECT [pg_catalog.]set_config('name', 'value', false)`
fn select(mut tokens: Tokens) -> Option<Subject> {
    if tokens.take_word("pg_catalog") && !tokens.take_mark(b'.') {
        return None;
    }
    if !tokens.take_word("set_config") {
        return None;
    }
    let mut arguments = tokens.clone();
    if !tokens.take_mark(b'(') || !arguments.take_literals() {
        return None;
    }
    let Token::Text(name) = tokens.next()? else { return None };
    let lasts = tokens.any(|token| token.is_word("false"));
    lasts.then(|| Subject::Session(setting(&name)))
}

/// `SET [SESSION] name …`; `SET LOCAL` and the like change nothing that lasts.
fn set(mut tokens: Tokens) -> Option<Subject> {
    if tokens.take_word("local")
        || tokens.take_word("constraints")
        || tokens.take_word("transaction")
    {
        return None;
    }
    if tokens.take_word("session") && tokens.take_word("authorization") {
        return Some(Subject::Session("session_authorization".to_owned()));
    }
    parameter(&mut tokens)
}

/// `RESET name`, `RESET ALL`, `RESET SESSION AUTHORIZATION`
fn reset(mut tokens: Tokens) -> Option<Subject> {
    if tokens.take_word("session") && tokens.take_word("authorization") {
        return Some(Subject::Session("session_authorization".to_owned()));
    }
    parameter(&mut tokens)
}

fn parameter(tokens: &mut Tokens) -> Option<Subject> {
    let name = tokens.take_qualified()?.join(&b'.');
    Some(Subject::Session(setting(&name)))
}

/// The parameter, of which some have a name of SQL's own.
fn setting(name: &[u8]) -> String {
    match String::from_utf8_lossy(name).to_ascii_lowercase() {
        name if name == "names" => "client_encoding".to_owned(),
        name if name == "time" => "timezone".to_owned(),
        name => name,
    }
}

fn relation(tokens: &mut Tokens) -> Option<Relation> {
    let parts = tokens.take_qualified()?;
    let [schema, name] = <[Vec<u8>; 2]>::try_from(parts).ok()?;
    Some(Relation { schema: schema.into(), name: name.into() })
}

#[cfg(test)]
#[path = "subject_tests.rs"]
mod tests;
