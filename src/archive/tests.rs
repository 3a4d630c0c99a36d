use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::archive::directory::ArchiveDirectory;
use crate::model::format::Format;
use crate::model::packing::Packing;
use crate::packing::file::BackupFile;
use crate::packing::read_error::ReadError;
use crate::packing::unpack::packed::gzip;
use examine::{examine_directory, examine_file};

const ROWS: &[u8] = b"1\tone\n2\ttwo\n\\.\n\n\n";

fn int(value: i32) -> Vec<u8> {
    [&[u8::from(value < 0)][..], &value.unsigned_abs().to_le_bytes()].concat()
}

fn string(text: &str) -> Vec<u8> {
    [int(text.len() as i32), text.as_bytes().to_vec()].concat()
}

fn head(version: (u8, u8), format: u8) -> Vec<u8> {
    let mut bytes = [b"PGDMP", &[version.0, version.1, 0, 4, 8, format][..]].concat();
    bytes.extend(if version >= (1, 15) { vec![0] } else { int(0) });
    (0..7).for_each(|_| bytes.extend(int(1)));
    for text in ["shop", "15.18 (Debian 15.18-0)", "17.6"] {
        bytes.extend(string(text));
    }
    bytes
}

/// An entry of the table of contents; with `file`, as the formats directory and tar have it.
fn entry(version: (u8, u8), id: i32, kind: &str, has_data: bool, file: Option<&str>) -> Vec<u8> {
    let mut bytes = [int(id), int(has_data.into())].concat();
    // What holds all large objects is of no schema.
    let (name, schema) = if kind == "BLOBS" { ("BLOBS", "") } else { ("users", "public") };
    for text in ["1259", "16384", name, kind] {
        bytes.extend(string(text));
    }
    bytes.extend(int(3));
    bytes.extend(string("CREATE TABLE public.users (id int);\n"));
    bytes.extend(int(-1));
    bytes.extend(string(if kind == "TABLE DATA" { "COPY users FROM stdin;\n" } else { "" }));
    bytes.extend([string(schema), int(-1)].concat());
    if version >= (1, 14) {
        bytes.extend(string("heap"));
    }
    if version >= (1, 16) {
        bytes.extend(int(i32::from(b'r')));
    }
    bytes.extend([string("owner"), string("false"), string("7"), int(-1)].concat());
    match file {
        Some(file) => bytes.extend(string(file)),
        None => bytes.extend([&[if has_data { 1 } else { 3 }][..], &[0; 8]].concat()),
    }
    bytes
}

fn custom(version: (u8, u8)) -> Vec<u8> {
    let entries = [
        int(3),
        entry(version, 7, "TABLE", false, None),
        entry(version, 8, "TABLE DATA", true, None),
        entry(version, 9, "BLOBS", true, None),
    ];
    let piece = |bytes: &[u8]| [int(bytes.len() as i32), bytes.to_vec()].concat();
    let data = [vec![1], int(8), piece(b"1\tone\n"), piece(b"\\.\n\n\n"), int(0)].concat();
    let objects = [vec![3], int(9), int(16_400), piece(b"hello"), int(0), int(0)].concat();
    [head(version, 1), entries.concat(), data, objects].concat()
}

fn toc() -> Vec<u8> {
    let entries = [
        int(3),
        entry((1, 14), 7, "TABLE", false, Some("")),
        entry((1, 14), 8, "TABLE DATA", true, Some("8.dat")),
        entry((1, 14), 9, "BLOBS", true, Some("blobs.toc")),
    ];
    [head((1, 14), 3), entries.concat()].concat()
}

fn tar() -> Vec<u8> {
    let mut tar = ::tar::Builder::new(Vec::new());
    let list = b"16400 blob_16400.dat\n";
    for (name, bytes) in [
        ("toc.dat", &toc()[..]),
        ("8.dat", ROWS),
        ("blob_16400.dat", b""),
        ("blobs.toc", list),
        ("restore.sql", b"--\n"),
    ] {
        let mut header = ::tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, name, bytes).unwrap();
    }
    tar.into_inner().unwrap()
}

fn examined(bytes: &[u8], packing: Packing, format: Format) -> Result<Head, Fault> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let file = BackupFile::open(file.path()).unwrap();
    let cancel = CancellationToken::new();
    examine_file(&file, packing, format, &cancel, Arc::new(|_| {})).unwrap().head
}

fn examined_directory(path: &Path) -> Examined {
    let directory = ArchiveDirectory::open_at(path).unwrap();
    examine_directory(&directory, &CancellationToken::new(), &(Arc::new(|_| {}) as _)).unwrap()
}

fn directory() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let rows = gzip(ROWS);
    let list = b"16400 blob_16400.dat\n";
    let files = [("toc.dat", &toc()[..]), ("8.dat.gz", &rows), ("blobs.toc", list)];
    for (name, bytes) in files.into_iter().chain([("blob_16400.dat", &b""[..])]) {
        std::fs::write(dir.path().join(name), bytes).unwrap();
    }
    dir
}

fn flaw(fault: Result<Head, Fault>) -> String {
    match fault {
        Err(Fault::Flaw(flaw)) => flaw.to_string(),
        other => panic!("no flaw: {other:?}"),
    }
}

#[test]
fn a_whole_archive_of_every_version_is_understood() {
    for minor in 12..=16 {
        let head = examined(&custom((1, minor)), Packing::None, Format::Custom).unwrap();
        assert_eq!(head.version, (1, minor));
        assert_eq!(head.server_version.as_deref(), Some("15.18 (Debian 15.18-0)"));
        assert_eq!(head.pg_dump_version.as_deref(), Some("17.6"));
    }
    examined(&gzip(&custom((1, 14))), Packing::Gzip, Format::Custom).unwrap();
    examined(&tar(), Packing::None, Format::Tar).unwrap();
    examined(&gzip(&tar()), Packing::Gzip, Format::Tar).unwrap();
    examined_directory(directory().path()).head.unwrap();
}

#[test]
fn rows_from_elsewhere_stand_where_the_table_of_contents_wants_them() {
    for minor in 14..=16 {
        let entries = [
            int(1),
            entry((1, minor), 8, "TABLE DATA", true, None),
            b"what is read beyond".to_vec(),
        ];
        let archive = [head((1, minor), 1), entries.concat()].concat();
        let beginning = woven::Beginning::read(&archive[..]).unwrap();
        assert_eq!(beginning.rows().unwrap(), [woven::Rows { entry: 8, table: 16_384 }]);
        let mut whole = Vec::new();
        beginning.write(&mut whole).unwrap();
        beginning.begin_rows(8, &mut whole).unwrap();
        beginning.write_rows(b"1\tone\n2\ttwo\n", &mut whole).unwrap();
        beginning.end_rows(&mut whole).unwrap();
        examined(&whole, Packing::None, Format::Custom).unwrap();
        let cut = whole.len() - 1;
        assert!(flaw(examined(&whole[..cut], Packing::None, Format::Custom)).contains("it is cut"));
    }
}

#[test]
fn an_archive_without_its_rows_is_whole_and_uncompressed() {
    for minor in 14..=16 {
        let of = |packed: bool| {
            let entries = [int(1), entry((1, minor), 8, "TABLE DATA", true, None)].concat();
            let mut head = head((1, minor), 1);
            // The sign of a level of gzip comes before it, and a method of one byte has none.
            head[if minor >= 15 { 11 } else { 12 }] = u8::from(packed);
            [head, entries].concat()
        };
        let empty =
            |archive: &[u8]| woven::Beginning::read(archive).unwrap().without_rows().unwrap();
        let head = examined(&empty(&of(true)), Packing::None, Format::Custom).unwrap();
        assert!(!head.compressed);
        assert_eq!(empty(&of(true)), empty(&of(false)));
    }
}

#[test]
fn the_same_is_made_of_a_directory() {
    struct Nowhere;
    impl super::Files for Nowhere {
        fn begin(&mut self, _: &str, _: Packing) -> std::io::Result<()> {
            Ok(())
        }
        fn write(&mut self, _: &[u8]) -> std::io::Result<()> {
            Ok(())
        }
        fn end(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    for minor in 14..=16 {
        let entries = [
            int(2),
            entry((1, minor), 7, "TABLE", false, None),
            entry((1, minor), 8, "TABLE DATA", true, None),
        ];
        let beginning = [head((1, minor), 1), entries.concat()].concat();
        let empty = woven::Beginning::read(&beginning[..]).unwrap().without_rows().unwrap();
        let toc = super::to_directory(&empty[..], Packing::None, &mut Nowhere).unwrap();
        let of_directory = super::convert::to_custom(&toc[..]).unwrap();
        let again = woven::Beginning::read(&of_directory[..]).unwrap().without_rows().unwrap();
        let (one, other) = (
            examined(&empty, Packing::None, Format::Custom),
            examined(&again, Packing::None, Format::Custom),
        );
        assert_eq!(one.unwrap(), other.unwrap());
        assert_eq!(again.len(), empty.len());
    }
}

#[test]
fn an_archive_with_other_data_than_rows_is_not_woven() {
    assert_eq!(woven::Beginning::read(&custom((1, 14))[..]).unwrap().rows(), None);
}

#[test]
fn the_server_that_restores_it_is_the_dumps_own_but_none_that_cannot_read_it() {
    let restoring = |minor| {
        let head = examined(&custom((1, minor)), Packing::None, Format::Custom).unwrap();
        head.restoring_major()
    };
    assert_eq!([12, 13, 14, 15, 16].map(restoring), [15, 15, 15, 16, 17].map(Some));
}

#[test]
fn an_archive_cut_at_any_byte_is_flawed() {
    let whole = custom((1, 14));
    for cut in 5..whole.len() {
        let fault = examined(&whole[..cut], Packing::None, Format::Custom);
        assert!(flaw(fault).ends_with("it is cut"), "cut at {cut}");
    }
    let whole = tar();
    for cut in (512..whole.len()).step_by(97) {
        let fault = examined(&whole[..cut], Packing::None, Format::Tar);
        assert!(matches!(fault, Err(Fault::Flaw(_))), "cut at {cut}: {fault:?}");
    }
}

#[test]
fn a_newer_version_cannot_be_told_and_garbage_is_flawed() {
    let mut newer = custom((1, 16));
    newer[6] = 17;
    let fault = examined(&newer, Packing::None, Format::Custom);
    assert_eq!(fault, Err(Fault::Version(UnknownVersion { major: 1, minor: 17 })));
    // Its format may be one that there was not before.
    newer[10] = 6;
    let fault = examined(&newer, Packing::None, Format::Custom);
    assert_eq!(fault, Err(Fault::Version(UnknownVersion { major: 1, minor: 17 })));
    let dir = directory();
    let mut newer = toc();
    newer[6] = 17;
    std::fs::write(dir.path().join("toc.dat"), newer).unwrap();
    assert_eq!(examined_directory(dir.path()).head, fault);
    let garbage = [MAGIC, b"and then something else entirely"].concat();
    let said = flaw(examined(&garbage, Packing::None, Format::Custom));
    assert_eq!(said, "the archive is corrupt: its head makes no sense, at byte 11");
}

#[test]
fn an_archive_that_is_not_of_the_format_it_looks_like_is_flawed() {
    let said = "the archive is corrupt: its head names another format, at byte 10";
    assert_eq!(flaw(examined(&toc(), Packing::None, Format::Custom)), said);
    let dir = directory();
    std::fs::write(dir.path().join("toc.dat"), custom((1, 14))).unwrap();
    assert_eq!(flaw(examined_directory(dir.path()).head), said);
    let rows = tar().chunks(512).position(|block| block.starts_with(b"8.dat")).unwrap() * 512;
    let said = flaw(examined(&tar()[rows..], Packing::None, Format::Tar));
    assert_eq!(said, "the archive is corrupt: its first member is not toc.dat, at byte 0");
}

#[test]
fn a_piece_of_data_of_negative_length_is_a_flaw() {
    let whole = custom((1, 14));
    let rows = whole.windows(5).position(|bytes| bytes == b"1\tone").unwrap();
    let mut negative = whole.clone();
    negative[rows - 5] = 1;
    let said = flaw(examined(&negative, Packing::None, Format::Custom));
    assert!(said.contains("a piece of data has a negative length"), "{said}");
}

#[test]
fn what_follows_an_archive_is_named() {
    let after = [custom((1, 14)), b"more".to_vec()].concat();
    assert!(flaw(examined(&after, Packing::None, Format::Custom)).starts_with("garbage"));
    let after = [tar(), b"more".to_vec()].concat();
    assert!(flaw(examined(&after, Packing::None, Format::Tar)).starts_with("garbage"));
    // As tar fills up its records.
    let filled = [tar(), vec![0; 8192]].concat();
    examined(&filled, Packing::None, Format::Tar).unwrap();
}

#[test]
fn a_block_without_an_entry_and_an_entry_without_a_block_are_flaws() {
    let whole = custom((1, 14));
    let objects = whole.len() - 31;
    let block = |id| [vec![1], int(id), int(0)].concat();
    let none = [&whole[..], &block(8)].concat();
    assert!(flaw(examined(&none, Packing::None, Format::Custom)).contains("no entry"));
    let lost = flaw(examined(&whole[..objects], Packing::None, Format::Custom));
    assert_eq!(lost, "the archive has lost the data of BLOBS BLOBS: it is cut");
}

#[test]
fn damage_of_the_compression_around_it_is_what_is_said() {
    let mut bytes = gzip(&[custom((1, 14)), vec![7; 100_000]].concat());
    let crc = bytes.len() - 8;
    bytes[crc] ^= 1;
    let said = flaw(examined(&bytes, Packing::Gzip, Format::Custom));
    assert!(said.starts_with("the gzip stream is corrupt"), "{said}");
    // Also where what reads the archive makes something else of it.
    let whole = gzip(&tar());
    for cut in 18..whole.len() {
        let said = flaw(examined(&whole[..cut], Packing::Gzip, Format::Tar));
        assert!(said.starts_with("the gzip stream is cut off"), "cut at {cut}: {said}");
    }
}

#[test]
fn a_member_that_is_missing_empty_cut_or_damaged_is_named() {
    let rows = gzip(ROWS);
    let mut damaged = rows.clone();
    let crc = rows.len() - 8;
    damaged[crc] ^= 1;
    for (file, bytes, said) in [
        ("8.dat.gz", None, "8.dat is missing"),
        ("8.dat.gz", Some(&b""[..]), "8.dat.gz of the archive is empty"),
        ("8.dat.gz", Some(&rows[..rows.len() - 9]), "the gzip stream is cut off"),
        ("8.dat.gz", Some(&damaged), "the gzip stream is corrupt"),
        ("8.dat.gz", Some(&gzip(b"1\tone\n")), "ends without the \\."),
        ("toc.dat", None, "toc.dat is missing"),
        ("toc.dat", Some(&toc()[..100]), "it is cut"),
        ("toc.dat", Some(&[toc(), b"more".to_vec()].concat()), "garbage follows the archive"),
        ("blobs.toc", Some(b""), "blobs.toc of the archive is empty"),
        ("blob_16400.dat", None, "blob_16400.dat is missing"),
    ] {
        let dir = directory();
        let path = dir.path().join(file);
        match bytes {
            Some(bytes) => std::fs::write(path, bytes).unwrap(),
            None => std::fs::remove_file(path).unwrap(),
        }
        let found = flaw(examined_directory(dir.path()).head);
        assert!(found.contains(said), "{file}: {found}");
    }
}

#[test]
fn the_checksum_of_a_directory_is_of_the_names_and_bytes_of_its_files() {
    let dir = directory();
    let of = || examined_directory(dir.path()).sha256;
    let whole = of();
    std::fs::write(dir.path().join(".nfs0001"), b"hidden").unwrap();
    std::fs::create_dir(dir.path().join("lost+found")).unwrap();
    assert_eq!(of(), whole);
    std::fs::rename(dir.path().join("blob_16400.dat"), dir.path().join("blob_16401.dat")).unwrap();
    assert_ne!(of(), whole);
    std::fs::rename(dir.path().join("blob_16401.dat"), dir.path().join("blob_16400.dat")).unwrap();
    assert_eq!(of(), whole);
    std::fs::write(dir.path().join("blob_16400.dat"), b"x").unwrap();
    assert_ne!(of(), whole);
}

#[test]
fn a_file_that_cannot_be_read_is_no_flaw() {
    for file in ["toc.dat", "8.dat.gz", "blobs.toc", "blob_16400.dat"] {
        let dir = directory();
        let open = ArchiveDirectory::open_at(dir.path()).unwrap();
        // A directory can be opened and not be read, as a file on a disk that fails.
        std::fs::remove_file(dir.path().join(file)).unwrap();
        std::fs::create_dir(dir.path().join(file)).unwrap();
        let examined =
            examine_directory(&open, &CancellationToken::new(), &(Arc::new(|_| {}) as _));
        assert!(matches!(examined, Err(ReadError::Disk(_))), "{file}: {examined:?}");
    }
}

#[test]
fn lists_of_large_objects_that_are_not_understood_are_left_to_pg_restore() {
    let lost = "blob_16401.dat is missing";
    let list = b"16400 blob_16400.dat\n16401 blob_16401.dat\n";
    for (file, bytes, missed) in [
        ("blobs.toc", list.to_vec(), true),
        ("blobs.toc", [&list[..], b"nonsense\n"].concat(), false),
        ("blobs.toc.gz", gzip(list), false),
        ("blobs.toc.zst", b"packed in a way that is not unpacked here".to_vec(), false),
    ] {
        let dir = directory();
        std::fs::remove_file(dir.path().join("blobs.toc")).unwrap();
        std::fs::write(dir.path().join(file), bytes).unwrap();
        let head = examined_directory(dir.path()).head;
        assert_eq!(head.is_err(), missed, "{file}: {head:?}");
        assert!(!missed || flaw(head).contains(lost));
    }
}

#[test]
fn a_directory_that_is_written_to_has_changed() {
    let dir = directory();
    let open = ArchiveDirectory::open_at(dir.path()).unwrap();
    assert!(!open.has_changed());
    std::fs::write(dir.path().join("9.dat"), b"more").unwrap();
    assert!(open.has_changed());
}

proptest! {
    #[test]
    fn any_bytes_can_be_read(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let bytes = [MAGIC, &bytes].concat();
        let _ = examined(&bytes, Packing::None, Format::Custom);
        let _ = examined(&bytes, Packing::None, Format::Tar);
    }

    #[test]
    fn any_change_of_an_archive_can_be_read(at in 5usize..400, byte in any::<u8>()) {
        for (mut bytes, format) in [(custom((1, 14)), Format::Custom), (tar(), Format::Tar)] {
            let end = bytes.len() - 1;
            bytes[at.min(end)] = byte;
            let _ = examined(&bytes, Packing::None, format);
        }
    }
}
