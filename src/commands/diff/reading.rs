//! What is known of a backup: what its manifest says, else what its dump does.

use std::path::{Path, PathBuf};

use super::{died, failure_of};
use crate::archive::{OpenBackup, Storage};
use crate::commands::decoding::Decoding;
use crate::commands::inspect::{self, Inspection};
use crate::commands::opened::{self, Opened};
use crate::commands::signature::{self, Signed};
use crate::commands::{Failure, Stop, proven_file};
use crate::dump::contents::DatabaseContents;
use crate::events::{Event, Events, Progress, Work};
use crate::model::format::Format;
use crate::model::version::major_of;
use crate::packing::read_error::ReadError;
use crate::sealing::Identities;
use crate::settings::DiffSettings;
use crate::signing::AllowedSigners;
use crate::source::client_tools::Tool;
use crate::source::pg_dump::{self, DumpProcess};
use crate::store::difference::{Known, Made, Written};
use crate::store::manifest::{Contents, Manifest, ManifestError};

/// How a manifest's name ends.
const MANIFEST: &str = ".manifest.json";

/// What is known of what is at a path: of a manifest, or of a backup.
pub(super) async fn known(
    path: &Path,
    settings: &DiffSettings,
    events: &Events,
    stop: &Stop,
) -> Result<Known, Failure> {
    let (database, unsealing) = (settings.database.as_deref(), &settings.unsealing);
    let name = path.display().to_string();
    let allowed = settings.allowed_signers.as_ref();
    let (backup, manifest, warning) = match backup_of(path) {
        Some(backup) => {
            let (manifest, warning) = manifest_at(path, &backup, &unsealing.identities, allowed)?;
            (None, Some(manifest), warning)
        }
        None => {
            let Opened { backup, manifest, warning } = opened::open(path, unsealing, allowed)?;
            (Some(backup), manifest, warning)
        }
    };
    warning.into_iter().for_each(|text| events.emit(Event::Warning(text)));
    let outline = manifest.as_ref().map(|manifest| manifest.outline.clone());
    match (manifest.filter(Manifest::has_contents), backup) {
        (Some(manifest), _) => {
            let known = Known::of_manifest(name, manifest);
            match (database, &known.database) {
                (Some(wanted), Some(of)) if wanted != of => {
                    let cause = format!("{} is of the database {of}, not {wanted}", known.backup);
                    Err(failure_of(cause, "leave out --database, or name another backup"))
                }
                _ => Ok(known),
            }
        }
        (None, Some(backup)) => {
            proven_file::demand(&backup, outline.as_ref(), allowed, stop).await?;
            of_dump(name, &backup, database, events, stop).await
        }
        (None, None) => {
            let hint = "name the backup itself: its dump is read then";
            Err(failure_of(format!("{name} does not say what the backup holds"), hint))
        }
    }
}

/// The backup to which a manifest belongs; `None` where the path is none of a manifest.
pub(super) fn backup_of(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?.strip_suffix(MANIFEST)?;
    Some(path.with_file_name(name))
}

fn manifest_at(
    path: &Path,
    backup: &Path,
    identities: &Identities,
    allowed: Option<&AllowedSigners>,
) -> Result<(Manifest, Option<String>), Failure> {
    let failed = |error: ManifestError| {
        let hint = error.hint().unwrap_or_else(|| "name the backup itself".to_owned());
        failure_of(format!("{}: {error}", path.display()), &hint)
    };
    let (manifest, bytes) = Manifest::read_alone(path, identities).map_err(failed)?;
    let signed = Signed { path, bytes: &bytes, manifest: &manifest.outline, backup };
    let warning = signature::demand(backup, Some(signed), allowed)?;
    Ok((manifest, warning))
}

/// Reads a dump from its first byte to its last.
async fn of_dump(
    name: String,
    backup: &OpenBackup,
    database: Option<&str>,
    events: &Events,
    stop: &Stop,
) -> Result<Known, Failure> {
    let dump = match backup.storage() {
        Storage::File(file) if backup.format() == Format::Plain => {
            let (file, packing) = (file.clone(), backup.packing());
            let (cancel, events) = (stop.token().clone(), events.clone());
            let total = Some(file.bytes());
            let reading = tokio::task::spawn_blocking(move || {
                inspect::inspect(&file, packing, &cancel, &|done| {
                    let (work, current) = (Work::Reading, None);
                    events.emit(Event::Progress(Progress { work, done, total, current }));
                })
            });
            let read = reading.await.map_err(|error| died(&error))?;
            read.map_err(|error| unread(&name, &error))?.dump
        }
        _ => of_archive(&name, backup, events, stop).await?,
    };
    if let Some(unsound) = &dump.unsound {
        let hint = unsound.our_limit().unwrap_or_else(|| unsound.hint());
        return Err(failure_of(format!("{name}: {unsound}"), hint));
    }
    let server = dump.facts.server_major();
    let pg_dump = dump.facts.pg_dump_version.as_deref().and_then(major_of);
    let is_plain = backup.format() == Format::Plain;
    let found = one_database(&name, &dump, database)?;
    let mut not_recorded = Vec::new();
    if dump.contents.inserts > 0 {
        not_recorded.push("rows of INSERT statements that are not understood".to_owned());
    }
    let of = found.name.clone().or_else(|| backup.head().and_then(|head| head.database));
    let revisions = dump.contents.alembic_revisions();
    Ok(Known {
        backup: name,
        created_at: None,
        database: of,
        written: Written { encoding: found.encoding.clone(), server, ..Written::default() },
        made: Made { pg_dump, options: None, is_plain },
        contents: Contents {
            tables: found.tables.clone(),
            sequences: found.sequences.clone(),
            large_objects: found.large_objects.objects(),
            statements: dump.contents.statements.by_kind(),
            statements_in_order: Some(dump.contents.statements.in_order()),
            revision: revisions.map(|revisions| revisions.join(", ")),
            not_recorded,
            coverage: None,
        },
    })
}

fn one_database<'a>(
    name: &str,
    dump: &'a Inspection,
    wanted: Option<&str>,
) -> Result<&'a DatabaseContents, Failure> {
    let mut databases: Vec<&DatabaseContents> = dump.contents.databases().collect();
    let named = |of: &&DatabaseContents| of.name.as_deref() == wanted;
    if wanted.is_some() && databases.iter().any(|of| of.name.is_some()) {
        databases.retain(named);
    }
    match databases.as_slice() {
        [one] => Ok(one),
        [] => Err(failure_of(
            format!("{name} holds nothing of a database {}", wanted.unwrap_or_default()),
            "leave out --database to see which it has",
        )),
        several => {
            let names = several.iter().filter_map(|of| of.name.as_deref());
            let names: Vec<&str> = names.collect();
            let cause = format!("{name} is of several databases: {}", names.join(", "));
            Err(failure_of(cause, "name one of them with --database NAME"))
        }
    }
}

/// Reads an archive as a pg_restore of this machine writes it.
async fn of_archive(
    name: &str,
    backup: &OpenBackup,
    events: &Events,
    stop: &Stop,
) -> Result<Inspection, Failure> {
    let major = backup.head().and_then(|head| head.restoring_major());
    let Some(pg_restore) = Tool::pg_restore_for(major).await else {
        let cause = format!("{name} has no manifest, and no pg_restore was found to read it");
        let hint = "install postgresql-client; a backup by `ccc-backup create` has a manifest";
        return Err(failure_of(cause, hint));
    };
    let started = pg_dump::start_decoding(&pg_restore, false, backup.path());
    let (pipe, process) = started.map_err(|error| undecoded(name, &error))?;
    let read = Decoding::begin(pipe, process, events, stop).read(stop).await;
    let Some((read, process)) = read.map_err(|error| died(&error))? else {
        return Err(failure_of(stop.reason(), stop.hint()));
    };
    ended(name, process).await?;
    read.map_err(|error| unread(name, &error))
}

async fn ended(name: &str, process: DumpProcess) -> Result<(), Failure> {
    process.finish().await.map(drop).map_err(|error| undecoded(name, &error))
}

fn undecoded(name: &str, error: &dyn std::fmt::Display) -> Failure {
    let hint = "an archive of a newer pg_dump, or one that is packed once more, needs its own \
                pg_restore, or to be unpacked first";
    failure_of(format!("{name} could not be read: {error}"), hint)
}

fn unread(name: &str, error: &ReadError) -> Failure {
    failure_of(format!("{name}: {error}"), "check the disk that holds the backup")
}
