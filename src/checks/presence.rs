//! The backup holds rows at all: a dump of the schema alone restores without an error, too.

use crate::dump::contents::Contents;
use crate::dump::item::Facts;
use crate::model::outcome::{CheckResult, Section, Status};

/// pg_dump's word for the statements that make a table.
const TABLE: &str = "TABLE";

/// Whether the dump makes tables and fills none. One that is empty is filled with no rows; where rows are
/// INSERT statements, only pg_dump's comment says so.
pub fn is_schema_alone(contents: &Contents, facts: &Facts) -> bool {
    let makes_tables = contents.statements.by_kind().iter().any(|of| of.kind == TABLE);
    let fills_some =
        contents.inserts > 0 || contents.databases().any(|database| !database.tables.is_empty());
    makes_tables && !fills_some && !facts.announces_rows
}

/// The verdict on a backup of the schema alone; `meant` says whether it should be one.
pub fn judge(meant: bool) -> CheckResult {
    let id = "contents.presence";
    if meant {
        let title = "No rows, as is meant: this is a backup of the schema alone";
        return CheckResult::new(id, Section::Contents, Status::Passed, title);
    }
    let title = "The backup has rows of no table: it is a dump of the schema alone";
    let result = CheckResult::new(id, Section::Contents, Status::Failed, title);
    result.detail("where that is meant: data = \"none\" below [checks] in ccc-backup.toml")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::dump::item::{CopyBlock, Item, Statement, TocEntry};

    fn statement(kind: &str, text: &'static str) -> Statement {
        let toc = TocEntry { name: "t".into(), kind: kind.to_owned(), schema: None, owner: None };
        Statement { text: text.into(), toc: Some(Arc::new(toc)), line: 1, offset: 0 }
    }

    fn contents(with_rows: bool) -> Contents {
        let mut contents = Contents::default();
        contents.take(&Item::Statement(statement("TABLE", "CREATE TABLE t ();")), None);
        if with_rows {
            let block = CopyBlock {
                statement: statement("TABLE DATA", "COPY t FROM stdin;"),
                schema: None,
                table: "t".into(),
                columns: Vec::new(),
                text_format: true,
                data_offset: 0,
            };
            contents.take(&Item::CopyStart(block), None);
            contents.take(&Item::CopyEnd, None);
        }
        contents
    }

    #[test]
    fn tables_without_a_word_of_their_rows_fail_unless_that_is_meant() {
        let silent = Facts::default();
        assert!(is_schema_alone(&contents(false), &silent));
        assert_eq!(judge(false).status, Status::Failed);
        assert_eq!(judge(true).status, Status::Passed);
        // A table that is empty is said to be.
        assert!(!is_schema_alone(&contents(true), &silent));
        let announced = Facts { announces_rows: true, ..Facts::default() };
        assert!(!is_schema_alone(&contents(false), &announced));
        assert!(!is_schema_alone(&Contents::default(), &silent));
    }
}
