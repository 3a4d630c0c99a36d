//! The rows of one table of a backup, one by one, with their values in the order of another one's columns.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::failure_of;
use crate::commands::Failure;
use crate::commands::rows::{Rows, Watch};
use crate::dump::encoding;
use crate::dump::picking::{Block, Piece, TableName, Written};
use crate::dump::values::{self, RowParts};
use crate::model::contents::Columns;

/// The table that the rows are of.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    pub table: TableName,
    pub columns: Columns,
    pub encoding: Option<String>,
}

/// Hands out every row of the table, without its line end. The values come in the order of `like`, where that
/// is given. Gives the shape of the rows.
///
/// # Errors
/// As [`Rows::read`]; where the rows cannot be parted, or are not those of the columns of `like`; those of
/// `each`.
pub(super) fn each_row(
    rows: &Rows,
    watch: &Watch,
    like: Option<&Shape>,
    each: &mut dyn FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<Shape, Failure> {
    let mut reader = Reader { like, each, shape: None, parts: RowParts::default(), order: None };
    let mut failed = None;
    let read = rows.read(watch, &mut |piece| match reader.take(&piece) {
        Ok(()) => ControlFlow::Continue(()),
        Err(failure) => {
            failed = Some(failure);
            ControlFlow::Break(())
        }
    });
    match (failed, reader.shape) {
        (Some(failure), _) => Err(failure),
        (None, shape) => {
            read?;
            shape.ok_or_else(|| {
                failure_of("the table has no rows that could be read", "look at it with `extract`")
            })
        }
    }
}

struct Reader<'a> {
    like: Option<&'a Shape>,
    each: &'a mut dyn FnMut(&[u8]) -> Result<(), Failure>,
    shape: Option<Shape>,
    parts: RowParts,
    /// Places of the values, where they are in another order.
    order: Option<Vec<usize>>,
}

impl Reader<'_> {
    fn take(&mut self, piece: &Piece) -> Result<(), Failure> {
        match piece {
            Piece::Begin(block) => self.begin(block),
            Piece::Rows(data) => self.rows(data),
            Piece::Inserted { rows: Some(rows), .. } => self.rows(rows),
            Piece::Inserted { rows: None, .. } => Err(failure_of(
                "an INSERT statement of the table has values that are no constants",
                "such rows cannot be compared; `extract --format sql` shows them",
            )),
            Piece::End => Ok(()),
        }
    }

    fn begin(&mut self, block: &Arc<Block>) -> Result<(), Failure> {
        let name = block.table.display_name();
        let readable = block.encoding.as_deref().is_none_or(encoding::is_for_databases);
        if block.written == Written::CopiedOtherwise || !readable {
            let cause =
                format!("the rows of {name} are not in COPY's text format, or not to be parted");
            return Err(failure_of(cause, "`extract --format sql` shows them"));
        }
        let shape = Shape {
            table: block.table.clone(),
            columns: block.columns.clone(),
            encoding: block.encoding.clone(),
        };
        // A second block of the table may have another order.
        let first = self.shape.get_or_insert_with(|| shape.clone());
        let like = self.like.unwrap_or(first);
        self.order = order(like, &shape)?;
        self.parts = RowParts::default();
        Ok(())
    }

    fn rows(&mut self, data: &[u8]) -> Result<(), Failure> {
        let Self { each, parts, order, .. } = self;
        parts.take(data, |row| {
            let Some(order) = order else { return each(row) };
            let written: Vec<&[u8]> = values::written(row, order.len()).collect();
            let ordered: Vec<&[u8]> =
                order.iter().filter_map(|at| written.get(*at).copied()).collect();
            each(&ordered.join(&b'\t'))
        })
    }
}

/// Where the values of `like` are in rows of another shape; `None` where they are in the same order.
fn order(like: &Shape, shape: &Shape) -> Result<Option<Vec<usize>>, Failure> {
    let name = shape.table.display_name();
    if !encoding::is_same(like.encoding.as_deref(), shape.encoding.as_deref()) {
        let encoding = |of: &Shape| of.encoding.clone().unwrap_or_else(|| "UTF8".to_owned());
        let (one, other) = (encoding(like), encoding(shape));
        let cause = format!("the rows of {name} are not comparable: they are in {one} and {other}");
        return Err(failure_of(cause, "restore both, and compare them there"));
    }
    let (Columns::Named(wanted), Columns::Named(named)) = (&like.columns, &shape.columns) else {
        if like.columns == shape.columns {
            return Ok(None);
        }
        let cause =
            format!("the rows of {name} are not comparable: one backup does not name its columns");
        return Err(failure_of(cause, "compare backups of one kind, made without --inserts"));
    };
    if wanted == named {
        return Ok(None);
    }
    let place = |column: &String| named.iter().position(|it| it == column);
    let order: Option<Vec<usize>> = wanted.iter().map(place).collect();
    match order.filter(|order| order.len() == named.len()) {
        Some(order) => Ok(Some(order)),
        None => {
            let (one, other) = (wanted.join(", "), named.join(", "));
            let cause = format!("the rows of {name} have other columns: {one} and {other}");
            Err(failure_of(cause, "`diff` without --table says which; `extract` shows the rows"))
        }
    }
}
