//! Files made to use up memory or time: each gets its verdict, soon, and in little memory. The large
//! ones are small on disk: one gzip member that repeats a compressed piece.

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use flate2::{Compress, Compression, Crc, FlushCompress};

use crate::support::dumps::{gzipped, piped};
use crate::support::torture::NO_APPLICATION;
use crate::support::{BINARY, Outcome, Place, clean_environment, good_dump, length, text};

const MIB: usize = 1 << 20;
/// What a run may take, in MiB: far more than it needs, and far less than the files hold.
const MEMORY: u64 = 256;
/// More than the 1 GiB that a server accepts, in MiB, of what is unpacked to its end, to tell a damaged stream from
/// a dump that was never good.
fn too_large() -> usize {
    length(1100, 3 << 10)
}

/// So much that nobody could hold it, in MiB, of what is given up early or read as it comes.
fn huge() -> usize {
    length(2 << 10, 10 << 10)
}

/// What no run takes; a hang ends here.
const PATIENCE: Duration = Duration::from_secs(240);

const HEAD: &str = "--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 15.18\n\
                    -- Dumped by pg_dump version 15.18\n\nSET client_encoding = 'UTF8';\n\n";
const TRAILER: &str = "\n--\n-- PostgreSQL database dump complete\n--\n\n";

/// One gzip member, written piece by piece.
struct Gzip {
    bytes: Vec<u8>,
    crc: Crc,
    length: u32,
}

impl Gzip {
    fn new() -> Self {
        Self { bytes: vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff], crc: Crc::new(), length: 0 }
    }

    /// Goes on with `piece`, so many times.
    fn times(mut self, piece: &[u8], times: usize) -> Self {
        // After a full flush a piece needs nothing of what is before it.
        let mut deflate = Compress::new(Compression::fast(), false);
        let mut packed = Vec::with_capacity(piece.len() + 1024);
        deflate.compress_vec(piece, &mut packed, FlushCompress::Full).unwrap();
        assert_eq!(deflate.total_in(), piece.len() as u64);
        let mut crc = Crc::new();
        crc.update(piece);
        for _ in 0..times {
            self.bytes.extend_from_slice(&packed);
            self.crc.combine(&crc);
            self.length = self.length.wrapping_add(u32::try_from(piece.len()).unwrap());
        }
        self
    }

    fn then(self, text: &str) -> Self {
        self.times(text.as_bytes(), 1)
    }

    fn end(mut self) -> Vec<u8> {
        // An empty last block.
        self.bytes.extend([3, 0]);
        self.bytes.extend(self.crc.sum().to_le_bytes());
        self.bytes.extend(self.length.to_le_bytes());
        self.bytes
    }
}

/// Runs `verify` on a file; the most memory that it had at a time must be little.
fn verified(place: &Place, name: &str, bytes: &[u8], with_docker: bool) -> Outcome {
    place.file(name, bytes);
    let said = ["stdout", "stderr"].map(|name| File::create(place.dir().join(name)).unwrap());
    let mut command = Command::new(BINARY);
    command.env_clear().envs(clean_environment()).current_dir(place.dir());
    command.args(["verify", "--port", "0", "--container-name", &place.container, name]);
    if !with_docker {
        command.env("DOCKER_HOST", format!("unix://{}/dead.sock", place.dir().display()));
    }
    let [stdout, stderr] = said;
    let mut child = command.stdin(Stdio::null()).stdout(stdout).stderr(stderr).spawn().unwrap();
    let (begun, mut most) = (Instant::now(), 0);
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        most = most.max(most_memory(child.id()));
        if begun.elapsed() > PATIENCE {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let read = |name: &str| std::fs::read(place.dir().join(name)).unwrap();
    eprintln!("{name}: {:.1} s, {} KiB at the most", begun.elapsed().as_secs_f64(), most);
    assert!(begun.elapsed() < PATIENCE, "killed: {}", text(&read("stderr")));
    let (stdout, stderr) = (read("stdout"), read("stderr"));
    let outcome = Outcome::of(&std::process::Output { status, stdout, stderr });
    assert!((1..MEMORY << 10).contains(&most), "{most} KiB: {outcome}");
    outcome
}

/// The most memory that a process had at a time, in KiB; 0 when it is gone.
fn most_memory(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok()).unwrap_or(0)
}

/// A file that is bad whether or not there is a server.
fn fails(bytes: &[u8], cause: &str) {
    verified(&Place::without_docker(), "a.sql.gz", bytes, false).failed(cause);
}

/// A place where nothing of CCC is expected.
fn place() -> Place {
    let place = Place::new();
    place.file("ccc-backup.toml", NO_APPLICATION);
    place
}

#[test]
fn gigabytes_of_zeros_fail() {
    let zeros = vec![0; MIB];
    fails(&Gzip::new().times(&zeros, huge()).end(), "it looks like a file of zero bytes");
    let bomb = Gzip::new().then(HEAD).times(&zeros, too_large()).then(TRAILER).end();
    fails(&bomb, "line 10 has a NUL byte");
}

#[test]
fn a_line_without_end_that_nothing_calls_a_dump_fails() {
    fails(
        &Gzip::new().times(&vec![b'x'; MIB], too_large()).end(),
        "no \"PostgreSQL database dump\"",
    );
    let comment = Gzip::new().then("--").times(&vec![b'x'; MIB], too_large()).end();
    fails(&comment, "no \"PostgreSQL database dump\"");
}

#[test]
fn a_statement_that_a_server_takes_and_we_do_not_hold_is_not_verified() {
    let line = vec![b'x'; MIB];
    let begun = || Gzip::new().then(HEAD).then("INSERT INTO a VALUES ('").times(&line, 200);
    let dump = begun().then("');\n").then(TRAILER).end();
    let outcome = verified(&Place::without_docker(), "a.sql.gz", &dump, false);
    outcome.not_verified("line 10 is longer than the 128 MiB").hints("as COPY");
    // It is still read to its end, where it has one.
    fails(&begun().then(TRAILER).end(), "the dump ends inside quotes in the statement");
    let mut damaged = dump;
    let crc = damaged.len() - 8;
    damaged[crc] ^= 1;
    fails(&damaged, "the gzip stream is corrupt");
}

#[test]
fn a_row_of_gigabytes_that_is_cut_fails() {
    let dump = Gzip::new().then(HEAD).then("COPY public.a (b) FROM stdin;\n");
    let dump = dump.times(&vec![b'x'; MIB], huge()).end();
    fails(&dump, "the dump ends inside the data of table public.a");
}

#[test]
fn a_stream_that_asks_for_too_much_memory_is_not_verified_and_does_not_get_it() {
    let dictionary = "--lzma2=preset=6,dict=1GiB";
    for (name, program, args) in [
        ("a.sql.zst", "zstd", &["-q", "--long=31", "-c"][..]),
        ("a.sql.xz", "xz", &["-c", dictionary]),
    ] {
        let packed = piped(good_dump(), program, args);
        let outcome = verified(&Place::without_docker(), name, &packed, false);
        outcome.not_verified("needs more than 128 MiB of memory").hints("with its own program");
    }
    // Said of a few bytes: the header of a frame, with a window of 3.75 TiB.
    let header = [0x28, 0xb5, 0x2f, 0xfd, 0, 0xff, 1, 0, 0];
    let outcome = verified(&Place::without_docker(), "b.sql.zst", &header, false);
    assert_ne!(outcome.code, 0, "{outcome}");
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn a_statement_longer_than_any_server_takes_fails() {
        let line = vec![b'x'; MIB];
        let insert =
            Gzip::new().then(HEAD).then("INSERT INTO a VALUES ('").times(&line, too_large());
        fails(&insert.then("');\n").then(TRAILER).end(), "longer than the 1 GiB a server accepts");
        let tag = Gzip::new().then(HEAD).then("DO $").times(&line, too_large());
        fails(&tag.then("$;\n").then(TRAILER).end(), "longer than the 1 GiB a server accepts");
    }

    #[test]
    fn a_row_longer_than_any_server_takes_fails_and_a_long_one_passes() {
        let dump = |mib: usize| {
            let table = "CREATE TABLE public.a (b text);\nCOPY public.a (b) FROM stdin;\n";
            let rows = Gzip::new().then(HEAD).then(table).times(&vec![b'x'; MIB], mib);
            rows.then("\nshort\n\\.\n").then(TRAILER).end()
        };
        let place = place();
        verified(&place, "a.sql.gz", &dump(48), true).passed();
        verified(&place, "b.sql.gz", &dump(1100), true).failed("restore error: line 11");
        place.assert_nothing_left();
    }

    #[test]
    fn rows_too_long_to_be_held_are_shared_between_connections_all_the_same() {
        let table = "CREATE TABLE public.a (b text);\nCOPY public.a (b) FROM stdin;\n";
        let mut dump = Gzip::new().then(HEAD).then(table);
        for _ in 0..4 {
            dump = dump.times(&vec![b'x'; MIB], 17).then("\n");
        }
        let dump = dump.then("\\.\n").then(TRAILER).end();
        let place = place();
        let outcome = verified(&place, "a.sql.gz", &dump, true);
        outcome.passed().says("✓ Contents match the backup (1 table)");
        place.assert_nothing_left();
    }

    #[test]
    fn a_hundred_thousand_tables_are_read_soon() {
        let block = |number: usize| format!("COPY public.t{number} (a) FROM stdin;\n1\n\\.\n\n");
        let blocks: String = (0..100_000).map(block).collect();
        fails(&gzipped(format!("{HEAD}{blocks}").as_bytes()), "the dump ends on line");
        // No server has them; after enough errors it need not be asked for the others.
        let place = place();
        let dump = gzipped(format!("{HEAD}{blocks}{TRAILER}").as_bytes());
        let outcome = verified(&place, "a.sql.gz", &dump, true);
        outcome.failed("relation \"public.t0\" does not exist");
        assert!(outcome.stdout.contains("given up after 100 errors"), "{outcome}");
        place.assert_nothing_left();
    }

    #[test]
    fn a_table_in_two_thousand_blocks_passes() {
        let block = |number: usize| format!("COPY public.t (a) FROM stdin;\n{number}\n\\.\n\n");
        let blocks: String = (0..2_000).map(block).collect();
        let dump = format!("{HEAD}CREATE TABLE public.t (a integer);\n{blocks}{TRAILER}");
        let place = place();
        verified(&place, "a.sql.gz", &gzipped(dump.as_bytes()), true).passed();
        // The later blocks are too large for one part, and do not find the table empty.
        let rows = "7777777\n".repeat(600_000);
        let block = format!("COPY public.t (a) FROM stdin;\n{rows}\\.\n\n");
        let dump = format!("{HEAD}CREATE TABLE public.t (a integer);\n{block}{block}{TRAILER}");
        verified(&place, "b.sql", dump.as_bytes(), true).passed();
        place.assert_nothing_left();
    }

    #[test]
    fn a_dump_of_nothing_but_comments_fails() {
        let comments = "-- a comment, and nothing else\n".repeat(30_000);
        let head = "--\n-- PostgreSQL database dump\n--\n\n";
        let dump = Gzip::new().then(head).times(comments.as_bytes(), 200).then(TRAILER).end();
        fails(&dump, "the dump has no statement");
        fails(
            &Gzip::new().times(comments.as_bytes(), 200).end(),
            "no \"PostgreSQL database dump\"",
        );
    }
}
