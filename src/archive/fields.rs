//! The primitive values of an archive: bytes, integers, strings. Reads no more than it is asked
//! for, and keeps no more than that. Whether a stream that fails is damaged is known to who opened it.
//!
//! Source: PostgreSQL 15, `pg_backup_archiver.c`, `ReadInt`, `ReadStr`, `ReadOffset`.

use std::io::{self, BufRead, BufReader, Read};

use super::{ArchiveError, ArchiveFlaw};

/// Bytes read at a time.
const READ_BYTES: usize = 256 * 1024;

/// Reads values one after the other.
pub struct Fields<R> {
    stream: BufReader<R>,
    at: u64,
    /// Bytes of an integer, without its sign; the head says.
    pub(super) int_size: usize,
    /// Bytes of a place in the file; the head says.
    pub(super) offset_size: usize,
}

impl<R: Read> Fields<R> {
    /// At the first byte of an archive.
    pub fn new(stream: R) -> Self {
        let stream = BufReader::with_capacity(READ_BYTES, stream);
        Self { stream, at: 0, int_size: 4, offset_size: 8 }
    }

    /// The stream, which was read further than to here.
    pub(super) fn into_inner(self) -> R {
        self.stream.into_inner()
    }

    /// Bytes read so far.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// The next byte; `None` at the end of the stream.
    pub(super) fn next_byte(&mut self) -> Result<Option<u8>, ArchiveError> {
        let byte = loop {
            match self.stream.fill_buf() {
                Ok(buffer) => break buffer.first().copied(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ArchiveError::Disk(error)),
            }
        };
        if byte.is_some() {
            self.stream.consume(1);
            self.at += 1;
        }
        Ok(byte)
    }

    /// A byte that has to be there.
    pub(super) fn byte(&mut self) -> Result<u8, ArchiveError> {
        let at = self.at;
        self.next_byte()?.ok_or_else(|| ArchiveFlaw::Cut { at }.into())
    }

    /// An integer: a byte that is not 0 for a negative one, then the magnitude, lowest byte first.
    pub(super) fn int(&mut self) -> Result<i64, ArchiveError> {
        let negative = self.byte()? != 0;
        let mut value: i64 = 0;
        for index in 0..self.int_size {
            let byte = i64::from(self.byte()?);
            // Larger ones than 64 bits hold are refused with the head.
            value |= byte.checked_shl(8 * index as u32).unwrap_or(0);
        }
        Ok(if negative { value.wrapping_neg() } else { value })
    }

    /// A place in the file: its bytes, the lowest first.
    pub(super) fn offset(&mut self) -> Result<u64, ArchiveError> {
        let mut value = 0;
        for index in 0..self.offset_size {
            value |= u64::from(self.byte()?).checked_shl(8 * index as u32).unwrap_or(0);
        }
        Ok(value)
    }

    /// A string, of which at most `most` bytes are kept; `None` for none.
    pub(super) fn string(&mut self, most: usize) -> Result<Option<Vec<u8>>, ArchiveError> {
        let Ok(bytes) = u64::try_from(self.int()?) else { return Ok(None) };
        let kept = bytes.min(most as u64);
        let mut text = Vec::new();
        let read = (&mut self.stream).take(kept).read_to_end(&mut text);
        let read = read.map_err(ArchiveError::Disk)? as u64;
        self.at += read;
        if read < kept {
            return Err(ArchiveFlaw::Cut { at: self.at }.into());
        }
        self.skip(bytes - kept)?;
        Ok(Some(text))
    }

    /// A string in UTF-8, whatever its encoding is.
    pub(super) fn text(&mut self, most: usize) -> Result<Option<String>, ArchiveError> {
        Ok(self.string(most)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Passes over so many bytes, all of which have to be there.
    pub(super) fn skip(&mut self, bytes: u64) -> Result<(), ArchiveError> {
        let passed = io::copy(&mut (&mut self.stream).take(bytes), &mut io::sink());
        let passed = passed.map_err(ArchiveError::Disk)?;
        self.at += passed;
        if passed < bytes {
            return Err(ArchiveFlaw::Cut { at: self.at }.into());
        }
        Ok(())
    }

    /// Up to as many bytes as `buffer` has room for, at least one.
    pub(super) fn some(&mut self, buffer: &mut [u8]) -> Result<usize, ArchiveError> {
        let read = loop {
            match self.stream.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other.map_err(ArchiveError::Disk)?,
            }
        };
        self.at += read as u64;
        if read == 0 { Err(ArchiveFlaw::Cut { at: self.at }.into()) } else { Ok(read) }
    }
}
