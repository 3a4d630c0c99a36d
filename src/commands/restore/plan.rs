//! What a restore is going to do, and what it will meet, told before it does anything.

use std::collections::BTreeSet;

use super::{foretold, own_database};
use crate::commands::globals;
use crate::commands::inspect::Inspection;
use crate::commands::signature;
use crate::commands::steps::context::Context;
use crate::commands::steps::destined::{Destined, Way};
use crate::commands::steps::early::{self, size};
use crate::commands::steps::expecting;
use crate::commands::steps::obstacles::obstacle;
use crate::destination::DestinationError;
use crate::dump::roles;
use crate::events::{Event, RestorePlan};
use crate::model::outcome::{Obstacle, Verdict, counted, spoken};
use crate::settings::{Deed, RestoreSettings};
use crate::store::globals::globals_path;
use crate::store::naming::directory_of;
use crate::store::{StoreError, nearby, proof, small};

/// A backup that a run has proven bad is not restored, unless that is asked for.
pub(super) fn check_history(cx: Context<'_>, settings: &RestoreSettings) -> Result<(), Obstacle> {
    if settings.force {
        return Ok(());
    }
    let path = cx.backup.path();
    // What cannot be read of the history says nothing.
    let Ok(nearby) = nearby::read(directory_of(path)) else { return Ok(()) };
    let recorded = cx.manifest.map(|manifest| manifest.outline.sha256());
    let backup = proof::Backup { path, bytes: cx.backup.bytes(), recorded: recorded.as_deref() };
    match nearby.memory.of_backup(&backup).verdict() {
        Some(judged) if judged.verdict == Verdict::Failed => {
            let cause = format!(
                "{} was proven bad by the verification of {} UTC",
                path.display(),
                judged.at.format("%Y-%m-%d %H:%M:%S")
            );
            let hint =
                "take an older one (ccc-backup list), or restore this one all the same: --force";
            Err(obstacle(&cause, hint))
        }
        _ => Ok(()),
    }
}

/// Finds out what will be done and met.
///
/// # Errors
/// When the server cannot be asked, or will not have room for it.
pub(super) async fn make(
    cx: Context<'_>,
    destined: &Destined,
    dump: &Inspection,
    settings: &RestoreSettings,
) -> Result<RestorePlan, Obstacle> {
    let untold = |error: DestinationError| obstacle(&error, error.hint());
    let destination = &destined.destination;
    let facts = destination.facts();
    let mut lines = Vec::new();
    let mut say = |label: &'static str, text: String| lines.push((label, text));
    let service = facts.service.map_or_else(String::new, |service| format!(", on {service}"));
    say("Server", format!("PostgreSQL {}{service}, as {}", facts.version, facts.user));
    match &destined.way {
        Way::Into { .. } => {
            say("Into", format!("{}, which is there and empty", destination.name()))
        }
        Way::Beside { working, gives_way: None } => {
            say(
                "Into",
                format!("{working}, which becomes {} when it is proven", destination.name()),
            );
        }
        Way::Beside { working, gives_way: Some(_) } => {
            let name = destination.name();
            let sessions = destination.sessions(name).await.map_err(untold)?.len() as u64;
            let size = destination.size_of(name).await.map_err(untold)?;
            let size = size.map_or_else(String::new, |bytes| {
                format!("{}, ", early::size(bytes.unsigned_abs()))
            });
            say("Into", format!("{working}, which becomes {name} when it is proven"));
            say("Set aside", format!("the {name} in use ({size}{})", counted(sessions, "session")));
        }
    }
    if let Some(text) = own_database::planned(destined, &dump.own_database) {
        say("Database", text);
    }
    let recorded = cx.manifest.and_then(|manifest| manifest.source.database_bytes);
    let needed = recorded.unwrap_or(dump.dump_bytes);
    say("Space needed", format!("about {}", size(needed)));
    let free = early::room(destination, needed, settings.force).await.map_err(untold)?;
    if let Some(free) = free {
        say("Space free", size(free));
    }
    let lacking = destination.lacking(&dump.requirements.extensions).await;
    let mut lacking = lacking.map_err(untold)?;
    if let Way::Into { had, .. } = &destined.way {
        lacking.privileged.retain(|name| !had.has_extension(name));
    }
    if !lacking.extensions.is_empty() {
        say("Extensions missing", lacking.extensions.join(", "));
    }
    if !lacking.privileged.is_empty() {
        say("Extensions that only a superuser makes", lacking.privileged.join(", "));
    }
    let roles = facts.roles_missing(dump.requirements.all_roles());
    if !roles.is_empty() && settings.globals {
        globals_of(cx)?;
        let (named, path) = (list(&roles), globals_path(cx.backup.path()));
        let text = match settings.deed {
            Deed::Plan => format!("{named}: would be made from {}", path.display()),
            _ => format!("{named}: made from {}, without passwords", path.display()),
        };
        say("Roles", text);
    } else if !roles.is_empty() {
        say(
            "Roles missing",
            format!(
                "{}: what they own is {}'s, and they get no privileges",
                list(&roles),
                facts.user
            ),
        );
    }
    let questions = cx.proof.questions.len() as u64;
    if questions > 0 {
        let checks = counted(questions, "check");
        say("Asked", format!("{checks} of your own, before anybody is given it"));
    }
    for line in refusals(destined, dump).await.map_err(untold)? {
        say("Will be refused", line);
    }
    if let Some(cure) = facts
        .service
        .map(|service| service.cure())
        .filter(|_| !lacking.extensions.is_empty() || !lacking.privileged.is_empty())
    {
        say("What helps", cure.to_owned());
    }
    if let Some(time) = expecting::restore_time(cx) {
        let late = settings.rto.filter(|allowed| time > *allowed);
        let late =
            late.map(|allowed| format!(", longer than the {} allowed (--rto)", spoken(allowed)));
        let late = late.unwrap_or_default();
        say("Time", format!("about {}, as restores before it took{late}", spoken(time)));
    }
    Ok(RestorePlan { lines, is_all: settings.deed == Deed::Plan })
}

/// The statements that the server will refuse: some labels to everybody, others to all but superusers.
async fn refusals(destined: &Destined, dump: &Inspection) -> Result<Vec<String>, DestinationError> {
    let destination = &destined.destination;
    let facts = destination.facts();
    let database = match destined.way {
        Way::Into { .. } => Some(destination.name()),
        Way::Beside { .. } => None,
    };
    let statements = dump.privileged.list();
    let labels = destination.labels_refused(database, &foretold::labels(statements)).await?;
    let rights = match facts.is_superuser {
        true => None,
        false => Some(destination.rights(database).await?),
    };
    Ok(foretold::lines(statements, facts, rights.as_ref(), &labels))
}

/// Makes the roles that are missing from the globals beside the backup. Gives which.
pub(super) async fn make_roles(
    cx: Context<'_>,
    destined: &Destined,
    dump: &Inspection,
) -> Result<BTreeSet<String>, Obstacle> {
    let missing = destined.destination.facts().roles_missing(dump.requirements.all_roles());
    if !missing.is_empty() {
        let statements = roles::statements(&globals_of(cx)?, &missing);
        for refused in destined.destination.try_each(&statements).await {
            cx.events.emit(Event::Warning(format!("not taken from the globals: {refused}")));
        }
    }
    Ok(missing)
}

/// The SQL of the globals beside the backup, which are the signed ones where that is asked for.
fn globals_of(cx: Context<'_>) -> Result<Vec<u8>, Obstacle> {
    let path = globals_path(cx.backup.path());
    let sql = globals::read(cx.backup.path(), cx.unsealing).map_err(|error| {
        let cause = format!("there are no globals to make roles from: {}: {error}", path.display());
        obstacle(&cause, "leave out --globals, or make the roles by hand")
    })?;
    if let Some(manifest) = cx.manifest.filter(|_| cx.proof.allowed_signers.is_some()) {
        // As it lies there, encrypted or not.
        let unread = |error: StoreError| obstacle(&error, &error.hint().unwrap_or_default());
        let bytes = small::read_globals(&path).map_err(unread)?.unwrap_or_default();
        if let Some(defect) = signature::globals_defect(&path, &bytes, &manifest.outline) {
            return Err(Obstacle { cause: defect.cause, hint: defect.hint });
        }
    }
    Ok(sql)
}

fn list(names: &BTreeSet<String>) -> String {
    const SHOWN: usize = 10;
    let shown: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
