//! Makes a table of a backup in another schema, with its columns and nothing that refers to others.
//!
//! A table that inherits columns is made as PostgreSQL makes it, of stand-ins for its parents, so that columns,
//! defaults and CHECKs come together by its rules; then it is let go of them, and keeps what it has. So is a table of
//! a type: of a stand-in with the type's columns, where the backup defines it, else of the type that is there.

use super::definitions::Definitions;
use super::failing::cannot;
use crate::commands::Failure;
use crate::dump::definition::{Definition, Written};
use crate::dump::picking::TableName;
use crate::pg::{quote_ident, quote_qualified};

/// What else can be done.
const WHOLE: &str = "restore all of it under a name of its own: --as NAME";
/// Parents of parents of parents: more is no dump of pg_dump.
const DEEPEST: usize = 64;

/// The statements that make the table in `schema`.
pub(super) fn statements(
    definitions: &Definitions,
    schema: &str,
    name: &TableName,
) -> Result<Vec<String>, Failure> {
    let found = find(definitions, Some(name.schema.as_bytes()), name.name.as_bytes());
    let Some(definition) = found else {
        let cause = format!("the backup does not say which columns {} has", name.display_name());
        return Err(cannot(&cause, WHOLE));
    };
    let mut making =
        Making { definitions, schema, name, statements: Vec::new(), stand_ins: Vec::new() };
    let quoted = quote_qualified(schema, &name.name);
    making.make(definition, &quoted, 0)?;
    let drops = making.stand_ins.iter().map(|of| format!("DROP {of} CASCADE"));
    making.statements.extend(drops.collect::<Vec<_>>());
    Ok(making.statements)
}

struct Making<'a> {
    definitions: &'a Definitions,
    schema: &'a str,
    name: &'a TableName,
    statements: Vec<String>,
    /// What is dropped in the end: `TABLE …`, `TYPE …`.
    stand_ins: Vec<String>,
}

impl Making<'_> {
    /// The name of another stand-in, of this kind.
    fn stand_in(&mut self, kind: &str) -> String {
        let number = self.stand_ins.len() + 1;
        let name = quote_qualified(self.schema, &format!("ccc_backup_stand_in_{number}"));
        self.stand_ins.push(format!("{kind} {name}"));
        name
    }

    /// Makes a table with the columns of its parents, and lets it go of them.
    fn make(&mut self, of: &Definition, quoted: &str, depth: usize) -> Result<(), Failure> {
        let columns = self.text(&of.columns)?;
        if let Some(written) = &of.of_type {
            let of_type = self.type_of(of, written)?;
            let adds = if columns.is_empty() { String::new() } else { format!(" {columns}") };
            self.statements.push(format!("CREATE TABLE {quoted} OF {of_type}{adds}"));
            self.statements.push(format!("ALTER TABLE {quoted} NOT OF"));
            return Ok(());
        }
        let mut parents = Vec::new();
        for (schema, name) in &of.inherits {
            let schema = schema.as_deref().or(of.schema.as_deref());
            let found = find(self.definitions, schema, name).filter(|_| depth < DEEPEST);
            let Some(parent) = found else {
                let cause = format!(
                    "{} has columns of {}, which the backup does not define",
                    self.name.display_name(),
                    String::from_utf8_lossy(name)
                );
                return Err(cannot(&cause, WHOLE));
            };
            let stand_in = self.stand_in("TABLE");
            self.make(parent, &stand_in, depth + 1)?;
            parents.push(stand_in);
        }
        if parents.is_empty() {
            self.statements.push(format!("CREATE TABLE {quoted} {columns}"));
            return Ok(());
        }
        let all = parents.join(", ");
        self.statements.push(format!("CREATE TABLE {quoted} {columns} INHERITS ({all})"));
        let let_go = parents.iter().map(|of| format!("ALTER TABLE {quoted} NO INHERIT {of}"));
        self.statements.extend(let_go);
        Ok(())
    }

    /// The type that a table is made of: a stand-in of the same columns, or the one that is there.
    fn type_of(&mut self, of: &Definition, (schema, name): &Written) -> Result<String, Failure> {
        let schema = schema.as_deref().or(of.schema.as_deref());
        let Some(defined) = find(self.definitions, schema, name) else {
            let name = self.text(name)?;
            return match schema {
                Some(schema) => Ok(quote_qualified(self.text(schema)?, name)),
                None => Ok(quote_ident(name)),
            };
        };
        let columns = self.text(&defined.columns)?;
        let stand_in = self.stand_in("TYPE");
        self.statements.push(format!("CREATE TYPE {stand_in} AS {columns}"));
        Ok(stand_in)
    }

    fn text<'a>(&self, bytes: &'a [u8]) -> Result<&'a str, Failure> {
        std::str::from_utf8(bytes).map_err(|_| {
            let cause =
                format!("the columns of {} are not named in UTF-8", self.name.display_name());
            cannot(&cause, WHOLE)
        })
    }
}

/// The definition of a table; one without a schema is of the schema that was set there.
fn find<'a>(
    definitions: &'a Definitions,
    schema: Option<&[u8]>,
    name: &[u8],
) -> Option<&'a Definition> {
    let is_it = |(set, of): &&(Option<String>, Definition)| {
        let own = of.schema.as_deref().or(set.as_ref().map(String::as_bytes));
        of.name == name && own.is_none_or(|own| schema.is_none_or(|schema| schema == own))
    };
    definitions.iter().find(is_it).map(|(_, definition)| definition)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(name: &str, columns: &str, parents: &[&str]) -> (Option<String>, Definition) {
        let inherits = parents.iter().map(|name| (None, name.as_bytes().to_vec())).collect();
        let schema = Some(b"public".to_vec());
        let (name, columns) = (name.as_bytes().to_vec(), columns.as_bytes().to_vec());
        (None, Definition { schema, name, columns, inherits, of_type: None })
    }

    fn made(definitions: &Definitions, table: &str) -> Result<Vec<String>, Failure> {
        let name =
            TableName { database: None, schema: "public".to_owned(), name: table.to_owned() };
        statements(definitions, "back", &name)
    }

    #[test]
    fn a_table_has_the_columns_of_its_parents_and_no_parents() {
        let all = vec![
            definition("a", "(x int)", &[]),
            definition("b", "()", &["a"]),
            definition("t", "(y int)", &["b"]),
        ];
        assert_eq!(made(&all, "a").unwrap(), ["CREATE TABLE \"back\".\"a\" (x int)"]);
        let p = |number: u8| format!("\"back\".\"ccc_backup_stand_in_{number}\"");
        let (one, two) = (p(1), p(2));
        assert_eq!(
            made(&all, "t").unwrap(),
            [
                format!("CREATE TABLE {two} (x int)"),
                format!("CREATE TABLE {one} () INHERITS ({two})"),
                format!("ALTER TABLE {one} NO INHERIT {two}"),
                format!("CREATE TABLE \"back\".\"t\" (y int) INHERITS ({one})"),
                format!("ALTER TABLE \"back\".\"t\" NO INHERIT {one}"),
                format!("DROP TABLE {one} CASCADE"),
                format!("DROP TABLE {two} CASCADE"),
            ]
        );
    }

    #[test]
    fn a_table_of_a_type_has_its_columns_and_does_not_need_it_any_longer() {
        let of = |name: &str, columns: &str, of_type: &str| {
            let (set, plain) = definition(name, columns, &[]);
            (set, Definition { of_type: Some((None, of_type.as_bytes().to_vec())), ..plain })
        };
        let all = vec![
            definition("mood", "(id integer)", &[]),
            of("t", "(id WITH OPTIONS NOT NULL)", "mood"),
            of("u", "", "of an extension"),
        ];
        let stand_in = "\"back\".\"ccc_backup_stand_in_1\"";
        assert_eq!(
            made(&all, "t").unwrap(),
            [
                format!("CREATE TYPE {stand_in} AS (id integer)"),
                format!("CREATE TABLE \"back\".\"t\" OF {stand_in} (id WITH OPTIONS NOT NULL)"),
                "ALTER TABLE \"back\".\"t\" NOT OF".to_owned(),
                format!("DROP TYPE {stand_in} CASCADE"),
            ]
        );
        assert_eq!(
            made(&all, "u").unwrap(),
            [
                "CREATE TABLE \"back\".\"u\" OF \"public\".\"of an extension\"",
                "ALTER TABLE \"back\".\"u\" NOT OF"
            ]
        );
    }

    #[test]
    fn what_the_backup_does_not_define_is_named() {
        let all = vec![definition("t", "(y int)", &["gone"]), definition("c", "()", &["c"])];
        for (table, cause) in
            [("t", "has columns of gone"), ("x", "does not say"), ("c", "has columns of c")]
        {
            let failure = made(&all, table).unwrap_err();
            assert!(failure.cause.contains(cause), "{failure:?}");
            assert_eq!(failure.hint.as_deref(), Some(WHOLE));
        }
    }
}
