//! A dump on its way from pg_dump into the file: read once, its contents noted, its bytes packed.

use std::io::{self, Read, Write};

use thiserror::Error;

use crate::dump::contents::Contents;
use crate::dump::item::Facts;
use crate::dump::items::{Items, ItemsError, Unsound, foreign};
use crate::packing::compress::{CompressError, Compressed, Compressor};

/// A dump that went by.
#[derive(Debug)]
pub struct Streamed<W> {
    /// What was written, and the sink.
    pub compressed: Compressed<W>,
    /// What it contained.
    pub contents: Contents,
    /// What it said of itself.
    pub facts: Facts,
    /// Where it could not be understood; the bytes went by all the same, and the contents end
    /// there.
    pub not_understood: Option<Unsound>,
}

/// Why a dump did not get through.
#[derive(Debug, Error)]
pub enum StreamError {
    /// pg_dump's stream cannot be read.
    #[error("pg_dump's output could not be read: {0}")]
    Pipe(io::Error),
    /// What it was written to failed.
    #[error(transparent)]
    Sink(#[from] CompressError),
}

/// Reads `pipe` to its end. `progress` is told the bytes so far.
///
/// # Errors
/// When either end fails; both are given up then.
pub fn stream<W: Write + Send + 'static>(
    pipe: impl Read,
    compressor: Compressor<W>,
    progress: &dyn Fn(u64),
) -> Result<Streamed<W>, StreamError> {
    let mut items = Items::new(Tee { pipe, compressor, failed: None });
    let mut contents = Contents::default();
    let not_understood = loop {
        match items.pull() {
            Ok(Some(item)) => {
                contents.take(&item, items.encoding());
                progress(items.bytes());
            }
            Ok(None) => break foreign(items.facts()),
            Err(ItemsError::Unsound(unsound)) => break Some(unsound),
            Err(ItemsError::Disk(error)) => return Err(items.into_inner().failure(error)),
        }
    };
    let facts = items.facts().clone();
    let mut tee = items.into_inner();
    if let Err(error) = io::copy(&mut tee, &mut io::sink()) {
        return Err(tee.failure(error));
    }
    Ok(Streamed { compressed: tee.compressor.finish()?, contents, facts, not_understood })
}

/// Gives what it reads to the compressor, too.
struct Tee<R, W> {
    pipe: R,
    compressor: Compressor<W>,
    failed: Option<CompressError>,
}

impl<R, W> Tee<R, W> {
    /// The error behind an error of reading: the compressor's where there is one.
    fn failure(self, error: io::Error) -> StreamError {
        self.failed.map_or(StreamError::Pipe(error), StreamError::Sink)
    }
}

impl<R: Read, W: Write + Send + 'static> Read for Tee<R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.pipe.read(buffer)?;
        self.compressor.write(&buffer[..read]).map_err(|error| {
            let message = error.to_string();
            self.failed = Some(error);
            io::Error::other(message)
        })?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::packing::codec::Codec;

    fn streamed(dump: &[u8]) -> Streamed<Vec<u8>> {
        let threads = NonZeroUsize::MIN;
        let compressor = Compressor::new(Vec::new(), Codec::None, threads).unwrap();
        stream(dump, compressor, &|_| {}).unwrap()
    }

    #[test]
    fn what_goes_by_is_noted_and_arrives_unchanged() {
        let dump = b"--\n-- PostgreSQL database dump\n--\n\nCOPY public.a (id) FROM stdin;\n1\n2\n\
            \\.\n\n\n--\n-- PostgreSQL database dump complete\n--\n\n";
        let streamed = streamed(dump);
        assert_eq!(streamed.compressed.sink, dump);
        assert_eq!(streamed.contents.rows(), 2);
        assert_eq!(streamed.not_understood, None);
    }

    #[test]
    fn a_stream_that_is_not_understood_arrives_all_the_same() {
        let dump = [&b"\\! echo hello\n"[..], &b"x".repeat(1_000_000)].concat();
        let streamed = streamed(&dump);
        assert_eq!(streamed.compressed.sink, dump);
        assert!(streamed.not_understood.is_some());
    }

    #[test]
    fn a_full_disk_is_the_sinks_error() {
        #[derive(Debug)]
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let compressor = Compressor::new(Full, Codec::None, NonZeroUsize::MIN).unwrap();
        let dump = b"x\n".repeat(10_000_000);
        let error = stream(dump.as_slice(), compressor, &|_| {}).unwrap_err();
        assert!(matches!(error, StreamError::Sink(_)), "{error:?}");
    }
}
