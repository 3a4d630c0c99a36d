//! Errors of the disk, and what becomes of the threads.

use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::tests::{KINDS, Kind, Raw, WAYS, three_threads};
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
    for Kind { name, packing, pack, .. } in KINDS {
        let file = [pack(b"one"), pack(b"two")].concat();
        for way in WAYS {
            for cut in 0..=file.len() {
                let disk = Breaking(Cursor::new(file[..cut].to_vec()));
                let mut text = Vec::new();
                let mut stream = way(Box::new(disk), packing, MemberIndex::default());
                let error = stream.read_to_end(&mut text).unwrap_err();
                assert!(damage(&error).is_none(), "{name} broken at {cut}: {error:?}");
                assert!(refusal(&error).is_none(), "{name} broken at {cut}: {error:?}");
                assert!(b"onetwo".starts_with(&text));
                // Who asks again is not told that the stream ended well after more bytes.
                assert!(matches!(stream.read(&mut [0; 8]), Ok(0) | Err(_)));
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
    for Kind { packing, pack, .. } in LARGE {
        let member = pack(&noise(1 << 20));
        for bytes in [0, 1, 3_000_000] {
            let given = Arc::new(AtomicUsize::new(0));
            let file = Endless(member.clone(), Arc::clone(&given));
            let mut stream = three_threads(Box::new(file), packing, MemberIndex::default());
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
    for Kind { packing, pack, .. } in LARGE {
        let given = Arc::new(AtomicUsize::new(0));
        let file = Endless(pack(&noise(1 << 20)), Arc::clone(&given));
        let mut stream = three_threads(Box::new(file), packing, MemberIndex::default());
        stream.read_exact(&mut [0]).unwrap();
        std::thread::sleep(Duration::from_millis(200));
        assert!(given.load(Ordering::Relaxed) < 16 << 20);
    }
}

/// Members of a byte, of which `p` makes the thread that unpacks it die.
struct Dying;

impl Format for Dying {
    type Unpacker = ();
    type Decoder<R: Read + Send> = Source<R>;
    const NAME: &'static str = "dying";

    fn begins<R: Read>(_: &mut Source<R>) -> io::Result<bool> {
        Ok(true)
    }

    fn take<R: Read>(source: &mut Source<R>, member: &mut Vec<u8>) -> io::Result<Option<usize>> {
        member.clear();
        source.take_up_to(1, member)?;
        Ok(Some(member.len()).filter(|bytes| *bytes > 0))
    }

    fn unpack(_: &mut (), member: &[u8], content: &mut [u8]) -> bool {
        assert_ne!(member, b"p", "it dies, as it should");
        content.copy_from_slice(member);
        true
    }

    fn decoder<R: Read + Send>(source: Source<R>) -> io::Result<Source<R>> {
        Ok(source)
    }

    fn source<R: Read + Send>(source: Source<R>) -> Source<R> {
        source
    }
}

/// A file that makes the thread that reads it die, at its end.
struct Deadly(&'static [u8]);

impl Read for Deadly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        assert!(!self.0.is_empty(), "it dies, as it should");
        self.0.read(buffer)
    }
}

#[test]
fn a_thread_that_died_is_neither_an_end_nor_damage() {
    let threads = NonZeroUsize::new(2).unwrap();
    let parallel = |file: Raw| -> Raw {
        Box::new(Parallel::<Dying, _>::new(Source::new(file), MemberIndex::default(), threads))
    };
    let streams: [Raw; 3] = [
        parallel(Box::new(Cursor::new(b"wwwp"))),
        parallel(Box::new(Deadly(b"www"))),
        Ahead::begin(Box::new(Deadly(b"www"))),
    ];
    for (number, mut stream) in streams.into_iter().enumerate() {
        let mut text = Vec::new();
        let error = stream.read_to_end(&mut text).unwrap_err();
        assert!(error.to_string().contains("has died"), "{number}: {error}");
        assert!(damage(&error).is_none() && refusal(&error).is_none(), "{number}: {error}");
        assert!(b"www".starts_with(&text), "{number}: {text:?}");
    }
    let mut text = String::new();
    parallel(Box::new(Cursor::new(b"www"))).read_to_string(&mut text).unwrap();
    assert_eq!(text, "www");
}

#[test]
fn on_one_thread_a_file_is_unpacked_as_on_several() {
    let file = [packed::gzip(b"one "), packed::gzip(b"two")].concat();
    let unpacked = |threads| {
        let (members, mut text) = (MemberIndex::default(), String::new());
        let raw = io::Cursor::new(file.clone());
        let threads = NonZeroUsize::new(threads).unwrap();
        let mut stream = decompress_ahead(raw, Packing::Gzip, &members, threads);
        stream.read_to_string(&mut text).unwrap();
        (text, members.list())
    };
    assert_eq!(unpacked(1).0, "one two");
    assert_eq!(unpacked(1), unpacked(3));
}
