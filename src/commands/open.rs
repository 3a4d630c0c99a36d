//! Opens a backup and tells what it is from its bytes, not its name.

use std::io::Read;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::archive::directory::ArchiveDirectory;
use crate::archive::sniff::{self, Kind, NotADump};
use crate::archive::{OpenBackup, Storage};
use crate::model::damage::{damage, refusal};
use crate::model::format::Format;
use crate::model::packing::Packing;
use crate::packing::file::{BackupFile, FileError};
use crate::packing::unpack::packing_of;
use crate::store::naming;

/// Why a backup could not be opened. Each means "could not tell".
#[derive(Debug, Error)]
pub enum OpenError {
    /// The file itself.
    #[error(transparent)]
    File(#[from] FileError),
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
            Self::File(error) => error.hint(),
            Self::Encrypted { hint, .. } => hint,
            Self::Physical(_) => {
                "this verifies what pg_dump and pg_dumpall write; pg_verifybackup checks a pg_basebackup"
            }
            Self::Above { .. } => "name that one",
            Self::Unsupported { .. } => {
                "unpack it, and name the dump in it: a file, or a directory that holds toc.dat"
            }
            Self::PartOfDirectory(_) => "name the directory that it is in",
        }
    }
}

/// Opens what is at a path.
///
/// # Errors
/// When it is not there, neither a backup's directory nor a regular file, or may not be read.
pub fn open(path: &Path) -> Result<Storage, OpenError> {
    if is_directory(path) {
        return Ok(Storage::Directory(ArchiveDirectory::open_at(path)?));
    }
    match BackupFile::open(path) {
        Ok(file) => Ok(Storage::File(file)),
        Err(FileError::Directory(path)) => Err(directory(&path)),
        Err(other) => Err(other.into()),
    }
}

/// Whether this is a directory that is, or was, a backup.
fn is_directory(path: &Path) -> bool {
    path.is_dir() && (naming::is_backup_directory(path) || naming::manifest_path(path).is_file())
}

/// Tells packing and format from the first bytes, unpacked where need be.
///
/// # Errors
/// The outer error when it cannot be read or is of a kind that is not restored here; the
/// inner one when it is no dump at all, which is a verdict on the backup.
pub fn sniff(storage: &Storage) -> Result<Result<OpenBackup, NotADump>, OpenError> {
    match storage {
        Storage::Directory(directory) => Ok(Ok(OpenBackup::directory(directory.clone()))),
        Storage::File(file) => sniff_file(file),
    }
}

fn sniff_file(file: &BackupFile) -> Result<Result<OpenBackup, NotADump>, OpenError> {
    let path = || file.path().to_owned();
    let unreadable = |source| FileError::Unreadable { path: path(), source };
    let mut start = Vec::new();
    file.raw().take(sniff::ENOUGH as u64).read_to_end(&mut start).map_err(unreadable)?;
    let packing = packing_of(&start);
    if packing != Packing::None {
        start.clear();
        let mut stream = file.stream(packing).take(sniff::ENOUGH as u64);
        match stream.read_to_end(&mut start) {
            Err(error) if damage(&error).is_none() && refusal(&error).is_none() => {
                return Err(unreadable(error).into());
            }
            // Damage is found, and named, by whoever reads the whole stream.
            _ => {}
        }
        let twice = match (packing, packing_of(&start)) {
            (_, Packing::None) => None,
            (Packing::Gzip, Packing::Gzip) => Some("gzipped twice"),
            _ => Some("compressed twice"),
        };
        if let Some(format) = twice {
            return Err(OpenError::Unsupported { path: path(), format });
        }
    }
    match sniff::sniff(&start) {
        // Of a stream that is damaged from its beginning, nothing is known yet.
        Kind::NotADump(NotADump::Empty) if packing != Packing::None => {
            Ok(Ok(OpenBackup::file(file.clone(), packing, Format::Plain)))
        }
        Kind::Dump(format) => Ok(Ok(OpenBackup::file(file.clone(), packing, format))),
        Kind::NotADump(what) => Ok(Err(what)),
        Kind::PartOfDirectory => Err(OpenError::PartOfDirectory(path())),
        Kind::Packed(format) => Err(OpenError::Unsupported { path: path(), format }),
        Kind::Physical => Err(OpenError::Physical(path())),
        Kind::Encrypted(by, how) => {
            let hint = format!("decrypt it ({how}), and verify the file that comes of it");
            Err(OpenError::Encrypted { path: path(), by, hint })
        }
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
        _ => FileError::Directory(path.to_owned()).into(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::packing::unpack::packed::{bzip2, gzip, lz4, xz, zstd};

    type Sniffed = (Packing, Format);

    fn sniffed(bytes: &[u8]) -> Result<Result<Sniffed, NotADump>, OpenError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let sniffed = sniff(&open(file.path()).unwrap())?;
        Ok(sniffed.map(|backup| (backup.packing(), backup.format())))
    }

    #[expect(clippy::unnecessary_wraps, reason = "it is compared with what may be an error")]
    fn packed(packing: Packing, format: Format) -> Result<Sniffed, NotADump> {
        Ok((packing, format))
    }

    #[test]
    fn the_kind_is_told_from_the_bytes() {
        let dump = b"--\n-- PostgreSQL database dump\n--\n";
        assert_eq!(sniffed(dump).unwrap(), packed(Packing::None, Format::Plain));
        assert_eq!(sniffed(&gzip(dump)).unwrap(), packed(Packing::Gzip, Format::Plain));
        assert_eq!(sniffed(b"").unwrap(), Err(NotADump::Empty));
        let page = b"\n <!DOCTYPE html><html>";
        assert_eq!(sniffed(page).unwrap(), Err(NotADump::Looks("an HTML page")));
        for (pack, packing) in [
            (gzip as fn(&[u8]) -> Vec<u8>, Packing::Gzip),
            (zstd, Packing::Zstd),
            (xz, Packing::Xz),
            (bzip2, Packing::Bzip2),
            (lz4, Packing::Lz4),
        ] {
            assert_eq!(sniffed(&pack(dump)).unwrap(), packed(packing, Format::Plain));
            assert_eq!(sniffed(&pack(page)).unwrap(), Err(NotADump::Looks("an HTML page")));
            assert!(matches!(sniffed(&gzip(&pack(dump))), Err(OpenError::Unsupported { .. })));
        }
        assert_eq!(sniffed(b"PGDMP\x01").unwrap(), packed(Packing::None, Format::Custom));
        assert!(matches!(sniffed(b"\xff\xfe-\0").unwrap(), Err(NotADump::Looks(_))));
    }

    #[test]
    fn a_directory_that_is_no_backup_is_told_from_one_that_holds_it_and_from_a_servers_files() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        let opened = || open(dir.path()).unwrap_err();
        assert!(matches!(opened(), OpenError::File(FileError::Directory(_))));
        std::fs::write(inner.join("toc.dat"), "PGDMP").unwrap();
        assert!(matches!(opened(), OpenError::Above { within, .. } if within == inner));
        std::fs::write(dir.path().join("PG_VERSION"), "15").unwrap();
        assert!(matches!(opened(), OpenError::Physical(_)));
    }
}
