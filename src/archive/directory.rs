//! An archive of the directory format as it lies there, on the disk or elsewhere: a flat directory of files.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::members::TOC;
use crate::model::damage::Damage;
use crate::model::suffix::{SEALED, without_seal};
use crate::packing::file::{BackupFile, FileError};
use crate::packing::folder::{Entry, Folder};
use crate::packing::read_once::Kept;
use crate::packing::read_once_folder::ReadOnceFolder;
use crate::sealing::{self, Identities, UnsealError, Unsealing};

/// A file of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name as pg_dump gives it.
    pub name: OsString,
    /// Whether it is sealed, and has a name that says so.
    pub is_sealed: bool,
    /// Its size in bytes, as it lies there.
    pub bytes: u64,
    modified: Option<SystemTime>,
    /// What stands for that elsewhere than on a disk.
    tag: Option<String>,
}

/// Where it is.
#[derive(Debug, Clone)]
enum At {
    Disk(Arc<File>),
    Elsewhere(Arc<dyn Folder>),
}

/// An open directory.
#[derive(Debug, Clone)]
pub struct ArchiveDirectory {
    path: PathBuf,
    at: At,
    members: Vec<Member>,
    identities: Identities,
}

impl Member {
    /// Its name as it lies there.
    pub fn file_name(&self) -> OsString {
        let mut name = self.name.clone();
        if self.is_sealed {
            name.push(SEALED);
        }
        name
    }
}

impl ArchiveDirectory {
    /// Opens a directory. Its members are the regular files in it that are not hidden: pg_dump
    /// writes none of these, and other programs leave them.
    ///
    /// # Errors
    /// When it is not there, no directory, or may not be read.
    pub fn open_at(path: &Path) -> Result<Self, FileError> {
        let fail = |source: io::Error| FileError::of(path, source);
        let at = At::Disk(Arc::new(File::open(path).map_err(fail)?));
        let (members, identities) = (list(path).map_err(fail)?, Identities::default());
        Ok(Self { path: path.to_owned(), at, members, identities })
    }

    /// Opens a directory that lies elsewhere, by its name.
    ///
    /// # Errors
    /// The network's.
    pub fn elsewhere(path: &Path, folder: Arc<dyn Folder>) -> io::Result<Self> {
        let (members, identities) = (list_folder(&*folder)?, Identities::default());
        Ok(Self { path: path.to_owned(), at: At::Elsewhere(folder), members, identities })
    }

    /// The same directory, of whose files what is read is kept, so that it comes from where it lies once. One of this
    /// machine is left as it is.
    #[must_use]
    pub fn read_once(self, kept: &Arc<Kept>) -> Self {
        let at = match self.at {
            At::Elsewhere(far) => {
                At::Elsewhere(Arc::new(ReadOnceFolder::new(far, Arc::clone(kept))))
            }
            disk @ At::Disk(_) => disk,
        };
        Self { at, ..self }
    }

    /// Whether it is a directory of this machine, which other programs can read by its path.
    pub fn is_local(&self) -> bool {
        matches!(self.at, At::Disk(_))
    }

    /// The same directory, of whose sealed files is read what is in them.
    ///
    /// # Errors
    /// [`UnsealError`], of its table of contents.
    pub fn unsealed_with(self, unsealing: &Unsealing) -> Result<Self, UnsealError> {
        let opened = Self { identities: unsealing.identities.clone(), ..self };
        let toc = opened.members.iter().find(|member| member.name == "toc.dat");
        if let Some(toc) = toc.filter(|toc| toc.is_sealed) {
            sealing::open(opened.at_rest(toc)?, &opened.identities)?;
        }
        Ok(opened)
    }

    /// Whether files of it are sealed.
    pub fn is_sealed(&self) -> bool {
        self.members.iter().any(|member| member.is_sealed)
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory itself, to lock it, where it is one of this machine.
    pub fn file(&self) -> Option<&File> {
        match &self.at {
            At::Disk(directory) => Some(directory),
            At::Elsewhere(_) => None,
        }
    }

    /// Its members, ordered by their names.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The one with its table of contents.
    pub fn toc(&self) -> Option<&Member> {
        self.members.iter().find(|member| member.name == TOC)
    }

    /// The sizes of its members together.
    pub fn bytes(&self) -> u64 {
        self.members.iter().map(|member| member.bytes).sum()
    }

    /// Opens a member as it lies there.
    ///
    /// # Errors
    /// The system's.
    pub fn at_rest(&self, member: &Member) -> io::Result<BackupFile> {
        if let At::Elsewhere(folder) = &self.at {
            return folder.open(&member.file_name());
        }
        BackupFile::open(&self.path.join(member.file_name())).map_err(|error| match error {
            FileError::Unreadable { source, .. } => source,
            other => io::Error::other(other.to_string()),
        })
    }

    /// Opens a member, of which is read what is sealed in it.
    ///
    /// # Errors
    /// The system's; [`crate::model::damage::Damage`] in it, where the member does not open.
    pub fn open(&self, member: &Member) -> io::Result<BackupFile> {
        let file = self.at_rest(member)?;
        if !member.is_sealed {
            return Ok(file);
        }
        sealing::open(file, &self.identities).map_err(|error| match error {
            UnsealError::Damaged(damage) => damage.into(),
            UnsealError::Disk(error) => error,
            // The table of contents was opened by these keys.
            UnsealError::NoKey { .. } => {
                let cause = "it is not sealed for those that its directory is sealed for";
                Damage::Corrupt { format: "age", cause: cause.to_owned() }.into()
            }
            other => io::Error::other(other.to_string()),
        })
    }

    /// Whether anything in it was written to since it was opened.
    pub fn has_changed(&self) -> bool {
        match &self.at {
            At::Disk(_) => list(&self.path).map_or(true, |now| now != self.members),
            // What cannot be asked is not said to have changed: whoever could not read says why.
            At::Elsewhere(folder) => list_folder(&**folder).is_ok_and(|now| now != self.members),
        }
    }
}

fn list_folder(folder: &dyn Folder) -> io::Result<Vec<Member>> {
    let shown = |entry: &Entry| !entry.name.as_encoded_bytes().starts_with(b".");
    let entries = folder.list()?.into_iter().filter(shown);
    let mut members: Vec<Member> = entries
        .map(|entry| {
            let open = without_seal(&entry.name).map(OsString::from);
            Member {
                is_sealed: open.is_some(),
                name: open.unwrap_or(entry.name),
                bytes: entry.bytes,
                modified: None,
                tag: Some(entry.tag),
            }
        })
        .collect();
    members.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(members)
}

fn list(path: &Path) -> io::Result<Vec<Member>> {
    let mut members = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let name = entry?.file_name();
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        // Followed, as pg_restore would.
        let metadata = match std::fs::metadata(path.join(&name)) {
            Ok(metadata) => metadata,
            // A link to nowhere is no file.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if metadata.is_file() {
            let open = without_seal(&name).map(OsString::from);
            members.push(Member {
                is_sealed: open.is_some(),
                name: open.unwrap_or(name),
                bytes: metadata.len(),
                modified: metadata.modified().ok(),
                tag: None,
            });
        }
    }
    members.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(members)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(path: &Path) -> Vec<String> {
        let directory = ArchiveDirectory::open_at(path).unwrap();
        let names = directory.members().iter().map(|member| member.name.to_string_lossy());
        names.map(String::from).collect()
    }

    #[test]
    fn members_are_the_files_that_pg_restore_would_read() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["toc.dat", "1.dat", ".hidden"] {
            std::fs::write(dir.path().join(name), "x").unwrap();
        }
        std::fs::create_dir(dir.path().join("lost+found")).unwrap();
        symlink("1.dat", dir.path().join("2.dat")).unwrap();
        symlink("nowhere", dir.path().join("3.dat")).unwrap();
        assert_eq!(names(dir.path()), ["1.dat", "2.dat", "toc.dat"]);
    }

    #[test]
    fn a_directory_that_cannot_be_looked_through_is_no_empty_one() {
        let dir = tempfile::tempdir().unwrap();
        let missing = ArchiveDirectory::open_at(&dir.path().join("missing"));
        assert!(matches!(missing, Err(FileError::NotFound(_))), "{missing:?}");
        let file = dir.path().join("file");
        std::fs::write(&file, "x").unwrap();
        let no_directory = ArchiveDirectory::open_at(&file);
        assert!(matches!(no_directory, Err(FileError::Unreadable { .. })), "{no_directory:?}");
        symlink("1.dat", dir.path().join("1.dat")).unwrap();
        let endless = ArchiveDirectory::open_at(dir.path());
        assert!(matches!(endless, Err(FileError::Unreadable { .. })), "{endless:?}");
    }
}
