//! Puts a run on record, and shows Prometheus what all runs add up to.
//!
//! What goes wrong here is worth a warning, and never changes what the run found.

use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use crate::commands::{Failure, Stop};
use crate::report::{copy_metrics, metrics, notify_metrics};
use crate::store::StoreError;
use crate::store::history::{self, Record};
use crate::store::ledger::Ledger;
use crate::store::naming::directory_of;
use crate::store::nearby;
use crate::store::place::{ObjectUrl, Place, is_url};
use crate::store::publish::Partial;
use crate::store::runs;
use crate::store::totals::Totals;

/// Whether the metrics can be written, asked before the work.
///
/// # Errors
/// [`Failure`] with exit code 2 that names the path and the reason.
pub fn check_metrics_file(file: Option<&Path>) -> Result<(), Failure> {
    let Some(file) = file else { return Ok(()) };
    let dir = directory_of(file);
    let failure = |reason: String, hint: &str| Failure {
        exit: 2,
        cause: format!("the metrics cannot be written to {}: {reason}", file.display()),
        hint: Some(hint.to_owned()),
        notes: Vec::new(),
    };
    if file.file_name().is_none() || file.is_dir() {
        return Err(failure("it is a directory".to_owned(), "name a file that ends in .prom"));
    }
    if !dir.is_dir() {
        let hint = "make the directory, or name the one that node_exporter was given with \
                    --collector.textfile.directory";
        return Err(failure(format!("{} is not a directory", dir.display()), hint));
    }
    access(dir, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| {
        let hint = "let the user that makes the backups write in that directory";
        failure(io::Error::from(error).to_string(), hint)
    })
}

/// Runs of a place that metrics know all of; of older ones they know what is counted.
const METRICS_OF: usize = 500;

/// What could not be done, and what has to be said; one sentence each.
#[derive(Debug, Default)]
pub struct Unwritten {
    /// Why the run is not on record.
    pub history: Option<String>,
    /// The rest.
    pub others: Vec<String>,
}

impl Unwritten {
    /// All of it.
    pub fn warnings(self) -> impl Iterator<Item = String> {
        self.history.into_iter().chain(self.others)
    }
}

/// Adds a run to the history of a directory and, where asked, writes the metrics anew. All of it
/// happens under the history's lock: of runs that end at once, the last one writes what holds all.
///
/// A run that cannot be put on record is not counted, for the next run would not know of it and
/// the counters would fall. What it says of the present is shown all the same: a backup that fails
/// because the disk is full has to be seen, and the history is on that disk.
///
/// Where the backup lies in another directory, the run is on record there as well, so that a clean-up
/// there knows it; it is not counted twice.
///
/// A run that was asked to stop does not wait for a disk that does not answer.
pub async fn put_on_record(
    dir: &Path,
    backup: &Path,
    record: Record,
    metrics_file: Option<&Path>,
    stop: &Stop,
) -> Unwritten {
    let dir = home(dir, backup);
    if let Ok(Place::Objects(url)) = Place::of(dir) {
        return put_in_place(url, record, metrics_file, stop).await;
    }
    if let Ok(Place::Objects(url)) = Place::of(directory_of(backup)) {
        let beside = put_in_place(url, record.clone(), None, stop).await;
        let mut unwritten = put_in_directory(dir, backup, record, metrics_file, stop).await;
        unwritten.others.extend(beside.warnings());
        return unwritten;
    }
    put_in_directory(dir, backup, record, metrics_file, stop).await
}

/// Where a run is on record that was to be in `dir`. The history of a place knows what is in it by names: what lies
/// elsewhere has its history there.
pub fn home<'a>(dir: &'a Path, backup: &'a Path) -> &'a Path {
    let beside = directory_of(backup);
    if is_url(dir) && beside != dir { beside } else { dir }
}

/// The same in a directory.
async fn put_in_directory(
    dir: &Path,
    backup: &Path,
    record: Record,
    metrics_file: Option<&Path>,
    stop: &Stop,
) -> Unwritten {
    let (dir, backup) = (dir.to_owned(), backup.to_owned());
    let metrics_file = metrics_file.map(Path::to_owned);
    let writing = tokio::task::spawn_blocking(move || {
        let place = Lying::of(&backup, &dir);
        let copy = place.copy_of(&record);
        let record = Record { directory: place.from_history, ..record };
        let mut unwritten = write(&dir, record, metrics_file.as_deref());
        unwritten.others.extend(copy.and_then(|(dir, line)| write_copy(&dir, line)));
        unwritten
    });
    let reason = match stop.wait_for(writing).await {
        Some(Ok(unwritten)) => return unwritten,
        Some(Err(error)) => error.to_string(),
        None => "its disk, or another run that writes it, does not answer".to_owned(),
    };
    Unwritten { history: Some(format!("the history was not written: {reason}")), others: vec![] }
}

/// Puts a run on record in a place.
async fn put_in_place(
    url: ObjectUrl,
    record: Record,
    metrics_file: Option<&Path>,
    stop: &Stop,
) -> Unwritten {
    let metrics_file = metrics_file.map(Path::to_owned);
    let writing = tokio::task::spawn_blocking(move || {
        let put = runs::put(&url, &record);
        let metrics = metrics_file.and_then(|file| {
            // Who may only write cannot count: then the numbers stay as they are.
            let read = runs::read_whole(&url, METRICS_OF);
            let unread = |error| format!("no metrics in {}: {error}", file.display());
            let mut history = match read.map_err(unread) {
                Ok(history) => history,
                Err(unread) => return Some(unread),
            };
            if put.is_err() {
                history.records.push(record);
            }
            write_metrics(&file, Some(&url), &Totals::of(&history.records)).err()
        });
        Unwritten { history: put.err().map(not_written), others: metrics.into_iter().collect() }
    });
    let reason = match stop.wait_for(writing).await {
        Some(Ok(unwritten)) => return unwritten,
        Some(Err(error)) => error.to_string(),
        None => "the place does not answer".to_owned(),
    };
    Unwritten { history: Some(format!("the history was not written: {reason}")), others: vec![] }
}

/// Where a backup lies, seen from the history that its run is in.
struct Lying {
    /// The directory of its name, where that is not the history's own.
    from_history: Option<String>,
    /// The file itself, where it lies in another directory than the history.
    elsewhere: Option<PathBuf>,
}

impl Lying {
    fn of(backup: &Path, history: &Path) -> Self {
        let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let (home, named) = (real(history), real(directory_of(backup)));
        let gone = |_| named.join(backup.file_name().unwrap_or_default());
        let file = std::fs::canonicalize(backup).unwrap_or_else(gone);
        let below = named.strip_prefix(&home).unwrap_or(&named);
        Self {
            from_history: (named != home).then(|| below.to_string_lossy().into_owned()),
            elsewhere: (directory_of(&file) != home).then_some(file),
        }
    }

    /// The line for the history beside the file, where that is another one.
    fn copy_of(&self, record: &Record) -> Option<(PathBuf, Record)> {
        let file = self.elsewhere.as_ref()?;
        let backup = file.file_name()?.to_string_lossy().into_owned();
        Some((directory_of(file).to_owned(), Record { backup, copy: true, ..record.clone() }))
    }
}

/// Adds the line to the history beside the backup. A directory that is not ours to write in has
/// none: no clean-up of ours is there either.
fn write_copy(dir: &Path, mut record: Record) -> Option<String> {
    match nearby::may_record_in(dir) {
        Ok(true) => {}
        Ok(false) => return None,
        Err(error) => {
            tracing::debug!(dir = %dir.display(), %error, "no line beside the backup");
            return None;
        }
    }
    match append(dir, &mut record, &mut Unwritten::default()) {
        Ok(_) => None,
        Err(StoreError::ReadOnly(_) | StoreError::NoPermission { .. }) => None,
        Err(error) => Some(format!("the history beside the backup was not written: {error}")),
    }
}

fn write(dir: &Path, mut record: Record, metrics_file: Option<&Path>) -> Unwritten {
    let mut unwritten = Unwritten::default();
    // The lock is held until the metrics are written.
    let ledger = append(dir, &mut record, &mut unwritten);
    let Some(file) = metrics_file else {
        unwritten.history = ledger.err().map(not_written);
        return unwritten;
    };
    let totals = match &ledger {
        Ok(ledger) => Totals::of(&ledger.history().records),
        Err(_) => {
            let mut totals = Totals::of(&history::read(dir).unwrap_or_default().records);
            totals.note(&record);
            totals
        }
    };
    unwritten.others.extend(write_metrics(file, None, &totals).err());
    unwritten.history = ledger.err().map(not_written);
    unwritten
}

fn not_written(error: StoreError) -> String {
    format!("the history was not written: {error}")
}

fn append(
    dir: &Path,
    record: &mut Record,
    unwritten: &mut Unwritten,
) -> Result<Ledger, StoreError> {
    let mut ledger = Ledger::open(dir)?;
    unwritten.others.extend(ledger.history().set_aside());
    if record.database.is_none() {
        // Without its manifest, the history may still know what the backup is of.
        let records = &ledger.history().records;
        record.database = history::database_of(records, record).map(str::to_owned);
    }
    ledger.append(record.clone())?;
    Ok(ledger)
}

/// Writes the metrics, of a history in this place or in a directory; says why it could not. What the file tells of
/// copies stays as it is.
///
/// # Errors
/// One sentence.
pub fn write_metrics(
    file: &Path,
    place: Option<&ObjectUrl>,
    totals: &Totals,
) -> Result<(), String> {
    let place = place.map(ToString::to_string);
    let runs = metrics::render(totals, place.as_deref());
    renew_text(file, |before| {
        let before = before.unwrap_or_default();
        Ok(Some(runs + notify_metrics::part(&before) + copy_metrics::part(&before)))
    })
}

/// Writes the text of metrics anew, out of what it was; none of several that do so at once loses what another has written.
/// `None` leaves the file as it is.
///
/// # Errors
/// One sentence.
pub fn renew_text(
    file: &Path,
    renewed: impl FnOnce(io::Result<String>) -> io::Result<Option<String>>,
) -> Result<(), String> {
    renew_whole(file, renewed).map_err(|error| {
        let error = error.into_io();
        format!("no metrics in {}: {error}", file.display())
    })
}

/// Writes a file that everybody may read, whatever the umask, whole or not at all. Until it is whole
/// its name does not end in `.prom`, so that node_exporter does not take it.
fn renew_whole(
    file: &Path,
    renewed: impl FnOnce(io::Result<String>) -> io::Result<Option<String>>,
) -> Result<(), StoreError> {
    let failed = |error| StoreError::io("write", file, error);
    // Whoever writes it, too, is waited for.
    let mut partial = Partial::renew(file, 0o644)?;
    let before = match std::fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        read => read,
    };
    let Some(text) = renewed(before).map_err(failed)? else { return Ok(()) };
    partial.write_all(text.as_bytes()).map_err(failed)?;
    std::fs::set_permissions(partial.path(), Permissions::from_mode(0o644)).map_err(failed)?;
    partial.publish().map(drop)
}
