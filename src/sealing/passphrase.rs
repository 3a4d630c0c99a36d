//! Where a passphrase comes from: an environment variable, a file, or whoever sits at the terminal.

use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use age::scrypt;
use age::secrecy::SecretString;
use zeroize::Zeroizing;

use super::error::KeyError;
use crate::model::secret::Secret;

/// Bytes of a passphrase at the most.
const MOST_BYTES: u64 = 1 << 20;
/// Binary logarithm of the work that a passphrase takes to try: what the program age takes, on every machine, so that
/// what a fast one seals a slow one opens.
const WORK: u8 = 18;
/// The same at the most, of what another program has sealed; age's own limit.
const MOST_WORK: u8 = 22;

/// Seals to a passphrase.
pub(super) fn recipient(passphrase: SecretString) -> scrypt::Recipient {
    let mut recipient = scrypt::Recipient::new(passphrase);
    recipient.set_work_factor(WORK);
    recipient
}

/// Opens what is sealed to a passphrase.
pub(super) fn identity(passphrase: SecretString) -> scrypt::Identity {
    let mut identity = scrypt::Identity::new(passphrase);
    identity.set_max_work_factor(MOST_WORK);
    identity
}

/// Where it comes from. It is had when it is first needed, and once.
#[derive(Clone)]
pub struct Passphrase {
    whence: Whence,
    had: Arc<OnceLock<Result<SecretString, KeyError>>>,
}

#[derive(Clone)]
enum Whence {
    Given(Secret),
    File(PathBuf),
    Terminal,
}

impl Passphrase {
    /// This one, from the environment.
    pub fn given(secret: Secret) -> Self {
        Self::of(Whence::Given(secret))
    }

    /// What a file has, without the line end that ends it.
    pub fn in_file(path: PathBuf) -> Self {
        Self::of(Whence::File(path))
    }

    /// What somebody types at the terminal.
    pub fn asked() -> Self {
        Self::of(Whence::Terminal)
    }

    fn of(whence: Whence) -> Self {
        Self { whence, had: Arc::default() }
    }

    /// The passphrase, which is needed for `what`.
    ///
    /// # Errors
    /// Where there is none to be had, or it is empty.
    pub fn get(&self, what: &str) -> Result<SecretString, KeyError> {
        self.had.get_or_init(|| self.whence.get(what, false)).clone()
    }

    /// The same for something new: who types it has to type it twice.
    ///
    /// # Errors
    /// As [`Passphrase::get`], and where the two are not alike.
    pub fn choose(&self, what: &str) -> Result<SecretString, KeyError> {
        self.had.get_or_init(|| self.whence.get(what, true)).clone()
    }
}

impl Whence {
    fn get(&self, what: &str, is_new: bool) -> Result<SecretString, KeyError> {
        let none = |reason: &str| KeyError::NoPassphrase {
            why: what.to_owned(),
            reason: reason.to_owned(),
        };
        let text = match self {
            Self::Given(secret) => Zeroizing::new(secret.expose().to_owned()),
            Self::File(path) => {
                let read = File::open(path).and_then(|file| {
                    let mut text = Zeroizing::new(String::new());
                    file.take(MOST_BYTES).read_to_string(&mut text)?;
                    Ok(text)
                });
                let text = read.map_err(|error| KeyError::unreadable(path, &error))?;
                let line = text.strip_suffix('\n').unwrap_or(&text);
                Zeroizing::new(line.strip_suffix('\r').unwrap_or(line).to_owned())
            }
            Self::Terminal if !io::stdin().is_terminal() => {
                return Err(none("there is no terminal to ask at"));
            }
            Self::Terminal => {
                let ask = |prompt: String| {
                    rpassword::prompt_password(prompt)
                        .map(Zeroizing::new)
                        .map_err(|error| none(&error.to_string()))
                };
                let text = ask(format!("Passphrase {what}: "))?;
                if is_new && ask("The same again: ".to_owned())? != text {
                    return Err(none("the two that were typed are not alike"));
                }
                text
            }
        };
        if text.is_empty() {
            return Err(none("it is empty"));
        }
        Ok(SecretString::from(text.as_str()))
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.whence {
            Whence::Given(_) => "given",
            Whence::File(_) => "in a file",
            Whence::Terminal => "asked",
        })
    }
}

#[cfg(test)]
mod tests {
    use age::secrecy::ExposeSecret;

    use super::*;

    fn in_file(bytes: &[u8]) -> Result<String, KeyError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("passphrase");
        std::fs::write(&path, bytes).unwrap();
        let text = Passphrase::in_file(path).get("to open it")?;
        Ok(text.expose_secret().to_owned())
    }

    #[test]
    fn the_line_end_of_a_file_is_none_of_its_passphrase() {
        for (bytes, expected) in [
            (&b"a b\n"[..], "a b"),
            (b"a\r\n", "a"),
            (b"a\n\n", "a\n"),
            (b"a\nb", "a\nb"),
            (b" a", " a"),
        ] {
            assert_eq!(in_file(bytes).as_deref(), Ok(expected));
        }
        let long = "x".repeat(10_000);
        assert_eq!(in_file(long.as_bytes()), Ok(long));
    }

    #[test]
    fn what_is_no_passphrase_is_said() {
        for (bytes, expected) in [(&b""[..], "it is empty"), (b"\n", "it is empty")] {
            let error = in_file(bytes).unwrap_err().to_string();
            assert!(error.ends_with(expected), "{error}");
        }
        assert!(matches!(in_file(b"\xff"), Err(KeyError::Unreadable { .. })));
        let missing = Passphrase::in_file("/nowhere".into()).get("x").unwrap_err();
        assert!(matches!(missing, KeyError::Unreadable { .. }), "{missing}");
    }

    #[test]
    fn it_is_not_shown() {
        let passphrase = Passphrase::given(Secret::new("hunter2"));
        assert_eq!(format!("{passphrase:?}"), "given");
        assert_eq!(passphrase.get("x").unwrap().expose_secret(), "hunter2");
    }
}
