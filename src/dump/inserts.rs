//! Rows in INSERT statements, as COPY would write them: so a dump of either kind has the same
//! fingerprints.
//!
//! pg_dump writes a constant for each value (PostgreSQL 15, `pg_dump.c`, `dumpTableData_insert`): a number,
//! `true`, `false`, `NULL`, `B'…'`, a literal, or `DEFAULT` for a generated column. A statement with
//! anything else is not understood.

use super::fingerprint::add_line;
use super::item::Name;
use super::surroundings::translated;
use super::token::Tokens;
use crate::model::contents::{Columns, TableFingerprint};

/// What an INSERT statement of rows of constants inserts into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InsertTarget {
    /// Schema.
    pub schema: Name,
    /// Table.
    pub table: Name,
    /// The columns that are named and given a value; none where the statement names no columns.
    pub columns: Option<Vec<Name>>,
    /// Values of a row, `DEFAULT` among them.
    pub width: usize,
    /// How many of them are `DEFAULT`.
    pub defaults: usize,
}

/// What an INSERT statement adds to a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Inserted {
    pub(super) schema: Option<Name>,
    pub(super) table: Name,
    /// Those that are named; all but the generated ones where none are.
    pub(super) columns: Option<Vec<Name>>,
    pub(super) fingerprint: TableFingerprint,
    /// The rows in COPY's text format.
    pub(super) rows: Vec<u8>,
    /// Values of a row, `DEFAULT` among them.
    pub(super) width: usize,
    /// How many of them are `DEFAULT`.
    pub(super) defaults: usize,
    /// `ON CONFLICT DO NOTHING`.
    pub(super) may_skip: bool,
}

impl Inserted {
    /// The names of table and columns.
    pub(super) fn names(&self) -> impl Iterator<Item = &Name> {
        self.schema.iter().chain([&self.table]).chain(self.columns.iter().flatten())
    }
}

/// The columns of a table of which a statement names these, or none.
pub(super) fn columns(named: Option<&[Name]>, encoding: Option<&str>) -> Columns {
    let translated = |name| translated(name, encoding);
    named.map_or(Columns::Stored, |names| Columns::Named(names.iter().map(translated).collect()))
}

/// Schema and name of the table that a statement inserts into.
pub(super) fn table(text: &[u8], standard_strings: bool) -> Option<(Option<Name>, Name)> {
    target(&mut Tokens::under(standard_strings, text))
}

fn target(head: &mut Tokens<'_>) -> Option<(Option<Name>, Name)> {
    if !head.take_word("insert") || !head.take_word("into") {
        return None;
    }
    let mut name = head.take_qualified()?;
    let table = name.pop()?.into();
    Some((name.pop().map(Name::from), table))
}

/// Reads an INSERT statement of pg_dump, in an encoding whose characters hold no ASCII.
pub(super) fn read(text: &[u8], standard_strings: bool) -> Option<Inserted> {
    let mut head = Tokens::under(standard_strings, text);
    let (schema, table) = target(&mut head)?;
    let mut named = None;
    if head.take_mark(b'(') {
        let columns = named.insert(Vec::new());
        loop {
            columns.push(Name::from(head.take_name()?));
            if !head.take_mark(b',') {
                break;
            }
        }
        if !head.take_mark(b')') {
            return None;
        }
    }
    let values = if head.take_word("default") {
        let ends = head.take_word("values") && head.take_mark(b';');
        (ends && named.is_none()).then(|| Values {
            rows: b"\n".to_vec(),
            width: 1,
            generated: vec![0],
            ..Values::default()
        })?
    } else {
        if head.take_word("overriding") && !(head.take_word("system") && head.take_word("value")) {
            return None;
        }
        head.take_word("values").then(|| Values::read(head.rest(), !standard_strings))??
    };
    let columns = match named {
        None => None,
        Some(columns) if columns.len() == values.width => {
            let stored =
                columns.into_iter().zip(0..).filter(|(_, at)| !values.generated.contains(at));
            Some(stored.map(|(column, _)| column).collect())
        }
        Some(_) => return None,
    };
    let mut fingerprint = TableFingerprint::default();
    values
        .rows
        .split_inclusive(|byte| *byte == b'\n')
        .for_each(|row| add_line(&mut fingerprint, row));
    let Values { rows, width, generated, may_skip } = values;
    let defaults = generated.len();
    Some(Inserted { schema, table, columns, fingerprint, rows, width, defaults, may_skip })
}

/// The rows of a statement, each with its values.
#[derive(Debug, Default)]
struct Values {
    rows: Vec<u8>,
    /// Values of a row, those of generated columns among them.
    width: usize,
    /// The places of generated columns.
    generated: Vec<usize>,
    may_skip: bool,
}

impl Values {
    /// `(1, 'a'), (2, NULL);`
    fn read(text: &[u8], escapes: bool) -> Option<Self> {
        let mut scan = Scan { rest: text, escapes };
        let mut values = Self::default();
        (values.width, values.generated) = scan.row(&mut values.rows)?;
        while scan.take(b',') {
            let (width, generated) = scan.row(&mut values.rows)?;
            if (width, &generated) != (values.width, &values.generated) {
                return None;
            }
        }
        let mut tail = Tokens::of(scan.rest);
        if tail.take_word("on") {
            values.may_skip = true;
            let nothing = ["conflict", "do", "nothing"];
            nothing.iter().all(|word| tail.take_word(word)).then_some(())?;
        }
        tail.take_mark(b';').then_some(values)
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Value {
    Written,
    /// `DEFAULT`: nothing was written.
    Generated,
}

/// Reads constants, and writes them as COPY does.
#[derive(Debug)]
struct Scan<'a> {
    rest: &'a [u8],
    /// Backslashes escape in plain literals, too.
    escapes: bool,
}

impl Scan<'_> {
    fn take(&mut self, mark: u8) -> bool {
        self.rest = self.rest.trim_ascii_start();
        let found = self.rest.first() == Some(&mark);
        if found {
            self.rest = &self.rest[1..];
        }
        found
    }

    /// `(1, 'a')`: how many values it has, and which of them are of generated columns.
    fn row(&mut self, rows: &mut Vec<u8>) -> Option<(usize, Vec<usize>)> {
        let (mut width, mut generated) = (0, Vec::new());
        self.take(b'(').then_some(())?;
        loop {
            let end = rows.len();
            if width > generated.len() {
                rows.push(b'\t');
            }
            if self.value(rows)? == Value::Generated {
                rows.truncate(end);
                generated.push(width);
            }
            width += 1;
            if !self.take(b',') {
                break;
            }
        }
        self.take(b')').then_some(())?;
        rows.push(b'\n');
        Some((width, generated))
    }

    fn value(&mut self, row: &mut Vec<u8>) -> Option<Value> {
        self.rest = self.rest.trim_ascii_start();
        match (self.rest.first()?, self.rest.get(1)) {
            (b'\'', _) => self.literal(self.escapes, row)?,
            (b'E' | b'e', Some(b'\'')) => {
                self.rest = &self.rest[1..];
                self.literal(true, row)?;
            }
            (b'B' | b'b', Some(b'\'')) => {
                self.rest = &self.rest[1..];
                self.literal(false, row)?;
            }
            _ => {
                let ends = |byte: &u8| matches!(byte, b',' | b')') || byte.is_ascii_whitespace();
                let length = self.rest.iter().position(ends)?;
                let (word, rest) = self.rest.split_at(length);
                self.rest = rest;
                match word {
                    b"NULL" => row.extend(b"\\N"),
                    b"true" => row.push(b't'),
                    b"false" => row.push(b'f'),
                    // A float's negative zero, which without quotes is an integer's zero.
                    b"-0" => row.push(b'0'),
                    b"DEFAULT" => return Some(Value::Generated),
                    _ if word.iter().all(|byte| b"0123456789+-eE.".contains(byte)) => {
                        row.extend(word);
                    }
                    _ => return None,
                }
            }
        }
        Some(Value::Written)
    }

    /// A literal, of which the quote comes next.
    fn literal(&mut self, escapes: bool, row: &mut Vec<u8>) -> Option<()> {
        let mut at = 1;
        loop {
            let byte = match *self.rest.get(at)? {
                b'\'' if self.rest.get(at + 1) == Some(&b'\'') => {
                    at += 1;
                    b'\''
                }
                b'\'' => break,
                // pg_dump escapes nothing but these.
                b'\\' if escapes => {
                    at += 1;
                    match *self.rest.get(at)? {
                        byte @ (b'\\' | b'\'') => byte,
                        _ => return None,
                    }
                }
                byte => byte,
            };
            at += 1;
            // Source: PostgreSQL 15, `copyto.c`, `CopyAttributeOutText`.
            let letter = match byte {
                b'\\' => b'\\',
                0x08 => b'b',
                0x0C => b'f',
                b'\n' => b'n',
                b'\r' => b'r',
                b'\t' => b't',
                0x0B => b'v',
                _ => {
                    row.push(byte);
                    continue;
                }
            };
            row.extend([b'\\', letter]);
        }
        self.rest = &self.rest[at + 1..];
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::fingerprint::RowHasher;

    fn rows(text: &str) -> Option<String> {
        let inserted = read(text.as_bytes(), true)?;
        let mut fingerprint = RowHasher::new();
        fingerprint.update(&inserted.rows);
        assert_eq!(inserted.fingerprint, fingerprint.finish());
        Some(String::from_utf8(inserted.rows).unwrap())
    }

    #[test]
    fn constants_of_every_kind_become_what_copy_writes() {
        let text = "INSERT INTO public.a VALUES (1, -2.5e-07, 'it''s', NULL, true, false, B'101', 'NaN', \
                    '', 'NULL');";
        assert_eq!(rows(text).unwrap(), "1\t-2.5e-07\tit's\t\\N\tt\tf\t101\tNaN\t\tNULL\n");
        assert_eq!(rows("INSERT INTO a VALUES (-0, '-0', -1);").unwrap(), "0\t-0\t-1\n");
    }

    #[test]
    fn control_characters_and_backslashes_are_escaped_as_copy_does() {
        let text = "INSERT INTO a VALUES ('a\\b', 'l\n\t\r\u{8}\u{c}\u{b}\u{1}', E'\\\\x');";
        assert_eq!(rows(text).unwrap(), "a\\\\b\tl\\n\\t\\r\\b\\f\\v\u{1}\t\\\\x\n");
        let doubled = read(br"INSERT INTO a VALUES ('\\x');", false).unwrap();
        assert_eq!(doubled.rows, b"\\\\x\n");
    }

    #[test]
    fn several_rows_and_what_stands_around_them_are_read() {
        for text in [
            "INSERT INTO a VALUES\n\t(1, 'x'),\n\t(2, ');');",
            "INSERT INTO a VALUES (1, 'x'), (2, ');') ON CONFLICT DO NOTHING;",
            "INSERT INTO a OVERRIDING SYSTEM VALUE VALUES (1, 'x') , (2, ');');",
        ] {
            assert_eq!(rows(text).unwrap(), "1\tx\n2\t);\n", "{text}");
        }
        let inserted = read(b"INSERT INTO \"S\".\"t;\" VALUES (1);", true).unwrap();
        assert_eq!((inserted.schema, inserted.table), (Some("S".into()), "t;".into()));
        assert_eq!(inserted.columns, None);
    }

    #[test]
    fn generated_columns_have_no_values() {
        let text = b"INSERT INTO a (g, b, \"C\", d) VALUES (DEFAULT, 1, 2, DEFAULT);";
        let inserted = read(text, true).unwrap();
        assert_eq!(inserted.columns, Some(vec!["b".into(), "C".into()]));
        assert_eq!(inserted.rows, b"1\t2\n");
        assert_eq!(rows("INSERT INTO a VALUES (DEFAULT);").unwrap(), "\n");
        assert_eq!(rows("INSERT INTO a DEFAULT VALUES;").unwrap(), "\n");
    }

    #[test]
    fn what_pg_dump_does_not_write_is_not_understood() {
        for text in [
            "INSERT INTO a SELECT 1;",
            "INSERT a VALUES (1);",
            "INSERT INTO a (b c) VALUES (1, 2);",
            "INSERT INTO a VALUES (now());",
            "INSERT INTO a VALUES (1 + 1);",
            "INSERT INTO a VALUES ('x'::text);",
            "INSERT INTO a VALUES (1), (1, 2);",
            "INSERT INTO a VALUES (1), (DEFAULT);",
            "INSERT INTO a (b) VALUES (1, 2);",
            "INSERT INTO a VALUES (1) RETURNING b;",
            "INSERT INTO a VALUES (1) ON CONFLICT DO UPDATE SET b = 1;",
            "INSERT INTO a VALUES (E'\\n');",
            "INSERT INTO a VALUES ('x",
            "INSERT INTO a AS b VALUES (1);",
            "INSERT INTO a OVERRIDING USER VALUE VALUES (1);",
        ] {
            assert_eq!(read(text.as_bytes(), true), None, "{text}");
        }
    }
}
