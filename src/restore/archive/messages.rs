//! The messages of pg_restore, put together from its lines.
//!
//! Source: PostgreSQL 13 to 18, `pg_backup_archiver.c` (`warn_or_exit_horribly`), `pg_backup_db.c`,
//! libpq's default verbosity. The form is
//!
//! ```text
//! pg_restore: from TOC entry 215; 1259 16389 TABLE users postgres
//! pg_restore: error: could not execute query: ERROR:  relation "users" already exists
//! DETAIL:  …
//! Command was: CREATE TABLE public.users (
//! …
//! ```

use std::sync::Arc;

use crate::dump::item::{Statement, TocEntry};
use crate::pg::ServerError;
use crate::restore::Place;
use crate::restore::tolerate::NOT_ALLOWED;

/// Bytes kept of a message.
const MOST_BYTES: usize = 16 * 1024;
/// What its lines begin with.
pub(super) const PREFIX: &str = "pg_restore: ";

/// A message that matters.
#[derive(Debug)]
pub(super) enum Message {
    /// The server refused a statement, and pg_restore went on.
    Refused {
        /// Where it stands in the archive.
        place: Place,
        /// The statement, cut where it is long.
        statement: Statement,
        /// What the server said.
        error: ServerError,
    },
    /// pg_restore gave up.
    Fatal(String),
    /// How many statements were refused in all.
    Counted(u64),
}

/// Puts messages together.
#[derive(Debug, Default)]
pub(super) struct Messages {
    open: Option<String>,
    entry: Option<Entry>,
}

/// The entry of the table of contents that the next errors are about.
#[derive(Debug, Clone)]
struct Entry {
    number: u64,
    toc: Arc<TocEntry>,
}

impl Messages {
    /// Takes the next line; gives the messages that are whole now.
    pub(super) fn line(&mut self, line: &str) -> Vec<Message> {
        let Some(said) = line.strip_prefix(PREFIX) else {
            self.add(line);
            return Vec::new();
        };
        if let Some(more) = said.strip_prefix("detail: ") {
            self.add(more);
            return Vec::new();
        }
        let mut whole: Vec<Message> = self.end().into_iter().collect();
        if let Some(entry) = said.strip_prefix("from TOC entry ") {
            self.entry = Entry::read(entry);
        } else if let Some(error) = said.strip_prefix("error: ") {
            self.open = Some(error.to_owned());
        } else if let Some(count) = said.strip_prefix("warning: errors ignored on restore: ") {
            whole.extend(count.trim().parse().ok().map(Message::Counted));
        }
        whole
    }

    /// A line that goes on with the message that is open.
    fn add(&mut self, line: &str) {
        if let Some(open) = &mut self.open
            && open.len() + line.len() < MOST_BYTES
        {
            open.push('\n');
            open.push_str(line);
        }
    }

    /// The message that is open at the end.
    pub(super) fn end(&mut self) -> Option<Message> {
        let text = self.open.take()?;
        Some(match refused(&text) {
            Some((statement, error)) => {
                let (place, toc) = match &self.entry {
                    Some(entry) => (Place::Entry(entry.number), Some(Arc::clone(&entry.toc))),
                    None => (Place::Unknown, None),
                };
                let text = statement.into_bytes().into();
                let statement = Statement { text, toc, line: 0, offset: 0 };
                Message::Refused { place, statement, error }
            }
            None => Message::Fatal(text),
        })
    }
}

impl Entry {
    /// Reads `215; 1259 16389 TABLE users postgres`: number, catalog, object, kind, name, owner.
    fn read(text: &str) -> Option<Self> {
        let (number, rest) = text.split_once("; ")?;
        let mut words = rest.splitn(3, ' ');
        let (_, _, described) = (words.next()?, words.next()?, words.next()?);
        let described = described.rsplit_once(' ').map_or(described, |(object, _owner)| object);
        // Kinds are in capitals, and names mostly are not.
        let capitals = |word: &&str| word.chars().all(|c| c.is_ascii_uppercase());
        let kind: Vec<&str> = described.split(' ').take_while(capitals).collect();
        let kind = kind.join(" ");
        let name = described.strip_prefix(kind.as_str()).unwrap_or(described).trim_start();
        let toc = TocEntry { name: name.to_owned(), kind, schema: None, owner: None };
        Some(Self { number: number.parse().ok()?, toc: Arc::new(toc) })
    }
}

/// The statement and the server's error in the text of an error of pg_restore; `None` where it is
/// not about a statement that the server refused.
fn refused(text: &str) -> Option<(String, ServerError)> {
    let (before, said) = text.split_once("ERROR:  ")?;
    // Before it: `could not execute query: `, `COPY failed for table "users": ` and their like.
    if before.contains('\n') {
        return None;
    }
    let (said, statement) = match said.split_once("\nCommand was: ") {
        Some((said, statement)) => (said, statement.trim_end().to_owned()),
        None => (said, before.trim_end_matches([':', ' ']).to_owned()),
    };
    let mut error = ServerError {
        code: String::new(),
        message: String::new(),
        detail: None,
        hint: None,
        context: None,
        position: None,
    };
    let mut field = Field::Message;
    for line in said.lines() {
        let (next, text) = Field::of(line).unwrap_or((field, line));
        field = next;
        let value = match field {
            Field::Message => &mut error.message,
            Field::Detail => error.detail.get_or_insert_default(),
            Field::Hint => error.hint.get_or_insert_default(),
            Field::Context => error.context.get_or_insert_default(),
            Field::Other => continue,
        };
        if !value.is_empty() {
            value.push('\n');
        }
        value.push_str(text);
    }
    code_of(&error.message).clone_into(&mut error.code);
    Some((statement, error))
}

#[derive(Debug, Clone, Copy)]
enum Field {
    Message,
    Detail,
    Hint,
    Context,
    /// `QUERY`, `LINE 1: …` and the mark below it.
    Other,
}

impl Field {
    fn of(line: &str) -> Option<(Self, &str)> {
        let fields = [
            ("DETAIL:  ", Self::Detail),
            ("HINT:  ", Self::Hint),
            ("CONTEXT:  ", Self::Context),
            ("QUERY:  ", Self::Other),
            ("LINE ", Self::Other),
        ];
        fields.into_iter().find_map(|(prefix, field)| Some((field, line.strip_prefix(prefix)?)))
    }
}

/// How a refusal for want of rights begins.
const DENIALS: [&str; 6] = [
    "permission denied",
    "must be able to SET ROLE",
    "must be member of role",
    "must be owner of",
    "must be superuser",
    "only superuser",
];

/// Messages that end with `does not exist`, by what they begin with, and their SQLSTATE.
const ABSENT: [(&str, &str); 7] = [
    ("relation ", "42P01"),
    ("column ", "42703"),
    ("function ", "42883"),
    ("procedure ", "42883"),
    ("aggregate ", "42883"),
    ("schema ", "3F000"),
    ("database ", "3D000"),
];

/// Beginnings and ends of other messages that are judged by their SQLSTATE.
const OTHERS: [(&str, &str, &str); 35] = [
    ("unrecognized configuration parameter \"", "", "42704"),
    ("data type ", "has no default operator class for access method", "42704"),
    ("required extension \"", "is not installed", "42704"),
    ("operator does not exist: ", "", "42883"),
    ("could not find function \"", "", "42883"),
    ("there is no unique constraint matching given keys", "", "42830"),
    ("insert or update on table \"", "", "23503"),
    ("current transaction is aborted", "", "25P02"),
    ("unrecognized parameter \"", "", "22023"),
    ("invalid value for parameter \"", "", "22023"),
    ("security label provider \"", "is not loaded", "22023"),
    ("no security label providers have been loaded", "", "22023"),
    ("time zone \"", "not recognized", "22023"),
    ("extension \"", "has no installation script", "22023"),
    ("extension \"", "is not available", "0A000"),
    ("extension \"", "must be installed in schema", "0A000"),
    ("encoding \"", "not supported by ICU", "0A000"),
    ("tables declared WITH OIDS are not supported", "", "0A000"),
    ("non-standard string literals are not supported", "", "0A000"),
    ("unsupported XML feature", "", "0A000"),
    ("compression method ", "not supported", "0A000"),
    ("invalid input syntax for type money: \"", "", "22P02"),
    ("value too long for type character", "", "22001"),
    ("could not open extension control file \"", "", "58P01"),
    ("could not access file \"", "", "58P01"),
    ("could not load library \"", "", "58P01"),
    ("could not open file \"", "", "58P01"),
    ("could not open dictionary file \"", "", "F0000"),
    ("could not open affix file \"", "", "F0000"),
    ("could not open stop-word file \"", "", "F0000"),
    ("could not open synonym file \"", "", "F0000"),
    ("could not open thesaurus file \"", "", "F0000"),
    ("could not connect to server \"", "", "08001"),
    ("could not establish connection", "", "08001"),
    ("materialized view \"", "has not been populated", "55000"),
];

/// The SQLSTATE of a message by which it is judged: libpq does not print it. Others are not known.
fn code_of(message: &str) -> &'static str {
    let starts = |text: &str| message.starts_with(text);
    if starts("schema \"") && message.ends_with("\" already exists") {
        return "42P06";
    }
    if ["extension", "language", "role"].iter().any(|what| starts(&format!("{what} \"")))
        && message.ends_with("\" already exists")
    {
        return "42710";
    }
    if DENIALS.iter().any(|denial| starts(denial)) {
        return NOT_ALLOWED;
    }
    let other = OTHERS.iter().find(|(begin, within, _)| starts(begin) && message.contains(within));
    if let Some((_, _, code)) = other {
        return code;
    }
    if message.contains("loaded via") && message.contains("shared_preload_libraries") {
        return "55000";
    }
    if !message.ends_with(" does not exist") {
        return "";
    }
    let absent = ABSENT.iter().find(|(begin, _)| starts(begin));
    absent.map_or("42704", |(_, code)| code)
}
