//! What an earlier run left: found by its mark, and told from what is at work by the lock on the name.

use super::mark::{Mark, State};
use super::{Destination, DestinationError, names};

impl Destination {
    /// The databases that bear a mark of a restore into the name at hand, the newest first.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn marked(
        &self,
        state: State,
    ) -> Result<Vec<(super::Found, Mark)>, DestinationError> {
        let databases = self.databases().await?;
        let marked = databases.into_iter().filter_map(|found| {
            let mark = found.mark()?;
            (mark.state == state && mark.name == self.name()).then_some((found, mark))
        });
        let mut marked: Vec<_> = marked.collect();
        marked.sort_by_key(|(_, mark)| std::cmp::Reverse(mark.since));
        Ok(marked)
    }

    /// Drops what a run left that ended before its time: the lock is ours, so nobody works at it.
    ///
    /// # Errors
    /// When the server refuses, or a proven database waits for its name: that is no leftover.
    pub async fn clear_leftovers(&self) -> Result<(), DestinationError> {
        if let Some((found, mark)) = self.marked(State::Proven).await?.first() {
            let cause = format!(
                "{} waits for the name {}: restored from {} and proven by an earlier run, {} UTC",
                found.name,
                self.name(),
                mark.backup,
                mark.since.format("%Y-%m-%d %H:%M:%S")
            );
            let hint = "give it the name: restore --complete; or remove it: restore --undo";
            return Err(DestinationError::new(cause, hint));
        }
        for database in self.unfinished().await? {
            tracing::info!(database, "an earlier run was cut short: dropped");
            self.drop(&database).await?;
        }
        Ok(())
    }

    /// The databases of runs that ended before their time: those that bear the mark, and those that were
    /// not yet given it, which have such a name, no comment, and nothing in them.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn unfinished(&self) -> Result<Vec<String>, DestinationError> {
        let marked = self.marked(State::Restoring).await?;
        let mut unfinished: Vec<String> = marked.into_iter().map(|(found, _)| found.name).collect();
        for found in self.databases().await? {
            let unmarked = found.comment.is_none() && found.takes_connections && found.is_ours;
            if unmarked
                && names::is_beside(&found.name, self.name(), names::RESTORING)
                && self.count_objects(&found.name).await? == 0
            {
                unfinished.push(found.name);
            }
        }
        Ok(unfinished)
    }
}
