//! Refusals that a locale explains: where a database has C in the place of its own, text sorts
//! otherwise, and a row that is in its right place can seem to be in a wrong one.

use super::Failure;
use crate::pg::Session;

/// What the server judged by the locale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged<'a> {
    /// Where a row of a partitioned table belongs, or what belongs into a partition; with the table
    /// or partition, where it is part of the partitioned table.
    Range(Option<&'a str>),
    /// A constraint or unique index of an expression, such as `lower(name)`.
    Expression,
    /// A collation that comes with the system, which therefore no dump brings, or whose locale does.
    Missing,
}

/// What the server judged by the locale, where that may be the reason of a refusal. By its words,
/// because pg_restore gives no SQLSTATE. Source: PostgreSQL 11 to 18, `execMain.c`,
/// `execPartition.c`, `partbounds.c`, `tablecmds.c`, `execIndexing.c`.
#[must_use]
pub fn judged(failure: &Failure) -> Option<Judged<'_>> {
    let message = failure.error.message.as_str();
    let between = |before: &str, after: &str| message.strip_prefix(before)?.strip_suffix(after);
    let relation = between("new row for relation \"", "\" violates partition constraint")
        .or_else(|| between("no partition of relation \"", "\" found for row"));
    if relation.is_some() {
        return Some(Judged::Range(relation));
    }
    let bounds = message.starts_with("empty range bound specified for partition \"")
        || message.starts_with("partition \"") && message.contains("\" would overlap partition \"");
    if bounds {
        return Some(Judged::Range(None));
    }
    if message.starts_with("collation \"pg_catalog.") && message.ends_with("\" does not exist")
        || message.starts_with("could not create locale \"")
    {
        return Some(Judged::Missing);
    }
    let check = message.contains("violates check constraint \"")
        || message.starts_with("check constraint \"")
            && message.ends_with(" is violated by some row");
    let unique = message.starts_with("could not create unique index \"")
        || message.starts_with("duplicate key value violates unique constraint \"");
    (check || unique && is_of_expression(failure)).then_some(Judged::Expression)
}

/// Whether the key of a unique index is an expression: `Key (lower(name))=(…) is duplicated.`
fn is_of_expression(failure: &Failure) -> bool {
    let key = failure.error.detail.as_deref().and_then(|detail| detail.strip_prefix("Key ("));
    key.and_then(|key| key.split_once(")=(")).is_some_and(|(key, _)| key.contains('('))
}

/// Partitioned tables whose rows go where the database's own collation says; with a name, those that
/// the table or partition of that name is part of.
const RANGES: &str = "\
WITH RECURSIVE line (relation) AS (
    SELECT c.oid FROM pg_catalog.pg_class c WHERE c.relname = $1 OR $1 IS NULL
    UNION
    SELECT i.inhparent FROM line JOIN pg_catalog.pg_inherits i ON i.inhrelid = line.relation
)
SELECT EXISTS (
    SELECT FROM line JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = line.relation
    JOIN pg_catalog.pg_collation c ON c.oid = ANY (p.partcollation)
    WHERE p.partstrat = 'r' AND c.collprovider = 'd')";

/// Whether rows of a table are where the database's locale says; of any table, where none is named.
///
/// # Errors
/// When the server cannot be asked.
pub async fn ranges_by_locale(
    session: &Session,
    relation: Option<&str>,
) -> Result<bool, tokio_postgres::Error> {
    session.query_one(RANGES, &[&relation]).await?.try_get(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pg::ServerError;
    use crate::restore::Place;

    fn refused(message: &str, detail: Option<&str>) -> Failure {
        let error = ServerError {
            code: String::new(),
            message: message.to_owned(),
            detail: detail.map(str::to_owned),
            hint: None,
            context: None,
            position: None,
        };
        Failure { place: Place::Unknown, object: None, statement: String::new(), error }
    }

    #[test]
    fn partitions_by_range_checks_unique_expressions_and_collations_depend_on_the_locale() {
        for (message, detail, expected) in [
            (
                "new row for relation \"a \"b\"\" violates partition constraint",
                None,
                Judged::Range(Some("a \"b\"")),
            ),
            ("no partition of relation \"a\" found for row", None, Judged::Range(Some("a"))),
            ("empty range bound specified for partition \"a\"", None, Judged::Range(None)),
            ("partition \"a\" would overlap partition \"b\"", None, Judged::Range(None)),
            (
                "new row for relation \"a\" violates check constraint \"b\"",
                None,
                Judged::Expression,
            ),
            (
                "check constraint \"b\" of relation \"a\" is violated by some row",
                None,
                Judged::Expression,
            ),
            (
                "could not create unique index \"b\"",
                Some("Key (lower(word), id)=(i, 1) is duplicated."),
                Judged::Expression,
            ),
            (
                "collation \"pg_catalog.de_DE.utf8\" for encoding \"UTF8\" does not exist",
                None,
                Judged::Missing,
            ),
            (
                "could not create locale \"de_DE.UTF-8\": No such file or directory",
                None,
                Judged::Missing,
            ),
        ] {
            assert_eq!(judged(&refused(message, detail)), Some(expected), "{message}");
        }
    }

    #[test]
    fn nothing_else_depends_on_it() {
        for (message, detail) in [
            ("could not create unique index \"b\"", Some("Key (a, b)=(f(x), 1) is duplicated.")),
            ("could not create unique index \"b\"", None),
            ("collation \"public.a\" for encoding \"UTF8\" does not exist", None),
            ("relation \"partition\" does not exist", None),
            ("invalid input syntax for type integer: \"violates partition constraint\"", None),
        ] {
            assert_eq!(judged(&refused(message, detail)), None, "{message}");
        }
    }
}
