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

/// Kills a shell and all that it started. None of them goes on meanwhile: a shell whose program is
/// killed before it would run the next one, and say in the end that all went well.
pub(super) fn kill(shell: u32) {
    for process in stop(shell) {
        signal(process, Signal::KILL);
    }
}

/// Kills all commands, at the end of the process: its threads may still wait for them.
pub fn end_commands() {
    let running = shells().clone();
    running.into_iter().for_each(kill);
}

/// Stops a process, then what it started: all of them, since none that is stopped starts another.
fn stop(process: u32) -> Vec<u32> {
    signal(process, Signal::STOP);
    let started = children(process).into_iter().flat_map(stop);
    [process].into_iter().chain(started).collect()
}

fn signal(process: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(process).ok().and_then(Pid::from_raw) {
        // It may have ended meanwhile.
        let _ = kill_process(pid, signal);
    }
}

/// What a process started by any of its threads.
fn children(process: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{process}/task"));
    let of_thread = |thread: std::fs::DirEntry| {
        let children = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        children.split_whitespace().filter_map(|child| child.parse().ok()).collect::<Vec<_>>()
    };
    threads.into_iter().flatten().flatten().flat_map(of_thread).collect()
}
