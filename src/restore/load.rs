//! Restores a dump as it is read, over one connection: the way for a dump whose statements are too
//! many to be listed first, and for `--jobs 1`.

use std::io::Read;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::LoadError;
use super::connection::Connection;
use super::ledger::Ledger;
use crate::dump::item::{CopyBlock, Item, Meta, Statement};
use crate::dump::items::{Items, ItemsError};
use crate::dump::own_database::OfDatabase;
use crate::pg::ConnectInfo;

/// Items in flight between the reading thread and the connection; with chunks of 256 KiB this
/// bounds the memory.
const IN_FLIGHT: usize = 32;
/// Statements gathered before they are sent.
const GATHERED: usize = 200;

/// The databases that a dump goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Databases {
    /// Those that it names: it makes them by itself.
    Its,
    /// The one that is there, whatever the dump calls its own, to which it connects so often before its
    /// contents. What it says of the database itself is passed over.
    This {
        /// How often it connects.
        connects: u32,
    },
}

/// Restores the dump that `stream` gives into the database of `target`, and notes in `ledger` what
/// it did. `progress` is told the bytes of the dump read so far and the table at hand.
///
/// # Errors
/// When it could not be told whether the backup restores; a bad backup is a value. Dropping the
/// future stops the restore.
pub async fn load(
    stream: Box<dyn Read + Send>,
    target: &ConnectInfo,
    ledger: &Ledger,
    progress: &(dyn Fn(u64, &str) + Send + Sync),
) -> Result<(), LoadError> {
    load_into(stream, target, Databases::Its, ledger, progress).await
}

/// The same, into these databases.
///
/// # Errors
/// As [`load`].
pub async fn load_into(
    stream: Box<dyn Read + Send>,
    target: &ConnectInfo,
    databases: Databases,
    ledger: &Ledger,
    progress: &(dyn Fn(u64, &str) + Send + Sync),
) -> Result<(), LoadError> {
    // Until it has connected, it only sets what a \connect takes back.
    let mut connects = match databases {
        Databases::Its => 0,
        Databases::This { connects } => connects,
    };
    let is_passed_over = |statement: &Statement| {
        databases != Databases::Its && OfDatabase::read(&statement.text).is_some()
    };
    let mut connection = Connection::open(target, ledger).await?;
    let (sender, mut items) = mpsc::channel(IN_FLIGHT);
    let reader = tokio::task::spawn_blocking(move || read(stream, &sender));
    let mut waiting: Vec<Statement> = Vec::new();
    let mut line = 1;
    while let Some((item, read)) = items.recv().await {
        match item {
            Item::Meta(Meta::Connect { .. }) if databases != Databases::Its => {
                connects = connects.saturating_sub(1);
            }
            Item::Statement(statement) if connects > 0 || is_passed_over(&statement) => {}
            Item::Statement(statement) => {
                line = statement.line;
                waiting.push(statement);
                if waiting.len() >= GATHERED {
                    flush(&mut connection, &mut waiting).await?;
                    progress(read, "");
                }
            }
            Item::CopyStart(block) => {
                flush(&mut connection, &mut waiting).await?;
                progress(read, &block.display_name());
                copy(&mut connection, &block, &mut items, progress).await?;
            }
            Item::CopyData(_) | Item::CopyEnd => {}
            Item::Meta(meta) => {
                flush(&mut connection, &mut waiting).await?;
                match meta {
                    Meta::Restrict | Meta::Unrestrict => {}
                    Meta::Encoding(encoding) => connection.set_encoding(encoding),
                    Meta::Connect { database } => {
                        if !connection.go_to(&database.text(), line).await? {
                            // Everything after it would go to the wrong database.
                            break;
                        }
                    }
                }
            }
        }
    }
    flush(&mut connection, &mut waiting).await?;
    drop(items);
    match reader.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(ItemsError::Unsound(unsound))) => {
            ledger.write(|restored| restored.unsound = Some(unsound));
            Ok(())
        }
        Ok(Err(ItemsError::Disk(error))) => Err(LoadError::Disk(error)),
        Err(_) => Err(LoadError::Died),
    }
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

async fn flush(connection: &mut Connection, waiting: &mut Vec<Statement>) -> Result<(), LoadError> {
    let statements: Vec<&Statement> = waiting.iter().collect();
    connection.run_all(&statements).await?;
    waiting.clear();
    Ok(())
}

/// Hands the rows of a COPY block on, up to its end.
async fn copy(
    connection: &mut Connection,
    block: &CopyBlock,
    items: &mut mpsc::Receiver<(Item, u64)>,
    progress: &(dyn Fn(u64, &str) + Send + Sync),
) -> Result<(), LoadError> {
    let (sender, rows) = mpsc::channel::<Bytes>(2);
    let name = block.display_name();
    let feeding = async {
        while let Some((item, read)) = items.recv().await {
            match item {
                // A refused COPY takes no more rows; they are passed over.
                Item::CopyData(data) => drop(sender.send(data).await),
                _ => break,
            }
            progress(read, &name);
        }
        drop(sender);
    };
    connection.count_statement();
    let (refused, ()) = tokio::join!(connection.copy(block, None, rows), feeding);
    if let Some(refusal) = refused? {
        connection.note(&block.statement, refusal)?;
    }
    Ok(())
}
