//! The rows of some tables of a dump, read once more, with the settings under which they are read.

use std::collections::HashMap;
use std::io::Read;

use bytes::Bytes;

use super::contents::DatabaseContents;
use super::inserts;
use super::item::{CopyBlock, Item, Meta, Name, Statement};
use super::items::{Items, ItemsError};
use super::script::row_end;
use super::subject::Subject;
use super::surroundings::{Surroundings, translated};
use crate::model::contents::{Columns, Table};

/// Bytes of a table's rows that come before a cut, at the least.
const PART_BYTES: usize = 64 << 20;
/// Settings that say what a value means as it is written.
const MEANING: [&str; 8] = [
    "array_nulls",
    "datestyle",
    "intervalstyle",
    "lc_monetary",
    "search_path",
    "timezone",
    "timezone_abbreviations",
    "xmloption",
];

/// A piece of what is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// A statement that says what the values after it mean, and what it sets.
    Setting {
        /// The setting.
        name: String,
        /// The statement.
        text: Bytes,
    },
    /// Rows of a table in COPY's text format, cut anywhere.
    Rows {
        /// Its place in the database's list of tables.
        table: usize,
        /// The rows.
        data: Bytes,
    },
    /// The last row so far is whole, and may be the last one.
    Cut,
}

/// The tables whose rows are wanted.
#[derive(Debug)]
pub struct Wanted {
    database: Option<String>,
    tables: HashMap<(String, String, Columns), usize>,
}

impl Wanted {
    /// These of the tables of a database.
    pub fn of(database: &DatabaseContents, tables: &[usize]) -> Self {
        let key = |table: &Table| (table.schema.clone(), table.name.clone(), table.columns.clone());
        let tables = tables.iter().map(|index| (key(&database.tables[*index]), *index));
        Self { database: database.name.clone(), tables: tables.collect() }
    }
}

/// Reads a dump to its end, and hands out the wanted rows until `take` says no.
///
/// # Errors
/// As reading the dump the first time.
pub fn again(
    stream: impl Read,
    wanted: &Wanted,
    take: impl FnMut(Piece) -> bool,
) -> Result<(), ItemsError> {
    let mut items = Items::new(stream);
    let mut rows = Rows {
        wanted,
        surroundings: Surroundings::default(),
        here: wanted.database.is_none(),
        open: None,
        bytes: 0,
        take,
        listening: true,
    };
    let ended = loop {
        match items.pull() {
            Ok(Some(item)) => rows.item(item, items.encoding()),
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
        if !rows.listening {
            return Ok(());
        }
    };
    rows.cut();
    ended
}

struct Rows<'a, F> {
    wanted: &'a Wanted,
    surroundings: Surroundings,
    /// The dump is connected to the database that is meant.
    here: bool,
    /// The table whose rows come.
    open: Option<usize>,
    /// Bytes since the last cut.
    bytes: usize,
    take: F,
    listening: bool,
}

impl<F: FnMut(Piece) -> bool> Rows<'_, F> {
    fn item(&mut self, item: Item, encoding: Option<&str>) {
        match item {
            Item::Statement(statement) => self.statement(&statement, encoding),
            Item::CopyStart(block) => {
                self.cut();
                self.open = self.table_of(&block, encoding);
            }
            Item::CopyData(data) => {
                if let Some(table) = self.open {
                    self.rows(table, data);
                }
            }
            Item::CopyEnd => self.cut(),
            Item::Meta(Meta::Connect { database }) => {
                self.cut();
                self.surroundings.connect();
                self.here = self.wanted.database == Some(translated(&database, encoding));
            }
            Item::Meta(_) => {}
        }
    }

    fn statement(&mut self, statement: &Statement, encoding: Option<&str>) {
        self.surroundings.take(statement, encoding);
        if !self.here {
            return;
        }
        if statement.starts_with(&["INSERT"]) {
            self.inserted(statement, encoding);
        } else if let Subject::Session(name) = statement.subject()
            && MEANING.contains(&name.as_str())
        {
            self.cut();
            self.hand_out(Piece::Setting { name, text: statement.text.clone() });
        }
    }

    fn inserted(&mut self, statement: &Statement, encoding: Option<&str>) {
        let read = inserts::read(&statement.text, self.surroundings.standard_strings());
        let Some(inserted) = read else { return };
        let (schema, columns) = (inserted.schema.as_ref(), inserted.columns.as_deref());
        let found = self.find(schema, &inserted.table, columns, encoding);
        let Some(table) = found else { return self.cut() };
        if self.open != Some(table) {
            self.cut();
            self.open = Some(table);
        }
        self.rows(table, inserted.rows.into());
    }

    fn table_of(&self, block: &CopyBlock, encoding: Option<&str>) -> Option<usize> {
        let (schema, columns) = (block.schema.as_ref(), Some(&block.columns[..]));
        let found = || self.find(schema, &block.table, columns, encoding);
        self.here.then(found).flatten()
    }

    fn find(
        &self,
        schema: Option<&Name>,
        table: &Name,
        columns: Option<&[Name]>,
        encoding: Option<&str>,
    ) -> Option<usize> {
        let (schema, name) = self.surroundings.key(schema, table, encoding);
        let columns = inserts::columns(columns, encoding);
        self.wanted.tables.get(&(schema, name, columns)).copied()
    }

    /// Hands out rows, with a cut behind a whole row where one is due.
    fn rows(&mut self, table: usize, data: Bytes) {
        let due = self.bytes >= PART_BYTES;
        match row_end(&data).filter(|_| due) {
            Some(end) => {
                self.hand_out(Piece::Rows { table, data: data.slice(..end) });
                self.hand_out(Piece::Cut);
                self.bytes = data.len() - end;
                self.hand_out(Piece::Rows { table, data: data.slice(end..) });
            }
            None => {
                self.bytes += data.len();
                self.hand_out(Piece::Rows { table, data });
            }
        }
    }

    fn cut(&mut self) {
        if self.open.take().is_some() {
            self.bytes = 0;
            self.hand_out(Piece::Cut);
        }
    }

    fn hand_out(&mut self, piece: Piece) {
        self.listening = self.listening && (self.take)(piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::contents::Contents;

    fn pieces(dump: &str, wanted: &[usize]) -> Vec<String> {
        let whole = format!("-- PostgreSQL database dump\n{dump}");
        let (mut items, mut contents) = (Items::new(whole.as_bytes()), Contents::default());
        while let Ok(Some(item)) = items.pull() {
            contents.take(&item, items.encoding());
        }
        let database = contents.databases().last().unwrap();
        let mut said = Vec::new();
        let wanted = Wanted::of(database, wanted);
        let _ = again(whole.as_bytes(), &wanted, |piece| {
            said.push(match piece {
                Piece::Setting { name, .. } => name,
                Piece::Rows { table, data } => {
                    format!("{table}: {}", String::from_utf8_lossy(&data).escape_debug())
                }
                Piece::Cut => "cut".to_owned(),
            });
            true
        });
        said
    }

    #[test]
    fn rows_of_the_wanted_tables_come_with_the_settings_before_them() {
        let dump = "SET statement_timeout = 0;\nSET DateStyle = 'SQL, DMY';\n\
                    SET search_path = s;\nCOPY a (b) FROM stdin;\n1\n2\n\\.\n\
                    COPY public.a (b) FROM stdin;\n3\n\\.\nCOPY s.a (b) FROM stdin;\n4\n\\.\n";
        let said = pieces(dump, &[0]);
        assert_eq!(said, ["datestyle", "search_path", "0: 1\\n2\\n", "cut", "0: 4\\n", "cut"]);
    }

    #[test]
    fn rows_of_insert_statements_come_as_copy_writes_them() {
        let dump = "INSERT INTO public.a VALUES (1, 'x');\nINSERT INTO public.a VALUES (2, NULL);\n\
                    INSERT INTO public.b VALUES (3);\nINSERT INTO public.a (c) VALUES (4);\n";
        assert_eq!(pieces(dump, &[0]), ["0: 1\\tx\\n", "0: 2\\t\\\\N\\n", "cut"]);
        assert_eq!(pieces(dump, &[1, 2]), ["1: 3\\n", "cut", "2: 4\\n", "cut"]);
    }

    #[test]
    fn rows_of_other_databases_are_passed_over() {
        let copy = "COPY public.a (b) FROM stdin;\n1\n\\.\n";
        let dump = format!("\\connect one\n{copy}\\connect two\n{copy}");
        assert_eq!(pieces(&dump, &[0]), ["0: 1\\n", "cut"]);
    }

    #[test]
    fn who_stops_listening_is_told_nothing_more() {
        let dump = b"-- PostgreSQL database dump\nSET DateStyle = ISO;\nSET TimeZone = UTC;\n";
        let wanted = Wanted { database: None, tables: HashMap::new() };
        let mut said = 0;
        let _ = again(&dump[..], &wanted, |_| {
            said += 1;
            false
        });
        assert_eq!(said, 1);
    }
}
