//! The revisions in a directory of Alembic. Its files are read, and never run.
//!
//! Source: Alembic 1.16, `script/base.py`: which files it takes, and what it takes of them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::chain::{Chain, Revision};
use super::python;

/// The directory of the files below that of Alembic.
const VERSIONS: &str = "versions";
/// Bytes of a file at the most.
const MOST_BYTES: u64 = 1 << 20;
const REVISION: &str = "revision";
const DOWN: &str = "down_revision";
const NEEDS: &str = "depends_on";
const LABELS: &str = "branch_labels";

/// Why a directory tells no revisions.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unread {
    /// There is no such directory, or it cannot be read.
    #[error("the directory of migrations {} cannot be read: {why}", .dir.display())]
    Directory {
        /// The directory.
        dir: PathBuf,
        /// The system's reason.
        why: String,
    },
    /// There are no revisions in it.
    #[error("the directory of migrations {} has no file of a revision in it (*.py)", .0.display())]
    Empty(PathBuf),
    /// A file is not understood.
    #[error("{} is not understood: {why}", .file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        why: String,
    },
    /// The files do not go together.
    #[error("the migrations in {} are not understood: {why}", .dir.display())]
    Chain {
        /// The directory.
        dir: PathBuf,
        /// Why.
        why: String,
    },
}

/// The directory that has the files: `versions` below one of Alembic, or the one that is named.
pub fn directory(named: &Path) -> PathBuf {
    let below = named.join(VERSIONS);
    if below.is_dir() { below } else { named.to_owned() }
}

/// Reads all revisions.
///
/// # Errors
/// [`Unread`].
pub fn read(dir: &Path) -> Result<Chain, Unread> {
    let unread =
        |error: io::Error| Unread::Directory { dir: dir.to_owned(), why: error.to_string() };
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(unread)? {
        let path = entry.map_err(unread)?.path();
        if is_taken(&path) {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(Unread::Empty(dir.to_owned()));
    }
    let revisions = files.iter().map(|file| revision(file)).collect::<Result<Vec<_>, _>>()?;
    Chain::of(revisions).map_err(|why| Unread::Chain { dir: dir.to_owned(), why })
}

/// Whether Alembic takes the file for one of a revision.
fn is_taken(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    name.ends_with(".py")
        && !name.starts_with("__init__")
        && !name.starts_with(".#")
        && path.is_file()
}

fn revision(file: &Path) -> Result<Revision, Unread> {
    let unknown = |why: String| Unread::File { file: file.to_owned(), why };
    let size = fs::metadata(file).map_err(|error| unknown(error.to_string()))?.len();
    if size > MOST_BYTES {
        return Err(unknown("it is larger than 1 MiB".to_owned()));
    }
    let text = fs::read(file).map_err(|error| unknown(error.to_string()))?;
    let text = String::from_utf8_lossy(&text);
    let mut found = python::assignments(&text, &[REVISION, DOWN, NEEDS, LABELS])
        .map_err(|line| unknown(format!("line {line} is no text and no list of texts")))?;
    let mut of = |name: &str| found.remove(name).unwrap_or_default();
    let id = of(REVISION);
    let [id] = &id[..] else {
        return Err(unknown(format!("it assigns no text to {REVISION}")));
    };
    Ok(Revision { id: id.clone(), down: of(DOWN), needs: of(NEEDS), labels: of(LABELS) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(files: &[(&str, &str)]) -> (tempfile::TempDir, Result<Chain, Unread>) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(VERSIONS)).unwrap();
        for (name, text) in files {
            fs::write(dir.path().join(VERSIONS).join(name), text).unwrap();
        }
        let read = read(&directory(dir.path()));
        (dir, read)
    }

    #[test]
    fn the_files_of_the_tests_own_application_are_read() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/alembic");
        let chain = read(&directory(&dir)).unwrap();
        assert_eq!((chain.count(), chain.heads()), (9, &["0607bc5b8541".to_owned()][..]));
    }

    #[test]
    fn a_file_that_is_not_understood_is_named_with_its_line() {
        let (_dir, read) = with(&[("a.py", "revision = 'a'\n"), ("b.py", "\nrevision = make()\n")]);
        let error = read.unwrap_err().to_string();
        assert!(
            error.ends_with(
                "versions/b.py is not understood: line 2 is no text and no list of texts"
            ),
            "{error}"
        );
        let (_dir, read) = with(&[("helper.py", "x = 1\n")]);
        assert!(read.unwrap_err().to_string().ends_with("it assigns no text to revision"));
    }

    #[test]
    fn a_directory_that_is_empty_or_not_there_is_named() {
        let (_dir, read) = with(&[("__init__.py", ""), (".#a.py", "x"), ("notes.txt", "")]);
        assert!(matches!(read, Err(Unread::Empty(_))), "{read:?}");
        let missing = super::read(Path::new("/nowhere/versions"));
        assert!(matches!(missing, Err(Unread::Directory { .. })), "{missing:?}");
    }

    #[test]
    fn a_directory_of_versions_can_be_named_itself() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.py"), "revision = 'a'\ndown_revision = None\n").unwrap();
        assert_eq!(read(&directory(dir.path())).unwrap().heads(), ["a"]);
    }
}
