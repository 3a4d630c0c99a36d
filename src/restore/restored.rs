//! What a restore did: what was refused, and what that says.

use std::collections::BTreeMap;

use super::failure::{Failure, Place};
use super::judgement::Judgement;
use super::lacking::Lacking;
use super::tolerate::Rule;
use crate::dump::item::Statement;
use crate::dump::items::Unsound;

/// What a restore did.
#[derive(Debug, Default)]
pub struct Restored {
    /// Errors that prove the backup bad, in dump order.
    pub errors: Vec<Failure>,
    /// How many of them, from the first, were met in the dump's order, where others came after that
    /// order was left.
    pub(super) in_order: Option<usize>,
    /// Refusals of which the reason is that the server lacks something, in dump order: neither for nor
    /// against the backup.
    pub lacking: Vec<Lacking>,
    /// Refusals that come of those: what they lost is not there.
    pub follow_ups: usize,
    /// Harmless errors passed over, by rule.
    pub tolerated: BTreeMap<Rule, usize>,
    /// Why the dump ended early, where it did.
    pub unsound: Option<Unsound>,
    /// Statements sent, COPY blocks among them.
    pub statements: u64,
    /// Rows that the server took.
    pub rows: u64,
}

impl Restored {
    /// Errors that a restore in the dump's order, over one connection, meets, too.
    pub fn proof(&self) -> &[Failure] {
        &self.errors[..self.in_order.unwrap_or(self.errors.len()).min(self.errors.len())]
    }

    /// The first error that several connections met and that nothing but our own order of things may
    /// have caused.
    pub fn doubt(&self) -> Option<&Failure> {
        self.errors.get(self.proof().len())
    }

    /// Forgets the errors that prove nothing.
    pub fn keep_proof(&mut self) {
        self.errors.truncate(self.proof().len());
    }

    /// Adds proof that another attempt met and this one did not come to.
    pub fn add_proof(&mut self, of: &Self) {
        for failure in of.proof() {
            if self.errors.iter().all(|known| known.place != failure.place) {
                self.errors.push(failure.clone());
            }
        }
        self.errors.sort_by_key(|failure| failure.place);
    }

    /// Whether something was refused that proves the backup bad, or that leaves it untold.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        !self.errors.is_empty() || !self.lacking.is_empty()
    }

    /// How many statements were refused for a reason that matters.
    pub fn refusals(&self) -> usize {
        self.errors.len() + self.lacking.len() + self.follow_ups
    }

    /// Notes a refusal as it was judged.
    pub(super) fn note(&mut self, judgement: Judgement, statement: &Statement, failure: Failure) {
        match judgement {
            Judgement::Harmless(rule) => {
                let (place, error) = (failure.place, failure.error.message);
                tracing::info!(%place, %rule, error, "passed over");
                *self.tolerated.entry(rule).or_default() += 1;
            }
            Judgement::Lacking(lack) => {
                tracing::warn!(%lack, "{failure}");
                self.lacking.push(Lacking::new(lack, statement, failure));
            }
            // What an archive's restore meets comes in its order.
            Judgement::Proof
                if !matches!(failure.place, Place::Line(_))
                    && self.lacking.iter().any(|lacking| lacking.explains(&failure.error)) =>
            {
                tracing::warn!("{failure}");
                self.follow_ups += 1;
            }
            Judgement::Proof => {
                tracing::error!("{failure}");
                self.errors.push(failure);
            }
        }
    }

    /// Puts everything in dump order, and takes the errors that come of what was lacking before them out
    /// of those that prove something.
    pub(super) fn settle(&mut self) {
        // Those of an archive are in order.
        let line = |failure: &Failure| match failure.place {
            Place::Line(line) => line,
            Place::Entry(_) | Place::Unknown => 0,
        };
        self.lacking.sort_by_key(|lacking| line(&lacking.failure));
        self.errors.sort_by_key(line);
        let follows = |failure: &Failure| {
            let earlier = |lacking: &&Lacking| line(&lacking.failure) < line(failure);
            let mut earlier = self.lacking.iter().take_while(earlier);
            earlier.any(|lacking| lacking.explains(&failure.error))
        };
        let before = self.errors.len();
        let in_order = self.in_order.map(|count| {
            let in_order = &self.errors[..count.min(before)];
            in_order.iter().filter(|failure| !follows(failure)).count()
        });
        let errors = std::mem::take(&mut self.errors);
        self.errors = errors.into_iter().filter(|failure| !follows(failure)).collect();
        self.in_order = in_order;
        self.follow_ups += before - self.errors.len();
    }
}
