//! A restored database, as the checks are given it.

use std::sync::Arc;

use super::context::Context;
use super::early_rows::EarlyRows;
use super::kind::Expectations;
use super::server::Server;
use crate::checks::CheckError;
use crate::checks::read_back::{self, Found, Wanted};
use crate::checks::rendering::Rendering;
use crate::dump::contents::DatabaseContents;
use crate::events::{Event, Progress, Work};
use crate::pg::{ConnectInfo, Session};
use crate::store::manifest::Manifest;

/// What the checks are made with.
pub(in crate::commands) struct Checking<'a> {
    /// What the steps are given.
    pub cx: Context<'a>,
    /// What the databases are held to.
    pub expected: &'a Expectations<'a>,
    /// The server that they are in.
    pub server: &'a Server,
    /// What was read back while they were restored.
    pub early: &'a EarlyRows,
    /// Whether it is a backup of the schema alone, and meant to be one.
    pub without_rows: bool,
}

/// A restored database, beside what the dump says of it.
pub(in crate::commands) struct RestoredDatabase<'a> {
    /// What the checks are made with.
    pub checking: &'a Checking<'a>,
    /// How to connect to it.
    pub target: ConnectInfo,
    /// A connection to it.
    pub session: Session,
    /// What the dump says.
    pub dump: &'a DatabaseContents,
    /// How the dump's session wrote its values, as far as it is known.
    pub rendering: Rendering,
}

impl<'a> RestoredDatabase<'a> {
    /// Connects to it.
    pub async fn open(
        checking: &'a Checking<'a>,
        target: ConnectInfo,
        dump: &'a DatabaseContents,
    ) -> Result<Self, CheckError> {
        let session = target.connect().await.map_err(|error| CheckError::of(&error))?;
        let rendering = rendering(checking.cx.manifest, dump.encoding.as_deref());
        Ok(Self { checking, target, session, dump, rendering })
    }

    /// Whether the contents are compared, and not the numbers of rows alone.
    pub fn with_content(&self) -> bool {
        self.checking.cx.proof.content
    }

    /// Tables of the dump's number of rows whose values differ from it, by their places in the list.
    pub fn differing(&self, found: &[Found]) -> Vec<usize> {
        let differs = |index: &usize| {
            let expected = self.dump.tables[*index].fingerprint;
            matches!(found[*index], Found::Rows(found) if found.rows == expected.rows && found != expected)
        };
        (0..found.len()).filter(differs).collect()
    }

    /// Reads all tables of the dump back, or counts their rows where the contents are left out; but for those
    /// that were read early.
    pub async fn read_first(&self, tables: &[Wanted]) -> Result<Vec<Found>, CheckError> {
        let mut early = self.checking.early.take().await;
        let left: Vec<usize> =
            (0..tables.len()).filter(|place| !early.contains_key(place)).collect();
        let wanted = left.iter().map(|place| tables[*place].clone()).collect();
        early.extend(left.into_iter().zip(self.read(wanted).await?));
        Ok(early.into_values().collect())
    }

    /// Does what [`Self::read_first`] would have to do. What fails is told by that.
    pub async fn read_ahead(&self) {
        let tables: Vec<Wanted> = self.dump.tables.iter().cloned().map(Wanted::all).collect();
        match self.read_first(&tables).await {
            Ok(found) => self.checking.early.keep(found),
            Err(error) => tracing::debug!(%error, "read ahead in vain"),
        }
    }

    /// Reads tables back, or counts their rows where the contents are left out.
    pub async fn read(&self, tables: Vec<Wanted>) -> Result<Vec<Found>, CheckError> {
        if self.with_content() {
            self.read_back(tables, &self.rendering).await
        } else {
            read_back::count(&self.session, &tables).await
        }
    }

    /// Reads tables back, with their values written in this way.
    pub async fn read_back(
        &self,
        tables: Vec<Wanted>,
        rendering: &Rendering,
    ) -> Result<Vec<Found>, CheckError> {
        let Context { proof, events, .. } = self.checking.cx;
        let (events, total) = (events.clone(), tables.len() as u64);
        let progress = move |done: usize| {
            events.emit(Event::Progress(Progress {
                work: Work::Comparing,
                done: done as u64,
                total: Some(total),
                current: None,
            }));
        };
        let progress = Arc::new(progress);
        read_back::read_back(&self.target, tables, rendering, proof.jobs, progress).await
    }
}

/// How the dump's session wrote its values, as far as it is known: in this client encoding, and as the
/// manifest says.
pub(in crate::commands) fn rendering(
    manifest: Option<&Manifest>,
    encoding: Option<&str>,
) -> Rendering {
    let source = manifest.map(|manifest| &manifest.source);
    let setting = |value: Option<&String>, default: &str| {
        value.cloned().unwrap_or_else(|| default.to_owned())
    };
    Rendering {
        encoding: encoding.unwrap_or("UTF8").to_owned(),
        time_zone: setting(source.and_then(|source| source.time_zone.as_ref()), "UTC"),
        bytea_output: setting(source.and_then(|source| source.bytea_output.as_ref()), "hex"),
    }
}
