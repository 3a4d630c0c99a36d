//! Reads a stream on a thread of its own, ahead of whoever wants it.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::Contents;

/// Bytes in a chunk.
const CHUNK_BYTES: usize = 256 * 1024;
/// Chunks that wait to be read.
const CHUNKS: usize = 4;

type Chunk = io::Result<Contents>;

/// See the module. Dropped, it stops the thread, at the latest after the chunk at hand.
pub(super) struct Ahead {
    /// `None` after the end.
    chunks: Option<Receiver<Chunk>>,
    spare: SyncSender<Contents>,
    chunk: Contents,
    thread: Option<JoinHandle<()>>,
}

impl Ahead {
    /// Begins to read; where no thread can be had, the stream itself is given back.
    pub(super) fn begin(stream: Box<dyn Read + Send>) -> Box<dyn Read + Send> {
        let (sender, chunks) = sync_channel(CHUNKS);
        let (spare, buffers) = sync_channel(CHUNKS + 2);
        // Handed over when the thread is there, so that it is not lost when it is not.
        let (give, take) = sync_channel::<Box<dyn Read + Send>>(1);
        let thread = std::thread::Builder::new().name("unpack-ahead".to_owned()).spawn(move || {
            if let Ok(stream) = take.recv() {
                read(stream, &sender, &buffers);
            }
        });
        match thread {
            Ok(thread) => {
                // The thread waits for nothing else.
                let _ = give.send(stream);
                let (chunks, thread) = (Some(chunks), Some(thread));
                Box::new(Self { chunks, spare, chunk: Contents::default(), thread })
            }
            Err(error) => {
                tracing::debug!(%error, "no thread to read ahead with");
                stream
            }
        }
    }
}

/// Reads to the end, to an error, or until nobody listens.
fn read(
    mut stream: Box<dyn Read + Send>,
    sender: &SyncSender<Chunk>,
    buffers: &Receiver<Contents>,
) {
    loop {
        let mut chunk = buffers.try_recv().unwrap_or_default();
        match stream.read(chunk.room(CHUNK_BYTES)) {
            Ok(0) => return,
            Ok(read) => chunk.end_at(read),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                // When nobody listens, nobody wants to know.
                let _ = sender.send(Err(error));
                return;
            }
        }
        if sender.send(Ok(chunk)).is_err() {
            return;
        }
    }
}

impl Read for Ahead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !buffer.is_empty() {
            let read = self.chunk.give(buffer);
            if read > 0 {
                return Ok(read);
            }
            let Some(chunks) = &self.chunks else { break };
            match chunks.recv() {
                Ok(Ok(chunk)) => {
                    let used = std::mem::replace(&mut self.chunk, chunk);
                    // Where there is no room for it, it is not needed.
                    let _ = self.spare.try_send(used);
                }
                Ok(Err(error)) => return Err(error),
                Err(_) => return self.end(),
            }
        }
        Ok(0)
    }
}

impl Ahead {
    /// The end of the stream, unless the thread died.
    fn end(&mut self) -> io::Result<usize> {
        self.chunks = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(_)) => Err(io::Error::other("the thread that decompresses has died")),
            _ => Ok(0),
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.chunks = None;
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
