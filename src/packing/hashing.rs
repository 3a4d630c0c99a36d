//! Hashes a file while somebody else reads it.

use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

/// Reads `R` and hashes what passes. The clones share one place in it, so that the hash can be
/// finished after a decoder gave up.
pub(crate) struct Hashing<R> {
    state: Arc<Mutex<State<R>>>,
    /// Apart from the state, so that who asks for it does not wait for a read.
    position: Arc<AtomicU64>,
}

struct State<R> {
    raw: R,
    hasher: Sha256,
}

impl<R> Clone for Hashing<R> {
    fn clone(&self) -> Self {
        Self { state: Arc::clone(&self.state), position: Arc::clone(&self.position) }
    }
}

impl<R: Read> Hashing<R> {
    pub(crate) fn new(raw: R) -> Self {
        let state = Arc::new(Mutex::new(State { raw, hasher: Sha256::new() }));
        Self { state, position: Arc::default() }
    }

    /// Bytes that were read.
    pub(crate) fn position(&self) -> u64 {
        self.position.load(Ordering::Relaxed)
    }

    /// Reads what the decoder left unread, and gives the checksum in hex; `None` when cancelled.
    pub(crate) fn finish(mut self, cancel: &CancellationToken) -> io::Result<Option<String>> {
        let mut rest = vec![0; 64 * 1024];
        while self.read(&mut rest)? > 0 {
            if cancel.is_cancelled() {
                return Ok(None);
            }
        }
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Some(hex::encode(state.hasher.clone().finalize())))
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let read = state.raw.read(buffer)?;
        state.hasher.update(&buffer[..read]);
        self.position.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
