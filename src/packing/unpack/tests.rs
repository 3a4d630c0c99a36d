//! Every test runs for every format, and in every way of unpacking: on the thread that reads, and
//! ahead of it on others.

use std::io::Cursor;
use std::marker::PhantomData;

use proptest::prelude::*;

use super::packed::{
    bzip2 as bz, gzip as gz, lz4 as lz, own_gzip, own_zstd, xz as lzma, zstd as zst,
};
use super::*;
use crate::packing::member_index::MemberStart;

/// A way to make a member.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) packing: Packing,
    pub(super) pack: fn(&[u8]) -> Vec<u8>,
    /// Bits that say nothing of the contents: times, systems, window sizes, padding.
    harmless: usize,
}

const fn kind(
    name: &'static str,
    packing: Packing,
    pack: fn(&[u8]) -> Vec<u8>,
    harmless: usize,
) -> Kind {
    Kind { name, packing, pack, harmless }
}

pub(super) const KINDS: [Kind; 7] = [
    kind("gzip", Packing::Gzip, gz, 72),
    kind("own gzip", Packing::Gzip, own_gzip, 72 + 96),
    kind("zstd", Packing::Zstd, zst, 12),
    kind("own zstd", Packing::Zstd, own_zstd, 4),
    kind("xz", Packing::Xz, lzma, 0),
    kind("bzip2", Packing::Bzip2, bz, 40),
    kind("lz4", Packing::Lz4, lz, 0),
];

/// A format whose members are all read as streams, as they always can be.
struct Streamed<F>(PhantomData<F>);

impl<F: Format> Format for Streamed<F> {
    type Unpacker = ();
    type Decoder<R: Read + Send> = F::Decoder<R>;
    const NAME: &'static str = F::NAME;

    fn begins<R: Read>(source: &mut Source<R>) -> io::Result<bool> {
        F::begins(source)
    }

    fn decoder<R: Read + Send>(source: Source<R>) -> io::Result<Self::Decoder<R>> {
        F::decoder(source)
    }

    fn source<R: Read + Send>(decoder: Self::Decoder<R>) -> Source<R> {
        F::source(decoder)
    }

    fn skip_padding<R: Read>(source: &mut Source<R>) -> io::Result<()> {
        F::skip_padding(source)
    }

    fn refusal(error: &io::Error) -> Option<Refusal> {
        F::refusal(error)
    }
}

pub(super) type Raw = Box<dyn Read + Send>;
pub(super) type Way = fn(Raw, Packing, MemberIndex) -> Raw;

fn as_a_stream(raw: Raw, packing: Packing, members: MemberIndex) -> Raw {
    fn of<F: Format>(raw: Raw, members: MemberIndex) -> Raw {
        Box::new(Sequential::<Streamed<F>, _>::new(Source::new(raw), members))
    }
    match packing {
        Packing::None => raw,
        Packing::Gzip => of::<Gzip>(raw, members),
        Packing::Zstd => of::<Zstd>(raw, members),
        Packing::Xz => of::<Xz>(raw, members),
        Packing::Bzip2 => of::<Bzip2>(raw, members),
        Packing::Lz4 => of::<Lz4>(raw, members),
    }
}

fn one_thread(raw: Raw, packing: Packing, members: MemberIndex) -> Raw {
    inline(raw, packing, members)
}

pub(super) fn three_threads(raw: Raw, packing: Packing, members: MemberIndex) -> Raw {
    ahead(raw, packing, members, NonZeroUsize::new(3).unwrap())
}

pub(super) const WAYS: [Way; 3] = [as_a_stream, one_thread, three_threads];

/// How a stream ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    Whole,
    Damaged(Damage),
    Refused(Refusal),
}

/// What can be read, and how it ends.
fn read_by(way: Way, packing: Packing, bytes: &[u8]) -> (Vec<u8>, End) {
    let mut stream = way(Box::new(Cursor::new(bytes.to_vec())), packing, MemberIndex::default());
    let mut out = Vec::new();
    let end = match stream.read_to_end(&mut out) {
        Ok(_) => End::Whole,
        Err(error) => match (damage(&error), refusal(&error)) {
            // What a decoder says depends on the size of the buffers, too.
            (Some(Damage::Corrupt { format, .. }), _) => {
                End::Damaged(Damage::Corrupt { format, cause: String::new() })
            }
            (Some(damage), _) => End::Damaged(damage.clone()),
            (None, Some(refusal)) => End::Refused(refusal.clone()),
            (None, None) => panic!("{error:?}"),
        },
    };
    (out, end)
}

/// The same, which must be the same in every way; only how much of a damaged member comes before
/// the error depends on the size of the buffers.
pub(super) fn read(packing: Packing, bytes: &[u8]) -> (Vec<u8>, End) {
    let (expected, end) = read_by(as_a_stream, packing, bytes);
    for way in [one_thread as Way, three_threads] {
        let found = read_by(way, packing, bytes);
        assert_eq!(found.1, end);
        let same = found.0 == expected
            || end != End::Whole
                && (found.0.starts_with(&expected) || expected.starts_with(&found.0));
        assert!(same, "{} bytes, {} expected, {end:?}", found.0.len(), expected.len());
    }
    (expected, end)
}

pub(super) fn cut_off(format: &'static str) -> End {
    End::Damaged(Damage::CutOff { format })
}

fn format_of(kind: Kind) -> &'static str {
    kind.name.trim_start_matches("own ")
}

#[test]
fn one_member_and_several_are_read_whole() {
    let text = b"hello ".repeat(300_000);
    for Kind { pack, packing, .. } in KINDS {
        assert_eq!(read(packing, &pack(&text)), (text.clone(), End::Whole));
        let two = [pack(b"one "), pack(b""), pack(b"two")].concat();
        assert_eq!(read(packing, &two), (b"one two".to_vec(), End::Whole));
    }
}

#[test]
fn members_of_our_own_and_others_may_be_mixed() {
    for (foreign, own, packing) in [
        (gz as fn(&[u8]) -> _, own_gzip as fn(&[u8]) -> _, Packing::Gzip),
        (zst, own_zstd, Packing::Zstd),
    ] {
        for order in 0..16 {
            let pack = |number: usize| if order >> number & 1 == 0 { foreign } else { own };
            let parts: Vec<Vec<u8>> = (0..4).map(|number| pack(number)(b"some words\n")).collect();
            let found = read(packing, &parts.concat());
            assert_eq!(found, (b"some words\n".repeat(4), End::Whole), "{order}");
        }
    }
}

fn whole<F: Format>(member: &[u8]) -> bool {
    let mut source = Source::new(Cursor::new([member, b"what follows"].concat()));
    let mut taken = Vec::new();
    let bytes = F::take(&mut source, &mut taken).unwrap();
    let at = if bytes.is_some() { member.len() as u64 } else { 0 };
    assert_eq!((bytes, source.position()), (bytes.filter(|bytes| *bytes == 10), at));
    let mut content = vec![0; 10];
    let unpacked = bytes.is_some() && F::unpack(&mut F::Unpacker::default(), &taken, &mut content);
    assert_eq!(unpacked, bytes.is_some());
    assert!(!unpacked || content == b"some words");
    unpacked
}

#[test]
fn a_member_that_tells_its_size_is_unpacked_whole_and_another_one_is_not() {
    let text = b"some words";
    assert!(whole::<Gzip>(&own_gzip(text)) && !whole::<Gzip>(&gz(text)));
    assert!(whole::<Zstd>(&own_zstd(text)) && !whole::<Zstd>(&zst(text)));
    assert!(!whole::<Xz>(&lzma(text)) && !whole::<Bzip2>(&bz(text)));
}

#[test]
fn a_cut_stream_is_damaged_wherever_it_is_cut() {
    for kind in KINDS {
        let Kind { name, packing, pack, .. } = kind;
        let first = pack(b"a member that stays whole ");
        let last = pack(b"some text that is long enough to be cut");
        for cut in 0..last.len() {
            let end = read(packing, &last[..cut]).1;
            assert_eq!(end, cut_off(format_of(kind)), "{name} cut at {cut}");
            let (text, end) = read(packing, &[&first, &last[..cut]].concat());
            assert!(text.starts_with(b"a member that stays whole "), "{name} cut at {cut}");
            let expected = if cut == 0 { End::Whole } else { cut_off(format_of(kind)) };
            assert_eq!(end, expected, "{name} cut at {cut}");
        }
    }
}

#[test]
fn a_flipped_bit_never_changes_what_is_read() {
    let text = b"some text that is long enough to be flipped";
    for Kind { name, packing, pack, harmless } in KINDS {
        let whole = pack(text);
        let mut unnoticed = Vec::new();
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let (found, end) = read(packing, &[&whole[..], &flipped, &whole].concat());
            if end == End::Whole {
                assert!(found == text.repeat(3), "{name}, flipped bit {bit}");
                unnoticed.push(bit);
            }
        }
        assert!(unnoticed.len() <= harmless, "{name}: {} of {unnoticed:?}", unnoticed.len());
    }
}

#[test]
fn garbage_after_the_stream_is_damage_with_its_place() {
    for kind in KINDS {
        let Kind { name, packing, pack, .. } = kind;
        let (whole, format) = (pack(b"text"), format_of(kind));
        let at = whole.len() as u64;
        for garbage in [&b"\0x"[..], b"garbage", b"\x1fx", b"\n"] {
            let found = read(packing, &[&whole[..], garbage].concat());
            let end = End::Damaged(Damage::TrailingGarbage { format, at });
            assert_eq!(found, (b"text".to_vec(), end), "{name}");
        }
        let found = read(packing, &[&whole[..], &whole[..1]].concat());
        assert_eq!(found, (b"text".to_vec(), cut_off(format)), "{name}");
    }
}

#[test]
fn zeros_after_the_stream_are_passed_over_and_noted() {
    for Kind { name, packing, pack, .. } in KINDS {
        let whole = [pack(b"one "), pack(b"two")].concat();
        for zeros in [0, 1, 4, 512, 1 << 20] {
            let file = [&whole[..], &vec![0; zeros]].concat();
            assert_eq!(read(packing, &file), (b"one two".to_vec(), End::Whole), "{name}");
            let members = MemberIndex::default();
            let mut stream = three_threads(Box::new(Cursor::new(file)), packing, members.clone());
            stream.read_to_end(&mut Vec::new()).unwrap();
            let standard = name == "xz" && zeros % 4 == 0;
            assert_eq!(members.padded(), zeros > 0 && !standard, "{name}, {zeros}");
        }
    }
}

#[test]
fn the_beginnings_of_members_are_noted() {
    for (one, two) in KINDS.iter().flat_map(|one| KINDS.iter().map(move |two| (one, two))) {
        if one.packing != two.packing {
            continue;
        }
        let (first, second) = ((one.pack)(b"one "), (two.pack)(b"two"));
        for way in WAYS {
            let members = MemberIndex::default();
            let file = Cursor::new([first.as_slice(), &second].concat());
            let mut stream = way(Box::new(file), one.packing, members.clone());
            stream.read_to_end(&mut Vec::new()).unwrap();
            let second = MemberStart { offset: first.len() as u64, dump_offset: 4 };
            assert_eq!(members.list(), [MemberStart::default(), second]);
        }
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
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn whatever_happens_to_a_file_every_way_reads_the_same(
        format in 0usize..5,
        members in proptest::collection::vec(
            (any::<bool>(), proptest::collection::vec(0u8..4, 0..300)), 1..8),
        harm in harm(),
    ) {
        let (foreign, own) = [(0, 1), (2, 3), (4, 4), (5, 5), (6, 6)][format];
        let mut text = Vec::new();
        let mut file = Vec::new();
        for (is_own, part) in members {
            file.extend((KINDS[if is_own { own } else { foreign }].pack)(&part));
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
        let (found, end) = read(KINDS[own].packing, &file);
        if matches!(harm, Harm::None) {
            prop_assert_eq!(&end, &End::Whole);
        }
        if end == End::Whole && !matches!(harm, Harm::Cut(_) | Harm::Remove(..)) {
            prop_assert!(found == text);
        }
    }
}
