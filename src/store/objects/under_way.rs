//! What was begun in a place and is neither ended nor taken back yet. Whoever takes it back does so on a thread of its
//! own, and may have to wait for the place; a run that was interrupted waits for that before its process ends.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

static COUNT: Mutex<usize> = Mutex::new(0);
static ENDED: Condvar = Condvar::new();

/// Something that was begun. It is under way until this is dropped.
#[derive(Debug)]
pub struct UnderWay(());

impl UnderWay {
    /// It begins.
    pub fn begin() -> Self {
        *COUNT.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Self(())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        *COUNT.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        ENDED.notify_all();
    }
}

/// Waits until nothing is under way, no longer than this.
pub fn settle(limit: Duration) {
    let count = COUNT.lock().unwrap_or_else(PoisonError::into_inner);
    let waited = ENDED.wait_timeout_while(count, limit, |count| *count > 0);
    let (count, _) = waited.unwrap_or_else(PoisonError::into_inner);
    if *count > 0 {
        tracing::warn!("what was begun in a place was not taken back");
    }
}
