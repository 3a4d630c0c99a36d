//! Why a compressed stream ends before its end.

use std::io;

use thiserror::Error;

/// What to do about a backup that is damaged.
pub const OLDER: &str =
    "this file cannot be restored whole: use an older backup, and look at the job that wrote it";

/// The damage that ends a stream early. It proves the backup bad.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Damage {
    /// The compressed stream is cut off.
    #[error("the {format} stream is cut off")]
    CutOff {
        /// What it is compressed with.
        format: &'static str,
    },
    /// The compressed stream does not decode, or its checksum is wrong.
    #[error("the {format} stream is corrupt: {cause}")]
    Corrupt {
        /// What it is compressed with.
        format: &'static str,
        /// What the decoder said.
        cause: String,
    },
    /// Something else follows the end of the compressed stream.
    #[error("garbage follows the {format} stream, from byte {at} of the file")]
    TrailingGarbage {
        /// What it is compressed with.
        format: &'static str,
        /// Where it begins, in bytes from the beginning of the file.
        at: u64,
    },
}

/// Why a stream that may be whole is not decompressed here. It says nothing of the backup.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// It was packed to be unpacked on larger machines, or made to use up the memory of this one.
    #[error("the {format} stream needs more than {most_mib} MiB of memory to be decompressed")]
    Memory {
        /// What it is compressed with.
        format: &'static str,
        /// What is allowed.
        most_mib: u64,
    },
    /// The command that was given to decrypt it did not.
    #[error("the command that decrypts it ended with {how}: {said}")]
    Decryption {
        /// Such as `exit status: 2`.
        how: String,
        /// Its last words.
        said: String,
    },
    /// The command that was given to decrypt it wrote what is no backup.
    #[error("what the command that decrypts it wrote is no backup of PostgreSQL")]
    Undecrypted,
    /// It was packed with a dictionary, which is not in the file.
    #[error("the {format} stream needs a dictionary to be decompressed")]
    Dictionary {
        /// What it is compressed with.
        format: &'static str,
    },
}

impl Refusal {
    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Decryption { .. } => {
                "try it by hand: its standard input is the backup, and its standard output what was encrypted"
            }
            Self::Undecrypted => {
                "it may be a wrong key, which not every program notices: try it by hand, and look at what comes \
                 of it"
            }
            Self::Memory { .. } | Self::Dictionary { .. } => {
                "decompress it with its own program, and verify the file that comes of it"
            }
        }
    }
}

/// The damage behind a read error of a stream; `None` when something else is at fault.
pub fn damage(error: &io::Error) -> Option<&Damage> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

/// The refusal behind a read error of a stream.
pub fn refusal(error: &io::Error) -> Option<&Refusal> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

impl From<Damage> for io::Error {
    fn from(damage: Damage) -> Self {
        Self::new(io::ErrorKind::InvalidData, damage)
    }
}

impl From<Refusal> for io::Error {
    fn from(refusal: Refusal) -> Self {
        Self::new(io::ErrorKind::Unsupported, refusal)
    }
}
