//! Puts runs on record: one line each, durably, under the history's lock.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::history::{self, History, Record};
use super::lock;
use super::naming::history_path;

/// The history of a directory, held by this run alone while the value lives.
#[derive(Debug)]
pub struct Ledger {
    dir: PathBuf,
    file: File,
    history: History,
}

impl Ledger {
    /// Opens the history of a directory, which must exist, and waits for whoever holds it.
    ///
    /// # Errors
    /// What the system refuses. Damaged lines are none.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let path = history_path(dir);
        let (file, history) =
            open_locked(&path).map_err(|error| StoreError::io("write", &path, error))?;
        Ok(Self { dir: dir.to_owned(), file, history })
    }

    /// Adds a run, durably, and gives it its number.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn append(&mut self, mut record: Record) -> Result<(), StoreError> {
        let run = self.history.last_run + 1;
        record.run = Some(run);
        self.write_line(&record)
            .map_err(|error| StoreError::io("write", &history_path(&self.dir), error))?;
        self.history.last_run = run;
        self.history.records.push(record);
        Ok(())
    }

    fn write_line(&mut self, record: &Record) -> io::Result<()> {
        let mut line = Vec::new();
        if !ends_with_newline(&mut self.file)? {
            // A crash or a full disk cut the line before; ours must not become a part of it.
            line.push(b'\n');
        }
        serde_json::to_writer(&mut line, record)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.file.sync_data()
    }

    /// The runs.
    pub fn history(&self) -> &History {
        &self.history
    }
}

/// Opens, locks and reads the file that has the name now: another run, or a rotation of logs, may
/// have moved the one that was opened away while we waited.
fn open_locked(path: &Path) -> io::Result<(File, History)> {
    loop {
        let mut file =
            OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
        lock::wait_exclusive(&file)?;
        if lock::still_names(path, &file)? || path.is_symlink() {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            return Ok((file, history::parse(&bytes)));
        }
    }
}

fn ends_with_newline(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
