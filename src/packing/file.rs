//! A backup file on the disk: knows no format.
//!
//! It is opened once and read by position, so that every pass reads the same file even when another one
//! takes its name meanwhile.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use thiserror::Error;

use super::random_read::{RandomRead, RawReader, ReadAt};
use super::read_once::{Kept, ReadOnce};
use super::unpack::decompress;
use super::unseal::Unseal;
use crate::model::damage::{damage, refusal};
use crate::model::packing::Packing;

/// Why a file could not be opened. Each means "could not tell".
#[derive(Debug, Error)]
pub enum FileError {
    /// There is no such file.
    #[error("Backup file not found: {}", .0.display())]
    NotFound(PathBuf),
    /// It is a directory.
    #[error("{} is a directory, not a backup file", .0.display())]
    Directory(PathBuf),
    /// It is a pipe, a device or a socket.
    #[error("{} is not a regular file", .0.display())]
    NotRegular(PathBuf),
    /// The place that it is in does not give it.
    #[error("{cause}")]
    Elsewhere {
        /// Why, with its name.
        cause: String,
        /// What to do next.
        hint: &'static str,
    },
    /// It may not be read.
    #[error("{} may not be read: {source}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl FileError {
    /// What became of `path` when it was opened.
    pub fn of(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound => Self::NotFound(path.to_owned()),
            _ => Self::Unreadable { path: path.to_owned(), source },
        }
    }

    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "check the path, or let `verify --latest` find the newest backup",
            Self::Directory(_) => "name a file in it, or use `verify --latest --backup-dir DIR`",
            Self::NotRegular(_) => "copy the backup into a file first",
            Self::Elsewhere { hint, .. } => hint,
            Self::Unreadable { .. } => {
                "backups are readable by their owner only: run as that user, or as root"
            }
        }
    }
}

/// An open backup of one file, wherever it lies.
#[derive(Debug, Clone)]
pub struct BackupFile {
    path: PathBuf,
    at_rest: Arc<dyn RandomRead>,
    /// Of a file on a disk of this machine: to lock it.
    local: Option<Arc<ClosedAside>>,
    opened: Option<Opened>,
}

/// What is in a sealed file.
#[derive(Debug, Clone)]
struct Opened {
    by: Arc<dyn Unseal>,
    bytes: Arc<dyn ReadAt>,
}

impl BackupFile {
    /// Opens a regular file.
    ///
    /// # Errors
    /// When it is not there, not a regular file, or may not be read.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let opened = LocalFile::open(path)?;
        let local = Some(Arc::clone(&opened.file));
        Ok(Self { path: path.to_owned(), at_rest: Arc::new(opened), local, opened: None })
    }

    /// A file that lies elsewhere than on a disk of this machine, by its name.
    pub fn elsewhere(path: &Path, at_rest: Arc<dyn RandomRead>) -> Self {
        Self { path: path.to_owned(), at_rest, local: None, opened: None }
    }

    /// The same file, of which what is read is kept, so that it comes from where it lies once. One of this machine is left
    /// as it is; this is done before it is unsealed.
    #[must_use]
    pub fn read_once(self, kept: &Arc<Kept>) -> Self {
        if self.is_local() {
            return self;
        }
        Self { at_rest: Arc::new(ReadOnce::new(self.at_rest, Arc::clone(kept))), ..self }
    }

    /// Whether it is a file of this machine, which other programs can read by its path.
    pub fn is_local(&self) -> bool {
        self.local.is_some()
    }

    /// The same file, of which is read what is sealed in it.
    #[must_use]
    pub fn unsealed_by(self, by: Arc<dyn Unseal>) -> Self {
        let bytes = Arc::clone(&by).at(Arc::clone(&self.at_rest));
        Self { opened: Some(Opened { by, bytes }), ..self }
    }

    /// Whether it is sealed, and its contents are read.
    pub fn is_unsealed(&self) -> bool {
        self.opened.is_some()
    }

    /// How many bytes are in it, packed as they are.
    ///
    /// # Errors
    /// The disk's, and damage; where it is not known before they were read.
    pub fn length(&self) -> io::Result<u64> {
        match &self.opened {
            None => Ok(self.bytes()),
            Some(opened) => {
                let length = opened.by.length(Arc::clone(&self.at_rest))?;
                length.ok_or_else(|| io::ErrorKind::Unsupported.into())
            }
        }
    }

    /// Whether it can be read from anywhere without being read up to there.
    pub fn can_seek(&self) -> bool {
        self.opened.as_ref().is_none_or(|opened| opened.by.can_seek())
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its size in bytes when it was opened.
    pub fn bytes(&self) -> u64 {
        self.at_rest.len()
    }

    /// The file itself, to lock it, where it is one of this machine.
    pub fn local(&self) -> Option<&File> {
        self.local.as_ref()?.file()
    }

    /// Whether it was written to, replaced or removed since it was opened: what has its name now is
    /// another backup, or none.
    pub fn has_changed(&self) -> bool {
        self.at_rest.has_changed()
    }

    /// Whether each line feed in it, of many, comes after a carriage return, as in bytes that were sent as
    /// text.
    ///
    /// # Errors
    /// The disk's.
    pub fn has_changed_line_ends(&self) -> io::Result<bool> {
        const LOOKED_AT: usize = 1 << 20;
        const MANY: usize = 8;
        let mut start = Vec::new();
        match self.raw().take(LOOKED_AT as u64).read_to_end(&mut start) {
            // Of what does not open, that is the damage.
            Err(error) if damage(&error).is_some() || refusal(&error).is_some() => {
                return Ok(false);
            }
            read => read?,
        };
        let ends = || memchr::memchr_iter(b'\n', &start);
        Ok(ends().count() >= MANY && ends().all(|at| at > 0 && start[at - 1] == b'\r'))
    }

    /// The bytes as they lie in the file, sealed or not, from the beginning.
    pub fn at_rest(&self) -> RawReader {
        RawReader::of(Arc::clone(&self.at_rest))
    }

    /// What is in the file, where `at_rest` gives the bytes that lie in it from the beginning.
    pub fn unsealing(&self, at_rest: impl Read + Send + 'static) -> Box<dyn Read + Send> {
        match &self.opened {
            None => Box::new(at_rest),
            Some(opened) => opened.by.stream(Box::new(at_rest)),
        }
    }

    /// Where what is in the file is known to be whole only by how whoever opens it ends: lets it come to its end.
    ///
    /// # Errors
    /// [`crate::model::damage::Refusal`] in it, where it did not open the file; and the disk's.
    pub fn check_unsealing(&self) -> io::Result<()> {
        if self.can_seek() {
            return Ok(());
        }
        io::copy(&mut self.unsealing(self.at_rest()), &mut io::sink()).map(drop)
    }

    /// What is in the file, packed as it is, from the beginning.
    pub fn raw(&self) -> RawReader {
        self.raw_from(0)
    }

    /// What is in the file, packed as it is, from `at`.
    pub fn raw_from(&self, at: u64) -> RawReader {
        let bytes = match &self.opened {
            None => Arc::clone(&self.at_rest) as Arc<dyn ReadAt>,
            Some(opened) => Arc::clone(&opened.bytes),
        };
        RawReader::new(bytes, at)
    }

    /// The decompressed bytes, from the beginning.
    pub fn stream(&self, packing: Packing) -> Box<dyn Read + Send> {
        decompress(self.raw(), packing)
    }
}

/// A file on a disk of this machine, as it was when it was opened.
#[derive(Debug)]
struct LocalFile {
    path: PathBuf,
    file: Arc<ClosedAside>,
    as_opened: Identity,
}

impl LocalFile {
    fn open(path: &Path) -> Result<Self, FileError> {
        let fail = |source: io::Error| FileError::of(path, source);
        // Looked at before it is opened: opening a pipe would wait for its writer.
        let metadata = std::fs::metadata(path).map_err(fail)?;
        if metadata.is_dir() {
            return Err(FileError::Directory(path.to_owned()));
        }
        if !metadata.is_file() {
            return Err(FileError::NotRegular(path.to_owned()));
        }
        let file = File::open(path).map_err(fail)?;
        let as_opened = Identity::of(&file.metadata().map_err(fail)?);
        Ok(Self { path: path.to_owned(), file: Arc::new(ClosedAside(Some(file))), as_opened })
    }
}

impl ReadAt for LocalFile {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let file = self.file.file().ok_or(io::ErrorKind::NotConnected)?;
        file.read_at(buffer, at)
    }
}

impl RandomRead for LocalFile {
    fn len(&self) -> u64 {
        self.as_opened.bytes
    }

    fn has_changed(&self) -> bool {
        let named = std::fs::metadata(&self.path);
        named.map_or(true, |now| Identity::of(&now) != self.as_opened)
    }
}

/// A file that is closed on a thread of its own. Closing waits for a disk of the network or of FUSE, which may not
/// answer, and whoever is the last to hold the file has other things to do: a sandbox to remove.
#[derive(Debug)]
struct ClosedAside(Option<File>);

impl ClosedAside {
    /// The file, until it is closed.
    fn file(&self) -> Option<&File> {
        self.0.as_ref()
    }
}

impl Drop for ClosedAside {
    fn drop(&mut self) {
        let file = self.0.take();
        // Where there is no thread to be had it is closed here.
        let _ = std::thread::Builder::new().name("close".to_owned()).spawn(move || drop(file));
    }
}

/// What tells a file from another one, and from itself after it was written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: Option<SystemTime>,
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified: metadata.modified().ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::packing::unpack::packed::gzip;

    #[test]
    fn what_is_no_readable_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(BackupFile::open(dir.path()), Err(FileError::Directory(_))));
        let missing = dir.path().join("missing.sql");
        assert!(matches!(BackupFile::open(&missing), Err(FileError::NotFound(_))));
        assert!(matches!(BackupFile::open(Path::new("/dev/null")), Err(FileError::NotRegular(_))));
    }

    #[test]
    fn bytes_sent_as_text_are_told_by_their_line_ends() {
        let bytes = gzip(&(0..100_000u32).flat_map(u32::to_le_bytes).collect::<Vec<_>>());
        let sent = bytes.split(|byte| *byte == b'\n').collect::<Vec<_>>().join(&b"\r\n"[..]);
        for (bytes, changed) in [(&bytes, false), (&sent, true), (&b"few\r\n".to_vec(), false)] {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(bytes).unwrap();
            let file = BackupFile::open(file.path()).unwrap();
            assert_eq!(file.has_changed_line_ends().unwrap(), changed);
        }
    }

    #[test]
    fn a_file_that_is_written_to_has_changed() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"one").unwrap();
        let open = BackupFile::open(file.path()).unwrap();
        assert!(!open.has_changed());
        file.write_all(b"two").unwrap();
        assert!(open.has_changed());
    }

    #[test]
    fn a_file_that_is_replaced_or_removed_has_changed() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("a"), dir.path().join("b"));
        std::fs::write(&path, "one").unwrap();
        let open = BackupFile::open(&path).unwrap();
        std::fs::copy(&path, &other).unwrap();
        assert!(!open.has_changed());
        std::fs::rename(&other, &path).unwrap();
        assert!(open.has_changed());
        let open = BackupFile::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(open.has_changed());
    }
}
