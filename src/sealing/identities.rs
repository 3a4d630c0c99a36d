//! Keys that open what was sealed.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use age::secrecy::ExposeSecret;
use age::{DecryptError, Decryptor, Identity, armor, scrypt, x25519};
use zeroize::Zeroizing;

use super::beginning::is_age;
use super::error::KeyError;
use super::passphrase::{self, Passphrase};
use super::recipients::{PRIVATE, Recipients};

/// Bytes of a file of identities at the most.
const MOST_BYTES: u64 = 1 << 20;

/// The keys at hand.
#[derive(Clone, Debug, Default)]
pub struct Identities {
    files: Vec<Arc<IdentityFile>>,
    passphrase: Option<Passphrase>,
}

impl Identities {
    /// The identities of these files, and a passphrase for what is encrypted with one: a backup, or such a file.
    pub fn of(files: Vec<IdentityFile>, passphrase: Passphrase) -> Self {
        Self { files: files.into_iter().map(Arc::new).collect(), passphrase: Some(passphrase) }
    }

    /// The files.
    pub fn files(&self) -> impl Iterator<Item = &IdentityFile> {
        self.files.iter().map(AsRef::as_ref)
    }

    /// The passphrase, and whether one was found.
    pub(super) fn passphrase(&self) -> Option<scrypt::Identity> {
        let passphrase = self.passphrase.as_ref()?;
        passphrase.get("to open the backup").ok().map(passphrase::identity)
    }

    /// The identities of all files. Those of an encrypted one are opened now.
    pub(super) fn keys(&self) -> Result<Vec<&x25519::Identity>, KeyError> {
        let mut keys = Vec::new();
        for file in &self.files {
            keys.extend(file.keys(self.passphrase.as_ref())?);
        }
        Ok(keys)
    }

    /// The recipients that these identities are of, as text.
    ///
    /// # Errors
    /// Where a file of them is encrypted and does not open.
    pub fn recipients(&self) -> Result<Vec<String>, KeyError> {
        Ok(self.keys()?.iter().map(|key| key.to_public().to_string()).collect())
    }
}

/// A file of identities.
pub struct IdentityFile {
    path: PathBuf,
    sealed: Option<Vec<u8>>,
    is_exposed: bool,
    keys: OnceLock<Result<Vec<x25519::Identity>, KeyError>>,
}

impl IdentityFile {
    /// Reads a file of identities, one a line, or an age file with such a one in it, which is opened when it is
    /// needed.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let failed = |error: io::Error| KeyError::unreadable(path, &error);
        let file = File::open(path).map_err(failed)?;
        let mode = file.metadata().map_err(failed)?.permissions().mode();
        let mut bytes = Zeroizing::new(Vec::new());
        file.take(MOST_BYTES).read_to_end(&mut bytes).map_err(failed)?;
        let (sealed, keys) = if is_age(&bytes) {
            (Some(std::mem::take(&mut *bytes)), OnceLock::new())
        } else {
            (None, OnceLock::from(Ok(parse(path, &bytes)?)))
        };
        // What is encrypted may be seen.
        let is_exposed = sealed.is_none() && mode & 0o077 != 0;
        Ok(Self { path: path.to_owned(), sealed, is_exposed, keys })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether others than its owner may read it, though nothing in it is encrypted.
    pub fn is_exposed(&self) -> bool {
        self.is_exposed
    }

    fn keys(&self, passphrase: Option<&Passphrase>) -> Result<&[x25519::Identity], KeyError> {
        let keys = self.keys.get_or_init(|| self.open(passphrase));
        keys.as_deref().map_err(Clone::clone)
    }

    fn open(&self, passphrase: Option<&Passphrase>) -> Result<Vec<x25519::Identity>, KeyError> {
        let what = format!("to open the identities in {}", self.path.display());
        let passphrase = match passphrase {
            Some(passphrase) => passphrase.get(&what)?,
            None => {
                return Err(KeyError::NoPassphrase { why: what, reason: "none was given".into() });
            }
        };
        let wrong = || KeyError::WrongPassphrase(self.path.clone());
        let sealed = armor::ArmoredReader::new(self.sealed.as_deref().unwrap_or_default());
        let decryptor = Decryptor::new_buffered(BufReader::new(sealed)).map_err(|_| wrong())?;
        let identity = passphrase::identity(passphrase);
        let opened = decryptor.decrypt(std::iter::once(&identity as &dyn Identity));
        let refused = |error| match error {
            DecryptError::ExcessiveWork { required, .. } => {
                KeyError::ExcessiveWork { path: self.path.clone(), required }
            }
            _ => wrong(),
        };
        let mut bytes = Zeroizing::new(Vec::new());
        opened.map_err(refused)?.read_to_end(&mut bytes).map_err(|_| wrong())?;
        parse(&self.path, &bytes)
    }
}

impl fmt::Debug for IdentityFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "identities of {}", self.path.display())
    }
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Vec<x25519::Identity>, KeyError> {
    let text = Zeroizing::new(String::from_utf8_lossy(bytes).into_owned());
    if text.contains("PRIVATE KEY-----") {
        let kind = "a private key of SSH or TLS".to_owned();
        return Err(KeyError::Unsupported { whence: path.display().to_string(), kind });
    }
    let mut keys = Vec::new();
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let whence = format!("line {number} of {}", path.display());
        match line.parse::<x25519::Identity>() {
            Ok(key) => keys.push(key),
            Err(_) if line.starts_with("age1") || line.starts_with("ssh-") => {
                return Err(KeyError::PublicIdentity { whence });
            }
            Err(_) => {
                if let Some(plugin) = line.strip_prefix("AGE-PLUGIN-") {
                    let name =
                        plugin.rsplit_once('1').map_or("", |(name, _)| name.trim_end_matches('-'));
                    let kind = format!("a key of the plugin {}", name.to_lowercase());
                    return Err(KeyError::Unsupported { whence, kind });
                }
                let why = if line.starts_with(PRIVATE) {
                    "its checksum is wrong"
                } else {
                    "it does not begin with AGE-SECRET-KEY-1"
                };
                return Err(KeyError::Malformed { whence, what: "identity", why });
            }
        }
    }
    if keys.is_empty() {
        return Err(KeyError::Empty { path: path.to_owned(), what: "identity" });
    }
    Ok(keys)
}

/// An identity that was just made.
pub struct NewIdentity(x25519::Identity);

impl NewIdentity {
    /// Makes one.
    pub fn generate() -> Self {
        Self(x25519::Identity::generate())
    }

    /// Its recipient.
    pub fn recipient(&self) -> String {
        self.0.to_public().to_string()
    }

    /// Writes it to a new file that only its owner may read, encrypted if there is a passphrase to encrypt it with.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] where there is such a file, and what the system refuses.
    pub fn write(&self, path: &Path, made: &str, sealed: Option<&Recipients>) -> io::Result<()> {
        let key = self.0.to_string();
        let text = Zeroizing::new(format!(
            "# created: {made}\n# public key: {}\n{}\n",
            self.recipient(),
            key.expose_secret()
        ));
        let sealed = sealed.map(|recipients| recipients.seal_text(text.as_bytes())).transpose()?;
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(sealed.as_deref().unwrap_or(&text).as_bytes())?;
        file.sync_all()
    }
}

impl fmt::Debug for NewIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the identity of {}", self.recipient())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::secret::Secret;

    fn read(text: &str) -> Result<Vec<String>, KeyError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        std::fs::write(&path, text).unwrap();
        let file = IdentityFile::read(&path)?;
        Identities::of(vec![file], Passphrase::given(Secret::new("secret"))).recipients()
    }

    #[test]
    fn an_identity_that_was_written_is_read_encrypted_or_not() {
        let dir = tempfile::tempdir().unwrap();
        let new = NewIdentity::generate();
        let passphrase = Passphrase::given(Secret::new("secret"));
        let recipients = Recipients::passphrase(&passphrase).unwrap();
        for (name, sealed) in [("open", None), ("sealed", Some(&recipients))] {
            let path = dir.path().join(name);
            new.write(&path, "2026-01-14", sealed).unwrap();
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            let file = IdentityFile::read(&path).unwrap();
            assert!(!file.is_exposed());
            let identities = Identities::of(vec![file], passphrase.clone());
            assert_eq!(identities.recipients(), Ok(vec![new.recipient()]));
            let again = new.write(&path, "", sealed).unwrap_err();
            assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        }
        let file = IdentityFile::read(&dir.path().join("sealed")).unwrap();
        let wrong = Identities::of(vec![file], Passphrase::given(Secret::new("wrong")));
        assert!(matches!(wrong.recipients(), Err(KeyError::WrongPassphrase(_))));
    }

    #[test]
    fn one_that_others_may_read_is_exposed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        NewIdentity::generate().write(&path, "", None).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(IdentityFile::read(&path).unwrap().is_exposed());
    }

    #[test]
    fn what_is_no_identity_is_told_by_its_line() {
        let public = NewIdentity::generate().recipient();
        for (text, expected) in [
            (public.as_str(), "line 1 of * is a recipient (a public key), which opens nothing"),
            ("# only a comment\n", "there is no identity in *"),
            ("", "there is no identity in *"),
            (
                "\nhello",
                "line 2 of * is no identity of age: it does not begin with AGE-SECRET-KEY-1",
            ),
            ("AGE-SECRET-KEY-1QQQ", "line 1 of * is no identity of age: its checksum is wrong"),
            (
                "AGE-PLUGIN-YUBIKEY-1QQQQ",
                "line 1 of * is a key of the plugin yubikey, which is not supported",
            ),
            (
                "-----BEGIN OPENSSH PRIVATE KEY-----\nx",
                "* is a private key of SSH or TLS, which is not supported",
            ),
        ] {
            let error = read(text).unwrap_err().to_string();
            let (before, after) = expected.split_once('*').unwrap();
            assert!(error.starts_with(before) && error.ends_with(after), "{error}");
        }
    }
}
