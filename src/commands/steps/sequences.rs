//! The sequences of a restored database, against the dump and the manifest.

use super::database::RestoredDatabase;
use super::findings::Notes;
use crate::checks::{CheckError, event_triggers, sequences};
use crate::config::OnFinding;
use crate::model::outcome::Status;

/// Compares the states of all sequences, and looks whether one is behind the column that it feeds.
/// `added` are the tables that event triggers added rows to.
pub(in crate::commands) async fn check(
    database: &RestoredDatabase<'_>,
    added: &[String],
    notes: &mut Notes<'_>,
) -> Result<(), CheckError> {
    let RestoredDatabase { checking, session, dump, .. } = database;
    let cx = checking.cx;
    let in_dump = &dump.sequences;
    let recorded = cx.recorded().map(|manifest| manifest.contents.sequences.clone());
    let mut restored = sequences::states(session).await?;
    let wanted = cx.proof.sequences != OnFinding::Off;
    let feeds =
        if wanted || !added.is_empty() { sequences::feeds(session).await? } else { Vec::new() };
    for sequence in event_triggers::take_back(&mut restored, in_dump, &feeds, added) {
        tracing::info!(sequence, "moved on by rows that event triggers added");
    }
    for (index, set) in in_dump.iter().enumerate() {
        if let Some(moved) = dump.moved(index)
            && let Some(state) =
                restored.iter_mut().find(|of| (&of.schema, &of.name) == (&set.schema, &set.name))
            && state != set
        {
            notes.not_proven(format!("state of {}: {moved}", set.display_name()));
            state.clone_from(set);
        }
    }
    notes.check(sequences::judge_states(&restored, in_dump, recorded.as_deref()));
    if !wanted {
        return Ok(());
    }
    // A dump says itself of a sequence that nothing was ever taken of it: who filled its column did so
    // without it. pg_dump writes no state of most of the extensions' sequences.
    let was_so = |feed: &sequences::Feed| {
        feed.is_extensions
            || recorded.as_ref().is_some_and(|recorded| feed.is_in(recorded))
            || feed.is_untouched && feed.is_in(in_dump)
    };
    let check = sequences::judge_feeds(&feeds, was_so);
    if cx.proof.sequences == OnFinding::Warn && check.status == Status::Failed {
        notes.warn(check.title);
    } else {
        notes.check(check);
    }
    Ok(())
}
