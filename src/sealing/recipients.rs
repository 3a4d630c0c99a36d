//! To whom a backup is sealed.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use age::armor::{ArmoredWriter, Format};
use age::secrecy::SecretString;
use age::stream::StreamWriter;
use age::{Encryptor, Recipient, x25519};

use super::error::KeyError;
use super::passphrase::{self, Passphrase};

/// What a recipient that is a passphrase is called.
pub(super) const PASSPHRASE: &str = "passphrase";
/// What the private keys of age begin with, in any case.
pub(super) const PRIVATE: &str = "AGE-SECRET-KEY-";
/// What the private keys of age's plugins begin with.
const PRIVATE_OF_PLUGIN: &str = "AGE-PLUGIN-";

/// See the module.
#[derive(Clone)]
pub struct Recipients(To);

#[derive(Clone)]
enum To {
    Keys(Arc<[x25519::Recipient]>),
    Passphrase(SecretString),
}

impl Recipients {
    /// The recipients of this list: public keys of age, and files of them (`@FILE`), one a line. A key that is there
    /// twice counts once.
    ///
    /// # Errors
    /// [`KeyError`], which says which of them cannot be taken and why.
    pub fn of(given: &[String]) -> Result<Self, KeyError> {
        let (mut keys, mut known) = (Vec::new(), BTreeSet::new());
        let mut take = |text: &str, whence: &str| {
            let key = recipient(text, whence)?;
            if known.insert(key.to_string()) {
                keys.push(key);
            }
            Ok(())
        };
        for (number, text) in (1..).zip(given) {
            match text.strip_prefix('@') {
                Some(path) => {
                    let path = Path::new(path);
                    let text = std::fs::read_to_string(path)
                        .map_err(|error| KeyError::unreadable(path, &error))?;
                    let lines = (1..).zip(text.lines().map(str::trim));
                    let mut lines = lines
                        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
                        .peekable();
                    if lines.peek().is_none() {
                        return Err(KeyError::Empty { path: path.to_owned(), what: "recipient" });
                    }
                    for (line, text) in lines {
                        take(text, &format!("line {line} of {}", path.display()))?;
                    }
                }
                None => take(text.trim(), &format!("recipient {number}"))?,
            }
        }
        Ok(Self(To::Keys(keys.into())))
    }

    /// Whoever has the passphrase.
    ///
    /// # Errors
    /// Where there is none.
    pub fn passphrase(passphrase: &Passphrase) -> Result<Self, KeyError> {
        passphrase.choose("for the new backup").map(|text| Self(To::Passphrase(text)))
    }

    /// What they are called: the public keys, or `passphrase`.
    pub fn names(&self) -> Vec<String> {
        match &self.0 {
            To::Keys(keys) => keys.iter().map(ToString::to_string).collect(),
            To::Passphrase(_) => vec![PASSPHRASE.to_owned()],
        }
    }

    /// Whether it takes a second or more of work to open one file, so that there should not be many.
    pub fn are_slow(&self) -> bool {
        matches!(self.0, To::Passphrase(_))
    }

    /// What seals for them what is written to it.
    ///
    /// # Errors
    /// The sink's.
    pub fn seal<W: Write>(&self, sink: W) -> io::Result<StreamWriter<W>> {
        self.encryptor()?.wrap_output(sink)
    }

    /// The same of a few bytes, as text (age's armor).
    ///
    /// # Errors
    /// None that is known of.
    pub fn seal_text(&self, bytes: &[u8]) -> io::Result<String> {
        let armor = ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor)?;
        let mut writer = self.seal(armor)?;
        writer.write_all(bytes)?;
        let text = writer.finish()?.finish()?;
        String::from_utf8(text).map_err(io::Error::other)
    }

    fn encryptor(&self) -> io::Result<Encryptor> {
        match &self.0 {
            To::Keys(keys) => {
                let keys = keys.iter().map(|key| key as &dyn Recipient);
                Encryptor::with_recipients(keys).map_err(io::Error::other)
            }
            To::Passphrase(text) => {
                let recipient = passphrase::recipient(text.clone());
                let recipients = std::iter::once(&recipient as &dyn Recipient);
                Encryptor::with_recipients(recipients).map_err(io::Error::other)
            }
        }
    }
}

impl fmt::Debug for Recipients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

/// A sink whose bytes are sealed on their way, or are not.
#[allow(missing_debug_implementations, reason = "age's writer has none")]
pub enum Sealer<W: Write> {
    /// As they are.
    Open(W),
    /// For these recipients.
    Sealed(StreamWriter<W>),
}

impl<W: Write> Sealer<W> {
    /// Seals what is written for the recipients, if there are any.
    ///
    /// # Errors
    /// The sink's: the head is written at once.
    pub fn new(sink: W, recipients: Option<&Recipients>) -> io::Result<Self> {
        match recipients {
            None => Ok(Self::Open(sink)),
            Some(recipients) => recipients.seal(sink).map(Self::Sealed),
        }
    }

    /// Writes what ends it, and gives the sink.
    ///
    /// # Errors
    /// The sink's.
    pub fn finish(self) -> io::Result<W> {
        match self {
            Self::Open(sink) => Ok(sink),
            Self::Sealed(writer) => writer.finish(),
        }
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match self {
            Self::Open(sink) => sink.write(data),
            Self::Sealed(writer) => writer.write(data),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Open(sink) => sink.flush(),
            Self::Sealed(writer) => writer.flush(),
        }
    }
}

fn recipient(text: &str, whence: &str) -> Result<x25519::Recipient, KeyError> {
    let whence = || whence.to_owned();
    let upper = text.to_ascii_uppercase();
    if upper.starts_with(PRIVATE)
        || upper.starts_with(PRIVATE_OF_PLUGIN)
        || text.contains("PRIVATE KEY")
    {
        return Err(KeyError::PrivateRecipient { whence: whence() });
    }
    if let Some(kind) = unsupported(text) {
        return Err(KeyError::Unsupported { whence: whence(), kind });
    }
    text.parse().map_err(|_| KeyError::Malformed {
        whence: whence(),
        what: "recipient",
        why: if text.starts_with("age1") {
            "its checksum is wrong"
        } else {
            "it does not begin with age1"
        },
    })
}

/// What a public key is that is none of age's own; `None` for all else.
fn unsupported(text: &str) -> Option<String> {
    let first = text.split_whitespace().next().unwrap_or_default();
    if first.starts_with("ssh-") || first.starts_with("ecdsa-") || first.starts_with("sk-") {
        return Some(format!("an SSH key ({first})"));
    }
    // What stands before the last 1 names the kind of a key in bech32.
    let (kind, _) = text.strip_prefix("age1")?.rsplit_once('1')?;
    let is_name = kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (is_name && !kind.is_empty()).then(|| format!("a key of the kind age1{kind}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

    fn of(given: &[&str]) -> Result<Vec<String>, KeyError> {
        let given: Vec<String> = given.iter().map(|text| (*text).to_owned()).collect();
        Recipients::of(&given).map(|recipients| recipients.names())
    }

    #[test]
    fn keys_come_from_the_list_and_from_files_and_count_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("recipients");
        let other = x25519::Identity::generate().to_public().to_string();
        std::fs::write(&path, format!("# the two of us\n\n{KEY}\r\n  {other}\n")).unwrap();
        let file = format!("@{}", path.display());
        assert_eq!(of(&[KEY, &file, &other]), Ok(vec![KEY.to_owned(), other]));
        std::fs::write(&path, "# nobody\n").unwrap();
        assert!(matches!(of(&[&file]), Err(KeyError::Empty { what: "recipient", .. })));
        assert!(matches!(of(&["@/nowhere"]), Err(KeyError::Unreadable { .. })));
    }

    #[test]
    fn what_is_no_recipient_is_told_and_never_repeated() {
        let private = x25519::Identity::generate().to_string();
        let private = age::secrecy::ExposeSecret::expose_secret(&private).to_owned();
        for (given, expected) in [
            (private.as_str(), "recipient 1 is a private key, not a recipient"),
            (&private.to_lowercase(), "recipient 1 is a private key, not a recipient"),
            (
                "-----BEGIN OPENSSH PRIVATE KEY-----",
                "recipient 1 is a private key, not a recipient",
            ),
            (
                "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA me@here",
                "recipient 1 is an SSH key (ssh-ed25519), which is not supported",
            ),
            (
                "age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t",
                "recipient 1 is a key of the kind age1yubikey, which is not supported",
            ),
            (
                &KEY.replace("3z7", "3z8"),
                "recipient 1 is no recipient of age: its checksum is wrong",
            ),
            ("hello", "recipient 1 is no recipient of age: it does not begin with age1"),
            ("", "recipient 1 is no recipient of age: it does not begin with age1"),
        ] {
            let error = of(&[given]).unwrap_err();
            assert_eq!(error.to_string(), expected);
            assert!(!format!("{error:?}{}", error.hint()).contains(&private), "{error:?}");
        }
    }
}
