//! What reading a backup to its end has in common, whatever its kind: the sandbox that starts meanwhile,
//! and what is noted of the file.

use std::collections::BTreeSet;
use std::time::Instant;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::context::{Context, Place};
use super::destined::Destined;
use super::early;
use super::findings::Notes;
use super::needed;
use super::obstacles::{changed, no_server, obstacle};
use super::rights;
use super::server::{Server, ServerError};
use super::target::DATABASE;
use crate::checks::{self, checksum};
use crate::commands::DEFECT;
use crate::commands::inspect::Inspection;
use crate::commands::sandbox_image::Said;
use crate::destination;
use crate::destination::mark::{Mark, State};
use crate::dump::contents::Contents;
use crate::events::{Event, Progress, Work};
use crate::model::files::FileFacts;
use crate::model::outcome::{CheckResult, Defect, Obstacle, Status};
use crate::model::packing::Packing;
use crate::packing::read_error::ReadError;
use crate::sandbox::{self, Choice, Limits, SandboxError};
use crate::settings::SandboxSettings;
use crate::store::manifest::Manifest;

/// How much larger than its backup file a dump is taken to be, before anything is known.
const GROWTH: u64 = 16;
/// The major version taken where the dump does not say.
const DEFAULT_VERSION: u32 = 15;
/// The oldest major version that is taken because the dump says so: of those before it, images are not
/// everywhere, and 9 is none.
const OLDEST_VERSION: u32 = 10;

/// The server that is wanted.
pub(in crate::commands) enum Wanted<'a> {
    /// A throwaway one like this.
    Sandbox(Box<sandbox::Request>),
    /// One that others use.
    Destination(&'a destination::Request, Mark),
}

impl Wanted<'_> {
    /// Has it, or reaches it.
    async fn have(
        &self,
        cx: Context<'_>,
        enough: &CancellationToken,
    ) -> Result<Server, ServerError> {
        match self {
            Self::Sandbox(request) => {
                let request = with_extensions(cx, request).await?;
                let sandbox = sandbox::start(&request, cx.events, enough).await?;
                Ok(Server::Sandbox(Box::new(sandbox)))
            }
            Self::Destination(request, mark) => {
                let destined = Destined::reach(request, mark.clone()).await?;
                early::check(cx, &destined, request).await?;
                Ok(Server::Destination(Box::new(destined)))
            }
        }
    }
}

/// Has the server that is wanted while the backup is read, and puts it into `place`. It is not waited for
/// when the backup turns out not to be worth it. The backup is not read to its end for a server that others
/// use and that cannot be restored into.
pub(in crate::commands) async fn start_while<T>(
    cx: Context<'_>,
    wanted: &Wanted<'_>,
    reading: JoinHandle<Result<T, ReadError>>,
    is_sound: impl Fn(&T) -> bool,
    place: &mut Option<Server>,
    notes: &mut Notes<'_>,
) -> Result<(Result<T, ReadError>, Result<(), ServerError>), Obstacle> {
    let clock = Instant::now();
    let enough = cx.stop.token().child_token();
    let starting = wanted.have(cx, &enough);
    tokio::pin!(reading, starting);
    let (read, started) = tokio::select! {
        read = cx.stop.wait_for(&mut reading) => {
            if !matches!(&read, Some(Ok(Ok(found))) if is_sound(found)) {
                enough.cancel();
            }
            (read, starting.await)
        }
        started = &mut starting => match started {
            Err(error @ ServerError::Destination(_)) => return Err(no_server(&error, cx.stop)),
            started => (cx.stop.wait_for(&mut reading).await, started),
        },
    };
    notes.phase("read and start", clock.elapsed());
    if let Ok(server) = &started {
        notes.findings.facts.sandbox = Some(server.facts());
    }
    let started = started.map(|server| *place = Some(server));
    let Some(read) = read else { return Ok((Err(ReadError::Interrupted), started)) };
    let read = read.map_err(|error| obstacle(&error, DEFECT))?;
    Ok((read, started))
}

/// Shows how much of the backup was read.
pub(in crate::commands) fn progress_of(cx: Context<'_>) -> impl Fn(u64) + Send + Sync + 'static {
    let (events, total) = (cx.events.clone(), Some(cx.backup.bytes()));
    move |done| {
        events.emit(Event::Progress(Progress { work: Work::Reading, done, total, current: None }));
    }
}

/// Notes the checksum of the backup, and gives its comparison with the manifest's.
pub(in crate::commands) fn note_checksum(
    cx: Context<'_>,
    sha256: &str,
    files: &[FileFacts],
    notes: &mut Notes<'_>,
) -> Option<CheckResult> {
    notes.findings.facts.sha256 = Some(sha256.to_owned());
    let manifest = cx.manifest?;
    let (written, recorded) = (manifest.outline.sha256(), manifest.outline.files_of_directory());
    let found = checksum::Bytes { sha256, files };
    let recorded = checksum::Bytes { sha256: &written, files: recorded };
    Some(checksum::judge(found, recorded))
}

/// Notes that the backup itself is bad.
pub(in crate::commands) fn note_bad(
    cx: Context<'_>,
    cause: String,
    hint: &str,
    checksum: Option<CheckResult>,
    notes: &mut Notes<'_>,
) -> Result<(), Obstacle> {
    if cx.backup.has_changed() {
        return Err(changed());
    }
    // It tells whether the file was written so, or became so.
    checksum.into_iter().for_each(|check| notes.check(check));
    notes.defect(Defect::new(cause, hint));
    Ok(())
}

/// Notes where it is another file than was written, as far as that is known. Gives whether it is.
pub(in crate::commands) fn note_other_file(
    cx: Context<'_>,
    checksum: Option<&CheckResult>,
    notes: &mut Notes<'_>,
) -> Result<bool, Obstacle> {
    match checksum.filter(|check| check.status == Status::Failed) {
        None => Ok(false),
        Some(_) if cx.backup.has_changed() => Err(changed()),
        Some(check) => {
            notes.check(check.clone());
            Ok(true)
        }
    }
}

/// Sees that all of it can be read back.
///
/// # Errors
/// What cannot.
pub(in crate::commands) fn check_supported(contents: &Contents) -> Result<(), Obstacle> {
    let unsupported = contents.unsupported.as_ref();
    unsupported.map_or(Ok(()), |it| Err(obstacle(it, it.hint())))
}

/// Notes where there is nothing in the backup and should be. Gives whether it is so.
pub(in crate::commands) fn note_emptiness(
    cx: Context<'_>,
    dump: &Inspection,
    notes: &mut Notes<'_>,
) -> Result<bool, Obstacle> {
    let is_empty = !dump.contents.holds_anything() && !cx.may_be_without_rows();
    if is_empty {
        let cause = "nothing is in it: the backup makes no table and has no row".to_owned();
        let hint = "look whether the job dumps the right database; where that is meant: data = \
                    \"none\" below [checks] in ccc-backup.toml";
        note_bad(cx, cause, hint, None, notes)?;
    }
    Ok(is_empty)
}

/// Tells that the backup was read to its end.
pub(in crate::commands) fn note_whole(
    cx: Context<'_>,
    dump: &Inspection,
    checksum: Option<CheckResult>,
    notes: &mut Notes<'_>,
) {
    let Inspection { facts, contents, .. } = dump;
    notes.findings.facts.rows = Some(contents.rows());
    notes.findings.facts.tables = Some(contents.tables() as u64);
    cx.events.emit(Event::BackupRead {
        tables: contents.tables(),
        rows: contents.rows(),
        bytes: dump.dump_bytes,
    });
    checksum.into_iter().for_each(|check| notes.check(check));
    if let Some(first) = &facts.first_unmade {
        notes.not_proven(format!(
            "that nothing was lost of {} objects which the dump announces and does not make, the \
             first: {first}",
            facts.unmade
        ));
    }
    if facts.padded {
        notes
            .warn("zeros follow the end of the dump, as a disk image or a tape fills it up".into());
    }
    rights::note_taken(contents, notes);
}

/// The server for a dump of this size by a server of this major version. `programs` says whether programs
/// that connect will be run beside it.
pub(in crate::commands) fn wanted(
    cx: Context<'_>,
    of_dump: Option<u32>,
    dump_bytes: u64,
    programs: bool,
) -> Wanted<'_> {
    let settings = match cx.place {
        Place::Sandbox(settings) => settings,
        Place::Destination(request) => {
            let backup = cx.backup.path().file_name().unwrap_or_default();
            let mark = Mark {
                state: State::Restoring,
                name: request.name.clone(),
                since: request.since,
                backup: backup.to_string_lossy().into_owned(),
                comment: None,
                had: None,
            };
            return Wanted::Destination(request, mark);
        }
    };
    Wanted::Sandbox(Box::new(sandbox::Request {
        choice: settings.engine,
        version: settings.version.unwrap_or_else(|| fitting_version(cx, of_dump)),
        image: said(settings).without_extensions(),
        extensions: BTreeSet::new(),
        builds: false,
        port: settings.port,
        name: settings.container_name.clone(),
        keep: settings.keep,
        wait: settings.wait,
        connections: cx.proof.jobs,
        data_bytes: Some(dump_bytes),
        settings: settings.server_settings.clone(),
        settings_are_trusted: settings.config_is_named,
        limits: Limits { memory: settings.memory, nano_cpus: settings.nano_cpus },
        programs,
        sweeps: true,
    }))
}

fn said(settings: &SandboxSettings) -> Said<'_> {
    let SandboxSettings { image, images, usual_image, build_image, .. } = settings;
    Said { named: image.as_ref(), images, usual: usual_image.as_ref(), builds: *build_image }
}

/// The same for the extensions of the backup, where it makes a difference which these are. Else they are not waited
/// for.
async fn with_extensions(
    cx: Context<'_>,
    request: &sandbox::Request,
) -> Result<sandbox::Request, SandboxError> {
    match cx.place {
        Place::Sandbox(settings)
            if settings.engine != Choice::Local && said(settings).asks_for_extensions() =>
        {
            said(settings).fit(request.clone(), needed::extensions(cx).await, DATABASE)
        }
        _ => Ok(request.clone()),
    }
}

/// The major version of a sandbox that fits a dump.
fn fitting_version(cx: Context<'_>, of_dump: Option<u32>) -> u32 {
    match of_dump {
        None => {
            let text = format!("the dump does not say its version; taking {DEFAULT_VERSION}");
            cx.events.emit(Event::Warning(text));
            DEFAULT_VERSION
        }
        Some(old) if old < OLDEST_VERSION => {
            let text = format!(
                "the dump is of PostgreSQL {old}, which is no longer kept; taking \
                 {DEFAULT_VERSION} (--postgres-version takes another)"
            );
            cx.events.emit(Event::Warning(text));
            DEFAULT_VERSION
        }
        Some(version) => version,
    }
}

/// How large the dump in a file of so many bytes is taken to be.
pub(in crate::commands) fn dump_bytes(bytes: u64, packing: Packing) -> u64 {
    if packing == Packing::None { bytes } else { bytes.saturating_mul(GROWTH) }
}

/// Whether the dump has the statements of the manifest.
pub(in crate::commands) fn statements(manifest: &Manifest, dump: &Inspection) -> CheckResult {
    let found = &dump.contents.statements;
    let order = manifest.contents.statements_in_order.map(|written| (written, found.in_order()));
    checks::statements::judge(&found.by_kind(), &manifest.contents.statements, order)
}
