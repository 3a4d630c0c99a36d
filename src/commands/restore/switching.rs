//! The switch: the proven database takes its name. And the ways to take that back, or to do it later.

use super::asking::{Answer, ask};
use super::failing::failure;
use crate::commands::steps::context::Context;
use crate::commands::steps::destined::{Destined, Way};
use crate::commands::steps::obstacles::{interrupted, obstacle};
use crate::commands::{Failure, Stop};
use crate::destination::mark::{Mark, State};
use crate::destination::{Destination, DestinationError, Found, Standing, Switch, names};
use crate::events::{Event, Events, RestoreEvent, Restored};
use crate::model::outcome::{Obstacle, counted};
use crate::settings::RestoreSettings;

/// What a database is called that gave its name to a restored one.
const BEFORE: &str = "before";
/// What a restored one is called that gave the name back.
const UNDONE: &str = "undone";

/// Gives the database its name.
pub(super) async fn switch(
    cx: Context<'_>,
    destined: &Destined,
    settings: &RestoreSettings,
) -> Result<Restored, Obstacle> {
    let Destined { destination, way, mark } = destined;
    let Way::Beside { working, gives_way } = way else {
        return Ok(Restored { database: destination.name().to_owned(), before: None });
    };
    if cx.stop.token().is_cancelled() {
        return Err(interrupted(cx.stop));
    }
    let (comment, backup) = (gives_way.as_ref().and_then(Found::own_comment), &mark.backup);
    let switch = Switch {
        from: working,
        comment: comment.as_deref(),
        gives_way: gives_way.as_ref(),
        aside: BEFORE,
        backup,
        at: mark.since,
    };
    do_it(destination, &switch, settings.yes, cx.events, cx.stop).await
}

/// Does the switch that an earlier run did not come to.
pub(super) async fn complete(
    settings: &RestoreSettings,
    events: &Events,
    stop: &Stop,
) -> Result<(), Failure> {
    let destination = reach(settings).await?;
    let proven = destination.marked(State::Proven).await.map_err(failure)?;
    let Some((found, mark)) = proven.first() else {
        return Err(failure(DestinationError::new(
            format!("no proven database waits for the name {}", destination.name()),
            "restore one: ccc-backup restore --latest --swap",
        )));
    };
    let old = standing(&destination).await?;
    let comment = old.as_ref().and_then(Found::own_comment);
    let switch = Switch {
        from: &found.name,
        comment: comment.as_deref(),
        gives_way: old.as_ref(),
        aside: BEFORE,
        backup: &mark.backup,
        at: mark.since,
    };
    let switched = do_it(&destination, &switch, settings.yes, events, stop).await;
    tell(switched, &found.name, events)
}

/// Takes the last switch back; or drops what was proven and never got its name.
pub(super) async fn undo(
    settings: &RestoreSettings,
    events: &Events,
    stop: &Stop,
) -> Result<(), Failure> {
    let destination = reach(settings).await?;
    let proven = destination.marked(State::Proven).await.map_err(failure)?;
    let mut dropped: Vec<String> = proven.into_iter().map(|(found, _)| found.name).collect();
    dropped.extend(destination.unfinished().await.map_err(failure)?);
    if !dropped.is_empty() {
        for database in dropped {
            destination.drop(&database).await.map_err(failure)?;
            events.emit(Event::Restore(RestoreEvent::Dropped { database }));
        }
        return Ok(());
    }
    // Without a session in it, which would be taken for one of somebody else.
    let databases = destination.databases().await.map_err(failure)?;
    let named = databases.iter().find(|found| found.name == destination.name());
    if let Some(mark) = named.and_then(Found::half_filled) {
        return empty_again(&destination, &mark, settings, events, stop).await;
    }
    let before = destination.marked(State::Before).await.map_err(failure)?;
    let Some((found, mark)) = before.first() else {
        return Err(failure(DestinationError::new(
            format!(
                "no database gave the name {} away that could have it back",
                destination.name()
            ),
            "psql --list shows the databases that there are",
        )));
    };
    let old = standing(&destination).await?;
    let switch = Switch {
        from: &found.name,
        comment: mark.comment.as_deref(),
        gives_way: old.as_ref(),
        aside: UNDONE,
        backup: &mark.backup,
        at: settings.destination.since,
    };
    let switched = do_it(&destination, &switch, settings.yes, events, stop).await;
    tell(switched, &found.name, events)
}

/// Removes what a restore put into the database of the name that was cut short, and nothing that was there before.
async fn empty_again(
    destination: &Destination,
    mark: &Mark,
    settings: &RestoreSettings,
    events: &Events,
    stop: &Stop,
) -> Result<(), Failure> {
    let name = destination.name();
    destination.end_own_sessions(name).await.map_err(failure)?;
    let sessions = destination.sessions(name).await.map_err(failure)?;
    if let Some(first) = sessions.first().filter(|_| !settings.yes) {
        let many = counted(sessions.len() as u64, "session");
        let question = format!(
            "{many} of {name} may use what the restore left ({first} the first). Remove it? [y/N] "
        );
        if ask(question, events, stop).await != Answer::Yes {
            let cause =
                format!("{many} of {name} may use what the restore left, {first} the first");
            let hint = "have it removed all the same: ccc-backup restore --undo --yes";
            return Err(failure(DestinationError::new(cause, hint)));
        }
    }
    let had = mark.had.as_deref().cloned().unwrap_or_default();
    destination.empty(name, &had).await.map_err(failure)?;
    destination.unmark(name, mark).await.map_err(failure)?;
    events.emit(Event::Restore(RestoreEvent::Emptied { database: name.to_owned() }));
    Ok(())
}

async fn reach(settings: &RestoreSettings) -> Result<Destination, Failure> {
    names::check(&settings.destination.name).map_err(failure)?;
    Destination::reach(&settings.destination).await.map_err(failure)
}

/// The database that has the name, where there is one.
async fn standing(destination: &Destination) -> Result<Option<Found>, Failure> {
    Ok(match destination.standing().await.map_err(failure)? {
        Standing::Missing => None,
        Standing::Empty(found) | Standing::Filled(found, _) => Some(found),
    })
}

/// The switch, once whoever uses the old database was asked about or need not be.
async fn do_it(
    destination: &Destination,
    switch: &Switch<'_>,
    yes: bool,
    events: &Events,
    stop: &Stop,
) -> Result<Restored, Obstacle> {
    let untold = |error: DestinationError| match switch.aside {
        UNDONE => obstacle(&error, error.hint()),
        _ => waiting(&error, switch.from),
    };
    let name = destination.name();
    if switch.gives_way.is_some() {
        destination.check_holders(name).await.map_err(untold)?;
        let sessions = destination.sessions(name).await.map_err(untold)?;
        if let Some(first) = sessions.first().filter(|_| !yes) {
            let many = counted(sessions.len() as u64, "session");
            let question =
                format!("{many} of {name} will be ended ({first} the first). Switch? [y/N] ");
            match ask(question, events, stop).await {
                Answer::Yes => {}
                answer => {
                    let why = match answer {
                        Answer::Nobody => "and nobody is there to be asked",
                        _ => "and they were not to be",
                    };
                    let cause = format!(
                        "{many} of {name} would be ended, {why}: {} waits for the name",
                        switch.from
                    );
                    let hint = match switch.aside {
                        UNDONE => "end them: ccc-backup restore --undo --yes",
                        _ => {
                            "give it the name: ccc-backup restore --complete --yes; or remove it: \
                             ccc-backup restore --undo"
                        }
                    };
                    return Err(obstacle(&cause, hint));
                }
            }
        }
        if switch.aside == BEFORE {
            let refused = destination.give_properties(name, switch.from).await.map_err(untold)?;
            for refusal in refused {
                events.emit(Event::Warning(format!("not taken over from {name}: {refusal}")));
            }
        }
    }
    let switched = destination.switch(switch).await.map_err(untold)?;
    Ok(Restored { database: name.to_owned(), before: switched.aside })
}

/// Why a proven database has not got its name, and how it gets it.
fn waiting(error: &DestinationError, from: &str) -> Obstacle {
    let hint = match error.hint() {
        hint if hint.contains("--complete") => hint.to_owned(),
        hint => format!(
            "{hint}; then give it the name: ccc-backup restore --complete, or remove it: --undo"
        ),
    };
    obstacle(&format!("{error}: {from} waits for the name"), &hint)
}

fn tell(switched: Result<Restored, Obstacle>, from: &str, events: &Events) -> Result<(), Failure> {
    match switched {
        Ok(restored) => {
            let from = from.to_owned();
            events.emit(Event::Restore(RestoreEvent::Switched { from, restored }));
            Ok(())
        }
        Err(Obstacle { cause, hint }) => Err(Failure { exit: 2, cause, hint, notes: Vec::new() }),
    }
}
