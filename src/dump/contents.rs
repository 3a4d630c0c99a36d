//! What a dump contains: rows and fingerprint per table, sequence states, large objects, the
//! Alembic revision. Gathered from the reader's items, both while a backup is made and while one
//! is verified, so that both say the same.

use std::collections::HashMap;

use crate::dump::beyond::Beyond;
use crate::dump::encoding;
use crate::dump::fingerprint::{Fingerprint, TableFingerprint};
use crate::dump::item::{CopyBlock, Item, Meta, Name, Statement};
use crate::dump::statement::SetVal;
use crate::dump::statements::Statements;
use crate::dump::times::Samples;
use crate::pg;

/// Bytes of the `alembic_version` table that are kept to read the revision from.
const ALEMBIC_BYTES: usize = 16 * 1024;

/// A table that has rows in the dump, or could have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableContents {
    /// Schema; `None` where the dump does not say.
    pub schema: Option<Name>,
    /// Name.
    pub name: Name,
    /// Columns in the order of the COPY block; empty for a table without columns.
    pub columns: Vec<Name>,
    /// Rows and their fingerprint.
    pub fingerprint: TableFingerprint,
    /// Bytes of the rows as text.
    pub bytes: u64,
}

impl TableContents {
    /// `schema.table`, for people to read.
    pub fn display_name(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{schema}.{}", self.name),
            None => self.name.to_string(),
        }
    }

    /// The name as SQL.
    pub fn quoted(&self) -> String {
        match &self.schema {
            Some(schema) => pg::quote_qualified(&schema.text(), &self.name.text()),
            None => pg::quote_ident(&self.name.text()),
        }
    }
}

/// What a dump holds of one database.
#[derive(Debug, Default)]
pub struct DatabaseContents {
    /// Its name where the dump connects to it; `None` where it is left to whoever restores it.
    pub name: Option<Name>,
    /// Tables in dump order.
    pub tables: Vec<TableContents>,
    /// Sequence states in dump order.
    pub sequences: Vec<SetVal>,
    /// Large objects created.
    pub large_objects: u64,
    /// The client encoding that its rows are in, where the dump names one. In a dump of a cluster, each
    /// database has its own.
    pub encoding: Option<String>,
    /// Some of the values with a time zone, as they are written. In a dump of a cluster, each database
    /// may have a zone of its own.
    pub times: Samples,
    /// Where the tables of a name are in the list.
    places: HashMap<(Option<Name>, Name), Vec<usize>>,
}

impl DatabaseContents {
    fn is_empty(&self) -> bool {
        self.tables.is_empty() && self.sequences.is_empty() && self.large_objects == 0
    }
}

/// What was found in a dump so far.
#[derive(Debug, Default)]
pub struct Contents {
    /// The database that the dump is connected to.
    pub database: DatabaseContents,
    /// Those that it was connected to before.
    earlier: Vec<DatabaseContents>,
    /// `INSERT` statements: rows that carry no fingerprint.
    pub inserts: u64,
    /// All statements.
    pub statements: Statements,
    /// The first rows that can be neither restored nor compared here.
    pub beyond: Option<Beyond>,
    alembic: Option<Vec<u8>>,
    open: Option<Open>,
    /// Where names without a schema are: the first schema of the search path.
    path: Option<Name>,
    /// Plain literals have escapes: `standard_conforming_strings` is off.
    escapes: bool,
}

/// The COPY block being read.
#[derive(Debug)]
struct Open {
    schema: Option<Name>,
    name: Name,
    columns: Vec<Name>,
    fingerprint: Fingerprint,
    bytes: u64,
    is_alembic: bool,
}

impl Contents {
    /// Takes the reader's next item; `encoding` is the dump's client encoding at this place.
    pub fn take(&mut self, item: &Item, encoding: Option<&str>) {
        match item {
            Item::Statement(statement) => self.statement(statement, encoding),
            Item::CopyStart(block) => self.start(block, encoding),
            Item::CopyData(data) => {
                if let Some(open) = &mut self.open {
                    open.fingerprint.update(data);
                    self.database.times.look_at(data);
                    open.bytes += data.len() as u64;
                    if open.is_alembic {
                        let kept = self.alembic.get_or_insert_default();
                        let room = ALEMBIC_BYTES.saturating_sub(kept.len());
                        kept.extend_from_slice(&data[..data.len().min(room)]);
                    }
                }
            }
            Item::CopyEnd => self.end(),
            Item::Meta(Meta::Connect { database }) => self.connect(translated(database, encoding)),
            Item::Meta(_) => {}
        }
    }

    /// What the dump holds of each of its databases, in its order. A dump that connects to another
    /// database holds nothing of the one before, unless it said so; where it holds nothing of any, as
    /// `pg_dumpall --schema-only` does, it is about all that it connects to.
    pub fn databases(&self) -> impl Iterator<Item = &DatabaseContents> {
        let all = || self.earlier.iter().chain([&self.database]);
        let nothing = all().all(DatabaseContents::is_empty);
        all().filter(move |database| {
            let alone = self.earlier.is_empty();
            alone || !database.is_empty() || nothing && database.name.is_some()
        })
    }

    /// Whether the dump connects to databases by itself (`pg_dump --create`, `pg_dumpall`).
    pub fn connects(&self) -> bool {
        self.database.name.is_some()
    }

    /// Whether it connects to that one.
    pub fn connects_to(&self, name: &str) -> bool {
        let mut databases = self.earlier.iter().chain([&self.database]);
        databases.any(|database| database.name.as_ref().is_some_and(|of| of.text() == name))
    }

    fn connect(&mut self, name: Name) {
        self.path = None;
        let same = |database: &DatabaseContents| database.name.as_ref() == Some(&name);
        if same(&self.database) {
            return;
        }
        let next = match self.earlier.iter().position(same) {
            Some(known) => self.earlier.remove(known),
            None => DatabaseContents { name: Some(name), ..DatabaseContents::default() },
        };
        self.earlier.push(std::mem::replace(&mut self.database, next));
    }

    /// Tables in all databases.
    pub fn tables(&self) -> usize {
        self.databases().map(|database| database.tables.len()).sum()
    }

    /// Rows in all COPY blocks.
    pub fn rows(&self) -> u64 {
        let tables = self.databases().flat_map(|database| &database.tables);
        tables.map(|table| table.fingerprint.rows).sum()
    }

    /// The Alembic revisions in the dump; `None` when it has no `alembic_version` rows at all.
    pub fn alembic_revisions(&self) -> Option<Vec<String>> {
        let text = String::from_utf8_lossy(self.alembic.as_deref()?).into_owned();
        Some(text.lines().map(str::to_owned).collect())
    }

    fn statement(&mut self, statement: &Statement, encoding: Option<&str>) {
        self.statements.take(statement);
        if let Some(SetVal { schema, sequence, value, is_called }) =
            statement.setval_under(!self.escapes)
        {
            let sequence = translated(&sequence, encoding);
            let schema = self.schema(schema.as_ref(), encoding);
            self.database.sequences.push(SetVal { schema, sequence, value, is_called });
        } else if let Some(path) = statement.search_path() {
            self.path = path.map(|schema| translated(&schema, encoding));
        } else if let Some(standard) = statement.standard_strings() {
            self.escapes = !standard;
        } else if statement.starts_with(&["INSERT"]) {
            self.inserts += 1;
        } else if statement.creates_large_object() {
            self.database.large_objects += 1;
        }
    }

    fn start(&mut self, block: &CopyBlock, encoding: Option<&str>) {
        self.statements.take(&block.statement);
        let before = &self.database;
        let others = (!before.tables.is_empty()).then_some(before.encoding.as_deref());
        if self.beyond.is_none() {
            self.beyond = Beyond::of(block, encoding, others);
        }
        if self.database.encoding.as_deref() != encoding {
            self.database.encoding = encoding.map(str::to_owned);
        }
        self.open = Some(Open {
            schema: self.schema(block.schema.as_ref(), encoding),
            name: translated(&block.table, encoding),
            columns: block.columns.iter().map(|column| translated(column, encoding)).collect(),
            fingerprint: Fingerprint::for_encoding(encoding),
            bytes: 0,
            is_alembic: block.table == "alembic_version" && block.columns == ["version_num"],
        });
    }

    /// The schema that is written, else the one that is meant: pg_dump before version 10.3 wrote
    /// names without schema after a `SET search_path`.
    fn schema(&self, written: Option<&Name>, encoding: Option<&str>) -> Option<Name> {
        match written {
            Some(schema) => Some(translated(schema, encoding)),
            None => self.path.clone(),
        }
    }

    /// A table may have several blocks (`--load-via-partition-root`): they are one table's rows.
    fn end(&mut self) {
        let Some(open) = self.open.take() else { return };
        let fingerprint = open.fingerprint.finish();
        let DatabaseContents { tables, places, .. } = &mut self.database;
        let named = places.entry((open.schema.clone(), open.name.clone())).or_default();
        match named.iter().find(|at| tables[**at].columns == open.columns) {
            Some(at) => {
                tables[*at].fingerprint += fingerprint;
                tables[*at].bytes += open.bytes;
            }
            None => {
                named.push(tables.len());
                tables.push(TableContents {
                    schema: open.schema,
                    name: open.name,
                    columns: open.columns,
                    fingerprint,
                    bytes: open.bytes,
                });
            }
        }
    }
}

/// The name in UTF-8.
fn translated(name: &Name, encoding: Option<&str>) -> Name {
    Name::from(&*encoding::decode(name.as_bytes(), encoding))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::items::Items;

    fn contents(dump: &[u8]) -> Contents {
        let whole = [b"-- PostgreSQL database dump\n", dump].concat();
        let (mut items, mut contents) = (Items::new(&whole[..]), Contents::default());
        while let Ok(Some(item)) = items.pull() {
            contents.take(&item, items.encoding());
        }
        contents
    }

    #[test]
    fn names_without_schema_are_in_the_first_schema_of_the_search_path() {
        let found = contents(
            b"SET search_path = shop, pg_catalog;\nCOPY a (b) FROM stdin;\n1\n\\.\n\
              SELECT pg_catalog.setval('s', 1, true);\n\
              SET search_path = public, pg_catalog;\nCOPY a (b) FROM stdin;\n1\n\\.\n",
        );
        let names: Vec<String> =
            found.database.tables.iter().map(TableContents::display_name).collect();
        assert_eq!(names, ["shop.a", "public.a"]);
        assert_eq!(found.database.sequences[0].schema, Some("shop".into()));
    }

    #[test]
    fn names_are_translated_from_the_encoding_of_the_dump() {
        let found = contents(
            b"SET client_encoding = 'LATIN2';\nCOPY public.\xb3 (\xb1) FROM stdin;\n\\.\n\
              SELECT pg_catalog.setval('public.\xb3_\xb1_seq', 1, true);\n",
        );
        let table = &found.database.tables[0];
        assert_eq!((table.display_name().as_str(), &*table.columns[0].text()), ("public.ł", "ą"));
        assert_eq!(found.database.sequences[0].sequence, "ł_ą_seq");
    }

    #[test]
    fn names_of_sequences_are_read_under_the_strings_of_the_dump() {
        let name = |dump: &[u8]| contents(dump).database.sequences[0].sequence.to_string();
        let set = br#"SELECT pg_catalog.setval('public."a\\b"', 1, true);"#;
        assert_eq!(name(set), r"a\\b");
        let off = b"SET standard_conforming_strings = off;\n";
        assert_eq!(name(&[&off[..], set].concat()), r"a\b");
    }

    #[test]
    fn databases_of_which_nothing_is_held_count_where_nothing_is_held_of_any() {
        let names = |dump: &str| -> Vec<String> {
            let found = contents(dump.as_bytes());
            found.databases().map(|of| of.name.as_ref().unwrap().to_string()).collect()
        };
        let block = "COPY public.a (b) FROM stdin;\n\\.\n";
        assert_eq!(names(&format!("\\connect one\n\\connect two\n{block}")), ["two"]);
        assert_eq!(names("\\connect one\n\\connect two\n"), ["one", "two"]);
    }

    #[test]
    fn each_database_of_a_cluster_has_its_own_encoding_and_times() {
        let block = "COPY public.a (b) FROM stdin;\n2026-01-14 14:30:22+";
        let found = contents(
            format!(
                "\\connect one\nSET client_encoding = 'UTF8';\n{block}01\n\\.\n\
                 \\connect two\nSET client_encoding = 'LATIN1';\n{block}05:45\n\\.\n"
            )
            .as_bytes(),
        );
        let of = |database: &DatabaseContents| {
            let times = database.times.iter().map(str::to_owned).collect::<Vec<_>>().join(", ");
            (database.encoding.clone().unwrap(), times)
        };
        let found: Vec<_> = found.databases().map(of).collect();
        assert_eq!(
            found,
            [
                ("UTF8".to_owned(), "2026-01-14 14:30:22+01".to_owned()),
                ("LATIN1".to_owned(), "2026-01-14 14:30:22+05:45".to_owned()),
            ]
        );
    }

    #[test]
    fn the_statements_that_begin_copy_blocks_are_among_the_statements() {
        let found = contents(b"SET a = b;\nCOPY a (b) FROM stdin;\n1\n\\.\n");
        let kinds: Vec<_> =
            found.statements.by_kind().into_iter().map(|of| (of.kind, of.count)).collect();
        assert_eq!(kinds, [("COPY".to_owned(), 1), ("SET".to_owned(), 1)]);
    }

    #[test]
    fn what_a_dump_holds_is_told_by_database() {
        let found = contents(
            b"\\connect one\n\nCOPY public.a (b) FROM stdin;\n1\n\\.\n\
              SELECT pg_catalog.setval('public.s', 1, true);\n\\connect two\n\n\
              COPY public.a (b) FROM stdin;\n1\n2\n\\.\n\\connect empty\n\n\
              \\connect one\n\nCOPY public.c (b) FROM stdin;\n\\.\n",
        );
        let shown: Vec<String> = found
            .databases()
            .map(|of| {
                let tables: Vec<String> =
                    of.tables.iter().map(TableContents::display_name).collect();
                format!("{} {tables:?} {}", of.name.as_ref().unwrap(), of.sequences.len())
            })
            .collect();
        assert_eq!(shown, ["two [\"public.a\"] 0", "one [\"public.a\", \"public.c\"] 1"]);
        assert_eq!((found.tables(), found.rows()), (3, 3));
        assert!(found.connects() && found.connects_to("two") && !found.connects_to("three"));
    }

    #[test]
    fn a_dump_of_one_database_holds_that_also_when_it_is_empty() {
        let found = contents(b"SET a = b;\n");
        assert_eq!(found.databases().count(), 1);
        assert!(!found.connects());
    }
}
