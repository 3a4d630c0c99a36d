//! What opens a sealed file. Knows neither keys nor formats: who has them implements it.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

use super::random_read::{RandomRead, ReadAt};

/// A stream that could not be begun: the first read says why.
pub struct Failing(Option<io::Error>);

impl Failing {
    /// The stream that fails with this.
    pub fn with(error: io::Error) -> Self {
        Self(Some(error))
    }
}

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// Opens one sealed file, whose key it has.
///
/// What does not open is [`crate::model::damage::Damage`] in the error of a read, and what could not be opened for
/// another reason a [`crate::model::damage::Refusal`].
pub trait Unseal: fmt::Debug + Send + Sync {
    /// What is in a file whose bytes `sealed` gives from the beginning.
    fn stream(&self, sealed: Box<dyn Read + Send>) -> Box<dyn Read + Send>;

    /// What is in a file, to be read from any place.
    fn at(self: Arc<Self>, sealed: Arc<dyn RandomRead>) -> Arc<dyn ReadAt>;

    /// How many bytes are in a file; `None` where that is known only when they were read.
    ///
    /// # Errors
    /// The disk's, and damage.
    fn length(&self, sealed: Arc<dyn RandomRead>) -> io::Result<Option<u64>>;

    /// Whether to read from a place takes less than to read up to it.
    fn can_seek(&self) -> bool;
}
