//! What a server lacks that a backup needs, and the room that it has.

use std::collections::{BTreeMap, BTreeSet};

use super::{Destination, DestinationError};
use crate::pg::Address;

const EXTENSIONS: &str = "SELECT name::text FROM pg_catalog.pg_available_extensions";
/// Extensions that only a superuser creates, of those that there are. Servers before 13 trust none.
const PRIVILEGED: &str = "\
SELECT DISTINCT v.name::text FROM pg_catalog.pg_available_extension_versions v
WHERE v.superuser AND coalesce((pg_catalog.to_jsonb(v) ->> 'trusted')::boolean, false) IS FALSE";
const DATA: &str = "SELECT pg_catalog.current_setting('data_directory', true)";

/// Extensions that cannot be had.
#[derive(Debug, Default)]
pub struct Lacking {
    /// Extensions that the backup creates and the server cannot.
    pub extensions: Vec<String>,
    /// Those that only a superuser creates, where we are none.
    pub privileged: Vec<String>,
}

impl Destination {
    /// What is missing of the extensions that a backup creates.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn lacking(
        &self,
        extensions: &BTreeMap<String, Option<String>>,
    ) -> Result<Lacking, DestinationError> {
        let failed = |error| DestinationError::server("say what it has", &error);
        let available = self.session.query(EXTENSIONS, &[]).await.map_err(failed)?;
        let available: BTreeSet<String> = available.iter().map(|row| row.get(0)).collect();
        let mut privileged: Vec<String> = Vec::new();
        if !self.facts.is_superuser {
            let rows = self.session.query(PRIVILEGED, &[]).await.map_err(failed)?;
            privileged = rows.iter().map(|row| row.get(0)).collect();
            privileged.retain(|name| extensions.contains_key(name));
        }
        Ok(Lacking {
            extensions: extensions
                .keys()
                .filter(|name| !available.contains(*name))
                .cloned()
                .collect(),
            privileged,
        })
    }

    /// The bytes that are free where the server keeps its data, where that is on this machine and may be
    /// asked.
    pub async fn free_space(&self) -> Option<u64> {
        let here = match &self.server.address {
            Address::Socket { .. } => true,
            Address::Tcp { host, .. } => matches!(host.as_str(), "localhost" | "127.0.0.1" | "::1"),
        };
        // A container's address can be this machine's, too: then there is no such directory, or it is another's.
        let dir: Option<String> = match here {
            true => self.session.query_one(DATA, &[]).await.ok()?.try_get(0).ok()?,
            false => None,
        };
        let pid = std::fs::read_to_string(std::path::Path::new(&dir?).join("postmaster.pid"));
        let dir = pid.ok()?.lines().nth(1)?.to_owned();
        let space = rustix::fs::statvfs(dir).ok()?;
        Some(space.f_bavail.saturating_mul(space.f_frsize))
    }
}
