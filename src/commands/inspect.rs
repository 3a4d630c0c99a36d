//! Reads a backup from its first byte to its last and tells everything that can be known without
//! a server: whether it is whole, what it contains, its checksum.

use std::io::{self, Read};
use std::num::NonZeroUsize;

use tokio_util::sync::CancellationToken;

use crate::dump::contents::Contents;
use crate::dump::flaw::Flaw;
use crate::dump::inserts::InsertTarget;
use crate::dump::item::{Facts, Item};
use crate::dump::items::{Items, ItemsError, Unsound, foreign};
use crate::dump::own_database::OwnDatabase;
use crate::dump::plain::Reader;
use crate::dump::privileged::PrivilegedStatements;
use crate::dump::requirements::Requirements;
use crate::dump::script::Script;
use crate::model::damage::{Damage, Refusal, damage, refusal};
use crate::model::packing::Packing;
use crate::packing::file::BackupFile;
use crate::packing::hashing::Hashing;
use crate::packing::member_index::{MemberIndex, MemberStart};
use crate::packing::read_error::ReadError;
use crate::packing::unpack::decompress_ahead;

/// Bytes of the dump in which pg_dump says which versions made it.
const PREAMBLE_BYTES: u64 = 64 * 1024;

/// Threads that decompress: one that reads a dump keeps no more of them busy.
const MOST_THREADS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(3);

/// What reading the SQL of a backup found.
#[derive(Debug, Default)]
pub struct Inspection {
    /// Why it is not whole; `None` when it is.
    pub unsound: Option<Unsound>,
    /// Versions, encoding, header and trailer.
    pub facts: Facts,
    /// What it contains, as far as it was read.
    pub contents: Contents,
    /// Roles and extensions that it needs.
    pub requirements: Requirements,
    /// What not everybody may run.
    pub privileged: PrivilegedStatements,
    /// What it says of its database itself.
    pub own_database: OwnDatabase,
    /// Bytes of the SQL, unpacked, as far as it was read.
    pub dump_bytes: u64,
}

/// What reading the file of a plain dump found.
#[derive(Debug)]
pub struct FileInspection {
    /// What its SQL says.
    pub dump: Inspection,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
    /// Where its rows are.
    pub places: Places,
}

/// Where the statements and rows of a plain dump are.
#[derive(Debug)]
pub struct Places {
    /// Its statements and the places of its rows.
    pub script: Script,
    /// Places to read the file from.
    pub members: Vec<MemberStart>,
}

/// Reads SQL that comes from elsewhere than a file of ours, to its end even where it is not
/// understood: whoever writes it has to come to its own. `progress` is told the bytes so far.
///
/// # Errors
/// When the stream fails or `cancel` is set; bad SQL is a value.
pub fn decode(
    stream: impl Read,
    cancel: &CancellationToken,
    progress: &dyn Fn(u64),
) -> Result<Inspection, ReadError> {
    let mut items = Items::new(stream);
    let mut dump = read(&mut items, cancel, |_, _, bytes| progress(bytes))?;
    if dump.unsound.is_some() {
        dump.dump_bytes += drain(items.into_inner(), cancel)?;
    }
    Ok(dump)
}

/// Reads SQL up to where it ends or is not understood. `note` is told each item, what it inserts into where it is an INSERT
/// statement of constants, with the number of its rows, and the bytes read so far.
fn read<R: Read>(
    items: &mut Items<R>,
    cancel: &CancellationToken,
    mut note: impl FnMut(&Item, Option<(InsertTarget, u64)>, u64),
) -> Result<Inspection, ReadError> {
    let (mut contents, mut requirements) = (Contents::default(), Requirements::default());
    let mut own_database = OwnDatabase::default();
    let mut privileged = PrivilegedStatements::default();
    let unsound = loop {
        if cancel.is_cancelled() {
            return Err(ReadError::Interrupted);
        }
        match items.pull() {
            Ok(Some(item)) => {
                let inserts = contents.take(&item, items.encoding());
                requirements.take(&item, items.encoding());
                own_database.take(&item, items.encoding());
                privileged.take(&item, items.encoding());
                note(&item, inserts, items.bytes());
            }
            Ok(None) => break foreign(items.facts()),
            Err(ItemsError::Unsound(unsound)) => break Some(unsound),
            Err(ItemsError::Disk(error)) => return Err(error.into()),
        }
    };
    let (facts, dump_bytes) = (items.facts().clone(), items.bytes());
    Ok(Inspection { unsound, facts, contents, requirements, privileged, own_database, dump_bytes })
}

fn drain(mut stream: impl Read, cancel: &CancellationToken) -> Result<u64, ReadError> {
    let mut rest = vec![0; 64 * 1024];
    let mut bytes = 0;
    loop {
        if cancel.is_cancelled() {
            return Err(ReadError::Interrupted);
        }
        match stream.read(&mut rest) {
            Ok(0) => return Ok(bytes),
            Ok(read) => bytes += read as u64,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// What pg_dump says of itself at the start of the dump; as much as is there.
pub fn preamble(file: &BackupFile, packing: Packing) -> Facts {
    preamble_of(file.stream(packing))
}

/// The same of a stream.
pub fn preamble_of(stream: impl Read) -> Facts {
    let mut start = Vec::new();
    let mut reader = Reader::new();
    // Damage this early is found, and named, by whoever reads on.
    let _ = stream.take(PREAMBLE_BYTES).read_to_end(&mut start);
    let _ = reader.feed(start.into(), &mut Vec::new());
    reader.facts().clone()
}

/// Reads the whole backup. `progress` is told the bytes of the file read so far.
///
/// # Errors
/// When the disk fails or `cancel` is set; a bad backup is a value.
pub fn inspect(
    file: &BackupFile,
    packing: Packing,
    cancel: &CancellationToken,
    progress: &dyn Fn(u64),
) -> Result<FileInspection, ReadError> {
    let hashing = Hashing::new(file.at_rest());
    let members = MemberIndex::default();
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let threads = cores.min(MOST_THREADS);
    let packed = file.unsealing(hashing.clone());
    let mut items = Items::new(decompress_ahead(packed, packing, &members, threads));
    let mut script = Script::default();
    let noted = read(&mut items, cancel, |item, inserts, _| {
        script.take(item, inserts);
        progress(hashing.position());
    });
    let mut dump = match noted {
        Err(ReadError::Disk(error)) => {
            let Some(refusal) = refusal(&error).cloned() else { return Err(error.into()) };
            drop(items);
            let sha256 = hashing.finish(cancel)?.ok_or(ReadError::Interrupted)?;
            return Err(ReadError::Refused { refusal, sha256 });
        }
        noted => noted?,
    };
    let undecrypted = match dump.unsound.as_ref().map(|_| file.check_unsealing()) {
        None => None,
        Some(Err(error)) => Some(error),
        // A wrong key makes noise of it, and not every program notices.
        Some(Ok(())) if !file.can_seek() && !dump.facts.is_dump() => {
            Some(Refusal::Undecrypted.into())
        }
        Some(Ok(())) => None,
    };
    if let Some(error) = undecrypted {
        drop(items);
        let Some(refusal) = refusal(&error).cloned() else { return Err(error.into()) };
        let sha256 = hashing.finish(cancel)?.ok_or(ReadError::Interrupted)?;
        return Err(ReadError::Refused { refusal, sha256 });
    }
    dump.unsound = match dump.unsound.take() {
        Some(Unsound::Flawed(flaw)) => {
            Some(root_cause(flaw, items.into_inner(), dump.dump_bytes, cancel)?)
        }
        other => other.map(|unsound| sent_as_text(unsound, file)).transpose()?,
    };
    let sha256 = hashing.finish(cancel)?.ok_or(ReadError::Interrupted)?;
    dump.facts.padded |= members.padded();
    let places = Places { script, members: members.list() };
    Ok(FileInspection { dump, sha256, places })
}

/// What to say of damage where it is known what did it.
fn sent_as_text(unsound: Unsound, file: &BackupFile) -> io::Result<Unsound> {
    Ok(match unsound {
        Unsound::Damaged { damage: Damage::Corrupt { format, .. }, at }
            if file.has_changed_line_ends()? =>
        {
            let cause = "each of its line ends was changed (LF became CR LF), as a terminal or a \
                         transfer of text does it";
            Unsound::Damaged { damage: Damage::Corrupt { format, cause: cause.to_owned() }, at }
        }
        other => other,
    })
}

/// What to say of a flaw in the text: text that a damaged compressed stream gave is flawed because
/// of the damage. So the rest of the stream is looked at.
fn root_cause(
    flaw: Flaw,
    mut stream: impl Read,
    before: u64,
    cancel: &CancellationToken,
) -> Result<Unsound, ReadError> {
    let mut rest = vec![0; 64 * 1024];
    let mut at = before;
    loop {
        if cancel.is_cancelled() {
            return Err(ReadError::Interrupted);
        }
        match stream.read(&mut rest) {
            Ok(0) => return Ok(flaw.into()),
            Ok(read) => at += read as u64,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => match damage(&error) {
                Some(damage) => return Ok(Unsound::Damaged { damage: damage.clone(), at }),
                None if refusal(&error).is_some() => return Ok(flaw.into()),
                None => return Err(error.into()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::write::GzEncoder;
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::model::damage::Refusal;

    const DUMP: &[u8] =
        b"--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 15.18\n\
        -- Dumped by pg_dump version 15.18\n\nSET client_encoding = 'UTF8';\n\n\
        COPY public.users (id, name) FROM stdin;\n1\tone\n2\ttwo\n\\.\n\n\n\
        SELECT pg_catalog.setval('public.users_id_seq', 2, true);\n\n\
        COPY public.alembic_version (version_num) FROM stdin;\n0607bc5b8541\n\\.\n\n\n\
        --\n-- PostgreSQL database dump complete\n--\n\n";

    fn inspected(bytes: &[u8], packing: Packing) -> FileInspection {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let file = BackupFile::open(file.path()).unwrap();
        inspect(&file, packing, &CancellationToken::new(), &|_| {}).unwrap()
    }

    fn sha256(bytes: &[u8]) -> String {
        hex::encode(Sha256::digest(bytes))
    }

    #[test]
    fn a_whole_dump_is_counted_and_hashed() {
        let found = inspected(DUMP, Packing::None);
        assert_eq!(found.dump.unsound, None);
        assert_eq!(found.dump.contents.rows(), 3);
        assert_eq!(found.dump.contents.tables(), 2);
        assert_eq!(found.dump.contents.database.sequences.len(), 1);
        assert_eq!(found.dump.contents.alembic_revisions(), Some(vec!["0607bc5b8541".to_owned()]));
        assert_eq!(found.sha256, sha256(DUMP));
        assert_eq!(found.dump.dump_bytes, DUMP.len() as u64);
    }

    #[test]
    fn a_damaged_file_is_unsound_and_still_hashed_whole() {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(DUMP).unwrap();
        let mut bytes = encoder.finish().unwrap();
        bytes.extend_from_slice(&[7; 1_000_000]);
        let found = inspected(&bytes, Packing::Gzip);
        assert!(matches!(found.dump.unsound, Some(Unsound::Damaged { .. })));
        assert_eq!(found.sha256, sha256(&bytes));
    }

    #[test]
    fn text_that_a_damaged_stream_garbled_is_called_damaged_and_not_flawed() {
        let garbled = [&DUMP[..200], b"\\! echo\n", &DUMP[200..]].concat();
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(&garbled).unwrap();
        let mut bytes = encoder.finish().unwrap();
        let flawed = inspected(&bytes, Packing::Gzip);
        assert!(matches!(flawed.dump.unsound, Some(Unsound::Flawed(_))), "{flawed:?}");
        let checksum = bytes.len() - 8;
        bytes[checksum] ^= 1;
        let damaged = inspected(&bytes, Packing::Gzip);
        assert!(matches!(damaged.dump.unsound, Some(Unsound::Damaged { .. })), "{damaged:?}");
    }

    #[test]
    fn a_dump_cut_at_any_byte_before_its_trailer_is_unsound() {
        let end = DUMP.len() - b"dump complete\n--\n\n".len();
        for cut in 1..end {
            assert!(inspected(&DUMP[..cut], Packing::None).dump.unsound.is_some(), "cut at {cut}");
        }
    }

    #[test]
    fn sql_that_is_not_understood_is_read_to_its_end_all_the_same() {
        let sql = [&DUMP[..200], b"\\! echo\n", &[b'x'; 1_000_000]].concat();
        let decoded = decode(sql.as_slice(), &CancellationToken::new(), &|_| {}).unwrap();
        assert!(decoded.unsound.is_some());
        assert_eq!(decoded.dump_bytes, sql.len() as u64);
        let decoded = decode(DUMP, &CancellationToken::new(), &|_| {}).unwrap();
        assert_eq!((decoded.unsound, decoded.contents.rows()), (None, 3));
    }

    #[test]
    fn a_cancelled_inspection_tells_nothing() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let file = BackupFile::open(file.path()).unwrap();
        let cancel = CancellationToken::new();
        cancel.cancel();
        let result = inspect(&file, Packing::None, &cancel, &|_| {});
        assert!(matches!(result, Err(ReadError::Interrupted)));
    }

    /// Gives a text, is interrupted by a signal, and then fails.
    struct Failing(&'static [u8], Vec<io::Error>);

    impl Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.read(buffer)? {
                0 => self.1.pop().map_or(Ok(0), Err),
                read => Ok(read),
            }
        }
    }

    fn failing(text: &'static [u8], error: impl Into<io::Error>) -> Failing {
        Failing(text, vec![error.into(), io::ErrorKind::Interrupted.into()])
    }

    #[test]
    fn a_stream_that_fails_is_no_bad_sql() {
        for sql in [DUMP, b"\\! echo\n"] {
            let stream = failing(sql, io::Error::from_raw_os_error(5));
            let decoded = decode(stream, &CancellationToken::new(), &|_| {});
            assert!(matches!(decoded, Err(ReadError::Disk(_))), "{decoded:?}");
        }
    }

    #[test]
    fn cancelled_the_rest_of_a_stream_is_not_read() {
        let cancel = CancellationToken::new();
        cancel.cancel();
        let decoded = decode(DUMP, &cancel, &|_| {});
        assert!(matches!(decoded, Err(ReadError::Interrupted)), "{decoded:?}");
        assert!(matches!(drain(DUMP, &cancel), Err(ReadError::Interrupted)));
        let cause = root_cause(Flaw::NoStatement, DUMP, 0, &cancel);
        assert!(matches!(cause, Err(ReadError::Interrupted)), "{cause:?}");
        let hashed = Hashing::new(DUMP).finish(&cancel).unwrap();
        assert_eq!(hashed, None);
    }

    #[test]
    fn a_flaw_is_a_flaw_unless_the_rest_of_the_stream_is_damaged_or_unreadable() {
        let cause = |error: io::Error| {
            let stream = failing(b"the rest", error);
            root_cause(Flaw::NoStatement, stream, 10, &CancellationToken::new())
        };
        let flaw = Unsound::Flawed(Flaw::NoStatement);
        let refused = Refusal::Dictionary { format: "zstd" };
        assert_eq!(cause(refused.into()).unwrap(), flaw);
        let damage = Damage::CutOff { format: "gzip" };
        let found = cause(damage.clone().into()).unwrap();
        assert_eq!(found, Unsound::Damaged { damage, at: 18 });
        assert!(matches!(cause(io::Error::from_raw_os_error(5)), Err(ReadError::Disk(_))));
    }
}
