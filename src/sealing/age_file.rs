//! An age file, opened: as a stream, and from any place.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

use age::armor::ArmoredReader;
use age::secrecy::ExposeSecret;
use age::stream::StreamReader;
use age::{DecryptError, Decryptor, Identity};
use age_core::format::{FileKey, Stanza};
use thiserror::Error;

use super::beginning::{ARMOR, VERSION};
use super::error::UnsealError;
use super::identities::Identities;
use crate::model::damage::Damage;
use crate::packing::file::BackupFile;
use crate::packing::random_read::{RandomRead, RawReader, ReadAt};
use crate::packing::unseal::{Failing, Unseal};

/// Bytes that are read at a time where the head is; a chunk is read past it.
const BUFFER: usize = 4 * 1024;
/// Bytes that are enough for a head of many recipients.
const HEAD: u64 = 1 << 20;
/// What damage names as the format.
const FORMAT: &str = "age";
/// Readers that are kept at their places.
const READERS: usize = 16;

/// The same file, of which is read what is sealed in it.
///
/// # Errors
/// [`UnsealError`].
pub fn open(file: BackupFile, identities: &Identities) -> Result<BackupFile, UnsealError> {
    let key = key_of(file.at_rest(), identities)?;
    Ok(file.unsealed_by(Arc::new(key)))
}

/// What is sealed in a text (age's armor).
///
/// # Errors
/// [`UnsealError`].
pub fn open_text(text: &str, identities: &Identities) -> Result<Vec<u8>, UnsealError> {
    let key = key_of(text.as_bytes(), identities)?;
    let mut bytes = Vec::new();
    let sealed: Box<dyn Read + Send> = Box::new(io::Cursor::new(text.to_owned()));
    match key.stream(sealed).read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => Err(match crate::model::damage::damage(&error) {
            Some(damage) => UnsealError::Damaged(damage.clone()),
            None => error.into(),
        }),
    }
}

/// The key of a file.
fn key_of(mut sealed: impl Read, identities: &Identities) -> Result<AgeKey, UnsealError> {
    let mut start = Vec::new();
    sealed.by_ref().take(VERSION.len() as u64).read_to_end(&mut start)?;
    let is_known = start == VERSION || start == ARMOR[..VERSION.len()];
    let read = decryptor(source(start.as_slice().chain(sealed.take(HEAD))));
    let decryptor = read.map_err(|error| match of_head(error) {
        // Of a version that is known, it is not the format.
        UnsealError::UnknownFormat if is_known => corrupt("its head makes no sense"),
        error => error,
    })?;
    let by_passphrase = decryptor.is_scrypt();
    let (passphrase, keys) = if by_passphrase {
        (identities.passphrase(), Vec::new())
    } else {
        (None, identities.keys()?)
    };
    let given = keys.len() + usize::from(passphrase.is_some());
    let all = keys.into_iter().map(|key| key as &dyn Identity);
    let all = all.chain(passphrase.iter().map(|key| key as &dyn Identity));
    let capturing: Vec<Capturing<'_>> = all.map(Capturing::of).collect();
    // Its result tells that the head is the one that was written with this key.
    let opened = decryptor.decrypt(capturing.iter().map(|key| key as &dyn Identity));
    match opened {
        Ok(_) => {
            let found = capturing.into_iter().find_map(|key| key.found.into_inner());
            found.map(AgeKey).ok_or(UnsealError::NoKey { given, by_passphrase })
        }
        Err(
            DecryptError::NoMatchingKeys
            | DecryptError::DecryptionFailed
            | DecryptError::KeyDecryptionFailed,
        ) => Err(UnsealError::NoKey { given, by_passphrase }),
        Err(error) => Err(of_head(error)),
    }
}

fn corrupt(cause: &str) -> UnsealError {
    UnsealError::Damaged(Damage::Corrupt { format: FORMAT, cause: cause.to_owned() })
}

/// What is wrong with a head.
fn of_head(error: DecryptError) -> UnsealError {
    match error {
        DecryptError::InvalidMac => corrupt("its head is not the one that was written"),
        DecryptError::InvalidHeader => corrupt("its head makes no sense"),
        DecryptError::UnknownFormat => UnsealError::UnknownFormat,
        DecryptError::ExcessiveWork { required, .. } => UnsealError::ExcessiveWork { required },
        DecryptError::Io(error) => match below(error) {
            Ok(error) => UnsealError::Disk(error),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                UnsealError::Damaged(Damage::CutOff { format: FORMAT })
            }
            Err(_) => corrupt("its head makes no sense"),
        },
        other => corrupt(&other.to_string()),
    }
}

/// An identity that keeps the key which it finds.
struct Capturing<'a> {
    identity: &'a dyn Identity,
    found: RefCell<Option<FileKey>>,
}

impl<'a> Capturing<'a> {
    fn of(identity: &'a dyn Identity) -> Self {
        Self { identity, found: RefCell::default() }
    }
}

impl Identity for Capturing<'_> {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        let found = self.identity.unwrap_stanza(stanza)?;
        if let Ok(key) = &found {
            self.found.replace(Some(copy(key)));
        }
        Some(found)
    }
}

fn copy(key: &FileKey) -> FileKey {
    FileKey::init_with_mut(|bytes| bytes.copy_from_slice(key.expose_secret()))
}

/// The key of one file: to open it once more takes no identity.
struct AgeKey(FileKey);

impl Identity for AgeKey {
    fn unwrap_stanza(&self, _: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        Some(Ok(copy(&self.0)))
    }
}

impl AgeKey {
    fn open<R: BufRead>(&self, sealed: R) -> Result<StreamReader<R>, DecryptError> {
        decryptor(sealed)?.decrypt(std::iter::once(self as &dyn Identity))
    }
}

impl Unseal for AgeKey {
    fn stream(&self, sealed: Box<dyn Read + Send>) -> Box<dyn Read + Send> {
        match self.open(source(sealed)) {
            Ok(stream) => Box::new(Stream { stream, at: 0 }),
            Err(error) => Box::new(Failing::with(unopened(error))),
        }
    }

    fn at(self: Arc<Self>, sealed: Arc<dyn RandomRead>) -> Arc<dyn ReadAt> {
        Arc::new(Places { key: self, sealed, readers: Mutex::default() })
    }

    fn length(&self, sealed: Arc<dyn RandomRead>) -> io::Result<Option<u64>> {
        let end = begin(self, &sealed)?.seek(SeekFrom::End(0));
        end.map(Some).map_err(|error| damaged(error, 0))
    }

    fn can_seek(&self) -> bool {
        true
    }
}

impl fmt::Debug for AgeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the key of an age file")
    }
}

/// What is in an age file, with its damage told from the disk's errors.
struct Stream<R> {
    stream: R,
    at: u64,
}

impl<R: Read> Read for Stream<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(buffer).map_err(|error| damaged(error, self.at))?;
        self.at += read as u64;
        Ok(read)
    }
}

/// What it means that nothing more could be read after so many bytes.
fn damaged(error: io::Error, at: u64) -> io::Error {
    match below(error) {
        Ok(error) => error,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Damage::CutOff { format: FORMAT }.into()
        }
        Err(_) => {
            let cause = format!(
                "what follows its first {at} bytes does not open with its key: it is altered, cut off, or of \
                 another file"
            );
            Damage::Corrupt { format: FORMAT, cause }.into()
        }
    }
}

/// What is in an age file, read from any place: by readers that stay where they are until they are needed again.
struct Places {
    key: Arc<AgeKey>,
    sealed: Arc<dyn RandomRead>,
    readers: Mutex<Vec<Reader>>,
}

type Sought = StreamReader<BufReader<Box<dyn ReadSeek>>>;

struct Reader {
    stream: Sought,
    at: u64,
}

trait ReadSeek: Read + Seek + Send {}
impl<T: Read + Seek + Send> ReadSeek for T {}

impl Places {
    fn reader_at(&self, at: u64) -> io::Result<Reader> {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(here) = readers.iter().position(|reader| reader.at == at) {
            return Ok(readers.swap_remove(here));
        }
        let idle = if readers.len() >= READERS { Some(readers.swap_remove(0)) } else { None };
        drop(readers);
        let mut reader = match idle {
            Some(reader) => reader,
            None => Reader { stream: begin(&self.key, &self.sealed)?, at: 0 },
        };
        if reader.at != at {
            reader.stream.seek(SeekFrom::Start(at)).map_err(|error| damaged(error, at))?;
            reader.at = at;
        }
        Ok(reader)
    }
}

/// A reader at the beginning of what is in a file.
fn begin(key: &AgeKey, sealed: &Arc<dyn RandomRead>) -> io::Result<Sought> {
    let raw = Below(RawReader::of(Arc::clone(sealed)));
    let mut start = [0; ARMOR.len()];
    let mut beginning = RawReader::of(Arc::clone(sealed));
    let is_text = beginning.read_exact(&mut start).is_ok() && start == *ARMOR;
    let raw: Box<dyn ReadSeek> =
        if is_text { Box::new(ArmoredReader::new(raw)) } else { Box::new(raw) };
    key.open(BufReader::with_capacity(BUFFER, raw)).map_err(unopened)
}

/// Why a file does not open that did before, as an error of a read.
fn unopened(error: DecryptError) -> io::Error {
    match of_head(error) {
        UnsealError::Damaged(damage) => damage.into(),
        UnsealError::Disk(error) => error,
        other => io::Error::other(other.to_string()),
    }
}

impl ReadAt for Places {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let mut reader = self.reader_at(at)?;
        let read = reader.stream.read(buffer).map_err(|error| damaged(error, at))?;
        reader.at += read as u64;
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < READERS {
            readers.push(reader);
        }
        Ok(read)
    }
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "what is sealed in {:?}", self.sealed)
    }
}

/// What a decryptor reads, whether it is text or not.
fn source<R: Read>(sealed: R) -> BufReader<ArmoredReader<BufReader<Below<R>>>> {
    BufReader::with_capacity(BUFFER, ArmoredReader::new(Below(sealed)))
}

fn decryptor<R: BufRead>(sealed: R) -> Result<Decryptor<R>, DecryptError> {
    Decryptor::new_buffered(sealed)
}

/// Marks an error of what is below, so that age's own can be told from it.
#[derive(Debug, Error)]
#[error("{0}")]
struct Marked(io::Error);

struct Below<R>(R);

impl<R: Read> Read for Below<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            kind => io::Error::new(kind, Marked(error)),
        })
    }
}

impl<R: Seek> Seek for Below<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

/// The error of what is below; else the error itself.
fn below(error: io::Error) -> Result<io::Error, io::Error> {
    if error.get_ref().is_some_and(|inner| inner.is::<Marked>()) {
        return match error.into_inner().map(|inner| inner.downcast::<Marked>()) {
            Some(Ok(marked)) => Ok(marked.0),
            _ => Ok(io::ErrorKind::Other.into()),
        };
    }
    Err(error)
}

#[cfg(test)]
#[path = "age_file_tests.rs"]
mod tests;
