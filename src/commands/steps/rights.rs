//! Says that a dump takes rights from the role that most would restore it as.

use super::findings::Notes;
use crate::dump::contents::Contents;

/// Warns where the dump takes something from `postgres`: we restore it as another role, and do not
/// meet what psql meets.
pub(in crate::commands) fn note_taken(contents: &Contents, notes: &mut Notes<'_>) {
    let Some((line, taken)) = contents.statements.taken_from_superuser() else { return };
    notes.warn(format!(
        "line {line} takes {taken} from the role postgres, and who restores the backup by psql as \
         that role is refused what follows: restore it as another superuser"
    ));
    notes.not_proven(
        "that psql restores it as postgres: it takes from that role what the rest needs",
    );
}
