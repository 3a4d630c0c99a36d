//! What the file of a server's roles and tablespaces beside a backup is called:
//! `<backup without its ending>.globals.sql`. It is no backup, and goes with the one beside it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::sealed_names::sealed_path;
use crate::model::suffix::{Suffix, without_seal};

const SUFFIX: &str = ".globals.sql";

/// The file beside a backup, which may or may not be there.
pub fn globals_path(backup: &Path) -> PathBuf {
    let mut made = stem(backup).to_owned();
    made.push(SUFFIX);
    let path = backup.with_file_name(made);
    if is_sealed(backup) { sealed_path(&path) } else { path }
}

fn is_sealed(backup: &Path) -> bool {
    backup.file_name().is_some_and(|name| without_seal(name).is_some())
}

/// Whether this is the name of such a file.
pub fn is_globals_name(name: &OsStr) -> bool {
    let bytes = without_seal(name).unwrap_or(name).as_bytes();
    bytes.len() > SUFFIX.len() && bytes.ends_with(SUFFIX.as_bytes())
}

/// Whether another backup than this one has the same file: one of the same name with another ending.
pub fn is_shared(backup: &Path) -> bool {
    let stem = stem(backup);
    let endings = Suffix::written().map(|suffix| suffix.text);
    let named = |ending: &str| -> OsString {
        let mut name = stem.to_owned();
        name.push(ending);
        name
    };
    [""].into_iter().chain(endings).map(named).any(|name| {
        let other = backup.with_file_name(&name);
        let other = if is_sealed(backup) { sealed_path(&other) } else { other };
        other != backup && std::fs::symlink_metadata(other).is_ok()
    })
}

/// The name of a backup without its ending.
fn stem(backup: &Path) -> &OsStr {
    let name = backup.file_name().unwrap_or_default();
    let name = without_seal(name).unwrap_or(name);
    let stem = Suffix::written().find_map(|suffix| suffix.stem(name.as_bytes()));
    stem.map_or(name, OsStr::from_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_named_like_its_backup_whatever_its_ending() {
        for (backup, globals) in [
            ("b/backup_20260114_143022.sql.gz", "b/backup_20260114_143022.globals.sql"),
            ("backup_20260114_143022.sql.zst", "backup_20260114_143022.globals.sql"),
            ("x.sql", "x.globals.sql"),
            ("x.gz", "x.globals.sql"),
            ("x.dump", "x.globals.sql"),
            ("x.dir", "x.globals.sql"),
            ("x.tar", "x.globals.sql"),
            ("x.y.sql.gz", "x.y.globals.sql"),
            ("x", "x.globals.sql"),
            (".sql", ".sql.globals.sql"),
            ("b/x.sql.gz.age", "b/x.globals.sql.age"),
            ("x.dir.age", "x.globals.sql.age"),
        ] {
            let path = globals_path(Path::new(backup));
            assert_eq!(path, Path::new(globals), "{backup}");
            assert!(is_globals_name(path.file_name().unwrap()), "{backup}");
        }
        for other in [".globals.sql", "globals.sql", "x.globals.sql.gz", "x.sql"] {
            assert!(!is_globals_name(OsStr::new(other)), "{other}");
        }
    }

    #[test]
    fn two_backups_of_one_name_share_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("x.sql.gz"), b"").unwrap();
        std::fs::write(path("x.globals.sql"), b"").unwrap();
        std::fs::write(path("x2.sql.gz"), b"").unwrap();
        assert!(!is_shared(&path("x.sql.gz")));
        std::fs::write(path("x.dump"), b"").unwrap();
        assert!(is_shared(&path("x.sql.gz")) && is_shared(&path("x.dump")));
    }
}
