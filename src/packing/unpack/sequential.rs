//! Unpacks member by member on the thread that reads.

use std::io::{self, Read};

use super::{Contents, Format, Source, translate};
use crate::model::damage::Damage;
use crate::packing::member_index::{MemberIndex, MemberStart};

/// All members of a file, one after the other. Unlike `gunzip` and its like, what follows the last
/// one is an error: a backup is what was written and nothing else. Zeros are noted: disk images and tapes
/// fill up with them.
pub(super) struct Sequential<F: Format, R: Read + Send> {
    state: State<F, R>,
    unpacker: F::Unpacker,
    member: Vec<u8>,
    contents: Contents,
    /// Whether there was a member already.
    begun: bool,
    /// Bytes unpacked so far.
    read: u64,
    members: MemberIndex,
}

enum State<F: Format, R: Read + Send> {
    /// A member ended, or none has begun.
    Between(Source<R>),
    /// In a member that is read as a stream.
    Within(F::Decoder<R>),
    Ended,
}

impl<F: Format, R: Read + Send> Sequential<F, R> {
    pub(super) fn new(source: Source<R>, members: MemberIndex) -> Self {
        Self::after(source, false, 0, members)
    }

    /// Goes on where members with `read` bytes of contents have been read, if any have (`begun`).
    pub(super) fn after(source: Source<R>, begun: bool, read: u64, members: MemberIndex) -> Self {
        Self {
            state: State::Between(source),
            unpacker: F::Unpacker::default(),
            member: Vec::new(),
            contents: Contents::default(),
            begun,
            read,
            members,
        }
    }

    /// Goes into the next member, or to the end.
    fn begin(&mut self, mut source: Source<R>) -> io::Result<()> {
        if self.begun {
            F::skip_padding(&mut source)?;
            if source.peek(1)?.is_empty() {
                return Ok(());
            }
            if !F::begins(&mut source)? {
                let (format, at) = (F::NAME, source.position());
                if source.take_zeros()? {
                    self.members.note_padding();
                    return Ok(());
                }
                return Err(Damage::TrailingGarbage { format, at }.into());
            }
        }
        self.begun = true;
        self.members.note(MemberStart { offset: source.position(), dump_offset: self.read });
        if let Some(bytes) = F::take(&mut source, &mut self.member)? {
            if F::unpack(&mut self.unpacker, &self.member, self.contents.room(bytes)) {
                self.state = State::Between(source);
                return Ok(());
            }
            self.contents.end_at(0);
            source.give_back(std::mem::take(&mut self.member));
        }
        self.state = State::Within(F::decoder(source).map_err(translate::<F>)?);
        Ok(())
    }
}

impl<F: Format, R: Read + Send> Read for Sequential<F, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !buffer.is_empty() {
            let read = match &mut self.state {
                State::Within(decoder) => decoder.read(buffer).map_err(translate::<F>)?,
                _ => self.contents.give(buffer),
            };
            if read > 0 {
                self.read += read as u64;
                return Ok(read);
            }
            match std::mem::replace(&mut self.state, State::Ended) {
                State::Between(source) => self.begin(source)?,
                State::Within(decoder) => self.state = State::Between(F::source(decoder)),
                State::Ended => break,
            }
        }
        Ok(0)
    }
}
