//! The columns of tables, and of the types that tables are of, as their CREATE statements define them: enough to make
//! a table of the same columns under another name.

use super::item::Statement;
use super::token::{Token, Tokens};

/// A name, with its schema where that is written.
pub type Written = (Option<Vec<u8>>, Vec<u8>);

/// The columns of a table, or of a composite type: no two of both have one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// The schema, where the statement names it.
    pub schema: Option<Vec<u8>>,
    /// The name.
    pub name: Vec<u8>,
    /// `(id integer NOT NULL, …)`, as it is written; of a table of a type, what it adds to the type's, which may be
    /// nothing.
    pub columns: Vec<u8>,
    /// The tables whose columns it has, too.
    pub inherits: Vec<Written>,
    /// The type that the table is of.
    pub of_type: Option<Written>,
}

impl Definition {
    /// What a statement defines; `None` where it makes no table and no type with columns.
    pub fn of(statement: &Statement) -> Option<Self> {
        let mut tokens = Tokens::of(&statement.text);
        if !tokens.take_word("create") {
            return None;
        }
        if tokens.take_word("type") {
            let (schema, name) = written(&mut tokens)?;
            let columns = tokens.take_word("as").then(|| columns(&mut tokens))??;
            return Some(Self { schema, name, columns, inherits: Vec::new(), of_type: None });
        }
        let _ = tokens.take_word("unlogged") || tokens.take_word("foreign");
        if !tokens.take_word("table") {
            return None;
        }
        let (schema, name) = written(&mut tokens)?;
        // Before version 12, pg_dump made partitions so.
        if tokens.take_word("partition") && tokens.take_word("of") {
            let inherits = vec![written(&mut tokens)?];
            return Some(Self { schema, name, columns: b"()".to_vec(), inherits, of_type: None });
        }
        if tokens.take_word("of") {
            let of_type = Some(written(&mut tokens)?);
            let columns = columns(&mut tokens).unwrap_or_default();
            return Some(Self { schema, name, columns, inherits: Vec::new(), of_type });
        }
        let columns = columns(&mut tokens)?;
        let mut inherits = Vec::new();
        if tokens.take_word("inherits") && tokens.take_mark(b'(') {
            while let Some(of) = written(&mut tokens) {
                inherits.push(of);
                if !tokens.take_mark(b',') {
                    break;
                }
            }
        }
        Some(Self { schema, name, columns, inherits, of_type: None })
    }
}

/// A name, with its schema.
fn written(tokens: &mut Tokens<'_>) -> Option<Written> {
    let mut names = tokens.take_qualified()?;
    let name = names.pop()?;
    Some((names.pop(), name))
}

/// What stands in parentheses, with them.
fn columns(tokens: &mut Tokens<'_>) -> Option<Vec<u8>> {
    let from = tokens.rest();
    if !tokens.take_mark(b'(') {
        return None;
    }
    let mut depth = 1;
    while depth > 0 {
        match tokens.next()? {
            Token::Mark(b'(') => depth += 1,
            Token::Mark(b')') => depth -= 1,
            _ => {}
        }
    }
    Some(from[..from.len() - tokens.rest().len()].trim_ascii().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::item::Item;
    use crate::dump::items::Items;

    fn definition(sql: &str) -> Option<Definition> {
        let mut items = Items::new(sql.as_bytes());
        while let Ok(Some(item)) = items.pull() {
            if let Item::Statement(statement) = item {
                return Definition::of(&statement);
            }
        }
        None
    }

    #[test]
    fn the_columns_are_what_stands_between_the_outer_parentheses() {
        let sql = "CREATE UNLOGGED TABLE public.\"T 1\" (\n    a numeric(10,2) DEFAULT '('::text, -- )\n    \
                   CONSTRAINT c CHECK ((a > (0)))\n)\nPARTITION BY RANGE (a);\n";
        let found = definition(sql).unwrap();
        assert_eq!((found.schema.as_deref(), &found.name[..]), (Some(&b"public"[..]), &b"T 1"[..]));
        assert!(found.columns.starts_with(b"(\n    a numeric(10,2)"), "{found:?}");
        assert!(found.columns.ends_with(b"CHECK ((a > (0)))\n)"), "{found:?}");
        assert_eq!(found.inherits, []);
    }

    #[test]
    fn the_tables_whose_columns_a_table_has_are_named() {
        let of = |sql| {
            let found = definition(sql).unwrap();
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            let of = |(schema, name): &(Option<Vec<u8>>, Vec<u8>)| {
                (schema.as_deref().map(text), text(name))
            };
            (text(&found.columns), found.inherits.iter().map(of).collect::<Vec<_>>())
        };
        let public = |name: &str| (Some("public".to_owned()), name.to_owned());
        assert_eq!(
            of("CREATE TABLE t (a int)\nINHERITS (public.p, \"Q, (1)\") WITH (fillfactor='70');"),
            ("(a int)".to_owned(), vec![public("p"), (None, "Q, (1)".to_owned())])
        );
        assert_eq!(
            of("CREATE TABLE public.t_1 PARTITION OF public.t\nFOR VALUES IN (1);"),
            ("()".to_owned(), vec![public("t")])
        );
    }

    #[test]
    fn a_table_of_a_type_names_it_and_the_type_has_columns_of_its_own() {
        let found = |sql| {
            let found = definition(sql).unwrap();
            (String::from_utf8(found.columns).unwrap(), found.of_type)
        };
        let of = |schema: Option<&str>, name: &str| {
            Some((schema.map(|schema| schema.as_bytes().to_vec()), name.as_bytes().to_vec()))
        };
        assert_eq!(
            found("CREATE TABLE t OF public.\"Mood of\";"),
            (String::new(), of(Some("public"), "Mood of"))
        );
        assert_eq!(
            found(
                "CREATE TABLE s.t OF mood (\n    id WITH OPTIONS NOT NULL\n)\nPARTITION BY LIST (id);"
            ),
            ("(\n    id WITH OPTIONS NOT NULL\n)".to_owned(), of(None, "mood"))
        );
        assert_eq!(
            found("CREATE TYPE s.mood AS (\n\tid numeric(3,1)\n);"),
            ("(\n\tid numeric(3,1)\n)".to_owned(), None)
        );
    }

    #[test]
    fn what_makes_no_table_of_columns_defines_none() {
        for other in [
            "CREATE VIEW v AS SELECT (1);",
            "ALTER TABLE t ADD (x int);",
            "CREATE TYPE mood AS ENUM ('well');",
            "CREATE TYPE mood AS RANGE (subtype = integer);",
            "CREATE TYPE mood;",
            "CREATE INDEX i ON t (a);",
        ] {
            assert_eq!(definition(other), None, "{other}");
        }
    }
}
