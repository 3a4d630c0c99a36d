//! Room on a disk for what is put there for a while.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{fstatvfs, statvfs};

/// Bytes that are left to others.
const RESERVE: u64 = 64 << 20;

/// Too little of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRoom {
    /// Bytes that are needed, with what is left to others.
    pub needed: u64,
    /// Bytes that are free.
    pub free: u64,
}

/// Bytes that are free for us on the disk of a file or directory.
///
/// # Errors
/// The system's reason.
pub fn free(path: &Path) -> io::Result<u64> {
    let there = statvfs(path)?;
    Ok(there.f_bavail.saturating_mul(there.f_frsize))
}

/// Whether so many more bytes have room beside this file, and something is left.
///
/// # Errors
/// Where they have not.
pub fn check(file: &File, more: u64) -> Result<(), NoRoom> {
    // A file system that does not say it may have it.
    let Ok(there) = fstatvfs(file) else { return Ok(()) };
    let free = there.f_bavail.saturating_mul(there.f_frsize);
    let needed = more.saturating_add(RESERVE);
    if free < needed { Err(NoRoom { needed, free }) } else { Ok(()) }
}
