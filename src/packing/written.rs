//! What is written to a file, counted and hashed on its way.

use std::io::{self, Write};

use sha2::{Digest, Sha256};

/// Writes on to `W`.
#[derive(Debug)]
pub struct Hashed<W> {
    sink: W,
    hasher: Sha256,
    bytes: u64,
}

/// What was written.
#[derive(Debug)]
pub struct Written<W> {
    /// Where it was written to, flushed.
    pub sink: W,
    /// Bytes that were written.
    pub bytes: u64,
    /// SHA-256 of them, in lower-case hex.
    pub sha256: String,
}

impl<W: Write> Hashed<W> {
    /// Nothing is written yet.
    pub fn new(sink: W) -> Self {
        Self { sink, hasher: Sha256::new(), bytes: 0 }
    }

    /// Flushes, and tells what was written.
    ///
    /// # Errors
    /// The sink's.
    pub fn finish(mut self) -> io::Result<Written<W>> {
        self.sink.flush()?;
        let sha256 = hex::encode(self.hasher.finalize());
        Ok(Written { sink: self.sink, bytes: self.bytes, sha256 })
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let written = self.sink.write(data)?;
        self.hasher.update(&data[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_sink_took_is_counted_and_hashed() {
        /// Takes one byte at a time.
        struct Slow(Vec<u8>);
        impl Write for Slow {
            fn write(&mut self, data: &[u8]) -> io::Result<usize> {
                self.0.extend(data.first());
                Ok(data.len().min(1))
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut hashed = Hashed::new(Slow(Vec::new()));
        hashed.write_all(b"abc").unwrap();
        let Written { sink, bytes, sha256 } = hashed.finish().unwrap();
        assert_eq!((&sink.0[..], bytes), (&b"abc"[..], 3));
        assert!(sha256.starts_with("ba7816bf8f01cfea"), "{sha256}");
    }
}
