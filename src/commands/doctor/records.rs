//! History, metrics, and what runs that died have left.

use std::path::{Path, PathBuf};

use chrono::Utc;
use rustix::fs::{Access, access};

use super::aside;
use crate::commands::ledger;
use crate::model::checkup::{Area, Finding, State};
use crate::model::outcome::counted;
use crate::sandbox;
use crate::settings::DoctorSettings;
use crate::store::naming::history_path;
use crate::store::place::Place;
use crate::store::retention::{Entry, Kind};
use crate::store::{StoreError, lock, nearby, sweep, sweep_place};

const AREA: Area = Area::Records;

fn found(id: &str, state: State, said: impl Into<String>) -> Finding {
    Finding::new(AREA, id, id.replace('_', " "), state, said)
}

pub(super) async fn examine(settings: &DoctorSettings) -> Vec<Finding> {
    let metrics = metrics(settings.metrics_file.as_deref());
    let of_place = async {
        match settings.backup_dir.as_ref().ok().cloned() {
            None => Vec::new(),
            Some(dir) => aside((AREA, "history", "history".to_owned()), move || at(&dir)).await,
        }
    };
    let (mut findings, sandboxes) = tokio::join!(of_place, sandboxes());
    findings.extend([metrics, sandboxes]);
    findings
}

/// What is on record in the place of the backups, and what is left there.
fn at(dir: &Path) -> Vec<Finding> {
    if matches!(Place::of(dir), Ok(Place::Directory(dir)) if !dir.exists()) {
        return vec![found("history", State::NotSetUp, "no run is on record yet")];
    }
    let nearby = match nearby::read(dir) {
        Ok(nearby) => nearby,
        // Whoever may only put has lines put there all the same.
        Err(error) if error.is_denied() => {
            return vec![found(
                "history",
                State::Remark,
                "it may not be read with these credentials",
            )];
        }
        Err(error) => {
            let hint = error.hint().unwrap_or_default();
            return vec![found("history", State::Broken, error.to_string()).mended(hint)];
        }
    };
    let warnings: Vec<String> = nearby.warnings().collect();
    let history = match (unwritable(dir), warnings.is_empty()) {
        (Some(finding), _) => finding,
        (None, true) => found("history", State::Works, "it can be read and written"),
        (None, false) => found("history", State::Remark, warnings.join("; "))
            .mended("such lines stay where they are; docs/monitoring.md says what that means"),
    };
    let now = Utc::now();
    let entries = match Place::of(dir) {
        Ok(Place::Directory(dir)) => sweep::scan(&dir, &nearby.memory),
        Ok(Place::Objects(url)) => sweep_place::scan(&url, &nearby.memory, now),
        Err(error) => Err(error.into()),
    };
    vec![history, unfinished(entries)]
}

/// Why no line can be added, or who adds one just now.
fn unwritable(dir: &Path) -> Option<Finding> {
    let Ok(Place::Directory(dir)) = Place::of(dir) else { return None };
    let file = history_path(&dir);
    let (asked, rights): (&PathBuf, _) = match file.exists() {
        true => (&file, Access::WRITE_OK),
        false => (&dir, Access::WRITE_OK | Access::EXEC_OK),
    };
    if let Err(error) = access(asked, rights) {
        let said = format!("{} cannot be written: {}", file.display(), std::io::Error::from(error));
        let hint = "let the user that makes the backups write there (chown, chmod u+w)";
        return Some(found("history", State::Broken, said).mended(hint));
    }
    let opened = std::fs::File::open(&file).ok()?;
    match lock::try_shared(&opened) {
        Ok(true) => None,
        Ok(false) => Some(found("history", State::Remark, "another run is writing it just now")),
        Err(error) => {
            let said = format!(
                "its file system has no locks ({error}): runs that end at once may lose a line"
            );
            Some(
                found("history", State::Remark, said)
                    .mended("keep backups on a local disk, or NFS with locks"),
            )
        }
    }
}

/// What died while it was written.
fn unfinished(entries: Result<Vec<Entry>, StoreError>) -> Finding {
    let entries = match entries {
        Ok(entries) => entries,
        Err(error) => return found("unfinished", State::Unknown, error.to_string()),
    };
    let partial = entries.iter().filter(|entry| entry.kind == Kind::Partial);
    let (busy, dead): (Vec<&Entry>, Vec<&Entry>) = partial.partition(|entry| entry.busy);
    if !dead.is_empty() {
        let said = format!("{} left by runs that died", counted(dead.len() as u64, "file"));
        return found("unfinished", State::Remark, said).mended(
            "ccc-backup cleanup --older-than 30d removes them, and backups older than that",
        );
    }
    match busy.len() as u64 {
        0 => found("unfinished", State::Works, "nothing is left of runs that died"),
        count => {
            found("unfinished", State::Works, format!("{} being written", counted(count, "file")))
        }
    }
}

fn metrics(file: Option<&Path>) -> Finding {
    match (file, ledger::check_metrics_file(file)) {
        (None, _) => found("metrics", State::NotSetUp, "no metrics are written (--metrics-file)"),
        (Some(file), Ok(())) => found("metrics", State::Works, file.display().to_string()),
        (Some(_), Err(failure)) => {
            found("metrics", State::Broken, failure.cause).mended(failure.hint.unwrap_or_default())
        }
    }
}

/// What is left of throwaway servers.
async fn sandboxes() -> Finding {
    let (id, what) = ("leftovers", "throwaway servers");
    let of = |state, said: String| Finding::new(AREA, id, what, state, said);
    match sandbox::leftovers_of_runs().await {
        Err(_) => of(State::NotTried, "the engine does not say what is left there".to_owned()),
        Ok(all) => {
            let dead: Vec<String> =
                all.into_iter().filter(|(_, is_dead)| *is_dead).map(|(what, _)| what).collect();
            match dead.is_empty() {
                true => of(State::Works, "nothing is left of runs that died".to_owned()),
                false => of(State::Remark, format!("left or kept: {}", dead.join(", ")))
                    .mended("ccc-backup cleanup --sandbox"),
            }
        }
    }
}
