//! A connection that a dump is restored over: it keeps the dump's session settings and encoding,
//! and notes what the server refused.

mod copying;
mod settings;

use std::sync::Arc;

use super::ledger::Ledger;
use super::{LoadError, tolerate};
use crate::dump::item::Statement;
use crate::dump::reach::Transaction;
use crate::pg::{self, ConnectInfo, ServerError, Session};
pub use settings::Settings;

/// Statements sent in one message at the most; a message is a transaction.
const BATCH: usize = 200;
/// Bytes sent in one message at the most, but for a longer statement.
const BATCH_BYTES: usize = 1 << 20;

/// What the server refused.
///
/// # Errors
/// Trouble of the server is no refusal.
fn refusal(error: &tokio_postgres::Error) -> Result<ServerError, LoadError> {
    match ServerError::of(error) {
        Some(refusal) if !refusal.is_servers_trouble() => Ok(refusal),
        _ => Err(LoadError::server(error)),
    }
}

/// What holds for a session of the restore until the dump says otherwise. No commit of it waits for the disk: the database gets
/// its name, or loses the mark of one that is being filled, by a later commit that does, and with that all before it are safe.
const OURS: &str = "SET synchronous_commit = off";

/// A session of the restore. None of the backup's event triggers keeps it out; but they fire in it, as in
/// psql's one session.
async fn connected(target: &ConnectInfo) -> Result<Session, tokio_postgres::Error> {
    let session = target.connect().await?;
    session.batch_execute(OURS).await?;
    if !target.event_triggers {
        session.batch_execute("SET event_triggers = on").await?;
    }
    Ok(session)
}

/// A connection of the restore.
pub struct Connection {
    target: ConnectInfo,
    session: Session,
    ledger: Ledger,
    /// The dump's client encoding, where it is not UTF-8.
    encoding: Option<String>,
    /// What the session took over from another.
    adopted: Option<Arc<Settings>>,
    /// A transaction of the dump is under way, as around its large objects.
    in_transaction: bool,
    /// Processes that the server may take for an index, where it was told.
    workers: Option<usize>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn open(target: &ConnectInfo, ledger: &Ledger) -> Result<Self, LoadError> {
        let session = connected(target).await.map_err(|error| LoadError::server(&error))?;
        Ok(Self {
            target: target.clone(),
            session,
            ledger: ledger.clone(),
            encoding: None,
            adopted: None,
            in_transaction: false,
            workers: None,
        })
    }

    /// Goes to another database, as psql's `\\connect` does: nothing of the session stays. `false` when
    /// the server refuses, which is noted as at `line`.
    ///
    /// # Errors
    /// When the server is in trouble.
    pub async fn go_to(&mut self, database: &str, line: u64) -> Result<bool, LoadError> {
        let target = self.target.database(database);
        match connected(&target).await {
            Ok(session) => {
                *self = Self {
                    target,
                    session,
                    ledger: self.ledger.clone(),
                    encoding: None,
                    adopted: None,
                    in_transaction: false,
                    workers: None,
                };
                Ok(true)
            }
            Err(error) => {
                let text = format!("\\connect {}", pg::quote_ident(database)).into();
                let refused = Statement { text, toc: None, line, offset: 0 };
                self.ledger.refused(&refused, refusal(&error)?)?;
                Ok(false)
            }
        }
    }

    /// The session itself, for questions about the catalog.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Runs statements in order, many in a message. A message that fails is run again one by one,
    /// so that the statement to blame is known and the others are done; within a transaction that
    /// would come too late, so there they are run one by one.
    ///
    /// # Errors
    /// When the server is in trouble; what it refuses is noted.
    pub async fn run_all(&mut self, statements: &[&Statement]) -> Result<(), LoadError> {
        let mut rest = statements;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = |statement: &&&Statement| {
                bytes += statement.text.len();
                bytes <= BATCH_BYTES
                    && statement.joins_others()
                    && statement.client_encoding().is_none()
            };
            let most = if self.in_transaction { 1 } else { BATCH };
            let count = rest.iter().take(most).take_while(fits).count();
            let (batch, later) = rest.split_at(count.max(1));
            rest = later;
            if self.encoding.is_some() || batch.len() == 1 || !self.run_batch(batch).await? {
                for statement in batch {
                    self.run(statement).await?;
                }
            }
        }
        Ok(())
    }

    /// Runs statements in one message; `false` when the server refused and did none of them.
    async fn run_batch(&self, batch: &[&Statement]) -> Result<bool, LoadError> {
        // What is deferred to the end of a transaction, is to the end of each statement.
        let mut message = "SET CONSTRAINTS ALL IMMEDIATE;\n".to_owned();
        for statement in batch {
            match std::str::from_utf8(&statement.text) {
                Ok(text) => message.extend([text, "\n"]),
                Err(_) => return Ok(false),
            }
        }
        match self.session.batch_execute(&message).await {
            Ok(()) => {
                self.ledger.write(|restored| restored.statements += batch.len() as u64);
                Ok(true)
            }
            Err(error) => refusal(&error).map(|_| false),
        }
    }

    /// Runs one statement.
    ///
    /// # Errors
    /// When the server is in trouble; what it refuses is noted.
    pub async fn run(&mut self, statement: &Statement) -> Result<(), LoadError> {
        self.ledger.write(|restored| restored.statements += 1);
        if self.take_encoding(statement) {
            return Ok(());
        }
        match statement.transaction() {
            Some(Transaction::Begins) => self.in_transaction = true,
            Some(Transaction::Ends) => self.in_transaction = false,
            Some(Transaction::GoesOn) | None => {}
        }
        let result = match self.text(statement).await? {
            Ok(text) => self.session.batch_execute(&text).await,
            Err(error) => Err(error),
        };
        match result {
            Ok(()) => Ok(()),
            Err(error) => {
                let refusal = refusal(&error)?;
                let Some(refusal) = self.created_elsewhere(statement, refusal).await? else {
                    return Ok(());
                };
                if !self.created_with_another_locale(statement, &refusal).await? {
                    self.ledger.refused(statement, refusal)?;
                }
                Ok(())
            }
        }
    }

    /// A database whose tablespace the server lacks is created where others are; that is noted. Gives the
    /// refusal that is left.
    async fn created_elsewhere(
        &self,
        statement: &Statement,
        refused: ServerError,
    ) -> Result<Option<ServerError>, LoadError> {
        let about_the_place = refused.code == "42704" && refused.message.starts_with("tablespace ");
        let Some(sql) = statement.without_tablespace().filter(|_| about_the_place) else {
            return Ok(Some(refused));
        };
        match self.session.batch_execute(&sql).await {
            Ok(()) => {}
            Err(error) => return refusal(&error).map(Some),
        }
        let rule = tolerate::Rule::TablespaceAbsent;
        self.ledger.write(|restored| *restored.tolerated.entry(rule).or_default() += 1);
        Ok(None)
    }

    /// A database whose locale the server lacks is created with C in its place, as the database of
    /// any other dump is; that is noted. `false` when that is not the trouble.
    async fn created_with_another_locale(
        &self,
        statement: &Statement,
        refusal: &ServerError,
    ) -> Result<bool, LoadError> {
        let about_the_locale = matches!(refusal.code.as_str(), "42809" | "22023" | "0A000");
        let Some((name, encoding)) = statement.created_database().filter(|_| about_the_locale)
        else {
            return Ok(false);
        };
        let (name, encoding) =
            (pg::quote_ident(&name.text()), encoding.unwrap_or_else(|| "UTF8".to_owned()));
        let encoding = pg::quote_literal(&encoding);
        let mut made = false;
        // C.UTF-8 knows what letters are; it goes with UTF-8 alone. Before 15 there are no providers.
        for (ctype, provider) in [
            ("C.UTF-8", " LOCALE_PROVIDER = libc"),
            ("C", " LOCALE_PROVIDER = libc"),
            ("C.UTF-8", ""),
            ("C", ""),
        ] {
            let sql = format!(
                "CREATE DATABASE {name} WITH TEMPLATE = template0 ENCODING = {encoding}{provider} \
                 LC_COLLATE = 'C' LC_CTYPE = '{ctype}'"
            );
            made = self.session.batch_execute(&sql).await.is_ok();
            if made {
                break;
            }
        }
        if !made {
            return Ok(false);
        }
        tracing::info!(line = statement.line, error = refusal.message, "C in place of its locale");
        let rule = tolerate::Rule::LocaleReplaced;
        self.ledger.write(|restored| *restored.tolerated.entry(rule).or_default() += 1);
        Ok(true)
    }

    /// Notes that the server refused a statement.
    ///
    /// # Errors
    /// When there is proof enough.
    pub fn note(&self, statement: &Statement, refusal: ServerError) -> Result<(), LoadError> {
        self.ledger.refused(statement, refusal)
    }

    /// Notes that what follows is not done in the dump's order.
    pub fn leave_order(&self) {
        self.ledger.leave_order();
    }

    /// Counts a COPY block, whose rows may come in several parts.
    pub fn count_statement(&self) {
        self.ledger.write(|restored| restored.statements += 1);
    }

    /// Takes over an encoding as psql's `\encoding` does.
    pub fn set_encoding(&mut self, encoding: String) {
        let utf8 = matches!(encoding.to_uppercase().as_str(), "UTF8" | "UTF-8" | "UNICODE");
        self.encoding = (!utf8).then_some(encoding);
    }

    /// Takes `SET client_encoding` over instead of having it sent, and tells whether it was one: our
    /// statements are UTF-8, whatever the dump's encoding.
    fn take_encoding(&mut self, statement: &Statement) -> bool {
        match statement.client_encoding() {
            Some(encoding) => {
                self.set_encoding(encoding);
                true
            }
            None => false,
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
                let sql = "SELECT pg_catalog.convert_from($1, $2::text::name)";
                match self.session.query_one(sql, &[&bytes, &encoding]).await {
                    Ok(row) => Ok(Ok(row.try_get(0).map_err(|error| LoadError::server(&error))?)),
                    Err(error) => Ok(Err(error)),
                }
            }
        }
    }

    /// A command of ours, which no sound server refuses.
    async fn command(&self, sql: &str) -> Result<(), LoadError> {
        self.session.batch_execute(sql).await.map_err(|error| LoadError::server(&error))
    }
}

/// A statement whose encoding is not known: its bytes are run as they are, from within the server.
fn run_as_bytes(bytes: &[u8]) -> String {
    let hex = hex::encode(bytes);
    format!("DO $ccc$ BEGIN EXECUTE pg_catalog.convert_from('\\x{hex}', 'SQL_ASCII'); END $ccc$")
}
