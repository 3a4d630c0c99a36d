//! What a restore did so far.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Failure, LoadError, MOST_ERRORS, Place, Restored, tolerate};
use crate::dump::item::Statement;
use crate::pg::ServerError;

/// Errors that are kept.
const MOST_KEPT: usize = 1_000;

/// What a restore did so far, shared by its connections. Who has the restore done keeps it: what was
/// refused is proof, also when the restore is cut short afterwards.
#[derive(Debug, Clone, Default)]
pub struct Ledger(Arc<Mutex<Restored>>);

impl Ledger {
    /// What was done, with the errors in dump order; those of an archive in the order in which they
    /// were met, which is that of its restore.
    pub fn close(self) -> Restored {
        let mut restored =
            std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        restored.errors.sort_by_key(|failure| match failure.place {
            Place::Line(line) => line,
            Place::Entry(_) | Place::Unknown => 0,
        });
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
        let errors = self.refused_at(Place::Line(statement.line), statement, refusal);
        if errors < MOST_ERRORS { Ok(()) } else { Err(LoadError::GivenUp) }
    }

    /// Notes a refusal of a statement that stands there; gives how many errors there are.
    pub(super) fn refused_at(
        &self,
        place: Place,
        statement: &Statement,
        refusal: ServerError,
    ) -> usize {
        let mut errors = 0;
        if let Some(rule) = tolerate::rule(statement, &refusal) {
            tracing::info!(%place, %rule, error = refusal.message, "passed over");
            self.write(|restored| {
                *restored.tolerated.entry(rule).or_default() += 1;
                errors = restored.errors.len();
            });
            return errors;
        }
        let failure = Failure { place, ..Failure::of(statement, refusal) };
        tracing::error!("{failure}");
        self.write(|restored| {
            // pg_restore is not stopped when there is proof enough; more than these say no more.
            if restored.errors.len() < MOST_KEPT {
                restored.errors.push(failure);
            }
            errors = restored.errors.len();
        });
        errors
    }
}
