//! Every test runs in every way of unpacking: on the thread that reads, and ahead of it on others.

use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use flate2::bufread::GzDecoder;
use proptest::prelude::*;

use super::*;
use crate::dump::codec::Codec;
use crate::dump::gunzip::tests::gzip;
use crate::dump::gunzip::{Mark, damage};

/// A member as `create` writes it.
fn own(text: &[u8]) -> Vec<u8> {
    let mut member = text.to_vec();
    Codec::default().encoder().unwrap().encode(&mut member).unwrap();
    member
}

/// Makes a member.
type Kind = fn(&[u8]) -> Vec<u8>;

/// Another tool's gzip, and ours.
const KINDS: [Kind; 2] = [gzip, own];

type Way = fn(Box<dyn Read + Send>, Marks) -> Box<dyn Read + Send>;

fn one_thread(raw: Box<dyn Read + Send>, marks: Marks) -> Box<dyn Read + Send> {
    inline(raw, Compression::Gzip, marks)
}

fn three_threads(raw: Box<dyn Read + Send>, marks: Marks) -> Box<dyn Read + Send> {
    ahead(raw, Compression::Gzip, marks, NonZeroUsize::new(3).unwrap())
}

/// gzip whose members are all read as streams, as they always can be.
struct Streamed;

impl Format for Streamed {
    type Unpacker = ();
    type Decoder<R: Read + Send> = GzDecoder<Source<R>>;
    const MAGIC: &'static [u8] = Gzip::MAGIC;

    fn take<R: Read>(_: &mut Source<R>, _: &mut Vec<u8>) -> io::Result<Option<usize>> {
        Ok(None)
    }

    fn unpack((): &mut (), _: &[u8], _: &mut [u8]) -> bool {
        false
    }

    fn decoder<R: Read + Send>(source: Source<R>) -> Self::Decoder<R> {
        Gzip::decoder(source)
    }

    fn source<R: Read + Send>(decoder: Self::Decoder<R>) -> Source<R> {
        Gzip::source(decoder)
    }
}

fn as_a_stream(raw: Box<dyn Read + Send>, marks: Marks) -> Box<dyn Read + Send> {
    Box::new(Sequential::<Streamed, _>::new(Source::new(raw), marks))
}

const WAYS: [Way; 3] = [as_a_stream, one_thread, three_threads];

/// What can be read, and the damage that ends it.
fn read_by(way: Way, bytes: &[u8]) -> (Vec<u8>, Option<Damage>) {
    let mut stream = way(Box::new(Cursor::new(bytes.to_vec())), Marks::default());
    let mut out = Vec::new();
    match stream.read_to_end(&mut out) {
        Ok(_) => (out, None),
        Err(error) => (out, Some(damage(&error).expect("damage").clone())),
    }
}

/// The same, which must be the same in every way; only how much of a damaged member comes before
/// the error depends on the size of the buffers.
fn read(bytes: &[u8]) -> (Vec<u8>, Option<Damage>) {
    let (expected, damage) = read_by(as_a_stream, bytes);
    for way in [one_thread as Way, three_threads] {
        let found = read_by(way, bytes);
        assert_eq!(found.1, damage);
        let same = found.0 == expected
            || damage.is_some()
                && (found.0.starts_with(&expected) || expected.starts_with(&found.0));
        assert!(same, "{} bytes, {} expected, {damage:?}", found.0.len(), expected.len());
    }
    (expected, damage)
}

#[test]
fn one_member_and_several_are_read_whole() {
    let text = b"hello ".repeat(300_000);
    for kind in KINDS {
        assert_eq!(read(&kind(&text)), (text.clone(), None));
        let two = [kind(b"one "), kind(b""), kind(b"two")].concat();
        assert_eq!(read(&two), (b"one two".to_vec(), None));
    }
}

#[test]
fn members_of_our_own_and_others_may_be_mixed() {
    for order in 0..16 {
        let parts = (0..4).map(|number| KINDS[order >> number & 1](b"some words\n"));
        let file = parts.collect::<Vec<_>>().concat();
        assert_eq!(read(&file), (b"some words\n".repeat(4), None), "{order}");
    }
}

#[test]
fn a_member_of_our_own_is_unpacked_whole_and_another_one_is_not() {
    for (kind, whole) in KINDS.into_iter().zip([false, true]) {
        let mut source = Source::new(Cursor::new(kind(b"some words")));
        let mut member = Vec::new();
        let bytes = Gzip::take(&mut source, &mut member).unwrap();
        assert_eq!(bytes, whole.then_some(10));
        let mut content = vec![0; 10];
        assert_eq!(Gzip::unpack(&mut Default::default(), &member, &mut content), whole);
    }
}

#[test]
fn a_cut_stream_is_damaged_wherever_it_is_cut() {
    for kind in KINDS {
        let first = kind(b"a member that stays whole ");
        let last = kind(b"some text that is long enough to be cut");
        for cut in 2..last.len() {
            assert!(read(&last[..cut]).1.is_some(), "cut at {cut}");
            let (text, damage) = read(&[&first, &last[..cut]].concat());
            assert!(text.starts_with(b"a member that stays whole "), "cut at {cut}");
            assert_eq!(damage, Some(Damage::CutOff), "cut at {cut}");
        }
    }
}

#[test]
fn a_flipped_bit_never_changes_what_is_read() {
    let text = b"some text that is long enough to be flipped";
    // Time, system and the padding of the last byte carry no content; nor does our own field.
    for (kind, most) in KINDS.into_iter().zip([64 + 8, 64 + 8 + 96]) {
        let (whole, before) = (kind(text), kind(text));
        let mut harmless = 0;
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let (found, damage) = read(&[&before[..], &flipped, &whole].concat());
            if damage.is_none() {
                assert_eq!(found, text.repeat(3), "flipped bit {bit}");
                harmless += 1;
            }
        }
        assert!(harmless < most, "{harmless} flipped bits went unnoticed");
    }
}

#[test]
fn garbage_after_the_stream_is_damage_with_its_place() {
    for kind in KINDS {
        let whole = kind(b"text");
        let at = whole.len() as u64;
        for garbage in [&b"\0"[..], b"garbage", b"\x1fx"] {
            let found = read(&[&whole[..], garbage].concat());
            assert_eq!(found, (b"text".to_vec(), Some(Damage::TrailingGarbage { at })));
        }
        let found = read(&[&whole[..], b"\x1f"].concat());
        assert_eq!(found, (b"text".to_vec(), Some(Damage::CutOff)));
    }
}

#[test]
fn a_file_without_any_member_is_cut_off() {
    assert_eq!(read(b""), (Vec::new(), Some(Damage::CutOff)));
}

#[test]
fn the_beginnings_of_members_are_noted() {
    for order in 0..4 {
        for way in WAYS {
            let (one, two) = (KINDS[order & 1](b"one "), KINDS[order >> 1](b"two"));
            let marks = Marks::default();
            let bytes = [one.as_slice(), &two].concat();
            way(Box::new(Cursor::new(bytes)), marks.clone()).read_to_end(&mut Vec::new()).unwrap();
            let second = Mark { offset: one.len() as u64, dump_offset: 4 };
            assert_eq!(marks.list(), [Mark::default(), second]);
        }
    }
}

/// A member of our own that says it has other sizes.
fn lying(size: Option<u32>, length: Option<u32>) -> Vec<u8> {
    let mut member = own(b"some text");
    if let Some(size) = size {
        member[..24].copy_from_slice(&crate::dump::member::header(size));
    }
    if let Some(length) = length {
        let at = member.len() - 4;
        member[at..].copy_from_slice(&length.to_le_bytes());
    }
    member
}

#[test]
fn a_wrong_size_changes_nothing_and_a_wrong_length_is_damage() {
    let size = u32::try_from(own(b"some text").len()).unwrap();
    for wrong in [0, 32, size - 1, size + 1, 2 * size, 1 << 20, u32::MAX] {
        let file = [lying(Some(wrong), None), own(b", more")].concat();
        assert_eq!(read(&file), (b"some text, more".to_vec(), None), "{wrong}");
    }
    for wrong in [0, 8, 10, 1 << 20, u32::MAX] {
        let (text, damage) = read(&[lying(None, Some(wrong)), own(b", more")].concat());
        assert_eq!(text, b"some text", "{wrong}");
        assert!(matches!(damage, Some(Damage::Corrupt(_))), "{wrong}: {damage:?}");
    }
}

#[test]
fn a_member_that_is_too_large_to_be_held_is_read_as_a_stream() {
    let text = b"0123456789\n".repeat(500_000);
    let file = own(&text);
    let mut source = Source::new(Cursor::new(file.clone()));
    assert_eq!(Gzip::take(&mut source, &mut Vec::new()).unwrap(), None);
    assert_eq!(source.position(), 0);
    assert_eq!(read(&file), (text, None));
}

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
    for kind in KINDS {
        let file = [kind(b"one"), kind(b"two")].concat();
        for way in WAYS {
            for cut in 0..=file.len() {
                let disk = Breaking(Cursor::new(file[..cut].to_vec()));
                let mut text = Vec::new();
                let result = way(Box::new(disk), Marks::default()).read_to_end(&mut text);
                let error = result.unwrap_err();
                assert!(damage(&error).is_none(), "broken at {cut}: {error:?}");
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

#[test]
fn a_dropped_stream_stops_its_threads_and_drops_the_file() {
    let text: Vec<u8> = (0..1_000_000u32).flat_map(|n| (n ^ n << 7).to_le_bytes()).collect();
    for kind in KINDS {
        for bytes in [0, 1, 3_000_000] {
            let given = Arc::new(AtomicUsize::new(0));
            let file = Endless(kind(&text[..1 << 20]), Arc::clone(&given));
            let mut stream = three_threads(Box::new(file), Marks::default());
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
    let text: Vec<u8> = (0..1_000_000u32).flat_map(|n| (n ^ n << 7).to_le_bytes()).collect();
    for kind in KINDS {
        let given = Arc::new(AtomicUsize::new(0));
        let file = Endless(kind(&text[..1 << 20]), Arc::clone(&given));
        let mut stream = three_threads(Box::new(file), Marks::default());
        stream.read_exact(&mut [0]).unwrap();
        std::thread::sleep(Duration::from_millis(200));
        assert!(given.load(Ordering::Relaxed) < 16 << 20);
    }
}

#[derive(Debug, Clone)]
enum Harm {
    None,
    Cut(usize),
    Flip(usize, u8),
    Insert(usize, Vec<u8>),
    Remove(usize, usize),
}

fn harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        Just(Harm::None),
        any::<usize>().prop_map(Harm::Cut),
        (any::<usize>(), 0u8..8).prop_map(|(at, bit)| Harm::Flip(at, bit)),
        (any::<usize>(), proptest::collection::vec(any::<u8>(), 1..40))
            .prop_map(|(at, bytes)| Harm::Insert(at, bytes)),
        (any::<usize>(), 1usize..60).prop_map(|(at, length)| Harm::Remove(at, length)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn whatever_happens_to_a_file_every_way_reads_the_same(
        members in proptest::collection::vec(
            (any::<bool>(), proptest::collection::vec(0u8..4, 0..300)), 1..8),
        harm in harm(),
    ) {
        let mut text = Vec::new();
        let mut file = Vec::new();
        for (own_kind, part) in members {
            file.extend(if own_kind { own(&part) } else { gzip(&part) });
            text.extend(part);
        }
        let length = file.len();
        match harm.clone() {
            Harm::None => {}
            Harm::Cut(at) => file.truncate(at % length),
            Harm::Flip(at, bit) => file[at % length] ^= 1 << bit,
            Harm::Insert(at, bytes) => drop(file.splice(at % length..at % length, bytes)),
            Harm::Remove(at, count) => {
                drop(file.drain(at % length..(at % length + count).min(length)));
            }
        }
        let (found, damage) = read(&file);
        if matches!(harm, Harm::None) {
            prop_assert_eq!(damage, None);
            prop_assert!(found == text);
        } else if damage.is_none() && !matches!(harm, Harm::Cut(_) | Harm::Remove(..)) {
            prop_assert!(found == text);
        }
    }
}
