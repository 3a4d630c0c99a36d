//! The large objects that the dump has, with the contents that it writes into them.

use super::{Answer, CheckError, ask, rows};
use crate::dump::large_objects::LargeObject;
use crate::model::contents::{LargeObjects, ObjectContents};
use crate::model::outcome::{CheckResult, Section, Status, grouped};
use crate::pg::Session;

/// Bytes that are read of an object at a time.
const PIECE: usize = 256 << 10;
/// Objects of which the first piece is read at a time.
const AT_ONCE: usize = 16;

/// What the restored database is compared with.
#[derive(Debug, Clone, Copy)]
pub struct Expected {
    /// What the dump writes.
    pub in_dump: LargeObjects,
    /// What the manifest has, where there is one.
    pub recorded: Option<LargeObjects>,
    /// Whether contents are compared, or numbers alone.
    pub content: bool,
}

impl Expected {
    /// Whether there is anything to compare.
    pub fn any(&self) -> bool {
        self.in_dump.count > 0 || self.recorded.is_some_and(|recorded| recorded.count > 0)
    }
}

/// Compares number and contents with the dump's, and with the manifest's; tells `progress` how many
/// bytes were read. The second value is why contents were not compared although they were to be.
///
/// # Errors
/// When the server cannot be asked.
pub async fn check(
    session: &Session,
    expected: Expected,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(CheckResult, Option<String>), CheckError> {
    let sql = "SELECT count(*) FROM pg_catalog.pg_largeobject_metadata";
    let count = rows(session, sql).await?.first().map_or(0, |row| row.get(0));
    let count = i64::unsigned_abs(count);
    let alone = |why: Option<String>| {
        let recorded = expected.recorded.map(|recorded| recorded.count);
        Ok((judge_count(count, expected.in_dump.count, recorded), why))
    };
    if !expected.content {
        return alone(None);
    }
    if expected.in_dump.contents.is_none() {
        return alone(Some("pg_dump writes them otherwise".to_owned()));
    }
    match read_back(session, count, progress).await? {
        Ok(found) => Ok((judge(found, expected.in_dump, expected.recorded), None)),
        Err(refusal) => alone(Some(refusal)),
    }
}

/// Reads all of them; the inner error is the server's refusal.
async fn read_back(
    session: &Session,
    count: u64,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Result<LargeObjects, String>, CheckError> {
    let mut found = ObjectContents::default();
    let mut after = 0;
    loop {
        // Holes come back as zeros, as pg_dump writes them.
        let sql = format!(
            "SELECT oid, pg_catalog.lo_get(oid, 0, {PIECE}) FROM pg_catalog.pg_largeobject_metadata
             WHERE oid > {after} ORDER BY oid LIMIT {AT_ONCE}"
        );
        let rows = match ask(session, &sql).await? {
            Answer::Refused(refusal) => return Ok(Err(refusal.message)),
            Answer::Rows(rows) => rows,
        };
        for row in &rows {
            let (number, mut piece): (u32, Vec<u8>) = (row.get(0), row.get(1));
            let (mut object, mut at) = (LargeObject::new(number), 0);
            loop {
                object.update(&piece);
                at += piece.len();
                progress(found.bytes + at as u64);
                if piece.len() < PIECE {
                    break;
                }
                let sql = format!("SELECT pg_catalog.lo_get({number}, {at}, {PIECE})");
                piece = match ask(session, &sql).await? {
                    Answer::Refused(refusal) => return Ok(Err(refusal.message)),
                    Answer::Rows(rows) => rows.first().map_or_else(Vec::new, |row| row.get(0)),
                };
            }
            object.add_to(&mut found);
            after = number;
        }
        if rows.len() < AT_ONCE {
            return Ok(Ok(LargeObjects { count, contents: Some(found) }));
        }
    }
}

fn judge(
    found: LargeObjects,
    in_dump: LargeObjects,
    recorded: Option<LargeObjects>,
) -> CheckResult {
    let counted = judge_count(found.count, in_dump.count, recorded.map(|recorded| recorded.count));
    if counted.status != Status::Passed {
        return counted;
    }
    let recorded = recorded.and_then(|recorded| recorded.contents);
    let as_recorded = recorded.is_none_or(|contents| Some(contents) == in_dump.contents);
    let bytes = |of: LargeObjects| grouped(of.contents.map_or(0, |contents| contents.bytes));
    let (status, title) = if found == in_dump && as_recorded {
        let size = format!("{}, {} bytes", grouped(found.count), bytes(found));
        (Status::Passed, format!("Large objects match the backup ({size})"))
    } else {
        let title = format!(
            "Contents of large objects do not match the backup: {} bytes in the dump, found {}{}",
            bytes(in_dump),
            bytes(found),
            if as_recorded { "" } else { ", others in the manifest" }
        );
        (Status::Failed, title)
    };
    CheckResult::new("contents.large_objects", Section::Contents, status, title)
}

fn judge_count(found: u64, in_dump: u64, in_manifest: Option<u64>) -> CheckResult {
    let expected = in_manifest.unwrap_or(in_dump);
    let good = found == in_dump && in_dump == expected;
    let (status, title) = if good {
        (Status::Passed, format!("Large objects match the backup ({})", grouped(found)))
    } else {
        let title = format!(
            "Large objects do not match the backup: expected {}, {} in the dump, found {}",
            grouped(expected),
            grouped(in_dump),
            grouped(found)
        );
        (Status::Failed, title)
    };
    CheckResult::new("contents.large_objects", Section::Contents, status, title)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fingerprint::Fingerprint;

    #[test]
    fn the_same_number_everywhere_passes_and_a_lost_object_fails() {
        assert_eq!(judge_count(3, 3, None).status, Status::Passed);
        assert_eq!(judge_count(3, 3, Some(3)).status, Status::Passed);
        assert_eq!(judge_count(2, 3, Some(3)).status, Status::Failed);
        assert_eq!(judge_count(2, 2, Some(3)).status, Status::Failed);
    }

    #[test]
    fn other_contents_in_the_database_or_the_manifest_fail() {
        let of = |bytes, sum| LargeObjects {
            count: 2,
            contents: Some(ObjectContents { bytes, fingerprint: Fingerprint(sum) }),
        };
        let judged = |found, recorded| judge(found, of(10, 5), recorded).status;
        assert_eq!(judged(of(10, 5), None), Status::Passed);
        assert_eq!(judged(of(10, 5), Some(of(10, 5))), Status::Passed);
        assert_eq!(judged(of(10, 6), None), Status::Failed);
        assert_eq!(judged(of(9, 5), None), Status::Failed);
        assert_eq!(judged(of(10, 5), Some(of(10, 6))), Status::Failed);
        assert_eq!(judged(of(10, 5), Some(of(11, 5))), Status::Failed);
        let unread = LargeObjects { count: 2, contents: None };
        assert_eq!(judged(of(10, 5), Some(unread)), Status::Passed);
    }
}
