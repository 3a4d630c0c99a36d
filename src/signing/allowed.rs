//! Who may sign: OpenSSH's file of allowed signers.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use thiserror::Error;

use super::allowed_line::{self, Allowed, takes};
use super::key_file::holds_private_key;
use super::{Namespace, Signature};

/// Bytes of the file at the most.
const MOST_BYTES: u64 = 16 << 20;

/// Why the file cannot be used. Nothing of it is repeated.
#[derive(Debug, Error)]
pub enum AllowedError {
    /// It cannot be read.
    #[error("the allowed signers {} cannot be read: {source}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// It is a private key.
    #[error("{} is a private key, and no file of allowed signers", .0.display())]
    PrivateKey(PathBuf),
    /// It names nobody.
    #[error("the allowed signers {} name nobody", .0.display())]
    Empty(PathBuf),
    /// A line is wrong.
    #[error("{}, line {line}: {message}", .path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        message: &'static str,
    },
}

impl AllowedError {
    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "name a file that this user may read",
            Self::PrivateKey(_) => {
                "keep it secret; a line of allowed signers has the public half: \
                 backup@example.org ssh-ed25519 AAAA…"
            }
            Self::Empty(_) | Self::Line { .. } => {
                "a line is PRINCIPAL [OPTIONS] KEY, as ssh-keygen(1) says under ALLOWED SIGNERS: \
                 backup@example.org ssh-ed25519 AAAA…"
            }
        }
    }
}

/// Why a good signature is not allowed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Nobody has this key.
    #[error("the key {0} is none of the allowed signers")]
    Unknown(String),
    /// The key may sign other things only.
    #[error("the key of {principals} may sign in {namespaces} only, and not in {namespace}")]
    Namespace {
        /// Whose it is.
        principals: String,
        /// What it may sign.
        namespaces: String,
        /// What it signed.
        namespace: Namespace,
    },
    /// The key was not valid yet.
    #[error("the key of {principals} is valid from {} UTC, and this is of {} UTC", shown(*.from), shown(*.at))]
    TooEarly {
        /// Whose it is.
        principals: String,
        /// Since when it is valid.
        from: DateTime<Utc>,
        /// When it signed.
        at: DateTime<Utc>,
    },
    /// The key was valid no more.
    #[error("the key of {principals} was valid until {} UTC, and this is of {} UTC", shown(*.until), shown(*.at))]
    TooLate {
        /// Whose it is.
        principals: String,
        /// Until when it was valid.
        until: DateTime<Utc>,
        /// When it signed.
        at: DateTime<Utc>,
    },
}

fn shown(time: DateTime<Utc>) -> impl std::fmt::Display {
    time.format("%Y-%m-%d %H:%M:%S")
}

/// Who may sign. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedSigners {
    path: PathBuf,
    lines: Arc<[Allowed]>,
}

impl AllowedSigners {
    /// Reads the file.
    ///
    /// # Errors
    /// [`AllowedError`], also for a file that names nobody.
    pub fn read(path: &Path) -> Result<Self, AllowedError> {
        let unreadable = |source| AllowedError::Unreadable { path: path.to_owned(), source };
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path).map_err(unreadable)?;
        file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(unreadable(io::Error::other("it is larger than 16 MiB")));
        }
        Self::parse(path, &bytes)
    }

    fn parse(path: &Path, bytes: &[u8]) -> Result<Self, AllowedError> {
        let path = || path.to_owned();
        if holds_private_key(bytes) {
            return Err(AllowedError::PrivateKey(path()));
        }
        let text = String::from_utf8_lossy(bytes);
        let mut lines = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let wrong = |message| AllowedError::Line { path: path(), line: at + 1, message };
            lines.extend(allowed_line::parse(line).map_err(wrong)?);
        }
        if lines.is_empty() {
            return Err(AllowedError::Empty(path()));
        }
        Ok(Self { path: path(), lines: lines.into() })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Who made a signature at that time, by the principals of the first line that allows it. That the
    /// signature holds is another question.
    ///
    /// # Errors
    /// [`Refusal`], of the first line with that key where none allows it.
    pub fn who(
        &self,
        signature: &Signature,
        namespace: Namespace,
        at: DateTime<Utc>,
    ) -> Result<&str, Refusal> {
        let mut refused = None;
        for line in self.lines.iter().filter(|line| line.key == *signature.public_key()) {
            match line.check(namespace, at) {
                Ok(()) => return Ok(&line.principals),
                Err(refusal) => drop(refused.get_or_insert(refusal)),
            }
        }
        Err(refused.unwrap_or_else(|| Refusal::Unknown(signature.key())))
    }
}

impl Allowed {
    fn check(&self, namespace: Namespace, at: DateTime<Utc>) -> Result<(), Refusal> {
        let principals = self.principals.clone();
        let options = &self.options;
        if let Some(namespaces) = &options.namespaces
            && !takes(namespaces, namespace.name())
        {
            let namespaces = namespaces.clone();
            return Err(Refusal::Namespace { principals, namespaces, namespace });
        }
        match (options.valid_after, options.valid_before) {
            (Some(from), _) if at < from => Err(Refusal::TooEarly { principals, from, at }),
            (_, Some(until)) if at > until => Err(Refusal::TooLate { principals, until, at }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";
    /// By that key, in the namespace `example`: from the documentation of ssh-key.
    const SIGNATURE: &str = "-----BEGIN SSH SIGNATURE-----\n\
        U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgsz6u836i33yqAQ3v3qNOJB9l8b\n\
        UppPQ+0UMn9cVKq2IAAAAHZXhhbXBsZQAAAAAAAAAGc2hhNTEyAAAAUwAAAAtzc2gtZWQy\n\
        NTUxOQAAAEBPEav+tMGNnox4MuzM7rlHyVBajCn8B0kAyiOWwPKprNsG3i6X+voz/WCSik\n\
        /FowYwqhgCABUJSvRX3AERVBUP\n\
        -----END SSH SIGNATURE-----\n";

    fn who(file: &str, at: &str) -> Result<String, Refusal> {
        let allowed = AllowedSigners::parse(Path::new("allowed"), file.as_bytes()).unwrap();
        let signature = Signature::parse(SIGNATURE.as_bytes()).unwrap();
        allowed.who(&signature, Namespace::Manifest, at.parse().unwrap()).map(str::to_owned)
    }

    fn wrong(bytes: &[u8]) -> String {
        AllowedSigners::parse(Path::new("allowed"), bytes).unwrap_err().to_string()
    }

    #[test]
    fn the_first_line_that_allows_it_says_who_signed() {
        let now = "2026-01-14T14:30:00Z";
        let file = format!(
            "# who may sign\n\nold@x valid-before=\"20250101Z\" {KEY}\n\
             git@x namespaces=\"git\" {KEY}\nnow@x valid-after=\"20250101Z\" {KEY}\nlater@x {KEY}\n"
        );
        assert_eq!(who(&file, now).as_deref(), Ok("now@x"));
        assert_eq!(who(&file, "2024-01-01T00:00:00Z").as_deref(), Ok("old@x"));
    }

    #[test]
    fn each_refusal_has_its_own_words() {
        let at = "2026-01-14T14:30:00Z";
        let said =
            |options: &str| who(&format!("a@x {options} {KEY}"), at).unwrap_err().to_string();
        assert!(said("valid-before=\"20250101Z\"").contains("was valid until 2025-01-01 00:00:00"));
        assert!(said("valid-after=\"20270101Z\"").contains("is valid from 2027-01-01 00:00:00"));
        assert!(said("namespaces=\"git\"").contains("may sign in git only"));
        let other =
            "b ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        assert!(matches!(who(other, at), Err(Refusal::Unknown(_))));
    }

    #[test]
    fn a_file_that_names_nobody_a_private_key_and_a_wrong_line_are_refused() {
        assert!(wrong(b"").contains("name nobody"));
        assert!(wrong(b"# nobody\n\n").contains("name nobody"));
        let key = b"-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n";
        assert!(wrong(key).contains("private key") && !wrong(key).contains("hunter2"));
        let line = format!("a {KEY}\nb hunter2\n");
        assert!(wrong(line.as_bytes()).contains("line 2: "), "{}", wrong(line.as_bytes()));
        assert!(!wrong(line.as_bytes()).contains("hunter2"));
        assert!(AllowedSigners::read(Path::new("/nowhere/allowed")).is_err());
    }

    proptest! {
        #[test]
        fn any_file_of_signers_and_any_signature_can_be_read(
            text in "(\\PC|[\"\\\\, =\n]){0,120}",
            at in 0..300_usize,
            byte in any::<u8>(),
        ) {
            let _ = AllowedSigners::parse(Path::new("allowed"), text.as_bytes());
            let line = format!("a {text} {KEY}");
            let _ = AllowedSigners::parse(Path::new("allowed"), line.as_bytes());
            prop_assert!(Signature::parse(text.as_bytes()).is_err());
            let mut changed = SIGNATURE.as_bytes().to_vec();
            let at = at % changed.len();
            changed[at] = byte;
            if let Ok(signature) = Signature::parse(&changed) {
                prop_assert!(signature.check(Namespace::Manifest, b"testing").is_err());
            }
        }
    }

    #[test]
    fn a_signature_of_another_namespace_or_text_does_not_hold() {
        use crate::signing::Flaw;
        let signature = Signature::parse(SIGNATURE.as_bytes()).unwrap();
        let checked = signature.check(Namespace::Manifest, b"testing");
        assert!(matches!(checked, Err(Flaw::Namespace { found, .. }) if found == "example"));
        assert!(signature.key().starts_with("SHA256:"));
        assert_eq!(Signature::parse(b"nothing"), Err(Flaw::Damaged));
        assert_eq!(Signature::parse(&SIGNATURE.as_bytes()[..200]), Err(Flaw::Damaged));
    }
}
