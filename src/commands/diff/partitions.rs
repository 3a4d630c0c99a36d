//! Hashes of the rows of two tables, in partitions: each holds the hashes that begin alike, of both. A small
//! table is held in memory, a large one on the disk of temporary files, and only one partition at a time is
//! looked at. No row is ever written.

use std::io::{self, Read, Seek, SeekFrom, Write};

use tempfile::SpooledTempFile;

/// Partitions: of a billion rows, each has 60 MB of hashes.
const PARTITIONS: usize = 256;
/// Bytes of one side of a partition that are held in memory; of all together 32 MiB.
const IN_MEMORY: usize = 64 * 1024;
/// Bytes of a hash.
const HASH_BYTES: usize = 16;

/// The rows of one table.
#[derive(Debug)]
pub(super) struct Hashes {
    partitions: Vec<SpooledTempFile>,
}

/// What two tables have of a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counted {
    pub hash: u128,
    pub in_a: u64,
    pub in_b: u64,
}

impl Hashes {
    pub(super) fn new() -> Self {
        let partitions = (0..PARTITIONS).map(|_| SpooledTempFile::new(IN_MEMORY));
        Self { partitions: partitions.collect() }
    }

    /// Takes in a row.
    ///
    /// # Errors
    /// The temporary directory's.
    pub(super) fn take(&mut self, hash: u128) -> io::Result<()> {
        let bytes = hash.to_be_bytes();
        self.partitions[usize::from(bytes[0])].write_all(&bytes)
    }

    /// The hashes of a partition, in order.
    fn sorted(&mut self, partition: usize) -> io::Result<Vec<u128>> {
        let file = &mut self.partitions[partition];
        file.seek(SeekFrom::Start(0))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let (whole, _) = bytes.as_chunks::<HASH_BYTES>();
        let mut hashes: Vec<u128> = whole.iter().map(|hash| u128::from_be_bytes(*hash)).collect();
        hashes.sort_unstable();
        Ok(hashes)
    }
}

/// Tells of every hash how often each table has it, until `each` fails.
///
/// # Errors
/// The temporary directory's, and those of `each`.
pub(super) fn merge<E: From<io::Error>>(
    a: &mut Hashes,
    b: &mut Hashes,
    mut each: impl FnMut(Counted) -> Result<(), E>,
) -> Result<(), E> {
    for partition in 0..PARTITIONS {
        let (in_a, in_b) = (a.sorted(partition)?, b.sorted(partition)?);
        let (mut at_a, mut at_b) = (in_a.as_slice(), in_b.as_slice());
        while let Some(hash) = at_a.first().into_iter().chain(at_b.first()).min().copied() {
            let (of_a, of_b) = (taken(&mut at_a, hash), taken(&mut at_b, hash));
            each(Counted { hash, in_a: of_a, in_b: of_b })?;
        }
    }
    Ok(())
}

/// Takes the hashes that are this one off the beginning, and counts them.
fn taken(hashes: &mut &[u128], hash: u128) -> u64 {
    let count = hashes.iter().take_while(|it| **it == hash).count();
    *hashes = &hashes[count..];
    count as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hash_is_counted_once_however_many_there_are() {
        // More than is held in memory.
        let spread = |i: u64| u128::from(i).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
        let (mut a, mut b) = (Hashes::new(), Hashes::new());
        for i in 0..2_000_000 {
            a.take(spread(i)).unwrap();
            b.take(spread(i + 3)).unwrap();
        }
        b.take(spread(7)).unwrap();
        let (mut both, mut odd) = (0, Vec::new());
        merge(&mut a, &mut b, |counted| {
            both += counted.in_a.min(counted.in_b);
            if counted.in_a != counted.in_b {
                odd.push((counted.hash, counted.in_a, counted.in_b));
            }
            Ok::<(), io::Error>(())
        })
        .unwrap();
        odd.sort_unstable();
        let mut expected: Vec<_> = (0..3)
            .map(|i| (spread(i), 1, 0))
            .chain((2_000_000..2_000_003).map(|i| (spread(i), 0, 1)))
            .chain([(spread(7), 1, 2)])
            .collect();
        expected.sort_unstable();
        assert_eq!((both, odd), (1_999_997, expected));
    }
}
