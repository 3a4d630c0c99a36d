//! Loads a plain dump into a database: its statements and rows, as they are written, in the order
//! in which they are written.
//!
//! A thread reads and decompresses; this side sends. Statements travel as UTF-8; rows travel as
//! they are, under the dump's own encoding.

use std::collections::BTreeMap;
use std::io::Read;

use bytes::Bytes;
use futures_util::SinkExt;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio_postgres::CopyInSink;

use crate::dump::item::{CopyBlock, Item, Meta, Statement};
use crate::dump::items::{Items, ItemsError, Unsound};
use crate::pg::{self, ConnectInfo, ServerError, Session};
use crate::restore::tolerate::{self, Rule};

/// Items in flight between the reading thread and the connection; with chunks of 256 KiB this
/// bounds the memory.
const IN_FLIGHT: usize = 32;

/// What a restore did.
#[derive(Debug, Default)]
pub struct Restored {
    /// Errors that prove the backup bad, in dump order.
    pub errors: Vec<Failure>,
    /// Harmless errors passed over, by rule.
    pub tolerated: BTreeMap<Rule, usize>,
    /// Why the dump ended early, where it did.
    pub unsound: Option<Unsound>,
    /// Statements sent, COPY blocks among them.
    pub statements: u64,
    /// Rows that the server took.
    pub rows: u64,
}

/// A statement of the dump that the server refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Line in the dump, from 1.
    pub line: u64,
    /// What the statement is about, from the dump's own comments, such as `TABLE public.users`.
    pub object: Option<String>,
    /// The statement's first line.
    pub statement: String,
    /// What the server said.
    pub error: ServerError,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(object) = &self.object {
            write!(f, ", {object}")?;
        }
        write!(f, ": {} (SQLSTATE {})", self.error.message, self.error.code)?;
        write!(f, "\n  {}", self.statement)?;
        for more in [&self.error.detail, &self.error.context].into_iter().flatten() {
            write!(f, "\n  {}", more.lines().next().unwrap_or_default())?;
        }
        Ok(())
    }
}

impl Failure {
    /// The extension that the server lacks, if that is the error.
    /// Source: PostgreSQL 15, `extension.c`; older servers name the missing control file.
    pub fn missing_extension(&self) -> Option<&str> {
        let message = &self.error.message;
        if !matches!(self.error.code.as_str(), "0A000" | "58P01" | "22023") {
            return None;
        }
        if let Some(rest) = message.strip_prefix("extension \"") {
            return rest.strip_suffix("\" is not available");
        }
        let file = message.strip_prefix("could not open extension control file \"")?;
        file.split(".control\"").next()?.rsplit('/').next()
    }
}

/// Why a restore could not be finished. It means "could not tell".
#[derive(Debug, Error)]
pub enum LoadError {
    /// The connection or the server went away, or the server ran out of something.
    #[error("the restore was cut short: {0}")]
    Server(String),
    /// The backup's disk failed.
    #[error("the backup could not be read: {0}")]
    Disk(std::io::Error),
    /// The dump does something that this version does not restore.
    #[error("line {line}: {what}")]
    Unsupported {
        /// Line in the dump, from 1.
        line: u64,
        /// What it does.
        what: String,
    },
    /// The reading thread died.
    #[error("the reader stopped without a result")]
    Reader,
}

/// Restores the dump that `stream` gives into the database of `target`. `progress` is told the
/// bytes of the dump sent so far and the table at hand.
///
/// # Errors
/// When it could not be told whether the backup restores; a bad backup is a value. Dropping the
/// future stops the restore.
pub async fn load(
    stream: Box<dyn Read + Send>,
    target: &ConnectInfo,
    progress: &(dyn Fn(u64, Option<&str>) + Send + Sync),
) -> Result<Restored, LoadError> {
    let session = target.connect().await.map_err(|error| server(&error))?;
    let (sender, mut receiver) = mpsc::channel(IN_FLIGHT);
    let reader = tokio::task::spawn_blocking(move || read(stream, &sender));
    let mut loader =
        Loader { session, restored: Restored::default(), copy: Copy::Idle, encoding: None };
    let mut bytes = 0;
    while let Some((item, read)) = receiver.recv().await {
        loader.take(item).await?;
        if read != bytes {
            bytes = read;
            progress(bytes, loader.table().as_deref());
        }
    }
    match reader.await {
        Ok(Ok(())) => {}
        Ok(Err(ItemsError::Unsound(unsound))) => loader.restored.unsound = Some(unsound),
        Ok(Err(ItemsError::Disk(error))) => return Err(LoadError::Disk(error)),
        Err(_) => return Err(LoadError::Reader),
    }
    Ok(loader.restored)
}

/// The reading side: pulls items until the end, or until nobody listens.
fn read(
    stream: Box<dyn Read + Send>,
    sender: &mpsc::Sender<(Item, u64)>,
) -> Result<(), ItemsError> {
    let mut items = Items::new(stream);
    while let Some(item) = items.pull()? {
        let read = items.bytes();
        if sender.blocking_send((item, read)).is_err() {
            break;
        }
    }
    Ok(())
}

/// The state of COPY on the connection.
enum Copy {
    /// None is under way.
    Idle,
    /// Rows go to the server.
    Open { sink: std::pin::Pin<Box<CopyInSink<Bytes>>>, block: CopyBlock },
    /// The server refused the COPY; its rows go nowhere.
    Refused,
}

struct Loader {
    session: Session,
    restored: Restored,
    copy: Copy,
    /// The dump's client encoding, where it is not UTF-8.
    encoding: Option<String>,
}

impl Loader {
    fn table(&self) -> Option<String> {
        match &self.copy {
            Copy::Open { block, .. } => Some(block.display_name()),
            _ => None,
        }
    }

    async fn take(&mut self, item: Item) -> Result<(), LoadError> {
        match item {
            Item::Statement(statement) => self.statement(&statement).await,
            Item::CopyStart(block) => self.start(block).await,
            Item::CopyData(data) => self.data(data).await,
            Item::CopyEnd => self.end().await,
            Item::Meta(meta) => self.meta(meta),
        }
    }

    async fn statement(&mut self, statement: &Statement) -> Result<(), LoadError> {
        self.restored.statements += 1;
        if let Some(encoding) = statement.client_encoding() {
            // Kept here instead: our statements are UTF-8, whatever the dump's encoding.
            let utf8 = matches!(encoding.to_uppercase().as_str(), "UTF8" | "UTF-8" | "UNICODE");
            self.encoding = (!utf8).then_some(encoding);
            return Ok(());
        }
        match self.text(statement).await? {
            Ok(text) => match self.session.batch_execute(&text).await {
                Ok(()) => Ok(()),
                Err(error) => self.failed(statement, &error),
            },
            Err(error) => self.failed(statement, &error),
        }
    }

    /// The statement in UTF-8. Another encoding is converted by the server itself, so that it is
    /// PostgreSQL's own idea of that encoding.
    async fn text(
        &self,
        statement: &Statement,
    ) -> Result<Result<String, tokio_postgres::Error>, LoadError> {
        let bytes: &[u8] = &statement.text;
        let encoding = self.encoding.as_deref().unwrap_or("UTF8");
        match (encoding, std::str::from_utf8(bytes)) {
            ("UTF8" | "SQL_ASCII", Ok(text)) => Ok(Ok(text.to_owned())),
            (_, Ok(text)) if text.is_ascii() => Ok(Ok(text.to_owned())),
            ("SQL_ASCII", Err(_)) => Ok(Ok(run_as_bytes(bytes))),
            _ => {
                let sql = "SELECT pg_catalog.convert_from($1, $2)";
                match self.session.query_one(sql, &[&bytes, &encoding]).await {
                    Ok(row) => Ok(Ok(row.try_get(0).map_err(|error| server(&error))?)),
                    Err(error) => Ok(Err(error)),
                }
            }
        }
    }

    /// The COPY statement in UTF-8, which says in which encoding its rows are.
    async fn copy_text(
        &self,
        block: &CopyBlock,
    ) -> Result<Result<String, tokio_postgres::Error>, LoadError> {
        let unsupported = |what: &str| LoadError::Unsupported {
            line: block.statement.line,
            what: format!("{what}, which this version does not restore"),
        };
        let Some(encoding) = self.encoding.as_deref() else {
            return self.text(&block.statement).await;
        };
        let utf8 = std::str::from_utf8(&block.statement.text).is_ok();
        if encoding == "SQL_ASCII" && !utf8 {
            return Err(unsupported("COPY of a table with a name that is not in UTF-8"));
        }
        if !block.text_format {
            return Err(unsupported("COPY with options in a dump that is not in UTF-8"));
        }
        let text = self.text(&block.statement).await?;
        let encoding = pg::quote_literal(encoding);
        Ok(text.map(|text| format!("{} WITH (ENCODING {encoding});", text.trim_end_matches(';'))))
    }

    async fn start(&mut self, block: CopyBlock) -> Result<(), LoadError> {
        self.restored.statements += 1;
        self.copy = Copy::Refused;
        let text = match self.copy_text(&block).await? {
            Ok(text) => text,
            Err(error) => return self.failed(&block.statement, &error),
        };
        match self.session.copy_in(&text).await {
            Ok(sink) => self.copy = Copy::Open { sink: Box::pin(sink), block },
            Err(error) => self.failed(&block.statement, &error)?,
        }
        Ok(())
    }

    async fn data(&mut self, data: Bytes) -> Result<(), LoadError> {
        let Copy::Open { sink, .. } = &mut self.copy else { return Ok(()) };
        // The server's errors come at the end; here only the connection can fail.
        sink.as_mut().feed(data).await.map_err(|error| server(&error))
    }

    async fn end(&mut self) -> Result<(), LoadError> {
        if let Copy::Open { mut sink, block } = std::mem::replace(&mut self.copy, Copy::Idle) {
            match sink.as_mut().finish().await {
                Ok(rows) => self.restored.rows += rows,
                Err(error) => self.failed(&block.statement, &error)?,
            }
        }
        Ok(())
    }

    fn meta(&mut self, meta: Meta) -> Result<(), LoadError> {
        match meta {
            Meta::Restrict | Meta::Unrestrict => Ok(()),
            Meta::Encoding(encoding) => {
                self.encoding = (encoding.to_uppercase() != "UTF8").then_some(encoding);
                Ok(())
            }
            Meta::Connect { .. } => Err(LoadError::Unsupported {
                line: 0,
                what: "the dump connects to another database (pg_dump --create, pg_dumpall), \
                       which this version does not restore"
                    .to_owned(),
            }),
        }
    }

    /// Takes a refusal: harmless, or proof that the backup is bad. Trouble of the server is
    /// neither.
    fn failed(
        &mut self,
        statement: &Statement,
        error: &tokio_postgres::Error,
    ) -> Result<(), LoadError> {
        let refusal = match ServerError::of(error) {
            Some(refusal) if !refusal.is_servers_trouble() => refusal,
            _ => return Err(server(error)),
        };
        let text = String::from_utf8_lossy(&statement.text);
        if let Some(rule) = tolerate::rule(statement, &refusal) {
            tracing::info!(line = statement.line, %rule, error = refusal.message, "passed over");
            *self.restored.tolerated.entry(rule).or_default() += 1;
            return Ok(());
        }
        let failure = Failure {
            line: statement.line,
            object: statement.toc.as_ref().map(|toc| toc.to_string()),
            statement: first_line(&text),
            error: refusal,
        };
        tracing::error!("{failure}");
        self.restored.errors.push(failure);
        Ok(())
    }
}

/// A statement whose encoding is not known: its bytes are run as they are, from within the server.
fn run_as_bytes(bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("DO $ccc$ BEGIN EXECUTE pg_catalog.convert_from('\\x{hex}', 'SQL_ASCII'); END $ccc$")
}

fn server(error: &tokio_postgres::Error) -> LoadError {
    LoadError::Server(pg::describe(error))
}

/// The first line of a statement, shortened to what fits a terminal.
fn first_line(text: &str) -> String {
    const LONGEST: usize = 120;
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} …", &line[..end]),
        None => line.to_owned(),
    }
}
