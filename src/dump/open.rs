//! Opens a backup file: tells format and compression from its bytes, not its name, and gives its
//! decompressed bytes as a stream.
//!
//! The file is opened once and read by position, so that every pass reads the same file even
//! when another one takes its name meanwhile. A stream that is damaged ends in an error that
//! [`damage`] tells apart from an error of the disk.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use thiserror::Error;

use crate::dump::archive::MAGIC;
use crate::dump::damage::{damage, refusal};
use crate::dump::format::is_archive_in_tar;
use crate::dump::looks::{Looks, looks};
use crate::dump::marks::Marks;
use crate::dump::unpack;
pub use crate::dump::unpack::Compression;

/// Why a backup could not be opened. Each means "could not tell".
#[derive(Debug, Error)]
pub enum OpenError {
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
    /// It is a good format that this version does not restore.
    #[error("{} is {format}; this version verifies what pg_dump writes, also compressed", .path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What it is.
        format: &'static str,
    },
    /// It is encrypted.
    #[error("{} is encrypted by {by}: what is in it cannot be told without the key", .path.display())]
    Encrypted {
        /// The file.
        path: PathBuf,
        /// The program.
        by: &'static str,
        /// How it is decrypted.
        hint: String,
    },
    /// It is a copy of a server's files.
    #[error("{} is a physical backup of a server (its files), not a dump", .0.display())]
    Physical(PathBuf),
    /// The backup is in a directory of this one.
    #[error("{} is a directory, and the backup is in {}", .path.display(), .within.display())]
    Above {
        /// The directory.
        path: PathBuf,
        /// The backup.
        within: PathBuf,
    },
    /// It is the table of contents of a directory.
    #[error("{} is the table of contents of a backup in the directory format", .0.display())]
    PartOfDirectory(PathBuf),
}

impl OpenError {
    /// What to do next.
    pub fn hint(&self) -> &str {
        match self {
            Self::Encrypted { hint, .. } => hint,
            Self::Physical(_) => {
                "this verifies what pg_dump and pg_dumpall write; pg_verifybackup checks a pg_basebackup"
            }
            Self::Above { .. } => "name that one",
            Self::NotFound(_) => "check the path, or let `verify --latest` find the newest backup",
            Self::Directory(_) => "name a file in it, or use `verify --latest --backup-dir DIR`",
            Self::NotRegular(_) => "copy the backup into a file first",
            Self::Unreadable { .. } => {
                "backups are readable by their owner only: run as that user, or as root"
            }
            Self::Unsupported { .. } => {
                "unpack it, and name the dump in it: a file, or a directory that holds toc.dat"
            }
            Self::PartOfDirectory(_) => "name the directory that it is in",
        }
    }
}

/// What a file that is no dump looks like.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotADump {
    /// It has no bytes.
    #[error("the backup file is empty (0 bytes)")]
    Empty,
    /// The beginning of another kind of file.
    #[error("not a PostgreSQL dump: it looks like {0}")]
    Looks(&'static str),
}

/// An open backup file.
#[derive(Debug, Clone)]
pub struct BackupFile {
    path: PathBuf,
    file: Arc<File>,
    as_opened: Identity,
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

impl BackupFile {
    /// Opens a regular file.
    ///
    /// # Errors
    /// When it is not there, not a regular file, or may not be read.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let fail = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => OpenError::NotFound(path.to_owned()),
            _ => OpenError::Unreadable { path: path.to_owned(), source },
        };
        // Looked at before it is opened: opening a pipe would wait for its writer.
        let metadata = std::fs::metadata(path).map_err(fail)?;
        if metadata.is_dir() {
            return Err(directory(path));
        }
        if !metadata.is_file() {
            return Err(OpenError::NotRegular(path.to_owned()));
        }
        let file = File::open(path).map_err(fail)?;
        let metadata = file.metadata().map_err(fail)?;
        Ok(Self { path: path.to_owned(), file: Arc::new(file), as_opened: Identity::of(&metadata) })
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its size in bytes when it was opened.
    pub fn bytes(&self) -> u64 {
        self.as_opened.bytes
    }

    /// The file itself, to lock it.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Whether it was written to, replaced or removed since it was opened: what has its name now is
    /// another backup, or none.
    pub fn has_changed(&self) -> bool {
        let named = std::fs::metadata(&self.path);
        named.map_or(true, |now| Identity::of(&now) != self.as_opened)
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

    /// Tells compression and format from the first bytes, decompressed where need be.
    ///
    /// # Errors
    /// The outer error when it cannot be read or is of a kind that is not restored here; the
    /// inner one when it is no dump at all, which is a verdict on the backup.
    pub fn sniff(&self) -> Result<Result<Compression, NotADump>, OpenError> {
        let unreadable = |source| OpenError::Unreadable { path: self.path.clone(), source };
        let mut start = [0u8; 512];
        let read = self.file.read_at(&mut start, 0).map_err(unreadable)?;
        let start = &start[..read];
        if start.is_empty() {
            return Ok(Err(NotADump::Empty));
        }
        let compression = Compression::of(start);
        if compression == Compression::None {
            return Ok(self.plain_start(start)?.map(|()| compression));
        }
        let mut inner = Vec::new();
        match self.stream(compression).take(512).read_to_end(&mut inner) {
            Err(error) if damage(&error).is_none() && refusal(&error).is_none() => {
                return Err(unreadable(error));
            }
            // Damage is found, and named, by whoever reads the whole stream.
            _ => {}
        }
        let twice = match (compression, Compression::of(&inner)) {
            (_, Compression::None) => None,
            (Compression::Gzip, Compression::Gzip) => Some("gzipped twice"),
            _ => Some("compressed twice"),
        };
        if let Some(format) = twice {
            return Err(OpenError::Unsupported { path: self.path.clone(), format });
        }
        Ok(self.plain_start(&inner)?.map(|()| compression))
    }

    fn plain_start(&self, start: &[u8]) -> Result<Result<(), NotADump>, OpenError> {
        if start.starts_with(MAGIC) || is_archive_in_tar(start) {
            return Ok(Ok(()));
        }
        let path = self.path.clone();
        match looks(start) {
            None => Ok(Ok(())),
            Some(Looks::Other(what)) => Ok(Err(NotADump::Looks(what))),
            Some(Looks::Packed(format)) => Err(OpenError::Unsupported { path, format }),
            Some(Looks::Physical) => Err(OpenError::Physical(path)),
            Some(Looks::Encrypted(by, how)) => {
                let hint = format!("decrypt it ({how}), and verify the file that comes of it");
                Err(OpenError::Encrypted { path, by, hint })
            }
        }
    }

    /// The bytes as they lie in the file, from the beginning.
    pub fn raw(&self) -> RawReader {
        self.raw_from(0)
    }

    /// The bytes as they lie in the file, from `at`.
    pub fn raw_from(&self, at: u64) -> RawReader {
        RawReader { file: Arc::clone(&self.file), at }
    }

    /// The decompressed bytes, from the beginning.
    pub fn stream(&self, compression: Compression) -> Box<dyn Read + Send> {
        decompress(self.raw(), compression)
    }
}

/// Decompresses what `raw` gives.
pub fn decompress(
    raw: impl Read + Send + 'static,
    compression: Compression,
) -> Box<dyn Read + Send> {
    decompress_noting(raw, compression, &Marks::default())
}

/// The same, and notes where each member begins.
pub fn decompress_noting(
    raw: impl Read + Send + 'static,
    compression: Compression,
    marks: &Marks,
) -> Box<dyn Read + Send> {
    unpack::inline(raw, compression, marks.clone())
}

/// The same on `threads` threads, ahead of whoever reads: for a stream that is read to its end.
pub fn decompress_ahead(
    raw: impl Read + Send + 'static,
    compression: Compression,
    marks: &Marks,
    threads: NonZeroUsize,
) -> Box<dyn Read + Send> {
    match threads.get() {
        1 => decompress_noting(raw, compression, marks),
        _ => unpack::ahead(raw, compression, marks.clone(), threads),
    }
}

/// What to say of a directory that is no backup of the directory format.
fn directory(path: &Path) -> OpenError {
    let has = |names: &[&str]| names.iter().any(|name| path.join(name).exists());
    if has(&["PG_VERSION", "base.tar", "base.tar.gz", "base.tar.lz4", "base.tar.zst"]) {
        return OpenError::Physical(path.to_owned());
    }
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let mut within =
        entries.map(|entry| entry.path()).filter(|inner| inner.join("toc.dat").is_file());
    match (within.next(), within.next()) {
        (Some(within), None) => OpenError::Above { path: path.to_owned(), within },
        _ => OpenError::Directory(path.to_owned()),
    }
}

/// Reads a file by position, so that several readers do not disturb each other.
#[derive(Debug)]
pub struct RawReader {
    file: Arc<File>,
    at: u64,
}

impl Read for RawReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::dump::unpack::packed::{bzip2, gzip, lz4, xz, zstd};

    fn sniffed(bytes: &[u8]) -> Result<Result<Compression, NotADump>, OpenError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        BackupFile::open(file.path()).unwrap().sniff()
    }

    #[test]
    fn the_kind_is_told_from_the_bytes() {
        let dump = b"--\n-- PostgreSQL database dump\n--\n";
        assert_eq!(sniffed(dump).unwrap(), Ok(Compression::None));
        assert_eq!(sniffed(&gzip(dump)).unwrap(), Ok(Compression::Gzip));
        assert_eq!(sniffed(b"").unwrap(), Err(NotADump::Empty));
        let page = b"\n <!DOCTYPE html><html>";
        assert_eq!(sniffed(page).unwrap(), Err(NotADump::Looks("an HTML page")));
        for (pack, compression) in [
            (gzip as fn(&[u8]) -> Vec<u8>, Compression::Gzip),
            (zstd, Compression::Zstd),
            (xz, Compression::Xz),
            (bzip2, Compression::Bzip2),
            (lz4, Compression::Lz4),
        ] {
            assert_eq!(sniffed(&pack(dump)).unwrap(), Ok(compression));
            assert_eq!(sniffed(&pack(page)).unwrap(), Err(NotADump::Looks("an HTML page")));
            assert!(matches!(sniffed(&gzip(&pack(dump))), Err(OpenError::Unsupported { .. })));
        }
        assert_eq!(sniffed(b"PGDMP\x01").unwrap(), Ok(Compression::None));
        assert!(matches!(sniffed(b"\xff\xfe-\0").unwrap(), Err(NotADump::Looks(_))));
    }

    #[test]
    fn a_directory_that_is_no_backup_is_told_from_one_that_holds_it_and_from_a_servers_files() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        let opened = || BackupFile::open(dir.path()).unwrap_err();
        assert!(matches!(opened(), OpenError::Directory(_)));
        std::fs::write(inner.join("toc.dat"), "PGDMP").unwrap();
        assert!(matches!(opened(), OpenError::Above { within, .. } if within == inner));
        std::fs::write(dir.path().join("PG_VERSION"), "15").unwrap();
        assert!(matches!(opened(), OpenError::Physical(_)));
    }

    #[test]
    fn what_is_no_readable_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(BackupFile::open(dir.path()), Err(OpenError::Directory(_))));
        let missing = dir.path().join("missing.sql");
        assert!(matches!(BackupFile::open(&missing), Err(OpenError::NotFound(_))));
        assert!(matches!(BackupFile::open(Path::new("/dev/null")), Err(OpenError::NotRegular(_))));
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

    #[test]
    fn on_one_thread_a_file_is_unpacked_as_on_several() {
        let file = [gzip(b"one "), gzip(b"two")].concat();
        let unpacked = |threads| {
            let (marks, mut text) = (Marks::default(), String::new());
            let raw = io::Cursor::new(file.clone());
            let threads = NonZeroUsize::new(threads).unwrap();
            let mut stream = decompress_ahead(raw, Compression::Gzip, &marks, threads);
            stream.read_to_string(&mut text).unwrap();
            (text, marks.list())
        };
        assert_eq!(unpacked(1).0, "one two");
        assert_eq!(unpacked(1), unpacked(3));
    }
}
