//! Tells from the first bytes of a file what it is. Reads nothing itself.

use thiserror::Error;

use super::MAGIC;
pub use super::looks::How;
use super::looks::{Looks, looks};
use crate::model::damage::Damage;
use crate::model::format::Format;

/// Bytes of the beginning that are enough to tell.
pub const ENOUGH: usize = 512;

/// What a file is, by its first bytes, unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// What pg_dump writes, in this format, as far as the beginning shows.
    Dump(Format),
    /// The `toc.dat` of an archive in the directory format, by itself.
    PartOfDirectory,
    /// No dump, which is a verdict on the backup.
    NotADump(NotADump),
    /// Another program's format, which may hold a good backup.
    Packed(&'static str),
    /// Encrypted by this program; what undoes it.
    Encrypted(&'static str, How),
    /// A copy of a server's files.
    Physical,
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
    /// It is encrypted, and does not open even with its key.
    #[error("{0}")]
    Damaged(Damage),
}

/// Tells what `start`, the first [`ENOUGH`] bytes of a file, begins.
pub fn sniff(start: &[u8]) -> Kind {
    if start.is_empty() {
        return Kind::NotADump(NotADump::Empty);
    }
    if is_archive_in_tar(start) {
        return Kind::Dump(Format::Tar);
    }
    if start.starts_with(MAGIC) {
        // After magic, version and sizes: the format, which for the file of a directory is tar's.
        let of_directory = start.get(MAGIC.len() + 5) == Some(&super::TAR);
        return if of_directory { Kind::PartOfDirectory } else { Kind::Dump(Format::Custom) };
    }
    match looks(start) {
        None => Kind::Dump(Format::Plain),
        Some(Looks::Other(what)) => Kind::NotADump(NotADump::Looks(what)),
        Some(Looks::Packed(format)) => Kind::Packed(format),
        Some(Looks::Encrypted(by, how)) => Kind::Encrypted(by, how),
        Some(Looks::Physical) => Kind::Physical,
    }
}

/// Whether this is the header of a tar archive whose first member is `toc.dat`.
fn is_archive_in_tar(start: &[u8]) -> bool {
    start.get(257..262) == Some(b"ustar") && start.starts_with(b"toc.dat\0")
}
