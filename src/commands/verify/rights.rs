//! Says that a dump takes rights from the role that most would restore it as.

use super::Run;
use crate::commands::inspect::Inspection;

impl Run<'_> {
    /// Warns where the dump takes something from `postgres`: we restore it as another role, and do not
    /// meet what psql meets.
    pub(super) fn tell_taken_rights(&mut self, inspection: &Inspection) {
        let Some((line, taken)) = inspection.contents.statements.taken_from_superuser() else {
            return;
        };
        self.warn(format!(
            "line {line} takes {taken} from the role postgres, and who restores the backup by psql as \
             that role is refused what follows: restore it as another superuser"
        ));
        self.report.not_proven.push(
            "that psql restores it as postgres: it takes from that role what the rest needs"
                .to_owned(),
        );
    }
}
