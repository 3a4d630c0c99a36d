//! Statements that change rows which the dump has written before them. pg_dump writes none: they are
//! of whoever wrote the dump by hand, or added to it.

use std::fmt;

use super::item::Name;
use super::token::{Token, Tokens};

/// A table as a statement names it: schema, where it is written, and name.
pub(super) type Named = (Option<Name>, Name);

/// Whose rows a statement changes, as far as its text says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// Those of these tables.
    Of(Vec<Named>),
    /// Those of any: it calls a function, or takes along what depends on something.
    OfAny,
}

/// The statement that changed what the dump had written before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Its first words, such as `DROP TABLE`.
    pub by: String,
    /// Its line.
    pub line: u64,
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "changed afterwards, by {} in line {}", self.by, self.line)
    }
}

/// Functions of PostgreSQL that dumps call by their bare names and that change no table.
const HARMLESS: [&[u8]; 17] = [
    b"setval",
    b"set_config",
    b"current_setting",
    b"nextval",
    b"currval",
    b"pg_get_serial_sequence",
    b"coalesce",
    b"greatest",
    b"least",
    b"max",
    b"min",
    b"count",
    b"now",
    b"version",
    b"lowrite",
    b"loread",
    b"pg_sleep",
];
/// What `ALTER TABLE … ADD` and `DROP` may be of without changing rows.
const NO_COLUMN: [&str; 11] = [
    "constraint",
    "primary",
    "unique",
    "foreign",
    "check",
    "exclude",
    "generated",
    "default",
    "not",
    "identity",
    "expression",
];

/// What a statement changes; `None` where it changes no rows. INSERT is not looked at here.
pub(super) fn change(text: &[u8], standard_strings: bool) -> Option<Change> {
    let mut tokens = Tokens::under(standard_strings, text);
    let Token::Word(word) = tokens.next()? else { return None };
    match word.to_ascii_uppercase().as_slice() {
        b"UPDATE" => one(tokens),
        b"DELETE" => tokens.take_word("from").then(|| one(tokens))?,
        b"MERGE" => tokens.take_word("into").then(|| one(tokens))?,
        b"TRUNCATE" => {
            let _ = tokens.take_word("table");
            list(tokens)
        }
        b"DROP" => drop_of(tokens),
        b"ALTER" => alter(tokens),
        b"SELECT" => calls_a_function(tokens).then_some(Change::OfAny),
        b"DO" | b"CALL" | b"EXECUTE" | b"WITH" => Some(Change::OfAny),
        // To a savepoint: what was written before it stays. A whole transaction that is rolled back is
        // no backup.
        b"ROLLBACK" => tokens.any(|token| token.is_word("to")).then_some(Change::OfAny),
        _ => None,
    }
}

/// The table that `CREATE TEMPORARY TABLE` makes: it is gone when the restore is.
pub(super) fn temporary(text: &[u8]) -> Option<Name> {
    let mut tokens = Tokens::of(text);
    if !tokens.take_word("create") {
        return None;
    }
    let _ = tokens.take_word("local") || tokens.take_word("global");
    let is_one =
        (tokens.take_word("temp") || tokens.take_word("temporary")) && tokens.take_word("table");
    if !is_one {
        return None;
    }
    if tokens.take_word("if") {
        (tokens.take_word("not") && tokens.take_word("exists")).then_some(())?;
    }
    tokens.take_qualified()?.pop().map(Name::from)
}

/// Whether a statement sets a sequence to another state than `setval` did.
pub(super) fn moves_sequences(text: &[u8]) -> bool {
    let mut tokens = Tokens::of(text);
    let alters = tokens.take_word("alter") && tokens.take_word("sequence");
    alters && tokens.any(|token| token.is_word("restart")) || {
        let mut tokens = Tokens::of(text);
        tokens.take_word("select")
            && tokens.any(|token| token.is_word("setval") || token.is_word("nextval"))
    }
}

fn one(mut tokens: Tokens<'_>) -> Option<Change> {
    named(&mut tokens).map(|table| Change::Of(vec![table]))
}

fn named(tokens: &mut Tokens<'_>) -> Option<Named> {
    let _ = tokens.take_word("only");
    let mut parts = tokens.take_qualified()?;
    let name = parts.pop()?.into();
    Some((parts.pop().map(Name::from), name))
}

/// `a, ONLY b * RESTART IDENTITY`; what depends on them goes with CASCADE.
fn list(mut tokens: Tokens<'_>) -> Option<Change> {
    let mut tables = vec![named(&mut tokens)?];
    loop {
        let _ = tokens.take_mark(b'*');
        if !tokens.take_mark(b',') {
            break;
        }
        tables.push(named(&mut tokens)?);
    }
    let cascades = tokens.any(|token| token.is_word("cascade"));
    Some(if cascades { Change::OfAny } else { Change::Of(tables) })
}

fn drop_of(mut tokens: Tokens<'_>) -> Option<Change> {
    if tokens.take_word("table") {
        if tokens.take_word("if") {
            let _ = tokens.take_word("exists");
        }
        return list(tokens);
    }
    let owned = tokens.take_word("owned");
    (owned || tokens.any(|token| token.is_word("cascade"))).then_some(Change::OfAny)
}

/// `ALTER TABLE` that renames, moves, detaches, or makes other columns or types.
fn alter(mut tokens: Tokens<'_>) -> Option<Change> {
    if tokens.take_word("schema") {
        return tokens.any(|token| token.is_word("rename")).then_some(Change::OfAny);
    }
    if !tokens.take_word("table") {
        return None;
    }
    if tokens.take_word("if") {
        let _ = tokens.take_word("exists");
    }
    let table = named(&mut tokens)?;
    let (mut depth, mut before) = (0usize, Token::Mark(b','));
    while let Some(token) = tokens.next() {
        match token {
            Token::Mark(b'(') => depth += 1,
            Token::Mark(b')') => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            ref word
                if word.is_word("rename") || word.is_word("detach") || word.is_word("type") =>
            {
                return Some(Change::Of(vec![table]));
            }
            ref word if word.is_word("schema") && before.is_word("set") => {
                return Some(Change::Of(vec![table]));
            }
            ref word
                if (word.is_word("add") || word.is_word("drop"))
                    && !NO_COLUMN.iter().any(|of| tokens.clone().take_word(of)) =>
            {
                return Some(Change::Of(vec![table]));
            }
            _ => {}
        }
        before = token;
    }
    None
}

/// Whether a query calls a function that is not known to change no table. What is in `pg_catalog` does
/// not.
fn calls_a_function(mut tokens: Tokens<'_>) -> bool {
    while let Some(token) = tokens.next() {
        let mut name = match token {
            Token::Word(word) => word.to_ascii_lowercase(),
            Token::Name(name) => name,
            Token::Text(_) | Token::Mark(_) => continue,
        };
        let mut schema = None;
        while tokens.take_mark(b'.') {
            let Some(next) = tokens.take_name() else { break };
            schema = Some(std::mem::replace(&mut name, next));
        }
        if tokens.take_mark(b'(') && !is_harmless(schema.as_deref(), &name) {
            return true;
        }
    }
    false
}

fn is_harmless(schema: Option<&[u8]>, function: &[u8]) -> bool {
    const WORDS: [&[u8]; 12] = [
        b"from", b"where", b"and", b"or", b"in", b"not", b"select", b"values", b"as", b"any",
        b"exists", b"on",
    ];
    match schema {
        Some(schema) => schema == b"pg_catalog",
        None => {
            HARMLESS.contains(&function)
                || WORDS.contains(&function)
                || function.starts_with(b"lo_")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(tables: &[&str]) -> Option<Change> {
        let named = |name: &&str| match name.split_once('.') {
            Some((schema, name)) => (Some(schema.into()), name.into()),
            None => (None, (*name).into()),
        };
        Some(Change::Of(tables.iter().map(named).collect()))
    }

    #[test]
    fn what_changes_rows_names_their_tables() {
        for (text, tables) in [
            ("UPDATE public.a SET b = 1;", &["public.a"][..]),
            ("update only a SET b = 1;", &["a"]),
            ("DELETE FROM ONLY \"A\" WHERE true;", &["A"]),
            ("MERGE INTO s.a USING b ON true WHEN MATCHED THEN DELETE;", &["s.a"]),
            ("TRUNCATE a;", &["a"]),
            ("TRUNCATE TABLE ONLY s.a *, b RESTART IDENTITY;", &["s.a", "b"]),
            ("DROP TABLE IF EXISTS a, s.b;", &["a", "s.b"]),
            ("ALTER TABLE IF EXISTS ONLY s.a RENAME TO b;", &["s.a"]),
            ("ALTER TABLE s.a ALTER COLUMN b TYPE text USING (b)::text;", &["s.a"]),
            ("ALTER TABLE s.a ALTER b SET NOT NULL, DROP COLUMN c;", &["s.a"]),
            ("ALTER TABLE s.a ADD COLUMN c integer DEFAULT 1;", &["s.a"]),
            ("ALTER TABLE s.a SET SCHEMA t;", &["s.a"]),
            ("ALTER TABLE s.a DETACH PARTITION s.b;", &["s.a"]),
        ] {
            assert_eq!(change(text.as_bytes(), true), of(tables), "{text}");
        }
    }

    #[test]
    fn what_takes_others_along_or_calls_functions_may_change_any() {
        for text in [
            "TRUNCATE a CASCADE;",
            "DROP TABLE a CASCADE;",
            "DROP SCHEMA s CASCADE;",
            "DROP OWNED BY r;",
            "ALTER SCHEMA s RENAME TO t;",
            "DO $$ BEGIN PERFORM f(); END $$;",
            "CALL s.f();",
            "ROLLBACK TO SAVEPOINT s;",
            "rollback work to s;",
            "WITH gone AS (DELETE FROM a RETURNING b) SELECT b FROM gone;",
            "SELECT public.f();",
            "SELECT f(1), pg_catalog.set_config('a', 'b', false);",
            "SELECT setval('s', \"f\"());",
        ] {
            assert_eq!(change(text.as_bytes(), true), Some(Change::OfAny), "{text}");
        }
    }

    #[test]
    fn what_pg_dump_writes_after_the_rows_changes_none() {
        for text in [
            "SELECT pg_catalog.setval('public.s', 1, true);",
            "SELECT pg_catalog.lowrite(0, '\\x00');",
            "SELECT * FROM pg_catalog.pg_restore_relation_stats('relation', 'a'::regclass);",
            "SELECT setval(pg_get_serial_sequence('a', 'b'), coalesce(max(b), 1), max(b) IS NOT NULL) FROM a;",
            "SELECT 1 FROM a WHERE (b) IN (1, 2) AND (c = 1);",
            "ALTER TABLE ONLY s.a ADD CONSTRAINT b PRIMARY KEY (rename);",
            "ALTER TABLE ONLY s.a ADD CONSTRAINT b FOREIGN KEY (c) REFERENCES s.b(c);",
            "ALTER TABLE ONLY s.a ALTER COLUMN b SET DEFAULT nextval('s.s'::regclass);",
            "ALTER TABLE s.a ALTER COLUMN b DROP DEFAULT;",
            "ALTER TABLE s.a ALTER COLUMN b ADD GENERATED BY DEFAULT AS IDENTITY (START WITH 1);",
            "ALTER TABLE ONLY s.a ATTACH PARTITION s.b FOR VALUES IN (1);",
            "ALTER TABLE s.a ENABLE ROW LEVEL SECURITY;",
            "ALTER TABLE ONLY s.a REPLICA IDENTITY FULL;",
            "ALTER TABLE s.a CLUSTER ON b;",
            "ALTER TABLE s.a OWNER TO b;",
            "ALTER INDEX s.a ATTACH PARTITION s.b;",
            "CREATE INDEX a ON s.a USING btree (lower(b));",
            "REFRESH MATERIALIZED VIEW s.a;",
            "DROP INDEX s.a;",
            "ROLLBACK;",
            "COMMIT;",
            "SET search_path = '';",
            "",
        ] {
            assert_eq!(change(text.as_bytes(), true), None, "{text}");
        }
    }

    #[test]
    fn temporary_tables_are_known_by_their_names() {
        for text in [
            "CREATE TEMP TABLE stage (id integer);",
            "create local temporary table if not exists pg_temp.Stage (id integer);",
        ] {
            assert_eq!(temporary(text.as_bytes()), Some("stage".into()), "{text}");
        }
        assert_eq!(temporary(b"CREATE TABLE temp (id integer);"), None);
        assert_eq!(temporary(b"CREATE TEMP VIEW v AS SELECT 1;"), None);
    }
}
