//! What a backup needs of a server, as far as that is known before it was read to its end: the extensions, by what
//! stands before its rows, or by its table of contents.

use std::collections::BTreeSet;

use super::context::Context;
use super::obstacles::aside;
use crate::archive::{OpenBackup, Storage, pick};
use crate::dump::item::Item;
use crate::dump::items::Items;
use crate::dump::requirements::Requirements;
use crate::model::format::Format;
use crate::model::packing::Packing;
use crate::packing::file::BackupFile;

/// Bytes of a dump in which its first rows are waited for.
const HEAD_BYTES: u64 = 64 << 20;

/// The extensions that the backup creates. What cannot be read is told by whoever reads all of it.
pub(in crate::commands) async fn extensions(cx: Context<'_>) -> BTreeSet<String> {
    let backup = cx.backup.clone();
    let found = aside(cx.stop, move || of(&backup)).await;
    found.unwrap_or_default()
}

fn of(backup: &OpenBackup) -> BTreeSet<String> {
    match (backup.format(), backup.storage()) {
        (Format::Plain, Storage::File(file)) => {
            head(file, backup.packing(), Until::LastDatabase).extensions.into_keys().collect()
        }
        _ => pick::extensions(backup).unwrap_or_default().into_iter().collect(),
    }
}

/// How far a dump is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::commands) enum Until {
    /// To its first rows.
    FirstRows,
    /// The same; one of several databases to its end, for each of them creates its extensions.
    LastDatabase,
}

/// What a plain dump needs by what stands before its first rows, as far as that can be read.
pub(in crate::commands) fn head(file: &BackupFile, packing: Packing, until: Until) -> Requirements {
    let mut items = Items::new(file.stream(packing));
    let mut requirements = Requirements::default();
    while let Ok(Some(item)) = items.pull() {
        let reads_on = until == Until::LastDatabase && items.facts().cluster;
        let is_behind = items.bytes() >= HEAD_BYTES || matches!(item, Item::CopyStart(_));
        if is_behind && !reads_on {
            break;
        }
        requirements.take(&item, items.encoding());
    }
    requirements
}
