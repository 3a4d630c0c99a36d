//! The bytes of a file on their way to a decoder: counted, and they can be given back.

use std::io::{self, BufRead, BufReader, Read};

use thiserror::Error;

use crate::model::damage::{damage, refusal};

/// Bytes read from the file at a time.
const READ_BYTES: usize = 256 * 1024;

/// Marks an error of the underlying file, so that a decoder's own errors can be told from it.
#[derive(Debug, Error)]
#[error("{0}")]
pub(super) struct DiskError(io::Error);

/// Reads again when a read was interrupted, and marks errors.
struct Disk<R>(R);

impl<R: Read> Read for Disk<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if damage(&error).is_none() && refusal(&error).is_none() => {
                    return Err(io::Error::other(DiskError(error)));
                }
                // What is sealed tells of its own damage.
                result => return result,
            }
        }
    }
}

/// See the module.
pub(super) struct Source<R> {
    raw: BufReader<Disk<R>>,
    /// What was taken and given back; it comes before what `raw` gives.
    returned: Vec<u8>,
    /// So much of it was taken again.
    taken: usize,
    position: u64,
}

impl<R: Read> Source<R> {
    pub(super) fn new(raw: R) -> Self {
        let raw = BufReader::with_capacity(READ_BYTES, Disk(raw));
        Self { raw, returned: Vec::new(), taken: 0, position: 0 }
    }

    /// Bytes taken, and not given back.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Takes bytes until `bytes` holds `length` of them, or there are no more.
    pub(super) fn take_up_to(&mut self, length: usize, bytes: &mut Vec<u8>) -> io::Result<()> {
        let missing = length.saturating_sub(bytes.len()) as u64;
        self.take(missing).read_to_end(bytes).map(drop)
    }

    /// The next bytes, without taking them: `length` or more, fewer only at the end.
    pub(super) fn peek(&mut self, length: usize) -> io::Result<&[u8]> {
        if self.fill_buf()?.len() < length {
            let mut bytes = Vec::with_capacity(length);
            self.take_up_to(length, &mut bytes)?;
            self.give_back(bytes);
        }
        self.fill_buf()
    }

    /// Whether `magic` comes next, or as much of it as there is left.
    pub(super) fn begins_with(&mut self, magic: &[u8]) -> io::Result<bool> {
        let start = self.peek(magic.len())?;
        Ok(magic.starts_with(&start[..start.len().min(magic.len())]))
    }

    /// Whether there are only zeros left; takes them.
    pub(super) fn take_zeros(&mut self) -> io::Result<bool> {
        loop {
            let bytes = self.fill_buf()?;
            let length = bytes.len();
            if length == 0 || bytes.iter().any(|byte| *byte != 0) {
                return Ok(length == 0);
            }
            self.consume(length);
        }
    }

    /// Gives back the bytes that were taken last.
    pub(super) fn give_back(&mut self, mut bytes: Vec<u8>) {
        self.position -= bytes.len() as u64;
        bytes.extend_from_slice(&self.returned[self.taken..]);
        (self.returned, self.taken) = (bytes, 0);
    }
}

impl<R: Read> BufRead for Source<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.taken < self.returned.len() {
            return Ok(&self.returned[self.taken..]);
        }
        self.raw.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.position += amount as u64;
        if self.taken < self.returned.len() {
            self.taken += amount;
        } else {
            self.raw.consume(amount);
        }
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken < self.returned.len() {
            let read = (&self.returned[self.taken..]).read(buffer)?;
            self.consume(read);
            return Ok(read);
        }
        // Large reads go past the buffer.
        let read = self.raw.read(buffer)?;
        self.position += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time, and is interrupted before each.
    struct Slow(&'static [u8], bool);

    impl Read for Slow {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let length = buffer.len().min(1);
            self.0.read(&mut buffer[..length])
        }
    }

    #[test]
    fn what_is_given_back_comes_again_before_the_rest() {
        let mut source = Source::new(Slow(b"one two three", false));
        let mut bytes = Vec::new();
        source.take_up_to(5, &mut bytes).unwrap();
        assert_eq!((bytes.as_slice(), source.position()), (&b"one t"[..], 5));
        source.give_back(bytes.split_off(3));
        assert_eq!(source.peek(4).unwrap(), b" two");
        assert_eq!(source.position(), 3);
        source.give_back(bytes);
        assert_eq!(source.position(), 0);
        let mut all = String::new();
        source.read_to_string(&mut all).unwrap();
        assert_eq!((all.as_str(), source.position()), ("one two three", 13));
    }

    #[test]
    fn at_the_end_there_is_less_to_see_and_then_nothing() {
        let mut source = Source::new(Slow(b"ab", false));
        assert_eq!(source.peek(4).unwrap(), b"ab");
        source.take_up_to(9, &mut Vec::new()).unwrap();
        assert_eq!(source.peek(4).unwrap(), b"");
        assert_eq!(source.position(), 2);
    }
}
