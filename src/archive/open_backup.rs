//! A backup that is open: what it is, and where its bytes are.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use tokio_util::sync::CancellationToken;

use super::Head;
use super::convert;
use super::examine::{self, Examined, Progress};
use super::woven::Beginning;
use crate::archive::directory::ArchiveDirectory;
use crate::model::format::Format;
use crate::model::packing::Packing;
use crate::packing::file::BackupFile;
use crate::packing::read_error::ReadError;
use crate::packing::read_once::{Kept, NotKept};

/// Bytes copied at a time.
const PIECE_BYTES: usize = 256 * 1024;

/// Where the bytes of a backup are, whatever they say.
#[derive(Debug, Clone)]
pub enum Storage {
    /// In a file.
    File(BackupFile),
    /// In the files of a directory.
    Directory(ArchiveDirectory),
}

impl Storage {
    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        match self {
            Self::File(file) => file.path(),
            Self::Directory(directory) => directory.path(),
        }
    }

    /// Whether it is on this machine, where other programs can read it by its path.
    pub fn is_local(&self) -> bool {
        match self {
            Self::File(file) => file.is_local(),
            Self::Directory(directory) => directory.is_local(),
        }
    }

    /// The same bytes, each of which comes from where it lies once: what is read is kept in this directory. What is on
    /// this machine is left as it is.
    ///
    /// # Errors
    /// Where that directory has no place for them; then they are read as before.
    pub fn read_once(&mut self, dir: &Path) -> Result<(), NotKept> {
        if self.is_local() {
            return Ok(());
        }
        let kept = Kept::within(dir, self.bytes())?;
        *self = match self.clone() {
            Self::File(file) => Self::File(file.read_once(&kept)),
            Self::Directory(directory) => Self::Directory(directory.read_once(&kept)),
        };
        Ok(())
    }

    /// Its size in bytes, of a directory that of its files together.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::File(file) => file.bytes(),
            Self::Directory(directory) => directory.bytes(),
        }
    }

    /// Whether it was written to, replaced or removed since it was opened.
    pub fn has_changed(&self) -> bool {
        match self {
            Self::File(file) => file.has_changed(),
            Self::Directory(directory) => directory.has_changed(),
        }
    }

    /// What is locked of it, where it is on this machine. The lock holds as long as it is open.
    pub fn handle(&self) -> Option<&File> {
        match self {
            Self::File(file) => file.local(),
            Self::Directory(directory) => directory.file(),
        }
    }
}

/// A backup that is open, and of which it is known what it is.
#[derive(Debug, Clone)]
pub struct OpenBackup {
    storage: Storage,
    packing: Packing,
    format: Format,
}

impl OpenBackup {
    /// A backup in a file, packed in this way beside what pg_dump did.
    pub fn file(file: BackupFile, packing: Packing, format: Format) -> Self {
        Self { storage: Storage::File(file), packing, format }
    }

    /// An archive of the directory format.
    pub fn directory(directory: ArchiveDirectory) -> Self {
        Self {
            storage: Storage::Directory(directory),
            packing: Packing::None,
            format: Format::Directory,
        }
    }

    /// Where its bytes are.
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        self.storage.path()
    }

    /// Its size in bytes, of a directory that of its files together.
    pub fn bytes(&self) -> u64 {
        self.storage.bytes()
    }

    /// Whether it was written to, replaced or removed since it was opened.
    pub fn has_changed(&self) -> bool {
        self.storage.has_changed()
    }

    /// Whether it is encrypted, and what is in it is read.
    pub fn is_unsealed(&self) -> bool {
        match &self.storage {
            Storage::File(file) => file.is_unsealed(),
            Storage::Directory(directory) => directory.is_sealed(),
        }
    }

    /// Its format.
    pub fn format(&self) -> Format {
        self.format
    }

    /// How its file is packed, beside what pg_dump did.
    pub fn packing(&self) -> Packing {
        self.packing
    }

    /// The head of an archive; `None` where it has none that is understood. Why is found by
    /// [`Self::examine`].
    pub fn head(&self) -> Option<Head> {
        match &self.storage {
            Storage::File(file) => examine::head_of_file(file, self.packing, self.format),
            Storage::Directory(directory) => examine::head_of_directory(directory),
        }
    }

    /// The same archive with empty tables, in the custom format; `None` where it is of the format tar, or has other data than
    /// rows, or cannot be read, which [`Self::examine`] tells.
    pub fn without_rows(&self) -> Option<Vec<u8>> {
        let beginning = match &self.storage {
            Storage::File(file) if self.format == Format::Custom => {
                Beginning::read(file.stream(self.packing))
            }
            Storage::File(_) => return None,
            Storage::Directory(directory) => {
                let toc = directory.open(directory.toc()?).ok()?;
                let toc = convert::to_custom(toc.raw());
                toc.and_then(|toc| Beginning::read(&toc[..]))
            }
        };
        beginning.ok()?.without_rows()
    }

    /// Reads all of an archive: its checksum, and whether it has all its pieces. A plain dump has none.
    ///
    /// # Errors
    /// When the disk fails or `cancel` is set; a bad archive is a value.
    pub fn examine(
        &self,
        cancel: &CancellationToken,
        progress: Progress,
    ) -> Result<Examined, ReadError> {
        match &self.storage {
            Storage::File(file) => {
                examine::examine_file(file, self.packing, self.format, cancel, progress)
            }
            Storage::Directory(directory) => {
                examine::examine_directory(directory, cancel, &progress)
            }
        }
    }

    /// Writes an archive to `sink` as pg_restore wants it: a file unpacked, a directory as a tar archive
    /// of its files. `progress` is told the bytes so far. Gives their number.
    ///
    /// # Errors
    /// The disk's, or the sink's.
    pub fn send(&self, sink: &mut dyn Write, progress: &dyn Fn(u64)) -> io::Result<u64> {
        let sent = match &self.storage {
            Storage::File(file) => copy(&mut file.stream(self.packing), sink, 0, progress)?,
            Storage::Directory(directory) => send_directory(directory, sink, progress)?,
        };
        sink.flush()?;
        Ok(sent)
    }
}

fn send_directory(
    directory: &ArchiveDirectory,
    sink: &mut dyn Write,
    progress: &dyn Fn(u64),
) -> io::Result<u64> {
    let mut sent = 0;
    for member in directory.members() {
        // Not by the library's builder: its files would be read as they are now, not as they were.
        let mut header = ::tar::Header::new_gnu();
        if header.set_path(&member.name).is_err() {
            // Longer than pg_dump's names are: it is something else's.
            continue;
        }
        let file = directory.open(member)?;
        if file.bytes() != member.bytes {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let bytes = file.length()?;
        header.set_size(bytes);
        header.set_mode(0o600);
        header.set_cksum();
        sink.write_all(header.as_bytes())?;
        let mut data = file.raw().take(bytes);
        let copied = copy(&mut data, sink, sent, progress)?;
        if copied - sent < bytes {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        sent = copied;
        let filled = bytes.next_multiple_of(512) - bytes;
        sink.write_all(&[0; 512][..filled as usize])?;
    }
    sink.write_all(&[0; 1024])?;
    Ok(sent)
}

fn copy(
    from: &mut dyn Read,
    to: &mut dyn Write,
    before: u64,
    progress: &dyn Fn(u64),
) -> io::Result<u64> {
    let mut buffer = vec![0; PIECE_BYTES];
    let mut sent = before;
    loop {
        let read = match from.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        if read == 0 {
            return Ok(sent);
        }
        to.write_all(&buffer[..read])?;
        sent += read as u64;
        progress(sent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_sent_as_a_tar_archive_of_its_files() {
        let dir = tempfile::tempdir().unwrap();
        let files = [("1.dat.gz", vec![7; 1000]), ("toc.dat", b"PGDMP".to_vec())];
        for (name, bytes) in &files {
            std::fs::write(dir.path().join(name), bytes).unwrap();
        }
        // No header holds so long a name, and pg_dump writes none.
        std::fs::write(dir.path().join("x".repeat(200)), "not pg_dump's").unwrap();
        let archive = OpenBackup::directory(ArchiveDirectory::open_at(dir.path()).unwrap());
        let mut sent = Vec::new();
        assert_eq!(archive.send(&mut sent, &|_| {}).unwrap(), 1005);
        let mut tar = ::tar::Archive::new(sent.as_slice());
        let read: Vec<(String, Vec<u8>)> = tar
            .entries()
            .unwrap()
            .map(|entry| {
                let mut entry = entry.unwrap();
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes).unwrap();
                (entry.path().unwrap().to_string_lossy().into_owned(), bytes)
            })
            .collect();
        assert_eq!(read, files.map(|(name, bytes)| (name.to_owned(), bytes)));
    }

    #[test]
    fn a_file_that_has_become_shorter_is_not_sent_as_if_it_were_whole() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("toc.dat");
        std::fs::write(&file, "PGDMP and more").unwrap();
        let archive = OpenBackup::directory(ArchiveDirectory::open_at(dir.path()).unwrap());
        std::fs::write(&file, "PGDMP").unwrap();
        let error = archive.send(&mut Vec::new(), &|_| {}).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
