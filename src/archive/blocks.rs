//! The data of the custom format, which follow the table of contents: blocks of pieces.
//!
//! Source: PostgreSQL 15, `pg_backup_custom.c`.

use std::collections::BTreeSet;
use std::io::Read;

use super::fields::Fields;
use super::toc::Toc;
use super::{ArchiveError, ArchiveFlaw, corrupt};

/// A block of rows.
pub(super) const DATA: u8 = 1;
/// A block of large objects.
pub(super) const LARGE_OBJECTS: u8 = 3;

/// Passes over all blocks to the end of the archive. Every entry that has data has a block. Tells whether
/// zeros follow.
pub(super) fn walk<R: Read>(fields: &mut Fields<R>, toc: &Toc) -> Result<bool, ArchiveError> {
    let mut padded = false;
    let mut missing: BTreeSet<i64> = toc.entries.iter().map(|entry| entry.id).collect();
    while let Some(kind) = fields.next_byte()? {
        let began = fields.at() - 1;
        if kind == 0 {
            while let Some(byte) = fields.next_byte()? {
                if byte != 0 {
                    return Err(ArchiveFlaw::TrailingGarbage { at: began }.into());
                }
            }
            padded = true;
            break;
        }
        if !matches!(kind, DATA | LARGE_OBJECTS) {
            return Err(ArchiveFlaw::TrailingGarbage { at: began }.into());
        }
        let id = fields.int()?;
        if !missing.remove(&id) && toc.complete {
            return Err(corrupt("a block of data belongs to no entry", began));
        }
        if kind == DATA {
            pass_over(fields)?;
        } else {
            while fields.int()? != 0 {
                pass_over(fields)?;
            }
        }
    }
    match toc.entries.iter().find(|entry| missing.contains(&entry.id)) {
        Some(entry) => Err(ArchiveFlaw::LostData { object: entry.object() }.into()),
        None => Ok(padded),
    }
}

/// The pieces of a block: each its length and its bytes, up to one of no length.
pub(super) fn pass_over<R: Read>(fields: &mut Fields<R>) -> Result<(), ArchiveError> {
    loop {
        match u64::try_from(fields.int()?) {
            Ok(0) => return Ok(()),
            Ok(bytes) => fields.skip(bytes)?,
            Err(_) => return Err(corrupt("a piece of data has a negative length", fields.at())),
        }
    }
}
