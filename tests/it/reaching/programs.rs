//! The script that joins a stream with the server's port, by each of the programs that an image may have for it.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::text;

const SCRIPT: &str = include_str!("../../../src/sandbox/docker/relay.sh");
/// More than all buffers on the way.
const BYTES: usize = 8 << 20;

/// Starts it where there is nothing but `cat` and these programs.
fn relay(dir: &Path, programs: &[(&str, &str)], port: u16) -> Child {
    let path = dir.join(programs.first().map_or("none", |(name, _)| name));
    std::fs::create_dir_all(&path).unwrap();
    for (name, program) in [&[("cat", "/bin/cat")], programs].concat() {
        let _ = symlink(program, path.join(name));
    }
    let mut sh = Command::new("/bin/sh");
    sh.args(["-ec", SCRIPT, "ccc-backup", &port.to_string()]).env_clear().env("PATH", path);
    sh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    sh.spawn().unwrap()
}

#[test]
fn every_byte_goes_both_ways_and_whichever_side_ends_it_ends_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let every: Vec<u8> = (0..BYTES).map(|at| (at * 7 + at / 256) as u8).collect();
    for program in [("bash", "/bin/bash"), ("perl", "/usr/bin/perl"), ("nc", "/bin/busybox")] {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        // We end it.
        let mut relay_here = relay(dir.path(), &[program], port);
        let (mut stream, _) = server.accept().unwrap();
        let (mut to, mut from) =
            (relay_here.stdin.take().unwrap(), relay_here.stdout.take().unwrap());
        let (sent, mut back) = (every.clone(), stream.try_clone().unwrap());
        let echoing = std::thread::spawn(move || std::io::copy(&mut stream, &mut back).unwrap());
        let writing = std::thread::spawn(move || {
            to.write_all(&sent).unwrap();
            to
        });
        let mut got = vec![0; BYTES];
        from.read_exact(&mut got).unwrap();
        assert!(got == every, "{program:?}");
        drop(writing.join().unwrap());
        assert_eq!(echoing.join().unwrap(), BYTES as u64, "{program:?}");
        relay_here.wait().unwrap();
        // The server ends it.
        let mut relay_there = relay(dir.path(), &[program], port);
        let (mut stream, _) = server.accept().unwrap();
        stream.write_all(b"FATAL").unwrap();
        drop(stream);
        let mut said = String::new();
        relay_there.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(said, "FATAL", "{program:?}");
        relay_there.wait().unwrap();
    }
}

#[test]
fn a_port_that_refuses_and_an_image_without_any_of_them_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let said = |programs: &[(&str, &str)]| {
        let output = relay(dir.path(), programs, 1).wait_with_output().unwrap();
        assert!(!output.status.success());
        text(&output.stderr)
    };
    for program in [("bash", "/bin/bash"), ("perl", "/usr/bin/perl"), ("nc", "/bin/busybox")] {
        assert!(said(&[program]).contains("Connection refused"), "{program:?}");
    }
    assert!(said(&[]).contains("none of the programs bash, perl and nc"));
}
