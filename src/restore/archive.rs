//! Restores an archive by pg_restore: how it is called, and what follows from what it says.
//!
//! Pure: whoever runs pg_restore hands over its lines and its exit code. The exit code alone never
//! decides; and where several workers write to one stderr, their lines run into each other.

pub mod items;
mod messages;
mod trouble;

use super::failure::first_line;
use super::known::Known;
use super::{Failure, Ledger, Place, Restored};
use crate::pg::ServerError;
use messages::{Message, Messages};

/// What pg_restore says of an archive that another pg_restore could read.
const OTHER_VERSION: &str = "unsupported version (";
const OTHER_BUILD: [&str; 2] =
    ["not supported in this installation", "does not support compression"];

/// The arguments that make pg_restore write an archive as SQL, one of its stdin where none is named: all of it, or all but its
/// rows. What it makes for large objects, with their owners, is no row to pg_restore as long as it is asked for sections.
pub fn decoding(no_owner: bool, without_rows: bool, archive: Option<&str>) -> Vec<String> {
    let mut arguments = vec!["pg_restore", "--file=-"];
    if without_rows {
        arguments.extend(["--section=pre-data", "--section=post-data"]);
    }
    if no_owner {
        arguments.push("--no-owner");
    }
    arguments.extend(archive);
    arguments.into_iter().map(str::to_owned).collect()
}

/// The arguments that make pg_restore restore an archive into a database of the server that its
/// environment names. With one job it says what every error is about; with several, where that `is_told`, what they are at
/// ([`items`]). Where a table lies is not what it holds, so tablespaces are left out: the sandbox has none.
pub fn restoring(
    database: &str,
    (jobs, is_told): (usize, bool),
    no_owner: bool,
    archive: &str,
) -> Vec<String> {
    let mut arguments =
        ["pg_restore", "--no-password", "--no-tablespaces"].map(str::to_owned).to_vec();
    arguments.push(format!("--dbname={database}"));
    if jobs > 1 {
        arguments.push(format!("--jobs={jobs}"));
    }
    if jobs == 1 || is_told {
        arguments.push("--verbose".to_owned());
    }
    if no_owner {
        arguments.push("--no-owner".to_owned());
    }
    arguments.push(archive.to_owned());
    arguments
}

/// The arguments that make pg_restore restore what an archive makes, without its rows and without what
/// says nothing of them, for a server of this major version.
pub fn outlining(database: &str, major: u32, archive: &str) -> Vec<String> {
    let mut arguments = [
        "pg_restore",
        "--no-password",
        "--no-tablespaces",
        "--no-owner",
        "--no-privileges",
        "--no-security-labels",
        "--schema-only",
    ]
    .map(str::to_owned)
    .to_vec();
    if major >= 11 {
        let newer = ["--no-publications", "--no-subscriptions", "--no-comments"];
        arguments.extend(newer.map(str::to_owned));
    }
    arguments.extend([format!("--dbname={database}"), archive.to_owned()]);
    arguments
}

/// The environment of pg_restore and its sessions: messages in the language that is read here.
/// Only a superuser may say so for a session; others have the server's own, which is C.
pub fn environment(superuser: bool) -> Vec<String> {
    let mut environment = ["LC_ALL=C", "PGAPPNAME=ccc-backup"].map(str::to_owned).to_vec();
    if superuser {
        environment.push("PGOPTIONS=-c lc_messages=C".to_owned());
    }
    environment
}

/// Why an archive was not decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undecoded {
    /// It is bad; this is what pg_restore said.
    Bad(String),
    /// This pg_restore cannot read it; another one could.
    OtherReader(String),
    /// It could not be told.
    Trouble(String),
}

/// What follows from a pg_restore that wrote an archive as SQL: its exit code, and its lines.
pub fn judge_decoding(exit: i64, lines: &[String]) -> Result<(), Undecoded> {
    let said = lines
        .iter()
        .find_map(|line| line.strip_prefix("pg_restore: error: "))
        .or_else(|| lines.last().map(String::as_str))
        .unwrap_or("nothing");
    let has =
        |texts: &[&str]| lines.iter().any(|line| texts.iter().any(|text| line.contains(text)));
    if has(&OTHER_BUILD) || has(&[OTHER_VERSION]) {
        return Err(Undecoded::OtherReader(said.to_owned()));
    }
    match exit {
        0 => Ok(()),
        _ if lines.iter().any(|line| trouble::of_system(line)) => {
            Err(Undecoded::Trouble(format!("pg_restore: {said}")))
        }
        1 => Err(Undecoded::Bad(format!("pg_restore cannot read the archive: {said}"))),
        // A signal that nobody sends: it fell over what it read.
        132 | 134..=136 | 139 => Err(Undecoded::Bad(format!(
            "pg_restore crashed while it read the archive (signal {})",
            exit - 128
        ))),
        _ => Err(Undecoded::Trouble(format!("pg_restore ended with {exit}: {said}"))),
    }
}

/// What follows from a pg_restore that restored an archive.
#[derive(Debug, PartialEq, Eq)]
pub enum Judged {
    /// Every error is known. There may be none.
    Clear,
    /// It says that there were errors, and they do not add up.
    Unclear(String),
    /// The server, or the sandbox, was in trouble.
    Trouble(String),
}

/// What every error of a refused statement has once.
const MARKS: [&str; 2] = ["error: ", "ERROR:  "];

/// Reads what pg_restore says while it restores.
#[derive(Debug)]
pub struct Restoring {
    jobs: usize,
    ledger: Ledger,
    messages: Messages,
    /// How often each of [`MARKS`] was seen, wherever it stood.
    marks: [u64; 2],
    /// Errors that are not of a statement: pg_restore ends with these.
    fatal: Vec<String>,
    refused: u64,
    counted: Option<u64>,
    trouble: Option<String>,
    /// The server's words on the first refusal, wherever they stood.
    first: Option<String>,
    last: String,
}

impl Restoring {
    /// Nothing was said yet; it was called with so many jobs.
    pub fn by(jobs: usize) -> Self {
        Self {
            jobs,
            ledger: Ledger::default(),
            messages: Messages::default(),
            marks: [0; 2],
            fatal: Vec::new(),
            refused: 0,
            counted: None,
            trouble: None,
            first: None,
            last: String::new(),
        }
    }

    /// By what the errors are judged. Those that several jobs meet may come of their own order.
    #[must_use]
    pub fn knowing(self, known: Known) -> Self {
        let ledger = Ledger::of(known);
        if self.jobs > 1 {
            ledger.leave_order();
        }
        Self { ledger, ..self }
    }

    /// Takes the next line of its stderr.
    pub fn line(&mut self, line: &str) {
        for (mark, seen) in MARKS.iter().zip(&mut self.marks) {
            *seen += line.matches(mark).count() as u64;
        }
        if let Some((_, words)) = line.split_once(MARKS[1]) {
            self.first.get_or_insert_with(|| words.to_owned());
        }
        if !line.is_empty() {
            line.clone_into(&mut self.last);
        }
        for message in self.messages.line(line) {
            self.message(message);
        }
    }

    /// What it did until it was cut short.
    pub fn so_far(mut self) -> Restored {
        if let Some(message) = self.messages.end() {
            self.message(message);
        }
        self.ledger.close()
    }

    /// What it did, and what follows from what it said, now that it has ended.
    pub fn judge(mut self, exit: i64) -> (Restored, Judged) {
        if let Some(message) = self.messages.end() {
            self.message(message);
        }
        let judged = self.judged(exit);
        let mut restored = self.ledger.close();
        if judged == Judged::Clear {
            restored.errors.extend(self.fatal.iter().map(|why| failed(why)));
        }
        (restored, judged)
    }

    fn judged(&self, exit: i64) -> Judged {
        if let Some(trouble) = &self.trouble {
            return Judged::Trouble(format!("pg_restore: {trouble}"));
        }
        let ended = || format!("pg_restore ended with {exit}: {}", self.last);
        let adds_up = match exit {
            0 => self.refused == 0 && self.fatal.is_empty(),
            1 => !self.fatal.is_empty() || self.refusals_add_up(),
            127 => return Judged::Trouble("the image has no pg_restore".to_owned()),
            // Ended by somebody, or for want of memory.
            129 | 130 | 137 | 143 => return Judged::Trouble(ended()),
            _ => false,
        };
        if adds_up {
            return Judged::Clear;
        }
        let among = self.first.as_ref().filter(|words| !self.last.contains(*words));
        let among = among.map(|words| format!("; among them: {words}")).unwrap_or_default();
        Judged::Unclear(ended() + &among)
    }

    /// Whether the refusals that were understood are those that there were. Several workers count
    /// some of theirs twice or not at all; but where none was torn, none was missed.
    fn refusals_add_up(&self) -> bool {
        match self.counted {
            None => false,
            Some(counted) if self.jobs == 1 => counted == self.refused,
            Some(_) => self.refused > 0 && self.marks.iter().all(|seen| *seen == self.refused),
        }
    }

    fn message(&mut self, message: Message) {
        let (place, statement, error) = match message {
            Message::Counted(count) => {
                self.counted = Some(count);
                return;
            }
            Message::Fatal(text) => {
                if trouble::of_system(&text) {
                    self.trouble.get_or_insert_with(|| first_line(&text));
                } else {
                    self.fatal.push(text);
                }
                return;
            }
            Message::Refused { place, statement, error } => (place, statement, error),
        };
        if trouble::of_server(&error) {
            self.trouble.get_or_insert_with(|| first_line(&error.message));
        }
        self.refused += 1;
        // What a server in trouble refuses afterwards may be refused for want of what came before.
        if self.trouble.is_none() {
            self.ledger.refused_at(place, &statement, error);
        }
    }
}

/// A failure of a restore whose reason is only known in pg_restore's own words.
pub fn failed(why: &str) -> Failure {
    let error = ServerError {
        code: String::new(),
        message: first_line(why),
        detail: None,
        hint: None,
        context: None,
        position: None,
    };
    Failure { place: Place::Unknown, object: None, statement: String::new(), error }
}

#[cfg(test)]
#[path = "archive_tests.rs"]
mod tests;
