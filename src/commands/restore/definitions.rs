//! How the tables of a backup are defined, read from what stands before its first rows.

use std::io::Read;

use bytes::Bytes;
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::failing::{cannot, failure};
use crate::archive::directory::ArchiveDirectory;
use crate::archive::{OpenBackup, Storage};
use crate::commands::channel::{ChannelReader, IN_FLIGHT};
use crate::commands::steps::in_memory;
use crate::commands::{DEFECT, Failure};
use crate::destination::Destination;
use crate::dump::definition::Definition;
use crate::dump::item::Item;
use crate::dump::items::Items;
use crate::model::damage::OLDER;
use crate::model::format::Format;
use crate::model::packing::Packing;
use crate::packing::metered::Meter;
use crate::packing::unpack::decompress;
use crate::process::Program;

/// The file of a directory that says what is in it.
const TOC: &str = "toc.dat";
/// Bytes that are handed on at once.
const PIECE: usize = 256 * 1024;

/// The definitions of tables, each with the schema that is set where it stands.
pub(super) type Definitions = Vec<(Option<String>, Definition)>;

/// The definitions of all tables.
pub(super) async fn of(
    backup: &OpenBackup,
    destination: &Destination,
    meter: &Meter,
) -> Result<Definitions, Failure> {
    if let (Format::Plain, Storage::File(file)) = (backup.format(), backup.storage()) {
        let (file, packing, meter) = (file.clone(), backup.packing(), meter.clone());
        let reading =
            tokio::task::spawn_blocking(move || read(decompress(meter.of(file.raw()), packing)));
        return reading.await.map_err(|error| cannot(&error, DEFECT));
    }
    let mut argv = ["pg_restore", "--section=pre-data", "--file=-"].map(str::to_owned).to_vec();
    let mut in_memory = None;
    let stdin = match backup.storage() {
        // pg_restore reads no archive that is packed once more, or encrypted, or elsewhere: it is handed on unpacked.
        Storage::File(file)
            if backup.packing() != Packing::None || backup.is_unsealed() || !file.is_local() =>
        {
            let stream = decompress(meter.of(file.raw()), backup.packing());
            let (sender, pieces) = mpsc::channel(IN_FLIGHT);
            tokio::task::spawn_blocking(move || hand_on(stream, &sender));
            Some(pieces)
        }
        Storage::Directory(directory) if directory.is_sealed() || !directory.is_local() => {
            // What comes before the rows is in the table of contents alone.
            let made = toc_in_memory(directory)?;
            argv.push(made.path().to_string_lossy().into_owned());
            in_memory = Some(made);
            None
        }
        _ => {
            let path = std::fs::canonicalize(backup.path());
            let path =
                path.map_err(|error| cannot(&error, "check the disk that holds the backup"))?;
            argv.push(path.to_string_lossy().into_owned());
            None
        }
    };
    let (stdout, written) = mpsc::channel(IN_FLIGHT);
    let reading = tokio::task::spawn_blocking(move || read(ChannelReader::new(written)));
    let program = Program { argv, stdin, stdout: Some(stdout), ..Program::default() };
    let mut last = String::new();
    let ran = destination.run(program, &mut |line| line.clone_into(&mut last)).await;
    drop(in_memory);
    match ran {
        Ok(0) => reading.await.map_err(|error| cannot(&error, DEFECT)),
        Ok(_) => {
            let cause = format!("pg_restore cannot read the archive: {last}");
            Err(cannot(&cause, "ccc-backup verify tells whether it is bad"))
        }
        Err(error) => Err(failure(error)),
    }
}

/// A directory in memory with nothing but the table of contents of one that is encrypted, or elsewhere.
fn toc_in_memory(directory: &ArchiveDirectory) -> Result<TempDir, Failure> {
    const HINT: &str =
        "make room in /dev/shm, or restore all of it under a name of its own: --as NAME";
    let Some(toc) = directory.toc() else {
        return Err(cannot(&format!("{TOC} is missing from the archive"), OLDER));
    };
    let made = in_memory::directory(toc.bytes).map_err(|why| cannot(&why, HINT))?;
    let written = directory.open(toc).and_then(|file| {
        let mut out = std::fs::File::create(made.path().join(TOC))?;
        std::io::copy(&mut file.raw(), &mut out)
    });
    written.map(|_| made).map_err(|error| cannot(&error, HINT))
}

/// Hands a stream on until nobody wants more of it. That it fails is told by whoever reads the rows.
fn hand_on(mut stream: impl Read, sender: &mpsc::Sender<Bytes>) {
    loop {
        let mut piece = vec![0; PIECE];
        match stream.read(&mut piece) {
            Ok(read) if read > 0 => {
                piece.truncate(read);
                if sender.blocking_send(piece.into()).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            _ => return,
        }
    }
}

/// Those before the first rows.
fn read(stream: impl Read) -> Definitions {
    let mut items = Items::new(stream);
    let (mut found, mut schema) = (Vec::new(), None);
    while let Ok(Some(item)) = items.pull() {
        match item {
            Item::Statement(statement) => {
                if let Some(path) = statement.search_path() {
                    schema = path.map(|name| name.text().into_owned());
                }
                found.extend(Definition::of(&statement).map(|of| (schema.clone(), of)));
            }
            Item::CopyStart(_) => break,
            _ => {}
        }
    }
    found
}
