//! What the end of a backup's name says: the one table of suffixes.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::format::Format;
use super::packing::Packing;

/// Who writes files of such a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// `create` gives such names.
    Create,
    /// Operators do, and `create` writes what the name says.
    Operator,
    /// Other programs; `create` does not.
    Others,
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suffix {
    /// With its dot.
    pub text: &'static str,
    /// The format that it names.
    pub format: Format,
    /// The packing that it names.
    pub packing: Packing,
    /// Who writes it.
    pub writer: Writer,
}

const fn row(text: &'static str, format: Format, packing: Packing, writer: Writer) -> Suffix {
    Suffix { text, format, packing, writer }
}

/// A suffix stands before those that end it.
const SUFFIXES: [Suffix; 11] = [
    row(".sql.gz", Format::Plain, Packing::Gzip, Writer::Create),
    row(".sql.zst", Format::Plain, Packing::Zstd, Writer::Create),
    row(".sql", Format::Plain, Packing::None, Writer::Create),
    row(".dump", Format::Custom, Packing::None, Writer::Create),
    row(".dir", Format::Directory, Packing::None, Writer::Create),
    row(".tar", Format::Tar, Packing::None, Writer::Create),
    row(".gz", Format::Plain, Packing::Gzip, Writer::Operator),
    row(".zst", Format::Plain, Packing::Zstd, Writer::Operator),
    row(".xz", Format::Plain, Packing::Xz, Writer::Others),
    row(".bz2", Format::Plain, Packing::Bzip2, Writer::Others),
    row(".lz4", Format::Plain, Packing::Lz4, Writer::Others),
];

/// What ends the name of a sealed backup, after its suffix.
pub const SEALED: &str = ".age";
/// What ends the names of files that other programs encrypted.
const ENCRYPTED: [&str; 4] = [".gpg", ".pgp", ".asc", ".enc"];

/// The name of a sealed backup without what says that it is one; `None` for others.
pub fn without_seal(name: &OsStr) -> Option<&OsStr> {
    name.as_bytes().strip_suffix(SEALED.as_bytes()).map(OsStr::from_bytes)
}

/// The same, whatever program encrypted it.
pub fn without_encryption(name: &OsStr) -> Option<&OsStr> {
    let of_others = |end: &&str| name.as_bytes().strip_suffix(end.as_bytes());
    without_seal(name).or_else(|| ENCRYPTED.iter().find_map(of_others).map(OsStr::from_bytes))
}

impl Suffix {
    /// The suffix of a name that has more than it, before what says that it is sealed.
    pub fn of(name: &OsStr) -> Option<Self> {
        let name = without_seal(name).unwrap_or(name);
        SUFFIXES.into_iter().find(|suffix| suffix.stem(name.as_encoded_bytes()).is_some())
    }

    /// Those of which `create` writes what they say, the longest first where one ends another.
    pub fn written() -> impl Iterator<Item = Self> {
        SUFFIXES.into_iter().filter(|suffix| suffix.writer != Writer::Others)
    }

    /// Those of names that `create` gives.
    pub fn given() -> impl Iterator<Item = Self> {
        SUFFIXES.into_iter().filter(|suffix| suffix.writer == Writer::Create)
    }

    /// What is before it in a name; `None` where there is nothing, or the name ends otherwise.
    pub fn stem(self, name: &[u8]) -> Option<&[u8]> {
        name.strip_suffix(self.text.as_bytes()).filter(|stem| !stem.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_suffix_of_a_name_is_its_suffix() {
        let text = |name: &str| Suffix::of(OsStr::new(name)).map(|suffix| suffix.text);
        for (name, expected) in [
            ("x.sql.gz", Some(".sql.gz")),
            ("x.gz", Some(".gz")),
            ("x.dump.zst", Some(".zst")),
            ("x.sql.xz", Some(".xz")),
            ("x.dir", Some(".dir")),
            ("x.sql.gz.age", Some(".sql.gz")),
            ("x.dir.age", Some(".dir")),
            (".sql.age", None),
            ("x.age", None),
            (".dump", None),
            ("x", None),
            ("x.bak", None),
        ] {
            assert_eq!(text(name), expected, "{name}");
        }
    }

    #[test]
    fn no_suffix_hides_another() {
        for (at, suffix) in SUFFIXES.iter().enumerate() {
            let hidden = SUFFIXES[at + 1..].iter().find(|later| later.text.ends_with(suffix.text));
            assert_eq!(hidden, None, "{suffix:?}");
        }
    }
}
