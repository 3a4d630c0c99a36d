//! Where reports go: destinations that are proven writable before the work starts, and files that
//! appear whole or not at all. Knows nothing of what is written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::store::naming::directory_of;
use crate::store::publish::{Partial, write_anew};

/// The mode of a report, less what the umask takes: it is read by others, and holds no rows.
const READABLE: u32 = 0o666;

/// Why a file cannot be written.
#[derive(Debug, Error)]
pub enum OutputError {
    /// Its directory is not there.
    #[error("{path} cannot be written: there is no directory {directory}")]
    NoDirectory {
        /// The file.
        path: PathBuf,
        /// The directory.
        directory: PathBuf,
    },
    /// It is a directory.
    #[error("{0} cannot be written: it is a directory")]
    IsDirectory(PathBuf),
    /// There is something else, such as a backup.
    #[error("{0} is there and is no earlier report: it is not overwritten")]
    NotOurs(PathBuf),
    /// The system refuses.
    #[error("{path} cannot be written: {source}")]
    Refused {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl OutputError {
    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoDirectory { .. } => "make it with `mkdir -p`, or name another file",
            Self::IsDirectory(_) => "name a file in it",
            Self::NotOurs(_) => "name another file, or remove it",
            Self::Refused { .. } => "name a file in a directory that this user may write to",
        }
    }
}

/// A file that a report will be written to, at the end of a run.
#[derive(Debug)]
pub struct Destination {
    /// As it was named.
    named: PathBuf,
    /// Without symbolic links.
    file: PathBuf,
    /// Not a file but a device or a pipe, which is written to as it is.
    stream: bool,
}

impl Destination {
    /// Makes sure that `path` can be written. A report there begins with `first`; anything else
    /// that is there is left alone.
    ///
    /// # Errors
    /// [`OutputError`] when it cannot be written.
    pub fn open(path: &Path, first: u8) -> Result<Self, OutputError> {
        let refused = |source| OutputError::Refused { path: path.to_owned(), source };
        let named = path.to_owned();
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => return Err(OutputError::IsDirectory(named)),
            Ok(found) if !found.is_file() || is_system(path) => {
                let file = path.to_owned();
                return Ok(Self { named, file, stream: true });
            }
            Ok(_) if !may_replace(path, first).map_err(refused)? => {
                return Err(OutputError::NotOurs(named));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(refused(error)),
        }
        let file = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let directory = directory_of(&file);
        if !directory.is_dir() {
            let directory = directory.to_owned();
            return Err(OutputError::NoDirectory { path: named, directory });
        }
        let destination = Self { named, file, stream: false };
        // Made and removed again: a run that is killed leaves nothing behind.
        let made = Partial::renew(&destination.file, READABLE);
        drop(made.map_err(|error| destination.refused(error.into_io()))?);
        Ok(destination)
    }

    /// Whether both name the same file.
    pub fn is(&self, other: &Self) -> bool {
        !self.stream && self.resolved() == other.resolved()
    }

    /// Removes an earlier run's report, so that nobody takes it for this run's.
    ///
    /// # Errors
    /// [`OutputError`] when the system refuses.
    pub fn clear(&self) -> Result<(), OutputError> {
        if self.stream {
            return Ok(());
        }
        match fs::remove_file(&self.file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.refused(error)),
            _ => Ok(()),
        }
    }

    /// Writes the report: by rename, so that the file appears whole or not at all.
    ///
    /// # Errors
    /// [`OutputError`] when it cannot be written; there is no file then.
    pub fn write(&self, bytes: &[u8]) -> Result<(), OutputError> {
        if self.stream {
            let written = OpenOptions::new().append(true).open(&self.file);
            let written = written.and_then(|mut stream| stream.write_all(bytes));
            return written.map_err(|error| self.refused(error));
        }
        let written = write_anew(&self.file, bytes, READABLE);
        written.map_err(|error| self.refused(error.into_io()))
    }

    fn refused(&self, source: io::Error) -> OutputError {
        OutputError::Refused { path: self.named.clone(), source }
    }

    fn resolved(&self) -> PathBuf {
        let directory = directory_of(&self.file);
        let directory = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
        directory.join(self.file.file_name().unwrap_or_default())
    }
}

/// Appends to a file, which is made where need be.
///
/// # Errors
/// [`OutputError`] when it cannot be written.
pub fn append(path: &Path, bytes: &[u8]) -> Result<(), OutputError> {
    let mut file = open_to_append(path)?;
    let refused = |source| OutputError::Refused { path: path.to_owned(), source };
    file.write_all(bytes).map_err(refused)
}

/// Opens a file to append to, which is made where need be.
///
/// # Errors
/// [`OutputError`] when it cannot be written.
pub fn open_to_append(path: &Path) -> Result<File, OutputError> {
    let named = path.to_owned();
    OpenOptions::new().create(true).append(true).open(path).map_err(|source| {
        let directory = directory_of(path);
        match source.kind() {
            io::ErrorKind::NotFound if !directory.is_dir() => {
                OutputError::NoDirectory { path: named, directory: directory.to_owned() }
            }
            io::ErrorKind::IsADirectory => OutputError::IsDirectory(named),
            _ => OutputError::Refused { path: named, source },
        }
    })
}

/// Whether the file is empty or begins as a report does.
fn may_replace(path: &Path, first: u8) -> io::Result<bool> {
    let mut start = [0];
    Ok(File::open(path)?.read(&mut start)? == 0 || start[0] == first)
}

/// Whether the path is one of the system's names for what is open: `/dev/stdout`, `/dev/fd/3`.
fn is_system(path: &Path) -> bool {
    path.starts_with("/dev") || path.starts_with("/proc")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_report_replaces_the_one_before_and_others_may_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("report.json");
        fs::write(&path, "{old").unwrap();
        let destination = Destination::open(&path, b'{').unwrap();
        destination.clear().unwrap();
        assert!(!path.exists(), "nobody takes the old one for the new one");
        destination.write(b"{new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"{new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o044, 0o044);
        assert_eq!(names(dir.path()), ["report.json"]);
    }

    #[test]
    fn opening_leaves_nothing_and_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        Destination::open(&dir.path().join("report.json"), b'{').unwrap();
        assert_eq!(names(dir.path()), Vec::<String>::new());
    }

    #[test]
    fn what_cannot_be_written_is_told_before() {
        let dir = tempfile::tempdir().unwrap();
        let backup = dir.path().join("backup.sql");
        fs::write(&backup, "-- a dump").unwrap();
        let told = |path: &Path| Destination::open(path, b'{').unwrap_err().to_string();
        assert!(told(dir.path()).ends_with("it is a directory"));
        let missing = format!("there is no directory {}/no/where", dir.path().display());
        assert!(told(&dir.path().join("no/where/x.json")).ends_with(&missing));
        assert!(told(&backup).ends_with("it is not overwritten"));
        assert!(told(&backup.join("x.json")).contains("cannot be written"));
        assert_eq!(fs::read(&backup).unwrap(), b"-- a dump");
    }

    #[test]
    fn a_link_stays_a_link_and_a_device_stays_a_device() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("a.json"), dir.path().join("b.json"));
        fs::write(&file, "").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let by_link = Destination::open(&link, b'{').unwrap();
        by_link.write(b"{}").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"{}");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(by_link.is(&Destination::open(&file, b'{').unwrap()));
        let null = Destination::open(Path::new("/dev/null"), b'{').unwrap();
        null.clear().unwrap();
        null.write(b"{}").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn a_directory_that_went_away_is_an_error_at_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let destination = Destination::open(&dir.path().join("report.json"), b'{').unwrap();
        drop(dir);
        assert!(destination.write(b"{}").is_err());
    }

    #[test]
    fn what_is_appended_to_is_made_and_what_cannot_be_is_named_with_the_reason() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.log");
        append(&path, b"one\n").unwrap();
        append(&path, b"two\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one\ntwo\n");
        let told = |path: &Path| append(path, b"x").unwrap_err();
        assert!(told(dir.path()).to_string().ends_with("it is a directory"));
        assert_eq!(told(dir.path()).hint(), "name a file in it");
        let missing = format!("there is no directory {}/no", dir.path().display());
        assert!(told(&dir.path().join("no/x.log")).to_string().ends_with(&missing));
        assert!(told(&path.join("x.log")).to_string().contains("Not a directory"));
        assert_eq!(names(dir.path()), ["run.log"]);
    }
}
