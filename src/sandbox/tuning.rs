//! Server settings for a database that nobody needs to survive a crash. Pure, but for
//! [`available_memory`].
//!
//! What each of them is worth was measured when it was chosen. Settings
//! that made no difference are left at PostgreSQL's defaults.

const MIB: u64 = 1024 * 1024;

/// What the settings depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// Processors that the server may use.
    pub cores: usize,
    /// Connections that a restore wants; more than these are for the checks and the operator.
    pub connections: usize,
    /// Memory that is free for the server, in bytes, after what a data directory in memory takes.
    pub memory: u64,
    /// Whether the data directory is in memory.
    pub in_memory: bool,
    /// Major version of the server.
    pub version: u32,
}

/// The settings, as names and values for `postgres -c name=value`.
pub fn settings(machine: Machine) -> Vec<(String, String)> {
    let mebibytes = |share: u64, least: u64, most: u64| {
        format!("{}MB", (machine.memory / share / MIB).clamp(least, most))
    };
    let mut settings = vec![
        // Nothing has to survive a crash. With minimal WAL a table that is created or truncated in
        // the transaction that fills it is not logged at all.
        ("fsync", "off".to_owned()),
        ("synchronous_commit", "off".to_owned()),
        ("full_page_writes", "off".to_owned()),
        ("wal_level", "minimal".to_owned()),
        ("max_wal_senders", "0".to_owned()),
        // WAL takes memory where the data directory does.
        ("max_wal_size", if machine.in_memory { "512MB" } else { "4GB" }.to_owned()),
        ("checkpoint_timeout", "1h".to_owned()),
        ("autovacuum", "off".to_owned()),
        ("shared_buffers", mebibytes(8, 64, 512)),
        ("maintenance_work_mem", mebibytes(16, 64, 512)),
        // Our own connections keep the cores busy; workers beside them only cost.
        ("max_parallel_maintenance_workers", if machine.cores < 8 { "0" } else { "2" }.to_owned()),
        ("jit", "off".to_owned()),
        ("max_connections", (machine.connections.max(machine.cores * 2) + 20).to_string()),
        // A dump may touch thousands of tables in one transaction.
        ("max_locks_per_transaction", "1024".to_owned()),
        // A crashed backend ends the server, and so the container, instead of a silent recovery.
        ("restart_after_crash", "off".to_owned()),
        // What the server says about itself, but neither statements nor data of the backup.
        ("log_min_messages", "log".to_owned()),
        ("log_min_error_statement", "panic".to_owned()),
        ("log_checkpoints", "off".to_owned()),
        ("logging_collector", "off".to_owned()),
    ];
    if machine.version >= 12 {
        settings.push(("wal_init_zero", "off".to_owned()));
    }
    if machine.version >= 14 {
        settings.push(("default_toast_compression", "lz4".to_owned()));
    }
    settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// `ours` with the operator's settings in place of ours of the same name. The server reads every
/// `-c` it is given, so that a value it does not know must not be there at all.
pub fn overridden(
    mut ours: Vec<(String, String)>,
    theirs: &[(String, String)],
) -> Vec<(String, String)> {
    ours.retain(|(name, _)| !theirs.iter().any(|(their, _)| their.eq_ignore_ascii_case(name)));
    ours.extend_from_slice(theirs);
    ours
}

/// Whether a data directory for `data_bytes` of dump is kept in memory: it takes up to three times
/// the dump (indexes, page overhead) and some WAL, and has to leave free memory for the server and
/// everything else. An unknown size goes to the disk.
pub fn fits_in_memory(data_bytes: Option<u64>, free_memory: u64) -> bool {
    data_bytes
        .and_then(|bytes| bytes.checked_mul(3))
        .and_then(|bytes| bytes.checked_add(768 * MIB))
        .is_some_and(|needed| needed <= free_memory / 10 * 6)
}

/// Most that a data directory in memory may take, so that a wrong guess ends in a full disk, which
/// is understood, and not in the kernel killing something.
pub fn memory_limit(free_memory: u64) -> u64 {
    free_memory / 10 * 7
}

/// Memory of this machine that is free, in bytes: `MemAvailable` of /proc/meminfo, where there is one.
pub fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1024 * MIB;

    fn machine() -> Machine {
        Machine { cores: 2, connections: 2, memory: 8 * GIB, in_memory: true, version: 15 }
    }

    fn value(machine: Machine, name: &str) -> Option<String> {
        settings(machine).into_iter().find_map(|(key, value)| (key == name).then_some(value))
    }

    #[test]
    fn nothing_is_made_durable() {
        for name in ["fsync", "synchronous_commit", "full_page_writes"] {
            assert_eq!(value(machine(), name).as_deref(), Some("off"), "{name}");
        }
        assert_eq!(value(machine(), "wal_level").as_deref(), Some("minimal"));
        assert_eq!(value(machine(), "max_wal_senders").as_deref(), Some("0"));
    }

    #[test]
    fn memory_settings_follow_the_memory_within_bounds() {
        let with = |memory, name| value(Machine { memory, ..machine() }, name).unwrap();
        assert_eq!(with(GIB, "shared_buffers"), "128MB");
        assert_eq!(with(100 * MIB, "shared_buffers"), "64MB");
        assert_eq!(with(64 * GIB, "shared_buffers"), "512MB");
        assert_eq!(with(2 * GIB, "maintenance_work_mem"), "128MB");
    }

    #[test]
    fn as_many_connections_as_are_wanted_can_be_had() {
        let with = |connections| {
            value(Machine { connections, ..machine() }, "max_connections").unwrap().parse::<usize>()
        };
        assert_eq!([with(1), with(64)], [Ok(24), Ok(84)]);
    }

    #[test]
    fn versions_get_only_settings_that_they_know() {
        let old = |version, name| value(Machine { version, ..machine() }, name);
        assert_eq!(old(13, "default_toast_compression"), None);
        assert_eq!(old(14, "default_toast_compression"), Some("lz4".into()));
        assert_eq!(old(11, "wal_init_zero"), None);
    }

    #[test]
    fn many_cores_get_parallel_index_builds_back() {
        let with =
            |cores| value(Machine { cores, ..machine() }, "max_parallel_maintenance_workers");
        assert_eq!(with(2).as_deref(), Some("0"));
        assert_eq!(with(16).as_deref(), Some("2"));
    }

    #[test]
    fn the_operators_settings_replace_ours() {
        let ours = vec![("jit".to_owned(), "off".to_owned())];
        let theirs = vec![("JIT".to_owned(), "on".to_owned())];
        assert_eq!(overridden(ours, &theirs), theirs);
    }

    #[test]
    fn only_data_that_fits_well_is_kept_in_memory() {
        assert!(fits_in_memory(Some(0), 2 * GIB));
        assert!(fits_in_memory(Some(GIB), 8 * GIB));
        assert!(!fits_in_memory(Some(2 * GIB), 8 * GIB));
        assert!(!fits_in_memory(None, 64 * GIB));
        assert!(!fits_in_memory(Some(u64::MAX), u64::MAX));
    }
}
