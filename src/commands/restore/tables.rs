//! Single tables: their columns and rows, into a schema of their own in the database that is in use.
//!
//! One transaction, which is committed when the backup's part was read whole and every table was proven to hold
//! its rows. Only the dump's beginning and the parts with these rows are read, where the manifest or the archive
//! says where they are.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::SinkExt;
use tokio::sync::mpsc;

use super::definitions::{self, Definitions};
use super::failing::{cannot, failure};
use super::making;
use crate::checks::read_back::{self, Found, Wanted};
use crate::checks::rendering::Rendering;
use crate::commands::channel::IN_FLIGHT;
use crate::commands::opened::{self, Opened};
use crate::commands::rows::{Read, Rows, Selection, Watch};
use crate::commands::steps::database::rendering;
use crate::commands::steps::spool;
use crate::commands::{DEFECT, Failure, Stop, proven_file};
use crate::destination::{Destination, names};
use crate::dump::picking::{Block, Piece, TableName, Written};
use crate::events::{Event, Events, Progress, RestoreEvent, Work};
use crate::model::contents::{Table, TableFingerprint};
use crate::packing::metered::Meter;
use crate::pg::{self, Session, quote_ident, quote_literal, quote_qualified};
use crate::settings::RestoreSettings;

/// What is sent at a time.
type Sink = std::pin::Pin<Box<tokio_postgres::CopyInSink<Bytes>>>;

/// Brings the tables that are meant.
pub(super) async fn run(
    settings: &RestoreSettings,
    events: &Events,
    stop: &Stop,
) -> Result<(), Failure> {
    let choice = &settings.choice;
    let incoming = (choice.incoming.as_ref(), settings.proof.allowed_signers.is_some());
    let (path, _spooled) = spool::path_of(
        choice.file.as_deref(),
        (&choice.backup_dir, &choice.database),
        incoming,
        events,
        stop,
    )
    .await?;
    let request = &settings.destination;
    events.emit(Event::Restore(RestoreEvent::Started {
        backup: path.clone(),
        server: request.place.clone(),
        database: request.name.clone(),
    }));
    names::check(&request.name).map_err(failure)?;
    let destination = Destination::reach(request).await.map_err(failure)?;
    let session = destination.connect().await.map_err(failure)?;
    let (unsealing, allowed) =
        (&settings.choice.unsealing, settings.proof.allowed_signers.as_ref());
    let Opened { backup, manifest, warning } = opened::open(&path, unsealing, allowed)?;
    warning.into_iter().for_each(|text| events.emit(Event::Warning(text)));
    let outline = manifest.as_ref().map(|manifest| &manifest.outline);
    proven_file::demand(&backup, outline, allowed, stop).await?;
    let meter = Meter::default();
    let definitions = definitions::of(&backup, &destination, &meter).await?;
    let (events_of, total) = (events.clone(), Some(backup.bytes()));
    let progress = Arc::new(move |done| {
        let (work, current) = (Work::Restoring, None);
        events_of.emit(Event::Progress(Progress { work, done, total, current }));
    });
    let watch = Watch { cancel: stop.token().clone(), progress };
    let selection = Selection { patterns: settings.tables.clone(), database: None };
    let schema = settings.into_schema.clone();
    let schema =
        schema.unwrap_or_else(|| format!("restored_{}", request.since.format("%Y%m%d_%H%M%S")));
    let bringing = Bringing {
        session,
        schema,
        definitions,
        // The dump itself says its encoding, where it is another.
        rendering: rendering(manifest.as_ref(), None),
        is_recorded: manifest.is_some(),
        made: BTreeMap::new(),
    };
    let (sender, pieces) = mpsc::channel(IN_FLIGHT);
    let reading = tokio::task::spawn_blocking(move || {
        let rows = Rows::find(&backup, manifest.as_ref(), selection, &watch)?;
        rows.read(&watch, &mut |piece| match sender.blocking_send(piece) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        })
    });
    let bringing = bringing.all(pieces, reading, events);
    let brought = tokio::select! {
        biased;
        () = stop.token().cancelled() => {
            return Err(Failure {
                exit: 2,
                cause: stop.reason(),
                hint: Some(stop.hint().to_owned()),
                notes: Vec::new(),
            });
        }
        brought = bringing => brought?,
    };
    let Brought { schema, tables, read } = brought;
    events.emit(Event::Restore(RestoreEvent::TablesRestored {
        database: request.name.clone(),
        schema,
        tables,
        bytes_read: read.bytes_read + meter.bytes(),
        bytes_there: read.bytes_there,
    }));
    Ok(())
}

/// What was brought.
struct Brought {
    schema: String,
    tables: Vec<(String, u64)>,
    read: Read,
}

/// Tables on their way.
struct Bringing {
    session: Session,
    schema: String,
    definitions: Definitions,
    rendering: Rendering,
    /// The rows are those of a manifest, written as it says.
    is_recorded: bool,
    /// The columns of those that were made, by their names in the backup.
    made: BTreeMap<TableName, Table>,
}

impl Bringing {
    /// Brings all, in one transaction.
    async fn all(
        mut self,
        mut pieces: mpsc::Receiver<Piece>,
        reading: tokio::task::JoinHandle<Result<Read, Failure>>,
        events: &Events,
    ) -> Result<Brought, Failure> {
        let schema = quote_ident(&self.schema);
        self.run("BEGIN").await?;
        self.rendering.apply(&self.session).await.map_err(|error| cannot(&error, AGAIN))?;
        self.run(&format!("CREATE SCHEMA IF NOT EXISTS {schema}")).await?;
        let mut sink: Option<Sink> = None;
        let mut refused = None;
        while let Some(piece) = pieces.recv().await {
            if let Err(failure) = self.take(piece, &mut sink).await {
                refused = Some(failure);
                break;
            }
        }
        drop((pieces, sink));
        let read = reading.await.map_err(|error| cannot(&error, DEFECT))?;
        let read = match (refused, read) {
            // The reading was given up for it.
            (Some(refused), _) => return Err(refused),
            (None, read) => read?,
        };
        let mut tables = Vec::new();
        for (name, expected) in &read.tables {
            self.prove(name, *expected, events).await?;
            tables.push((name.display_name(), expected.rows));
        }
        self.run("COMMIT").await?;
        Ok(Brought { schema: self.schema, tables, read })
    }

    async fn take(&mut self, piece: Piece, sink: &mut Option<Sink>) -> Result<(), Failure> {
        match piece {
            Piece::Begin(block) => *sink = Some(self.begin(&block).await?),
            Piece::Rows(rows) => self.send(sink, rows).await?,
            Piece::Inserted { rows: Some(rows), .. } => self.send(sink, rows.into()).await?,
            Piece::Inserted { rows: None, .. } => {
                let cause = "an INSERT statement of the backup is not understood";
                return Err(cannot(&cause, "restore all of it under a name of its own: --as NAME"));
            }
            Piece::End => {
                if let Some(mut sink) = sink.take() {
                    sink.close().await.map_err(|error| self.refused(&error))?;
                }
            }
        }
        Ok(())
    }

    async fn send(&self, sink: &mut Option<Sink>, rows: Bytes) -> Result<(), Failure> {
        match sink {
            Some(sink) => sink.send(rows).await.map_err(|error| self.refused(&error)),
            None => Ok(()),
        }
    }

    /// Makes the table, unless another block did, and begins to send rows.
    async fn begin(&mut self, block: &Block) -> Result<Sink, Failure> {
        let name = &block.table;
        if block.written == Written::CopiedOtherwise {
            let cause =
                format!("the rows of {} are written in another format", name.display_name());
            return Err(cannot(&cause, "restore all of it under a name of its own: --as NAME"));
        }
        let table = Table {
            schema: self.schema.clone(),
            name: name.name.clone(),
            columns: block.columns.clone(),
            fingerprint: TableFingerprint::default(),
            bytes: 0,
            spans: Vec::new(),
        };
        if let Some(encoding) = &block.encoding {
            self.rendering.encoding.clone_from(encoding);
        }
        let quoted = quote_qualified(&self.schema, &name.name);
        if !self.made.contains_key(name) {
            if let Some(other) = self.made.keys().find(|other| other.name == name.name) {
                let (one, two) = (other.display_name(), name.display_name());
                let cause = format!("{one} and {two} cannot both be {quoted}");
                return Err(cannot(
                    &cause,
                    "name the schema, too (--table SCHEMA.TABLE), and bring them one by one",
                ));
            }
            for statement in making::statements(&self.definitions, &self.schema, name)? {
                self.run(&statement).await?;
            }
            self.made.insert(name.clone(), table);
        }
        let listed: Vec<String> = block.columns.named().iter().map(|of| quote_ident(of)).collect();
        let listed = match listed.is_empty() {
            true => String::new(),
            false => format!(" ({})", listed.join(", ")),
        };
        let encoding = quote_literal(block.encoding.as_deref().unwrap_or("UTF8"));
        let sql = format!("COPY {quoted}{listed} FROM STDIN WITH (ENCODING {encoding})");
        let sink = self.session.copy_in(&sql).await.map_err(|error| self.refused(&error))?;
        Ok(Box::pin(sink))
    }

    /// Holds a table to what was read of it.
    async fn prove(
        &self,
        name: &TableName,
        expected: TableFingerprint,
        events: &Events,
    ) -> Result<(), Failure> {
        let Some(table) = self.made.get(name) else { return Ok(()) };
        let wanted = Wanted::all(table.clone());
        let found = read_back::read_one(&self.session, &wanted, &self.rendering).await;
        match found.map_err(|error| cannot(&error, AGAIN))? {
            Found::Rows(found) if found == expected => Ok(()),
            // Of a dump by others it is not known how it wrote times and bytes.
            Found::Rows(found) if found.rows == expected.rows && !self.is_recorded => {
                let text = format!(
                    "contents of {} are not proven: without a manifest it is not known how they were written",
                    name.display_name()
                );
                events.emit(Event::Warning(text));
                Ok(())
            }
            _ => {
                let cause =
                    format!("{} does not hold what was read from the backup", name.display_name());
                Err(cannot(&cause, DEFECT))
            }
        }
    }

    async fn run(&self, sql: &str) -> Result<(), Failure> {
        self.session.batch_execute(sql).await.map_err(|error| self.refused(&error))
    }

    fn refused(&self, error: &tokio_postgres::Error) -> Failure {
        let hint = match error.code().map(tokio_postgres::error::SqlState::code) {
            Some("42704" | "42883" | "42P01" | "3F000") => {
                "what the columns need is not there: make it first, or restore all of the backup under a \
                 name of its own: --as NAME"
            }
            Some("42P07") => "name another schema: --into-schema NAME",
            Some("42501") => "connect as a role that may create a schema there: --username NAME",
            Some(_) => "nothing was changed; --log-file FILE keeps the details",
            None => "nothing was changed; run it again when the server can be reached",
        };
        cannot(&format!("the table could not be restored: {}", pg::describe(error)), hint)
    }
}

const AGAIN: &str = "nothing was changed: run it again";
