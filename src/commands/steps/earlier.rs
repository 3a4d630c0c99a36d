//! The rows of a backup against those of the last one of its database that passed.

use super::database::Checking;
use super::findings::Notes;
use super::obstacles::aside;
use crate::checks::change;
use crate::events::Event;
use crate::model::outcome::{CheckResult, Obstacle, Section};
use crate::store::earlier::{self, Earlier};

/// Compares them, where the configuration says how far apart they may be.
pub(in crate::commands) async fn check(checking: &Checking<'_>, notes: &mut Notes<'_>) {
    let cx = checking.cx;
    if cx.proof.changes.is_empty() || checking.without_rows {
        return;
    }
    cx.events.emit(Event::SectionStarted(Section::Earlier));
    let compared = compared(checking).await;
    notes.check(compared.unwrap_or_else(|obstacle| change::untold(&obstacle.cause)));
}

async fn compared(checking: &Checking<'_>) -> Result<CheckResult, Obstacle> {
    let cx = checking.cx;
    let Some(manifest) = cx.recorded() else {
        return Ok(change::not_compared("without a manifest, its database is not known"));
    };
    let (Some(database), made) = (manifest.source.database.clone(), manifest.outline.created_at)
    else {
        return Ok(change::not_compared("its manifest does not name its database"));
    };
    let (path, identities) = (cx.backup.path().to_owned(), cx.unsealing.identities.clone());
    let named = database.clone();
    let looking = move || earlier::last_passed(&path, made, &named, &identities);
    match aside(cx.stop, looking).await? {
        Err(error) => Ok(change::untold(&error.to_string())),
        Ok(None) => {
            let why = format!("none of {database} lies beside it that passed before");
            Ok(change::not_compared(&why))
        }
        Ok(Some(Earlier { path, manifest: before })) => {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let (now, before) = (&manifest.contents.tables, &before.contents.tables);
            Ok(change::judge(now, before, &name, &cx.proof.changes))
        }
    }
}
