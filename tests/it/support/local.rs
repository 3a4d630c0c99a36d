//! Servers of the machine's own PostgreSQL that runs have started.

use std::path::{Path, PathBuf};

use super::text;

/// The directories of local servers that were asked for by this name.
pub fn left(name: &str) -> Vec<PathBuf> {
    let bases = [Path::new("/dev/shm").to_owned(), std::env::temp_dir()];
    let entries = bases.iter().flat_map(|base| std::fs::read_dir(base).into_iter().flatten());
    let ours = |path: &PathBuf| {
        let note = std::fs::read(path.join("owner.json")).unwrap_or_default();
        text(&note).contains(&format!("\"name\":\"{name}\""))
    };
    entries.map(|entry| entry.unwrap().path()).filter(ours).collect()
}

/// The process of the server in a directory.
pub fn server_of(directory: &Path) -> i32 {
    let file = directory.join("work/data/postmaster.pid");
    std::fs::read_to_string(file).unwrap().lines().next().unwrap().parse().unwrap()
}

/// Whether a process runs; one that has ended and that nobody has asked about does not.
pub fn runs(process: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}
