//! `keys`: makes identities, proves that they open backups, and says what has to be kept of them.

mod sheet;

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Instant;

use chrono::Utc;

use super::open::{self, OpenError};
use super::{Failure, Stop, altered, ledger, opened};
use crate::archive::{OpenBackup, Storage};
use crate::events::{Event, Events};
use crate::model::damage::{OLDER, damage};
use crate::model::outcome::Verdict;
use crate::sealing::{NewIdentity, Recipients, UnsealError, Unsealing};
use crate::settings::KeysSettings;
use crate::store::history::{Record, Work};
use crate::store::latest;
use crate::store::manifest::{Manifest, ManifestError, Outline};
use crate::store::naming::directory_of;
use crate::store::place::without_slash;
use crate::store::sealed_names::is_sealed_name;

/// Bytes that are read from the beginning of a backup: many chunks of age.
const LOOKED_AT: u64 = 4 << 20;

/// Does what was asked, and gives the answer for stdout.
///
/// # Errors
/// With exit code 1 where a backup does not open, with 2 where it could not be told or done.
pub async fn run(settings: &KeysSettings, events: &Events, stop: &Stop) -> Result<String, Failure> {
    match settings {
        KeysSettings::New { file, sealed } => make(file, sealed.as_ref()),
        KeysSettings::Check { file, backup_dir, unsealing, metrics_file, warnings } => {
            for warning in warnings {
                events.emit(Event::Warning(warning.clone()));
            }
            let backup = match file {
                Some(file) => without_slash(file),
                None => newest_sealed(backup_dir)?,
            };
            let (started_at, clock) = (Utc::now(), Instant::now());
            let opened = check(&backup, unsealing);
            let verdict = match &opened {
                Ok(_) => Verdict::Passed,
                Err(failure) if failure.exit == 1 => Verdict::Failed,
                Err(_) => Verdict::NotVerified,
            };
            let name = backup.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let mut record = Record::new(Work::CheckKeys, name, started_at, verdict);
            record.seconds = clock.elapsed().as_secs_f64();
            let dir = if file.is_some() { directory_of(&backup) } else { backup_dir };
            let metrics_file = metrics_file.as_deref();
            let unwritten = ledger::put_on_record(dir, &backup, record, metrics_file, stop).await;
            unwritten.warnings().for_each(|text| events.emit(Event::Warning(text)));
            opened
        }
        KeysSettings::Sheet { backup_dir, unsealing } => {
            let newest = newest_sealed(backup_dir).ok();
            let outline = newest.as_deref().and_then(|path| Outline::read(path).ok().flatten());
            sheet::text(unsealing, outline.as_ref())
                .map_err(|error| failure(2, &error, &error.hint()))
        }
    }
}

/// Makes an identity.
fn make(path: &Path, sealed: Option<&Recipients>) -> Result<String, Failure> {
    let new = NewIdentity::generate();
    let made = Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
    new.write(path, &made, sealed).map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::AlreadyExists => "it stays as it is: name another file",
            _ => "check the directory, and who may write there",
        };
        failure(2, &format!("{} was not written: {error}", path.display()), hint)
    })?;
    Ok(format!(
        "Identity:   {} (private: whoever has it opens the backups{})\n\
         Recipient:  {}\n\n\
         Keep a copy of the identity where the backups are not, and print `ccc-backup keys sheet`.\n\
         Backups are sealed for it by: ccc-backup create --encrypt-to {}\n",
        path.display(),
        if sealed.is_some() { ", with the passphrase" } else { "" },
        new.recipient(),
        new.recipient(),
    ))
}

/// The newest backup that is encrypted.
pub(super) fn newest_sealed(dir: &Path) -> Result<PathBuf, Failure> {
    let (found, _) = latest::find_all(dir).map_err(|error| Failure::from(&error))?;
    let is_sealed = |path: &Path| path.file_name().is_some_and(is_sealed_name);
    let newest = found.into_iter().map(|found| found.path).find(|path| is_sealed(path));
    newest.ok_or_else(|| {
        let hint = "make one with `ccc-backup create --encrypt-to age1…`, or name --backup-dir";
        failure(2, &format!("no encrypted backup in {}", dir.display()), hint)
    })
}

/// Opens the backup and its manifest, and reads the beginning.
pub(super) fn check(path: &Path, unsealing: &Unsealing) -> Result<String, Failure> {
    let storage = open::open(path).map_err(|error| failure(2, &error, &error.hint()))?;
    let backup = match open::sniff(&storage, unsealing) {
        Ok(Ok(backup)) => backup,
        Ok(Err(bad)) => return Err(failure(1, &format!("{}: {bad}", path.display()), OLDER)),
        Err(OpenError::Sealed { .. }) if opened::is_altered(&storage) => {
            let cause = format!("{}: {}", path.display(), altered::finding());
            return Err(failure(1, &cause, OLDER));
        }
        Err(OpenError::Sealed { path, why }) => {
            let exit = if matches!(why, UnsealError::NoKey { given: 1.., .. }) { 1 } else { 2 };
            return Err(failure(exit, &format!("{}: {why}", path.display()), &why.hint()));
        }
        Err(error) => return Err(failure(2, &error, &error.hint())),
    };
    if !backup.is_unsealed() && path.file_name().is_some_and(is_sealed_name) {
        let path = path.display();
        let cause = format!("{path} does not begin as age begins: it is damaged, or not encrypted");
        let hint = "`ccc-backup verify` tells whether the backup is bad";
        return Err(failure(1, &cause, hint));
    }
    if !backup.is_unsealed() {
        let cause = format!("{} is not encrypted: no key is needed for it", path.display());
        return Err(failure(2, &cause, "name an encrypted backup"));
    }
    read_start(&backup).map_err(|error| {
        let cause = format!("{}: {error}", path.display());
        // What could not be read says nothing of the key.
        let exit = if damage(&error).is_some() { 1 } else { 2 };
        failure(exit, &cause, "verify it: `ccc-backup verify` tells whether the backup is bad")
    })?;
    let manifest = Manifest::read(path, &unsealing.identities);
    let with = match manifest {
        Ok(Some(_)) => "the backup and its manifest open",
        Ok(None) => "the backup opens (it has no manifest)",
        Err(error @ ManifestError::Sealed { .. }) => {
            return Err(failure(1, &error, &error.hint().unwrap_or_default()));
        }
        Err(error) => return Err(failure(2, &error, &error.hint().unwrap_or_default())),
    };
    Ok(format!("{}: {with} with the keys that were given.\n", path.display()))
}

fn read_start(backup: &OpenBackup) -> io::Result<()> {
    let read = |raw: &mut dyn Read| io::copy(&mut raw.take(LOOKED_AT), &mut io::sink());
    match backup.storage() {
        Storage::File(file) => read(&mut file.raw()).map(drop),
        Storage::Directory(directory) => directory
            .members()
            .iter()
            .try_for_each(|member| read(&mut directory.open(member)?.raw()).map(drop)),
    }
}

fn failure(exit: u8, cause: &dyn std::fmt::Display, hint: &str) -> Failure {
    Failure { exit, cause: cause.to_string(), hint: Some(hint.to_owned()), notes: Vec::new() }
}
