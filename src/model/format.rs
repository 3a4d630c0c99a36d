//! The formats that pg_dump writes.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A format of pg_dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
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
    /// All of them, as they are listed for people.
    pub const ALL: [Self; 4] = [Self::Plain, Self::Custom, Self::Directory, Self::Tar];

    /// The format of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

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
