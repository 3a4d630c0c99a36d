//! The places from which a dump can be read.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Where a member of a compressed file begins: a gzip member, a zstd frame.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MemberStart {
    /// In the file.
    pub offset: u64,
    /// In the dump.
    pub dump_offset: u64,
}

impl MemberStart {
    /// Of `members`, which are in order, the one that holds byte `dump_offset` of the dump.
    pub fn last_before(members: &[Self], dump_offset: u64) -> Option<Self> {
        let next = members.partition_point(|member| member.dump_offset <= dump_offset);
        next.checked_sub(1).and_then(|at| members.get(at)).copied()
    }
}

/// The beginnings of all members, in order, as far as the file was read.
#[derive(Debug, Clone, Default)]
pub struct MemberIndex {
    list: Arc<Mutex<Vec<MemberStart>>>,
    padded: Arc<AtomicBool>,
}

impl MemberIndex {
    pub(crate) fn note(&self, mark: MemberStart) {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).push(mark);
    }

    pub(crate) fn note_padding(&self) {
        self.padded.store(true, Ordering::Relaxed);
    }

    /// Whether zeros follow the last member.
    pub fn padded(&self) -> bool {
        self.padded.load(Ordering::Relaxed)
    }

    /// The members so far.
    pub fn list(&self) -> Vec<MemberStart> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
