//! The items of a dump, pulled from a stream of its decompressed bytes.

use std::collections::VecDeque;
use std::io::{self, Read};

use bytes::BytesMut;
use thiserror::Error;

use crate::dump::flaw::Flaw;
use crate::dump::item::{Facts, Item};
use crate::dump::plain::Reader;
use crate::model::damage::{Damage, OLDER, damage};
use crate::model::outcome::grouped;

/// Bytes of the dump read at a time.
const CHUNK_BYTES: usize = 256 * 1024;

/// Why a dump is not whole. This is a verdict on the backup.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unsound {
    /// The file is damaged.
    #[error("{damage}, after {} bytes of the dump", grouped(*.at))]
    Damaged {
        /// How.
        damage: Damage,
        /// Decompressed bytes before it.
        at: u64,
    },
    /// The text is not one that pg_dump wrote to its end.
    #[error(transparent)]
    Flawed(#[from] Flaw),
    /// SQL without pg_dump's header: whether it has an end cannot be told.
    #[error(
        "the file is SQL that pg_dump did not write, or not to its end: without the comments that pg_dump \
         begins and ends with, nothing shows whether it is whole"
    )]
    Foreign,
}

impl Unsound {
    /// What to do where it is this version that cannot, which says nothing of the backup.
    pub fn our_limit(&self) -> Option<&'static str> {
        match self {
            Self::Damaged { .. } => None,
            Self::Flawed(flaw) => flaw.our_limit(),
            Self::Foreign => Some(
                "look at it and take it as it is: --accept-foreign-sql restores it, and says that it is \
                 not proven to be whole",
            ),
        }
    }

    /// What to do about a bad backup.
    pub fn hint(&self) -> &'static str {
        let own = match self {
            Self::Flawed(flaw) => flaw.hint(),
            _ => None,
        };
        own.unwrap_or(OLDER)
    }
}

/// What is wrong with a text whose items were all read: that nothing says it is a dump.
pub fn foreign(facts: &Facts) -> Option<Unsound> {
    (!facts.is_dump()).then_some(Unsound::Foreign)
}

/// Why there is no next item.
#[derive(Debug, Error)]
pub enum ItemsError {
    /// The backup is bad.
    #[error(transparent)]
    Unsound(#[from] Unsound),
    /// The stream itself failed; nothing is known of the backup.
    #[error("the backup could not be read: {0}")]
    Disk(io::Error),
}

/// Pulls items from `stream`.
pub struct Items<R> {
    stream: R,
    reader: Reader,
    buffer: BytesMut,
    ready: VecDeque<Item>,
    /// The client encoding where the last item stands; the reader is ahead of it.
    encoding: Option<String>,
    fresh: Vec<Item>,
    flaw: Option<Flaw>,
    ended: bool,
    bytes: u64,
}

impl<R: Read> Items<R> {
    /// Begins to read.
    pub fn new(stream: R) -> Self {
        Self {
            stream,
            reader: Reader::new(),
            buffer: BytesMut::new(),
            ready: VecDeque::new(),
            encoding: None,
            fresh: Vec::new(),
            flaw: None,
            ended: false,
            bytes: 0,
        }
    }

    /// The next item; `None` after the last one of a whole dump.
    ///
    /// # Errors
    /// When the dump is damaged, flawed or cut, or the stream fails. The items before the place
    /// come first.
    pub fn pull(&mut self) -> Result<Option<Item>, ItemsError> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                if let Some(encoding) = item.client_encoding() {
                    self.encoding = Some(encoding);
                }
                return Ok(Some(item));
            }
            if let Some(flaw) = self.flaw.take() {
                self.ended = true;
                return Err(Unsound::from(flaw).into());
            }
            if self.ended {
                return Ok(None);
            }
            self.fill()?;
        }
    }

    /// The dump's client encoding at the last item, where it was named. A dump of a cluster has one for
    /// each database.
    pub fn encoding(&self) -> Option<&str> {
        self.encoding.as_deref()
    }

    /// What the dump says of itself, as far as it was read; that may be further than the last item.
    pub fn facts(&self) -> &Facts {
        self.reader.facts()
    }

    /// Decompressed bytes read so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The stream.
    pub fn into_inner(self) -> R {
        self.stream
    }

    fn fill(&mut self) -> Result<(), ItemsError> {
        self.buffer.resize(CHUNK_BYTES, 0);
        let read = loop {
            match self.stream.read(&mut self.buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        let read = match read {
            Ok(read) => read,
            Err(error) => {
                self.ended = true;
                return Err(match damage(&error) {
                    Some(damage) => {
                        Unsound::Damaged { damage: damage.clone(), at: self.bytes }.into()
                    }
                    None => ItemsError::Disk(error),
                });
            }
        };
        self.bytes += read as u64;
        let outcome = if read == 0 {
            self.ended = true;
            self.reader.finish(&mut self.fresh)
        } else {
            let chunk = self.buffer.split_to(read).freeze();
            self.reader.feed(chunk, &mut self.fresh)
        };
        self.flaw = outcome.err();
        self.ready.extend(self.fresh.drain(..));
        Ok(())
    }
}
