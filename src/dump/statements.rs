//! The statements of a dump as one number for each kind: equal for equal statements in the same
//! order. So a lost or altered statement is noticed, and of which kind it is.

use std::collections::BTreeMap;
use std::fmt;

use xxhash_rust::xxh3::Xxh3;

use super::item::Statement;

/// Kinds that are told apart; PostgreSQL has about a hundred.
const MOST_KINDS: usize = 1000;
/// Letters of a first word that are kept.
const MOST_LETTERS: usize = 40;
/// The kind of all others.
const OTHERS: &str = "…";

/// Takes in the statements of a dump, those that begin COPY blocks among them.
#[derive(Debug, Default)]
pub struct Statements(BTreeMap<String, Kind>);

/// The statements of one kind.
#[derive(Clone, Default)]
struct Kind {
    count: u64,
    hash: Box<Xxh3>,
}

/// What was found of one kind of statements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementsOfKind {
    /// pg_dump's own word for it, such as `FK CONSTRAINT`; for statements without a comment above
    /// them, such as the DROP of `--clean`, their first word.
    pub kind: String,
    /// How many.
    pub count: u64,
    /// The xxh3-128 hash of their texts in the order of the dump, a NUL after each.
    pub fingerprint: u128,
}

impl Statements {
    /// Takes in the next statement.
    pub fn take(&mut self, statement: &Statement) {
        // No allocation for a kind that is known: a dump can have a million INSERT statements.
        let known = match &statement.toc {
            Some(entry) => self.0.get_mut(&entry.kind),
            None => None,
        };
        let kind = match known {
            Some(kind) => kind,
            None => {
                let name = kind_of(statement);
                let full = self.0.len() >= MOST_KINDS && !self.0.contains_key(&name);
                self.0.entry(if full { OTHERS.to_owned() } else { name }).or_default()
            }
        };
        kind.count += 1;
        kind.hash.update(&statement.text);
        kind.hash.update(b"\0");
    }

    /// What was taken in, by kind.
    pub fn by_kind(&self) -> Vec<StatementsOfKind> {
        let found = |(name, kind): (&String, &Kind)| StatementsOfKind {
            kind: name.clone(),
            count: kind.count,
            fingerprint: kind.hash.digest128(),
        };
        self.0.iter().map(found).collect()
    }
}

fn kind_of(statement: &Statement) -> String {
    match &statement.toc {
        Some(entry) => entry.kind.clone(),
        None => statement.leading_words(1).chars().take(MOST_LETTERS).collect(),
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kind").field("count", &self.count).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::dump::item::TocEntry;

    fn statement(kind: Option<&str>, text: &'static str) -> Statement {
        let entry = |kind: &str| TocEntry {
            name: "x".into(),
            kind: kind.to_owned(),
            schema: None,
            owner: None,
        };
        let toc = kind.map(|kind| Arc::new(entry(kind)));
        Statement { text: text.into(), toc, line: 1, offset: 0 }
    }

    fn found(statements: &[(Option<&str>, &'static str)]) -> Vec<StatementsOfKind> {
        let mut all = Statements::default();
        for (kind, text) in statements {
            all.take(&statement(*kind, text));
        }
        all.by_kind()
    }

    #[test]
    fn statements_are_counted_by_kind() {
        let found = found(&[(None, "SET a = b;"), (Some("INDEX"), "x;"), (Some("INDEX"), "y;")]);
        let counts: Vec<_> = found.iter().map(|of| (of.kind.as_str(), of.count)).collect();
        assert_eq!(counts, [("INDEX", 2), ("SET", 1)]);
    }

    #[test]
    fn more_kinds_than_there_are_make_one() {
        let mut all = Statements::default();
        for number in 0..3 * MOST_KINDS {
            let entry =
                TocEntry { name: "x".into(), kind: number.to_string(), schema: None, owner: None };
            let (text, toc) = ("x;".into(), Some(Arc::new(entry)));
            all.take(&Statement { text, toc, line: 1, offset: 0 });
        }
        let found = all.by_kind();
        assert_eq!(found.len(), MOST_KINDS + 1);
        let others = found.iter().find(|of| of.kind == OTHERS).unwrap();
        assert_eq!(others.count, 2 * MOST_KINDS as u64);
    }

    #[test]
    fn a_statement_that_is_altered_lost_or_moved_changes_the_fingerprint_of_its_kind() {
        let index = Some("INDEX");
        let good = found(&[(index, "a;"), (index, "b;")]);
        for other in [
            &[(index, "a;"), (index, "c;")][..],
            &[(index, "a;")],
            &[(index, "b;"), (index, "a;")],
            &[(index, "a;b;")],
        ] {
            assert_ne!(found(other), good);
        }
        assert_eq!(found(&[(index, "a;"), (index, "b;")]), good);
    }
}
