//! What the statements of a dump mean for the names and literals after them: where names without a schema
//! are, and whether plain literals have escapes.

use super::encoding;
use super::item::{Name, Statement};

/// What holds at a place of a dump.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    /// Where names without a schema are: the first schema of the search path.
    path: Option<String>,
    /// Plain literals have escapes: `standard_conforming_strings` is off.
    escapes: bool,
}

impl Surroundings {
    /// Takes the next statement; `true` where it changes what holds.
    pub(super) fn take(&mut self, statement: &Statement, encoding: Option<&str>) -> bool {
        if let Some(path) = statement.search_path() {
            self.path = path.map(|schema| translated(&schema, encoding));
        } else if let Some(standard) = statement.standard_strings() {
            self.escapes = !standard;
        } else {
            return false;
        }
        true
    }

    /// The dump goes on in another database.
    pub(super) fn connect(&mut self) {
        self.path = None;
    }

    pub(super) fn standard_strings(&self) -> bool {
        !self.escapes
    }

    /// The schema that is written, else the one that is meant: pg_dump before version 10.3 wrote
    /// names without schema after a `SET search_path`, and a session has one before that is set.
    pub(super) fn schema(&self, written: Option<&Name>, encoding: Option<&str>) -> String {
        match (written, &self.path) {
            (Some(schema), _) => translated(schema, encoding),
            (None, Some(schema)) => schema.clone(),
            (None, None) => "public".to_owned(),
        }
    }

    /// Schema and name of a table.
    pub(super) fn key(
        &self,
        schema: Option<&Name>,
        table: &Name,
        encoding: Option<&str>,
    ) -> (String, String) {
        (self.schema(schema, encoding), translated(table, encoding))
    }
}

/// A name as text: the one place where names of what a dump holds are decoded.
pub(super) fn translated(name: &Name, encoding: Option<&str>) -> String {
    encoding::decode(name.as_bytes(), encoding).into_owned()
}
