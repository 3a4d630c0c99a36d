//! Bytes that come from far away, each once: what was read is kept in a private file without a name, which is gone with
//! the process, whatever ends that. Whoever reads again reads there.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;

use super::random_read::{RandomRead, ReadAt};
use super::room::{self, NoRoom};

/// Why nothing is kept.
#[derive(Debug, Error)]
pub enum NotKept {
    /// The directory takes no file.
    #[error(transparent)]
    Disk(#[from] io::Error),
    /// There is too little room.
    #[error("there is no room for it")]
    NoRoom(NoRoom),
}

/// The private file.
#[derive(Debug)]
pub struct Kept {
    file: File,
    /// Where the next file that is read has its bytes.
    next: AtomicU64,
    /// Whether it takes no more, because its disk is full or fails.
    is_full: AtomicBool,
}

impl Kept {
    /// Makes it in this directory, for so many bytes.
    ///
    /// # Errors
    /// Where that directory has no place for it.
    pub fn within(dir: &Path, bytes: u64) -> Result<Arc<Self>, NotKept> {
        let file = tempfile::tempfile_in(dir)?;
        room::check(&file, bytes).map_err(NotKept::NoRoom)?;
        let (next, is_full) = (AtomicU64::new(0), AtomicBool::new(false));
        Ok(Arc::new(Self { file, next, is_full }))
    }
}

/// See the module.
#[derive(Debug)]
pub struct ReadOnce {
    far: Arc<dyn RandomRead>,
    kept: Arc<Kept>,
    /// Where its bytes begin in the private file.
    base: u64,
    /// The end of each piece that is kept, by its beginning.
    there: Mutex<BTreeMap<u64, u64>>,
}

impl ReadOnce {
    /// Keeps what is read of these bytes.
    pub fn new(far: Arc<dyn RandomRead>, kept: Arc<Kept>) -> Self {
        let base = kept.next.fetch_add(far.len(), Ordering::Relaxed);
        Self { far, kept, base, there: Mutex::default() }
    }

    /// How many bytes are kept from `at` on, without a gap.
    fn kept_from(&self, at: u64) -> u64 {
        let there = self.there.lock().unwrap_or_else(PoisonError::into_inner);
        let piece = there.range(..=at).next_back();
        piece.map_or(0, |(_, &end)| end.saturating_sub(at))
    }

    fn keep(&self, bytes: &[u8], at: u64) {
        if bytes.is_empty() || self.kept.is_full.load(Ordering::Relaxed) {
            return;
        }
        if let Err(error) = self.kept.file.write_all_at(bytes, self.base + at) {
            tracing::info!(%error, "no more is kept of what is read");
            self.kept.is_full.store(true, Ordering::Relaxed);
            return;
        }
        let (mut begin, mut end) = (at, at + bytes.len() as u64);
        let mut there = self.there.lock().unwrap_or_else(PoisonError::into_inner);
        // With the pieces that it touches, it is one.
        while let Some((&before, &its_end)) = there.range(..=end).next_back() {
            if its_end < begin {
                break;
            }
            (begin, end) = (begin.min(before), end.max(its_end));
            there.remove(&before);
        }
        there.insert(begin, end);
    }
}

impl ReadAt for ReadOnce {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let kept = self.kept_from(at).min(buffer.len() as u64) as usize;
        if kept > 0 {
            self.kept.file.read_exact_at(&mut buffer[..kept], self.base + at)?;
            return Ok(kept);
        }
        let read = self.far.read_at(buffer, at)?;
        self.keep(&buffer[..read], at);
        Ok(read)
    }
}

impl RandomRead for ReadOnce {
    fn len(&self) -> u64 {
        self.far.len()
    }

    fn has_changed(&self) -> bool {
        self.far.has_changed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that are counted as they are read.
    #[derive(Debug)]
    struct Far {
        bytes: Vec<u8>,
        read: AtomicU64,
    }

    impl ReadAt for Far {
        fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
            let rest = self.bytes.get(at as usize..).unwrap_or_default();
            let read = rest.len().min(buffer.len());
            buffer[..read].copy_from_slice(&rest[..read]);
            self.read.fetch_add(read as u64, Ordering::Relaxed);
            Ok(read)
        }
    }

    impl RandomRead for Far {
        fn len(&self) -> u64 {
            self.bytes.len() as u64
        }

        fn has_changed(&self) -> bool {
            false
        }
    }

    fn far(seed: u8) -> Arc<Far> {
        let bytes = (0..100_000_u32).map(|at| (at % 251) as u8 ^ seed).collect();
        Arc::new(Far { bytes, read: AtomicU64::new(0) })
    }

    fn kept(bytes: u64) -> Arc<Kept> {
        Kept::within(&std::env::temp_dir(), bytes).unwrap()
    }

    /// Reads so many bytes from `at` on, in pieces.
    fn read(file: &ReadOnce, at: u64, bytes: usize, piece: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while all.len() < bytes {
            let mut buffer = vec![0; piece.min(bytes - all.len())];
            match file.read_at(&mut buffer, at + all.len() as u64).unwrap() {
                0 => break,
                read => all.extend_from_slice(&buffer[..read]),
            }
        }
        all
    }

    #[test]
    fn what_was_read_comes_from_far_away_once_in_whatever_order_and_pieces() {
        let (kept, fars) = (kept(300_000), [far(0), far(7)]);
        let files = fars.clone().map(|far| ReadOnce::new(far, Arc::clone(&kept)));
        for (far, file) in fars.iter().zip(&files) {
            for (at, bytes, piece) in
                [(50_000, 10_000, 999), (0, 60_000, 7_001), (99_000, 5_000, 64), (30, 99_970, 4096)]
            {
                let expected = &far.bytes[at..far.bytes.len().min(at + bytes)];
                assert!(read(file, at as u64, bytes, piece) == expected, "{at}");
            }
            let before = far.read.load(Ordering::Relaxed);
            assert!(read(file, 0, 100_000, 1013) == far.bytes);
            assert_eq!(far.read.load(Ordering::Relaxed), before, "all of it was kept");
            assert_eq!(file.there.lock().unwrap().len(), 1);
            assert!(before < 110_000, "{before}");
        }
    }

    #[test]
    fn what_cannot_be_kept_is_read_again() {
        let (far, kept) = (far(0), kept(0));
        let file = ReadOnce::new(Arc::clone(&far) as _, Arc::clone(&kept));
        kept.is_full.store(true, Ordering::Relaxed);
        for times in 1..=2 {
            assert!(read(&file, 0, 100_000, 5000) == far.bytes);
            assert_eq!(far.read.load(Ordering::Relaxed), times * 100_000);
        }
        let refused = Kept::within(&std::env::temp_dir(), u64::MAX / 2).unwrap_err();
        assert!(matches!(refused, NotKept::NoRoom(_)));
    }
}
