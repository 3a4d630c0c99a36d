//! What a restore did so far.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Failure, LoadError, MOST_ERRORS, Restored, tolerate};
use crate::dump::item::Statement;
use crate::pg::ServerError;

/// What a restore did so far, shared by its connections. Who has the restore done keeps it: what was
/// refused is proof, also when the restore is cut short afterwards.
#[derive(Debug, Clone, Default)]
pub struct Ledger(Arc<Mutex<Restored>>);

impl Ledger {
    /// What was done, with the errors in dump order.
    pub fn close(self) -> Restored {
        let mut restored =
            std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        restored.errors.sort_by_key(|failure| failure.place);
        restored
    }

    /// From here on, the dump's order is not kept.
    pub(super) fn leaves_order(&self) {
        self.write(|restored| {
            restored.in_order.get_or_insert(restored.errors.len());
        });
    }

    /// Notes something.
    pub(super) fn write(&self, note: impl FnOnce(&mut Restored)) {
        note(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Notes a refusal: harmless, or proof that the backup is bad.
    ///
    /// # Errors
    /// When there is proof enough.
    pub(super) fn refused(
        &self,
        statement: &Statement,
        refusal: ServerError,
    ) -> Result<(), LoadError> {
        if let Some(rule) = tolerate::rule(statement, &refusal) {
            tracing::info!(line = statement.line, %rule, error = refusal.message, "passed over");
            self.write(|restored| *restored.tolerated.entry(rule).or_default() += 1);
            return Ok(());
        }
        let failure = Failure::of(statement, refusal);
        tracing::error!("{failure}");
        let mut errors = 0;
        self.write(|restored| {
            restored.errors.push(failure);
            errors = restored.errors.len();
        });
        if errors < MOST_ERRORS { Ok(()) } else { Err(LoadError::GivenUp) }
    }
}
