//! Tells by what pg_restore says that a server or a system was in trouble, which is nothing of the
//! archive.
//!
//! A message can hold any words of the archive: a value that was refused, a name, what a function of
//! the user raises. So a message counts as a whole, as the server, libpq or pg_restore itself has it,
//! and never by words somewhere in it. Source: PostgreSQL 13 to 18, the messages of SQLSTATE classes
//! 53 and 57P, 58000 and 58030, which `pg::ServerError::is_servers_trouble` names; pg_restore prints no
//! SQLSTATE.

use crate::pg::ServerError;

/// What the system says when it has no more, after the file that it is about.
const WANTS: [&str; 6] = [
    ": No space left on device",
    ": Disk quota exceeded",
    ": Input/output error",
    ": Cannot allocate memory",
    ": Too many open files",
    ": Too many open files in system",
];
/// How a server's message begins that is about itself.
const OF_SERVER: [&str; 10] = [
    "terminating connection ",
    "the database system is ",
    "sorry, too many clients already",
    "remaining connection slots are reserved",
    "too many connections for ",
    "could not fork ",
    "could not resize shared memory segment ",
    "could not extend file ",
    "temporary file size exceeds temp_file_limit",
    "too many dynamic shared memory segments",
];
/// The same, where nothing follows.
const WHOLE: [&str; 2] = ["out of memory", "out of shared memory"];
/// How pg_restore's message begins when the connection failed it: had the server refused something, its
/// `ERROR` would follow.
const OF_CONNECTION: [&str; 13] = [
    "could not execute query: ",
    "COPY failed for table ",
    "error returned by PQputCopyData: ",
    "error returned by PQputCopyEnd: ",
    "query failed: ",
    "connection to server ",
    "connection to database ",
    "could not connect to ",
    "could not reconnect to database",
    "reconnection failed",
    "no connection to the server",
    "server closed the connection",
    "could not create worker process",
];

/// Whether the server, refusing a statement, was in trouble.
pub(super) fn of_server(error: &ServerError) -> bool {
    !is_raised(error.context.as_deref()) && is_trouble(&error.message)
}

/// Whether a message of pg_restore itself, with or without its prefix, is of a system in trouble or a
/// connection that is gone.
pub(super) fn of_system(text: &str) -> bool {
    let text = text.strip_prefix("pg_restore: ").unwrap_or(text);
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let first = text.lines().next().unwrap_or_default();
    OF_CONNECTION.iter().any(|begin| first.starts_with(begin)) || is_trouble(first)
}

fn is_trouble(message: &str) -> bool {
    WHOLE.contains(&message)
        || OF_SERVER.iter().any(|begin| message.starts_with(begin))
        || message.starts_with("could not ") && WANTS.iter().any(|want| message.ends_with(want))
}

/// Whether a function says this in words of its own. The innermost context stands first; where a
/// statement in the function failed, it is that statement's.
fn is_raised(context: Option<&str>) -> bool {
    let Some(innermost) = context.and_then(|context| context.lines().next()) else { return false };
    let raises = innermost.ends_with(" at RAISE") || innermost.ends_with(" at ASSERT");
    innermost.starts_with("PL/") && (raises || !innermost.starts_with("PL/pgSQL "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(message: &str, context: Option<&str>) -> ServerError {
        ServerError {
            code: String::new(),
            message: message.to_owned(),
            detail: None,
            hint: None,
            context: context.map(str::to_owned),
            position: None,
        }
    }

    const MESSAGES: [&str; 6] = [
        "could not extend file \"base/16384/16500\": No space left on device",
        "could not write to file \"base/pgsql_tmp/1.0\": Disk quota exceeded",
        "could not read block 3 in file \"base/1/2\": Input/output error",
        "out of shared memory",
        "terminating connection due to administrator command",
        "the database system is shutting down",
    ];

    #[test]
    fn what_a_server_says_of_itself_is_its_trouble() {
        for message in MESSAGES {
            let within = Some("SQL statement \"INSERT\"\nPL/pgSQL function f() line 3 at RAISE");
            for context in [None, Some("COPY users, line 7"), within] {
                assert!(of_server(&error(message, context)), "{message} {context:?}");
            }
        }
    }

    #[test]
    fn the_same_words_from_a_function_of_the_user_are_not() {
        for message in MESSAGES {
            for context in [
                "PL/pgSQL function inline_code_block line 1 at RAISE",
                "PL/pgSQL function f(integer) line 4 at ASSERT\nCOPY users, line 7",
                "PL/Perl function \"f\"",
            ] {
                assert!(!of_server(&error(message, Some(context))), "{message} {context}");
            }
        }
    }

    #[test]
    fn the_same_words_in_a_value_or_a_name_are_not() {
        for words in MESSAGES.into_iter().chain(["connection to server lost"]) {
            for message in [
                format!("invalid input syntax for type integer: \"{words}\""),
                format!("new row for relation \"t\" violates check constraint \"{words}\""),
                format!("could not open file \"{words}\": No such file or directory"),
                format!("relation \"a\" does not exist\n{words}"),
            ] {
                assert!(!of_server(&error(&message, None)), "{message}");
            }
            let line = format!("pg_restore: error: unrecognized section name: \"{words}\"");
            assert!(!of_system(&line), "{line}");
        }
    }

    #[test]
    fn a_connection_that_is_gone_is_trouble_and_so_is_a_disk() {
        for line in [
            "could not execute query: server closed the connection unexpectedly\n\tThis",
            "COPY failed for table \"t\": FATAL:  terminating connection due to administrator command",
            "pg_restore: error: connection to server on socket \"/tmp/.s.PGSQL.5432\" failed",
            "pg_restore: error: could not write: No space left on device",
            "pg_restore: error: out of memory",
        ] {
            assert!(of_system(line), "{line}");
        }
        for line in [
            "could not read from input file: end of file",
            "pg_restore: error: could not uncompress data: invalid stored block lengths",
            "a worker process died unexpectedly",
        ] {
            assert!(!of_system(line), "{line}");
        }
    }
}
