//! One backup on its way from one place to another.

use std::io::{self, Read, Write};
use std::path::Path;

use tokio_util::sync::CancellationToken;

use super::failure;
use super::verdicts::Verdicts;
use crate::archive::Storage;
use crate::commands::Failure;
use crate::commands::open;
use crate::events::{Event, Events, Progress, Work};
use crate::model::damage::OLDER;
use crate::model::files::FileFacts;
use crate::model::format::Format;
use crate::packing::file::BackupFile;
use crate::packing::written::Hashed;
use crate::store::globals::globals_path;
use crate::store::manifest::{self, ManifestError, Outline};
use crate::store::naming::manifest_path;
use crate::store::new_directory::NewDirectory;
use crate::store::new_file::NewFile;
use crate::store::place::is_url;
use crate::store::{StoreError, signature, small};

/// Bytes that are handed on at a time.
const PIECE_BYTES: usize = 1 << 20;

/// A backup that is there now.
pub(in crate::commands) struct Brought {
    /// Its size.
    pub bytes: u64,
    /// Whether it was not there before.
    pub is_new: bool,
}

/// What lies beside the files of a backup.
pub(in crate::commands) struct Beside {
    /// The bytes of its manifest.
    pub manifest: Vec<u8>,
    /// The signature of that.
    pub signature: Option<String>,
    /// Roles and tablespaces, as they lie there.
    pub globals: Option<Vec<u8>>,
}

impl Beside {
    /// Puts it beside the files of the backup, which are there; the manifest last.
    ///
    /// # Errors
    /// With exit code 2, what disk or place refuse.
    pub(in crate::commands) fn put(&self, to: &Path) -> Result<(), Failure> {
        if let Some(globals) = &self.globals {
            small::write(&globals_path(to), globals, false).map_err(refused)?;
        }
        signature::publish(to, &self.manifest, self.signature.as_deref()).map_err(refused)
    }
}

/// What a copy needs to know.
struct Way<'a> {
    from: &'a Path,
    to: &'a Path,
    events: &'a Events,
    cancel: &'a CancellationToken,
}

/// Brings a backup there. Goes on where another run was cut short.
///
/// # Errors
/// With exit code 1 where its bytes are not those of its manifest, with 2 where that could not be told, or what is there
/// is in the way.
pub(in crate::commands) fn bring(
    from: &Path,
    to: &Path,
    name: &str,
    verdicts: &Verdicts,
    (events, cancel): (&Events, &CancellationToken),
) -> Result<Brought, Failure> {
    let to_dir = to;
    let (from, to) = (from.join(name), to.join(name));
    let way = Way { from: &from, to: &to, events, cancel };
    let (bytes, outline) = manifest_of(&from)?;
    let brought = |is_new| Brought { bytes: if is_new { outline.bytes() } else { 0 }, is_new };
    match manifest::bytes(&manifest_path(&to)).map_err(|error| unread(&error))? {
        Some(there) if there == bytes => {
            verdicts.bring(to_dir, &outline)?;
            return Ok(brought(false));
        }
        Some(_) => {
            let cause = format!("another backup of this name is in {}", to_dir.display());
            return Err(failure(2, cause, "compare both with `ccc-backup diff`"));
        }
        None => {}
    }
    if outline.format == Format::Directory {
        way.directory(&outline)?;
    } else if let Some(file) = outline.files.first() {
        way.file(&from, &to, file)?;
    }
    if let Some(globals) = &outline.globals {
        way.file(&globals_path(&from), &globals_path(&to), globals)?;
    }
    let signed = signature::read(&manifest_path(&from)).map_err(refused)?;
    let signed = signed.and_then(|signed| String::from_utf8(signed).ok());
    Beside { manifest: bytes, signature: signed, globals: None }.put(&to)?;
    verdicts.bring(to_dir, &outline)?;
    Ok(brought(true))
}

/// The manifest of a backup, and what it says in the clear.
fn manifest_of(backup: &Path) -> Result<(Vec<u8>, Outline), Failure> {
    let bytes = manifest::bytes(&manifest_path(backup)).map_err(|error| unread(&error))?;
    let Some(bytes) = bytes else {
        let cause = format!("{} has no manifest", backup.display());
        return Err(failure(
            2,
            cause,
            "nothing says whether it arrived whole: copy it by another program",
        ));
    };
    let outline = Outline::parse(&bytes).map_err(|error| unread(&error))?;
    Ok((bytes, outline))
}

impl Way<'_> {
    /// Brings a file that is to lie by itself.
    fn file(&self, from: &Path, to: &Path, facts: &FileFacts) -> Result<(), Failure> {
        if self.is_there(to, facts)? {
            return Ok(());
        }
        // What is in a place without a manifest is what another run left.
        let mut file = NewFile::create(to, is_url(to)).map_err(refused)?;
        file.expect(facts.bytes, self.cancel);
        let source = open::open_file(from).map_err(|error| unopened(&error))?;
        let file = self.carry(&source, file, facts)?;
        file.publish().map(drop).map_err(refused)
    }

    /// Brings the files of a directory.
    fn directory(&self, outline: &Outline) -> Result<(), Failure> {
        let Storage::Directory(source) = open::open(self.from).map_err(|error| unopened(&error))?
        else {
            let cause = format!("{} is not the directory of its manifest", self.from.display());
            return Err(failure(1, cause, OLDER));
        };
        let files = outline.files_of_directory();
        if files.is_empty() {
            let cause =
                "its manifest is of an old version, and does not say the checksum of each file";
            return Err(failure(2, cause.to_owned(), "copy it by another program"));
        }
        let is_none = |facts: &&FileFacts| facts.name.contains('/') || facts.name.starts_with('.');
        if let Some(facts) = files.iter().find(is_none) {
            let cause = format!("{:?} in its manifest is no file of a backup", facts.name);
            return Err(failure(1, cause, OLDER));
        }
        if !is_url(self.to) && self.are_there(files)? {
            return Ok(());
        }
        let mut directory = NewDirectory::go_on(self.to).map_err(refused)?;
        for facts in files {
            if is_url(self.to) && self.is_there(&self.to.join(&facts.name), facts)? {
                continue;
            }
            let named = source.members().iter().find(|member| *member.file_name() == *facts.name);
            let Some(member) = named else {
                let cause = format!("{} is missing from it", facts.name);
                return Err(failure(1, cause, OLDER));
            };
            let file = source.at_rest(member).map_err(|error| stopped(&error))?;
            directory.expect(facts.bytes, self.cancel);
            let begun = directory.begin(&facts.name).map_err(|error| stopped(&error))?;
            let begun = self.carry(&file, begun, facts)?;
            begun.finish().map_err(|error| stopped(&error))?;
        }
        directory.publish().map(drop).map_err(refused)
    }

    /// Whether all files of a directory are there already. On a disk it appears whole, before its manifest.
    fn are_there(&self, files: &[FileFacts]) -> Result<bool, Failure> {
        for facts in files {
            if !self.is_there(&self.to.join(&facts.name), facts)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether a file is there already and is that one, which another run brought.
    fn is_there(&self, path: &Path, facts: &FileFacts) -> Result<bool, Failure> {
        let there = match open::open_file(path) {
            Ok(there) => there,
            Err(error) if error.is_missing() => return Ok(false),
            Err(error) => return Err(unopened(&error)),
        };
        if there.bytes() != facts.bytes {
            return Ok(false);
        }
        let hashed = self.carry(&there, io::sink(), facts);
        match hashed {
            Ok(_) => Ok(true),
            Err(other) if other.exit == 1 => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// Hands a file's bytes on, and holds them to the manifest.
    fn carry<W: Write>(
        &self,
        source: &BackupFile,
        sink: W,
        facts: &FileFacts,
    ) -> Result<W, Failure> {
        let (mut bytes, mut piece) = (source.at_rest(), vec![0; PIECE_BYTES]);
        let (mut sink, mut done) = (Hashed::new(sink), 0);
        loop {
            if self.cancel.is_cancelled() {
                return Err(failure(2, "interrupted".to_owned(), "run it again"));
            }
            let read = match bytes.read(&mut piece) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(stopped(&error)),
            };
            sink.write_all(&piece[..read]).map_err(|error| stopped(&error))?;
            done += read as u64;
            let (work, total, current) =
                (Work::Copying, Some(facts.bytes), Some(facts.name.clone()));
            self.events.emit(Event::Progress(Progress { work, done, total, current }));
        }
        let written = sink.finish().map_err(|error| stopped(&error))?;
        if written.sha256.eq_ignore_ascii_case(&facts.sha256) {
            return Ok(written.sink);
        }
        let cause =
            format!("{} is not what its manifest says: its checksum is another", facts.name);
        Err(failure(1, cause, OLDER))
    }
}

fn refused(error: StoreError) -> Failure {
    Failure::from(&error)
}

fn unread(error: &ManifestError) -> Failure {
    let exit = if error.proves_bad() { 1 } else { 2 };
    Failure { exit, cause: error.to_string(), hint: error.hint(), notes: Vec::new() }
}

fn unopened(error: &open::OpenError) -> Failure {
    failure(2, error.to_string(), &error.hint())
}

fn stopped(error: &io::Error) -> Failure {
    failure(
        2,
        error.to_string(),
        "check the disk and the network, and run it again: it goes on where it was",
    )
}
