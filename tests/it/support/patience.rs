//! Waiting for what should come soon: what does not is a failure, and never a test that hangs.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Once};
use std::time::{Duration, Instant};

use super::is_long;

/// Longer than anything takes that is waited for, on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(20);
/// Longer than any test takes, or any part of one that goes on from part to part; and at full length.
const LIMIT: Duration = Duration::from_secs(20 * 60);
const LONG_LIMIT: Duration = Duration::from_secs(90 * 60);

/// Waits until it is so.
///
/// # Panics
/// When that takes two minutes.
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(PAUSE);
    }
}

/// A test that is under way.
struct Begun {
    test: String,
    at: Instant,
}

static UNDER_WAY: Mutex<BTreeMap<u64, Begun>> = Mutex::new(BTreeMap::new());

/// Ends all tests when one of them hangs, and says which: nothing else would end it.
pub struct Limit(u64);

impl Limit {
    /// Begins to count the time of the test that asks.
    pub fn start() -> Self {
        static WATCH: Once = Once::new();
        static COUNT: AtomicU64 = AtomicU64::new(0);
        WATCH.call_once(|| drop(std::thread::spawn(watch)));
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let test = std::thread::current().name().unwrap_or_default().to_owned();
        UNDER_WAY.lock().unwrap().insert(number, Begun { test, at: Instant::now() });
        Self(number)
    }

    /// Counts anew: another part of a long test begins.
    pub fn renew(&self) {
        if let Some(begun) = UNDER_WAY.lock().unwrap().get_mut(&self.0) {
            begun.at = Instant::now();
        }
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        UNDER_WAY.lock().unwrap().remove(&self.0);
    }
}

fn watch() {
    let limit = if is_long() { LONG_LIMIT } else { LIMIT };
    loop {
        std::thread::sleep(Duration::from_secs(1));
        let under_way = UNDER_WAY.lock().unwrap();
        if let Some(Begun { test, .. }) = under_way.values().find(|it| it.at.elapsed() > limit) {
            // Not eprintln!, which the harness would hold back.
            let _ = writeln!(std::io::stderr(), "{test} hangs: it is ended after {limit:?}");
            std::process::exit(101);
        }
    }
}
