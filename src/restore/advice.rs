//! What to do about an error of a restore that proves the backup bad, by its class.

use super::Failure;
use super::tolerate::ABSENT;

/// SQLSTATE of what a read-only transaction may not do.
const READ_ONLY: &str = "25006";
/// Something is made that is there already: table, column, schema, function, object, database.
const THERE: [&str; 6] = ["42P07", "42701", "42P06", "42723", "42710", "42P04"];

/// What to do about it.
#[must_use]
pub fn advice(failure: &Failure) -> &'static str {
    let error = &failure.error;
    let code = error.code.as_str();
    let message = error.message.as_str();
    let context = error.context.as_deref().unwrap_or_default();
    let in_function = context.contains("function ");
    match code {
        // pg_dump --create makes the database what it was before it fills it.
        READ_ONLY => {
            "the dump makes its database read-only before it fills it, and psql refuses it, too: restore it \
             with PGOPTIONS='-c default_transaction_read_only=off', or make one without --create"
        }
        _ if ABSENT.contains(&code) && in_function => {
            "a function names it without its schema, and a dump is restored with an empty search_path: \
             write the schema in the function, or ALTER FUNCTION … SET search_path in the source"
        }
        _ if ABSENT.contains(&code)
            && message.starts_with("unrecognized configuration parameter") =>
        {
            "no version of PostgreSQL has this parameter: it was mistyped, or another program wrote it"
        }
        _ if ABSENT.contains(&code) => {
            "the dump does not bring it: one made with --schema, --table or --exclude-… leaves out what \
             others need, and extensions; else something in it was lost or mistyped"
        }
        _ if THERE.contains(&code) || message.ends_with(" already exists") => {
            "the dump makes it twice: look for two dumps in one file, or for statements added by hand"
        }
        "42601" | "42P10" => {
            "the SQL is damaged there, of another program, or of a newer version: look at that place"
        }
        "23505" => {
            "the same key is there twice: look for rows that were appended, or for two dumps in one file; an \
             index of the source may be corrupt (REINDEX, amcheck)"
        }
        _ if message.starts_with("could not create unique index")
            || message.starts_with("duplicate key") =>
        {
            "the same key is there twice: look for rows that were appended, or for two dumps in one file; an \
             index of the source may be corrupt (REINDEX, amcheck)"
        }
        "23503" => {
            "rows that others refer to are not in the dump: it was made in several runs, a table was left \
             out, or rows were lost"
        }
        "23514" | "23502" | "23P01" => {
            "the rows break a rule of their table: it was added NOT VALID, its function reads other tables \
             or has changed, or rows were changed"
        }
        "P0001" => {
            "a function of the dump's own refuses it: see what it says, and when it is called"
        }
        _ if code.starts_with("22") || message.starts_with("invalid input syntax") => {
            "a value does not fit its column: the rows are damaged or changed there; use an older backup"
        }
        _ => {
            "psql or pg_restore says the same of it; use an older backup where the source has no such fault"
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::pg::ServerError;
    use crate::restore::Place;

    fn of(code: &str, message: &str, context: Option<&str>) -> &'static str {
        let error = ServerError {
            code: code.to_owned(),
            message: message.to_owned(),
            detail: None,
            hint: None,
            context: context.map(str::to_owned),
            position: None,
        };
        advice(&Failure { place: Place::Unknown, object: None, statement: String::new(), error })
    }

    #[test]
    fn every_class_of_errors_has_advice_of_its_own() {
        let absent = "relation \"t\" does not exist";
        let all = [
            of("25006", "cannot execute CREATE TABLE in a read-only transaction", None),
            of("42P01", absent, Some("SQL function \"f\" during inlining")),
            of("42P01", absent, None),
            of("42704", "unrecognized configuration parameter \"serach_path\"", None),
            of("42P07", "relation \"t\" already exists", None),
            of("42601", "syntax error at or near \"TABEL\"", None),
            of("23505", "duplicate key value violates unique constraint \"u\"", None),
            of(
                "23503",
                "insert or update on table \"t\" violates foreign key constraint \"f\"",
                None,
            ),
            of("23514", "new row for relation \"t\" violates check constraint \"c\"", None),
            of("P0001", "no", None),
            of("22P02", "invalid input syntax for type integer: \"x\"", None),
            of("XX000", "cache lookup failed", None),
        ];
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    }

    #[test]
    fn the_advice_for_an_archive_goes_by_words_where_no_code_is_known() {
        let archive = |message| of("", message, None);
        assert_eq!(archive("relation \"t\" already exists"), of("42P07", "", None));
        assert_eq!(archive("could not create unique index \"u\""), of("23505", "", None));
        assert_eq!(archive("invalid input syntax for type integer: \"x\""), of("22P02", "", None));
    }
}
