//! Which functions of a dump may read more than their arguments. Pure.
//!
//! PostgreSQL notes which functions a constraint calls, and not what those read: their text is all
//! there is. What is not surely harmless may read.

use std::collections::BTreeSet;

/// PostgreSQL's own functions that look at tables, sequences, large objects or the session, as they
/// stand in a constraint: a regular expression.
pub const OWN_FUNCTIONS: &str = r"\y((nextval|currval|lastval|setval|set_config|current_setting|loread|lowrite|ts_stat|ts_rewrite|(query|table|schema|database|cursor)_to_xml\w*|lo_\w+|pg_\w+|txid_\w+|has_\w+|to_reg\w+|\w+_description)\(|reg(class|proc|procedure|oper|operator|type|role|namespace|config|dictionary|collation)\y)";

/// Words of a body without which it reads no table and calls nothing that does.
const WORDS: [&str; 35] = [
    "alter",
    "call",
    "copy",
    "create",
    "currval",
    "delete",
    "drop",
    "execute",
    "from",
    "insert",
    "lastval",
    "lock",
    "loread",
    "lowrite",
    "merge",
    "nextval",
    "open",
    "perform",
    "regclass",
    "regcollation",
    "regconfig",
    "regdictionary",
    "regnamespace",
    "regoper",
    "regoperator",
    "regproc",
    "regprocedure",
    "regrole",
    "regtype",
    "set_config",
    "setval",
    "table",
    "truncate",
    "ts_stat",
    "update",
];
/// Beginnings of such words.
const BEGINNINGS: [&str; 12] = [
    "cursor_to_",
    "database_to_",
    "dblink",
    "has_",
    "lo_",
    "pg_",
    "query_to_",
    "schema_to_",
    "table_to_",
    "to_reg",
    "ts_rewrite",
    "txid_",
];

/// A function that the dump, or an extension, made.
#[derive(Debug, Clone)]
pub struct Routine {
    /// Its number in the catalog.
    pub oid: u32,
    /// Its name, without its schema.
    pub name: String,
    /// The name of its language.
    pub language: String,
    /// Its text.
    pub source: String,
    /// Whether its body was parsed when it was made (`BEGIN ATOMIC`) and is not in the text.
    pub is_parsed: bool,
}

/// Those of them that may read tables, by themselves or by calling one that may.
pub fn that_may_read(routines: Vec<Routine>) -> Vec<Routine> {
    let (mut reading, mut left): (Vec<_>, Vec<_>) = routines.into_iter().partition(may_read);
    let mut names: BTreeSet<String> = reading.iter().map(|routine| routine.name.clone()).collect();
    loop {
        let (calling, harmless): (Vec<_>, Vec<_>) = left.into_iter().partition(|routine| {
            words(&routine.source).any(|word| names.contains(&word))
                || names.iter().any(|name| is_quoted_in(name, &routine.source))
        });
        left = harmless;
        if calling.is_empty() {
            return reading;
        }
        names.extend(calling.iter().map(|routine| routine.name.clone()));
        reading.extend(calling);
    }
}

fn may_read(routine: &Routine) -> bool {
    let is_read = matches!(routine.language.as_str(), "sql" | "plpgsql") && !routine.is_parsed;
    !is_read
        || words(&routine.source).any(|word| {
            // pg_catalog.lower(…) reads nothing.
            let is_schema = word == "pg_catalog";
            WORDS.contains(&word.as_str())
                || !is_schema && BEGINNINGS.iter().any(|beginning| word.starts_with(beginning))
        })
}

/// The words of a body in lower case, also those within literals and comments.
fn words(source: &str) -> impl Iterator<Item = String> + '_ {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    source.split(move |c| !is_part(c)).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// A name that has to be quoted.
fn is_quoted_in(name: &str, source: &str) -> bool {
    let is_plain = |c: char| c.is_lowercase() || c.is_ascii_digit() || c == '_';
    !name.chars().all(is_plain) && source.contains(&crate::pg::quote_ident(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routine(name: &str, language: &str, source: &str) -> Routine {
        Routine {
            oid: 1,
            name: name.into(),
            language: language.into(),
            source: source.into(),
            is_parsed: false,
        }
    }

    fn reading(routines: Vec<Routine>) -> Vec<String> {
        that_may_read(routines).into_iter().map(|routine| routine.name).collect()
    }

    #[test]
    fn functions_that_compute_from_their_arguments_alone_read_nothing() {
        let email =
            "SELECT regexp_replace($1, 'a', 'b') ~ '^[^@]+@' AND pg_catalog.length($1) < 200";
        let digits = "DECLARE n int := 0; BEGIN IF x IS NULL THEN RAISE EXCEPTION 'none'; END IF; \
                      FOR i IN 1..9 LOOP n := n + i; END LOOP; RETURN n; END";
        let routines =
            vec![routine("is_email", "sql", email), routine("digits", "plpgsql", digits)];
        assert_eq!(reading(routines), Vec::<String>::new());
    }

    #[test]
    fn functions_that_may_read_tables_are_told_with_those_that_call_them() {
        for source in [
            "SELECT EXISTS (SELECT FROM public.t)",
            "SELECT EXISTS (TABLE t)",
            "BEGIN EXECUTE 'x'; RETURN 1; END",
            "SELECT query_to_xml('x', true, true, '')",
            "SELECT nextval('s')",
            "SELECT 't'::regclass IS NULL",
            "BEGIN PERFORM 1; RETURN 1; END",
        ] {
            let routines = vec![
                routine("outer", "sql", "SELECT public.middle()"),
                routine("other", "sql", "SELECT 1"),
                routine("middle", "plpgsql", "BEGIN RETURN public.\"Inner\"(1); END"),
                routine("Inner", "sql", source),
            ];
            assert_eq!(reading(routines), ["Inner", "middle", "outer"], "{source}");
        }
    }

    #[test]
    fn functions_whose_text_is_not_read_may_do_anything() {
        for language in ["c", "internal", "plperl", "plpython3u"] {
            assert_eq!(reading(vec![routine("f", language, "f")]), ["f"], "{language}");
        }
        let parsed = Routine { is_parsed: true, ..routine("f", "sql", "") };
        assert_eq!(reading(vec![parsed]), ["f"]);
    }
}
