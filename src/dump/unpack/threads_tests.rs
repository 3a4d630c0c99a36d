//! Errors of the disk, and what becomes of the threads.

use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::tests::{KINDS, Kind, WAYS, three_threads};
use super::*;

/// A kind in which members are large enough to be worth threads.
const LARGE: [Kind; 5] = [KINDS[0], KINDS[1], KINDS[2], KINDS[3], KINDS[5]];

/// A disk that breaks after some bytes.
struct Breaking(Cursor<Vec<u8>>);

impl Read for Breaking {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::Error::from_raw_os_error(5)),
            read => Ok(read),
        }
    }
}

#[test]
fn an_error_of_the_disk_is_no_damage() {
    for Kind { name, compression, pack, .. } in KINDS {
        let file = [pack(b"one"), pack(b"two")].concat();
        for way in WAYS {
            for cut in 0..=file.len() {
                let disk = Breaking(Cursor::new(file[..cut].to_vec()));
                let mut text = Vec::new();
                let mut stream = way(Box::new(disk), compression, Marks::default());
                let error = stream.read_to_end(&mut text).unwrap_err();
                assert!(damage(&error).is_none(), "{name} broken at {cut}: {error:?}");
                assert!(refusal(&error).is_none(), "{name} broken at {cut}: {error:?}");
                assert!(b"onetwo".starts_with(&text));
            }
        }
    }
}

/// The same members again and again; counts the bytes that it gave.
struct Endless(Vec<u8>, Arc<AtomicUsize>);

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let at = self.1.load(Ordering::Relaxed) % self.0.len();
        let read = (&self.0[at..]).read(buffer)?;
        self.1.fetch_add(read, Ordering::Relaxed);
        Ok(read)
    }
}

/// Bytes that hardly compress.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_le_bytes()[7]
    };
    (0..bytes).map(|_| next()).collect()
}

#[test]
fn a_dropped_stream_stops_its_threads_and_drops_the_file() {
    for Kind { compression, pack, .. } in LARGE {
        let member = pack(&noise(1 << 20));
        for bytes in [0, 1, 3_000_000] {
            let given = Arc::new(AtomicUsize::new(0));
            let file = Endless(member.clone(), Arc::clone(&given));
            let mut stream = three_threads(Box::new(file), compression, Marks::default());
            stream.read_exact(&mut vec![0; bytes]).unwrap();
            let begun = Instant::now();
            drop(stream);
            assert!(begun.elapsed() < Duration::from_secs(5));
            assert_eq!(Arc::strong_count(&given), 1);
        }
    }
}

#[test]
fn what_nobody_reads_is_not_read_much_further() {
    for Kind { compression, pack, .. } in LARGE {
        let given = Arc::new(AtomicUsize::new(0));
        let file = Endless(pack(&noise(1 << 20)), Arc::clone(&given));
        let mut stream = three_threads(Box::new(file), compression, Marks::default());
        stream.read_exact(&mut [0]).unwrap();
        std::thread::sleep(Duration::from_millis(200));
        assert!(given.load(Ordering::Relaxed) < 16 << 20);
    }
}
