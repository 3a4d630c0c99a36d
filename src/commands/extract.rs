//! `extract`: the rows of a table of a backup, to stdout.

mod writing;

use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::sync::Arc;

use super::opened::{self, Opened};
use super::rows::{Read, Rows, Selection, Watch};
use super::steps::spool;
use super::{DEFECT, Failure, Stop, proven_file};
use crate::dump::like::Like;
use crate::dump::picking::TableName;
use crate::events::{Event, Events, Progress, Work};
use crate::model::outcome::grouped;
use crate::report::console::Data;
use crate::settings::{ExtractSettings, OfDatabase, RowFormat};

use writing::{Unwritten, Writer};

/// Bytes gathered before they are written.
const BUFFER_BYTES: usize = 256 * 1024;
/// Names that are shown.
const SHOWN: usize = 5;

/// Writes the rows.
///
/// # Errors
/// With exit code 1 where the backup is bad, with 2 where there is no such table or it could not be done.
pub async fn run(
    settings: &ExtractSettings,
    data: Data,
    events: &Events,
    stop: &Stop,
) -> Result<(), Failure> {
    for warning in &settings.warnings {
        events.emit(Event::Warning(warning.clone()));
    }
    let conditions = conditions(&settings.where_like)?;
    let incoming = (settings.incoming.as_ref(), settings.allowed_signers.is_some());
    let of = settings.database.clone().map_or(OfDatabase::Only, OfDatabase::Rather);
    let (path, _spooled) = spool::path_of(
        settings.file.as_deref(),
        (&settings.backup_dir, &of),
        incoming,
        events,
        stop,
    )
    .await?;
    let allowed = settings.allowed_signers.as_ref();
    let Opened { backup, manifest, warning } = opened::open(&path, &settings.unsealing, allowed)?;
    warning.into_iter().for_each(|text| events.emit(Event::Warning(text)));
    let outline = manifest.as_ref().map(|manifest| &manifest.outline);
    proven_file::demand(&backup, outline, allowed, stop).await?;
    let watch =
        Watch { cancel: stop.token().clone(), progress: progress(&data, backup.bytes(), events) };
    let selection =
        Selection { patterns: settings.tables.clone(), database: settings.database.clone() };
    let opened_by = backup.clone();
    let (format, warnings) = (settings.format, events.clone());
    let working = tokio::task::spawn_blocking(move || {
        let rows = Rows::find(&backup, manifest.as_ref(), selection, &watch)?;
        if format != RowFormat::Sql {
            one_table(rows.tables(), format)?;
        }
        let warn = |text: String| warnings.emit(Event::Warning(text));
        let writer = Writer::new(
            BufWriter::with_capacity(BUFFER_BYTES, data.sink),
            format,
            conditions,
            warn,
        );
        write(&rows, &watch, writer)
    });
    // It may wait for whoever reads the rows.
    let worked = stop.wait_for(working).await.unwrap_or_else(|| Ok(Err(interrupted(stop))));
    let read = worked.map_err(|error| failure(2, error.to_string(), DEFECT))?;
    match read {
        Err(_) if stop.token().is_cancelled() => Err(interrupted(stop)),
        Err(found) => Err(opened::unless_unopened(found, &opened_by).await),
        read => read,
    }
}

/// Reads the rows and writes them; what was written of a backup that is bad does not load.
fn write(
    rows: &Rows,
    watch: &Watch,
    mut writer: Writer<impl Write, impl Fn(String)>,
) -> Result<(), Failure> {
    let mut unwritten = None;
    let read = rows.read(watch, &mut |piece| match writer.take(&piece) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            unwritten = Some(error);
            ControlFlow::Break(())
        }
    });
    let outcome = match (unwritten, read) {
        (Some(Unwritten::Refused(refused)), _) => Err(refused),
        (Some(Unwritten::Stdout(error)), _) => return stdout(&error),
        (None, Err(failure)) => Err(failure),
        (None, Ok(read)) => {
            said(&read, &writer);
            Ok(())
        }
    };
    match outcome {
        Ok(()) => writer.finish().or_else(|error| stdout(&error)),
        Err(failure) => {
            // There is nothing to be done where it cannot be written either.
            let _ = writer.spoil();
            Err(failure)
        }
    }
}

/// Somebody who reads no more has what was wanted.
fn stdout(error: &io::Error) -> Result<(), Failure> {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Ok(());
    }
    let cause = format!("the rows could not be written to stdout: {error}");
    Err(failure(2, cause, "make room where it leads to; what was written is not whole"))
}

fn said<W: Write, F: Fn(String)>(read: &Read, writer: &Writer<W, F>) {
    let (of, there) = (grouped(read.bytes_read), grouped(read.bytes_there));
    let rows: u64 = read.tables.iter().map(|(_, found)| found.rows).sum();
    tracing::info!("read {of} bytes of {there} of the backup");
    match writer.picked() {
        Some(picked) => tracing::info!("wrote {} rows of {}", grouped(picked), grouped(rows)),
        None => tracing::info!("wrote {} rows", grouped(rows)),
    }
}

/// How far the reading is, where nothing but rows is shown.
fn progress(data: &Data, total: u64, events: &Events) -> Arc<dyn Fn(u64) + Send + Sync> {
    if data.is_terminal {
        return Arc::new(|_| {});
    }
    let events = events.clone();
    Arc::new(move |done| {
        let (work, total, current) = (Work::Reading, Some(total), None);
        events.emit(Event::Progress(Progress { work, done, total, current }));
    })
}

fn conditions(where_like: &[(String, String)]) -> Result<Vec<(String, Like)>, Failure> {
    let condition = |(column, pattern): &(String, String)| match Like::parse(pattern) {
        Ok(like) => Ok((column.clone(), like)),
        Err(error) => {
            let hint =
                "a backslash takes the meaning from the character after it: \\\\ is one backslash";
            Err(failure(2, format!("--where-like {column}: {error}"), hint))
        }
    };
    where_like.iter().map(condition).collect()
}

/// Refuses rows of several tables where nothing could part them.
fn one_table(tables: &[TableName], format: RowFormat) -> Result<(), Failure> {
    if tables.len() < 2 {
        return Ok(());
    }
    let names: Vec<String> = tables.iter().take(SHOWN).map(TableName::display_name).collect();
    let more = if tables.len() > SHOWN { ", …" } else { "" };
    let name = if format == RowFormat::Csv { "csv" } else { "copy" };
    Err(failure(
        2,
        format!(
            "--format {name} takes one table, and {} fit: {}{more}",
            tables.len(),
            names.join(", ")
        ),
        "name one of them, with its schema; --format sql takes several",
    ))
}

fn interrupted(stop: &Stop) -> Failure {
    failure(2, format!("{}: what was written is not whole", stop.reason()), stop.hint())
}

fn failure(exit: u8, cause: String, hint: &str) -> Failure {
    Failure { exit, cause, hint: Some(hint.to_owned()), notes: Vec::new() }
}
