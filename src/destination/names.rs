//! The names of the databases beside the one that is restored, and the lock on that one's name.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};

use super::DestinationError;
use crate::pg::Session;

/// The longest name of a database, in bytes. Source: `NAMEDATALEN`.
pub const MOST_BYTES: usize = 63;

/// What a database is called until it is proven.
pub const RESTORING: &str = "restoring";

/// A time in a name.
const TIME: &str = "%Y%m%d_%H%M%S";

/// Databases that belong to the server.
const SERVERS_OWN: [&str; 3] = ["postgres", "template0", "template1"];

/// The first of the two numbers of the lock, which tells ours from others' advisory locks.
const LOCK: i32 = 0x0ccc;

/// How often the lock is asked for: a server that is busy notices a moment later that a run has ended.
const TRIES: u32 = 15;
/// Time between two attempts.
const PERIOD: Duration = Duration::from_millis(200);

const TRY: &str = "SELECT pg_catalog.pg_try_advisory_lock($1, pg_catalog.hashtext($2))";

/// The process that has the lock.
const HOLDER: &str = "\
SELECT l.pid, coalesce(a.client_addr::text, 'this machine')
FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.classid = $1::int::oid
  AND l.objid = (pg_catalog.hashtext($2)::bigint & 4294967295)::oid AND l.granted
LIMIT 1";

/// `shop_restoring_20260114_020000`: a name beside another, cut where it would be too long.
#[must_use]
pub fn beside(name: &str, what: &str, at: DateTime<Utc>) -> String {
    let suffix = format!("_{what}_{}", at.format(TIME));
    let mut end = name.len().min(MOST_BYTES.saturating_sub(suffix.len()));
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{suffix}", &name[..end])
}

/// Whether this is a name beside another, of any time.
#[must_use]
pub fn is_beside(candidate: &str, name: &str, what: &str) -> bool {
    let length = "20260114_020000".len();
    let at = candidate.len().checked_sub(length).and_then(|at| candidate.get(at..));
    let at = at.and_then(|at| NaiveDateTime::parse_from_str(at, TIME).ok());
    at.is_some_and(|at| beside(name, what, at.and_utc()) == candidate)
}

/// Whether a database may have this name, and be replaced.
///
/// # Errors
/// When it may not.
pub fn check(name: &str) -> Result<(), DestinationError> {
    let other = "name another database: --as NAME, or the path of the URL";
    if name.is_empty() || name.contains('\0') {
        return Err(DestinationError::new("no database is named", other));
    }
    if name.len() > MOST_BYTES {
        let cause =
            format!("the name {name} is longer than the {MOST_BYTES} bytes that PostgreSQL keeps");
        return Err(DestinationError::new(cause, other));
    }
    if SERVERS_OWN.contains(&name) {
        let cause = format!("{name} is a database of the server itself, and is not restored into");
        return Err(DestinationError::new(cause, other));
    }
    Ok(())
}

/// Takes the lock on a name, for as long as the session lives.
///
/// # Errors
/// When another run has it.
pub(super) async fn lock(session: &Session, name: &str) -> Result<(), DestinationError> {
    let failed = |error| DestinationError::server("keep other restores away", &error);
    for attempt in 0..TRIES {
        if attempt > 0 {
            tokio::time::sleep(PERIOD).await;
        }
        let row = session.query_one(TRY, &[&LOCK, &name]).await.map_err(failed)?;
        if row.get(0) {
            return Ok(());
        }
    }
    let holder = session.query_opt(HOLDER, &[&LOCK, &name]).await.map_err(failed)?;
    let holder = holder.map_or_else(String::new, |row| {
        let (pid, from): (i32, String) = (row.get(0), row.get(1));
        format!(" (server process {pid}, from {from})")
    });
    let cause = format!("another run restores into {name} right now{holder}");
    Err(DestinationError::new(cause, "run it again when that one is done"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_beside_another_is_never_longer_than_postgresql_keeps() {
        let at = DateTime::UNIX_EPOCH;
        assert_eq!(beside("shop", "restoring", at), "shop_restoring_19700101_000000");
        for name in ["s".repeat(63), "ä".repeat(31), "€".repeat(21)] {
            let beside = beside(&name, "restoring", at);
            assert!(beside.len() <= MOST_BYTES, "{beside}");
            assert!(beside.ends_with("_restoring_19700101_000000"), "{beside}");
            assert!(is_beside(&beside, &name, "restoring"), "{beside}");
        }
    }

    #[test]
    fn other_names_are_not_taken_for_one_beside() {
        for other in [
            "shop",
            "shop_restoring_1",
            "shop_restoring_20269999_000000",
            "ä_20260114_020000",
            "shops_restoring_20260114_020000",
            "shop_before_20260114_020000",
        ] {
            assert!(!is_beside(other, "shop", "restoring"), "{other}");
        }
    }

    #[test]
    fn the_servers_own_databases_are_not_restored_into() {
        assert!(check("shop").is_ok());
        for wrong in ["", "postgres", "template0", "template1", &"x".repeat(64)] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }
}
