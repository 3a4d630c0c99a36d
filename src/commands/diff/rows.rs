//! The rows of one table in two backups: how many only one of them has, and which.
//!
//! Every row is hashed into partitions ([`super::partitions`]), so that memory does not grow with the table. Where
//! the rows themselves are wanted, both tables are read once more, and once more again for each
//! [`MOST_DIFFERING`] hashes that only one has.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use super::comparing::{Shape, each_row};
use super::partitions::{Counted, Hashes, merge};
use super::{answer, died, failure_of, reading, unless_closed};
use crate::commands::opened::{self, Opened};
use crate::commands::rows::{Rows, Selection, Watch};
use crate::commands::{Failure, Stop, proven_file};
use crate::dump::encoding;
use crate::dump::fingerprint::row_hash;
use crate::dump::values;
use crate::events::{Event, Events, Progress, Work};
use crate::model::difference::{
    Both, Difference, LargeObjectsDifference, RowsDifference, Side, Told,
};
use crate::model::pattern::TablePattern;
use crate::report::console::Data;
use crate::report::difference::{Change, row_json, rows_end};
use crate::settings::DiffSettings;
use crate::store::difference::{Known, values_differ};

/// Hashes of rows that are looked for at a time.
const MOST_DIFFERING: usize = 1 << 20;
/// What to do about the temporary directory.
const TEMPORARY: &str =
    "the hashes of rows need room in the temporary directory: name another one with TMPDIR";

/// A backup whose rows are read.
struct Source {
    name: String,
    opened: Opened,
    database: Option<String>,
}

/// Compares the rows of a table.
pub(super) async fn run(
    settings: &DiffSettings,
    pattern: &TablePattern,
    data: Data,
    events: &Events,
    stop: &Stop,
) -> Result<u8, Failure> {
    let (a, b) = (open(&settings.a, settings)?, open(&settings.b, settings)?);
    let events = if data.is_terminal { Events::silent() } else { events.clone() };
    for of in [&a, &b] {
        let Opened { backup, manifest, warning } = &of.opened;
        warning.iter().for_each(|text| events.emit(Event::Warning(text.clone())));
        let outline = manifest.as_ref().map(|manifest| &manifest.outline);
        proven_file::demand(backup, outline, settings.allowed_signers.as_ref(), stop).await?;
    }
    let job = Job {
        patterns: vec![pattern.clone()],
        with_rows: settings.rows,
        is_json: settings.json,
        cancel: stop.token().clone(),
        events,
    };
    let out = BufWriter::new(data.sink);
    let working = tokio::task::spawn_blocking(move || job.run(&a, &b, out));
    match stop.wait_for(working).await {
        Some(worked) => worked.map_err(|error| died(&error))?,
        None => Err(failure_of(stop.reason(), stop.hint())),
    }
}

fn open(path: &std::path::Path, settings: &DiffSettings) -> Result<Source, Failure> {
    // The manifest alone has no rows.
    let backup = reading::backup_of(path);
    let allowed = settings.allowed_signers.as_ref();
    let opened = opened::open(backup.as_deref().unwrap_or(path), &settings.unsealing, allowed)?;
    Ok(Source { name: path.display().to_string(), opened, database: settings.database.clone() })
}

struct Job {
    patterns: Vec<TablePattern>,
    with_rows: bool,
    is_json: bool,
    cancel: tokio_util::sync::CancellationToken,
    events: Events,
}

impl Job {
    fn run(&self, a: &Source, b: &Source, mut out: impl Write) -> Result<u8, Failure> {
        written_alike(a, b)?;
        let (rows_a, rows_b) = (self.find(a)?, self.find(b)?);
        let (mut in_a, shape) = self.hashed(a, &rows_a, None)?;
        let (mut in_b, other) = self.hashed(b, &rows_b, Some(&shape))?;
        let found = counted(&shape, &mut in_a, &mut in_b)?;
        let (of_a, of_b) = (found.same + found.removed, found.same + found.added);
        let difference = of_one_table(side(a, &shape, of_a), side(b, &other, of_b), found);
        let code = difference.told().exit_code();
        let beginning = answer(&difference, self.is_json, self.with_rows);
        let mut written = out.write_all(&beginning);
        if written.is_ok() && self.with_rows {
            let printer =
                Printer { out: &mut out, is_json: self.is_json, shape: &shape, is_first: true };
            let shown = Shown { job: self, a: (a, &rows_a), b: (b, &rows_b), printer };
            match shown.all(&mut in_a, &mut in_b) {
                Ok(()) if self.is_json => written = out.write_all(rows_end()),
                Ok(()) => {}
                Err(Merging::Stdout(error)) => written = Err(error),
                Err(other) => return Err(other.into_failure()),
            }
        }
        unless_closed(written.and_then(|()| out.flush()))?;
        Ok(code)
    }

    /// The hashes of the rows of a table, and their shape.
    fn hashed(
        &self,
        source: &Source,
        rows: &Rows,
        like: Option<&Shape>,
    ) -> Result<(Hashes, Shape), Failure> {
        let mut hashes = Hashes::new();
        let shape = each_row(rows, &self.watch(source), like, &mut |row| {
            hashes.take(row_hash(row)).map_err(|error| temporary(&error))
        });
        Ok((hashes, shape.map_err(|failure| of(source, failure))?))
    }

    fn find(&self, source: &Source) -> Result<Rows, Failure> {
        let selection =
            Selection { patterns: self.patterns.clone(), database: source.database.clone() };
        let Opened { backup, manifest, .. } = &source.opened;
        let found = Rows::find(backup, manifest.as_ref(), selection, &self.watch(source));
        let rows = found.map_err(|failure| of(source, failure))?;
        match rows.tables() {
            [] | [_] => Ok(rows),
            several => {
                let count = several.len();
                let cause = format!("{}: --table takes one table, and {count} fit", source.name);
                Err(failure_of(cause, "name one of them, with its schema"))
            }
        }
    }

    fn watch(&self, source: &Source) -> Watch {
        let (events, total) = (self.events.clone(), Some(source.opened.backup.bytes()));
        Watch {
            cancel: self.cancel.clone(),
            progress: Arc::new(move |done| {
                let (work, current) = (Work::Reading, None);
                events.emit(Event::Progress(Progress { work, done, total, current }));
            }),
        }
    }
}

/// Refuses backups of which it is known that they write equal values otherwise.
fn written_alike(a: &Source, b: &Source) -> Result<(), Failure> {
    let written = |source: &Source| {
        let manifest = source.opened.manifest.clone()?;
        Some(Known::of_manifest(String::new(), manifest).written)
    };
    let (Some(of_a), Some(of_b)) = (written(a), written(b)) else { return Ok(()) };
    match values_differ(&of_a, &of_b) {
        None => Ok(()),
        Some(why) => {
            let cause = format!("the rows are not comparable: {why}");
            Err(failure_of(cause, "restore both, and compare them there"))
        }
    }
}

/// How many rows both have, and only one of them.
fn counted(shape: &Shape, a: &mut Hashes, b: &mut Hashes) -> Result<RowsDifference, Failure> {
    let mut found = RowsDifference {
        schema: shape.table.schema.clone(),
        name: shape.table.name.clone(),
        columns: shape.columns.named().to_vec(),
        same: 0,
        removed: 0,
        added: 0,
    };
    let merged = merge(a, b, |Counted { in_a, in_b, .. }| {
        found.same += in_a.min(in_b);
        found.removed += in_a.saturating_sub(in_b);
        found.added += in_b.saturating_sub(in_a);
        Ok::<(), io::Error>(())
    });
    merged.map_err(|error| temporary(&error))?;
    Ok(found)
}

/// Shows rows that only one of the backups has.
struct Shown<'a, W> {
    job: &'a Job,
    a: (&'a Source, &'a Rows),
    b: (&'a Source, &'a Rows),
    printer: Printer<'a, W>,
}

impl<W: Write> Shown<'_, W> {
    fn all(mut self, a: &mut Hashes, b: &mut Hashes) -> Result<(), Merging> {
        let mut wanted: HashMap<u128, Counted> = HashMap::new();
        merge(a, b, |counted| {
            if counted.in_a != counted.in_b {
                wanted.insert(counted.hash, counted);
                if wanted.len() == MOST_DIFFERING {
                    self.round(&mut wanted)?;
                }
            }
            Ok::<(), Merging>(())
        })?;
        self.round(&mut wanted)
    }

    /// Reads both tables once more, and shows the rows with these hashes.
    fn round(&mut self, wanted: &mut HashMap<u128, Counted>) -> Result<(), Merging> {
        for change in [Change::Removed, Change::Added] {
            let (source, rows) = if change == Change::Removed { self.a } else { self.b };
            let mut left: HashMap<u128, u64> = wanted
                .values()
                .map(|it| {
                    let surplus = match change {
                        Change::Removed => it.in_a.saturating_sub(it.in_b),
                        Change::Added => it.in_b.saturating_sub(it.in_a),
                    };
                    (it.hash, surplus)
                })
                .filter(|(_, surplus)| *surplus > 0)
                .collect();
            if left.is_empty() {
                continue;
            }
            let (mut unwritten, printer) = (None, &mut self.printer);
            let shape = printer.shape;
            let read = each_row(rows, &self.job.watch(source), Some(shape), &mut |row| {
                let Some(count) = left.get_mut(&row_hash(row)).filter(|count| **count > 0) else {
                    return Ok(());
                };
                *count -= 1;
                printer.print(change, row).map_err(|error| {
                    unwritten = Some(error);
                    failure_of("stdout takes no more", "")
                })
            });
            match (unwritten, read) {
                (Some(error), _) => return Err(Merging::Stdout(error)),
                (None, Err(failure)) => return Err(Merging::Failed(of(source, failure))),
                (None, Ok(_)) => {}
            }
        }
        wanted.clear();
        Ok(())
    }
}

/// Prints rows.
struct Printer<'a, W> {
    out: &'a mut W,
    is_json: bool,
    shape: &'a Shape,
    is_first: bool,
}

impl<W: Write> Printer<'_, W> {
    fn print(&mut self, change: Change, row: &[u8]) -> io::Result<()> {
        if !self.is_json {
            let sign: &[u8] = if change == Change::Removed { b"-" } else { b"+" };
            return self.out.write_all(&[sign, row, b"\n"].concat());
        }
        let columns = self.shape.columns.named();
        let encoding = self.shape.encoding.as_deref();
        let text = |written: &[u8]| {
            let value = values::value(written)?;
            Some(Cow::Owned(encoding::decode(&value, encoding).into_owned()))
        };
        let count = if columns.is_empty() { usize::from(!row.is_empty()) } else { columns.len() };
        let values: Vec<Option<Cow<'_, str>>> = values::written(row, count).map(text).collect();
        self.out.write_all(&row_json(change, columns, &values, self.is_first)?)?;
        self.is_first = false;
        Ok(())
    }
}

/// Why rows were not merged to their end.
enum Merging {
    /// The temporary directory.
    Temporary(io::Error),
    /// Stdout takes no more.
    Stdout(io::Error),
    /// A backup.
    Failed(Failure),
}

impl From<io::Error> for Merging {
    fn from(error: io::Error) -> Self {
        Self::Temporary(error)
    }
}

impl Merging {
    fn into_failure(self) -> Failure {
        match self {
            Self::Temporary(error) | Self::Stdout(error) => temporary(&error),
            Self::Failed(failure) => failure,
        }
    }
}

fn temporary(error: &io::Error) -> Failure {
    failure_of(format!("the rows could not be compared: {error}"), TEMPORARY)
}

/// A failure of one of the backups, by its name.
fn of(source: &Source, failure: Failure) -> Failure {
    Failure { cause: format!("{}: {}", source.name, failure.cause), ..failure }
}

fn side(source: &Source, shape: &Shape, rows: u64) -> Side {
    let manifest = source.opened.manifest.as_ref();
    let database = manifest.and_then(|manifest| manifest.source.database.clone());
    Side {
        backup: source.name.clone(),
        created_at: manifest.map(|manifest| manifest.outline.created_at),
        database: shape.table.database.clone().or(database),
        tables: 1,
        rows,
    }
}

fn of_one_table(a: Side, b: Side, rows: RowsDifference) -> Difference {
    let none = LargeObjectsDifference { count: Both { a: None, b: None }, told: Told::Same };
    Difference {
        a,
        b,
        not_comparable: Vec::new(),
        notes: Vec::new(),
        same_tables: 0,
        tables: Vec::new(),
        sequences: Vec::new(),
        large_objects: none,
        statements: Vec::new(),
        revision: Both { a: None, b: None },
        rows: Some(rows),
    }
}
