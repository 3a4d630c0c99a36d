//! What older versions of PostgreSQL have and newer ones no longer, told by what the newer ones say of it.
//!
//! Source: PostgreSQL's release notes, and the `errmsg` of 13 to 19.

use std::fmt;

/// Types, and the last version that has them.
const TYPES: [(&str, u32); 4] =
    [("abstime", 11), ("reltime", 11), ("tinterval", 11), ("opaque", 12)];

/// What was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    /// A type, and the last version that has it.
    Type(&'static str, u32),
    /// Tables with object identifiers.
    Oids,
    /// `standard_conforming_strings = off`: escapes in plain literals.
    Escapes,
}

impl Removed {
    /// What a message (`errmsg`) is about, if it is about something like that.
    pub fn of(message: &str) -> Option<Self> {
        match message {
            "tables declared WITH OIDS are not supported" => Some(Self::Oids),
            "non-standard string literals are not supported" => Some(Self::Escapes),
            _ => {
                let name = message.strip_prefix("type \"")?.strip_suffix("\" does not exist")?;
                let name = name.strip_prefix("pg_catalog.").unwrap_or(name);
                let (name, last) = TYPES.into_iter().find(|(known, _)| *known == name)?;
                Some(Self::Type(name, last))
            }
        }
    }

    /// The last version that has it.
    #[must_use]
    pub fn last(self) -> u32 {
        match self {
            Self::Type(_, last) => last,
            Self::Oids => 11,
            Self::Escapes => 18,
        }
    }

    /// Whether the server reads otherwise whatever comes after the statement that asked for it.
    #[must_use]
    pub fn changes_what_follows(self) -> bool {
        self == Self::Escapes
    }
}

impl fmt::Display for Removed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type(name, last) => {
                write!(f, "the type {name}, which versions up to {last} have")
            }
            Self::Oids => f.write_str("tables with object identifiers (WITH OIDS)"),
            Self::Escapes => f.write_str("text with escapes (standard_conforming_strings = off)"),
        }
    }
}
