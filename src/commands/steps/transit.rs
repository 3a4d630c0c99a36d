//! What was found of a backup that came over a network, held against what lies there: what was changed on the way is not
//! the backup's fault.

use std::io;

use super::context::Context;
use super::obstacles::{aside, obstacle};
use super::report::Collector;
use crate::archive::Storage;
use crate::commands::{Stop, open};
use crate::model::outcome::{Obstacle, Verdict};
use crate::packing::file::BackupFile;
use crate::packing::written::Hashed;

/// Drops what was found against a backup, where that was not what lies there.
///
/// # Errors
/// As [`confirm`].
pub(in crate::commands) async fn confirm_proof(
    cx: Context<'_>,
    collector: &mut Collector,
) -> Result<(), Obstacle> {
    if collector.report().verdict() != Verdict::Failed {
        return Ok(());
    }
    let confirmed = confirm(cx.backup.storage(), cx.stop).await;
    confirmed.inspect_err(|_| collector.drop_proof())
}

/// Reads a backup once more of which something bad was found, where it comes over a network.
///
/// # Errors
/// Where it is not what was read before, and where that cannot be told.
pub(in crate::commands) async fn confirm(storage: &Storage, stop: &Stop) -> Result<(), Obstacle> {
    if storage.is_local() {
        return Ok(());
    }
    let read = storage.clone();
    let same = aside(stop, move || {
        let fresh = open::open(read.path()).map_err(|error| obstacle(&error, &error.hint()))?;
        let failed = |error: io::Error| obstacle(&error, "check the network, and run it again");
        Ok(digest(&read).map_err(failed)? == digest(&fresh).map_err(failed)?)
    });
    match same.await? {
        Ok(true) => Ok(()),
        Ok(false) => Err(Obstacle {
            cause: "what came over the network is not what lies there: read once more, it was other bytes".to_owned(),
            hint: Some("check the network and the storage, and run it again".to_owned()),
        }),
        Err(obstacle) => Err(obstacle),
    }
}

/// The checksum of all its bytes as they lie there. Of what is kept, these are the bytes that were read.
fn digest(storage: &Storage) -> io::Result<String> {
    let mut hashed = Hashed::new(io::sink());
    let mut add = |file: &BackupFile| io::copy(&mut file.at_rest(), &mut hashed).map(drop);
    match storage {
        Storage::File(file) => add(file)?,
        Storage::Directory(directory) => {
            for member in directory.members() {
                add(&directory.at_rest(member)?)?;
            }
        }
    }
    Ok(hashed.finish()?.sha256)
}
