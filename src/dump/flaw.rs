//! What can be wrong with the text of a dump, in sentences for the operator.

/// Why the bytes cannot be a whole plain dump. A value about the backup, not a failure of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The end of the file inside COPY data.
    #[error(
        "the dump ends inside the data of table {table}, which begin on line {line}: it is cut"
    )]
    CutInCopy {
        /// `schema.table`.
        table: String,
        /// Line of the COPY statement.
        line: u64,
    },
    /// The end of the file inside a statement.
    #[error("the dump ends inside the statement that begins on line {line} ({text}): it is cut")]
    CutInStatement {
        /// Line where the statement starts.
        line: u64,
        /// Its first words.
        text: String,
    },
    /// The end of the file inside a literal, a quoted name or a function body.
    #[error(
        "the dump ends inside quotes in the statement that begins on line {line} ({text}): it is cut"
    )]
    CutInQuote {
        /// Line where the statement starts.
        line: u64,
        /// Its first words.
        text: String,
    },
    /// The end of the file inside `/* … */`.
    #[error("the dump ends inside the comment that begins on line {line}: it is cut")]
    CutInComment {
        /// Line of the `/*`.
        line: u64,
    },
    /// Nothing says that this is a dump.
    #[error(
        "the file is no plain dump: no \"PostgreSQL database dump\" comment up to line {line}{told}"
    )]
    NotADump {
        /// Where reading ended.
        line: u64,
        /// What it is instead, to end the sentence; empty where that is not known.
        told: String,
    },
    /// What programs say to whoever starts them is in the file, where a statement should be.
    #[error("line {line} has words of {whose} and no SQL, so psql fails there: {text}")]
    Words {
        /// The line.
        line: u64,
        /// Whose they are.
        whose: &'static str,
        /// What is written.
        text: String,
    },
    /// A byte order mark where psql does not skip it.
    #[error(
        "line {line} begins with a byte order mark, as where two files are joined: psql skips it \
         only at the very beginning"
    )]
    Mark {
        /// The line.
        line: u64,
    },
    /// Comments only, where pg_dump writes settings in any case.
    #[error("the dump has no statement, only comments")]
    NoStatement,
    /// pg_dump's last comment is missing.
    #[error(
        "the dump{} ends on line {line} without \"{}\": it is cut",
        header.map_or(String::new(), |line| format!(" that begins on line {line}")),
        trailer(*cluster)
    )]
    NoTrailer {
        /// Last line.
        line: u64,
        /// The line of its header, where it is not the first one of the file.
        header: Option<u64>,
        /// It is pg_dumpall's that is missing.
        cluster: bool,
    },
    /// The same, and the file goes on.
    #[error(
        "the dump that begins on line {header} has no \"{}\" before line {line}: it is cut",
        trailer(*cluster)
    )]
    Unfinished {
        /// The line of its header.
        header: u64,
        /// It is pg_dumpall's that is missing.
        cluster: bool,
        /// Where another one begins, or the one around it ends.
        line: u64,
    },
    /// A dump ends that did not begin.
    #[error("line {line} ends a dump whose beginning is not in the file: it was lost")]
    NoHeader {
        /// The line.
        line: u64,
    },
    /// `\restrict` without its `\unrestrict`.
    #[error(
        "the dump ends on line {line} without the \\unrestrict that pg_dump writes last: it is cut"
    )]
    NoUnrestrict {
        /// Last line.
        line: u64,
    },
    /// A backslash outside quotes.
    #[error("line {line} has a psql command that pg_dump does not write there: {text}")]
    MetaCommand {
        /// Line of the backslash.
        line: u64,
        /// What is written.
        text: String,
    },
    /// A backslash inside a statement: a psql command, or text that should not be part of the
    /// statement, because its end was lost.
    #[error(
        "line {line} has a psql command inside the statement that begins on line {began} \
         ({statement}): {text}"
    )]
    CommandInStatement {
        /// Line of the backslash.
        line: u64,
        /// What is written.
        text: String,
        /// Line where the statement starts.
        began: u64,
        /// Its first words.
        statement: String,
    },
    /// A psql command that a person writes, and that decides what the rest means. It says nothing of the
    /// backup.
    #[error("line {line} has a psql command that this version does not carry out: {text}")]
    Unsupported {
        /// Line of the backslash.
        line: u64,
        /// What is written.
        text: String,
    },
    /// A value that psql puts in.
    #[error("line {line} has a variable of psql, which this version does not put in: {name}")]
    Variable {
        /// Line where the statement starts.
        line: u64,
        /// The variable.
        name: String,
    },
    /// `COPY … FROM 'file'`: the rows are not in the dump.
    #[error("line {line}: the rows are in another file: {text}")]
    RowsElsewhere {
        /// Line of the COPY statement.
        line: u64,
        /// Its beginning.
        text: String,
    },
    /// A meta-command while `\restrict` holds, or a key that is not the one given.
    #[error("line {line} breaks the \\restrict that the dump began with: {text}")]
    Restricted {
        /// Line of the backslash.
        line: u64,
        /// What is written.
        text: String,
    },
    /// More than a server accepts.
    #[error("the statement that begins on line {line} is longer than the 1 GiB a server accepts")]
    StatementTooLong {
        /// Line where the statement starts.
        line: u64,
    },
    /// More than is held here; a server would take it. It says nothing of the backup.
    #[error(
        "the statement that begins on line {line} is longer than the {most_mib} MiB that this \
         version holds in memory"
    )]
    StatementNotHeld {
        /// Line where the statement starts.
        line: u64,
        /// What is held.
        most_mib: usize,
    },
    /// Something between the `;` of a COPY statement and the end of its line.
    #[error("line {line} has text after a COPY statement, where its data should begin")]
    TextAfterCopy {
        /// The line.
        line: u64,
    },
    /// A client encoding that no PostgreSQL has.
    #[error("line {line} sets the client encoding {name}, which PostgreSQL does not have")]
    UnknownEncoding {
        /// The line.
        line: u64,
        /// The encoding.
        name: String,
    },
    /// pg_dump's comment about an object, and nothing that makes the object.
    #[error(
        "the dump has lost a statement: line {line} announces {object}, and nothing of it follows"
    )]
    LostStatement {
        /// Line of the comment.
        line: u64,
        /// The object, such as `INDEX public.ix_users_email`.
        object: String,
    },
    /// A NUL outside COPY data, as a page full of zeros has it.
    #[error("line {line} has a NUL byte, which no SQL text can have")]
    NulByte {
        /// The line.
        line: u64,
    },
}

impl Flaw {
    /// The line that it names.
    pub(super) fn line(&self) -> Option<u64> {
        match self {
            Self::CutInCopy { line, .. }
            | Self::CutInStatement { line, .. }
            | Self::CutInQuote { line, .. }
            | Self::CutInComment { line }
            | Self::NotADump { line, .. }
            | Self::Words { line, .. }
            | Self::Mark { line }
            | Self::NoTrailer { line, .. }
            | Self::Unfinished { line, .. }
            | Self::NoHeader { line }
            | Self::NoUnrestrict { line }
            | Self::MetaCommand { line, .. }
            | Self::CommandInStatement { line, .. }
            | Self::Unsupported { line, .. }
            | Self::Variable { line, .. }
            | Self::RowsElsewhere { line, .. }
            | Self::Restricted { line, .. }
            | Self::StatementTooLong { line }
            | Self::StatementNotHeld { line, .. }
            | Self::TextAfterCopy { line }
            | Self::UnknownEncoding { line, .. }
            | Self::LostStatement { line, .. }
            | Self::NulByte { line } => Some(*line),
            Self::NoStatement => None,
        }
    }

    /// Whether it is this version that cannot, and says nothing of the backup; then what to do.
    pub(super) fn our_limit(&self) -> Option<&'static str> {
        match self {
            Self::StatementNotHeld { .. } => {
                Some("dump the rows as COPY (without --inserts), or restore this one by psql")
            }
            Self::Unsupported { .. } | Self::Variable { .. } => {
                Some("verify the dump as pg_dump wrote it, or restore this one by psql")
            }
            Self::RowsElsewhere { .. } => Some(
                "name the archive that holds the rows: this is restore.sql of an unpacked one, or SQL \
                 that reads files of a server",
            ),
            _ => None,
        }
    }

    /// What to do about it, where it is not to look for an older backup.
    pub(super) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Words { .. } => Some(
                "have the messages go elsewhere: no 2>&1 behind a dump, pg_dump -f FILE, and no -t for \
                 docker exec, kubectl exec or ssh",
            ),
            Self::Mark { .. } => {
                Some("join dumps without byte order marks, or verify each by itself")
            }
            _ => None,
        }
    }

    /// The beginning of `text` on one line, for a message.
    pub(super) fn excerpt(text: &[u8]) -> String {
        const WIDTH: usize = 60;
        let head = &text[..text.len().min(4 * WIDTH)];
        let head = String::from_utf8_lossy(head);
        let shown = head.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut short: String = shown.chars().filter(|c| !c.is_control()).take(WIDTH).collect();
        if short.len() < shown.len() || head.len() < text.len() {
            short.push('…');
        }
        short
    }
}

/// How a dump ends.
fn trailer(cluster: bool) -> &'static str {
    match cluster {
        false => "PostgreSQL database dump complete",
        true => "PostgreSQL database cluster dump complete",
    }
}
