//! Commands at work, so that none outlives the run: a shell and whatever it started.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process};

/// The shells that run.
static SHELLS: Mutex<Vec<u32>> = Mutex::new(Vec::new());

fn shells() -> MutexGuard<'static, Vec<u32>> {
    SHELLS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A shell was started.
pub(super) fn begun(shell: u32) {
    shells().push(shell);
}

/// It was waited for, and its number is somebody else's from now on.
pub(super) fn ended(shell: u32) {
    shells().retain(|other| *other != shell);
}

/// Kills a shell and all that it started.
pub(super) fn kill(shell: u32) {
    for process in descendants(shell).into_iter().chain([shell]) {
        if let Some(pid) = i32::try_from(process).ok().and_then(Pid::from_raw) {
            // It may have ended meanwhile.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// Kills all commands, at the end of the process: its threads may still wait for them.
pub fn end_commands() {
    let running = shells().clone();
    running.into_iter().for_each(kill);
}

/// What a process started, and what that did.
fn descendants(process: u32) -> Vec<u32> {
    let path = format!("/proc/{process}/task/{process}/children");
    let children = std::fs::read_to_string(path).unwrap_or_default();
    let children = children.split_whitespace().filter_map(|child| child.parse().ok());
    children.flat_map(|child| [descendants(child), vec![child]].concat()).collect()
}
