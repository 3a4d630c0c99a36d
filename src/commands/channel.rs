//! Bytes between a thread that reads or writes as files are, and a task that sends or receives.

use std::io::{self, Read, Write};

use bytes::{Buf, Bytes, BytesMut};
use tokio::sync::mpsc;

/// Bytes gathered before they are sent.
const PIECE_BYTES: usize = 256 * 1024;

/// Pieces in flight between a thread and a task; with pieces of 256 KiB this bounds the memory.
pub const IN_FLIGHT: usize = 16;

/// Writes into a channel. Whoever writes flushes at the end.
#[derive(Debug)]
pub struct ChannelWriter {
    sender: mpsc::Sender<Bytes>,
    buffer: BytesMut,
}

impl ChannelWriter {
    /// Writes into this channel.
    pub fn new(sender: mpsc::Sender<Bytes>) -> Self {
        Self { sender, buffer: BytesMut::with_capacity(PIECE_BYTES) }
    }
}

impl Write for ChannelWriter {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(data);
        if self.buffer.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(data.len())
    }

    /// Sends what was gathered; a broken pipe when nobody receives any more.
    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = self.buffer.split().freeze();
        self.sender.blocking_send(piece).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

/// Reads what comes through a channel.
#[derive(Debug)]
pub struct ChannelReader {
    receiver: mpsc::Receiver<Bytes>,
    piece: Bytes,
}

impl ChannelReader {
    /// Reads from this channel, to the end of its last sender.
    pub fn new(receiver: mpsc::Receiver<Bytes>) -> Self {
        Self { receiver, piece: Bytes::new() }
    }
}

impl Read for ChannelReader {
    /// Waits for bytes, then takes as many as are there.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut read = 0;
        while read < buffer.len() {
            if self.piece.is_empty() {
                let next = if read == 0 {
                    self.receiver.blocking_recv()
                } else {
                    self.receiver.try_recv().ok()
                };
                let Some(piece) = next else { break };
                self.piece = piece;
                continue;
            }
            let taken = self.piece.len().min(buffer.len() - read);
            self.piece.copy_to_slice(&mut buffer[read..read + taken]);
            read += taken;
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_whatever_the_pieces() {
        let (sender, receiver) = mpsc::channel(2);
        let text: Vec<u8> = (0..1_000_000u32).flat_map(u32::to_le_bytes).collect();
        let written = text.clone();
        let writing = std::thread::spawn(move || {
            let mut writer = ChannelWriter::new(sender);
            written.chunks(100_003).try_for_each(|piece| writer.write_all(piece))?;
            writer.flush()
        });
        let mut read = Vec::new();
        ChannelReader::new(receiver).read_to_end(&mut read).unwrap();
        writing.join().unwrap().unwrap();
        assert!(read == text);
    }

    #[test]
    fn writing_for_nobody_is_a_broken_pipe() {
        let (sender, receiver) = mpsc::channel(2);
        drop(receiver);
        let mut writer = ChannelWriter::new(sender);
        writer.write_all(b"x").unwrap();
        assert_eq!(writer.flush().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
