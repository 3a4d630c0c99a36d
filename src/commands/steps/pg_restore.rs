//! Restores an archive by the sandbox's own pg_restore.

use std::time::Duration;

use super::again::{self, First};
use super::early_items::EarlyItems;
use super::findings::Notes;
use super::kind::Attempted;
use super::obstacles::{interrupted, unless_stopped};
use super::target::Target;
use super::timescaledb;
use crate::events::{Event, Progress, Work};
use crate::model::format::Format;
use crate::model::outcome::Obstacle;
use crate::pg::{self, Session};
use crate::process::Program;
use crate::restore::archive::{self as messages, Judged, Restoring};
use crate::restore::cluster::Cluster;
use crate::restore::{Restored, catalog};

/// What the archive is called in the sandbox.
pub(in crate::commands) const COPY: &str = "backup";
/// How often the server is asked how far a restore is.
const PERIOD: Duration = Duration::from_secs(2);
/// Connections that are left to others than pg_restore.
const SPARE: i32 = 8;

/// Restores the archive, once more over one connection where several left a doubt: workers' messages
/// run into each other, and workers can get in each other's way. So what several meet is no proof;
/// what one connection meets is.
///
/// Where it `is_known` what the tables hold, they are read back as soon as that can be.
pub(in crate::commands) async fn surely(
    target: Target<'_>,
    is_known: bool,
    notes: &mut Notes<'_>,
) -> Attempted {
    let Several { jobs, before, early } = match how(target, is_known).await {
        Ok(Some(several)) => several,
        Ok(None) => return alone(target).await,
        Err(cut) => return (Restored::default(), Err(cut)),
    };
    let (restored, ended) = run(target, jobs, early.as_ref()).await;
    let adds_up = matches!(ended, Ok(None));
    let doubt = match (ended, restored.doubt()) {
        (Err(cut), _) => return (Restored::default(), Err(cut)),
        (Ok(None), None) if early.is_none() => return (restored, Ok(())),
        (Ok(None), None) => return (restored, settle_early(target).await),
        (Ok(None), Some(error)) => error.to_string(),
        (Ok(Some(unclear)), _) => unclear,
    };
    let several = format!("pg_restore --jobs={jobs}");
    let first = First { restored, jobs, several, whole: true, doubt, adds_up };
    again::second_opinion(target, before.as_ref(), first, alone(target), notes).await
}

/// Forgets what was read early, unless the database has no event trigger, which may have changed rows since.
async fn settle_early(target: Target<'_>) -> Result<(), Obstacle> {
    let asking = async {
        let session = target.connect_info().connect().await.ok()?;
        let sql = "SELECT NOT EXISTS (SELECT FROM pg_catalog.pg_event_trigger)";
        session.query_one(sql, &[]).await.ok()?.try_get(0).ok()
    };
    if unless_stopped(target.cx.stop, asking).await? != Some(true) {
        target.early.forget();
    }
    Ok(())
}

/// A restore over several connections.
struct Several {
    jobs: usize,
    /// What there is in the cluster before.
    before: Option<Cluster>,
    /// Reads tables back meanwhile, where that can be.
    early: Option<EarlyItems>,
}

/// How it is restored over several connections; nothing where it is one.
async fn how(target: Target<'_>, is_known: bool) -> Result<Option<Several>, Obstacle> {
    // TimescaleDB restores its catalog in its order alone.
    if timescaledb::is_needed(target) {
        return Ok(None);
    }
    let jobs = jobs(target).await?;
    if jobs == 1 {
        return Ok(None);
    }
    let before = again::cluster(target).await?;
    if order_matters(target, before.as_ref()).await? {
        tracing::info!("rows may need those of other tables: over one connection, in its order");
        return Ok(None);
    }
    let early = if is_known { EarlyItems::of(target, jobs).await? } else { None };
    Ok(Some(Several { jobs, before, early }))
}

/// Whether the archive's order of things matters, so that several connections would prove something
/// else than one. Asked of the catalog, once all is made but the rows; then the database is made anew.
/// Where it cannot be asked, it matters.
async fn order_matters(target: Target<'_>, before: Option<&Cluster>) -> Result<bool, Obstacle> {
    let Target { cx, server, dump, .. } = target;
    if !dump.contents.statements.bring_functions() {
        return Ok(false);
    }
    let program = Program {
        argv: messages::outlining(target.database, server.version(), COPY),
        env: messages::environment(server.restores_as_superuser()),
        connects: true,
        ..Program::default()
    };
    let asking = async {
        // Where not all of it is made, nothing can be told from what is.
        let ended = server.run(program, &mut |line| tracing::debug!("{line}")).await;
        ended.ok().filter(|code| *code == 0)?;
        let session = server.connect_info().database(target.database).connect().await.ok()?;
        catalog::order_matters(&session).await.ok()
    };
    let matters = unless_stopped(cx.stop, asking).await?.unwrap_or(true);
    again::start_again(target, before).await?;
    Ok(matters)
}

/// Runs pg_restore into the database over one connection, whose word counts.
async fn alone(target: Target<'_>) -> Attempted {
    let (mut restored, ended) = run(target, 1, None).await;
    let ended = match ended {
        Ok(None) => Ok(()),
        // What does not add up may be the server's end.
        Ok(Some(why)) => match target.server.connect_info().connect().await {
            Ok(_) => {
                restored.errors.push(messages::failed(&why));
                Ok(())
            }
            Err(error) => Err(target.cut_short(&format!("{why}; {}", pg::describe(&error))).await),
        },
        Err(cut) => Err(cut),
    };
    (restored, ended)
}

/// Runs pg_restore into the database: what it did, and what it did not come to its end for. What it
/// says that does not add up is given beside.
async fn run(
    target: Target<'_>,
    jobs: usize,
    early: Option<&EarlyItems>,
) -> (Restored, Result<Option<String>, Obstacle>) {
    let Target { cx, server, .. } = target;
    let program = Program {
        argv: messages::restoring(
            target.database,
            (jobs, early.is_some()),
            cx.is_without_owners(),
            COPY,
        ),
        env: messages::environment(server.restores_as_superuser()),
        connects: true,
        ..Program::default()
    };
    let mut restoring = Restoring::by(jobs).knowing(target.known());
    let mut said = |line: &str| {
        tracing::debug!("{line}");
        restoring.line(line);
        early.inspect(|early| early.line(line));
    };
    let reading = async {
        match early {
            Some(early) => early.read().await,
            None => std::future::pending().await,
        }
    };
    let ended = tokio::select! {
        biased;
        () = cx.stop.token().cancelled() => None,
        ended = server.run(program, &mut said) => Some(ended),
        never = watch(target) => match never {},
        never = reading => match never {},
    };
    let (restored, trouble) = match ended {
        None => return (restoring.so_far(), Err(interrupted(cx.stop))),
        Some(Err(error)) => (restoring.so_far(), error.to_string()),
        Some(Ok(code)) => match restoring.judge(code) {
            (restored, Judged::Clear) => return (restored, Ok(None)),
            (restored, Judged::Unclear(why)) => return (restored, Ok(Some(why))),
            (restored, Judged::Trouble(trouble)) => (restored, trouble),
        },
    };
    (restored, Err(target.cut_short(&trouble).await))
}

/// Asks the server from time to time how far the restore is. Never ends.
async fn watch(target: Target<'_>) -> std::convert::Infallible {
    tokio::time::sleep(PERIOD).await;
    // The restore itself finds out, and says, why a server does not answer.
    if let Ok(session) = target.server.connect_info().connect().await {
        while let Ok(progress) = how_far(&session, target.database).await {
            target.cx.events.emit(Event::Progress(progress));
            tokio::time::sleep(PERIOD).await;
        }
    }
    std::future::pending().await
}

/// As many connections as were asked for and the server has.
async fn jobs(target: Target<'_>) -> Result<usize, Obstacle> {
    let Target { cx, server, .. } = target;
    // pg_restore reads the tar format from its beginning to its end.
    if cx.backup.format() == Format::Tar {
        return Ok(1);
    }
    let sql = "SELECT pg_catalog.current_setting('max_connections')::int";
    let asking = async {
        let session = server.connect_info().connect().await?;
        session.query_one(sql, &[]).await?.try_get::<_, i32>(0)
    };
    match unless_stopped(cx.stop, asking).await? {
        Ok(most) => {
            let most = usize::try_from(most - SPARE).unwrap_or(1).max(1);
            Ok(cx.proof.jobs.min(most))
        }
        Err(error) => Err(target.cut_short(&pg::describe(&error)).await),
    }
}

/// Bytes of the database, and what is being done.
async fn how_far(session: &Session, database: &str) -> Result<Progress, tokio_postgres::Error> {
    let sql = "SELECT pg_catalog.pg_database_size($1::text::name), \
               (SELECT pg_catalog.left(query, 60) FROM pg_catalog.pg_stat_activity \
                WHERE datname = $1 AND state = 'active' AND application_name = 'ccc-backup' \
                  AND pid <> pg_catalog.pg_backend_pid() \
                ORDER BY query_start LIMIT 1)";
    let row = session.query_one(sql, &[&database]).await?;
    let (bytes, current): (i64, Option<String>) = (row.try_get(0)?, row.try_get(1)?);
    let current = current.and_then(|query| query.lines().next().map(str::to_owned));
    Ok(Progress { work: Work::Restoring, done: bytes.unsigned_abs(), total: None, current })
}
