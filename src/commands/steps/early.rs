//! What can be told of a server that others use before the backup has been read to its end: by the manifest, and by
//! what stands before the first rows.

use bytesize::ByteSize;

use super::context::Context;
use super::destined::Destined;
use super::needed::{self, Until};
use super::obstacles::aside;
use super::target;
use crate::archive::Storage;
use crate::destination::{Destination, DestinationError, Request};
use crate::model::format::Format;
use crate::model::packing::Packing;
use crate::restore::known::{self, Whose};

/// Holds the server to what the backup needs, as far as that is known.
pub(in crate::commands) async fn check(
    cx: Context<'_>,
    destined: &Destined,
    request: &Request,
) -> Result<(), DestinationError> {
    // Who only asks is told all of it.
    if request.only_plans {
        return Ok(());
    }
    let destination = &destined.destination;
    let is_plain = cx.backup.format() == Format::Plain;
    let of_file = (is_plain && cx.backup.packing() == Packing::None).then(|| cx.backup.bytes());
    let recorded =
        cx.manifest.map(|manifest| manifest.source.database_bytes.unwrap_or(manifest.dump_bytes));
    if let Some(needed) = recorded.or(of_file) {
        room(destination, needed, request.force).await?;
    }
    let Storage::File(file) = cx.backup.storage() else { return Ok(()) };
    // What a command decrypts is decrypted once more for it.
    if !is_plain || !file.can_seek() {
        return Ok(());
    }
    let (file, packing) = (file.clone(), cx.backup.packing());
    // What cannot be read is told by whoever reads all of it.
    let head = aside(cx.stop, move || needed::head(&file, packing, Until::FirstRows)).await;
    let Ok(head) = head else { return Ok(()) };
    let lacking = destination.lacking(&head.extensions).await?;
    if lacking.extensions.is_empty() {
        return Ok(());
    }
    let server = known::Server { major: destination.facts().major, whose: Whose::Others };
    let lacks = target::lacks_extensions(&lacking.extensions, server);
    Err(DestinationError::new(lacks.cause, lacks.hint.unwrap_or_default()))
}

/// A size for people.
pub(in crate::commands) fn size(bytes: u64) -> String {
    ByteSize(bytes).display().si().to_string()
}

/// The bytes that are free there, where that can be told.
///
/// # Errors
/// When there is less than the restored database takes, unless that is not to be looked at.
pub(in crate::commands) async fn room(
    destination: &Destination,
    needed: u64,
    force: bool,
) -> Result<Option<u64>, DestinationError> {
    let free = destination.free_space().await;
    match free {
        Some(free) if free < needed && !force => Err(DestinationError::new(
            format!(
                "the server has {} free, and the restored database takes about {}",
                size(free),
                size(needed)
            ),
            "make room on the server's disk, or try all the same: --force",
        )),
        free => Ok(free),
    }
}
