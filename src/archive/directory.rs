//! An archive of the directory format as it lies on the disk: a flat directory of files.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::packing::file::FileError;

/// A file of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: OsString,
    /// Its size in bytes.
    pub bytes: u64,
    modified: Option<SystemTime>,
}

/// An open directory.
#[derive(Debug, Clone)]
pub struct ArchiveDirectory {
    path: PathBuf,
    directory: Arc<File>,
    members: Vec<Member>,
}

impl ArchiveDirectory {
    /// Opens a directory. Its members are the regular files in it that are not hidden: pg_dump
    /// writes none of these, and other programs leave them.
    ///
    /// # Errors
    /// When it is not there, no directory, or may not be read.
    pub fn open_at(path: &Path) -> Result<Self, FileError> {
        let fail = |source: io::Error| FileError::of(path, source);
        let directory = Arc::new(File::open(path).map_err(fail)?);
        Ok(Self { path: path.to_owned(), directory, members: list(path).map_err(fail)? })
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory itself, to lock it.
    pub fn file(&self) -> &File {
        &self.directory
    }

    /// Its members, ordered by their names.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The sizes of its members together.
    pub fn bytes(&self) -> u64 {
        self.members.iter().map(|member| member.bytes).sum()
    }

    /// Opens a member.
    ///
    /// # Errors
    /// The system's.
    pub fn open(&self, member: &Member) -> io::Result<File> {
        File::open(self.path.join(&member.name))
    }

    /// Whether anything in it was written to since it was opened.
    pub fn has_changed(&self) -> bool {
        list(&self.path).map_or(true, |now| now != self.members)
    }
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
            members.push(Member {
                name,
                bytes: metadata.len(),
                modified: metadata.modified().ok(),
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
