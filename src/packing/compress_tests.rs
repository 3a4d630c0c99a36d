use std::io::{Read, Write};
use std::num::NonZeroUsize;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use flate2::read::{GzDecoder, MultiGzDecoder};
use proptest::prelude::*;

use super::*;
use crate::packing::member;

fn threads(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).unwrap()
}

fn gzip(level: u8) -> Codec {
    Codec::Gzip { level }
}

fn zstd(level: u8) -> Codec {
    Codec::Zstd { level }
}

fn unpack_zstd(packed: &[u8]) -> Vec<u8> {
    zstd::stream::decode_all(packed).unwrap()
}

/// Lines that neither compress to nothing nor stay as they are.
fn text(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut text = Vec::with_capacity(bytes + 80);
    while text.len() < bytes {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let word = state >> 40;
        writeln!(text, "{}\tuser{word}@example.com\tTopic {}\t\\N", text.len(), word % 50).unwrap();
    }
    text.truncate(bytes);
    text
}

fn unpack(packed: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    MultiGzDecoder::new(packed).read_to_end(&mut plain).unwrap();
    plain
}

fn pack(data: &[u8], codec: Codec, workers: usize) -> Compressed<Vec<u8>> {
    let mut compressor = Compressor::new(Vec::new(), codec, threads(workers)).unwrap();
    for part in data.chunks(70_001) {
        compressor.write(part).unwrap();
    }
    compressor.finish().unwrap()
}

#[test]
fn what_was_packed_comes_out_again_in_order() {
    let data = text(7_300_000);
    for workers in [1, 2, 5] {
        let packed = pack(&data, gzip(6), workers);
        assert_eq!(packed.bytes_in, data.len() as u64);
        assert_eq!(packed.bytes_out, packed.sink.len() as u64);
        assert!(packed.members.len() >= 7);
        assert!(unpack(&packed.sink) == data);
    }
}

#[test]
fn the_file_does_not_depend_on_the_number_of_threads() {
    let data = text(5_000_000);
    assert!(pack(&data, gzip(6), 1).sink == pack(&data, gzip(6), 4).sink);
}

#[test]
fn every_member_can_be_read_by_itself_and_ends_with_a_line() {
    let data = text(4_000_000);
    let packed = pack(&data, gzip(6), 2);
    for pair in packed.members.windows(2) {
        let mut plain = Vec::new();
        GzDecoder::new(&packed.sink[pair[0].offset as usize..]).read_to_end(&mut plain).unwrap();
        let from = pair[0].dump_offset as usize;
        let to = pair[1].dump_offset as usize;
        assert!(plain == data[from..to]);
        assert_eq!(plain.last(), Some(&b'\n'));
    }
}

#[test]
fn a_line_longer_than_a_piece_is_cut_and_comes_out_whole() {
    let data = vec![b'x'; 3 * PIECE_BYTES + 17];
    let packed = pack(&data, gzip(1), 2);
    assert_eq!(packed.members.len(), 4);
    assert!(unpack(&packed.sink) == data);
}

#[test]
fn an_empty_stream_is_a_whole_gzip_file() {
    let packed = pack(b"", gzip(6), 2);
    assert_eq!((packed.bytes_in, packed.members.len()), (0, 1));
    assert_eq!(unpack(&packed.sink), b"");
    assert_eq!(unpack_zstd(&pack(b"", zstd(3), 2).sink), b"");
}

#[test]
fn without_a_codec_the_bytes_are_written_as_they_are() {
    let data = text(2_500_000);
    let packed = pack(&data, Codec::None, 4);
    assert!(packed.sink == data);
    assert!(pack(b"", Codec::None, 1).sink.is_empty());
}

#[test]
fn every_level_of_a_codec_works_and_others_are_refused() {
    let data = text(300_000);
    for level in 1..=9 {
        assert!(unpack(&pack(&data, gzip(level), 1).sink) == data);
    }
    for level in [1, 3, 19] {
        assert!(unpack_zstd(&pack(&data, zstd(level), 1).sink) == data);
    }
    for (codec, message) in [
        (gzip(0), "gzip knows no level 0"),
        (gzip(10), "gzip knows no level 10"),
        (zstd(0), "zstd knows no level 0"),
        (zstd(20), "zstd knows no level 20"),
    ] {
        let error = Compressor::new(Vec::new(), codec, threads(1)).unwrap_err();
        assert_eq!(error.to_string(), message);
        assert!(error.hint().is_some());
    }
}

#[test]
fn zstd_frames_hold_their_size_and_a_checksum_and_are_read_by_zstd() {
    let data = text(4_200_000);
    let packed = pack(&data, zstd(3), 3);
    assert!(unpack_zstd(&packed.sink) == data);
    assert!(packed.sink == pack(&data, zstd(3), 1).sink);
    let ends = packed.members.iter().skip(1).map(|member| member.dump_offset);
    for (member, end) in packed.members.iter().zip(ends.chain([packed.bytes_in])) {
        let frame = &packed.sink[member.offset as usize..];
        let size = zstd::zstd_safe::get_frame_content_size(frame).unwrap();
        assert_eq!(size, Some(end - member.dump_offset));
        assert_eq!(frame[4] & 4, 4, "the checksum's bit");
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.zst");
    std::fs::write(&file, packed.sink).unwrap();
    assert!(Command::new("zstd").arg("-tq").arg(&file).status().unwrap().success());
}

#[test]
fn gzip_and_python_read_the_file() {
    let data = text(2_200_000);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.gz");
    std::fs::write(&file, pack(&data, gzip(6), 2).sink).unwrap();
    let tested = Command::new("gzip").arg("-t").arg(&file).status().unwrap();
    assert!(tested.success());
    let unzipped = Command::new("gzip").arg("-dc").arg(&file).output().unwrap();
    assert!(unzipped.stdout == data);
    let script = "import gzip, sys; sys.stdout.buffer.write(gzip.open(sys.argv[1]).read())";
    let read = Command::new("python3").args(["-c", script]).arg(&file).output().unwrap();
    assert!(read.stdout == data);
}

/// A disk that is full after some bytes.
struct SmallDisk(usize);

impl Write for SmallDisk {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if data.len() > self.0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0 -= data.len();
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_reported_while_writing() {
    let data = text(PIECE_BYTES);
    let mut compressor = Compressor::new(SmallDisk(700_000), gzip(1), threads(2)).unwrap();
    let error = (0..100).find_map(|_| compressor.write(&data).err()).unwrap();
    assert!(matches!(&error, CompressError::Sink(e) if e.kind() == io::ErrorKind::StorageFull));
    assert!(error.hint().unwrap().contains("free space"));
    assert!(matches!(compressor.write(b"more"), Err(CompressError::Stopped)));
    assert!(matches!(compressor.finish(), Err(CompressError::Stopped)));
}

#[test]
fn what_arrives_after_an_error_is_not_taken() {
    let mut compressor = Compressor::new(SmallDisk(10), Codec::None, threads(1)).unwrap();
    // The first piece cannot be written; of the second, some bytes are at hand when that is known.
    compressor.write(&text(PIECE_BYTES + 100)).unwrap();
    while compressor.write(b"x").is_ok() {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(matches!(compressor.finish(), Err(CompressError::Stopped)));
}

#[test]
fn an_error_names_the_way_out_where_there_is_one() {
    let sink = |kind: io::ErrorKind| CompressError::Sink(kind.into());
    for (error, words) in [
        (sink(io::ErrorKind::StorageFull), "--backup-dir"),
        (sink(io::ErrorKind::QuotaExceeded), "--backup-dir"),
        (sink(io::ErrorKind::FileTooLarge), "ulimit -f"),
        (sink(io::ErrorKind::NotConnected), "check the disk"),
        (CompressError::Threads(io::ErrorKind::WouldBlock.into()), "ulimit -u"),
        (CodecError::Level { format: "gzip", level: 0 }.into(), "from 1 to 9"),
        (CodecError::Level { format: "zstd", level: 0 }.into(), "from 1 to 19"),
    ] {
        let hint = error.hint().unwrap_or_default();
        assert!(hint.contains(words), "{error}: {hint}");
    }
    for error in [
        CompressError::Stopped,
        CodecError::Refused { format: "gzip", bytes: 3 }.into(),
        CodecError::SetUp("no memory".to_owned()).into(),
    ] {
        assert_eq!(error.hint(), None, "{error}");
    }
}

#[test]
fn a_full_disk_is_reported_at_the_end() {
    let mut compressor = Compressor::new(SmallDisk(10), gzip(6), threads(2)).unwrap();
    compressor.write(&text(1000)).unwrap();
    assert!(matches!(compressor.finish(), Err(CompressError::Sink(_))));
}

/// Says when it is dropped, and is slow.
struct SlowDisk(std::sync::mpsc::Sender<()>);

impl Write for SlowDisk {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        std::thread::sleep(Duration::from_millis(50));
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        panic!("flushed although it was not finished")
    }
}

impl Drop for SlowDisk {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[test]
fn a_dropped_compressor_stops_its_threads_and_drops_the_sink() {
    let (sender, dropped) = std::sync::mpsc::channel();
    let mut compressor = Compressor::new(SlowDisk(sender), gzip(6), threads(2)).unwrap();
    compressor.write(&text(4 * PIECE_BYTES)).unwrap();
    let begun = Instant::now();
    drop(compressor);
    dropped.try_recv().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[test]
fn a_slow_disk_holds_the_writer_back() {
    let (sender, _dropped) = std::sync::mpsc::channel();
    let mut compressor = Compressor::new(SlowDisk(sender), gzip(1), threads(1)).unwrap();
    let begun = Instant::now();
    compressor.write(&text(10 * PIECE_BYTES)).unwrap();
    // Ten pieces, of which at most two wait, one is written and one is at hand.
    assert!(begun.elapsed() > Duration::from_millis(250));
}

#[test]
fn a_lost_worker_is_an_error_and_not_a_shorter_file() {
    struct Broken;
    impl Encoder for Broken {
        fn encode(&mut self, _piece: &mut Vec<u8>) -> Result<(), CodecError> {
            Err(CodecError::Refused { format: "gzip", bytes: 3 })
        }
    }
    let (jobs, queue) = sync_channel(1);
    let (reply, receipt) = sync_channel(1);
    let piece = Piece { buffer: vec![1, 2, 3], bytes_in: 3 };
    jobs.send(Job { piece, reply }).unwrap();
    drop(jobs);
    work(&Mutex::new(queue), Box::new(Broken), &AtomicBool::new(false));
    let (receipts, receipt_queue) = sync_channel(2);
    receipts.send(receipt).unwrap();
    drop(receipts);
    let (give_back, _spare) = sync_channel(1);
    let end = write_in_order(Vec::new(), &receipt_queue, &give_back, &AtomicBool::new(false));
    assert!(matches!(end, Err(CompressError::Codec(_))));
}

#[test]
fn a_child_that_reads_the_sink_can_go_away() {
    let mut child = Command::new("head")
        .args(["-c", "10"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let sink = child.stdin.take().unwrap();
    let mut compressor = Compressor::new(sink, Codec::None, threads(1)).unwrap();
    let data = text(PIECE_BYTES);
    let error = (0..100).find_map(|_| compressor.write(&data).err());
    assert!(matches!(error, Some(CompressError::Sink(e)) if e.kind() == io::ErrorKind::BrokenPipe));
    child.wait().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn any_bytes_in_any_portions_come_out_again(
        portions in proptest::collection::vec((any::<u8>(), 0usize..600_000), 0..12)
    ) {
        let mut compressor = Compressor::new(Vec::new(), gzip(1), threads(2)).unwrap();
        let mut data = Vec::new();
        for (seed, length) in portions {
            let part: Vec<u8> = (0..length).map(|i| (i as u8).wrapping_mul(seed)).collect();
            compressor.write(&part).unwrap();
            data.extend(part);
        }
        let packed = compressor.finish().unwrap();
        prop_assert!(unpack(&packed.sink) == data);
    }
}

#[test]
fn the_file_is_its_own_index() {
    let packed = pack(&text(4_000_000), gzip(6), 2);
    let (mut at, mut starts) = (0, Vec::new());
    while at < packed.sink.len() {
        starts.push(at as u64);
        at += member::size(&packed.sink[at..at + member::HEADER]).unwrap();
    }
    assert_eq!(at, packed.sink.len());
    assert!(starts.iter().copied().eq(packed.members.iter().map(|member| member.offset)));
}
