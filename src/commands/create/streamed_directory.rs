//! The files of a directory, each packed, sealed where it is to be, and sent while it is written.

use std::io::{self, Write};
use std::mem;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::copying::Feed;
use crate::archive::Files;
use crate::model::files::FileFacts;
use crate::model::packing::Packing;
use crate::packing::codec::Codec;
use crate::packing::compress::Compressor;
use crate::packing::written::{Hashed, Written};
use crate::sealing::{Recipients, Sealer};
use crate::store::error::StoreError;
use crate::store::new_directory::{NewDirectory, NewMember};
use crate::store::new_file::Published;
use crate::store::sealed_names::sealed_path;

/// A directory in the making, and its copies.
pub(super) struct StreamedDirectory {
    partial: NewDirectory,
    copies: Copies,
    recipients: Option<Recipients>,
    codec: Codec,
    threads: NonZeroUsize,
    writing: Option<(String, Writing)>,
    written: Vec<Member>,
}

/// A file that is done.
pub(super) struct Member {
    /// Its name as pg_dump gives it.
    pub name: String,
    /// What lies there.
    pub facts: FileFacts,
}

/// A directory whose files are all written.
pub(super) struct WrittenDirectory {
    partial: NewDirectory,
    copies: Copies,
    /// Its files, in the order of their names.
    pub members: Vec<Member>,
}

impl WrittenDirectory {
    /// Gives it its name, and its copies theirs.
    pub fn publish(self) -> Result<Published, StoreError> {
        let published = self.partial.publish()?;
        mem::take(&mut *feed(&self.copies)).done();
        Ok(published)
    }
}

/// Fed by the file that is being written.
type Copies = Arc<Mutex<Feed>>;

/// A file, and its copies.
struct CopiedMember {
    member: NewMember,
    copies: Copies,
}

impl Write for CopiedMember {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let written = self.member.write(data)?;
        feed(&self.copies).write(&data[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.member.flush()
    }
}

fn feed(copies: &Copies) -> MutexGuard<'_, Feed> {
    copies.lock().unwrap_or_else(PoisonError::into_inner)
}

type Sink = Sealer<Hashed<CopiedMember>>;

enum Writing {
    Open(Sink),
    Packed(Compressor<Sink>),
}

impl StreamedDirectory {
    /// Files for these recipients, packed by this codec, in this directory.
    pub fn new(
        (partial, copies): (NewDirectory, Feed),
        recipients: Option<Recipients>,
        codec: Codec,
    ) -> Self {
        let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let copies = Arc::new(Mutex::new(copies));
        Self { partial, copies, recipients, codec, threads, writing: None, written: Vec::new() }
    }

    /// How its files are packed.
    pub fn packing(&self) -> Packing {
        self.codec.packing()
    }

    /// The directory with all its files.
    pub fn finish(mut self) -> WrittenDirectory {
        // As they are ordered where they are read: by the names that pg_dump gives.
        self.written.sort_by(|one, other| one.name.cmp(&other.name));
        WrittenDirectory { partial: self.partial, copies: self.copies, members: self.written }
    }

    /// What a file is called that pg_dump gives this name.
    fn file_name(&self, name: &str) -> String {
        let name = Path::new(name);
        let sealed = self.recipients.as_ref().map(|_| sealed_path(name));
        sealed.as_deref().unwrap_or(name).to_string_lossy().into_owned()
    }

    fn ended() -> io::Error {
        io::Error::other("no file was begun")
    }
}

impl Files for StreamedDirectory {
    fn begin(&mut self, name: &str, packing: Packing) -> io::Result<()> {
        let file = self.file_name(name);
        let member = self.partial.begin(&file)?;
        feed(&self.copies).begin(&file);
        let copied = CopiedMember { member, copies: Arc::clone(&self.copies) };
        let sink = Sealer::new(Hashed::new(copied), self.recipients.as_ref())?;
        let writing = if packing == Packing::None {
            Writing::Open(sink)
        } else {
            let packed = Compressor::new(sink, self.codec, self.threads);
            Writing::Packed(packed.map_err(io::Error::other)?)
        };
        self.writing = Some((name.to_owned(), writing));
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.writing {
            Some((_, Writing::Open(sink))) => sink.write_all(bytes),
            Some((_, Writing::Packed(packed))) => packed.write(bytes).map_err(io::Error::other),
            None => Err(Self::ended()),
        }
    }

    fn end(&mut self) -> io::Result<()> {
        let (name, writing) = self.writing.take().ok_or_else(Self::ended)?;
        let sink = match writing {
            Writing::Open(sink) => sink,
            Writing::Packed(packed) => packed.finish().map_err(io::Error::other)?.sink,
        };
        let Written { sink, bytes, sha256 } = sink.finish()?.finish()?;
        sink.member.finish()?;
        feed(&self.copies).end();
        let file = self.file_name(&name);
        self.written.push(Member { name, facts: FileFacts { name: file, bytes, sha256 } });
        Ok(())
    }
}
