//! What an archive of pg_dump (formats custom, directory, tar) says of itself, and what can be known
//! of it without PostgreSQL: whether it is cut, and whether it has the pieces that it lists.
//!
//! Its rows and statements are pg_restore's to decode. Everything read here is bounded, whatever
//! the bytes. Source: PostgreSQL 15 to 18, `pg_backup_archiver.c`, `ReadHead` and `ReadToc`.

mod blocks;
mod convert;
pub mod directory;
mod examine;
mod fields;
mod looks;
mod members;
mod open_backup;
pub mod pick;
pub mod sniff;
mod tar;
mod toc;
pub mod woven;

use std::io::{self, Read};

use thiserror::Error;

use crate::model::damage::{Damage, OLDER};
use crate::model::outcome::grouped;
use crate::model::packing::Packing;
use crate::model::version::major_of;

pub use convert::{ConvertError, Files, rows_in, to_directory};
pub use examine::{Examined, Fault, examine_stream};
pub use fields::Fields;
pub use open_backup::{OpenBackup, Storage};

/// What an archive begins with; in the formats directory and tar its `toc.dat`.
const MAGIC: &[u8] = b"PGDMP";
/// The oldest and the newest version of archives that are understood: PostgreSQL 9.0 to 18.
const VERSIONS: std::ops::RangeInclusive<(u8, u8)> = (1, 12)..=(1, 16);
/// Bytes kept of a name or version in an archive.
const NAME_BYTES: usize = 1024;

/// Codes of the formats in the head. Source: `pg_backup.h`, `ArchiveFormat`.
const CUSTOM: u8 = 1;
/// The `toc.dat` of a directory has it too.
const TAR: u8 = 3;

/// Why an archive cannot be whole. A value about the backup, not a failure of ours.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ArchiveFlaw {
    /// It ends where it cannot.
    #[error("the archive ends after {} bytes, in the middle: it is cut", grouped(*.at))]
    Cut {
        /// Its size, or of what was decompressed.
        at: u64,
    },
    /// A compressed stream around it or in it is damaged.
    #[error("{damage}, after {} bytes of the archive", grouped(*.at))]
    Damaged {
        /// How.
        damage: Damage,
        /// Bytes before it.
        at: u64,
    },
    /// A value that no pg_dump writes.
    #[error("the archive is corrupt: {what}, at byte {}", grouped(*.at))]
    Corrupt {
        /// What is wrong.
        what: &'static str,
        /// Where.
        at: u64,
    },
    /// Its bytes were sent as text.
    #[error(
        "the archive is corrupt: each of its line ends was changed (LF became CR LF), as a terminal or a \
         transfer of text does it"
    )]
    LineEnds,
    /// Something follows its end.
    #[error("garbage follows the archive, from byte {} on", grouped(*.at))]
    TrailingGarbage {
        /// Where it begins.
        at: u64,
    },
    /// The data of an entry are not there.
    #[error("the archive has lost the data of {object}: it is cut")]
    LostData {
        /// Such as `TABLE DATA public.users`.
        object: String,
    },
    /// A file of the archive is not there.
    #[error("{name} is missing from the archive: it holds {object}")]
    LostMember {
        /// Its name.
        name: String,
        /// Such as `TABLE DATA public.users`.
        object: String,
    },
    /// A file of the archive is empty, which pg_dump never leaves.
    #[error("{name} of the archive is empty: it should hold {object}")]
    EmptyMember {
        /// Its name.
        name: String,
        /// Such as `TABLE DATA public.users`.
        object: String,
    },
    /// The rows in a file of the archive have no end.
    #[error("{name} of the archive ends without the \\. that ends {object}: it is cut")]
    CutMember {
        /// Its name.
        name: String,
        /// Such as `TABLE DATA public.users`.
        object: String,
    },
    /// A compressed file of the archive is damaged.
    #[error("{name} of the archive, which holds {object}: {damage}")]
    DamagedMember {
        /// Its name.
        name: String,
        /// Such as `TABLE DATA public.users`.
        object: String,
        /// How.
        damage: Damage,
    },
}

impl ArchiveFlaw {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::LineEnds => {
                "use an older backup; make new ones without a terminal, with neither docker exec -t nor \
                 ssh -t, and send them as bytes"
            }
            _ => OLDER,
        }
    }
}

/// Why there is nothing more to read of an archive.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// It is bad.
    #[error(transparent)]
    Flaw(#[from] ArchiveFlaw),
    /// It is of a version that is not known here.
    #[error(transparent)]
    Version(#[from] UnknownVersion),
    /// The disk failed.
    #[error("the backup could not be read: {0}")]
    Disk(io::Error),
}

/// The version of an archive that is not known here; it means "could not tell".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the archive has version {major}.{minor}; this version of ccc-backup reads 1.12 to 1.16")]
pub struct UnknownVersion {
    /// Before the dot.
    pub major: u8,
    /// After it.
    pub minor: u8,
}

/// The head of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Version of the archive, such as (1, 14).
    pub version: (u8, u8),
    /// Whether pg_dump compressed the data.
    pub compressed: bool,
    /// How it did in the custom format; `None` for a way that is not known here.
    packing: Option<Packing>,
    /// Name of the database that was dumped.
    pub database: Option<String>,
    /// Version of its server, such as `15.18 (Debian 15.18-0+deb12u1)`.
    pub server_version: Option<String>,
    /// Version of pg_dump.
    pub pg_dump_version: Option<String>,
    format: u8,
}

impl Head {
    /// Reads the head.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn read<R: Read>(fields: &mut Fields<R>) -> Result<Self, ArchiveError> {
        for expected in MAGIC {
            if fields.byte()? != *expected {
                return Err(corrupt("it does not begin with PGDMP", 0));
            }
        }
        let version = (fields.byte()?, fields.byte()?);
        let _revision = fields.byte()?;
        let (int_size, offset_size, format) = (fields.byte()?, fields.byte()?, fields.byte()?);
        let sensible = matches!(int_size, 1..=8) && matches!(offset_size, 1..=8);
        if !sensible || !matches!(version, (1, 0..=99)) {
            return Err(corrupt("its head makes no sense", fields.at()));
        }
        if !VERSIONS.contains(&version) {
            return Err(UnknownVersion { major: version.0, minor: version.1 }.into());
        }
        // A version that is not known may have formats that are not.
        if !matches!(format, 1..=5) {
            return Err(corrupt("its head makes no sense", fields.at()));
        }
        (fields.int_size, fields.offset_size) = (int_size.into(), offset_size.into());
        // The method since 1.15; before, a level of gzip.
        let method = if version >= (1, 15) {
            i64::from(fields.byte()?)
        } else {
            i64::from(fields.int()? != 0)
        };
        // When it was made: seconds, minutes, hours, day, month, year, summer time.
        for _ in 0..7 {
            fields.int()?;
        }
        Ok(Self {
            version,
            compressed: method != 0,
            packing: packing_of(method),
            database: fields.text(NAME_BYTES)?,
            server_version: fields.text(NAME_BYTES)?,
            pg_dump_version: fields.text(NAME_BYTES)?,
            format,
        })
    }

    /// The major version of PostgreSQL to restore it with: the server's that was dumped, else
    /// pg_dump's; but none whose pg_restore cannot read an archive of this version.
    pub fn restoring_major(&self) -> Option<u32> {
        let dumped = [&self.server_version, &self.pg_dump_version]
            .into_iter()
            .flatten()
            .find_map(|version| major_of(version))?;
        Some(dumped.max(self.oldest_reader()))
    }

    /// The major version of the server that was dumped.
    pub fn server_major(&self) -> Option<u32> {
        self.server_version.as_deref().and_then(major_of)
    }

    /// The first major version whose pg_restore reads archives of this version.
    fn oldest_reader(&self) -> u32 {
        match self.version {
            (1, 16..) => 17,
            (1, 15) => 16,
            (1, 14) => 12,
            // Also minor releases of 9.3 to 10.
            (1, 13) => 10,
            _ => 9,
        }
    }

    /// Holds the format in the head to the one that the file looks like.
    fn expect(&self, format: u8) -> Result<(), ArchiveError> {
        if self.format == format {
            return Ok(());
        }
        Err(corrupt("its head names another format", MAGIC.len() as u64 + 5))
    }
}

/// How data are compressed, by their numbers. Source: `compression.h`, `pg_compress_algorithm`.
const METHODS: [Packing; 4] = [Packing::None, Packing::Gzip, Packing::Lz4, Packing::Zstd];

fn packing_of(method: i64) -> Option<Packing> {
    METHODS.get(usize::try_from(method).ok()?).copied()
}

fn method_of(packing: Packing) -> u8 {
    (0..).zip(METHODS).find_map(|(method, of)| (of == packing).then_some(method)).unwrap_or(0)
}

fn corrupt(what: &'static str, at: u64) -> ArchiveError {
    ArchiveFlaw::Corrupt { what, at }.into()
}

#[cfg(test)]
mod tests;
