use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::super::error::ToolFailure;
use super::*;

/// A request to a program that stands for pg_dump.
fn request(dir: &Path, script: &str) -> DumpRequest {
    let path = dir.join("pg_dump");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    DumpRequest {
        settings: ConnectSettings {
            host: Some("db".into()),
            password: Some(Secret::new("p'a s%s@ü")),
            ..ConnectSettings::default()
        },
        pg_dump: PgDump { tool: Tool::Here(path), version: "15.18".into(), major: 15 },
        extra_args: Vec::new(),
        keep_owner: false,
        format: Format::Plain,
        codec: Codec::default(),
        jobs: 2,
    }
}

async fn run(request: &DumpRequest) -> (String, Result<Vec<String>, SourceError>) {
    let (mut stream, process) = request.start().unwrap();
    let read = tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    });
    (read.await.unwrap(), process.finish().await)
}

#[test]
fn a_dump_is_plain_and_without_owners_unless_they_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut request = request(dir.path(), "");
    request.extra_args.push("--inserts".into());
    let expected =
        ["--format=plain", "--no-owner", "--no-acl", "--clean", "--if-exists", "--inserts"];
    assert_eq!(request.arguments(), expected);
    request.keep_owner = true;
    assert_eq!(request.arguments(), ["--format=plain", "--clean", "--if-exists", "--inserts"]);
    request.extra_args.push("-a".into());
    assert_eq!(request.arguments(), ["--format=plain", "--inserts", "-a"]);
    request.extra_args.push("-Fc".into());
    assert!(matches!(request.start(), Err(SourceError::Argument { .. })));
}

#[test]
fn an_archive_is_compressed_by_pg_dump_and_what_drops_things_is_left_to_pg_restore() {
    let dir = tempfile::tempdir().unwrap();
    let mut request = request(dir.path(), "");
    let mut arguments = |format, codec| {
        (request.format, request.codec) = (format, codec);
        request.arguments()
    };
    let without = ["--no-owner", "--no-acl"];
    let custom = arguments(Format::Custom, Codec::Gzip { level: 9 });
    assert_eq!(custom, [&["--format=custom", "--compress=9"][..], &without].concat());
    let zstd = arguments(Format::Custom, Codec::Zstd { level: 3 });
    assert_eq!(zstd, [&["--format=custom", "--compress=zstd:3"][..], &without].concat());
    let directory = arguments(Format::Directory, Codec::None);
    let expected = ["--format=directory", "--compress=0", "--jobs=2"];
    assert_eq!(directory, [&expected[..], &without].concat());
    let tar = arguments(Format::Tar, Codec::None);
    assert_eq!(tar, [&["--format=tar"][..], &without].concat());
}

#[tokio::test]
async fn the_stream_is_whole_and_the_password_travels_by_environment_only() {
    let dir = tempfile::tempdir().unwrap();
    let script =
        r#"printf '%s\n' "$PGHOST" "$PGPASSWORD" "$*"; echo careful >&2; sleep 0.1; seq 200000"#;
    let (text, ended) = run(&request(dir.path(), script)).await;
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("db"));
    assert_eq!(lines.next(), Some("p'a s%s@ü"));
    let arguments = lines.next().unwrap();
    assert!(arguments.starts_with("--no-password --format=plain"), "{arguments}");
    assert!(!arguments.contains("p'a"));
    assert_eq!(lines.count(), 200_000);
    assert_eq!(ended.unwrap(), ["careful"]);
}

#[tokio::test]
async fn a_pg_dump_that_fails_after_some_output_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let script = "echo half; echo 'pg_dump: error: permission denied for table x' >&2; exit 1";
    let (text, ended) = run(&request(dir.path(), script)).await;
    assert_eq!(text, "half\n");
    assert!(
        matches!(ended, Err(SourceError::Tool { failure: ToolFailure::Permission, .. })),
        "{ended:?}"
    );
    let (_, ended) = run(&request(dir.path(), "kill -9 $$")).await;
    assert!(
        matches!(
            ended,
            Err(SourceError::Tool { failure: ToolFailure::Killed { signal: 9, .. }, .. })
        ),
        "{ended:?}"
    );
}

#[tokio::test]
async fn a_hanging_pg_dump_can_be_killed() {
    let dir = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let (_stream, process) = request(dir.path(), "exec sleep 60").start().unwrap();
    process.kill().await;
    assert!(begun.elapsed() < Duration::from_secs(5));
}
