//! Blocks of an object, fetched before they are asked for where somebody reads on.
//!
//! Who jumps to a place gets a small block, so that a few rows of a large backup cost little; who reads on from the end
//! of a block gets ever larger ones, and the next one is on its way while this one is used. Several readers at several
//! places do not disturb each other.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::bucket::{Bucket, Object};
use super::error::ObjectError;
use super::runtime;

/// The first block at a place.
const FIRST: u64 = 128 << 10;
/// The largest block.
const LARGEST: u64 = 8 << 20;
/// By how much a block is larger than the one before.
const GROWTH: u64 = 2;
/// Bytes that are kept at the most, blocks on their way included.
const KEPT: u64 = 64 << 20;
/// Ends of blocks that are remembered when those are gone.
const ENDS: usize = 64;

/// See the module.
#[derive(Debug)]
pub(super) struct ReadAhead {
    bucket: Bucket,
    object: Object,
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The one that was used last is the last one.
    blocks: VecDeque<Block>,
    /// Where blocks ended that are gone, and how large they were.
    ends: VecDeque<(u64, u64)>,
}

#[derive(Debug)]
struct Block {
    at: u64,
    bytes: u64,
    /// Whether somebody read up to here before.
    reads_on: bool,
    data: Option<Result<Bytes, ObjectError>>,
}

impl Block {
    fn end(&self) -> u64 {
        self.at + self.bytes
    }

    fn holds(&self, at: u64) -> bool {
        (self.at..self.end()).contains(&at)
    }
}

impl ReadAhead {
    pub(super) fn new(bucket: Bucket, object: Object) -> Arc<Self> {
        Arc::new(Self { bucket, object, state: Mutex::default(), arrived: Condvar::new() })
    }

    /// Copies what there is from `at` on, as far as the block reaches.
    pub(super) fn read(self: &Arc<Self>, buffer: &mut [u8], at: u64) -> Result<usize, ObjectError> {
        if at >= self.object.bytes || buffer.is_empty() {
            return Ok(0);
        }
        let mut state = self.lock();
        loop {
            let Some(found) = state.blocks.iter().position(|block| block.holds(at)) else {
                self.begin(&mut state, at)?;
                continue;
            };
            match &state.blocks[found].data {
                None => {
                    state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                Some(Err(error)) => {
                    let error = error.clone();
                    // Who tries again asks again.
                    state.blocks.remove(found);
                    return Err(error);
                }
                Some(Ok(bytes)) => {
                    let block = &state.blocks[found];
                    let rest = bytes.slice((at - block.at) as usize..);
                    let (next, reads_on) = (block.end(), block.reads_on);
                    if let Some(block) = state.blocks.remove(found) {
                        state.blocks.push_back(block);
                    }
                    let is_next_known = state.blocks.iter().any(|block| block.holds(next));
                    if reads_on && next < self.object.bytes && !is_next_known {
                        self.begin(&mut state, next)?;
                    }
                    drop(state);
                    let copied = rest.len().min(buffer.len());
                    buffer[..copied].copy_from_slice(&rest[..copied]);
                    return Ok(copied);
                }
            }
        }
    }

    /// Has a block fetched that begins at a place.
    fn begin(self: &Arc<Self>, state: &mut State, at: u64) -> Result<(), ObjectError> {
        let blocks = state.blocks.iter().map(|block| (block.end(), block.bytes));
        let before = blocks.chain(state.ends.iter().copied()).find(|(end, _)| *end == at);
        let wanted = before.map_or(FIRST, |(_, bytes)| (bytes * GROWTH).clamp(FIRST, LARGEST));
        let ahead = state.blocks.iter().map(|block| block.at).filter(|other| *other > at).min();
        let end = (at + wanted).min(self.object.bytes).min(ahead.unwrap_or(u64::MAX));
        let bytes = end - at;
        make_room(state, bytes);
        state.blocks.push_back(Block { at, bytes, reads_on: before.is_some(), data: None });
        let reading = self.bucket.reading(&self.object, at, bytes)?;
        let this = Arc::clone(self);
        let system = |error| ObjectError::system(&self.object.url, &error);
        runtime::handle().map_err(system)?.spawn(async move {
            let read = reading.await;
            let mut state = this.lock();
            if let Some(block) =
                state.blocks.iter_mut().find(|block| block.at == at && block.data.is_none())
            {
                block.data = Some(read);
            }
            drop(state);
            this.arrived.notify_all();
        });
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets go of the blocks that were not used for the longest time.
fn make_room(state: &mut State, bytes: u64) {
    let kept = |state: &State| state.blocks.iter().map(|block| block.bytes).sum::<u64>();
    while kept(state) + bytes > KEPT {
        let Some(oldest) = state.blocks.iter().position(|block| block.data.is_some()) else {
            return;
        };
        if let Some(block) = state.blocks.remove(oldest) {
            state.ends.push_back((block.end(), block.bytes));
        }
        if state.ends.len() > ENDS {
            state.ends.pop_front();
        }
    }
}
