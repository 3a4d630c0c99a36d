//! What a restore did so far.

use std::sync::{Arc, Mutex, PoisonError};

use super::judgement::judge;
use super::known::Known;
use super::{Failure, LoadError, MOST_ERRORS, Place, Restored};
use crate::dump::item::Statement;
use crate::pg::ServerError;

/// Errors that are kept.
const MOST_KEPT: usize = 1_000;

/// What a restore did so far, shared by its connections. Who has the restore done keeps it: what was
/// refused is proof, also when the restore is cut short afterwards.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    restored: Arc<Mutex<Restored>>,
    known: Arc<Known>,
}

impl Ledger {
    /// Nothing was done so far of a dump of which this is known.
    #[must_use]
    pub fn of(known: Known) -> Self {
        Self { restored: Arc::default(), known: Arc::new(known) }
    }

    /// What was done, with the errors in dump order; those of an archive in the order in which they
    /// were met, which is that of its restore.
    pub fn close(self) -> Restored {
        let mut restored =
            std::mem::take(&mut *self.restored.lock().unwrap_or_else(PoisonError::into_inner));
        restored.settle();
        restored
    }

    /// From here on, the dump's order is not kept.
    pub(super) fn leave_order(&self) {
        self.write(|restored| {
            restored.in_order.get_or_insert(restored.errors.len());
        });
    }

    /// Notes something.
    pub(super) fn write(&self, note: impl FnOnce(&mut Restored)) {
        note(&mut self.restored.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Notes a refusal: harmless, for want of something, or proof that the backup is bad.
    ///
    /// # Errors
    /// When there is proof enough.
    pub(super) fn refused(
        &self,
        statement: &Statement,
        refusal: ServerError,
    ) -> Result<(), LoadError> {
        let refusals = self.refused_at(Place::Line(statement.line), statement, refusal);
        if refusals < MOST_ERRORS { Ok(()) } else { Err(LoadError::GivenUp) }
    }

    /// Notes a refusal at a place, and gives how many there are that matter. The first ones are kept.
    pub(super) fn refused_at(
        &self,
        place: Place,
        statement: &Statement,
        refusal: ServerError,
    ) -> usize {
        let judgement = judge(statement, &refusal, &self.known);
        let failure = Failure { place, ..Failure::of(statement, refusal) };
        let mut refusals = 0;
        self.write(|restored| {
            if restored.refusals() < MOST_KEPT {
                restored.note(judgement, statement, failure);
            }
            refusals = restored.refusals();
        });
        refusals
    }
}
