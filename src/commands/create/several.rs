//! `create` of several databases: one backup after the other, each whatever came of the others.

use super::failing::{NOT_MADE, interrupted};
use super::together::{Together, is_same_server};
use super::{back_up, shown_database, shown_host};
use crate::commands::{Failure, Stop, reaching};
use crate::events::{CreateEvent, Event, Events};
use crate::libpq::settings::ConnectSettings;
use crate::model::creation::{CreateEnd, DatabaseBackup, Trouble};
use crate::settings::{CreateSettings, Several};
use crate::source::databases;

/// What is backed up, and what is left out.
struct Plan {
    backups: Vec<CreateSettings>,
    excluded: Vec<String>,
}

/// Backs up all that is meant, and gives what came of each, and what could not be had for all of them.
///
/// # Errors
/// Where it cannot be told which databases there are, or there is none.
pub(super) async fn run(
    (common, several): (&CreateSettings, &Several),
    together: Together,
    events: &Events,
    stop: &Stop,
) -> Result<(Vec<DatabaseBackup>, Vec<Trouble>), Failure> {
    let Plan { backups, excluded } = plan(common, several, events, stop).await?;
    let together = together.of(backups.iter());
    let is_here = |backup: &CreateSettings| is_same_server(backup, common);
    events.emit(Event::Create(CreateEvent::Planned {
        host: backups.iter().all(is_here).then(|| shown_host(common)),
        databases: backups.iter().map(shown_database).collect(),
        excluded,
    }));
    let mut ended = Vec::new();
    for (number, settings) in (1..).zip(&backups) {
        if stop.token().is_cancelled() {
            ended.push(not_reached(settings, stop));
            continue;
        }
        events.emit(Event::Create(CreateEvent::Begun {
            database: shown_database(settings),
            number,
            of: backups.len(),
        }));
        // What it may put on the stack does not add up.
        let (backup, result) = Box::pin(back_up(settings, &together, events, stop)).await;
        if let Err(failure) = result {
            let cause = format!("{}: {}", backup.database, failure.cause);
            events.emit(Event::Error { cause, hint: failure.hint });
        }
        ended.push(backup);
    }
    Ok((ended, together.troubles()))
}

fn not_reached(settings: &CreateSettings, stop: &Stop) -> DatabaseBackup {
    DatabaseBackup {
        database: shown_database(settings),
        host: shown_host(settings),
        backup: None,
        seconds: 0.0,
        end: CreateEnd::NotReached { why: stop.reason() },
    }
}

/// Which databases are meant: those of the configuration, and those of the server, where it is asked.
async fn plan(
    common: &CreateSettings,
    several: &Several,
    events: &Events,
    stop: &Stop,
) -> Result<Plan, Failure> {
    let there = match several.all {
        false => OfServer::default(),
        true => tokio::select! {
            biased;
            () = stop.token().cancelled() => return Err(interrupted(stop)),
            there = of_server(common) => there?,
        },
    };
    let is_excluded = |name: &str| several.exclude.iter().any(|pattern| pattern.fits(name));
    let mut plan = Plan { backups: Vec::new(), excluded: Vec::new() };
    for one in &several.configured {
        if is_excluded(&one.name) {
            plan.excluded.push(one.name.clone());
        } else {
            plan.backups.push(one.settings.clone());
        }
    }
    for name in &there.databases {
        let configured = several.configured.iter().find(|one| one.name == *name);
        match configured {
            Some(one) if one.is_elsewhere && !is_excluded(name) => {
                if !is_same_server(&one.settings, common) {
                    return Err(twice(name, common, &one.settings));
                }
            }
            Some(_) => {}
            None if is_excluded(name) => plan.excluded.push(name.clone()),
            None if *name == databases::FOR_CONNECTING && there.has_empty_one => {
                plan.excluded.push(format!("{name} (nothing is in it)"));
            }
            None => plan.backups.push(of_database(common, name)),
        }
    }
    for pattern in &several.exclude {
        if !plan.excluded.iter().any(|name| pattern.fits(name)) {
            let text = pattern.text();
            events.emit(Event::Warning(format!("--exclude-database {text} fits no database")));
        }
    }
    if plan.backups.is_empty() { Err(nothing(&plan.excluded)) } else { Ok(plan) }
}

/// The databases of a server.
#[derive(Default)]
struct OfServer {
    databases: Vec<String>,
    /// Whether nothing is in the one for connecting: a backup of that would be taken for one of the wrong database.
    has_empty_one: bool,
}

async fn of_server(common: &CreateSettings) -> Result<OfServer, Failure> {
    let (source, client) = reaching::reach(common.container.as_deref(), &common.source).await?;
    let pg_dump = client.pg_dump(common.pg_dump.as_deref()).await?;
    let psql = databases::psql(&pg_dump).await?;
    let databases = databases::databases(&source, &psql).await?;
    let is_there = databases.iter().any(|name| name == databases::FOR_CONNECTING);
    let source = ConnectSettings { dbname: Some(databases::FOR_CONNECTING.to_owned()), ..source };
    let has_empty_one = is_there && databases::is_empty(&source, &psql).await;
    Ok(OfServer { databases, has_empty_one })
}

fn of_database(common: &CreateSettings, name: &str) -> CreateSettings {
    let mut settings = common.clone();
    settings.source.dbname = Some(name.to_owned());
    settings
}

fn twice(name: &str, here: &CreateSettings, there: &CreateSettings) -> Failure {
    Failure {
        exit: 2,
        cause: format!(
            "{NOT_MADE}{name:?} is a database of {} and, by [[databases]], one of {}",
            shown_host(here),
            shown_host(there)
        ),
        hint: Some(
            "backups are told apart by the database's name: leave the one out of [[databases]], and back it up into a \
             directory of its own"
                .to_owned(),
        ),
        notes: Vec::new(),
    }
}

fn nothing(excluded: &[String]) -> Failure {
    let left_out = match excluded {
        [] => String::new(),
        names => format!(" ({} left out)", names.join(", ")),
    };
    Failure {
        exit: 2,
        cause: format!("{NOT_MADE}there is no database to back up{left_out}"),
        hint: Some("psql -l lists the databases of a server; name one with --dbname".to_owned()),
        notes: Vec::new(),
    }
}
