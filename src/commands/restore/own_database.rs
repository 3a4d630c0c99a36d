//! What a dump says of the database that it makes by itself, given to the one that takes its place under another name:
//! owner, settings, privileges, comment. Where a database gives its name away, that one's are kept.

use crate::commands::steps::destined::{Destined, Way};
use crate::dump::own_database::{Deed, OfDatabase, OwnDatabase};
use crate::events::{Event, Events};

/// Gives the restored database what the dump says, but for its comment: until it is done it bears a mark.
pub(super) async fn give(destined: &Destined, own: &OwnDatabase, events: &Events) {
    if !is_taken(destined) {
        return;
    }
    let wanted = own.statements().filter(|of| of.deed != Deed::Comment);
    run(destined, wanted, destined.database(), events).await;
    if let Some(what) = own.left_out() {
        events.emit(Event::Warning(format!("not taken from the backup: {what}")));
    }
}

/// Gives the database its comment, when it has its name.
pub(super) async fn comment(destined: &Destined, own: &OwnDatabase, events: &Events) {
    if is_taken(destined) {
        let wanted = own.statements().filter(|of| of.deed == Deed::Comment);
        run(destined, wanted, destined.destination.name(), events).await;
    }
}

/// What a plan says of it.
pub(super) fn planned(destined: &Destined, own: &OwnDatabase) -> Option<String> {
    let name = own.alone().ok().flatten()?;
    let to = destined.destination.name();
    Some(if is_taken(destined) {
        format!(
            "{name} in the backup: its owner, settings, privileges and comment are given to {to}"
        )
    } else {
        format!("{name} in the backup: owner, settings, privileges and comment stay those of {to}")
    })
}

fn is_taken(destined: &Destined) -> bool {
    !matches!(destined.way, Way::Beside { gives_way: Some(_), .. })
}

async fn run<'a>(
    destined: &Destined,
    wanted: impl Iterator<Item = &'a OfDatabase>,
    on: &str,
    events: &Events,
) {
    let statements: Vec<String> = wanted.map(|of| of.on(on)).collect();
    for refused in destined.destination.try_each(&statements).await {
        events.emit(Event::Warning(format!("not taken from the backup: {refused}")));
    }
}
