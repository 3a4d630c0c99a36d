//! What is known beforehand, by which the errors of a restore are judged.

use crate::dump::cleaning::Cleaning;

/// What is known of a dump and of its restore, by which its errors are judged.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Where the dump has the drops of `--clean`.
    pub cleaning: Cleaning,
    /// It is restored by a superuser.
    pub superuser: bool,
    /// It brings the roles of its cluster, as one of pg_dumpall does, and their rights.
    pub cluster: bool,
    /// Its database has the encoding that the dump says and that may not be the source's: SQL_ASCII,
    /// which counts bytes for letters.
    pub bytes_for_letters: bool,
}

/// Where a backup was restored, for a hint.
#[derive(Debug, Clone, Copy)]
pub struct Server {
    /// Its major version.
    pub major: u32,
    /// Whose it is.
    pub whose: Whose,
}

/// Whose PostgreSQL a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// An image's, in a container.
    Image,
    /// This machine's own, without a superuser's rights.
    Machine,
    /// Others work on it, and it matters.
    Others,
}
