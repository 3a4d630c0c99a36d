//! Opens a backup and tells what it is from its bytes, not its name.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use crate::archive::directory::ArchiveDirectory;
use crate::archive::sniff::{self, How, Kind, NotADump};
use crate::archive::{OpenBackup, Storage};
use crate::model::damage::{Refusal, damage, refusal};
use crate::model::format::Format;
use crate::model::packing::Packing;
use crate::packing::file::{BackupFile, FileError};
use crate::packing::unpack::packing_of;
use crate::sealing::{UnsealError, Unsealing};
use crate::store::naming;
use crate::store::objects::{ObjectError, ObjectFile, ObjectFolder};
use crate::store::place::{ObjectUrl, Place};

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
    /// It is encrypted, and was not opened.
    #[error("{}: {why}", .path.display())]
    Sealed {
        /// The file.
        path: PathBuf,
        /// Why it was not opened.
        why: UnsealError,
    },
    /// It is encrypted by another program.
    #[error("{} is encrypted by {by}: what is in it cannot be told without the key", .path.display())]
    Encrypted {
        /// The file.
        path: PathBuf,
        /// The program.
        by: &'static str,
        /// How it is decrypted.
        hint: String,
    },
    /// What was to decrypt it did not.
    #[error("{}: {refusal}", .path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// Why.
        refusal: Refusal,
    },
    /// It is a copy of a server's files.
    #[error("{} is a physical backup of a server (its files), not a dump", .0.display())]
    Physical(PathBuf),
    /// It is of a whole server, in a format that pg_dumpall had only before it was released.
    #[error("{} is a backup of a whole server, as pg_dumpall of previews of PostgreSQL 18 and 19 made it", .0.display())]
    OfServer(PathBuf),
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
    /// Whether there is nothing.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::File(FileError::NotFound(_)))
    }

    /// What to do next.
    pub fn hint(&self) -> String {
        let hint = match self {
            Self::File(error) => error.hint(),
            Self::Sealed { why, .. } => return why.hint(),
            Self::Refused { refusal, .. } => refusal.hint(),
            Self::Encrypted { hint, .. } => hint,
            Self::Physical(_) => {
                "this verifies what pg_dump and pg_dumpall write; pg_verifybackup checks a pg_basebackup"
            }
            Self::OfServer(_) => {
                "name one database of it, in its directory databases; map.dat says which is which. No pg_restore that was \
                 released reads the rest"
            }
            Self::Above { .. } => "name that one",
            Self::Unsupported { .. } => {
                "unpack it, and name the dump in it: a file, or a directory that holds toc.dat"
            }
            Self::PartOfDirectory(_) => "name the directory that it is in",
        };
        hint.to_owned()
    }
}

/// Roles and tablespaces of a whole server, as previews of PostgreSQL 19 wrote them, beside [`MAP`]. It begins like an archive of
/// a database, and is none.
const OF_SERVER: &str = "toc.glo";
/// Which database is which, beside the directory `databases`; previews of 18 had it, too.
const MAP: &str = "map.dat";

/// Opens what is at a path.
///
/// # Errors
/// When it is not there, neither a backup's directory nor a regular file, or may not be read.
pub fn open(path: &Path) -> Result<Storage, OpenError> {
    match Place::of(path) {
        Ok(Place::Directory(_)) => {}
        Ok(Place::Objects(url)) => return open_object(path, &url),
        Err(error) => {
            // Settings refuse it before: its hint is theirs.
            let (cause, hint) = (error.to_string(), "write it as s3://bucket/prefix/backup");
            return Err(FileError::Elsewhere { cause, hint }.into());
        }
    }
    if is_directory(path) {
        return Ok(Storage::Directory(ArchiveDirectory::open_at(path)?));
    }
    match BackupFile::open(path) {
        Ok(_) if path.file_name() == Some(OF_SERVER.as_ref()) => {
            Err(OpenError::OfServer(path.to_owned()))
        }
        Ok(file) => Ok(Storage::File(file)),
        Err(FileError::Directory(path)) => Err(directory(&path)),
        Err(other) => Err(other.into()),
    }
}

/// Opens what is in a place: an object, or those below its name.
fn open_object(path: &Path, url: &ObjectUrl) -> Result<Storage, OpenError> {
    let elsewhere =
        |error: ObjectError| FileError::Elsewhere { cause: error.to_string(), hint: error.hint };
    if let Some(object) = ObjectFile::open(url).map_err(elsewhere)? {
        return Ok(Storage::File(BackupFile::elsewhere(path, Arc::new(object))));
    }
    let folder = ObjectFolder::at(url).map_err(elsewhere)?;
    let unreadable = |source| unreadable(path, source);
    let directory = ArchiveDirectory::elsewhere(path, Arc::new(folder)).map_err(unreadable)?;
    if directory.members().is_empty() {
        return Err(FileError::NotFound(path.to_owned()).into());
    }
    if !directory.members().iter().any(|member| member.name == "toc.dat") {
        return Err(FileError::Directory(path.to_owned()).into());
    }
    Ok(Storage::Directory(directory))
}

/// Opens a file that lies beside a backup.
///
/// # Errors
/// As [`open`]; it is no directory.
pub fn open_file(path: &Path) -> Result<BackupFile, OpenError> {
    match Place::of(path) {
        Ok(Place::Objects(url)) => match open_object(path, &url)? {
            Storage::File(file) => Ok(file),
            Storage::Directory(_) => Err(FileError::Directory(path.to_owned()).into()),
        },
        _ => Ok(BackupFile::open(path)?),
    }
}

/// What could not be read, of a disk or of a place.
fn unreadable(path: &Path, source: io::Error) -> FileError {
    match ObjectError::within(&source) {
        Some(error) => FileError::Elsewhere { cause: error.to_string(), hint: error.hint },
        None => FileError::Unreadable { path: path.to_owned(), source },
    }
}

/// Whether this is a directory that is, or was, a backup.
fn is_directory(path: &Path) -> bool {
    path.is_dir() && (naming::is_backup_directory(path) || naming::manifest_path(path).is_file())
}

/// Tells packing and format from the first bytes, opened and unpacked where need be.
///
/// # Errors
/// The outer error when it cannot be read or is of a kind that is not restored here; the
/// inner one when it is no dump at all, which is a verdict on the backup.
pub fn sniff(
    storage: &Storage,
    unsealing: &Unsealing,
) -> Result<Result<OpenBackup, NotADump>, OpenError> {
    let path = storage.path().to_owned();
    let opened = match storage {
        Storage::Directory(directory) => {
            let directory = directory.clone().unsealed_with(unsealing);
            directory.map(|directory| Ok(OpenBackup::directory(directory)))
        }
        Storage::File(file) => match unsealing.open(file.clone()) {
            Ok(file) => return sniff_file(&file),
            Err(why) => Err(why),
        },
    };
    match opened {
        Err(UnsealError::Damaged(damage)) => Ok(Err(NotADump::Damaged(damage))),
        opened => opened.map_err(|why| OpenError::Sealed { path, why }),
    }
}

fn sniff_file(file: &BackupFile) -> Result<Result<OpenBackup, NotADump>, OpenError> {
    let path = || file.path().to_owned();
    let unreadable = |source| match refusal(&source) {
        Some(refusal) => OpenError::Refused { path: path(), refusal: refusal.clone() },
        None => unreadable(file.path(), source).into(),
    };
    let mut start = Vec::new();
    match file.raw().take(sniff::ENOUGH as u64).read_to_end(&mut start) {
        Ok(_) => {}
        Err(error) => match damage(&error) {
            Some(damage) => return Ok(Err(NotADump::Damaged(damage.clone()))),
            None => return Err(unreadable(error)),
        },
    }
    let packing = packing_of(&start);
    if packing != Packing::None {
        start.clear();
        let mut stream = file.stream(packing).take(sniff::ENOUGH as u64);
        match stream.read_to_end(&mut start) {
            Err(error) if damage(&error).is_none() && refusal(&error).is_none() => {
                return Err(unreadable(error));
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
    let kind = sniff::sniff(&start);
    if !matches!(kind, Kind::Dump(_)) && !file.can_seek() {
        // What a command wrote that failed, or had a wrong key, is nothing of the backup's.
        return Err(match file.check_unsealing() {
            Ok(()) => OpenError::Refused { path: path(), refusal: Refusal::Undecrypted },
            Err(error) => unreadable(error),
        });
    }
    match kind {
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
            let hint = match how {
                How::Command(command) => {
                    let more = if by == "openssl" {
                        " (and -pbkdf2, where it was encrypted with it)"
                    } else {
                        ""
                    };
                    format!("have it decrypted: --decrypt-command '{command}'{more}")
                }
                How::ByHand(how) => {
                    format!("decrypt it ({how}), and verify the file that comes of it")
                }
            };
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
    if has(&[OF_SERVER]) || has(&[MAP]) && has(&["databases"]) {
        return OpenError::OfServer(path.to_owned());
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
        let sniffed = sniff(&open(file.path()).unwrap(), &Unsealing::default())?;
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
