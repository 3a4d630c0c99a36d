//! What all of this does not show.

use maud::{Markup, html};

use super::parts::list;
use super::tried::Tried;
use super::{Evidence, Subject};

/// What no verification covers.
const LIMITS: [&str; 3] = [
    "That all that is needed is in the backups: other databases, roles and excluded tables are not in a dump.",
    "Anything against somebody who can change a backup and its manifest, unless signatures were asked for.",
    "That a restore elsewhere takes as long: it was measured in a throwaway server, without the start of that.",
];

/// The section.
pub(super) fn section(evidence: &Evidence<'_>, tried: &[Tried<'_>]) -> Markup {
    let mut open = Vec::new();
    if let Subject::Drill(drill) = evidence.subject {
        for place in &drill.places {
            let why = place.obstacle.iter().map(|obstacle| obstacle.cause.clone());
            open.extend(why.map(|why| format!("Anything in {}: {why}.", place.place)));
        }
        let there: usize = drill.places.iter().map(|place| place.backups).sum();
        if there > tried.len() {
            open.push(format!(
                "Anything of the {} backups that were not in the sample of {}.",
                there - tried.len(),
                tried.len()
            ));
        }
        if drill.file_only {
            open.push(
                "That any backup restores: bytes were compared, and nothing else.".to_owned(),
            );
        }
    }
    for one in tried {
        if let Err(why) = one.end {
            open.push(format!(
                "Anything of {} in {}, which was not reached: {why}.",
                one.name, one.place
            ));
        }
    }
    for place in &evidence.on_record.places {
        let unread = place.unread.iter();
        open.extend(unread.map(|why| format!("What lies in {}: {why}.", place.place.display())));
    }
    open.dedup();
    open.extend(LIMITS.map(str::to_owned));
    html! {
        section {
            h2 { "What this does not prove" }
            (list("open", &open))
        }
    }
}
