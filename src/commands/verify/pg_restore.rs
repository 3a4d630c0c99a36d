//! Restores an archive by the sandbox's own pg_restore.

use std::time::{Duration, Instant};

use super::archive::COPY;
use super::{DATABASE, Run, again};
use crate::archive::Archive;
use crate::commands::inspect::Inspection;
use crate::events::{Event, Progress, Work};
use crate::model::format::Format;
use crate::model::outcome::{Obstacle, RESTORE};
use crate::pg::{self, Session};
use crate::restore::archive::{self as pg_restore, Judged, Restoring};
use crate::restore::cluster::Cluster;
use crate::restore::{Restored, catalog};
use crate::sandbox::{Program, Sandbox};

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
        let (restored, outcome) = self.archive_surely_restored(archive, inspection).await;
        self.report.phase(RESTORE, clock.elapsed());
        let has_changed = || archive.has_changed();
        let outcome = self.has_restored(restored, outcome, inspection, &has_changed).await;
        self.judge_restore_time();
        outcome.map(|()| true)
    }

    /// Restores it, once more over one connection where several left a doubt: workers' messages
    /// run into each other, and workers can get in each other's way. So what several meet is no proof;
    /// what one connection meets is.
    async fn archive_surely_restored(
        &mut self,
        archive: &Archive,
        inspection: &Inspection,
    ) -> (Restored, Result<(), Obstacle>) {
        let jobs = match self.jobs(archive).await {
            Ok(jobs) => jobs,
            Err(obstacle) => return (Restored::default(), Err(obstacle)),
        };
        if jobs == 1 {
            return self.pg_restore_alone(inspection).await;
        }
        let before = match self.cluster().await {
            Ok(before) => before,
            Err(obstacle) => return (Restored::default(), Err(obstacle)),
        };
        match self.order_matters(&before, inspection).await {
            Ok(true) => {
                tracing::info!(
                    "rows may need those of other tables: over one connection, in its order"
                );
                return self.pg_restore_alone(inspection).await;
            }
            Ok(false) => {}
            Err(cut) => return (Restored::default(), Err(cut)),
        }
        let (first, ended) = self.pg_restore(jobs, inspection).await;
        let first_is_clear = matches!(ended, Ok(None));
        let doubt = match (ended, first.errors.first()) {
            (Err(cut), _) => return (Restored::default(), Err(cut)),
            (Ok(None), None) => return (first, Ok(())),
            (Ok(None), Some(error)) => error.to_string(),
            (Ok(Some(unclear)), _) => unclear,
        };
        tracing::info!(doubt, "restoring once more, over one connection");
        let several = format!("pg_restore --jobs={jobs}");
        let mut description = again::described(&first, jobs, true);
        let (second, ended) = match self.start_again(&before, inspection).await {
            Ok(()) => self.pg_restore_alone(inspection).await,
            Err(cut) => (Restored::default(), Err(cut)),
        };
        let counted = again::described(&second, 1, ended.is_ok());
        // What did not add up is no other error than the one that the second attempt met.
        if counted.errors == 0 {
            description.first_error = Some(again::first_line(&doubt));
        } else if !first_is_clear {
            description.first_error.clone_from(&counted.first_error);
        }
        self.second_counts(&several, description, counted);
        (second, ended.map_err(|cut| again::unconfirmed(cut, &several, &doubt)))
    }

    /// Whether the archive's order of things matters, so that several connections would prove something
    /// else than one. Asked of the catalog, once all is made but the rows; then the database is made anew.
    /// Where it cannot be asked, it matters.
    async fn order_matters(
        &mut self,
        before: &Cluster,
        inspection: &Inspection,
    ) -> Result<bool, Obstacle> {
        if !inspection.contents.statements.bring_functions() {
            return Ok(false);
        }
        let Some(sandbox) = &self.sandbox else { return Ok(true) };
        let program = Program {
            argv: pg_restore::outlining(DATABASE, sandbox.version(), COPY),
            env: pg_restore::environment(sandbox.restores_as_superuser()),
            connects: true,
            ..Program::default()
        };
        let asking = async {
            // Where not all of it is made, nothing can be told from what is.
            let ended = sandbox.run(program, &mut |line| tracing::debug!("{line}")).await;
            ended.ok().filter(|code| *code == 0)?;
            let session = sandbox.connect_info().database(DATABASE).connect().await.ok()?;
            catalog::order_matters(&session).await.ok()
        };
        let matters = tokio::select! {
            biased;
            () = self.stop.token().cancelled() => return Err(self.interrupted()),
            matters = asking => matters.unwrap_or(true),
        };
        self.start_again(before, inspection).await?;
        Ok(matters)
    }

    /// Runs pg_restore into the database over one connection, whose word counts.
    async fn pg_restore_alone(&self, inspection: &Inspection) -> (Restored, Result<(), Obstacle>) {
        let (mut restored, ended) = self.pg_restore(1, inspection).await;
        let ended = match ended {
            Ok(None) => Ok(()),
            // What does not add up may be the server's end.
            Ok(Some(why)) => match self.is_answered().await {
                Ok(()) => {
                    restored.errors.push(pg_restore::failed(&why));
                    Ok(())
                }
                Err(error) => Err(self.cut_short(&format!("{why}; {error}")).await),
            },
            Err(cut) => Err(cut),
        };
        (restored, ended)
    }

    /// Whether the server takes connections.
    async fn is_answered(&self) -> Result<(), String> {
        let Some(sandbox) = &self.sandbox else { return Ok(()) };
        sandbox.connect_info().connect().await.map(drop).map_err(|error| pg::describe(&error))
    }

    /// Runs pg_restore into the database: what it did, and what it did not come to its end for. What it
    /// says that does not add up is given beside.
    async fn pg_restore(
        &self,
        jobs: usize,
        inspection: &Inspection,
    ) -> (Restored, Result<Option<String>, Obstacle>) {
        let Some(sandbox) = &self.sandbox else { return (Restored::default(), Ok(None)) };
        let program = Program {
            argv: pg_restore::restoring(DATABASE, jobs, self.is_without_owners(), COPY),
            env: pg_restore::environment(sandbox.restores_as_superuser()),
            connects: true,
            ..Program::default()
        };
        let mut restoring = Restoring::by(jobs).knowing(self.known(inspection));
        let mut said = |line: &str| {
            tracing::debug!("{line}");
            restoring.line(line);
        };
        let ended = tokio::select! {
            biased;
            () = self.stop.token().cancelled() => None,
            ended = sandbox.run(program, &mut said) => Some(ended),
            never = self.watch(sandbox) => match never {},
        };
        let trouble = match ended {
            None => return (restoring.so_far(), Err(self.interrupted())),
            Some(Err(error)) => (restoring.so_far(), error.to_string()),
            Some(Ok(code)) => match restoring.judge(code) {
                (restored, Judged::Clear) => return (restored, Ok(None)),
                (restored, Judged::Unclear(why)) => return (restored, Ok(Some(why))),
                (restored, Judged::Trouble(trouble)) => (restored, trouble),
            },
        };
        (trouble.0, Err(self.cut_short(&trouble.1).await))
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
    async fn jobs(&self, archive: &Archive) -> Result<usize, Obstacle> {
        let Some(sandbox) = &self.sandbox else { return Ok(1) };
        // pg_restore reads the tar format from its beginning to its end.
        if archive.format() == Format::Tar {
            return Ok(1);
        }
        let sql = "SELECT pg_catalog.current_setting('max_connections')::int";
        let asking = async {
            let session = sandbox.connect_info().connect().await?;
            session.query_one(sql, &[]).await?.try_get::<_, i32>(0)
        };
        match asking.await {
            Ok(most) => {
                let most = usize::try_from(most - SPARE).unwrap_or(1).max(1);
                Ok(self.settings.jobs.min(most))
            }
            Err(error) => Err(self.cut_short(&pg::describe(&error)).await),
        }
    }

    /// Makes room in a sandbox that is kept.
    pub(super) async fn remove_copy(&self) {
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
