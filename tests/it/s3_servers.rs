//! What the tests of places and pipes stand on: the S3 servers are real in what those rely on.

use crate::support::s3::{self, S3, Who};
use crate::support::text;

/// Both, for what both have to do.
fn both() -> [&'static S3; 2] {
    [s3::seaweed(), s3::rclone()]
}

#[test]
fn what_is_put_is_listed_read_and_removed() {
    for server in both() {
        let bucket = server.bucket();
        assert_eq!(server.objects(&bucket), []);
        server.put(&bucket, "a/b.txt", b"hello");
        server.put(&bucket, "c", b"");
        let expected = [("a/b.txt".to_owned(), 5), ("c".to_owned(), 0)];
        assert_eq!(server.objects(&bucket), expected);
        assert_eq!(server.get(&bucket, "a/b.txt"), b"hello");
        server.remove(&bucket, "a/b.txt");
        assert_eq!(server.objects(&bucket), expected[1..]);
        assert_eq!(server.uploads(&bucket), [""; 0]);
    }
}

#[test]
fn a_wrong_secret_is_refused() {
    for server in both() {
        let path = format!("s3:{}", server.bucket());
        assert!(server.environment().iter().any(|(name, _)| *name == "AWS_SECRET_ACCESS_KEY"));
        let mut client = server.client();
        client.args(["lsjson", &path]).env("AWS_SECRET_ACCESS_KEY", "wrong");
        let output = client.output().unwrap();
        assert!(!output.status.success());
        assert!(text(&output.stderr).contains("SignatureDoesNotMatch"), "{output:?}");
    }
}

#[test]
fn who_has_fewer_rights_may_do_no_more() {
    let server = s3::seaweed();
    let bucket = server.bucket();
    server.put(&bucket, "old", b"old");
    let may = |who: Who, args: &[&str]| {
        let client = server.client_of(who).args(args).output().unwrap();
        let refused = text(&client.stderr).contains("StatusCode: 403");
        assert_ne!(client.status.success(), refused, "{who:?} {args:?}: {client:?}");
        client.status.success()
    };
    let at = |key: &str| format!("s3:{bucket}/{key}");
    let source = crate::support::repository("LICENSE-MIT");
    let source = source.to_str().unwrap();
    for (who, puts, reads, lists, removes) in [
        (Who::Writer, true, false, false, false),
        (Who::Reader, false, true, true, false),
        (Who::Remover, false, true, true, true),
        (Who::Owner, true, true, true, true),
    ] {
        server.put(&bucket, "old", b"old");
        let put = ["copyto", source, &at(who.name()), "--ignore-times", "--no-check-dest"];
        assert_eq!(may(who, &put), puts, "{who:?}");
        assert_eq!(may(who, &["cat", &at("old")]), reads, "{who:?}");
        assert_eq!(may(who, &["lsjson", &format!("s3:{bucket}")]), lists, "{who:?}");
        assert_eq!(may(who, &["deletefile", &at("old")]), removes, "{who:?}");
    }
}

#[test]
fn the_log_says_who_asked_for_what() {
    let server = s3::seaweed();
    let bucket = server.bucket();
    server.put(&bucket, "a/b.txt", b"hello");
    let requests = server.requests(&bucket);
    let put = requests.iter().find(|one| one.verb == "PUT" && one.path.ends_with("/a/b.txt"));
    let put = put.unwrap_or_else(|| panic!("{requests:?}"));
    assert_eq!((put.who.as_str(), put.status), ("owner", 200));
    assert_eq!(put.path, format!("/{bucket}/a/b.txt"));
}

#[test]
fn an_upload_that_was_not_ended_is_named() {
    let server = s3::seaweed();
    let bucket = server.bucket();
    let mut client = server.client();
    let path = format!("s3:{bucket}/big");
    client.args(["rcat", "--s3-chunk-size=5M", "--s3-upload-concurrency=1", &path]);
    client.stdin(std::process::Stdio::piped()).stderr(std::process::Stdio::null());
    let mut child = client.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, &vec![7; 12 << 20]).unwrap();
    let begun = std::time::Instant::now();
    while server.uploads(&bucket).is_empty() {
        assert!(begun.elapsed() < std::time::Duration::from_secs(60), "no upload was begun");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(server.uploads(&bucket), ["big"]);
    assert_eq!(server.objects(&bucket), []);
}

#[test]
fn an_object_that_is_locked_is_not_removed() {
    let server = s3::seaweed();
    let bucket = server.bucket_with_locks();
    let until = (chrono::Utc::now() + chrono::Duration::hours(1)).to_rfc3339();
    let source = crate::support::repository("LICENSE-MIT");
    let mut put = server.client();
    put.arg("copyto").arg(source).arg(format!("s3:{bucket}/locked"));
    put.args(["--s3-object-lock-mode=COMPLIANCE", "--s3-object-lock-retain-until-date", &until]);
    let put = put.output().unwrap();
    assert!(put.status.success(), "{put:?}");
    let versions = || {
        let args = ["lsf", "--s3-versions", &format!("s3:{bucket}")];
        text(&server.client().args(args).output().unwrap().stdout)
    };
    assert_eq!(versions(), "locked\n");
    // A mark that it is deleted goes over it; what it hides stays.
    server.remove(&bucket, "locked");
    assert_eq!(server.objects(&bucket), []);
    assert!(versions().starts_with("locked-v"), "{}", versions());
    let version = format!("s3:{bucket}/{}", versions().trim());
    let client = server.client().args(["deletefile", "--s3-versions", &version]).output().unwrap();
    assert!(text(&client.stderr).contains("StatusCode: 403"), "{client:?}");
    assert!(versions().starts_with("locked-v"), "{}", versions());
}
