//! Tables that differ from the dump as text, compared by value: the dump is read once more, and their
//! rows are loaded beside.

use std::collections::BTreeMap;

use tokio::sync::mpsc;

use super::Run;
use super::archive::{COPY, IN_FLIGHT};
use crate::checks::CheckError;
use crate::checks::by_value::{self, Scratch, Values};
use crate::checks::read_back::Found;
use crate::checks::rendering::Rendering;
use crate::commands::channel::ChannelReader;
use crate::dump::contents::DatabaseContents;
use crate::dump::items::ItemsError;
use crate::dump::rows::{self, Piece, Wanted};
use crate::model::packing::Packing;
use crate::packing::file::BackupFile;
use crate::pg::ConnectInfo;
use crate::restore::archive as pg_restore;
use crate::sandbox::{Program, Sandbox};

/// Where the rows of the backup can be read once more.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    /// A plain dump.
    Plain(&'a BackupFile, Packing),
    /// The copy of an archive in the sandbox.
    Archive,
}

/// What became of each table, by its place in the list.
type Read = BTreeMap<usize, Values>;

impl Run<'_> {
    /// Compares by value the tables that have the dump's number of rows and differ from it as text.
    pub(super) async fn compare_by_value(
        &self,
        source: Source<'_>,
        target: &ConnectInfo,
        dump: &DatabaseContents,
        rendering: &Rendering,
        found: &mut [Found],
    ) -> Result<(), CheckError> {
        let differs = |index: &usize| {
            let expected = dump.tables[*index].fingerprint;
            matches!(found[*index], Found::Rows(found) if found.rows == expected.rows && found != expected)
        };
        let open: Vec<usize> = (0..found.len()).filter(differs).collect();
        if open.is_empty() {
            return Ok(());
        }
        let wanted = Wanted::of(dump, &open);
        let (sender, pieces) = mpsc::channel(IN_FLIGHT);
        let loading = load(target, dump, rendering, pieces);
        let (ended, loaded) = match (source, &self.sandbox) {
            (Source::Plain(file, compression), _) => {
                let stream = file.stream(compression);
                let reading = tokio::task::spawn_blocking(move || read(stream, &wanted, &sender));
                let loaded = loading.await;
                (reading.await.map_err(|error| error.to_string()), loaded)
            }
            (Source::Archive, Some(sandbox)) => {
                let (stdout, written) = mpsc::channel(IN_FLIGHT);
                let reading = tokio::task::spawn_blocking(move || {
                    read(ChannelReader::new(written), &wanted, &sender)
                });
                let (decoded, loaded) = tokio::join!(self.decode_again(sandbox, stdout), loading);
                let read = reading.await.map_err(|error| error.to_string());
                (decoded.and(read), loaded)
            }
            (Source::Archive, None) => return Ok(()),
        };
        let loaded = loaded?;
        let trouble = match ended {
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

    async fn decode_again(
        &self,
        sandbox: &Sandbox,
        stdout: mpsc::Sender<bytes::Bytes>,
    ) -> Result<(), String> {
        let program = Program {
            argv: pg_restore::decoding(self.is_without_owners(), COPY),
            env: pg_restore::environment(sandbox.restores_as_superuser()),
            stdout: Some(stdout),
            ..Program::default()
        };
        let ended = sandbox.run(program, &mut |line| tracing::debug!("{line}")).await;
        ended.map(drop).map_err(|error| error.to_string())
    }
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
    target: &ConnectInfo,
    dump: &DatabaseContents,
    rendering: &Rendering,
    mut pieces: mpsc::Receiver<Piece>,
) -> Result<Read, CheckError> {
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
