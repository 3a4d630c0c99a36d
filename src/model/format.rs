//! The formats that pg_dump writes.

use std::fmt;

/// A format of pg_dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// SQL.
    #[default]
    Plain,
    /// One file that only pg_restore reads.
    Custom,
    /// A directory of files.
    Directory,
    /// The same files in a tar archive.
    Tar,
}

impl Format {
    /// pg_dump's own word for it: `plain`, `custom`, `directory`, `tar`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Custom => "custom",
            Self::Directory => "directory",
            Self::Tar => "tar",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
