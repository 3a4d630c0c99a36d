//! Who made a container, network or volume, and whether that run is still alive.
//!
//! Owner facts travel as labels, because labels are the one thing that a crash cannot take away.
//! Knows nothing of Docker: labels are a map of strings.

use std::collections::HashMap;
use std::fs;

use chrono::{SecondsFormat, Utc};

use crate::model::secret::Secret;

/// The label that marks everything of ours; its value is the run's id.
pub const RUN_LABEL: &str = "io.ccc-backup.run";
const PID_LABEL: &str = "io.ccc-backup.pid";
const STARTED_LABEL: &str = "io.ccc-backup.started";
const BOOT_LABEL: &str = "io.ccc-backup.boot";
const PIDNS_LABEL: &str = "io.ccc-backup.pidns";
const HOST_LABEL: &str = "io.ccc-backup.host";
const CONTAINER_LABEL: &str = "io.ccc-backup.container";
const CREATED_LABEL: &str = "io.ccc-backup.created";
const KEPT_LABEL: &str = "io.ccc-backup.kept";

/// The process that owns a sandbox, told apart from any later process with the same number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The run's id.
    pub run: String,
    /// Process number, in its own namespace.
    pub pid: u32,
    /// When the process started, in clock ticks since boot (proc(5), field 22 of `stat`).
    pub started: String,
    /// Id of the boot of the machine it runs on.
    pub boot: String,
    /// Its process namespace: numbers mean something only in the same one.
    pub pidns: String,
    /// Name of that machine or container.
    pub host: String,
    /// The container of the same engine that it runs in; empty where it runs in none.
    pub container: String,
    /// When it was made (RFC 3339, UTC).
    pub created: String,
    /// Whether the run was told to leave it behind.
    pub kept: bool,
}

/// What is known of the run behind some labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// Its process runs.
    Live,
    /// Its process is gone.
    Dead,
    /// It was started from a machine or container whose processes cannot be seen from here.
    Elsewhere,
}

impl Owner {
    /// This process, with a new run id.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn of_this_run(kept: bool) -> std::io::Result<Self> {
        let pid = std::process::id();
        Ok(Self {
            run: random_hex(6)?,
            pid,
            started: start_of(pid).unwrap_or_default(),
            boot: line_of("/proc/sys/kernel/random/boot_id"),
            pidns: fs::read_link("/proc/self/ns/pid")
                .map(|link| link.display().to_string())
                .unwrap_or_default(),
            host: line_of("/proc/sys/kernel/hostname"),
            container: String::new(),
            created: Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true),
            kept,
        })
    }

    /// The labels that say all this.
    pub fn labels(&self) -> HashMap<String, String> {
        [
            (RUN_LABEL, self.run.clone()),
            (PID_LABEL, self.pid.to_string()),
            (STARTED_LABEL, self.started.clone()),
            (BOOT_LABEL, self.boot.clone()),
            (PIDNS_LABEL, self.pidns.clone()),
            (HOST_LABEL, self.host.clone()),
            (CONTAINER_LABEL, self.container.clone()),
            (CREATED_LABEL, self.created.clone()),
            (KEPT_LABEL, self.kept.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// Reads the labels back; `None` when they are not ours.
    pub fn from_labels(labels: &HashMap<String, String>) -> Option<Self> {
        let text = |name: &str| labels.get(name).cloned().unwrap_or_default();
        Some(Self {
            // An image that a run built has the label without a run, so that it is nobody's.
            run: labels.get(RUN_LABEL).filter(|run| !run.is_empty())?.clone(),
            // Process 0 never exists: labels without a number belong to nobody alive.
            pid: text(PID_LABEL).parse().unwrap_or(0),
            started: text(STARTED_LABEL),
            boot: text(BOOT_LABEL),
            pidns: text(PIDNS_LABEL),
            host: text(HOST_LABEL),
            container: text(CONTAINER_LABEL),
            created: text(CREATED_LABEL),
            kept: text(KEPT_LABEL) == "true",
        })
    }

    /// Whether the run behind these labels lives, seen from `here`. `running` says whether its
    /// container runs.
    pub fn liveness(&self, here: &Owner, running: bool) -> Liveness {
        self.liveness_with(here, running, start_of)
    }

    fn liveness_with(
        &self,
        here: &Owner,
        running: bool,
        start_of: impl Fn(u32) -> Option<String>,
    ) -> Liveness {
        if self.boot == here.boot && self.pidns == here.pidns {
            return match start_of(self.pid) {
                Some(started) if started == self.started => Liveness::Live,
                _ => Liveness::Dead,
            };
        }
        // Since then this machine was booted anew, which no process survives. A container that
        // runs contradicts it: then it is another machine of the same name at the same engine.
        if self.boot != here.boot && self.host == here.host && !running {
            return Liveness::Dead;
        }
        Liveness::Elsewhere
    }
}

/// A password or id of `bytes` random bytes, as hexadecimal digits.
///
/// # Errors
/// When the system gives no random bytes.
pub fn random_hex(bytes: usize) -> std::io::Result<String> {
    let mut raw = vec![0; bytes];
    getrandom::fill(&mut raw)?;
    Ok(hex::encode(raw))
}

/// The password of one run: 24 random bytes, good in any shell, URL or file without quoting.
///
/// # Errors
/// When the system gives no random bytes.
pub fn random_password() -> std::io::Result<Secret> {
    random_hex(24).map(Secret::new)
}

fn line_of(path: &str) -> String {
    fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default()
}

/// When a process started; `None` when it does not exist or is a zombie.
fn start_of(pid: u32) -> Option<String> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The start time in `/proc/<pid>/stat`. The second field is the program's name in parentheses and
/// may hold spaces and parentheses itself.
fn parse_stat(stat: &str) -> Option<String> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    // Field 3 was the state, so that field 22 is 18 further on.
    fields.nth(18).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> Owner {
        Owner::of_this_run(false).unwrap()
    }

    #[test]
    fn labels_are_read_back_as_they_were_written() {
        let mut owner = here();
        owner.kept = true;
        assert_eq!(Owner::from_labels(&owner.labels()), Some(owner));
        assert_eq!(Owner::from_labels(&HashMap::new()), None);
    }

    #[test]
    fn this_process_is_alive() {
        assert_eq!(here().liveness(&here(), true), Liveness::Live);
    }

    #[test]
    fn a_number_that_another_process_has_now_is_a_dead_run() {
        let mut owner = here();
        owner.started = "1".into();
        assert_eq!(owner.liveness(&here(), true), Liveness::Dead);
    }

    #[test]
    fn a_process_that_is_gone_is_a_dead_run() {
        let dead = here().liveness_with(&here(), true, |_| None);
        assert_eq!(dead, Liveness::Dead);
    }

    #[test]
    fn a_run_before_the_last_boot_is_dead_unless_its_container_runs() {
        let mut owner = here();
        owner.boot = "another".into();
        assert_eq!(owner.liveness(&here(), false), Liveness::Dead);
        assert_eq!(owner.liveness(&here(), true), Liveness::Elsewhere);
    }

    #[test]
    fn nothing_is_known_of_another_host_or_process_namespace() {
        let mut owner = here();
        owner.pidns = "pid:[1]".into();
        assert_eq!(owner.liveness(&here(), false), Liveness::Elsewhere);
        owner.boot = "another".into();
        owner.host = "another".into();
        assert_eq!(owner.liveness(&here(), false), Liveness::Elsewhere);
    }

    #[test]
    fn the_start_time_is_found_behind_any_program_name_and_zombies_are_dead() {
        let tail = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 99";
        assert_eq!(parse_stat(&format!("7 (a ) b) {tail}")), Some("4242".into()));
        assert_eq!(parse_stat(&format!("7 (x) Z{}", &tail[1..])), None);
    }
}
