//! `create --globals`: the roles and tablespaces of the server, in a file beside the backup. It is
//! published right before the backup, so that one that names it has it.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::Job;
use super::failing::interrupted;
use super::sink::{finish_file, seal};
use crate::commands::Failure;
use crate::events::Event;
use crate::model::files::FileFacts;
use crate::packing::written::Written;
use crate::source::client_tools::PgDump;
use crate::source::error::{SourceError, ToolFailure};
use crate::source::facts::Facts;
use crate::source::globals;
use crate::store::error::StoreError;
use crate::store::globals::{globals_path, is_shared};
use crate::store::new_file::{self, NewFile};
use crate::store::small;

/// The file in the making.
pub(super) struct Globals {
    partial: NewFile,
    overwrite: bool,
    /// What the manifest says of it.
    pub(super) file: FileFacts,
    /// What lies there, as its copies have it.
    pub(super) at_rest: Vec<u8>,
}

/// Asks for them, or takes what is known, and writes the partial file, where that is wanted.
pub(super) async fn dump(
    job: &Job<'_>,
    pg_dump: &PgDump,
    facts: &Facts,
) -> Result<Option<Globals>, Failure> {
    let Job { settings, target, together, events, stop, .. } = *job;
    if !settings.globals {
        return Ok(None);
    }
    let path = globals_path(target);
    let mut partial = NewFile::create(&path, settings.force)?;
    let asking = ask(job, pg_dump, facts);
    let globals = together.globals(settings, asking, (events, stop)).await?;
    let Some(globals) = globals else { return Ok(None) };
    let failed = |error| StoreError::io("write", &path, error);
    let mut sink = seal(Vec::new(), settings.recipients.as_ref())?;
    sink.write_all(&globals.sql).map_err(failed)?;
    let Written { sink: at_rest, bytes, sha256 } = finish_file(sink)?;
    partial.write_all(&at_rest).map_err(failed)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let file = FileFacts { name, bytes, sha256 };
    Ok(Some(Globals { partial, overwrite: settings.force, file, at_rest }))
}

async fn ask(job: &Job<'_>, pg_dump: &PgDump, facts: &Facts) -> Result<globals::Globals, Failure> {
    let source = &job.settings.source;
    let pg_dumpall = pg_dump.pg_dumpall().await.ok_or_else(missing)?;
    let database = match facts {
        Facts::Known(known) => Some(known.database.as_str()),
        Facts::Unknown { .. } => source.dbname.as_deref(),
    };
    let globals = tokio::select! {
        biased;
        () = job.stop.token().cancelled() => return Err(interrupted(job.stop)),
        globals = globals::globals(source, &pg_dumpall, database) => globals.map_err(not_dumped)?,
    };
    for line in &globals.warnings {
        job.events.emit(Event::Warning(line.clone()));
    }
    Ok(globals)
}

impl Globals {
    /// Gives the file its name.
    pub(super) fn publish(self) -> Result<Published, StoreError> {
        let path = self.partial.target().to_owned();
        let file = self.partial.publish()?;
        // What it replaced cannot come back: then it stays in any case.
        Ok(Published { path, _file: file, is_new: !self.overwrite, has_backup: false })
    }
}

/// The file with its name. Dropped before [`Published::keep`], it is removed, unless it may
/// stand in the place of an older backup's.
pub(super) struct Published {
    path: PathBuf,
    // Locked, as the backup is, until the manifest is written.
    _file: new_file::Published,
    is_new: bool,
    has_backup: bool,
}

impl Published {
    /// The backup stands beside it: it stays.
    pub(super) fn keep(&mut self) {
        self.has_backup = true;
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        if self.is_new
            && !self.has_backup
            && let Err(error) = small::remove(&self.path)
        {
            tracing::warn!(file = %self.path.display(), %error, "left without its backup");
        }
    }
}

/// What to say of roles beside a backup that were not dumped with it, nor with another that is there.
pub(super) fn of_another_backup(target: &Path) -> Option<String> {
    let path = globals_path(target);
    (path.exists() && !is_shared(target)).then(|| {
        let path = path.display();
        format!("{path} stays, and is older than this backup: --force --globals writes both anew")
    })
}

fn missing() -> Failure {
    Failure {
        exit: 2,
        cause: "no backup was made: pg_dumpall not found, which --globals needs".to_owned(),
        hint: Some(
            "install PostgreSQL's client tools (apt install postgresql-client), or leave out \
             --globals"
                .to_owned(),
        ),
        notes: Vec::new(),
    }
}

fn not_dumped(error: SourceError) -> Failure {
    let cause = format!("no backup was made: the server's roles could not be dumped: {error}");
    let hint = match &error {
        SourceError::Tool {
            failure: ToolFailure::Permission | ToolFailure::Failed { .. }, ..
        } => Some(
            "dump as a role that may read the server's roles and tablespaces, or leave out \
             --globals"
                .to_owned(),
        ),
        _ => error.hint(),
    };
    Failure { cause, hint, ..Failure::from(error) }
}
