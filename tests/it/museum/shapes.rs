//! Healthy dumps of other shapes: other flags of pg_dump, other versions, other ways to pack and
//! to send a file, other things in the database.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::dump::good;
use super::healthy::Healthy;
use crate::support::dumps::{AS_CREATE_DOES, gzipped, piped, rows_of};
use crate::support::source::{client, source};
use crate::support::{Database, database, unchanged_database};

/// Adds these dumps.
pub fn collect(all: &mut Vec<Healthy>) {
    packed(all);
    flags(all);
    versions(all);
    texts(all);
    sessions(all);
    objects(all);
    values(all);
    sequences(all);
}

fn as_create_does(database: &Database, more: &[&str]) -> Vec<u8> {
    database.dump(&[&AS_CREATE_DOES[..], more].concat())
}

fn packed(all: &mut Vec<Healthy>) {
    let (database, dump) = (unchanged_database(), good().dump.bytes());
    all.push(Healthy::created("as `create` makes it", database, &[]));
    all.push(Healthy::created("`create --compress none`", database, &["--compress", "none"]));
    let zstd = &["--compress", "zstd"];
    all.push(Healthy::created("`create --compress zstd`", database, zstd));
    all.push(Healthy::file("not compressed", "backup.sql", dump.to_vec()));
    for (shape, program, args) in [
        ("pg_dump | zstd -T0", "zstd", &["-q", "-T0"][..]),
        ("pg_dump | zstd --long=27 --no-check", "zstd", &["-q", "--long=27", "--no-check"]),
        ("pg_dump | xz", "xz", &[]),
        ("pg_dump | xz -T2 -9", "xz", &["-T2", "-9"]),
        ("pg_dump | bzip2", "bzip2", &[]),
    ] {
        all.push(Healthy::file(shape, "backup.sql", piped(dump, program, args)));
    }
    let streams: Vec<Vec<u8>> =
        dump.chunks(300_000).map(|part| piped(part, "bzip2", &["-1"])).collect();
    all.push(Healthy::file(
        "bzip2 streams, as pbzip2 makes them",
        "backup.sql.bz2",
        streams.concat(),
    ));
    let frames: Vec<Vec<u8>> =
        dump.chunks(300_000).map(|part| piped(part, "zstd", &["-q"])).collect();
    all.push(Healthy::file("several zstd frames", "backup.sql.zst", frames.concat()));
    for (shape, level) in [("gzip -1", 1), ("gzip -9", 9)] {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
        encoder.write_all(dump).unwrap();
        all.push(Healthy::file(shape, "backup.sql.gz", encoder.finish().unwrap()));
    }
    let members: Vec<Vec<u8>> = dump.chunks(50_000).map(gzipped).collect();
    all.push(Healthy::file("twenty gzip members", "backup.sql.gz", members.concat()));
    let with_empty = [gzipped(b""), gzipped(dump), gzipped(b"")].concat();
    all.push(Healthy::file("empty gzip members before and after", "backup.sql.gz", with_empty));
    all.push(Healthy::file("gzipped, but named .sql", "backup.sql", gzipped(dump)));
    all.push(Healthy::file("not compressed, but named .gz", "backup.sql.gz", dump.to_vec()));
}

fn flags(all: &mut Vec<Healthy>) {
    let database = unchanged_database();
    let mut plain = |shape: &'static str, flags: &[&str]| {
        all.push(Healthy::dump(shape, database.dump(flags)));
    };
    plain("pg_dump without flags", &[]);
    plain("pg_dump --clean, without --if-exists", &["--clean"]);
    plain("pg_dump --quote-all-identifiers", &["--quote-all-identifiers"]);
    plain("pg_dump --verbose", &["--verbose"]);
    plain("pg_dump --disable-triggers", &["--disable-triggers"]);
    plain("pg_dump --disable-dollar-quoting", &["--disable-dollar-quoting"]);
    plain("pg_dump --load-via-partition-root", &["--load-via-partition-root"]);
    plain("pg_dump --no-comments", &["--no-comments"]);
    plain("pg_dump --use-set-session-authorization", &["--use-set-session-authorization"]);
    for (shape, flags) in [
        ("pg_dump --inserts", &["--inserts"][..]),
        ("pg_dump --column-inserts", &["--column-inserts"]),
        ("pg_dump --rows-per-insert", &["--rows-per-insert=50"]),
    ] {
        all.push(Healthy::dump(shape, database.dump(flags)).saying("Contents match the backup (2"));
    }
    all.push(Healthy::created("`create -- --inserts`", database, &["--", "--inserts"]));
    let archive = database.dump(&["--format=custom"]);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("archive");
    std::fs::write(&path, archive).unwrap();
    let restored = std::process::Command::new(client("pg_restore"))
        .args(["--file=-", "--clean", "--if-exists"])
        .arg(&path)
        .output()
        .unwrap();
    all.push(Healthy::dump("SQL by pg_restore from an archive", restored.stdout));
    let sections = ["pre-data", "data", "post-data"];
    let sections = sections.map(|section| database.dump(&[&format!("--section={section}")]));
    all.push(Healthy::dump("three sections, one after the other", sections.concat()));
    all.push(
        Healthy::dump("verified with --no-content", database.dump(&[]))
            .with_args(&["--no-content"])
            .not_proving("left out by --no-content"),
    );
}

/// The good dump as another version of pg_dump would have written it, as far as it matters.
fn versions(all: &mut Vec<Healthy>) {
    let dump = &good().dump;
    let line = |start: &str| {
        let at = dump.at(start);
        let end = at + memchr::memchr(b'\n', &dump.bytes()[at..]).unwrap();
        String::from_utf8(dump.bytes()[at..end].to_vec()).unwrap()
    };
    let (server, tool) = (line("-- Dumped from database"), line("-- Dumped by pg_dump"));
    let newer = dump
        .replace(&tool, "-- Dumped by pg_dump version 17.6 (Debian 17.6-1.pgdg13+1)")
        .replace("SET lock_timeout = 0;", "SET lock_timeout = 0;\nSET transaction_timeout = 0;");
    all.push(Healthy::dump("pg_dump 17 of a server 15: SET transaction_timeout", newer.bytes()));
    let unrestricted: String = dump
        .text()
        .split_inclusive('\n')
        .filter(|line| !line.starts_with("\\restrict ") && !line.starts_with("\\unrestrict "))
        .collect();
    all.push(Healthy::dump("pg_dump before \\restrict (15.13 and older)", &unrestricted));
    let key = unrestricted.replacen("\n-- Dumped from", "\n\\restrict abc123\n\n-- Dumped from", 1)
        + "\\unrestrict abc123\n\n";
    all.push(Healthy::dump("pg_dump with \\restrict", key));
    let nameless = dump.replace(&server, "").replace(&tool, "");
    all.push(Healthy::dump("versions not named", nameless.bytes()));
    let old = unrestricted
        .replacen(&server, "-- Dumped from database version 9.6.3", 1)
        .replacen(&tool, "-- Dumped by pg_dump version 9.6.3", 1)
        .replacen(
            "SELECT pg_catalog.set_config('search_path', '', false);",
            "SET search_path = public, pg_catalog;\nSET default_with_oids = false;",
            1,
        )
        .replace("\nCOPY public.", "\nCOPY ")
        .replace("\nSELECT pg_catalog.setval('public.", "\nSELECT pg_catalog.setval('");
    all.push(
        Healthy::dump("pg_dump 9.6: names without a schema", old)
            .with_args(&["--postgres-version", "15"]),
    );
}

/// The good dump as editors and transfers leave it.
fn texts(all: &mut Vec<Healthy>) {
    let dump = &good().dump;
    let with_mark = [b"\xef\xbb\xbf", dump.bytes()].concat();
    all.push(Healthy::dump("a UTF-8 byte order mark", with_mark));
    all.push(Healthy::dump("CR LF line ends, as on Windows", dump.text().replace('\n', "\r\n")));
    let commented = format!("-- made by cron\n/* on db1 */\n\n{}-- the end\n", dump.text());
    all.push(Healthy::dump("comments before the header and after the trailer", commented));
    all.push(Healthy::dump("the last line end lost", dump.text().trim_end()));
    let filtered: String = dump
        .text()
        .split_inclusive('\n')
        .filter(|line| !line.starts_with("COMMENT ON COLUMN") && !line.starts_with("DROP INDEX"))
        .collect();
    all.push(Healthy::dump("some DROP and COMMENT filtered out by a script", filtered));
    let reversed = dump.change_rows("comments", |rows| rows.reverse());
    all.push(Healthy::fitted("the rows of a table in another order", &reversed));
    let place = rows_of(dump.bytes(), "webhook_deliveries");
    assert!(place.is_empty(), "a table without rows");
    let with = |before: &str, after: &str| format!("{before}{}{after}", dump.text());
    all.push(Healthy::dump("ANALYZE added at the end", with("", "ANALYZE;\n")));
    let framed = with("\\timing on\n\\set ON_ERROR_STOP on\nBEGIN;\n", "COMMIT;\n\\echo done\n");
    all.push(Healthy::dump("a transaction and psql's commands around it", framed));
}

fn sessions(all: &mut Vec<Healthy>) {
    let database = unchanged_database();
    for (shape, zone) in [
        ("a session in Europe/Berlin", "Europe/Berlin"),
        ("a session in Asia/Kolkata", "Asia/Kolkata"),
        ("a session in America/St_Johns", "America/St_Johns"),
        ("a session in Pacific/Apia", "Pacific/Apia"),
    ] {
        let mut command = std::process::Command::new(client("pg_dump"));
        command.envs(source().libpq()).env("PGTZ", zone).args(["-d", &database.name]);
        all.push(Healthy::dump(shape, command.output().unwrap().stdout));
    }
    let escaping = self::database();
    escaping.sql(&format!(
        "ALTER DATABASE {0} SET bytea_output = escape; ALTER DATABASE {0} SET timezone = 'Asia/Tokyo'; \
         ALTER DATABASE {0} SET datestyle = 'German'; ALTER DATABASE {0} SET extra_float_digits = 0; \
         ALTER DATABASE {0} SET intervalstyle = 'iso_8601'",
        escaping.name
    ));
    let shape = "a database with bytea_output, TimeZone, DateStyle and more of its own";
    all.push(Healthy::dump(shape, escaping.dump(&[])));
    all.push(Healthy::created("the same by `create`", &escaping, &[]));
}

fn objects(all: &mut Vec<Healthy>) {
    let database = database();
    database.sql(include_str!("../../fixtures/museum/objects.sql"));
    all.push(Healthy::dump("every kind of object", as_create_does(&database, &[])));
    let unsound = "3 objects are not validated, valid or populated";
    all.push(Healthy::created("every kind of object, by `create`", &database, &[]).saying(unsound));
    all.push(Healthy::dump("every kind of object, with owners and privileges", database.dump(&[])));
    let cleaned = database.dump(&["--clean"]);
    all.push(Healthy::dump("every kind of object, --clean without --if-exists", cleaned));
    let shape = "every kind of object, partitions by their root in other orders of columns";
    all.push(
        Healthy::dump(shape, database.dump(&["--load-via-partition-root"])).not_proving(
            "contents of public.parts: its partitions have their columns in different",
        ),
    );
    let empty = self::database();
    empty.sql(
        "TRUNCATE users, organizations, content_jobs, content_artifacts, subscriptions CASCADE",
    );
    all.push(Healthy::created("tables of the application without rows", &empty, &[]));
    let alone = self::database();
    alone.sql(include_str!("../../fixtures/museum/alone.sql"));
    all.push(Healthy::created("the application's six tables alone", &alone, &[]));
    let stub = self::database();
    stub.sql(
        "CREATE TYPE tier AS ENUM ('a', 'b'); ALTER TABLE users ADD tier tier DEFAULT 'a';
         CREATE VIEW tiers AS SELECT id, email, tier, count(*) AS n FROM users GROUP BY id",
    );
    let dump = as_create_does(&stub, &[]);
    let stands_in = "(1 harmless error passed over)";
    let shape = "a view whose stand-in needs a type that is not there yet";
    all.push(Healthy::dump(shape, dump).saying(stands_in));
    let objects = self::database();
    objects.sql(
        "SELECT lo_from_bytea(0, 'hello'), lo_from_bytea(0, decode(repeat('ab', 100000), 'hex')),
                lo_create(0), lo_from_bytea(0, decode(repeat('cd', 262144), 'hex'));
         SELECT lo_from_bytea(0, 'ab') FROM generate_series(1, 20);
         SELECT lo_put(lo_create(90003), 700000, 'after a hole')",
    );
    let matching = "Large objects match the backup (25, 1,062,201 bytes)";
    all.push(Healthy::created("large objects", &objects, &[]).saying(matching));
    all.push(Healthy::dump("large objects, --clean", objects.dump(&["--clean"])).saying(matching));
    all.push(
        Healthy::created("large objects with --no-content", &objects, &[])
            .with_args(&["--no-content"])
            .not_proving("contents of the restored rows")
            .saying("Large objects match the backup (25)"),
    );
    let text = String::from_utf8(objects.dump(&[])).unwrap();
    let hello = "'\\x68656c6c6f'";
    assert!(text.contains(hello), "{hello} is not in the dump");
    all.push(
        Healthy::dump("a large object that is not written in hex", text.replace(hello, "'hello'"))
            .not_proving("contents of large objects: pg_dump writes them otherwise")
            .saying("Large objects match the backup (25)"),
    );
}

fn values(all: &mut Vec<Healthy>) {
    let database = database();
    database.sql(include_str!("../../fixtures/museum/types.sql"));
    all.push(Healthy::dump("every type", database.dump(&[])));
    all.push(Healthy::created("every type, by `create`", &database, &[]));
    let wide = self::database();
    let columns: Vec<String> = (0..1000).map(|n| format!("c{n} integer DEFAULT {n}")).collect();
    wide.sql(&format!(
        "CREATE TABLE wide ({}); INSERT INTO wide DEFAULT VALUES; INSERT INTO wide DEFAULT VALUES",
        columns.join(", ")
    ));
    all.push(Healthy::created("rows of a thousand columns", &wide, &[]));
    let long = self::database();
    long.sql(
        "CREATE TABLE long (t text, b bytea);
         INSERT INTO long SELECT repeat(E'0123456\\n\\t', 1200000), decode(repeat('00ff', 2600000), 'hex')",
    );
    all.push(Healthy::created("values of 10 MB", &long, &[]));
}

fn sequences(all: &mut Vec<Healthy>) {
    let database = database();
    database.sql(include_str!("../../fixtures/museum/sequences.sql"));
    all.push(Healthy::dump("sequences down, around, by steps, at their end", database.dump(&[])));
    let behind = self::database();
    behind.sql("SELECT setval('users_id_seq', 1)");
    let said = "sequences are behind, as they were in the source";
    let shape = "a sequence that was behind in the source, too";
    all.push(Healthy::created(shape, &behind, &[]).saying(said));
}
