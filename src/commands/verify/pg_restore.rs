//! Restores an archive by the sandbox's own pg_restore.

use std::time::{Duration, Instant};

use super::archive::COPY;
use super::{DATABASE, Run};
use crate::dump::archive::Archive;
use crate::dump::format::Format;
use crate::dump::inspect::Inspection;
use crate::events::{Event, Progress, Work};
use crate::outcome::{Obstacle, RESTORE};
use crate::pg::{self, Session};
use crate::restore::Restored;
use crate::restore::archive::{self as pg_restore, Judged, Restoring};
use crate::sandbox::{Program, Sandbox, SandboxError};

/// How often the server is asked how far a restore is.
const PERIOD: Duration = Duration::from_secs(2);
/// Connections that are left to others than pg_restore.
const SPARE: i32 = 8;

impl Run<'_> {
    /// Restores the archive by pg_restore.
    pub(super) async fn restore_archive(
        &mut self,
        archive: &Archive,
        inspection: &Inspection,
    ) -> Result<bool, Obstacle> {
        if !self.make_database(inspection).await? {
            return Ok(false);
        }
        let clock = Instant::now();
        let restored = tokio::select! {
            biased;
            () = self.stop.token().cancelled() => None,
            restored = self.restore_surely(archive, inspection) => Some(restored),
        };
        self.report.phase(RESTORE, clock.elapsed());
        let outcome = match restored {
            None => Err(self.interrupted()),
            Some(Err(trouble)) => Err(self.cut_short(&trouble).await),
            Some(Ok((restored, warning))) => {
                if let Some(warning) = warning {
                    self.warn(warning);
                }
                self.restored(&restored, inspection, &|| archive.has_changed()).await
            }
        };
        self.judge_restore_time();
        if self.settings.keep {
            self.remove_copy().await;
        }
        outcome.map(|()| true)
    }

    /// Restores it, once more over one connection where several left a doubt: workers' messages
    /// run into each other, and workers can get in each other's way. What one connection finds
    /// counts. Gives a warning where the two differ.
    async fn restore_surely(
        &self,
        archive: &Archive,
        inspection: &Inspection,
    ) -> Result<(Restored, Option<String>), String> {
        let Some(sandbox) = &self.sandbox else { return Ok((Restored::default(), None)) };
        // pg_restore reads the tar format from its beginning to its end.
        let jobs = if archive.format() == Format::Tar { 1 } else { self.jobs(sandbox).await? };
        let first = self.pg_restore(sandbox, jobs).await?;
        let doubt = match first {
            Judged::Trouble(trouble) => return Err(trouble),
            Judged::Clear(restored) if restored.errors.is_empty() || jobs == 1 => {
                return Ok((restored, None));
            }
            Judged::Unclear(why) if jobs == 1 => return Ok((pg_restore::failed(why), None)),
            Judged::Clear(restored) => {
                restored.errors.first().map(ToString::to_string).unwrap_or_default()
            }
            Judged::Unclear(why) => why,
        };
        tracing::info!(doubt, "restoring once more, over one connection");
        let again = async {
            sandbox.drop_database(DATABASE).await?;
            sandbox.create_database(DATABASE, &self.locale(inspection)).await
        };
        again.await.map_err(|error: SandboxError| error.to_string())?;
        match self.pg_restore(sandbox, 1).await? {
            Judged::Trouble(trouble) => Err(trouble),
            Judged::Unclear(why) => Ok((pg_restore::failed(why), None)),
            Judged::Clear(restored) => {
                let first = doubt.lines().next().unwrap_or_default();
                let warning = restored.errors.is_empty().then(|| {
                    format!("pg_restore --jobs={jobs} failed where one connection did not: {first}")
                });
                Ok((restored, warning))
            }
        }
    }

    /// Runs pg_restore into the database.
    async fn pg_restore(&self, sandbox: &Sandbox, jobs: usize) -> Result<Judged, String> {
        let program = Program {
            argv: pg_restore::restoring(DATABASE, jobs, self.is_without_owners(), COPY),
            env: pg_restore::environment(sandbox.restores_as_superuser()),
            ..Program::default()
        };
        let mut restoring = Restoring::by(jobs);
        let mut said = |line: &str| {
            tracing::debug!("{line}");
            restoring.line(line);
        };
        let ended = tokio::select! {
            ended = sandbox.run(program, &mut said) => ended,
            never = self.watch(sandbox) => match never {},
        };
        ended.map(|code| restoring.judge(code)).map_err(|error| error.to_string())
    }

    /// Asks the server from time to time how far the restore is. Never ends.
    async fn watch(&self, sandbox: &Sandbox) -> std::convert::Infallible {
        tokio::time::sleep(PERIOD).await;
        // The restore itself finds out, and says, why a server does not answer.
        if let Ok(session) = sandbox.connect_info().connect().await {
            while let Ok(progress) = how_far(&session).await {
                self.events.emit(Event::Progress(progress));
                tokio::time::sleep(PERIOD).await;
            }
        }
        std::future::pending().await
    }

    /// As many connections as were asked for and the server has.
    async fn jobs(&self, sandbox: &Sandbox) -> Result<usize, String> {
        let sql = "SELECT pg_catalog.current_setting('max_connections')::int";
        let asking = async {
            let session = sandbox.connect_info().connect().await?;
            session.query_one(sql, &[]).await?.try_get::<_, i32>(0)
        };
        let most = asking.await.map_err(|error| pg::describe(&error))?;
        let most = usize::try_from(most - SPARE).unwrap_or(1).max(1);
        Ok(self.settings.jobs.min(most))
    }

    /// Makes room in a sandbox that is kept.
    async fn remove_copy(&self) {
        let Some(sandbox) = &self.sandbox else { return };
        let argv = ["rm", "-rf", "--", COPY].map(str::to_owned).to_vec();
        let program = Program { argv, ..Program::default() };
        if let Err(error) = sandbox.run(program, &mut |_| {}).await {
            tracing::debug!(%error, "the copy of the archive is left in the sandbox");
        }
    }
}

/// Bytes of the database, and what is being done.
async fn how_far(session: &Session) -> Result<Progress, tokio_postgres::Error> {
    let sql = "SELECT pg_catalog.pg_database_size($1::text::name), \
               (SELECT pg_catalog.left(query, 60) FROM pg_catalog.pg_stat_activity \
                WHERE datname = $1 AND state = 'active' AND application_name = 'ccc-backup' \
                  AND pid <> pg_catalog.pg_backend_pid() \
                ORDER BY query_start LIMIT 1)";
    let row = session.query_one(sql, &[&DATABASE]).await?;
    let (bytes, current): (i64, Option<String>) = (row.try_get(0)?, row.try_get(1)?);
    let current = current.and_then(|query| query.lines().next().map(str::to_owned));
    Ok(Progress { work: Work::Restoring, done: bytes.unsigned_abs(), total: None, current })
}
