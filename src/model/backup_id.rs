//! What a backup is called wherever it lies: an id of its own, ordered by the time of its making.

use std::fmt;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::{Builder, Uuid};

/// A UUID of version 7 (RFC 9562): milliseconds of its time, then random bits.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
#[schemars(transparent)]
pub struct BackupId(#[schemars(with = "String", extend("format" = "uuid"))] Uuid);

impl BackupId {
    /// The id of a new backup, begun at this time.
    pub fn new(created_at: DateTime<Utc>) -> Self {
        let random = Uuid::now_v7().into_bytes();
        Self::with(
            created_at,
            [
                random[6], random[7], random[8], random[9], random[10], random[11], random[12],
                random[13], random[14], random[15],
            ],
        )
    }

    /// The id of a backup that was made without one: the same whenever it is asked for.
    pub fn derived(created_at: DateTime<Utc>, sha256: &str) -> Self {
        let mut bytes = [0; 10];
        let digits = sha256.get(..20).unwrap_or_default();
        // Whatever is no checksum has an id all the same.
        let _ = hex::decode_to_slice(digits, &mut bytes);
        Self::with(created_at, bytes)
    }

    fn with(created_at: DateTime<Utc>, bytes: [u8; 10]) -> Self {
        let millis = u64::try_from(created_at.timestamp_millis()).unwrap_or_default();
        Self(Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid())
    }
}

impl fmt::Display for BackupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn later_backups_have_later_ids_and_no_two_the_same() {
        let at = |millis| Utc.timestamp_millis_opt(millis).unwrap();
        let (first, second) =
            (BackupId::new(at(1_700_000_000_000)), BackupId::new(at(1_700_000_000_001)));
        assert!(first < second);
        assert_ne!(BackupId::new(at(5)), BackupId::new(at(5)));
    }

    #[test]
    fn an_id_that_is_derived_is_always_the_same_and_the_checksums() {
        let at = Utc.timestamp_millis_opt(1_700_000_000_000).unwrap();
        let (one, other) = ("a".repeat(64), "b".repeat(64));
        assert_eq!(BackupId::derived(at, &one), BackupId::derived(at, &one));
        assert_ne!(BackupId::derived(at, &one), BackupId::derived(at, &other));
        assert_eq!(
            BackupId::derived(at, &one).to_string().split_at(14).1.chars().next(),
            Some('7')
        );
    }
}
