//! The second attempt at a restore. What several connections are refused may be our own doing, so it
//! is done once more, in a fresh database, over one connection and in the dump's order; that counts.
//! Plain dumps and archives share it.

use super::{Run, obstacle};
use crate::commands::inspect::Inspection;
use crate::model::outcome::{Attempt, Obstacle};
use crate::restore::cluster::{self, Cluster};
use crate::restore::{LoadError, Restored};
use crate::sandbox::SandboxError;

impl Run<'_> {
    /// What there is in the cluster before an attempt.
    pub(super) async fn cluster(&self) -> Result<Cluster, Obstacle> {
        let Some(sandbox) = &self.sandbox else {
            return Err(obstacle(&LoadError::Died, "run it again"));
        };
        match Cluster::of(sandbox.connect_info()).await {
            Ok(before) => Ok(before),
            Err(error) => Err(self.cut_short(&error).await),
        }
    }

    /// Makes the database anew, and leaves nothing of the first attempt in the cluster.
    pub(super) async fn start_again(
        &mut self,
        before: &Cluster,
        inspection: &Inspection,
    ) -> Result<(), Obstacle> {
        if let Err(error) = self.clear(before, inspection).await {
            let error = format!("what a first attempt made could not be removed: {error}");
            return Err(self.cut_short(&error).await);
        }
        let Some(sandbox) = &self.sandbox else { return Ok(()) };
        let target = sandbox.connect_info().database(&self.database);
        self.has_extensions(&target, inspection).await.map(|_| ())
    }

    async fn clear(&self, before: &Cluster, inspection: &Inspection) -> Result<(), String> {
        let Some(sandbox) = &self.sandbox else { return Ok(()) };
        let of_load = |error: LoadError| error.to_string();
        let of_sandbox = |error: SandboxError| error.to_string();
        let server = sandbox.connect_info();
        cluster::release(server, &self.database).await.map_err(of_load)?;
        sandbox.drop_database(&self.database).await.map_err(of_sandbox)?;
        before.forget_others(server).await.map_err(of_load)?;
        // The dump may have dropped some of them.
        let needed = self.needed_roles(inspection);
        let roles = needed.iter().map(|(role, superuser)| (role.as_str(), *superuser));
        sandbox.create_roles(roles).await.map_err(of_sandbox)?;
        let locale = self.locale(inspection);
        sandbox.create_database(&self.database, &locale).await.map_err(of_sandbox).map(|_| ())
    }

    /// Keeps both attempts in the report, of which the second counts, and warns where they differ.
    /// `several` says how the first was made.
    pub(super) fn second_counts(&mut self, several: &str, first: Attempt, second: Attempt) {
        if second.whole
            && first.first_error != second.first_error
            && let Some(error) = &first.first_error
        {
            let how = if second.errors == 0 {
                "where one connection did not"
            } else {
                "otherwise than over one connection, which counts"
            };
            self.warn(format!("{several} failed {how}: {error}"));
        }
        self.report.attempts = vec![first, second];
    }
}

/// An attempt for the report.
pub(super) fn described(restored: &Restored, connections: usize, whole: bool) -> Attempt {
    let first_error = restored.errors.first().map(|failure| first_line(&failure.to_string()));
    Attempt { connections, errors: restored.errors.len(), first_error, whole }
}

/// Why it could not be told whether a refusal to several connections is the backup's fault.
pub(super) fn unconfirmed(cut: Obstacle, several: &str, doubt: &str) -> Obstacle {
    let doubt = first_line(doubt);
    let cause = format!(
        "{}; {several} failed before, which one connection was to confirm: {doubt}",
        cut.cause
    );
    Obstacle { cause, ..cut }
}

/// What several lines say in the first.
pub(super) fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
