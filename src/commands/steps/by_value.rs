//! Tables that differ from the dump as text, compared by value: the dump is read once more, and their
//! rows are loaded beside.

use std::collections::BTreeMap;

use tokio::sync::mpsc;

use super::database::RestoredDatabase;
use super::kind::SqlAgain;
use crate::checks::CheckError;
use crate::checks::by_value::{self, Scratch, Values};
use crate::checks::read_back::Found;
use crate::commands::channel::IN_FLIGHT;
use crate::dump::items::ItemsError;
use crate::dump::rows::{self, Piece, Wanted};

/// What became of each table, by its place in the list.
type Read = BTreeMap<usize, Values>;

/// Compares by value the tables that have the dump's number of rows and differ from it as text.
pub(in crate::commands) async fn compare(
    database: &RestoredDatabase<'_>,
    found: &mut [Found],
) -> Result<(), CheckError> {
    let dump = database.dump;
    let open = database.differing(found);
    if open.is_empty() {
        return Ok(());
    }
    let wanted = Wanted::of(dump, &open);
    let (sender, pieces) = mpsc::channel(IN_FLIGHT);
    let SqlAgain { stream, writing } = database.checking.expected.again.sql();
    let reading = tokio::task::spawn_blocking(move || read(stream, &wanted, &sender));
    let (written, loaded) = tokio::join!(writing, load(database, pieces));
    let read = reading.await.map_err(|error| error.to_string());
    let loaded = loaded?;
    let trouble = match written.and(read) {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(error) => Some(error),
    };
    let nothing = Values::default();
    for index in open {
        let values = loaded.get(&index).unwrap_or(&nothing);
        let (table, trouble) = (&dump.tables[index], trouble.as_deref());
        found[index] = by_value::judge(&found[index], table.fingerprint, values, trouble);
        tracing::info!(table = table.display_name(), found = ?found[index], "compared by value");
    }
    Ok(())
}

/// The reading side.
fn read(
    stream: impl std::io::Read,
    wanted: &Wanted,
    sender: &mpsc::Sender<Piece>,
) -> Result<(), ItemsError> {
    rows::again(stream, wanted, |piece| sender.blocking_send(piece).is_ok())
}

/// The loading side.
async fn load(
    database: &RestoredDatabase<'_>,
    mut pieces: mpsc::Receiver<Piece>,
) -> Result<Read, CheckError> {
    let RestoredDatabase { target, dump, rendering, .. } = database;
    let mut scratch = Scratch::open(target, rendering).await?;
    let (mut read, mut open) = (Read::new(), None);
    while let Some(piece) = pieces.recv().await {
        match piece {
            Piece::Setting { name, text } => {
                if let Ok(text) = std::str::from_utf8(&text) {
                    scratch.set(name, text.to_owned()).await?;
                }
            }
            Piece::Rows { table, data } => {
                open = Some(table);
                let values = read.entry(table).or_default();
                if values.refused.is_none() {
                    values.refused = scratch.rows(&dump.tables[table], data).await?;
                }
            }
            Piece::Cut => {
                if let (Some(part), Some(table)) = (scratch.cut().await?, open) {
                    read.entry(table).or_default().add(part);
                }
            }
        }
    }
    Ok(read)
}
