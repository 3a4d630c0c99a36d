//! Verifies every exhibit, several at a time.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{Outcome, Place};

/// Exhibits verified at a time: a run mostly waits for its container.
const VISITORS: usize = 4;

/// A backup to be verified.
pub trait Exhibit: Sync + Send {
    /// Verifies it.
    fn verify(&self, place: &Place) -> Found;
    /// What is wrong with what was found.
    fn complaint(&self, found: &Found) -> Option<String>;
}

/// What came of an exhibit.
#[derive(Debug)]
pub struct Found {
    /// The run; of several files, the first that is not as it should be, else the last.
    pub outcome: Outcome,
    /// No server was needed.
    pub by_reading: bool,
}

impl Found {
    /// Why the backup was called bad, or what stood in the way: the lines below the verdict.
    pub fn causes(&self) -> Vec<&str> {
        let lines = self.outcome.stdout.lines();
        let after = lines.skip_while(|line| !line.contains("VERIFICATION SUMMARY"));
        after
            .skip_while(|line| !["✅", "❌", "⚠️"].iter().any(|mark| line.starts_with(mark)))
            .skip(1)
            .take_while(|line| !line.starts_with("Not proven:") && !line.starts_with("===="))
            .collect()
    }

    /// What a passed verdict does not cover.
    pub fn not_proven(&self) -> Vec<&str> {
        self.outcome.stdout.lines().filter_map(|line| line.strip_prefix("Not proven: ")).collect()
    }
}

/// An exhibit and what came of it.
pub struct Visited<E> {
    /// The exhibit.
    pub exhibit: E,
    /// What came of it.
    pub found: Found,
}

impl<E: Exhibit> Visited<E> {
    /// What is wrong with what was found.
    pub fn complaint(&self) -> Option<String> {
        self.exhibit.complaint(&self.found)
    }
}

/// Verifies all, and gives them in their order.
pub fn visit<E: Exhibit>(exhibits: Vec<E>) -> Vec<Visited<E>> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..VISITORS {
            scope.spawn(|| {
                // One place for many runs: each finds what the one before it left behind, if any.
                let place = Place::on_a_lent_server();
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(exhibit) = exhibits.get(index) else { break };
                    place.goes_on();
                    let found = exhibit.verify(&place);
                    results.lock().unwrap().push((index, found));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap();
    results.sort_by_key(|(index, _)| *index);
    let found = results.into_iter().map(|(_, found)| found);
    exhibits.into_iter().zip(found).map(|(exhibit, found)| Visited { exhibit, found }).collect()
}
