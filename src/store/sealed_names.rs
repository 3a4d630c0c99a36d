//! What backups are called when they are sealed.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::model::suffix::{SEALED, without_seal};

/// What a file or directory is called when it is sealed: `x.sql.gz.age`.
pub fn sealed_path(open: &Path) -> PathBuf {
    match open.file_name() {
        Some(name) if without_seal(name).is_none() => {
            let mut sealed = name.to_owned();
            sealed.push(SEALED);
            open.with_file_name(sealed)
        }
        _ => open.to_owned(),
    }
}

/// Whether the name says that it is sealed.
pub fn is_sealed_name(name: &OsStr) -> bool {
    without_seal(name).is_some()
}

/// The same of one that is not sealed: `x.sql.gz`.
pub fn open_path(sealed: &Path) -> PathBuf {
    let open = sealed.file_name().and_then(without_seal).map(|name| sealed.with_file_name(name));
    open.unwrap_or_else(|| sealed.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seal_is_the_last_of_the_name_and_is_there_once() {
        for (open, sealed) in
            [("b/x.sql.gz", "b/x.sql.gz.age"), ("x", "x.age"), ("x.dir", "x.dir.age")]
        {
            assert_eq!(sealed_path(Path::new(open)), Path::new(sealed));
            assert_eq!(sealed_path(Path::new(sealed)), Path::new(sealed));
            assert_eq!(open_path(Path::new(sealed)), Path::new(open));
            assert_eq!(open_path(Path::new(open)), Path::new(open));
            assert!(is_sealed_name(OsStr::new(sealed)) && !is_sealed_name(OsStr::new(open)));
        }
    }
}
