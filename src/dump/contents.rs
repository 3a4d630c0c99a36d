//! What a dump contains: rows and fingerprint per table, sequence states, large objects, the
//! Alembic revision. Gathered from the reader's items, both while a backup is made and while one
//! is verified, so that both say the same.

use std::collections::HashMap;

use crate::dump::beyond::Beyond;
use crate::dump::encoding;
use crate::dump::fingerprint::{Fingerprint, TableFingerprint};
use crate::dump::inserts::{self, Columns, Inserted};
use crate::dump::item::{CopyBlock, Item, Meta, Name, Statement};
use crate::dump::large_objects::Written;
use crate::dump::statement::SetVal;
use crate::dump::statements::Statements;
use crate::dump::times::Samples;
use crate::pg;

/// Bytes of the `alembic_version` table that are kept to read the revision from.
const ALEMBIC_BYTES: usize = 16 * 1024;

/// The state of a sequence in the dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequenceState {
    /// Schema: the one that the dump says, else the one that it means.
    pub schema: Name,
    /// Name.
    pub name: Name,
    /// Its last value.
    pub value: i64,
    /// Whether the next value comes after it; if not, it is the next.
    pub is_called: bool,
}

/// A table that has rows in the dump, or could have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableContents {
    /// Schema: the one that the dump says, else the one that it means.
    pub schema: Name,
    /// Name.
    pub name: Name,
    /// Columns in the order of the values; none for a table without columns.
    pub columns: Columns,
    /// Rows and their fingerprint.
    pub fingerprint: TableFingerprint,
    /// Bytes of the rows as text.
    pub bytes: u64,
}

impl TableContents {
    /// `schema.table`, for people to read.
    pub fn display_name(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    /// The name as SQL.
    pub fn quoted(&self) -> String {
        pg::quote_qualified(&self.schema.text(), &self.name.text())
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
    pub sequences: Vec<SequenceState>,
    /// Large objects.
    pub large_objects: Written,
    /// The client encoding that its rows are in, where the dump names one. In a dump of a cluster, each
    /// database has its own.
    pub encoding: Option<String>,
    /// Some of the values with a time zone, as they are written. In a dump of a cluster, each database
    /// may have a zone of its own.
    pub times: Samples,
    /// Where the tables of a name are in the list.
    places: HashMap<(Name, Name), Place>,
}

/// The tables of a name.
#[derive(Debug)]
struct Place {
    /// One for each order of the columns.
    at: Vec<usize>,
    how: How,
}

/// How the rows of a table are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Copied,
    Inserted,
    /// In statements that are not understood.
    Unknown,
}

impl DatabaseContents {
    /// The client encoding of the rows so far, where there are any.
    fn encoding_so_far(&self) -> Option<Option<&str>> {
        (!self.tables.is_empty()).then_some(self.encoding.as_deref())
    }

    fn add(&mut self, found: TableContents, how: How) {
        let Self { tables, places, .. } = self;
        let key = (found.schema.clone(), found.name.clone());
        let place = places.entry(key).or_insert_with(|| Place { at: Vec::new(), how });
        match place.at.iter().find(|at| tables[**at].columns == found.columns) {
            Some(at) => {
                tables[*at].fingerprint += found.fingerprint;
                tables[*at].bytes += found.bytes;
            }
            None => {
                place.at.push(tables.len());
                tables.push(found);
            }
        }
    }

    /// Leaves out a table of which a row is inserted that is not known.
    fn forget(&mut self, key: (Name, Name)) {
        let unknown = Place { at: Vec::new(), how: How::Unknown };
        let place = self.places.entry(key).or_insert(unknown);
        if place.how != How::Inserted {
            return;
        }
        let gone = std::mem::take(&mut place.at);
        place.how = How::Unknown;
        for at in gone.into_iter().rev() {
            self.tables.remove(at);
            let others = self.places.values_mut().flat_map(|place| &mut place.at);
            others.filter(|other| **other > at).for_each(|other| *other -= 1);
        }
    }

    fn is_empty(&self) -> bool {
        self.tables.is_empty() && self.sequences.is_empty() && self.large_objects.count() == 0
    }
}

/// What was found in a dump so far.
#[derive(Debug, Default)]
pub struct Contents {
    /// The database that the dump is connected to.
    pub database: DatabaseContents,
    /// Those that it was connected to before.
    earlier: Vec<DatabaseContents>,
    /// `INSERT` statements that are not understood: rows that carry no fingerprint.
    pub inserts: u64,
    /// All statements.
    pub statements: Statements,
    /// Statements that make a table.
    made: u64,
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
    schema: Name,
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
                        self.keep_alembic(data);
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

    /// Whether it makes a table, or has rows or large objects.
    pub fn holds_anything(&self) -> bool {
        let objects = || self.databases().any(|database| database.large_objects.count() > 0);
        self.made + self.inserts > 0 || self.tables() > 0 || objects()
    }

    fn statement(&mut self, statement: &Statement, encoding: Option<&str>) {
        self.statements.take(statement);
        let is_create = || statement.starts_with(&["CREATE"]);
        if is_create() && statement.leading_words(3).contains(" TABLE") {
            self.made += 1;
        }
        if let Some(SetVal { schema, sequence, value, is_called }) =
            statement.setval_under(!self.escapes)
        {
            let name = translated(&sequence, encoding);
            let schema = self.schema(schema.as_ref(), encoding);
            self.database.sequences.push(SequenceState { schema, name, value, is_called });
        } else if let Some(path) = statement.search_path() {
            self.path = path.map(|schema| translated(&schema, encoding));
        } else if let Some(standard) = statement.standard_strings() {
            self.escapes = !standard;
        } else if statement.starts_with(&["INSERT"]) {
            self.insert(&statement.text, encoding);
        } else {
            self.database.large_objects.take(&statement.text, !self.escapes);
        }
    }

    /// Takes the rows of an INSERT statement as those of a COPY block, unless it is one that pg_dump
    /// does not write.
    fn insert(&mut self, text: &[u8], encoding: Option<&str>) {
        let key = |schema: Option<&Name>, table: &Name, contents: &Self| {
            (contents.schema(schema, encoding), translated(table, encoding))
        };
        let before = self.database.encoding_so_far();
        let comparable = encoding.is_none_or(encoding::holds_no_ascii)
            && before.is_none_or(|before| encoding::is_same(before, encoding));
        let inserted = comparable.then(|| inserts::read(text, !self.escapes)).flatten();
        let is_named = |inserted: &Inserted| {
            inserted.names().all(|name| encoding::is_translated(name.as_bytes(), encoding))
        };
        let Some(inserted) = inserted.filter(is_named) else {
            self.inserts += 1;
            if let Some((schema, table)) = inserts::table(text, !self.escapes) {
                let key = key(schema.as_ref(), &table, self);
                self.database.forget(key);
            }
            return;
        };
        let Inserted { schema, table, columns, fingerprint, rows } = inserted;
        let (schema, name) = key(schema.as_ref(), &table, self);
        let place = self.database.places.get(&(schema.clone(), name.clone()));
        if place.is_some_and(|place| place.how != How::Inserted) {
            self.inserts += 1;
            return;
        }
        self.is_in(encoding);
        self.database.times.look_at(&rows);
        if table == "alembic_version" && !rows.contains(&b'\t') {
            self.keep_alembic(&rows);
        }
        let columns = match columns {
            Columns::Named(names) => {
                let names = names.iter().map(|column| translated(column, encoding));
                Columns::Named(names.collect())
            }
            Columns::Stored => Columns::Stored,
        };
        let bytes = rows.len() as u64;
        let found = TableContents { schema, name, columns, fingerprint, bytes };
        self.database.add(found, How::Inserted);
    }

    fn is_in(&mut self, encoding: Option<&str>) {
        if self.database.encoding.as_deref() != encoding {
            self.database.encoding = encoding.map(str::to_owned);
        }
    }

    fn keep_alembic(&mut self, rows: &[u8]) {
        let kept = self.alembic.get_or_insert_default();
        let room = ALEMBIC_BYTES.saturating_sub(kept.len());
        kept.extend_from_slice(&rows[..rows.len().min(room)]);
    }

    fn start(&mut self, block: &CopyBlock, encoding: Option<&str>) {
        self.statements.take(&block.statement);
        if self.beyond.is_none() {
            self.beyond = Beyond::of(block, encoding, self.database.encoding_so_far());
        }
        self.is_in(encoding);
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
    /// names without schema after a `SET search_path`, and a session has one before that is set.
    fn schema(&self, written: Option<&Name>, encoding: Option<&str>) -> Name {
        match (written, &self.path) {
            (Some(schema), _) => translated(schema, encoding),
            (None, Some(schema)) => schema.clone(),
            (None, None) => "public".into(),
        }
    }

    /// A table may have several blocks (`--load-via-partition-root`): they are one table's rows.
    fn end(&mut self) {
        let Some(open) = self.open.take() else { return };
        let found = TableContents {
            schema: open.schema,
            name: open.name,
            columns: Columns::Named(open.columns),
            fingerprint: open.fingerprint.finish(),
            bytes: open.bytes,
        };
        self.database.add(found, How::Copied);
    }
}

/// The name in UTF-8.
fn translated(name: &Name, encoding: Option<&str>) -> Name {
    Name::from(&*encoding::decode(name.as_bytes(), encoding))
}

#[cfg(test)]
#[path = "contents_tests.rs"]
mod tests;
