//! A backup that comes through a pipe: read once into a private copy, which is then read as any other.
//!
//! The copy lies in a hidden directory of our own, in which nobody looks for backups. It is removed with its guard; what a
//! killed run left is removed by the next one. A command that does not end well has brought nothing.

mod copy;
mod leftovers;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use self::copy::{Copied, copy};
use super::obstacles::{aside, interrupted, obstacle};
use crate::commands::{Failure, Stop, newest};
use crate::events::{Event, Events, Progress, Work};
use crate::model::outcome::{Obstacle, RunReport, Verdict};
use crate::settings::OfDatabase;
use crate::settings::piped::{Incoming, Manifest};
use crate::store::manifest::Outline;
use crate::store::naming::{manifest_path, signature_path};

/// See the module: the private copy, with its manifest beside it.
#[derive(Debug)]
pub(in crate::commands) struct Spooled {
    path: PathBuf,
    // Removed, with all that is in it, when this is dropped.
    _dir: TempDir,
    // Locked as long as it is in use.
    _lock: File,
}

impl Spooled {
    /// The copy.
    pub(in crate::commands) fn path(&self) -> &Path {
        &self.path
    }
}

/// What a copy is made of.
#[derive(Clone)]
struct Spooling {
    incoming: Incoming,
    path: PathBuf,
    /// Whether a signature is asked for.
    is_signed: bool,
    cancel: CancellationToken,
    progress: Arc<dyn Fn(u64, Option<u64>) + Send + Sync>,
}

/// Reads a backup through its pipe.
///
/// # Errors
/// When it does not come, or there is no room for it.
pub(in crate::commands) async fn spool(
    incoming: &Incoming,
    is_signed: bool,
    events: &Events,
    stop: &Stop,
) -> Result<Spooled, Obstacle> {
    let at = incoming.spool.clone();
    let (dir, lock) = aside(stop, move || leftovers::new_directory(&at)).await??;
    // A part of a name before a slash is the other side's.
    let name = incoming.name.rsplit('/').next().unwrap_or_default();
    let path = dir.path().join(name);
    let telling = events.clone();
    let spooling = Spooling {
        incoming: incoming.clone(),
        path: path.clone(),
        is_signed,
        cancel: stop.token().clone(),
        progress: Arc::new(move |done, total| {
            let (work, current) = (Work::Reading, None);
            telling.emit(Event::Progress(Progress { work, done, total, current }));
        }),
    };
    match aside(stop, move || spooling.run()).await? {
        Ok(path) => Ok(Spooled { path, _dir: dir, _lock: lock }),
        // A command hears the terminal's signal, too.
        Err(_) if stop.token().is_cancelled() => Err(interrupted(stop)),
        Err(obstacle) => Err(obstacle),
    }
}

impl Spooling {
    /// Copies all that there is, and says where the backup lies then.
    fn run(&self) -> Result<PathBuf, Obstacle> {
        let manifest = manifest_path(&self.path);
        match &self.incoming.manifest {
            Manifest::Nowhere => {}
            Manifest::File(file) => {
                copied_file(file, &manifest)?;
                let signature = signature_path(file);
                if signature.exists() {
                    copied_file(&signature, &signature_path(&manifest))?;
                }
            }
            Manifest::ByCommand => {
                self.bring(".manifest.json", &manifest, None)?;
                if self.is_signed {
                    self.bring(".manifest.json.sig", &signature_path(&manifest), None)?;
                }
            }
        }
        // One that cannot be read is told by whoever reads the backup.
        let outline = Outline::read(&self.path).ok().flatten();
        let expected = outline.as_ref().map(Outline::bytes);
        let path = self.named(outline.as_ref())?;
        let Copied { bytes } = self.bring("", &path, expected)?;
        match expected {
            Some(expected) if bytes < expected => Err(Obstacle {
                cause: format!(
                    "only {bytes} of the {expected} bytes that the manifest names came through the pipe"
                ),
                hint: Some(
                    "the program before the pipe ended too early, or the backup there is cut off: \
                     look at both"
                        .to_owned(),
                ),
            }),
            _ => Ok(path),
        }
    }

    /// The copy's place. What comes on standard input has the name that its manifest gives it.
    fn named(&self, outline: Option<&Outline>) -> Result<PathBuf, Obstacle> {
        let name = outline.map(|outline| Path::new(&outline.name));
        let name = name.filter(|name| name.file_name() == Some(name.as_os_str()));
        let (None, Some(name)) = (&self.incoming.command, name) else {
            return Ok(self.path.clone());
        };
        let path = self.path.with_file_name(name);
        let (from, to) = (manifest_path(&self.path), manifest_path(&path));
        let renamed = std::fs::rename(&from, &to).and_then(|()| {
            let (from, to) = (signature_path(&from), signature_path(&to));
            if from.exists() { std::fs::rename(from, to) } else { Ok(()) }
        });
        let failed = |error| obstacle(&error, "run it again");
        renamed.map(|()| path).map_err(failed)
    }

    /// Copies what comes for the backup's name with this at its end.
    fn bring(&self, suffix: &str, to: &Path, expected: Option<u64>) -> Result<Copied, Obstacle> {
        let name = format!("{}{suffix}", self.incoming.name);
        let told = |done| (self.progress)(done, expected);
        let copied = match &self.incoming.command {
            Some(command) => {
                copy::of_command(&command.for_name(&name), to, expected, &self.cancel, &told)
            }
            None => copy::of_stdin(to, expected, &self.cancel, &told),
        };
        let copied = copied.map_err(|error| error.obstacle(&name, suffix, &self.incoming.spool))?;
        if copied.bytes == 0 { Err(self.nothing(&name, suffix)) } else { Ok(copied) }
    }

    /// Some programs end as if all were well where there is no such file.
    fn nothing(&self, name: &str, suffix: &str) -> Obstacle {
        let (cause, hint) = match &self.incoming.command {
            Some(_) => (
                format!(
                    "the command of --from-command brought nothing for {name}, and ended as if all were well"
                ),
                copy::by_hand(name, suffix),
            ),
            None => (
                "nothing came on standard input".to_owned(),
                "look at the program before the pipe, and what it says".to_owned(),
            ),
        };
        Obstacle { cause, hint: Some(hint) }
    }
}

/// Copies a file that was named.
fn copied_file(from: &Path, to: &Path) -> Result<(), Obstacle> {
    let failed = |error: std::io::Error| Obstacle {
        cause: format!("the manifest {} could not be read: {error}", from.display()),
        hint: Some("name the manifest of this backup (--manifest FILE), or none".to_owned()),
    };
    let from = File::open(from).map_err(failed)?;
    copy(from, to, None, &CancellationToken::new(), &|_| {})
        .map(drop)
        .map_err(|error| failed(std::io::Error::other(error)))
}

/// The backup that is meant, read through its pipe where it comes through one, and its copy, to be held.
///
/// # Errors
/// With exit code 2.
pub(in crate::commands) async fn path_of(
    file: Option<&Path>,
    (backup_dir, database): (&Path, &OfDatabase),
    (incoming, is_signed): (Option<&Incoming>, bool),
    events: &Events,
    stop: &Stop,
) -> Result<(PathBuf, Option<Spooled>), Failure> {
    if let Some(incoming) = incoming {
        let spooled = spool(incoming, is_signed, events, stop).await;
        let spooled = spooled.map_err(|Obstacle { cause, hint }| Failure {
            exit: 2,
            cause,
            hint,
            notes: Vec::new(),
        })?;
        return Ok((spooled.path().to_owned(), Some(spooled)));
    }
    match file {
        Some(file) => Ok((file.to_owned(), None)),
        None => newest::find(backup_dir, database, events).map(|path| (path, None)),
    }
}

/// Says what is not known of a backup that is bad and came on standard input.
pub(in crate::commands) fn doubt(incoming: Option<&Incoming>, report: &RunReport, events: &Events) {
    let is_of_stdin = incoming.is_some_and(|incoming| incoming.command.is_none());
    if is_of_stdin && report.verdict() == Verdict::Failed {
        let doubt = "what was tested is what came on standard input: whether the program before the pipe came to \
                     its end is not known here (set -o pipefail tells the shell)";
        events.emit(Event::Warning(doubt.to_owned()));
    }
}

/// Says that a run is on record nowhere, where somebody waits for that.
pub(in crate::commands) fn unrecorded(metrics_file: Option<&Path>, events: &Events) {
    if let Some(file) = metrics_file {
        events.emit(Event::Warning(format!(
            "{} is as it was: what goes through a pipe is on record in no history",
            file.display()
        )));
    }
}
