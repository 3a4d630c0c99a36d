//! Unpacks several members at a time, and gives their contents in order.
//!
//! ```text
//! file ─▶ reader ─ members ─▶ worker × N ─▶ (a receipt for each member, in order) ─▶ who reads
//! ```
//!
//! The receipts bound the memory: there are a few more than workers, and each stands for a member
//! and its contents. Where a member comes that cannot be unpacked whole, or that is damaged, the
//! threads end and [`Sequential`] goes on from there, on one thread.

use std::io::{self, Read};
use std::marker::PhantomData;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use super::{Ahead, Contents, Format, Sequential, Source};
use crate::packing::member_index::{MemberIndex, MemberStart};

/// Members in flight beside those that the workers have.
const WAITING: usize = 2;

/// See the module.
pub(super) struct Parallel<F, R> {
    state: State<R>,
    format: PhantomData<fn() -> F>,
    threads: NonZeroUsize,
    contents: Contents,
    /// The buffers whose contents are being read.
    member: Vec<u8>,
    begun: bool,
    read: u64,
    members: MemberIndex,
}

enum State<R> {
    New(Source<R>),
    Parallel(Pipeline<R>),
    Stream(Box<dyn Read + Send>),
    Ended,
}

impl<F: Format, R: Read + Send + 'static> Parallel<F, R> {
    pub(super) fn new(source: Source<R>, members: MemberIndex, threads: NonZeroUsize) -> Self {
        Self {
            state: State::New(source),
            format: PhantomData,
            threads,
            contents: Contents::default(),
            member: Vec::new(),
            begun: false,
            read: 0,
            members,
        }
    }

    /// Takes the contents of the next member.
    fn next(&mut self, mut pipeline: Pipeline<R>) -> io::Result<()> {
        let spare = Buffers {
            member: std::mem::take(&mut self.member),
            contents: std::mem::take(&mut self.contents),
        };
        match pipeline.next(spare)? {
            Next::Unpacked(offset, buffers) => {
                self.begun = true;
                self.members.note(MemberStart { offset, dump_offset: self.read });
                (self.member, self.contents) = (buffers.member, buffers.contents);
                self.state = State::Parallel(pipeline);
            }
            Next::Rest(source) => self.go_on(source),
        }
        Ok(())
    }

    /// Goes on without the workers; one thread decompresses, and another one reads.
    fn go_on(&mut self, source: Source<R>) {
        let rest = Sequential::<F, R>::after(source, self.begun, self.read, self.members.clone());
        self.state = State::Stream(Ahead::begin(Box::new(rest)));
    }
}

impl<F: Format, R: Read + Send + 'static> Read for Parallel<F, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !buffer.is_empty() {
            if let State::Stream(stream) = &mut self.state {
                return stream.read(buffer);
            }
            let read = self.contents.give(buffer);
            if read > 0 {
                self.read += read as u64;
                return Ok(read);
            }
            match std::mem::replace(&mut self.state, State::Ended) {
                State::New(source) => match Pipeline::start::<F>(source, self.threads) {
                    Ok(pipeline) => self.state = State::Parallel(pipeline),
                    Err(source) => self.go_on(source),
                },
                State::Parallel(pipeline) => self.next(pipeline)?,
                State::Stream(_) | State::Ended => break,
            }
        }
        Ok(0)
    }
}

/// What a member is unpacked from and into.
#[derive(Default)]
struct Buffers {
    member: Vec<u8>,
    contents: Contents,
}

/// A member to be unpacked.
struct Job {
    buffers: Buffers,
    /// Bytes of its contents.
    bytes: usize,
    reply: SyncSender<Done>,
}

/// A member that was unpacked; or was not, because it is not whole or nobody wants it any more.
struct Done {
    buffers: Buffers,
    whole: bool,
}

/// Stands for a member, in the order of the file.
struct Receipt {
    offset: u64,
    done: Receiver<Done>,
}

enum Next<R> {
    /// The contents of a member that begins at this byte.
    Unpacked(u64, Buffers),
    /// There are no more members that can be unpacked whole; what follows, if anything.
    Rest(Source<R>),
}

/// How the reader ended: where it stopped, and what the disk said.
type Stopped<R> = (Source<R>, io::Result<()>);

/// The threads.
struct Pipeline<R> {
    /// `None` only while it is dropped.
    receipts: Option<Receiver<Receipt>>,
    spare: SyncSender<Buffers>,
    stop: Arc<AtomicBool>,
    reader: Option<JoinHandle<Option<Stopped<R>>>>,
    workers: Vec<JoinHandle<()>>,
}

impl<R: Read + Send + 'static> Pipeline<R> {
    /// Starts the threads; where they cannot be had, the source is given back.
    fn start<F: Format>(source: Source<R>, threads: NonZeroUsize) -> Result<Self, Source<R>> {
        let in_flight = threads.get() + WAITING;
        let (jobs, job_queue) = sync_channel::<Job>(in_flight);
        let (receipts, receipt_queue) = sync_channel(in_flight);
        let (spare, buffers) = sync_channel(in_flight + threads.get());
        // Handed over when the thread is there, so that it is not lost when it is not.
        let (give, take) = sync_channel::<Source<R>>(1);
        let stop = Arc::new(AtomicBool::new(false));
        let mut this = Self {
            receipts: Some(receipt_queue),
            spare,
            stop: Arc::clone(&stop),
            reader: None,
            workers: Vec::new(),
        };
        let job_queue = Arc::new(Mutex::new(job_queue));
        for number in 0..threads.get() {
            let (queue, stop) = (Arc::clone(&job_queue), Arc::clone(&stop));
            let name = format!("unpack-{number}");
            let worker = Builder::new().name(name).spawn(move || work::<F>(&queue, &stop));
            let Ok(worker) = worker else { break };
            this.workers.push(worker);
        }
        if this.workers.is_empty() {
            return Err(source);
        }
        drop(job_queue);
        let members = Members { jobs, receipts, buffers, stop };
        let reader = Builder::new()
            .name("unpack-read".to_owned())
            .spawn(move || take.recv().ok().map(|source| members.read::<F, R>(source)));
        match reader {
            Ok(reader) => this.reader = Some(reader),
            Err(_) => return Err(source),
        }
        // The thread waits for nothing else.
        let _ = give.send(source);
        Ok(this)
    }

    /// What comes next; `used` buffers are filled again.
    fn next(&mut self, used: Buffers) -> io::Result<Next<R>> {
        // Where there is no room for them, they are not needed.
        let _ = self.spare.try_send(used);
        let Some(receipt) = self.receipt() else {
            return self.join().map(Next::Rest);
        };
        let done = receipt.done.recv().map_err(|_| died())?;
        if done.whole {
            return Ok(Next::Unpacked(receipt.offset, done.buffers));
        }
        // All that was taken from here on is given back.
        self.stop.store(true, Ordering::Relaxed);
        let mut taken = done.buffers.member;
        while let Some(receipt) = self.receipt() {
            let done = receipt.done.recv().map_err(|_| died())?;
            taken.extend_from_slice(&done.buffers.member);
        }
        let mut source = self.join()?;
        source.give_back(taken);
        Ok(Next::Rest(source))
    }

    /// The next receipt; `None` when the reader has ended.
    fn receipt(&self) -> Option<Receipt> {
        self.receipts.as_ref()?.recv().ok()
    }

    /// Where the reader stopped.
    fn join(&mut self) -> io::Result<Source<R>> {
        let stopped = self.reader.take().and_then(|reader| reader.join().ok()).flatten();
        let (source, result) = stopped.ok_or_else(died)?;
        result.map(|()| source)
    }
}

impl<R> Drop for Pipeline<R> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // The reader ends when nobody takes its receipts, the workers when there is no reader.
        self.receipts = None;
        let _ = self.reader.take().map(JoinHandle::join);
        for worker in self.workers.drain(..) {
            let _ = worker.join();
        }
    }
}

fn died() -> io::Error {
    io::Error::other("a thread that decompresses has died")
}

/// The reader's side.
struct Members {
    jobs: SyncSender<Job>,
    receipts: SyncSender<Receipt>,
    buffers: Receiver<Buffers>,
    stop: Arc<AtomicBool>,
}

impl Members {
    /// Hands out members until one comes that cannot be had whole, or nobody wants them.
    fn read<F: Format, R: Read>(self, mut source: Source<R>) -> Stopped<R> {
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return (source, Ok(()));
            }
            let offset = source.position();
            let mut buffers = self.buffers.try_recv().unwrap_or_default();
            let bytes = match F::take(&mut source, &mut buffers.member) {
                Ok(Some(bytes)) => bytes,
                Ok(None) => return (source, Ok(())),
                Err(error) => return (source, Err(error)),
            };
            let (reply, done) = sync_channel(1);
            // The receipt goes first: when it is taken, the member is, too.
            let sent = self.receipts.send(Receipt { offset, done }).is_ok()
                && self.jobs.send(Job { buffers, bytes, reply }).is_ok();
            if !sent {
                return (source, Ok(()));
            }
        }
    }
}

/// Unpacks members until there are no more.
fn work<F: Format>(queue: &Mutex<Receiver<Job>>, stop: &AtomicBool) {
    let mut unpacker = F::Unpacker::default();
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { mut buffers, bytes, reply }) = job else { return };
        let whole = !stop.load(Ordering::Relaxed)
            && F::unpack(&mut unpacker, &buffers.member, buffers.contents.room(bytes));
        // Nobody waits for it when the threads are being stopped.
        let _ = reply.send(Done { buffers, whole });
    }
}
