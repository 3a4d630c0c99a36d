//! Packs a stream on several threads: cut in pieces of about a mebibyte, each compressed by itself,
//! written in order and counted on the way.
//!
//! A gzip file may consist of several members (RFC 1952, section 2.2), and every reader of gzip
//! takes their contents as one stream. So the file stays an ordinary `.gz`, and a reader that knows
//! the offsets can start at any member. Knows nothing of dumps or of where the bytes go.
//!
//! ```text
//! caller ─ pieces ─▶ worker × N ─▶ (a receipt for each piece, in order) ─▶ writer ─▶ sink
//! ```
//!
//! The receipts are what bounds the memory: there are twice as many as workers, and each stands for
//! one piece of about a mebibyte. A piece is packed in its own buffer, and the buffers go round.

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use memchr::memrchr;
use thiserror::Error;

use super::codec::{Codec, CodecError, Encoder};
use super::member::MOST_CONTENT;
use super::member_index::MemberStart;

/// Bytes of input that are packed as one member; one ends at the end of a line where it can.
pub const PIECE_BYTES: usize = 1 << 20;
/// What is written is read back member by member, each in memory.
const _: () = assert!(PIECE_BYTES <= MOST_CONTENT);

/// Why a stream could not be packed.
#[derive(Debug, Error)]
pub enum CompressError {
    /// What is written could not be written.
    #[error("could not write the backup: {0}")]
    Sink(#[source] io::Error),
    /// The threads could not be started.
    #[error("could not start a thread to compress with: {0}")]
    Threads(#[source] io::Error),
    /// The codec refused.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// A thread ended before its time, or an earlier error was passed over.
    #[error("the compressor has stopped")]
    Stopped,
}

impl CompressError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Sink(error) => match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(
                    "free space in the backup directory, or name another with --backup-dir"
                        .to_owned(),
                ),
                io::ErrorKind::FileTooLarge => {
                    Some("the file system or `ulimit -f` allows no larger file".to_owned())
                }
                // It is no disk.
                io::ErrorKind::BrokenPipe => None,
                _ => Some("check the disk that the backup is written to".to_owned()),
            },
            Self::Threads(_) => Some("fewer threads may be allowed here (ulimit -u)".to_owned()),
            Self::Codec(error) => error.hint(),
            Self::Stopped => None,
        }
    }
}

/// What became of a stream.
#[derive(Debug)]
pub struct Compressed<W> {
    /// Where it was written to, flushed.
    pub sink: W,
    /// Bytes that were packed.
    pub bytes_in: u64,
    /// Bytes that were written.
    pub bytes_out: u64,
    /// The members in order; with [`Codec::None`] the pieces that were written.
    pub members: Vec<MemberStart>,
}

type Packed = Result<Piece, CodecError>;

/// A buffer on its way: first what is packed, then what is written.
#[derive(Debug)]
struct Piece {
    buffer: Vec<u8>,
    bytes_in: usize,
}

struct Job {
    piece: Piece,
    reply: SyncSender<Packed>,
}

/// Packs what is written to it. [`Compressor::finish`] ends it; dropped before that, its threads
/// stop and the sink is dropped with them.
#[derive(Debug)]
pub struct Compressor<W> {
    piece: Vec<u8>,
    jobs: Option<SyncSender<Job>>,
    receipts: Option<SyncSender<Receiver<Packed>>>,
    spare: Receiver<Vec<u8>>,
    stop: Arc<AtomicBool>,
    workers: Vec<JoinHandle<()>>,
    writer: Option<JoinHandle<Result<Compressed<W>, CompressError>>>,
    pieces: u64,
}

impl<W: Write + Send + 'static> Compressor<W> {
    /// Starts `threads` workers and a writer to `sink`.
    ///
    /// # Errors
    /// [`CompressError::Codec`] when the codec does not know the level, [`CompressError::Threads`].
    pub fn new(sink: W, codec: Codec, threads: NonZeroUsize) -> Result<Self, CompressError> {
        let threads = if codec == Codec::None { 1 } else { threads.get() };
        let in_flight = 2 * threads;
        let (jobs, job_queue) = sync_channel::<Job>(in_flight);
        let (receipts, receipt_queue) = sync_channel::<Receiver<Packed>>(in_flight);
        let (give_back, spare) = sync_channel(in_flight + 1);
        let stop = Arc::new(AtomicBool::new(false));
        let mut this = Self {
            piece: Vec::with_capacity(PIECE_BYTES),
            jobs: Some(jobs),
            receipts: Some(receipts),
            spare,
            stop: Arc::clone(&stop),
            workers: Vec::with_capacity(threads),
            writer: None,
            pieces: 0,
        };
        let job_queue = Arc::new(Mutex::new(job_queue));
        for number in 0..threads {
            let encoder = codec.encoder()?;
            let (queue, stop) = (Arc::clone(&job_queue), Arc::clone(&stop));
            let worker = std::thread::Builder::new()
                .name(format!("compress-{number}"))
                .spawn(move || work(&queue, encoder, &stop))
                .map_err(CompressError::Threads)?;
            this.workers.push(worker);
        }
        let writer = std::thread::Builder::new()
            .name("compress-write".to_owned())
            .spawn(move || {
                let result = write_in_order(sink, &receipt_queue, &give_back, &stop);
                if result.is_err() {
                    stop.store(true, Ordering::Relaxed);
                }
                result
            })
            .map_err(CompressError::Threads)?;
        this.writer = Some(writer);
        Ok(this)
    }

    /// Packs `data`; waits while too much is in flight.
    ///
    /// # Errors
    /// The first error of the sink or the codec, as soon as it is known; after it, every call
    /// answers [`CompressError::Stopped`].
    pub fn write(&mut self, mut data: &[u8]) -> Result<(), CompressError> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(self.failure());
        }
        while !data.is_empty() {
            let room = PIECE_BYTES - self.piece.len();
            let (now, later) = data.split_at(room.min(data.len()));
            self.piece.extend_from_slice(now);
            data = later;
            if self.piece.len() == PIECE_BYTES {
                // A member that ends with a line can be loaded without its neighbours.
                let half = PIECE_BYTES / 2;
                let end = memrchr(b'\n', &self.piece[half..])
                    .map_or(PIECE_BYTES, |newline| half + newline + 1);
                self.send(end)?;
            }
        }
        Ok(())
    }

    /// Packs what is left, waits until everything is written and flushed, and says what it was.
    /// Does not fsync.
    ///
    /// # Errors
    /// As [`Compressor::write`].
    pub fn finish(mut self) -> Result<Compressed<W>, CompressError> {
        // An empty stream is one empty member: a file without any would be no gzip file.
        if !self.piece.is_empty() || self.pieces == 0 {
            self.send(self.piece.len())?;
        }
        self.close()
    }

    /// Sends the first `end` bytes at hand to be packed.
    fn send(&mut self, end: usize) -> Result<(), CompressError> {
        let mut next = match self.spare.try_recv() {
            Ok(buffer) => buffer,
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => {
                Vec::with_capacity(PIECE_BYTES)
            }
        };
        next.extend_from_slice(&self.piece[end..]);
        self.piece.truncate(end);
        let piece = Piece { buffer: std::mem::replace(&mut self.piece, next), bytes_in: end };
        let (reply, receipt) = sync_channel(1);
        let (Some(jobs), Some(receipts)) = (&self.jobs, &self.receipts) else {
            return Err(CompressError::Stopped);
        };
        // The receipt goes first: its queue is the shorter one, and the writer ends on an error.
        if receipts.send(receipt).is_err() || jobs.send(Job { piece, reply }).is_err() {
            return Err(self.failure());
        }
        self.pieces += 1;
        Ok(())
    }

    /// The error that the writer ended with.
    fn failure(&mut self) -> CompressError {
        self.close().err().unwrap_or(CompressError::Stopped)
    }
}

impl<W> Compressor<W> {
    /// Closes the queues, waits for the threads, and returns what the writer made of it.
    fn close(&mut self) -> Result<Compressed<W>, CompressError> {
        self.jobs = None;
        self.receipts = None;
        for worker in self.workers.drain(..) {
            // A worker that panicked has not replied, which the writer reports.
            let _ = worker.join();
        }
        match self.writer.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) | None => Err(CompressError::Stopped),
        }
    }
}

impl<W> Drop for Compressor<W> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.close();
    }
}

/// Packs pieces until there are no more.
fn work(queue: &Mutex<Receiver<Job>>, mut encoder: Box<dyn Encoder>, stop: &AtomicBool) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { mut piece, reply }) = job else {
            return;
        };
        if stop.load(Ordering::Relaxed) {
            continue;
        }
        let packed = encoder.encode(&mut piece.buffer).map(|()| piece);
        // Nobody waits for it when the writer has failed.
        let _ = reply.send(packed);
    }
}

/// Writes the pieces in the order of their receipts.
fn write_in_order<W: Write>(
    mut sink: W,
    receipts: &Receiver<Receiver<Packed>>,
    give_back: &SyncSender<Vec<u8>>,
    stop: &AtomicBool,
) -> Result<Compressed<W>, CompressError> {
    let (mut bytes_in, mut bytes_out) = (0u64, 0u64);
    let mut members = Vec::new();
    while let Ok(receipt) = receipts.recv() {
        let mut piece = receipt.recv().map_err(|_| CompressError::Stopped)??;
        if stop.load(Ordering::Relaxed) {
            return Err(CompressError::Stopped);
        }
        members.push(MemberStart { offset: bytes_out, dump_offset: bytes_in });
        sink.write_all(&piece.buffer).map_err(CompressError::Sink)?;
        bytes_in += piece.bytes_in as u64;
        bytes_out += piece.buffer.len() as u64;
        piece.buffer.clear();
        // A full queue of spare buffers, or a caller that is gone, needs no more of them.
        let _ = give_back.try_send(piece.buffer);
    }
    sink.flush().map_err(CompressError::Sink)?;
    Ok(Compressed { sink, bytes_in, bytes_out, members })
}

#[cfg(test)]
#[path = "compress_tests.rs"]
mod tests;
