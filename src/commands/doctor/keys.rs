//! What seals, what opens, who signs and who may have signed.

use chrono::Utc;

use super::{aside, senseless};
use crate::commands::{Stop, keys, signer};
use crate::events::Events;
use crate::model::checkup::{Area, Finding, State};
use crate::sealing::{Recipients, Unsealing};
use crate::settings::{DoctorSettings, Unset};
use crate::signing::{AllowedSigners, Namespace, Signature, Signer};

const AREA: Area = Area::Keys;
/// What is signed to see whether it can be.
const SAMPLE: &[u8] = b"ccc-backup doctor";

fn found(id: &str, what: &str, state: State, said: impl Into<String>) -> Finding {
    Finding::new(AREA, id, what, state, said)
}

pub(super) async fn examine(
    settings: &DoctorSettings,
    events: &Events,
    stop: &Stop,
) -> Vec<Finding> {
    let (recipients, names) = recipients(&settings.recipients);
    let identities = identities(settings, names).await;
    let (signs, signer) = signs(settings, events, stop).await;
    let allowed = allowed(settings, signer).await;
    [vec![recipients], identities, vec![signs], allowed].concat()
}

/// To whom backups are sealed, and what was found of that.
fn recipients(said: &Result<Option<Recipients>, Unset>) -> (Finding, Vec<String>) {
    let (id, what) = ("recipients", "recipients");
    match said {
        Ok(Some(recipients)) => {
            let names = recipients.names();
            (
                found(
                    id,
                    what,
                    State::Works,
                    format!("backups are sealed for {}", names.join(", ")),
                ),
                names,
            )
        }
        Ok(None) => (found(id, what, State::NotSetUp, "backups are not encrypted"), Vec::new()),
        Err(error) => (senseless(AREA, id, what, error), Vec::new()),
    }
}

/// What opens backups: whether it opens the newest that is sealed, else whether it is of those that new ones are sealed for.
async fn identities(settings: &DoctorSettings, recipients: Vec<String>) -> Vec<Finding> {
    let (id, what) = ("identities", "identities");
    let (unsealing, warnings) = match &settings.unsealing {
        Ok(said) => said,
        Err(error) => return vec![senseless(AREA, id, what, error)],
    };
    let files = unsealing.identities.files().count();
    if files == 0 && unsealing.command.is_none() {
        return vec![found(id, what, State::NotSetUp, "none here: nothing sealed is opened")];
    }
    let mut findings: Vec<Finding> = Vec::new();
    for warning in warnings {
        let (said, mend) = warning.rsplit_once(": ").unwrap_or((warning, ""));
        findings.push(found("identities.mode", what, State::Remark, said).mended(mend));
    }
    let (unsealing, dir) = (unsealing.clone(), settings.backup_dir.as_ref().ok().cloned());
    let opened = aside((AREA, id, what.to_owned()), move || {
        let newest = dir.and_then(|dir| keys::newest_sealed(&dir).ok());
        vec![match newest {
            Some(newest) => match keys::check(&newest, &unsealing) {
                Ok(said) => found(id, what, State::Works, said.trim().to_owned()),
                Err(failure) => {
                    let state = if failure.exit == 1 { State::Broken } else { State::Unknown };
                    found(id, what, state, failure.cause).mended(failure.hint.unwrap_or_default())
                }
            },
            None => of_recipients(&unsealing, &recipients),
        }]
    });
    findings.extend(opened.await);
    findings
}

/// There is no backup to open.
fn of_recipients(unsealing: &Unsealing, recipients: &[String]) -> Finding {
    let of = |state, said: String| found("identities", "identities", state, said);
    let nothing = "there is no sealed backup to open with them";
    if unsealing.command.is_some() {
        return of(State::NotTried, format!("a command decrypts; {nothing}"));
    }
    match unsealing.identities.recipients() {
        Err(error) => of(State::Broken, error.to_string()).mended(error.hint()),
        Ok(ours) if recipients.is_empty() || ours.iter().any(|one| recipients.contains(one)) => {
            of(State::Works, format!("they open what is sealed for {}", ours.join(", ")))
        }
        Ok(ours) => of(
            State::Remark,
            format!("they open what is sealed for {}, and new backups are not", ours.join(", ")),
        )
        .mended("seal for one of them, too: --encrypt-to, or recipients below [encryption]"),
    }
}

/// Who signs, had as `create` has it, and what was found of that.
async fn signs(
    settings: &DoctorSettings,
    events: &Events,
    stop: &Stop,
) -> (Finding, Option<Signer>) {
    let (id, what) = ("sign_key", "signing key");
    let request = match &settings.sign {
        Ok(request) => request.as_ref(),
        Err(error) => return (senseless(AREA, id, what, error), None),
    };
    match signer::have(request, events, stop).await {
        Ok(None) => (found(id, what, State::NotSetUp, "backups are not signed"), None),
        Ok(Some(signer)) => (found(id, what, State::Works, signer.key()), Some(signer)),
        Err(failure) => {
            let broken = found(id, what, State::Broken, failure.cause);
            (broken.mended(failure.hint.unwrap_or_default()), None)
        }
    }
}

/// Who may have signed, and whether that is who signs here.
async fn allowed(settings: &DoctorSettings, signer: Option<Signer>) -> Vec<Finding> {
    let (id, what) = ("allowed_signers", "allowed signers");
    let allowed = match &settings.allowed_signers {
        Ok(Some(allowed)) => allowed.clone(),
        Ok(None) => {
            return vec![found(id, what, State::NotSetUp, "anybody may have signed a backup")];
        }
        Err(error) => return vec![senseless(AREA, id, what, error)],
    };
    let Some(signer) = signer else {
        return vec![found(id, what, State::Works, allowed.path().display().to_string())];
    };
    aside((AREA, id, what.to_owned()), move || vec![may_sign(&allowed, &signer)]).await
}

/// Has the signer sign, and asks whether it may.
fn may_sign(allowed: &AllowedSigners, signer: &Signer) -> Finding {
    let of = |state, said: String| found("allowed_signers", "allowed signers", state, said);
    let signed = match signer.sign(Namespace::Manifest, SAMPLE) {
        Ok(signed) => signed,
        Err(error) => return of(State::Broken, error.to_string()).mended(error.hint()),
    };
    let file = allowed.path().display();
    match Signature::parse(signed.as_bytes()) {
        Err(flaw) => of(State::Broken, flaw.to_string()),
        Ok(signature) => match allowed.who(&signature, Namespace::Manifest, Utc::now()) {
            Ok(who) => of(State::Works, format!("{file}: this key signs as {who}")),
            Err(refusal) => of(State::Broken, format!("{file} does not allow this key: {refusal}"))
                .mended("add its line to the file: the principal, a space, and what KEY.pub holds"),
        },
    }
}
