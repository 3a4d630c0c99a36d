//! Parts of a dump, read by several at once and taken in their order, with no more of them in memory than a few.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Pieces of a part that wait to be taken; with pieces of 256 KiB this bounds the memory.
const PIECES: usize = 32;

/// A piece of a part.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Some of its rows.
    Rows(Vec<u8>),
    /// It was read to its end.
    End,
}

/// Which parts are being read.
#[derive(Debug)]
pub(super) struct PartQueue {
    state: Mutex<State>,
    changed: Condvar,
    parts: usize,
    /// Parts that may be read before the first of them was taken.
    ahead: usize,
}

#[derive(Debug, Default)]
struct State {
    begun: usize,
    taken: usize,
    /// Of the parts that are begun and not being taken yet, in their order.
    waiting: VecDeque<Receiver<Piece>>,
    closed: bool,
}

impl PartQueue {
    /// Of so many parts, with so many readers.
    pub(super) fn new(parts: usize, readers: usize) -> Self {
        let ahead = readers + 2;
        Self { state: Mutex::default(), changed: Condvar::new(), parts, ahead }
    }

    /// The next part to be read, and where its pieces go. Waits until it is near; `None` when there is none left, or nobody
    /// takes any more.
    pub(super) fn begin(&self) -> Option<(usize, SyncSender<Piece>)> {
        let too_far = |state: &mut State| {
            !state.closed && state.begun < self.parts && state.begun - state.taken >= self.ahead
        };
        let waited = self.changed.wait_while(self.lock(), too_far);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        if state.closed || state.begun == self.parts {
            return None;
        }
        let (sender, receiver) = sync_channel(PIECES);
        let part = state.begun;
        state.begun += 1;
        state.waiting.push_back(receiver);
        self.changed.notify_all();
        Some((part, sender))
    }

    /// Hands on the pieces of the next part. `false` when it is not read to its end.
    pub(super) fn take<E>(&self, each: &mut dyn FnMut(&[u8]) -> Result<(), E>) -> Result<bool, E> {
        let nothing = |state: &mut State| !state.closed && state.waiting.is_empty();
        let waited = self.changed.wait_while(self.lock(), nothing);
        let receiver = waited.unwrap_or_else(PoisonError::into_inner).waiting.pop_front();
        let Some(receiver) = receiver else { return Ok(false) };
        loop {
            match receiver.recv() {
                Ok(Piece::Rows(rows)) => each(&rows)?,
                Ok(Piece::End) => break,
                Err(_) => return Ok(false),
            }
        }
        self.lock().taken += 1;
        self.changed.notify_all();
        Ok(true)
    }

    /// Ends everybody's waiting, and what would be begun; nobody takes what was not taken.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.waiting.clear();
        drop(state);
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::thread;
    use std::time::Duration;

    use super::*;

    fn taken(queue: &PartQueue) -> Option<Vec<u8>> {
        let mut rows = Vec::new();
        let Ok(whole) = queue.take(&mut |piece| {
            rows.extend_from_slice(piece);
            Ok::<_, Infallible>(())
        });
        whole.then_some(rows)
    }

    #[test]
    fn parts_are_taken_in_their_order_whoever_is_done_first() {
        const PARTS: usize = 40;
        let queue = PartQueue::new(PARTS, 3);
        thread::scope(|scope| {
            for reader in 0..3 {
                let queue = &queue;
                scope.spawn(move || {
                    while let Some((part, sender)) = queue.begin() {
                        thread::sleep(Duration::from_millis(reader));
                        sender.send(Piece::Rows(vec![part as u8])).unwrap();
                        sender.send(Piece::End).unwrap();
                    }
                });
            }
            for part in 0..PARTS {
                assert_eq!(taken(&queue), Some(vec![part as u8]));
            }
        });
        assert!(queue.begin().is_none());
    }

    #[test]
    fn nobody_reads_far_ahead() {
        let queue = PartQueue::new(100, 1);
        let begun: Vec<_> = (0..3).map(|_| queue.begin().unwrap()).collect();
        thread::scope(|scope| {
            let fourth = scope.spawn(|| queue.begin().unwrap().0);
            thread::sleep(Duration::from_millis(50));
            assert!(!fourth.is_finished());
            begun[0].1.send(Piece::End).unwrap();
            assert_eq!(taken(&queue), Some(Vec::new()));
            assert_eq!(fourth.join().unwrap(), 3);
        });
    }

    #[test]
    fn a_part_whose_reader_is_gone_is_not_whole() {
        let queue = PartQueue::new(2, 1);
        let (_, sender) = queue.begin().unwrap();
        sender.send(Piece::Rows(b"1\n".to_vec())).unwrap();
        drop(sender);
        assert_eq!(taken(&queue), None);
    }

    #[test]
    fn when_it_is_closed_nobody_waits() {
        let queue = PartQueue::new(2, 1);
        thread::scope(|scope| {
            let taker = scope.spawn(|| taken(&queue));
            queue.close();
            assert_eq!(taker.join().unwrap(), None);
        });
        assert!(queue.begin().is_none());
    }

    #[test]
    fn a_reader_is_told_that_nobody_takes_its_part() {
        let queue = PartQueue::new(2, 1);
        let (_, sender) = queue.begin().unwrap();
        queue.close();
        assert!(sender.send(Piece::End).is_err());
    }
}
