//! An archive of the tar format: its table of contents first, then a member for each entry's data.

use std::io::Read;

use super::members::{Members, TOC, read_toc};
use super::{ArchiveError, ArchiveFlaw, Head, corrupt};
use crate::model::span::{RowsAt, Span};

/// Size of a header, and what members are filled up to.
const BLOCK: u64 = 512;

/// Reads the whole archive, and notes where the rows of tables are; `position` gives the bytes of it that
/// were read.
pub(super) fn read(
    stream: impl Read,
    position: &dyn Fn() -> u64,
    rows: &mut Vec<RowsAt>,
) -> Result<Head, ArchiveError> {
    let mut archive = tar::Archive::new(stream);
    let mut end = 0;
    // Raw: pg_dump writes no extended headers, and they could be of any size.
    let entries = archive.entries().map_err(ArchiveError::Disk)?.raw(true);
    let mut found: Option<(Head, Members)> = None;
    for entry in entries {
        let mut entry = entry.map_err(|error| of_the_tar(error, position()))?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let bytes = entry.size();
        let offset = entry.raw_file_position();
        end = offset.saturating_add(bytes);
        match &mut found {
            Some((_, members)) => {
                let span = Span { file: 0, offset, bytes: Some(bytes), rows: None };
                rows.extend(members.rows(&name, span));
                members.read(&name, bytes, &mut entry)?;
            }
            None if name == TOC => {
                let (head, toc) = read_toc(&mut entry, 0)?;
                found = Some((head, Members::new(toc)));
            }
            None => return Err(corrupt("its first member is not toc.dat", 0)),
        }
    }
    let (head, members) = found.ok_or(ArchiveFlaw::Cut { at: position() })?;
    members.finish()?;
    end_of(archive.into_inner(), end.next_multiple_of(BLOCK), position)?;
    Ok(head)
}

/// Zeros end a tar archive: two blocks, or as many as fill its tape's last record.
fn end_of(mut stream: impl Read, end: u64, position: &dyn Fn() -> u64) -> Result<(), ArchiveError> {
    let mut rest = vec![0; 64 * 1024];
    loop {
        let at = position();
        let read = stream.read(&mut rest).map_err(ArchiveError::Disk)?;
        if read == 0 {
            break;
        }
        if let Some(first) = rest[..read].iter().position(|byte| *byte != 0) {
            return Err(ArchiveFlaw::TrailingGarbage { at: at + first as u64 }.into());
        }
    }
    if position() < end.saturating_add(2 * BLOCK) {
        return Err(ArchiveFlaw::Cut { at: position() }.into());
    }
    Ok(())
}

/// An error of the library: the archive ends too early, or a header makes no sense. Those of the
/// stream are noted where they arise.
fn of_the_tar(error: std::io::Error, at: u64) -> ArchiveError {
    let cut = error.kind() == std::io::ErrorKind::UnexpectedEof
        || error.to_string().contains("unexpected EOF");
    if cut {
        return ArchiveFlaw::Cut { at }.into();
    }
    corrupt("the header of a member makes no sense", at)
}
