//! Copies of a backup that are written while it is made: what its own place takes, each copy takes too, by a thread and
//! over a queue of its own.
//!
//! The dump waits for a copy that does not keep up, within limits: see [`MOST_WAITED`]. One that is slower, or dead, is let
//! go, and holds up nothing any more.

use std::io::{self, Write};
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio_util::sync::CancellationToken;

use super::failing::failed;
use crate::commands::Failure;
use crate::model::format::Format;
use crate::store::error::StoreError;
use crate::store::new_directory::{NewDirectory, NewMember};
use crate::store::new_file::{NewFile, Published};

/// Bytes that are handed on at a time.
const PIECE_BYTES: usize = 256 << 10;
/// Pieces that wait for a copy at the most: 8 MiB.
const QUEUE: usize = 32;
/// How long a copy may hold up the dump, all in all; more only while that is not longer than the dump would have taken
/// without it.
const MOST_WAITED: Duration = Duration::from_secs(30);
/// How long to wait before a full queue is tried again.
const PAUSE: Duration = Duration::from_millis(5);

/// What a copy is told.
#[derive(Debug, Clone)]
enum Told {
    /// About how large it will be, in bytes.
    Expect(u64),
    /// A file of a directory begins.
    Begin(String),
    Bytes(Bytes),
    /// A file of a directory ends.
    End,
    /// The backup has its name: so may the copy.
    Done,
}

/// The copies of one run.
#[derive(Debug, Default)]
pub(super) struct Copying {
    begun: Mutex<Vec<Begun>>,
}

/// A copy that is being written.
#[derive(Debug)]
pub(super) struct Begun {
    place: PathBuf,
    /// `None` where it was let go, or was never told that the backup is done.
    pub(super) written: JoinHandle<Result<Option<Published>, Failure>>,
}

impl Copying {
    /// Begins a copy of this name in each place.
    pub(super) fn begin(
        &self,
        places: &[PathBuf],
        (name, format): (&Path, Format),
        stop: &CancellationToken,
    ) -> Feed {
        let mut feed = Feed::default();
        for place in places {
            let (queue, told) = sync_channel(QUEUE);
            let (target, stop) = (place.join(name), stop.child_token());
            feed.queues.push(Queue::new(queue, stop.clone()));
            let written = spawn_blocking(move || write(&target, format, &told, &stop));
            self.begun().push(Begun { place: place.clone(), written });
        }
        feed
    }

    /// The copy in this place, where one was begun.
    pub(super) fn take(&self, place: &Path) -> Option<Begun> {
        let mut begun = self.begun();
        let at = begun.iter().position(|begun| begun.place == place)?;
        Some(begun.remove(at))
    }

    /// Waits until what was sent of all copies is taken back, where nobody feeds them any more.
    pub(super) async fn ended(&self) {
        let begun = mem::take(&mut *self.begun());
        for copy in begun {
            let _ = copy.written.await;
        }
    }

    fn begun(&self) -> MutexGuard<'_, Vec<Begun>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the copies what to write. Dropped before [`Feed::done`], they become none.
#[derive(Debug, Default)]
pub(super) struct Feed {
    queues: Vec<Queue>,
    piece: Vec<u8>,
}

impl Feed {
    /// About how large the copies will be, before anything is written.
    pub(super) fn expect(&mut self, bytes: u64) {
        self.tell(&Told::Expect(bytes));
    }

    /// Begins a file of a directory.
    pub(super) fn begin(&mut self, name: &str) {
        self.tell(&Told::Begin(name.to_owned()));
    }

    /// Ends a file of a directory.
    pub(super) fn end(&mut self) {
        self.hand_on();
        self.tell(&Told::End);
    }

    /// Bytes that the backup's own place has taken.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        if self.queues.is_empty() {
            return;
        }
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE_BYTES {
            self.hand_on();
        }
    }

    /// The backup has its name: the copies get theirs.
    pub(super) fn done(mut self) {
        self.hand_on();
        self.tell(&Told::Done);
    }

    fn hand_on(&mut self) {
        if !self.piece.is_empty() {
            let piece = Bytes::from(mem::take(&mut self.piece));
            self.tell(&Told::Bytes(piece));
        }
    }

    fn tell(&mut self, what: &Told) {
        self.queues.retain_mut(|queue| queue.send(what.clone()));
    }
}

/// The way to one copy.
#[derive(Debug)]
struct Queue {
    to: SyncSender<Told>,
    stop: CancellationToken,
    begun: Instant,
    waited: Duration,
    most_waited: Duration,
}

impl Queue {
    fn new(to: SyncSender<Told>, stop: CancellationToken) -> Self {
        let (begun, waited) = (Instant::now(), Duration::ZERO);
        Self { to, stop, begun, waited, most_waited: MOST_WAITED }
    }

    /// Hands it on, and waits where it has to; `false` where the copy has failed, or is let go.
    fn send(&mut self, mut what: Told) -> bool {
        let asked = Instant::now();
        loop {
            what = match self.to.try_send(what) {
                Ok(()) => break,
                Err(TrySendError::Disconnected(_)) => return false,
                Err(TrySendError::Full(what)) => what,
            };
            let waited = self.waited + asked.elapsed();
            let without_it = self.begun.elapsed().saturating_sub(waited);
            if waited > self.most_waited.max(without_it) || self.stop.is_cancelled() {
                tracing::warn!("a copy is too slow for the dump, and is brought after it");
                self.stop.cancel();
                return false;
            }
            std::thread::sleep(PAUSE);
        }
        self.waited += asked.elapsed();
        true
    }
}

/// A copy in the making.
enum New {
    File(NewFile),
    Directory(NewDirectory, Option<NewMember>),
}

impl New {
    fn begin(target: &Path, format: Format) -> Result<Self, StoreError> {
        match format {
            Format::Directory => Ok(Self::Directory(NewDirectory::create(target, false)?, None)),
            _ => Ok(Self::File(NewFile::create(target, false)?)),
        }
    }

    fn expect(&mut self, bytes: u64, stop: &CancellationToken) {
        match self {
            Self::File(file) => file.expect(bytes, stop),
            Self::Directory(directory, _) => directory.expect(bytes, stop),
        }
    }

    fn begin_member(&mut self, name: &str) -> io::Result<()> {
        if let Self::Directory(directory, member) = self {
            *member = Some(directory.begin(name)?);
        }
        Ok(())
    }

    fn end_member(&mut self) -> io::Result<()> {
        match self {
            Self::Directory(_, member) => member.take().map_or(Ok(()), NewMember::finish),
            Self::File(_) => Ok(()),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::File(file) => file.write_all(bytes),
            Self::Directory(_, Some(member)) => member.write_all(bytes),
            Self::Directory(_, None) => Err(io::Error::other("no file was begun")),
        }
    }

    fn publish(self) -> Result<Published, StoreError> {
        match self {
            Self::File(file) => file.publish(),
            Self::Directory(directory, _) => directory.publish(),
        }
    }
}

/// Writes what it is told; `None` when that ended before the backup was done, or it was let go.
fn write(
    target: &Path,
    format: Format,
    told: &Receiver<Told>,
    stop: &CancellationToken,
) -> Result<Option<Published>, Failure> {
    let mut new = New::begin(target, format).map_err(|error| Failure::from(&error))?;
    while let Ok(told) = told.recv() {
        let written = match told {
            Told::Expect(bytes) => {
                new.expect(bytes, stop);
                Ok(())
            }
            Told::Begin(name) => new.begin_member(&name),
            Told::Bytes(bytes) => new.write(&bytes),
            Told::End => new.end_member(),
            Told::Done => {
                return new.publish().map(Some).map_err(|error| Failure::from(&error));
            }
        };
        match written {
            Ok(()) => {}
            Err(_) if stop.is_cancelled() => return Ok(None),
            Err(error) => return Err(failed(error.to_string(), "check the disk and the network")),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A queue that nobody empties, and who it belongs to.
    fn stuck(most_waited: Duration) -> (Queue, Receiver<Told>) {
        let (to, told) = sync_channel(1);
        (Queue { most_waited, ..Queue::new(to, CancellationToken::new()) }, told)
    }

    #[test]
    fn a_copy_that_takes_nothing_is_let_go_and_holds_up_nothing_any_more() {
        let (queue, _told) = stuck(Duration::from_millis(20));
        let stop = queue.stop.clone();
        let mut feed = Feed { queues: vec![queue], piece: Vec::new() };
        for _ in 0..4 {
            feed.write(&vec![0; PIECE_BYTES]);
        }
        assert!(feed.queues.is_empty());
        assert!(stop.is_cancelled(), "what is on its way is given up");
    }

    #[test]
    fn a_copy_may_hold_up_the_dump_by_as_long_as_the_dump_takes() {
        let (mut queue, told) = stuck(Duration::ZERO);
        queue.begun = Instant::now().checked_sub(Duration::from_secs(3600)).unwrap();
        assert!(queue.send(Told::Done));
        let late = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            told.recv().unwrap();
            told
        });
        assert!(queue.send(Told::Done), "an hour without it, and a moment of waiting");
        assert!(queue.waited > Duration::ZERO);
        drop(late.join().unwrap());
        assert!(!queue.send(Told::Done), "it has failed");
    }

    #[tokio::test]
    async fn copies_are_what_was_written_and_appear_when_the_backup_is_done() {
        let (dir, copying) = (tempfile::tempdir().unwrap(), Copying::default());
        let places = [dir.path().join("one"), dir.path().join("two")];
        let (name, stop) = (Path::new("x.sql"), CancellationToken::new());
        for is_done in [false, true] {
            let mut feed = copying.begin(&places, (name, Format::Plain), &stop);
            feed.expect(10);
            let whole: Vec<u8> = (0..PIECE_BYTES * 3 + 5).map(|at| (at % 251) as u8).collect();
            whole.chunks(10_007).for_each(|piece| feed.write(piece));
            if is_done {
                feed.done()
            } else {
                drop(feed)
            }
            for place in &places {
                let written = copying.take(place).unwrap().written.await.unwrap().unwrap();
                assert_eq!(written.is_some(), is_done);
                let there = std::fs::read(place.join(name)).ok();
                assert!(there == is_done.then(|| whole.clone()));
            }
        }
    }

    #[tokio::test]
    async fn a_copy_that_cannot_be_written_leaves_the_others_alone() {
        let (dir, copying) = (tempfile::tempdir().unwrap(), Copying::default());
        let places = [dir.path().join("file/below"), dir.path().join("good")];
        std::fs::write(dir.path().join("file"), "no directory").unwrap();
        let stop = CancellationToken::new();
        let mut feed = copying.begin(&places, (Path::new("x.sql"), Format::Plain), &stop);
        (0..QUEUE * 2).for_each(|_| feed.write(&vec![7; PIECE_BYTES]));
        feed.done();
        assert!(copying.take(&places[0]).unwrap().written.await.unwrap().is_err());
        assert!(copying.take(&places[1]).unwrap().written.await.unwrap().unwrap().is_some());
        let bytes = std::fs::metadata(places[1].join("x.sql")).unwrap().len();
        assert_eq!(bytes, (QUEUE * 2 * PIECE_BYTES) as u64);
    }
}
