//! Rows as COPY's text, as CSV or as SQL.

use std::io::{self, Write};
use std::sync::Arc;

use super::{Failure, failure};
use crate::dump::csv;
use crate::dump::encoding;
use crate::dump::item::Name;
use crate::dump::like::Like;
use crate::dump::picking::{Block, Piece, TableName, Written};
use crate::dump::values::{self, RowParts};
use crate::model::contents::Columns;
use crate::model::damage::OLDER;
use crate::model::quoting::{quote_ident, quote_literal, quote_qualified};
use crate::settings::RowFormat;

/// What to do where rows are not understood.
const AS_THEY_ARE: &str = "--format sql gives the statements as they are in the backup";

/// Encodings in which every name can be written, and of which there is nothing to say.
const UTF8: [&str; 2] = ["UTF8", "SQL_ASCII"];

/// Why a piece was not written.
#[derive(Debug)]
pub(super) enum Unwritten {
    /// It has no form in this format, or is damaged.
    Refused(Failure),
    /// Stdout takes no more.
    Stdout(io::Error),
}

impl From<io::Error> for Unwritten {
    fn from(error: io::Error) -> Self {
        Self::Stdout(error)
    }
}

/// Writes rows in one format.
pub(super) struct Writer<W, F> {
    out: W,
    format: RowFormat,
    conditions: Vec<(String, Like)>,
    warn: F,
    /// The rows at hand.
    open: Option<Open>,
    /// The columns of the first rows; all others have to have them, too.
    columns: Option<Columns>,
    /// What was said of the session, in SQL.
    session: Vec<String>,
    begun: bool,
    /// Rows that fit the conditions.
    picked: u64,
}

/// The rows at hand.
struct Open {
    block: Arc<Block>,
    parts: RowParts,
    /// Places of the columns of the conditions.
    places: Vec<usize>,
    /// A COPY statement was written for them.
    copies: bool,
}

impl<W: Write, F: Fn(String)> Writer<W, F> {
    /// Writes to `out`; what is to be known of the rows goes to `warn`.
    pub(super) fn new(out: W, format: RowFormat, conditions: Vec<(String, Like)>, warn: F) -> Self {
        Self {
            out,
            format,
            conditions,
            warn,
            open: None,
            columns: None,
            session: Vec::new(),
            begun: false,
            picked: 0,
        }
    }

    /// The rows that fit the conditions, where there are some.
    pub(super) fn picked(&self) -> Option<u64> {
        (!self.conditions.is_empty()).then_some(self.picked)
    }

    /// Writes the next piece.
    pub(super) fn take(&mut self, piece: &Piece) -> Result<(), Unwritten> {
        match piece {
            Piece::Begin(block) => self.begin(block),
            Piece::Rows(data) => self.rows(data),
            Piece::Inserted { statement, .. } if self.writes_statements() => {
                self.out.write_all(statement)?;
                Ok(self.out.write_all(b"\n")?)
            }
            Piece::Inserted { rows: Some(rows), .. } => self.rows(rows),
            Piece::Inserted { rows: None, .. } => {
                let name = self.name();
                let cause = format!("{name} has an INSERT statement whose values are no constants");
                Err(refused(cause, AS_THEY_ARE))
            }
            Piece::End => self.end(),
        }
    }

    /// All was written, and is whole.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        if self.begun && self.format == RowFormat::Sql {
            self.out.write_all(b"COMMIT;\n")?;
        }
        self.out.flush()
    }

    /// What was written is not whole: it ends so that it does not load. SQL is a transaction without an end.
    pub(super) fn spoil(&mut self) -> io::Result<()> {
        if self.begun {
            match self.format {
                RowFormat::Copy => self.out.write_all(b"\n\\.not whole\n")?,
                RowFormat::Csv => self.out.write_all(b"\"not whole")?,
                RowFormat::Sql => {}
            }
        }
        self.out.flush()
    }

    fn begin(&mut self, block: &Arc<Block>) -> Result<(), Unwritten> {
        let name = block.table.display_name();
        let in_parts = self.format == RowFormat::Csv || !self.conditions.is_empty();
        if block.written == Written::CopiedOtherwise && (in_parts || self.format == RowFormat::Copy)
        {
            let cause = format!("the rows of {name} are not in COPY's text format");
            return Err(refused(cause, AS_THEY_ARE));
        }
        if in_parts && !block.encoding.as_deref().is_none_or(encoding::is_for_databases) {
            let encoding = block.encoding.as_deref().unwrap_or_default();
            let cause =
                format!("the rows of {name} are in {encoding}, in which they cannot be parted");
            return Err(refused(
                cause,
                "--format copy without conditions, or sql, gives them as they are",
            ));
        }
        let places = self.places(block, &name)?;
        if self.format != RowFormat::Sql {
            self.note_columns(block, &name)?;
        }
        if self.format == RowFormat::Csv && !self.begun {
            let mut line = Vec::new();
            csv::header(block.names.iter().map(Name::as_bytes), &mut line);
            self.out.write_all(&line)?;
        }
        if self.format == RowFormat::Sql {
            self.say_session(block)?;
        } else if !self.begun {
            self.warn_of_encoding(block);
        }
        self.begun = true;
        let copies = self.format == RowFormat::Sql
            && (block.written != Written::Inserted || !self.conditions.is_empty());
        if copies {
            let statement = match block.written {
                Written::Inserted => copy_statement(block)?,
                Written::Copied | Written::CopiedOtherwise => block.statement.to_vec(),
            };
            self.out.write_all(&statement)?;
            self.out.write_all(b"\n")?;
        }
        self.open =
            Some(Open { block: Arc::clone(block), parts: RowParts::default(), places, copies });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Unwritten> {
        if self.open.take().is_some_and(|open| open.copies) {
            self.out.write_all(b"\\.\n")?;
        }
        Ok(())
    }

    fn rows(&mut self, data: &[u8]) -> Result<(), Unwritten> {
        let Some(open) = &mut self.open else { return Ok(()) };
        if self.format != RowFormat::Csv && self.conditions.is_empty() {
            return Ok(self.out.write_all(data)?);
        }
        let Open { block, parts, places, .. } = open;
        let columns = match &block.columns {
            Columns::Named(columns) => columns.len(),
            Columns::Stored => usize::MAX,
        };
        let (out, conditions, csv) =
            (&mut self.out, &self.conditions, self.format == RowFormat::Csv);
        let (picked, mut line) = (&mut self.picked, Vec::new());
        parts.take(data, |row| {
            let written: Vec<&[u8]> = match places.is_empty() {
                true => Vec::new(),
                false => values::written(row, columns).collect(),
            };
            let fits = conditions.iter().zip(places.iter()).all(|((_, like), place)| {
                let value = written.get(*place).and_then(|written| values::value(written));
                value.is_some_and(|value| like.fits(&value, block.encoding.as_deref()))
            });
            if !fits {
                return Ok(());
            }
            *picked += 1;
            line.clear();
            if !csv {
                line.extend_from_slice(row);
                line.push(b'\n');
            } else if !csv::row(row, columns, &mut line) {
                let name = block.table.display_name();
                let cause =
                    format!("a row of {name} has not the {columns} values that it should have");
                return Err(Unwritten::Refused(failure(1, cause, OLDER)));
            }
            Ok(out.write_all(&line)?)
        })
    }

    /// Places of the columns of the conditions.
    fn places(&self, block: &Block, name: &str) -> Result<Vec<usize>, Unwritten> {
        let place = |(column, _): &(String, Like)| {
            let Columns::Named(columns) = &block.columns else {
                return Err(unnamed(name, "without --where-like they are written all"));
            };
            columns.iter().position(|it| it == column).ok_or_else(|| {
                let cause = format!("{name} has no column {column}");
                refused(cause, &format!("it has {}", columns.join(", ")))
            })
        };
        self.conditions.iter().map(place).collect()
    }

    fn note_columns(&mut self, block: &Block, name: &str) -> Result<(), Unwritten> {
        if self.format == RowFormat::Csv && block.columns == Columns::Stored {
            return Err(unnamed(name, "--format copy gives the values without names"));
        }
        match &self.columns {
            Some(columns) if *columns != block.columns => {
                let cause = format!("the rows of {name} are of different columns");
                Err(refused(cause, AS_THEY_ARE))
            }
            _ => {
                self.columns = Some(block.columns.clone());
                Ok(())
            }
        }
    }

    /// Has the session read the rows as they are meant.
    fn say_session(&mut self, block: &Block) -> Result<(), Unwritten> {
        if !self.begun {
            self.out.write_all(b"BEGIN;\nSET LOCAL xmloption = content;\n")?;
        }
        let encoding = block.encoding.as_deref().unwrap_or("UTF8");
        let mut session = vec![format!("client_encoding = {}", quote_literal(encoding))];
        let strings = if block.standard_strings { "on" } else { "off" };
        session.push(format!("standard_conforming_strings = {strings}"));
        if !block.names_schema {
            session.push(format!("search_path = {}, pg_catalog", quote_ident(&block.table.schema)));
        }
        for setting in session.iter().filter(|setting| !self.session.contains(setting)) {
            self.out.write_all(format!("SET LOCAL {setting};\n").as_bytes())?;
        }
        self.session = session;
        Ok(())
    }

    fn warn_of_encoding(&self, block: &Block) {
        if let Some(encoding) = block.encoding.as_deref().filter(|name| !UTF8.contains(name)) {
            (self.warn)(format!("the rows are in {encoding}, as they are in the backup"));
        }
    }

    fn writes_statements(&self) -> bool {
        self.format == RowFormat::Sql && self.conditions.is_empty()
    }

    fn name(&self) -> String {
        self.open.as_ref().map(|open| open.block.table.display_name()).unwrap_or_default()
    }
}

/// A COPY statement for rows that INSERT statements brought.
fn copy_statement(block: &Block) -> Result<Vec<u8>, Unwritten> {
    let TableName { schema, name, .. } = &block.table;
    let is_utf8 = block.encoding.as_deref().is_none_or(|encoding| UTF8.contains(&encoding));
    let names = block.columns.named();
    if !is_utf8 && !names.iter().chain([schema, name]).all(|name| name.is_ascii()) {
        let name = block.table.display_name();
        let cause = format!("the names of {name} are not in UTF-8, and so not written anew");
        return Err(refused(cause, "without --where-like the statements are written as they are"));
    }
    let columns: Vec<String> = names.iter().map(|column| quote_ident(column)).collect();
    let (table, columns) = (quote_qualified(schema, name), columns.join(", "));
    Ok(format!("COPY {table} ({columns}) FROM stdin;").into_bytes())
}

fn unnamed(name: &str, hint: &str) -> Unwritten {
    refused(format!("the INSERT statements of {name} do not name its columns"), hint)
}

fn refused(cause: String, hint: &str) -> Unwritten {
    Unwritten::Refused(failure(2, cause, hint))
}
