//! The proxy that the tests of places put between the tool and a server does what it is told, and else nothing.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Output;
use std::time::{Duration, Instant};

use crate::support::faulty::{Fault, Faulty};
use crate::support::s3::{self, S3};
use crate::support::text;

/// More than is passed on at a time.
const LONG: usize = 200_000;

/// Byte `n` of what [`server`] answers.
fn byte(n: usize) -> u8 {
    b"abcdefghij"[n % 10]
}

/// A server that answers each request with so many bytes, the length said or, for `/chunks`, in chunks; for `/echo` with the
/// body that it was sent. Its port.
fn server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let (head, body) = message(&mut client);
            let long: Vec<u8> = (0..LONG).map(byte).collect();
            let answer = if head.contains(" /chunks ") {
                let mut bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
                for chunk in long.chunks(70_001) {
                    bytes.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
                    bytes.extend_from_slice(&[chunk, b"\r\n"].concat());
                }
                [&bytes[..], b"0\r\n\r\n"].concat()
            } else {
                let body = if head.contains(" /echo ") { body } else { long };
                let head = format!(
                    "HTTP/1.1 200 OK\r\nETag: \"right\"\r\nContent-Length: {}\r\n\r\n",
                    body.len()
                );
                [head.as_bytes(), &body].concat()
            };
            let _ = client.write_all(&answer);
        }
    });
    port
}

/// A head, and the body that it says the length of.
fn message(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut head = Vec::new();
    let mut one = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut one).unwrap_or(0) == 1 {
        head.push(one[0]);
    }
    let head = text(&head);
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).unwrap();
    (head, body)
}

/// What comes for one request: all of it, and how it ended.
fn ask(way: &Faulty, path: &str, body: &[u8]) -> (String, Vec<u8>, Option<ErrorKind>) {
    let verb = if body.is_empty() { "GET" } else { "PUT" };
    let mut stream = TcpStream::connect(way.endpoint().trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let head = format!(
        "{verb} {path} HTTP/1.1\r\nHost: as-said\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
    let (mut bytes, mut piece) = (Vec::new(), [0; 8192]);
    let end = loop {
        match stream.read(&mut piece) {
            Ok(0) => break None,
            Ok(read) => bytes.extend_from_slice(&piece[..read]),
            Err(error) => break Some(error.kind()),
        }
        let end = memchr::memmem::find(&bytes, b"\r\n\r\n").map(|at| at + 4);
        let is_whole = end.is_some_and(|end| {
            let head = text(&bytes[..end]);
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
            length.map_or(bytes.ends_with(b"\r\n0\r\n\r\n"), |length| {
                bytes.len() - end >= length.parse().unwrap()
            })
        });
        if is_whole {
            break None;
        }
    };
    let end_of_head = memchr::memmem::find(&bytes, b"\r\n\r\n").map_or(0, |at| at + 4);
    let body = bytes.split_off(end_of_head);
    (text(&bytes), body, end)
}

#[test]
fn what_no_rule_speaks_of_is_passed_on_unchanged_and_counted() {
    let way = Faulty::passing(server());
    let (head, body, end) = ask(&way, "/a?b=c", &[]);
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("ETag: \"right\""), "{head}");
    assert_eq!((body, end), ((0..LONG).map(byte).collect(), None));
    let (_, chunks, end) = ask(&way, "/chunks", &[]);
    let sent = chunks.iter().filter(|byte| byte.is_ascii_lowercase() && **byte > b'f').count();
    assert_eq!((sent, end), (LONG / 10 * 4, None));
    let long: Vec<u8> = (0..3 * LONG).map(byte).collect();
    assert_eq!(ask(&way, "/echo", &long).1, long);
    let done: Vec<_> =
        way.done().into_iter().map(|one| (one.verb, one.path, one.up, one.down)).collect();
    let (once, three) = (LONG as u64, 3 * LONG as u64);
    let expected =
        [("GET", "/a?b=c", 0, once), ("GET", "/chunks", 0, once), ("PUT", "/echo", three, three)];
    assert_eq!(done, expected.map(|(verb, path, up, down)| (verb.into(), path.into(), up, down)));
    assert_eq!(way.bytes_down("GET"), 2 * once);
}

#[test]
fn each_fault_is_what_it_says() {
    let way = Faulty::passing(server());
    let after = |fault: Fault| {
        way.rule(move |_| fault.clone());
        ask(&way, "/", &[])
    };
    let whole: Vec<u8> = (0..LONG).map(byte).collect();
    let cut = 100_000;

    assert_eq!(after(Fault::Reset), (String::new(), vec![], Some(ErrorKind::ConnectionReset)));
    assert_eq!(after(Fault::Hang), (String::new(), vec![], Some(ErrorKind::WouldBlock)));
    assert_eq!(after(Fault::AnswerLost).2, Some(ErrorKind::ConnectionReset));
    let (head, body, _) = after(Fault::Answer(503, &[("Retry-After", "7")]));
    assert!(head.starts_with("HTTP/1.1 503 ") && head.contains("Retry-After: 7\r\n"), "{head}");
    assert!(text(&body).contains("<Code>AsTheTestSays</Code>"));

    // A reset takes away what has come and was not read.
    let (_, body, end) = after(Fault::ResetAfter(cut));
    assert!(body.len() as u64 <= cut && end == Some(ErrorKind::ConnectionReset), "{end:?}");
    let (_, body, end) = after(Fault::HangAfter(cut));
    assert_eq!((body.len() as u64, end), (cut, Some(ErrorKind::WouldBlock)));
    let (head, body, end) = after(Fault::CloseAfter(cut));
    assert_eq!((body.len() as u64, end), (cut, None));
    assert!(head.contains(&format!("Content-Length: {LONG}\r\n")), "{head}");
    let (head, body, _) = after(Fault::CutAfter(cut));
    assert_eq!(body, whole[..100_000]);
    assert!(head.contains(&format!("Content-Length: {cut}\r\n")), "{head}");

    let (head, body, _) = after(Fault::Header("ETag", "\"wrong\""));
    assert!(head.contains("ETag: \"wrong\"") && !head.contains("right"), "{head}");
    assert_eq!(body, whole);
    let (_, body, _) = after(Fault::Corrupt(cut));
    let differ: Vec<_> = (0..LONG).filter(|n| body[*n] != whole[*n]).collect();
    assert_eq!(differ, [100_000]);
    way.rule(|_| Fault::CorruptUpload(70_000));
    let body = ask(&way, "/echo", &whole).1;
    let differ: Vec<_> = (0..LONG).filter(|n| body[*n] != whole[*n]).collect();
    assert_eq!(differ, [70_000]);

    let begun = Instant::now();
    assert_eq!(after(Fault::Delay(Duration::from_millis(300))).1, whole);
    assert!(begun.elapsed() >= Duration::from_millis(300));
    let begun = Instant::now();
    assert_eq!(after(Fault::Trickle(20_000, Duration::from_millis(30))).1, whole);
    assert!(begun.elapsed() >= Duration::from_millis(300));
}

#[test]
fn times_of_a_list_are_earlier_and_else_it_is_as_it_was() {
    let way = Faulty::to(server(), |_| Fault::Earlier(Duration::from_secs(2 * 24 * 3600)));
    let list =
        b"<X><LastModified>2026-01-02T03:04:05.678Z</LastModified>2026-01-02T03:04:05Z<Initiated>\
        2026-03-01T00:00:00Z</Initiated></X>";
    let expected = "<X><LastModified>2025-12-31T03:04:05.678Z</LastModified>2026-01-02T03:04:05Z<Initiated>\
        2026-02-27T00:00:00.000Z</Initiated></X>";
    assert_eq!(text(&ask(&way, "/echo", list).1), expected);
    assert_eq!(ask(&way, "/chunks", &[]).1, (0..LONG).map(byte).collect::<Vec<_>>());
}

#[test]
fn what_a_client_sent_that_is_gone_is_waited_for() {
    let way = Faulty::to(server(), |_| Fault::Delay(Duration::from_millis(500)));
    for sent in 1..=3 {
        let mut stream = TcpStream::connect(way.endpoint().trim_start_matches("http://")).unwrap();
        stream.write_all(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1").unwrap();
        drop(stream);
        assert_eq!(way.done().len(), sent);
    }
}

#[test]
fn a_rule_knows_what_came_before() {
    let way = Faulty::to(server(), |request| match request.verb.as_str() {
        "PUT" if request.earlier == 1 => Fault::Answer(500, &[]),
        "GET" if request.bytes_before > LONG as u64 => Fault::Answer(403, &[]),
        _ => Fault::None,
    });
    let status = |body: &[u8]| ask(&way, "/", body).0[9..12].to_owned();
    assert_eq!([0; 3].map(|_| status(b"x")), ["200", "500", "200"]);
    assert_eq!(status(b""), "403");
}

#[test]
fn connections_are_refused_and_taken_again() {
    let way = Faulty::passing(server());
    let connect = || TcpStream::connect(way.endpoint().trim_start_matches("http://"));
    way.refuse(true);
    assert_eq!(connect().unwrap_err().kind(), ErrorKind::ConnectionRefused);
    way.refuse(false);
    assert_eq!(ask(&way, "/", &[]).1.len(), LONG);
}

/// rclone, by way of a proxy of this server.
fn by_way_of(way: &Faulty, server: &S3, args: &[&str]) -> Output {
    server.client().env("RCLONE_CONFIG_S3_ENDPOINT", way.endpoint()).args(args).output().unwrap()
}

#[test]
fn signed_requests_go_through_it_and_their_faults_arrive() {
    for server in [s3::seaweed(), s3::rclone()] {
        let bucket = server.bucket();
        let way = Faulty::passing(server.port());
        let long = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(long.path(), (0..7 << 20).map(byte).collect::<Vec<_>>()).unwrap();
        let (from, to) = (long.path().to_str().unwrap(), format!("s3:{bucket}/long"));
        let put = by_way_of(&way, server, &["copyto", "--s3-upload-cutoff=5M", from, &to]);
        assert!(put.status.success(), "{put:?}");
        assert_eq!(server.objects(&bucket), [("long".to_owned(), 7 << 20)]);
        let got = by_way_of(&way, server, &["cat", &to]);
        assert!(got.status.success() && got.stdout == std::fs::read(long.path()).unwrap());
        let parts = way.done().iter().filter(|one| one.path.contains("partNumber=")).count();
        assert_eq!(parts, 2);
        let part = by_way_of(&way, server, &["cat", "--offset=1000", "--count=10", &to]);
        assert_eq!(part.stdout, (1000..1010).map(byte).collect::<Vec<_>>());
        let ranges: Vec<_> = way.come().into_iter().filter_map(|one| one.range).collect();
        assert_eq!(ranges, ["bytes=1000-1009"]);

        way.rule(|request| match request.verb.as_str() {
            "GET" if request.path.contains("/long") => Fault::CloseAfter(1 << 20),
            _ => Fault::None,
        });
        let cut = by_way_of(&way, server, &["cat", &to]);
        assert!(!cut.status.success() && cut.stdout.len() <= 1 << 20, "{:?}", text(&cut.stderr));
        way.rule(|request| match request.verb.as_str() {
            "PUT" => Fault::Answer(403, &[]),
            _ => Fault::None,
        });
        let put = by_way_of(&way, server, &["copyto", from, &format!("{to}-2")]);
        assert!(!put.status.success() && text(&put.stderr).contains("403"), "{put:?}");
        assert_eq!(server.objects(&bucket).len(), 1);
    }
}

#[test]
fn a_body_that_changes_on_its_way_is_refused_by_the_server() {
    let server = s3::seaweed();
    let bucket = server.bucket();
    let way = Faulty::to(server.port(), |request| match request.verb.as_str() {
        "PUT" => Fault::CorruptUpload(7),
        _ => Fault::None,
    });
    let source = crate::support::repository("LICENSE-MIT");
    let to = format!("s3:{bucket}/x");
    let put = by_way_of(&way, server, &["copyto", source.to_str().unwrap(), &to]);
    assert!(!put.status.success(), "{put:?}");
    assert_eq!(server.objects(&bucket), []);
}
