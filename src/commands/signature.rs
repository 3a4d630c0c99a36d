//! Whether a backup is signed, by whom, and whether that is enough.
//!
//! What is signed is the manifest, byte by byte. It names the backup, its time, and the checksum of every file,
//! so that a manifest that is signed makes all of that as good as signed.

use std::path::Path;

use sha2::{Digest, Sha256};

use super::Failure;
use crate::model::outcome::{CheckResult, Defect, Obstacle, Section, Status};
use crate::signing::{AllowedSigners, Flaw, Namespace, Signature};
use crate::store::manifest::Outline;
use crate::store::naming::signature_path;
use crate::store::signature;

/// A manifest as it lies there.
#[derive(Clone, Copy)]
pub(super) struct Signed<'a> {
    /// Its file.
    pub path: &'a Path,
    /// The bytes of that.
    pub bytes: &'a [u8],
    /// What they say in the clear.
    pub manifest: &'a Outline,
    /// The backup that it is taken for.
    pub backup: &'a Path,
}

/// What is to be said of a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// Nothing: there is none, and none was asked for.
    Nothing,
    /// By whom.
    Check(CheckResult),
    /// It does not hold, and nobody asked for one.
    Warning(String),
}

/// What is there, where nobody says who may sign: it proves nothing then, since whoever forges a backup leaves
/// the signature out.
fn unasked(signed: &Signed<'_>) -> Said {
    let shown = |error: &dyn std::fmt::Display| {
        Said::Warning(format!("the signature of the manifest does not hold: {error}"))
    };
    let bytes = match signature::read(signed.path) {
        Ok(None) => return Said::Nothing,
        Ok(Some(bytes)) => bytes,
        Err(error) => return shown(&error),
    };
    let held = Signature::parse(&bytes).and_then(|signature| {
        signature.check(Namespace::Manifest, signed.bytes)?;
        Ok(signature.key())
    });
    match held {
        Ok(key) => Said::Check(check(
            Status::Shown,
            format!("Signature: signed by key {key} (not checked against allowed signers)"),
        )),
        Err(flaw @ Flaw::Unsupported(_)) => {
            Said::Warning(format!("the signature of the manifest is not checked: {flaw}"))
        }
        Err(flaw) => shown(&flaw),
    }
}

/// Judges the signature of a backup. The inner error is proof that it is not what one of the allowed signers
/// made.
///
/// # Errors
/// Where it could not be told.
pub(super) fn judge(
    backup: &Path,
    signed: Option<Signed<'_>>,
    allowed: Option<&AllowedSigners>,
) -> Result<Result<Said, Defect>, Obstacle> {
    let Some(allowed) = allowed else {
        return Ok(Ok(signed.map_or(Said::Nothing, |signed| unasked(&signed))));
    };
    let Some(signed) = signed else {
        let cause = format!("{} is unsigned: it has no manifest", backup.display());
        let hint = "only what `ccc-backup create --sign-key` made is signed; leave out \
                    --allowed-signers to look at others";
        return Ok(Err(Defect::new(cause, hint)));
    };
    let read = signature::read(signed.path)
        .map_err(|error| Obstacle { cause: error.to_string(), hint: error.hint() })?;
    let path = signature_path(signed.path);
    let Some(bytes) = read else {
        let cause = format!("{} is unsigned: there is no {}", backup.display(), path.display());
        let by_hand = sign_by_hand(signed.path);
        return Ok(Err(Defect::new(cause, format!("get it from another copy; or {by_hand}"))));
    };
    let flawed = |flaw: &Flaw| {
        let cause = format!("the signature {} does not hold: {flaw}", path.display());
        let hint = match flaw {
            Flaw::Damaged => "get it from another copy of the backup",
            _ => {
                "the manifest or the signature was changed: get both from another copy, and find out \
                 who changed them"
            }
        };
        Ok(Err(Defect::new(cause, hint)))
    };
    let signature = match Signature::parse(&bytes) {
        Ok(signature) => signature,
        Err(flaw) => return flawed(&flaw),
    };
    // A key that nobody allows is proof, of whatever kind it is.
    let who = match allowed.who(&signature, Namespace::Manifest, signed.manifest.created_at) {
        Ok(principals) => printable(principals),
        Err(refusal) => {
            if let Err(flaw @ (Flaw::Namespace { .. } | Flaw::DoesNotFit)) =
                signature.check(Namespace::Manifest, signed.bytes)
            {
                return flawed(&flaw);
            }
            let (file, why) = (allowed.path().display(), printable(&refusal.to_string()));
            let cause = format!("the signer is not allowed: {why}");
            let hint = format!(
                "if the key is right, add it to {file}; else somebody else made this backup"
            );
            return Ok(Err(Defect::new(cause, hint)));
        }
    };
    match signature.check(Namespace::Manifest, signed.bytes) {
        Ok(()) => {}
        Err(flaw @ Flaw::Unsupported(_)) => {
            let cause = format!("the signature {} is not checked: {flaw}", path.display());
            let hint = format!("check it with: ssh-keygen -Y verify -n {}", Namespace::Manifest);
            return Err(Obstacle { cause, hint: Some(hint) });
        }
        Err(flaw) => return flawed(&flaw),
    }
    if !signature::bears_its_name(signed.backup, signed.manifest) {
        let (backup, name) = (signed.backup.display(), printable(&signed.manifest.name));
        let cause =
            format!("{backup} is not what was signed: the signed manifest is that of {name}");
        let hint = format!(
            "if it was only renamed, call it {name} again; else another backup was put in its place"
        );
        return Ok(Err(Defect::new(cause, hint)));
    }
    let title = format!("Signature: signed by {who} ({})", signature.key());
    Ok(Ok(Said::Check(check(Status::Passed, title))))
}

/// How a manifest is signed without this tool.
pub(super) fn sign_by_hand(manifest: &Path) -> String {
    let (namespace, manifest) = (Namespace::Manifest, manifest.display());
    format!(
        "who vouches for the backup signs it: ssh-keygen -Y sign -n {namespace} -f KEY {manifest}"
    )
}

/// What is wrong with the roles and tablespaces beside a backup that has to be signed, by the bytes of the file.
pub(super) fn globals_defect(path: &Path, bytes: &[u8], manifest: &Outline) -> Option<Defect> {
    let (path, found) = (path.display(), hex::encode(Sha256::digest(bytes)));
    match &manifest.globals {
        Some(globals) if globals.sha256.eq_ignore_ascii_case(&found) => None,
        Some(_) => Some(Defect::new(
            format!("{path} is not what was signed: its checksum is not the manifest's"),
            "it was changed after it was signed: get it from another copy, and find out who changed it",
        )),
        None => Some(Defect::new(
            format!("{path} is not named by the signed manifest"),
            "it was put beside the backup, or left by another one: move it away",
        )),
    }
}

fn check(status: Status, title: String) -> CheckResult {
    CheckResult::new("file.signature", Section::File, status, title)
}

fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// The same for commands that answer and do not report: what is bad is an error with exit code 1.
///
/// # Errors
/// As [`judge`].
pub(super) fn demand(
    backup: &Path,
    signed: Option<Signed<'_>>,
    allowed: Option<&AllowedSigners>,
) -> Result<Option<String>, Failure> {
    let failure = |exit, cause, hint| Failure { exit, cause, hint, notes: Vec::new() };
    match judge(backup, signed, allowed) {
        Ok(Ok(Said::Warning(text))) => Ok(Some(text)),
        Ok(Ok(_)) => Ok(None),
        Ok(Err(Defect { cause, hint })) => Err(failure(1, cause, hint)),
        Err(Obstacle { cause, hint }) => Err(failure(2, cause, hint)),
    }
}
