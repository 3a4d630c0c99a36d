//! Dumps: a good one by the real pg_dump, and what happens to backups in the world.

use std::io::Write;
use std::ops::Range;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::source::unchanged_database;

/// What `create` passes to pg_dump unless told otherwise.
pub const AS_CREATE_DOES: [&str; 4] = ["--no-owner", "--no-acl", "--clean", "--if-exists"];

/// A plain dump of the migrated and seeded database.
pub fn good_dump() -> &'static [u8] {
    static DUMP: OnceLock<Vec<u8>> = OnceLock::new();
    DUMP.get_or_init(|| unchanged_database().dump(&AS_CREATE_DOES))
}

/// The bytes, gzipped.
pub fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// What a program makes of the bytes in a pipe: `pg_dump | xz`.
pub fn piped(bytes: &[u8], program: &str, args: &[&str]) -> Vec<u8> {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} ({error}): infra/setup.sh installs it"));
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(bytes).unwrap());
        child.wait_with_output().unwrap()
    });
    assert!(output.status.success(), "{program} {args:?}");
    output.stdout
}

/// Where the rows of a table lie in a dump, between the COPY statement's line and its `\.`.
pub fn rows_of(dump: &[u8], table: &str) -> Range<usize> {
    // By the comment before it: a COPY statement of that table can also stand in a literal.
    let comment = position(
        dump,
        &format!(
            "
-- Data for Name: {table}; Type: TABLE DATA; Schema: "
        ),
    );
    let header = comment
        + position(
            &dump[comment..],
            "
COPY ",
        )
        + 1;
    let start = header
        + position(
            &dump[header..],
            "
",
        )
        + 1;
    let end = start - 1 + position(&dump[start - 1..], "\n\\.\n") + 1;
    start..end
}

/// The rows of a table in a dump, each with its line end.
pub fn rows<'a>(dump: &'a [u8], table: &str) -> Vec<&'a [u8]> {
    dump[rows_of(dump, table)].split_inclusive(|byte| *byte == b'\n').collect()
}

/// The good dump with other rows in a table.
pub fn with_rows(table: &str, rows: &[u8]) -> Vec<u8> {
    let (dump, place) = (good_dump(), rows_of(good_dump(), table));
    [&dump[..place.start], rows, &dump[place.end..]].concat()
}

/// The good dump with more SQL before everything that pg_dump wrote, but for its settings.
pub fn with_sql_first(sql: &str) -> Vec<u8> {
    inserted(position(good_dump(), "\nSET row_security = off;\n") + 1, sql)
}

/// A dump without the key that pg_dump draws anew each time.
pub fn without_restriction(dump: &[u8]) -> Vec<u8> {
    let restricts =
        |line: &[u8]| line.starts_with(b"\\restrict ") || line.starts_with(b"\\unrestrict ");
    let lines = dump.split_inclusive(|byte| *byte == b'\n');
    lines.filter(|line| !restricts(line)).flatten().copied().collect()
}

/// The good dump with more SQL at its end, before the trailer.
pub fn with_sql_last(sql: &str) -> Vec<u8> {
    inserted(trailer(good_dump()), sql)
}

/// Where the comment that ends a dump begins.
pub fn trailer(dump: &[u8]) -> usize {
    let text = "\n--\n-- PostgreSQL database dump complete\n--\n";
    let last = memchr::memmem::rfind(dump, text.as_bytes());
    last.unwrap() + 1
}

fn inserted(at: usize, sql: &str) -> Vec<u8> {
    let dump = good_dump();
    [&dump[..at], sql.as_bytes(), b"\n\n", &dump[at..]].concat()
}

/// Where `text` first is in `bytes`; it must be there.
pub fn position(bytes: &[u8], text: &str) -> usize {
    let found = memchr::memmem::find(bytes, text.as_bytes());
    found.unwrap_or_else(|| panic!("the dump has no {text:?}"))
}
