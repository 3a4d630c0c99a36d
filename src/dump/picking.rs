//! The rows of some tables, picked out of the items of a dump as they come. What is not wanted is passed
//! over at the reader's speed: its rows are neither parted nor hashed.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;

use super::encoding;
use super::inserts;
use super::item::{CopyBlock, Item, Meta, Name, Statement};
use super::surroundings::{Surroundings, translated};
use crate::model::contents::{Columns, Table};
use crate::model::quoting::{quote_ident, quote_literal, quote_qualified};

/// Names of tables that are kept; a dump with more of them has names enough to tell.
const MOST_NAMES: usize = 1 << 20;

/// A table, by its names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName {
    /// The database that the dump connects to; `None` where it is left to whoever restores it.
    pub database: Option<String>,
    /// Schema.
    pub schema: String,
    /// Name.
    pub name: String,
}

impl TableName {
    /// `schema.table`, for people to read.
    pub fn display_name(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }
}

/// What stands before rows of a table that COPY wrote, in a dump of this client encoding. `None` where that
/// cannot be told: of columns that are not named, and of names that are not ASCII in another encoding.
pub fn beginning(table: &Table, encoding: Option<&str>) -> Option<Vec<u8>> {
    let Columns::Named(columns) = &table.columns else { return None };
    let mut names = [&table.schema, &table.name].into_iter().chain(columns);
    if !encoding::is_same(encoding, None) && names.any(|name| !name.is_ascii()) {
        return None;
    }
    let set = encoding.map(|name| format!("SET client_encoding = {};\n", quote_literal(name)));
    let columns: Vec<String> = columns.iter().map(|column| quote_ident(column)).collect();
    let listed =
        if columns.is_empty() { String::new() } else { format!("({}) ", columns.join(", ")) };
    let copy =
        format!("COPY {} {listed}FROM stdin;\n", quote_qualified(&table.schema, &table.name));
    Some((set.unwrap_or_default() + &copy).into_bytes())
}

/// How the rows of a table are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// By COPY, in its text format.
    Copied,
    /// By COPY, in another format, by hand.
    CopiedOtherwise,
    /// In INSERT statements.
    Inserted,
}

/// What holds for rows that follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Their table.
    pub table: TableName,
    /// The columns in the order of the values.
    pub columns: Columns,
    /// Their names as they are in the dump, in the encoding of the rows.
    pub names: Vec<Name>,
    /// How they are written.
    pub written: Written,
    /// The client encoding of rows and statements, where the dump names one.
    pub encoding: Option<String>,
    /// The statement that begins them: `COPY … FROM stdin;`, or the first INSERT.
    pub statement: Bytes,
    /// The statement names the schema, too.
    pub names_schema: bool,
    /// A backslash in a plain literal of the statements is a character like any other.
    pub standard_strings: bool,
}

/// A piece of the rows of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Rows begin. A table may have several blocks.
    Begin(Arc<Block>),
    /// Rows as COPY writes them, cut anywhere, without the line `\.`.
    Rows(Bytes),
    /// An INSERT statement.
    Inserted {
        /// As it is written.
        statement: Bytes,
        /// Its rows in COPY's text format, where it is understood.
        rows: Option<Vec<u8>>,
    },
    /// The last row was whole.
    End,
}

/// Picks rows out of a dump.
pub struct Picker<'a> {
    wants: &'a dyn Fn(&TableName) -> bool,
    surroundings: Surroundings,
    database: Option<String>,
    open: Option<Arc<Block>>,
    seen: HashSet<TableName>,
    in_order: Vec<TableName>,
}

impl<'a> Picker<'a> {
    /// Picks the rows of the tables that are wanted.
    pub fn new(wants: &'a dyn Fn(&TableName) -> bool) -> Self {
        Self {
            wants,
            surroundings: Surroundings::default(),
            database: None,
            open: None,
            seen: HashSet::new(),
            in_order: Vec::new(),
        }
    }

    /// All tables with rows so far, wanted or not, in the order of the dump.
    pub fn seen(&self) -> &[TableName] {
        &self.in_order
    }

    /// Takes the reader's next item; `encoding` is the dump's client encoding at this place. What comes of it
    /// is added to `pieces`.
    pub fn take(&mut self, item: Item, encoding: Option<&str>, pieces: &mut Vec<Piece>) {
        match item {
            Item::Statement(statement) => self.statement(statement, encoding, pieces),
            Item::CopyStart(block) => {
                self.end(pieces);
                self.copy(block, encoding, pieces);
            }
            Item::CopyData(data) => {
                if self.open.is_some() {
                    pieces.push(Piece::Rows(data));
                }
            }
            Item::CopyEnd => self.end(pieces),
            Item::Meta(Meta::Connect { database }) => {
                self.end(pieces);
                self.surroundings.connect();
                self.database = Some(translated(&database, encoding));
            }
            Item::Meta(_) => {}
        }
    }

    /// The dump ended.
    pub fn end(&mut self, pieces: &mut Vec<Piece>) {
        if self.open.take().is_some() {
            pieces.push(Piece::End);
        }
    }

    fn copy(&mut self, block: CopyBlock, encoding: Option<&str>, pieces: &mut Vec<Piece>) {
        let table = self.table(block.schema.as_ref(), &block.table, encoding);
        if !self.note(&table) {
            return;
        }
        let columns = block.columns.iter().map(|column| translated(column, encoding)).collect();
        let block = Block {
            table,
            columns: Columns::Named(columns),
            names: block.columns,
            written: if block.text_format { Written::Copied } else { Written::CopiedOtherwise },
            encoding: encoding.map(str::to_owned),
            names_schema: block.schema.is_some(),
            statement: block.statement.text,
            standard_strings: self.surroundings.standard_strings(),
        };
        self.begin(block, pieces);
    }

    fn statement(&mut self, statement: Statement, encoding: Option<&str>, pieces: &mut Vec<Piece>) {
        if self.surroundings.take(&statement, encoding) || !statement.starts_with(&["INSERT"]) {
            return;
        }
        let standard_strings = self.surroundings.standard_strings();
        let Some((schema, name)) = inserts::table(&statement.text, standard_strings) else {
            return;
        };
        let table = self.table(schema.as_ref(), &name, encoding);
        if !self.note(&table) {
            return self.end(pieces);
        }
        let readable = encoding.is_none_or(encoding::holds_no_ascii);
        let inserted = readable.then(|| inserts::read(&statement.text, standard_strings)).flatten();
        let names = inserted.as_ref().map(|it| it.columns.as_deref());
        let columns = names.map(|names| inserts::columns(names, encoding));
        let goes_on = self.open.as_ref().is_some_and(|open| {
            open.table == table && columns.as_ref().is_none_or(|columns| open.columns == *columns)
        });
        if !goes_on {
            self.end(pieces);
            let block = Block {
                table,
                columns: columns.unwrap_or(Columns::Stored),
                names: names.flatten().unwrap_or_default().to_vec(),
                written: Written::Inserted,
                encoding: encoding.map(str::to_owned),
                names_schema: schema.is_some(),
                statement: statement.text.clone(),
                standard_strings,
            };
            self.begin(block, pieces);
        }
        let rows = inserted.map(|inserted| inserted.rows);
        pieces.push(Piece::Inserted { statement: statement.text, rows });
    }

    fn begin(&mut self, block: Block, pieces: &mut Vec<Piece>) {
        let block = Arc::new(block);
        self.open = Some(Arc::clone(&block));
        pieces.push(Piece::Begin(block));
    }

    fn table(&self, schema: Option<&Name>, name: &Name, encoding: Option<&str>) -> TableName {
        let (schema, name) = self.surroundings.key(schema, name, encoding);
        TableName { database: self.database.clone(), schema, name }
    }

    /// Notes that a table has rows; tells whether it is wanted.
    fn note(&mut self, table: &TableName) -> bool {
        // Of INSERT statements, most are of the table before.
        let again = self.in_order.last() == Some(table);
        if !again && self.seen.len() < MOST_NAMES && self.seen.insert(table.clone()) {
            self.in_order.push(table.clone());
        }
        (self.wants)(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::items::Items;

    fn picked(dump: &str, wants: impl Fn(&TableName) -> bool) -> (Vec<String>, Vec<String>) {
        let whole = format!("-- PostgreSQL database dump\n{dump}");
        let mut items = Items::new(whole.as_bytes());
        let (mut picker, mut pieces) = (Picker::new(&wants), Vec::new());
        while let Ok(Some(item)) = items.pull() {
            picker.take(item, items.encoding(), &mut pieces);
        }
        picker.end(&mut pieces);
        let words = pieces.into_iter().map(|piece| match piece {
            Piece::Begin(block) => format!("{} {:?}", block.table.display_name(), block.columns),
            Piece::Rows(data) => String::from_utf8_lossy(&data).escape_debug().to_string(),
            Piece::Inserted { rows, .. } => {
                format!("+{:?}", rows.map(|rows| String::from_utf8_lossy(&rows).into_owned()))
            }
            Piece::End => "end".to_owned(),
        });
        (words.collect(), picker.seen().iter().map(TableName::display_name).collect())
    }

    #[test]
    fn rows_of_the_wanted_tables_are_picked_and_all_tables_noted() {
        let dump = "COPY public.a (b, c) FROM stdin;\n1\t2\n\\.\nSET search_path = s;\n\
                    COPY a (b) FROM stdin;\n3\n\\.\nCOPY public.a (b, c) FROM stdin;\n\\.\n";
        let (pieces, seen) = picked(dump, |table| table.schema == "public");
        let begin = r#"public.a Named(["b", "c"])"#;
        assert_eq!(pieces, [begin, "1\\t2\\n", "end", begin, "end"]);
        assert_eq!(seen, ["public.a", "s.a"]);
    }

    #[test]
    fn rows_of_insert_statements_come_with_their_statements() {
        let dump = "INSERT INTO public.a VALUES (1, 'x');\nINSERT INTO public.a VALUES (now());\n\
                    INSERT INTO public.b VALUES (3);\nINSERT INTO public.a (c) VALUES (NULL);\n";
        let (pieces, seen) = picked(dump, |table| table.name == "a");
        assert_eq!(
            pieces,
            [
                "public.a Stored",
                "+Some(\"1\\tx\\n\")",
                "+None",
                "end",
                r#"public.a Named(["c"])"#,
                "+Some(\"\\\\N\\n\")",
                "end"
            ]
        );
        assert_eq!(seen, ["public.a", "public.b"]);
    }

    #[test]
    fn a_table_is_one_of_the_database_that_the_dump_is_connected_to() {
        let copy = "COPY public.a (b) FROM stdin;\n1\n\\.\n";
        let dump = format!("\\connect one\n{copy}\\connect two\n{copy}");
        let (pieces, seen) = picked(&dump, |table| table.database.as_deref() == Some("two"));
        assert_eq!(pieces.len(), 3, "{pieces:?}");
        assert_eq!(seen.len(), 2);
    }
}
