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

use super::random_read::{RandomRead, RawReader};
use super::unpack::decompress;
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
}

impl BackupFile {
    /// Opens a regular file.
    ///
    /// # Errors
    /// When it is not there, not a regular file, or may not be read.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let opened = LocalFile::open(path)?;
        let local = Some(Arc::clone(&opened.file));
        Ok(Self { path: path.to_owned(), at_rest: Arc::new(opened), local })
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
        self.raw().take(LOOKED_AT as u64).read_to_end(&mut start)?;
        let ends = || memchr::memchr_iter(b'\n', &start);
        Ok(ends().count() >= MANY && ends().all(|at| at > 0 && start[at - 1] == b'\r'))
    }

    /// The bytes as they lie in the file, from the beginning.
    pub fn raw(&self) -> RawReader {
        self.raw_from(0)
    }

    /// The bytes as they lie in the file, from `at`.
    pub fn raw_from(&self, at: u64) -> RawReader {
        RawReader::new(Arc::clone(&self.at_rest), at)
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

impl RandomRead for LocalFile {
    fn len(&self) -> u64 {
        self.as_opened.bytes
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let file = self.file.file().ok_or(io::ErrorKind::NotConnected)?;
        file.read_at(buffer, at)
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
