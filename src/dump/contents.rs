//! What a dump contains: rows and fingerprint per table, sequence states, large objects, the
//! Alembic revision. Gathered from the reader's items, both while a backup is made and while one
//! is verified, so that both say the same.

use std::collections::HashMap;

use crate::dump::changes;
pub use crate::dump::database::DatabaseContents;
use crate::dump::database::How;
use crate::dump::encoding;
use crate::dump::fingerprint::RowHasher;
use crate::dump::inserts::{self, InsertTarget, Inserted};
use crate::dump::item::{CopyBlock, Item, Meta, Statement};
use crate::dump::statement::SetVal;
use crate::dump::statements::Statements;
use crate::dump::surroundings::{Surroundings, translated};
use crate::dump::unsupported::Unsupported;
use crate::model::contents::{Columns, Sequence, Table};
use crate::model::span::Span;

/// Bytes of the `alembic_version` table that are kept to read the revision from.
const ALEMBIC_BYTES: usize = 16 * 1024;

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
    pub unsupported: Option<Unsupported>,
    alembic: Option<Vec<u8>>,
    open: Option<Open>,
    surroundings: Surroundings,
}

/// The COPY block being read.
#[derive(Debug)]
struct Open {
    statement: Statement,
    schema: String,
    name: String,
    columns: Vec<String>,
    hasher: RowHasher,
    /// First byte of the rows in the dump.
    offset: u64,
    bytes: u64,
    is_alembic: bool,
}

impl Contents {
    /// Takes the reader's next item; `encoding` is the dump's client encoding at this place. Of an INSERT statement
    /// whose rows are those of a table, and nothing but constants, it gives the table and the number of rows.
    pub fn take(&mut self, item: &Item, encoding: Option<&str>) -> Option<(InsertTarget, u64)> {
        match item {
            Item::Statement(statement) => return self.statement(statement, encoding),
            Item::CopyStart(block) => self.start(block, encoding),
            Item::CopyData(data) => {
                if let Some(open) = &mut self.open {
                    open.hasher.update(data);
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
        None
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
        databases.any(|database| database.name.as_ref().is_some_and(|of| of == name))
    }

    fn connect(&mut self, name: String) {
        self.surroundings.connect();
        let same = |database: &DatabaseContents| database.name.as_ref() == Some(&name);
        if same(&self.database) {
            return;
        }
        let next = match self.earlier.iter().position(same) {
            Some(known) => self.earlier.remove(known),
            None => DatabaseContents::named(name),
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
        let objects =
            || self.databases().any(|database| database.large_objects.objects().count > 0);
        self.made + self.inserts > 0 || self.tables() > 0 || objects()
    }

    /// Takes the rows of its tables, which are empty here, from a record of the same dump, and the revisions in it. `false`, and
    /// then it is of no use any more, where the record is of other tables.
    pub fn take_rows(&mut self, recorded: &[Table], revisions: Option<&str>) -> bool {
        self.alembic = revisions.map(|revisions| revisions.replace(", ", "\n").into_bytes());
        let key = |table: &Table| (table.schema.clone(), table.name.clone(), table.columns.clone());
        let mut records: HashMap<_, _> = recorded.iter().map(|it| (key(it), it)).collect();
        let tables = &mut self.database.tables;
        let all = tables.iter_mut().all(|table| match records.remove(&key(table)) {
            Some(record) => {
                (table.fingerprint, table.bytes) = (record.fingerprint, record.bytes);
                true
            }
            None => false,
        });
        all && records.is_empty() && self.earlier.is_empty() && self.inserts == 0
    }

    fn statement(
        &mut self,
        statement: &Statement,
        encoding: Option<&str>,
    ) -> Option<(InsertTarget, u64)> {
        self.statements.take(statement);
        let standard_strings = self.surroundings.standard_strings();
        if makes_a_table(statement) {
            self.made += 1;
        }
        if let Some(SetVal { schema, sequence, value, is_called }) =
            statement.setval_under(standard_strings)
        {
            let (schema, name) = self.surroundings.key(schema.as_ref(), &sequence, encoding);
            self.database.set(Sequence { schema, name, last_value: value, is_called }, statement);
        } else if self.surroundings.take(statement, encoding) {
        } else if statement.starts_with(&["INSERT"]) {
            return self.insert(statement, encoding);
        } else {
            self.database.large_objects.take(&statement.text, standard_strings);
            self.change(statement, encoding);
        }
        None
    }

    /// Looks for what a statement does to what was written before it.
    fn change(&mut self, statement: &Statement, encoding: Option<&str>) {
        let Self { database, surroundings, .. } = self;
        let standard_strings = surroundings.standard_strings();
        if let Some(change) = changes::change(&statement.text, standard_strings) {
            database.changes(&change, statement, |schema, name| {
                surroundings.key(schema, name, encoding)
            });
        } else if let Some(name) = changes::temporary(&statement.text) {
            database.temporary.insert(translated(&name, encoding));
        } else if changes::moves_sequences(&statement.text) {
            database.moves_sequences(statement);
        }
    }

    /// Takes the rows of an INSERT statement as those of a COPY block, unless it is one that pg_dump
    /// does not write.
    fn insert(
        &mut self,
        statement: &Statement,
        encoding: Option<&str>,
    ) -> Option<(InsertTarget, u64)> {
        let (text, standard_strings) = (&*statement.text, self.surroundings.standard_strings());
        self.database.moves_sequences(statement);
        let before = self.database.encoding_so_far();
        let is_in_none = encoding.is_some_and(encoding::is_none);
        let comparable = encoding.is_none_or(encoding::holds_no_ascii)
            && before.is_none_or(|before| encoding::is_same(before, encoding));
        let inserted = comparable.then(|| inserts::read(text, standard_strings)).flatten();
        let is_named = |inserted: &Inserted| {
            inserted.names().all(|name| encoding::is_translated(name.as_bytes(), encoding))
        };
        let Some(inserted) = inserted.filter(is_named) else {
            self.inserts += 1;
            if let Some((schema, table)) = inserts::table(text, standard_strings) {
                let key = self.surroundings.key(schema.as_ref(), &table, encoding);
                self.database.changes_table(&key, statement);
                self.database.forget(key);
            }
            return None;
        };
        let Inserted {
            schema,
            table,
            columns: named,
            fingerprint,
            rows,
            width,
            defaults,
            may_skip,
        } = inserted;
        let key = self.surroundings.key(schema.as_ref(), &table, encoding);
        if self.database.is_temporary(schema.as_ref(), &key.1) {
            return None;
        }
        let columns = inserts::columns(named.as_deref(), encoding);
        let bytes = rows.len() as u64;
        let (of, name) = key.clone();
        let found = Table { schema: of, name, columns, fingerprint, bytes, spans: Vec::new() };
        match self.database.how(&key) {
            None | Some(How::Inserted) => {}
            // What COPY wrote before it, by hand, is of one table with it.
            Some(How::Copied)
                if !may_skip
                    && !self.database.is_damage(&key, statement)
                    && self.database.has(&key, &found.columns) => {}
            Some(_) => {
                self.inserts += 1;
                self.database.changes_table(&key, statement);
                return None;
            }
        }
        self.note_encoding(encoding);
        self.database.times.look_at(&rows);
        if table == "alembic_version" && !rows.contains(&b'\t') {
            self.keep_alembic(&rows);
        }
        let rows = found.fingerprint.rows;
        self.database.add(found, How::Inserted, statement);
        // Who reads it again begins in the middle, where nothing says what literals are. In no encoding, the server could not
        // tell its tables.
        let schema = schema.filter(|_| standard_strings && !is_in_none)?;
        Some((InsertTarget { schema, table, columns: named, width, defaults }, rows))
    }

    fn note_encoding(&mut self, encoding: Option<&str>) {
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
        self.statements.take_copy(&block.statement);
        if self.unsupported.is_none() {
            self.unsupported = Unsupported::of(block, encoding, self.database.encoding_so_far());
        }
        self.note_encoding(encoding);
        let (schema, name) = self.surroundings.key(block.schema.as_ref(), &block.table, encoding);
        if self.database.is_temporary(block.schema.as_ref(), &name) {
            return;
        }
        self.open = Some(Open {
            statement: block.statement.clone(),
            schema,
            name,
            columns: block.columns.iter().map(|column| translated(column, encoding)).collect(),
            hasher: RowHasher::for_encoding(encoding),
            offset: block.data_offset,
            bytes: 0,
            is_alembic: block.table == "alembic_version" && block.columns == ["version_num"],
        });
    }

    /// A table may have several blocks (`--load-via-partition-root`): they are one table's rows.
    fn end(&mut self) {
        let Some(open) = self.open.take() else { return };
        let found = Table {
            schema: open.schema,
            name: open.name,
            columns: Columns::Named(open.columns),
            fingerprint: open.hasher.finish(),
            bytes: open.bytes,
            spans: vec![Span::of_dump(open.offset, open.bytes)],
        };
        self.database.add(found, How::Copied, &open.statement);
    }
}

/// `CREATE TABLE`, also of a kind: `CREATE UNLOGGED TABLE`.
fn makes_a_table(statement: &Statement) -> bool {
    statement.starts_with(&["CREATE"])
        && statement.leading_words(4).split(' ').any(|word| word == "TABLE")
}

#[cfg(test)]
#[path = "contents_tests.rs"]
mod tests;
