//! Where the passphrase of a key comes from.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use zeroize::Zeroizing;

/// Bytes of a key file, or of a file with a passphrase, at the most.
const MOST_BYTES: u64 = 64 << 10;
/// What others may do with a file.
const FOR_OTHERS: u32 = 0o077;

/// What came of asking.
#[derive(Debug)]
pub enum Asking {
    /// It was given.
    Given(Zeroizing<String>),
    /// Nobody is there.
    Nobody,
    /// Somebody would not.
    Declined,
}

/// Asks somebody at a terminal for the passphrase of the key in a file.
pub type Asker<'a> = &'a dyn Fn(&Path) -> Asking;

/// A file with a secret, and whether others may read it.
pub(super) struct SecretFile {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    pub(super) is_open_to_others: bool,
}

impl SecretFile {
    /// Reads it.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let mode = file.metadata()?.mode();
        // Room for all of it, so that no copy is left behind as it grows.
        let mut bytes = Zeroizing::new(Vec::with_capacity(MOST_BYTES as usize + 1));
        file.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(io::Error::other("it is too large"));
        }
        Ok(Self { bytes, is_open_to_others: mode & FOR_OTHERS != 0 })
    }

    /// The passphrase in it: its text without one line end.
    pub(super) fn passphrase(&self) -> io::Result<Zeroizing<String>> {
        let text = str::from_utf8(&self.bytes);
        let text = text.map_err(|_| io::Error::other("it is not in UTF-8"))?;
        let text = text.strip_suffix('\n').unwrap_or(text);
        Ok(Zeroizing::new(text.strip_suffix('\r').unwrap_or(text).to_owned()))
    }
}
