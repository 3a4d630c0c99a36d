//! A psql that is given statements one after the other: a connection that stays, by libpq's own settings.
//!
//! What it writes and reads blocks: not for an async thread.

use std::convert::Infallible;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};

use super::client_tools::{Tool, asking};
use super::error::SourceError;
use super::pg_dump::DumpProcess;
use crate::libpq::settings::ConnectSettings;

/// Bytes read at a time.
const READ_BYTES: usize = 256 * 1024;
/// A line that psql writes after each answer. It is no row of COPY's text format, which writes `\\.` for it.
const END: &[u8] = b"\\.\n";
/// Has psql write it.
const ECHO_END: &[u8] = b"\n\\echo '\\\\.'\n";

/// How to speak to it.
#[derive(Debug)]
pub struct PsqlSession {
    statements: File,
    answers: BufReader<File>,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Unanswered<E> {
    /// psql has ended, or cannot be spoken to; what became of it is told by its process.
    Ended,
    /// Who takes the answer does not.
    Taker(E),
}

impl PsqlSession {
    /// Starts it. It ends with the first statement that is refused, and when it is dropped.
    ///
    /// # Errors
    /// [`SourceError::Process`], [`SourceError::Pipe`].
    pub fn start(
        settings: &ConnectSettings,
        psql: &Tool,
    ) -> Result<(Self, DumpProcess), SourceError> {
        let (running, feed) = asking(psql, settings).start_fed()?;
        let (stream, process) = DumpProcess::of("psql", running)?;
        let answers = BufReader::with_capacity(READ_BYTES, stream);
        Ok((Self { statements: feed.into(), answers }, process))
    }

    /// The answer to statements.
    ///
    /// # Errors
    /// [`Unanswered::Ended`].
    pub fn ask(&mut self, statements: &[u8]) -> Result<Vec<u8>, Unanswered<Infallible>> {
        let mut answer = Vec::new();
        self.read(statements, &mut |piece| {
            answer.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(answer)
    }

    /// Hands on the answer to statements, whole lines at a time.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub fn read<E>(
        &mut self,
        statements: &[u8],
        take: &mut dyn FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), Unanswered<E>> {
        let asked = self.statements.write_all(statements);
        asked.and_then(|()| self.statements.write_all(ECHO_END)).map_err(|_| Unanswered::Ended)?;
        let mut lines = Vec::new();
        loop {
            let began = lines.len();
            match self.answers.read_until(b'\n', &mut lines) {
                Ok(1..) if lines.ends_with(b"\n") => {}
                _ => return Err(Unanswered::Ended),
            }
            let is_end = &lines[began..] == END;
            if is_end {
                lines.truncate(began);
            }
            if !lines.is_empty() && (is_end || lines.len() >= READ_BYTES) {
                take(&lines).map_err(Unanswered::Taker)?;
                lines.clear();
            }
            if is_end {
                return Ok(());
            }
        }
    }
}
