//! What a place answers when it does not do what was asked, in words that name the cause and what to do.

use std::error::Error as _;
use std::fmt;
use std::io;

use thiserror::Error;

/// Why a request was not answered. It holds no secret: of what a server says, only its code and its message.
#[derive(Debug, Clone, Error)]
#[error("{url}: {cause}")]
pub struct ObjectError {
    /// What was asked for.
    pub url: String,
    /// What became of it.
    pub kind: Kind,
    /// In words.
    pub cause: String,
    /// What to do next.
    pub hint: &'static str,
}

/// What a caller tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// There is no such object.
    Missing,
    /// It is there already.
    Exists,
    /// It is not what was asked for any more.
    Changed,
    /// It may not be done with these credentials.
    Denied,
    /// Object lock keeps it.
    Locked,
    /// There is no room.
    Full,
    /// Anything else: the network, the server, a setting.
    Trouble,
}

/// Codes of S3 and its kin, and what to do about each. Source: "Error responses", Amazon S3 API Reference.
const CODES: [(&str, Kind, &str); 17] = [
    ("NoSuchBucket", Kind::Trouble, "make the bucket, or check its name and AWS_ENDPOINT_URL"),
    ("InvalidBucketName", Kind::Trouble, "check the name of the bucket"),
    (
        "InvalidAccessKeyId",
        Kind::Denied,
        "check AWS_ACCESS_KEY_ID, and that it is of this provider",
    ),
    (
        "SignatureDoesNotMatch",
        Kind::Denied,
        "check AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT_URL",
    ),
    ("ExpiredToken", Kind::Denied, "get new credentials: those that are given have expired"),
    ("InvalidToken", Kind::Denied, "check AWS_SESSION_TOKEN, or get new credentials"),
    (
        "RequestTimeTooSkewed",
        Kind::Trouble,
        "set the clock of this machine: it is not the server's",
    ),
    ("AuthorizationHeaderMalformed", Kind::Trouble, REGION),
    ("PermanentRedirect", Kind::Trouble, REGION),
    ("IllegalLocationConstraintException", Kind::Trouble, REGION),
    ("QuotaExceeded", Kind::Full, "raise the quota, or remove old backups (ccc-backup cleanup)"),
    (
        "InsufficientCapacity",
        Kind::Full,
        "make room in the storage, or remove old backups (ccc-backup cleanup)",
    ),
    ("SlowDown", Kind::Trouble, "the storage is busy: run it again later"),
    ("ServiceUnavailable", Kind::Trouble, "the storage is busy or down: run it again later"),
    (
        "BadDigest",
        Kind::Trouble,
        "what was sent did not arrive as it was: run it again, and check the network",
    ),
    ("ObjectLocked", Kind::Locked, LOCKED),
    ("AccessDenied", Kind::Denied, DENIED),
];

const DENIED: &str = "give these credentials the right to do this, or use others";
const LOCKED: &str = "wait until its retention is over";
const TROUBLE: &str = "check the network, AWS_ENDPOINT_URL and the proxy, and run it again";
const REGION: &str = "set AWS_REGION to the region of the bucket";
const CREDENTIALS: &str =
    "give credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment";
const MISSING: &str = "check the name";
const EXISTS: &str = "choose another name, or pass --force to replace it";
const CHANGED: &str = "run it again when nobody writes there";

impl ObjectError {
    /// What an answer says of what was asked for.
    pub(super) fn of(url: impl fmt::Display, error: &object_store::Error) -> Self {
        use object_store::Error;
        let said = said(error);
        let (kind, cause, hint) = match (error, by_code(&said)) {
            (Error::NotFound { .. }, Some((kind, hint))) => (kind, said.words(), hint),
            (Error::NotFound { .. }, None) => (Kind::Missing, "not found".to_owned(), MISSING),
            (Error::AlreadyExists { .. }, _) => return Self::exists(url),
            (Error::Precondition { .. } | Error::NotModified { .. }, _) => {
                return Self::changed(url);
            }
            (_, Some((kind, hint))) => (kind, said.words(), hint),
            (Error::PermissionDenied { .. } | Error::Unauthenticated { .. }, None) => {
                (Kind::Denied, said.words(), DENIED)
            }
            (_, None) if said.text.contains("169.254.169.254") => {
                (Kind::Denied, "there are no credentials".to_owned(), CREDENTIALS)
            }
            (_, None) if said.text.contains("incorrectly configured region") => {
                (Kind::Trouble, said.words(), REGION)
            }
            (_, None) => (Kind::Trouble, said.words(), TROUBLE),
        };
        Self { url: url.to_string(), kind, cause, hint }
    }

    /// Of what is there already.
    pub(super) fn exists(url: impl fmt::Display) -> Self {
        let cause = "exists already".to_owned();
        Self { url: url.to_string(), kind: Kind::Exists, cause, hint: EXISTS }
    }

    /// Of what is another one than it was.
    pub(super) fn changed(url: impl fmt::Display) -> Self {
        let cause = "changed meanwhile".to_owned();
        Self { url: url.to_string(), kind: Kind::Changed, cause, hint: CHANGED }
    }

    /// Of what is no answer of the server's.
    pub(super) fn trouble(
        url: impl fmt::Display,
        cause: impl fmt::Display,
        hint: &'static str,
    ) -> Self {
        Self { url: url.to_string(), kind: Kind::Trouble, cause: cause.to_string(), hint }
    }

    /// A system's error on the way there.
    pub(super) fn system(url: impl fmt::Display, error: &io::Error) -> Self {
        Self::trouble(url, error, TROUBLE)
    }
}

impl ObjectError {
    /// The one in an error of reading or writing, where it is one of a place.
    pub fn within(error: &io::Error) -> Option<&Self> {
        let mut cause: Option<&(dyn std::error::Error + 'static)> =
            error.get_ref().map(|inner| inner as _);
        while let Some(error) = cause {
            if let Some(found) = error.downcast_ref() {
                return Some(found);
            }
            if let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
                cause = Some(inner);
            } else {
                cause = error.source();
            }
        }
        None
    }
}

impl From<ObjectError> for io::Error {
    /// Never of a kind that could be taken for damage or for an end.
    fn from(error: ObjectError) -> Self {
        io::Error::other(error)
    }
}

/// What a server or the network says.
struct Said {
    code: Option<String>,
    message: Option<String>,
    text: String,
}

impl Said {
    fn words(&self) -> String {
        match (&self.code, &self.message) {
            (Some(code), Some(message)) => format!("{message} ({code})"),
            (Some(code), None) => code.clone(),
            (None, _) => self.text.clone(),
        }
    }
}

/// The code and message of the server's answer, else the innermost cause.
fn said(error: &object_store::Error) -> Said {
    let whole = error.to_string();
    let mut causes = vec![whole.clone()];
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    let of = |name: &str| causes.iter().find_map(|text| element(text, name));
    let status = causes.iter().find_map(|text| {
        text.find("status code: ").map(|at| {
            let rest = &text[at + "status code: ".len()..];
            format!("the server answers {}", rest.split(':').next().unwrap_or(rest).trim())
        })
    });
    let is_metadata = whole.contains("169.254.169.254");
    let innermost = causes.last().cloned().unwrap_or_default();
    let text = if is_metadata { whole } else { status.unwrap_or(innermost) };
    let (code, message) = match causes.iter().find_map(|text| refused_key(text)) {
        Some((code, message)) => (Some(code), Some(message)),
        None => (of("Code"), of("Message")),
    };
    Said { code, message, text: one_line(&text) }
}

/// The code and message of one key that a request for several was refused.
fn refused_key(text: &str) -> Option<(String, String)> {
    let (_, refused) = text.split_once("DeleteObjects request failed for key ")?;
    let (before, code) = refused.rsplit_once(" (code: ")?;
    let (_, message) = before.split_once(": ")?;
    Some((one_line(code.split(')').next()?), one_line(message)))
}

/// What stands in an element of XML.
pub(super) fn element(text: &str, name: &str) -> Option<String> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let rest = &text[text.find(&open)? + open.len()..];
    let inner = &rest[..rest.find(&close)?];
    (!inner.is_empty()).then(|| one_line(inner))
}

fn one_line(text: &str) -> String {
    let shown: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    shown.trim().chars().take(300).collect()
}

fn by_code(said: &Said) -> Option<(Kind, &'static str)> {
    let code = said.code.as_deref()?;
    let message = said.message.as_deref().unwrap_or_default().to_ascii_lowercase();
    if code == "AccessDenied"
        && ["lock", "worm", "retention"].iter().any(|word| message.contains(word))
    {
        return Some((Kind::Locked, LOCKED));
    }
    CODES.iter().find(|(known, ..)| *known == code).map(|(_, kind, hint)| (*kind, *hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(body: &str) -> ObjectError {
        let source = Box::new(io::Error::other(body.to_owned()));
        let error = object_store::Error::PermissionDenied { path: "x".to_owned(), source };
        ObjectError::of("s3://b/x", &error)
    }

    #[test]
    fn the_code_of_an_answer_says_what_to_do() {
        let skewed =
            denied("<Error><Code>RequestTimeTooSkewed</Code><Message>too large</Message></Error>");
        assert_eq!(skewed.to_string(), "s3://b/x: too large (RequestTimeTooSkewed)");
        assert!(skewed.hint.contains("clock"), "{}", skewed.hint);
        let locked = "<Code>AccessDenied</Code><Message>Object is WORM protected</Message>";
        assert_eq!(denied(locked).kind, Kind::Locked);
        assert_eq!(denied("<Code>AccessDenied</Code><Message>no</Message>").kind, Kind::Denied);
        let of_several = |said: &str| {
            denied(&format!(
                "DeleteObjects request failed for key p/x: {said} (code: AccessDenied)"
            ))
        };
        assert_eq!(
            of_several("Access Denied.").to_string(),
            "s3://b/x: Access Denied. (AccessDenied)"
        );
        assert_eq!(of_several("Access Denied.").kind, Kind::Denied);
        assert_eq!(of_several("Object is WORM protected").kind, Kind::Locked);
    }

    #[test]
    fn nothing_of_an_answer_is_shown_but_its_code_and_message() {
        let body = "<Code>SignatureDoesNotMatch</Code><Message>m</Message><StringToSign>hunter2</StringToSign>";
        let error = denied(body);
        assert!(!format!("{error} {}", error.hint).contains("hunter2"), "{error}");
    }
}
