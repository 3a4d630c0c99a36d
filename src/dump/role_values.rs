//! Roles that only values and expressions name: rows of a column of the type `regrole`,
//! `'app'::regrole`, `pg_has_role('app', …)`.

use std::collections::BTreeMap;

use memchr::{memchr, memmem};

use super::item::{CopyBlock, Item, Name, Statement};
use super::token::{Token, Tokens};

/// Bytes of a row that are looked at.
const MOST_ROW: usize = 1 << 20;

type Table = (Option<Name>, Name);

/// Which columns hold roles, and the row at hand of such a table.
#[derive(Debug, Default)]
pub(super) struct RoleValues {
    columns: BTreeMap<Table, Vec<Column>>,
    /// Places of the role columns among those of the COPY block at hand.
    places: Vec<usize>,
    row: Vec<u8>,
}

#[derive(Debug)]
struct Column {
    name: Name,
    place: usize,
}

impl RoleValues {
    /// Takes the reader's next item, and gives the roles that it names.
    pub(super) fn take(&mut self, item: &Item) -> Vec<Vec<u8>> {
        let mut roles = Vec::new();
        match item {
            Item::Statement(statement) => self.statement(statement, &mut roles),
            Item::CopyStart(block) => self.places = self.places_in(block),
            Item::CopyData(data) if !self.places.is_empty() => self.rows(data, &mut roles),
            Item::CopyEnd => self.places.clear(),
            Item::CopyData(_) | Item::Meta(_) => {}
        }
        roles
    }

    fn statement(&mut self, statement: &Statement, roles: &mut Vec<Vec<u8>>) {
        let text = &statement.text;
        if memmem::find(text, b"regrole").is_some() || memmem::find(text, b"pg_has_role").is_some()
        {
            self.table(Tokens::of(text));
            in_expressions(Tokens::of(text), roles);
        }
        if !self.columns.is_empty() {
            self.insert(Tokens::of(text), roles);
        }
    }

    /// Notes the role columns of `CREATE TABLE name (column type …, …)`.
    fn table(&mut self, mut tokens: Tokens) {
        let is_table = tokens.take_word("create") && {
            let _ = tokens.take_word("unlogged");
            tokens.take_word("table")
        };
        let Some(table) = tokens.take_qualified().filter(|_| is_table).and_then(table_of) else {
            return;
        };
        if !tokens.take_mark(b'(') {
            return;
        }
        let (mut depth, mut place, mut name, mut found) = (0_u32, 0, None, Vec::new());
        for token in tokens {
            match token {
                Token::Mark(b'(') => depth += 1,
                Token::Mark(b')') if depth == 0 => break,
                Token::Mark(b')') => depth -= 1,
                Token::Mark(b',') if depth == 0 => (place, name) = (place + 1, None),
                Token::Word(word) if name.is_none() => name = Some(word.to_ascii_lowercase()),
                Token::Name(quoted) if name.is_none() => name = Some(quoted),
                ref word if depth == 0 && word.is_word("regrole") => {
                    let name = name.clone().unwrap_or_default();
                    found.push(Column { name: name.into(), place });
                }
                _ => {}
            }
        }
        if !found.is_empty() {
            self.columns.insert(table, found);
        }
    }

    fn places_in(&self, block: &CopyBlock) -> Vec<usize> {
        let table = (block.schema.clone(), block.table.clone());
        let columns = self.columns.get(&table).map(Vec::as_slice).unwrap_or_default();
        let place = |column: &Column| block.columns.iter().position(|name| *name == column.name);
        columns.iter().filter_map(place).collect()
    }

    fn rows(&mut self, mut data: &[u8], roles: &mut Vec<Vec<u8>>) {
        while let Some(end) = memchr(b'\n', data) {
            self.row.extend(&data[..end.min(MOST_ROW)]);
            let values: Vec<&[u8]> = self.row.split(|byte| *byte == b'\t').collect();
            for value in self.places.iter().filter_map(|place| values.get(*place)) {
                names(value, roles);
            }
            self.row.clear();
            data = &data[end + 1..];
        }
        self.row.extend(data.iter().take(MOST_ROW));
    }

    /// `INSERT INTO name [(columns)] … VALUES (…), (…)`.
    fn insert(&self, mut tokens: Tokens, roles: &mut Vec<Vec<u8>>) {
        let is_insert = tokens.take_word("insert") && tokens.take_word("into");
        let table = tokens.take_qualified().filter(|_| is_insert).and_then(table_of);
        let Some(columns) = table.and_then(|table| self.columns.get(&table)) else { return };
        let mut listed = Vec::new();
        if tokens.take_mark(b'(') {
            while let Some(name) = tokens.take_name() {
                listed.push(Name::from(name));
                if !tokens.take_mark(b',') {
                    break;
                }
            }
        }
        let place = |column: &Column| match listed.as_slice() {
            [] => Some(column.place),
            listed => listed.iter().position(|name| *name == column.name),
        };
        let places: Vec<usize> = columns.iter().filter_map(place).collect();
        let _ = tokens.find(|token| token.is_word("values"));
        let (mut depth, mut at) = (0_u32, 0);
        for token in tokens {
            match token {
                Token::Mark(b'(') => {
                    depth += 1;
                    at = if depth == 1 { 0 } else { at };
                }
                Token::Mark(b')') => depth = depth.saturating_sub(1),
                Token::Mark(b',') if depth == 1 => at += 1,
                Token::Text(value) if depth == 1 && places.contains(&at) => names(&value, roles),
                _ => {}
            }
        }
    }
}

fn table_of(mut parts: Vec<Vec<u8>>) -> Option<Table> {
    let name = Name::from(parts.pop()?);
    Some((parts.pop().map(Name::from), name))
}

/// The roles in the text of a value: `app`, `"My App"`, `{app,other}`. `-` is none, and a number is the
/// identifier of one.
fn names(value: &[u8], roles: &mut Vec<Vec<u8>>) {
    let name = |token| match token {
        Token::Word(word) if !word.iter().all(u8::is_ascii_digit) => {
            Some(word.to_ascii_lowercase())
        }
        Token::Name(name) => Some(name),
        _ => None,
    };
    if value != b"\\N" {
        roles.extend(Tokens::of(value).filter_map(name));
    }
}

/// `'app'::regrole` and the literals of `pg_has_role(…)`.
fn in_expressions(mut tokens: Tokens, roles: &mut Vec<Vec<u8>>) {
    while let Some(token) = tokens.next() {
        if let Token::Text(text) = &token {
            let mut ahead = tokens.clone();
            let _ = ahead.take_mark(b':')
                && ahead.take_mark(b':')
                && ahead.take_word("pg_catalog")
                && ahead.take_mark(b'.');
            if ahead.take_word("regrole") {
                names(text, roles);
            }
        } else if token.is_word("pg_has_role") && tokens.take_mark(b'(') {
            for token in tokens.by_ref().take_while(|token| *token != Token::Mark(b')')) {
                if let Token::Text(text) = token
                    && !is_privilege(&text)
                {
                    roles.push(text);
                }
            }
        }
    }
}

/// What `pg_has_role` asks for: `MEMBER`, `USAGE`, `SET`, each also `WITH ADMIN OPTION`.
fn is_privilege(text: &[u8]) -> bool {
    let mut tokens = Tokens::of(text);
    ["member", "usage", "set"].iter().any(|word| tokens.take_word(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::items::Items;

    fn roles(sql: &str) -> Vec<String> {
        let mut items = Items::new(std::io::Cursor::new(sql.to_owned()));
        let (mut values, mut roles) = (RoleValues::default(), Vec::new());
        while let Ok(Some(item)) = items.pull() {
            roles.extend(values.take(&item));
        }
        roles.iter().map(|role| String::from_utf8_lossy(role).into_owned()).collect()
    }

    const JOBS: &str = "CREATE TABLE public.jobs (id integer NOT NULL, price numeric(5,2), \
                        owner regrole NOT NULL, \"Others\" pg_catalog.regrole[]);\n";

    #[test]
    fn rows_name_roles_in_columns_of_their_type() {
        let copy = "COPY public.jobs (owner, id, \"Others\") FROM stdin;\n\
                    billing\t1\t{a,\"My App\"}\n-\t2\t\\N\n16384\t3\t{}\n\\.\n";
        assert_eq!(roles(&[JOBS, copy].concat()), ["billing", "a", "My App"]);
        let insert = "INSERT INTO public.jobs VALUES (1, 2.50, 'billing', NULL), (2, f('x'), 'b', '{c}');\n\
                      INSERT INTO public.jobs (owner, id) VALUES ('d', 4);\n\
                      INSERT INTO public.others VALUES (1, 2, 'e');\n";
        assert_eq!(roles(&[JOBS, insert].concat()), ["billing", "b", "c", "d"]);
    }

    #[test]
    fn expressions_name_roles_and_other_literals_do_not() {
        let policy = "CREATE POLICY p ON public.t USING (pg_has_role(CURRENT_USER, 'staff'::name, \
                      'MEMBER'::text) AND owner = 'My'::regrole AND note = 'x'::text);\n";
        assert_eq!(roles(policy), ["staff", "my"]);
        assert!(roles("COMMENT ON TABLE public.t IS 'regrole';\n").is_empty());
        let copy = "CREATE TABLE public.t (a text);\nCOPY public.t (a) FROM stdin;\nregrole\n\\.\n";
        assert!(roles(copy).is_empty());
    }
}
