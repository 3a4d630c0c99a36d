//! The formats that pg_dump writes, and which of them a file is.

use std::fmt;
use std::io::Read;

use super::archive::MAGIC;
use super::open::{BackupFile, Compression, OpenError};

/// A format of pg_dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// SQL.
    #[default]
    Plain,
    /// One file that only pg_restore reads.
    Custom,
    /// A directory of files.
    Directory,
    /// The same files in a tar archive.
    Tar,
}

impl Format {
    /// pg_dump's own word for it: `plain`, `custom`, `directory`, `tar`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Custom => "custom",
            Self::Directory => "directory",
            Self::Tar => "tar",
        }
    }

    /// The format of a file that [`BackupFile::sniff`] took for a dump.
    ///
    /// # Errors
    /// When it cannot be read, or is a part of a backup.
    pub fn of(file: &BackupFile, compression: Compression) -> Result<Self, OpenError> {
        let mut start = Vec::new();
        // Damage is found, and named, by whoever reads the whole stream.
        let _ = file.stream(compression).take(512).read_to_end(&mut start);
        if is_archive_in_tar(&start) {
            return Ok(Self::Tar);
        }
        if !start.starts_with(MAGIC) {
            return Ok(Self::Plain);
        }
        // After magic, version and sizes: the format, which for the file of a directory is tar's.
        if start.get(MAGIC.len() + 5) == Some(&3) {
            return Err(OpenError::PartOfDirectory(file.path().to_owned()));
        }
        Ok(Self::Custom)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether this is the header of a tar archive whose first member is `toc.dat`.
pub(super) fn is_archive_in_tar(start: &[u8]) -> bool {
    start.get(257..262) == Some(b"ustar") && start.starts_with(b"toc.dat\0")
}
