//! The statements of a dump as one number for each kind, and one for all: equal for equal statements in
//! the same order. So a lost or altered statement is noticed, and of which kind it is, and one that stands
//! elsewhere among those of other kinds.

use std::collections::BTreeMap;
use std::fmt;

use memchr::memmem;
use xxhash_rust::xxh3::Xxh3;

use super::item::Statement;
use super::row_keeping::Touches;
use super::superuser::{self, Taken};
use crate::model::contents::StatementsOfKind;
use crate::model::fingerprint::Fingerprint;

/// Kinds that are told apart; PostgreSQL has about a hundred.
const MOST_KINDS: usize = 1000;
/// Letters of a first word that are kept.
const MOST_LETTERS: usize = 40;
/// The kind of all others.
const OTHERS: &str = "…";

/// Takes in the statements of a dump, those that begin COPY blocks among them.
#[derive(Debug, Default)]
pub struct Statements {
    by_kind: BTreeMap<String, Kind>,
    /// All of them, whatever their kind.
    all: Kind,
    /// One names `query_to_xml`, `table_to_xml` or their like.
    runs_queries: bool,
    /// One makes a function that others than triggers call.
    makes_function: bool,
    /// The first that takes something from the superuser, by its line.
    taken: Option<(u64, Taken)>,
    /// A COPY statement was among them.
    has_rows: bool,
    /// One behind rows may change them, whatever functions do.
    changes_rows: bool,
}

/// The statements of one kind.
#[derive(Clone, Default)]
struct Kind {
    count: u64,
    hash: Box<Xxh3>,
}

impl Statements {
    /// Takes in the next statement, which does not begin a COPY block.
    pub fn take(&mut self, statement: &Statement) {
        self.count(statement);
        if self.has_rows && !self.changes_rows {
            self.changes_rows = statement.touches() == Touches::AnyRows;
        }
    }

    /// Takes in the next statement, which begins a COPY block.
    pub fn take_copy(&mut self, statement: &Statement) {
        self.count(statement);
        self.has_rows = true;
    }

    fn count(&mut self, statement: &Statement) {
        // No allocation for a kind that is known: a dump can have a million INSERT statements.
        let known = match &statement.toc {
            Some(entry) => self.by_kind.get_mut(&entry.kind),
            None => None,
        };
        let kind = match known {
            Some(kind) => kind,
            None => {
                let name = kind_of(statement);
                let full = self.by_kind.len() >= MOST_KINDS && !self.by_kind.contains_key(&name);
                self.by_kind.entry(if full { OTHERS.to_owned() } else { name }).or_default()
            }
        };
        kind.take(&statement.text);
        self.all.take(&statement.text);
        if self.taken.is_none() {
            self.taken = superuser::taken(statement).map(|taken| (statement.line, taken));
        }
        self.makes_function |= statement.makes_callable();
        self.runs_queries |= memmem::find(&statement.text, b"_to_xml").is_some();
    }

    /// The xxh3-128 hash of all texts in the order of the dump, whatever their kind, a NUL after each.
    pub fn in_order(&self) -> Fingerprint {
        self.all.fingerprint()
    }

    /// What the first of them takes from the superuser of every new server, and its line.
    pub fn taken_from_superuser(&self) -> Option<(u64, Taken)> {
        self.taken
    }

    /// Whether one of them makes a function, or brings some, or calls one of PostgreSQL's own that runs a
    /// query. Those that triggers alone can call do not count.
    pub fn bring_functions(&self) -> bool {
        const MAKERS: [&str; 3] = ["PROCEDURE", "AGGREGATE", "EXTENSION"];
        self.runs_queries
            || self.makes_function
            || MAKERS.iter().any(|kind| self.by_kind.contains_key(*kind))
    }

    /// Whether rows stay what they are once they are there, whatever of these is still to be run: where no function that a
    /// constraint, an index or a materialized view calls looks at tables, and no event trigger fires, which the catalog knows.
    pub fn leave_rows_alone(&self) -> bool {
        !self.changes_rows
    }

    /// What was taken in, by kind.
    pub fn by_kind(&self) -> Vec<StatementsOfKind> {
        let found = |(name, kind): (&String, &Kind)| StatementsOfKind {
            kind: name.clone(),
            count: kind.count,
            fingerprint: kind.fingerprint(),
        };
        self.by_kind.iter().map(found).collect()
    }
}

impl Kind {
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint(self.hash.digest128())
    }

    fn take(&mut self, text: &[u8]) {
        self.count += 1;
        self.hash.update(text);
        self.hash.update(b"\0");
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
    fn a_statement_that_stands_among_others_of_another_kind_changes_the_order_alone() {
        let (view, data) = ((Some("VIEW"), "v;"), (Some("TABLE DATA"), "d;"));
        let taken = |statements: [(Option<&str>, &'static str); 2]| {
            let mut all = Statements::default();
            statements.iter().for_each(|(kind, text)| all.take(&statement(*kind, text)));
            all
        };
        let (good, moved) = (taken([data, view]), taken([view, data]));
        assert_eq!(good.by_kind(), moved.by_kind());
        assert_ne!(good.in_order(), moved.in_order());
        assert_eq!(good.in_order(), taken([data, view]).in_order());
    }

    #[test]
    fn functions_are_brought_by_their_kinds_by_extensions_and_by_what_runs_a_query() {
        let brings = |kind, text| {
            let mut all = Statements::default();
            all.take(&statement(Some(kind), text));
            all.bring_functions()
        };
        assert!(brings("FUNCTION", "CREATE FUNCTION f();"));
        assert!(brings(
            "FUNCTION",
            "CREATE FUNCTION public.f(a text) RETURNS text\n LANGUAGE sql AS 'x';"
        ));
        assert!(brings("FUNCTION", "CREATE FUNCTION f() RETURNS public.trigger AS 'x';"));
        assert!(brings("FUNCTION", "CREATE FUNCTION f() RETURNS trigger[] AS 'x';"));
        assert!(!brings(
            "FUNCTION",
            "CREATE FUNCTION public.f() RETURNS trigger\n    LANGUAGE plpgsql AS 'x';"
        ));
        assert!(!brings(
            "FUNCTION",
            "CREATE OR REPLACE FUNCTION f() RETURNS event_trigger LANGUAGE c AS 'x';"
        ));
        assert!(brings("EXTENSION", "CREATE EXTENSION citext;"));
        assert!(brings("TABLE", "CREATE TABLE t (a int CHECK (query_to_xml('x') IS NULL));"));
        assert!(!brings("TABLE", "CREATE TABLE t (a int DEFAULT nextval('s'));"));
    }

    #[test]
    fn rows_stay_what_they_are_where_nothing_behind_them_may_change_them() {
        let made = [
            "SET statement_timeout = 0;",
            "SELECT pg_catalog.set_config('search_path', '', false);",
            "CREATE TABLE public.t (a integer);",
            "ALTER TABLE public.t OWNER TO o;",
            "CREATE SEQUENCE public.s;",
        ];
        let keep = |after: &[&'static str]| {
            let mut all = Statements::default();
            made.iter().for_each(|text| all.take(&statement(None, text)));
            all.take_copy(&statement(None, "COPY public.t (a) FROM stdin;"));
            after.iter().for_each(|text| all.take(&statement(None, text)));
            all.leave_rows_alone()
        };
        let built = [
            "SELECT pg_catalog.setval('public.s', 1, true);",
            "ALTER TABLE ONLY public.t ADD CONSTRAINT t_pkey PRIMARY KEY (a);",
            "CREATE INDEX i ON public.t USING btree (a);",
            "REFRESH MATERIALIZED VIEW public.v;",
            "CREATE TRIGGER g BEFORE UPDATE ON public.t FOR EACH ROW EXECUTE FUNCTION public.f();",
        ];
        assert!(keep(&built));
        for changing in [
            "DELETE FROM public.t;",
            "INSERT INTO public.t VALUES (1);",
            "ALTER TABLE public.t ADD COLUMN b integer DEFAULT 1;",
            "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION public.f();",
            "DO $$ BEGIN END $$;",
            "SELECT public.f();",
        ] {
            assert!(!keep(&[changing]), "{changing}");
        }
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
