//! What turns one piece of a stream into one self-contained member of a file.
//!
//! Another library or format is put in here: a variant of [`Codec`] and its [`Encoder`].

use libdeflater::{CompressionLvl, Compressor};
use thiserror::Error;

use crate::model::packing::Packing;
use crate::packing::member::{self, FOOTER, HEADER};

/// A format and its level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// As it is.
    None,
    /// gzip (RFC 1952), each piece a member.
    Gzip {
        /// 1 (fast) to 9 (small).
        level: u8,
    },
    /// Zstandard (RFC 8878), each piece a frame.
    Zstd {
        /// 1 (fast) to 19 (small).
        level: u8,
    },
}

impl Default for Codec {
    fn default() -> Self {
        Self::Gzip { level: 6 }
    }
}

/// Why a piece could not be packed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CodecError {
    /// The level is not one of the format's.
    #[error("{format} knows no level {level}")]
    Level {
        /// The format's name.
        format: &'static str,
        /// The level that was asked for.
        level: u8,
    },
    /// The library refused, which it does only when its buffer is too small.
    #[error("{format} could not compress a piece of {bytes} bytes")]
    Refused {
        /// The format's name.
        format: &'static str,
        /// Size of the piece.
        bytes: usize,
    },
    /// The library could not be set up; it lacks memory.
    #[error("zstd could not be set up: {0}")]
    SetUp(String),
}

impl CodecError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Level { format: "zstd", .. } => {
                Some("use a level from 1 to 19, such as zstd:3".to_owned())
            }
            Self::Level { .. } => Some("use a level from 1 to 9, such as gzip:6".to_owned()),
            Self::Refused { .. } | Self::SetUp(_) => None,
        }
    }
}

impl Codec {
    /// The packing without its level.
    pub fn packing(self) -> Packing {
        match self {
            Self::None => Packing::None,
            Self::Gzip { .. } => Packing::Gzip,
            Self::Zstd { .. } => Packing::Zstd,
        }
    }

    /// This packing at its usual level; `None` where it is only read.
    pub fn of(packing: Packing) -> Option<Self> {
        match packing {
            Packing::None => Some(Self::None),
            Packing::Gzip => Some(Self::default()),
            Packing::Zstd => Some(Self::Zstd { level: 3 }),
            Packing::Xz | Packing::Bzip2 | Packing::Lz4 => None,
        }
    }

    /// One thread's encoder.
    ///
    /// # Errors
    /// [`CodecError::Level`].
    pub fn encoder(self) -> Result<Box<dyn Encoder>, CodecError> {
        match self {
            Self::None => Ok(Box::new(Unpacked)),
            Self::Gzip { level } => Gzip::new(level).map(|gzip| Box::new(gzip) as Box<dyn Encoder>),
            Self::Zstd { level } => Zstd::new(level).map(|zstd| Box::new(zstd) as Box<dyn Encoder>),
        }
    }
}

/// Packs pieces one after the other; a thread's own.
pub trait Encoder: Send {
    /// Replaces the piece by the member that holds it.
    ///
    /// # Errors
    /// [`CodecError::Refused`].
    fn encode(&mut self, piece: &mut Vec<u8>) -> Result<(), CodecError>;
}

/// Leaves every piece as it is.
struct Unpacked;

impl Encoder for Unpacked {
    fn encode(&mut self, _piece: &mut Vec<u8>) -> Result<(), CodecError> {
        Ok(())
    }
}

/// gzip by libdeflate, which packs only whole buffers, and those faster and smaller than the
/// libraries that stream.
struct Gzip {
    compressor: Compressor,
    scratch: Vec<u8>,
}

impl Gzip {
    fn new(level: u8) -> Result<Self, CodecError> {
        // A level promises a file no larger than gzip's of that number. On dumps libdeflate's 6 can
        // be 4 % larger than gzip's; its 7 is smaller, and still faster than the others' 6.
        let own = match level {
            1..=5 => Some(level),
            6..=8 => Some(level + 1),
            // Its 10 takes five times as long for a third of a percent.
            9 => Some(9),
            _ => None,
        };
        let known = own
            .and_then(|own| CompressionLvl::new(i32::from(own)).ok())
            .ok_or(CodecError::Level { format: "gzip", level })?;
        Ok(Self { compressor: Compressor::new(known), scratch: Vec::new() })
    }
}

impl Encoder for Gzip {
    fn encode(&mut self, piece: &mut Vec<u8>) -> Result<(), CodecError> {
        let refused = CodecError::Refused { format: "gzip", bytes: piece.len() };
        let (crc, length) = (libdeflater::crc32(piece), u32::try_from(piece.len()));
        let length = length.map_err(|_| refused.clone())?;
        let bound = HEADER + self.compressor.deflate_compress_bound(piece.len());
        if self.scratch.len() < bound {
            self.scratch.resize(bound, 0);
        }
        let written = self
            .compressor
            .deflate_compress(piece, &mut self.scratch[HEADER..])
            .map_err(|_| refused.clone())?;
        let end = HEADER + written;
        let size = u32::try_from(end + FOOTER).map_err(|_| refused)?;
        self.scratch[..HEADER].copy_from_slice(&member::header(size));
        piece.clear();
        piece.extend_from_slice(&self.scratch[..end]);
        piece.extend_from_slice(&crc.to_le_bytes());
        piece.extend_from_slice(&length.to_le_bytes());
        Ok(())
    }
}

/// zstd, with the size of the contents and a checksum in every frame.
struct Zstd {
    compressor: zstd::bulk::Compressor<'static>,
    scratch: Vec<u8>,
}

impl Zstd {
    fn new(level: u8) -> Result<Self, CodecError> {
        // Higher ones need more memory than they are worth.
        if !(1..=19).contains(&level) {
            return Err(CodecError::Level { format: "zstd", level });
        }
        let compressor = || {
            let mut compressor = zstd::bulk::Compressor::new(i32::from(level))?;
            compressor.include_checksum(true)?;
            Ok(compressor)
        };
        let compressor =
            compressor().map_err(|error: std::io::Error| CodecError::SetUp(error.to_string()))?;
        Ok(Self { compressor, scratch: Vec::new() })
    }
}

impl Encoder for Zstd {
    fn encode(&mut self, piece: &mut Vec<u8>) -> Result<(), CodecError> {
        self.scratch.clear();
        self.scratch.reserve(zstd::compress_bound(piece.len()));
        self.compressor
            .compress_to_buffer(piece.as_slice(), &mut self.scratch)
            .map_err(|_| CodecError::Refused { format: "zstd", bytes: piece.len() })?;
        std::mem::swap(piece, &mut self.scratch);
        Ok(())
    }
}
