//! The files of a directory, each packed, sealed where it is to be, and sent while it is written.

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::Path;

use crate::archive::Files;
use crate::model::files::FileFacts;
use crate::model::packing::Packing;
use crate::packing::codec::Codec;
use crate::packing::compress::Compressor;
use crate::packing::written::{Hashed, Written};
use crate::sealing::{Recipients, Sealer};
use crate::store::new_directory::{NewDirectory, NewMember};
use crate::store::sealed_names::sealed_path;

/// A directory in the making.
pub(super) struct StreamedDirectory {
    partial: NewDirectory,
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

type Sink = Sealer<Hashed<NewMember>>;

enum Writing {
    Open(Sink),
    Packed(Compressor<Sink>),
}

impl StreamedDirectory {
    /// Files for these recipients, packed by this codec, in this directory.
    pub fn new(partial: NewDirectory, recipients: Option<Recipients>, codec: Codec) -> Self {
        let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self { partial, recipients, codec, threads, writing: None, written: Vec::new() }
    }

    /// How its files are packed.
    pub fn packing(&self) -> Packing {
        self.codec.packing()
    }

    /// The directory, and its files in the order of their names.
    pub fn finish(mut self) -> (NewDirectory, Vec<Member>) {
        // As they are ordered where they are read: by the names that pg_dump gives.
        self.written.sort_by(|one, other| one.name.cmp(&other.name));
        (self.partial, self.written)
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
        let file = self.partial.begin(&self.file_name(name))?;
        let sink = Sealer::new(Hashed::new(file), self.recipients.as_ref())?;
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
        sink.finish()?;
        let file = self.file_name(&name);
        self.written.push(Member { name, facts: FileFacts { name: file, bytes, sha256 } });
        Ok(())
    }
}
