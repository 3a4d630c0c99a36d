//! What can happen between the tool and a place: it is got over, or it is NOT VERIFIED, and never FAILED.

use std::sync::atomic::{AtomicU32, Ordering};

use super::{Bucket, succeeded};
use crate::support::faulty::{Fault, Faulty};
use crate::support::s3::seaweed;
use crate::support::{Outcome, Place, unchanged_database};

/// Each third request meets this fault.
fn each_third(bucket: &Bucket, fault: fn() -> Fault) -> Faulty {
    let count = AtomicU32::new(0);
    Faulty::to(bucket.server.port(), move |_| {
        if count.fetch_add(1, Ordering::SeqCst) % 3 == 2 { fault() } else { Fault::None }
    })
}

fn create_by(place: &Place, bucket: &Bucket, way: &Faulty) -> Outcome {
    let mut command = place.create(unchanged_database());
    command.args(["--backup-dir", &bucket.url()]);
    Outcome::of(&command.envs(bucket.by(way)).output().unwrap())
}

fn verify_by(place: &Place, bucket: &Bucket, way: &Faulty) -> Outcome {
    let mut command = place.verify();
    command.args(["--latest", "--backup-dir", &bucket.url()]);
    place.outcome(command.envs(bucket.by(way)))
}

#[test]
fn a_length_that_is_not_the_backups_is_not_held_against_it() {
    let (place, bucket) = (Place::without_docker(), Bucket::of(seaweed()));
    succeeded(&bucket.create(&place, &[]));
    let told = AtomicU32::new(0);
    let way = Faulty::to(bucket.server.port(), move |request| {
        let is_first = request.verb == "HEAD"
            && is_backup(&request.path)
            && told.fetch_add(1, Ordering::SeqCst) == 0;
        if is_first { Fault::Header("Content-Length", "40000") } else { Fault::None }
    });
    verify_by(&place, &bucket, &way).not_verified("changed meanwhile");
}

#[test]
fn a_server_that_refuses_is_not_verified_and_says_what_to_do() {
    let place = Place::without_docker();
    let bucket = Bucket::of(seaweed());
    succeeded(&bucket.create(&place, &[]));
    for status in [403, 404, 400] {
        let way = Faulty::to(bucket.server.port(), move |request| {
            if request.verb == "GET" && is_backup(&request.path) {
                Fault::Answer(status, &[])
            } else {
                Fault::None
            }
        });
        let outcome = verify_by(&place, &bucket, &way);
        assert_eq!(outcome.code, 2, "{status}: {outcome}");
    }
}

#[test]
fn a_part_that_does_not_arrive_as_it_was_sent_is_no_backup() {
    let place = Place::without_docker();
    let bucket = Bucket::of(seaweed());
    let way = Faulty::to(bucket.server.port(), |request| {
        let is_backup = request.verb == "PUT" && request.path.ends_with(".sql.gz");
        if is_backup { Fault::CorruptUpload(1000) } else { Fault::None }
    });
    let outcome = create_by(&place, &bucket, &way);
    assert_ne!(outcome.code, 0, "{outcome}");
    assert!(!bucket.names().iter().any(|name| name.ends_with(".manifest.json")), "{outcome}");
}

/// Whether it is the path of a backup, with a query or without one.
fn is_backup(path: &str) -> bool {
    path.split('?').next().is_some_and(|path| path.ends_with(".sql.gz"))
}

/// The first request for bytes of the backup meets this fault.
fn first_bytes(bucket: &Bucket, fault: Fault) -> Faulty {
    let met = AtomicU32::new(0);
    Faulty::to(bucket.server.port(), move |request| {
        let is_it = request.verb == "GET" && is_backup(&request.path);
        let is_first = is_it && met.fetch_add(1, Ordering::SeqCst) == 0;
        if is_first { fault.clone() } else { Fault::None }
    })
}

#[test]
fn bytes_that_change_on_the_way_are_not_held_against_the_backup() {
    let place = Place::on_a_lent_server();
    let bucket = Bucket::of(seaweed());
    succeeded(&bucket.create(&place, &[&format!("{}/a.sql.gz", bucket.url())]));
    let verified = verify_by(&place, &bucket, &first_bytes(&bucket, Fault::Corrupt(5_000)));
    verified.not_verified("what came over the network is not what lies there");
    verify_by(&place, &bucket, &Faulty::passing(bucket.server.port())).passed();
}

#[test]
fn what_a_storage_refuses_is_named_with_what_to_do_and_is_no_verdict() {
    let (place, bucket) = (Place::without_docker(), Bucket::of(seaweed()));
    succeeded(&bucket.create(&place, &[&format!("{}/a.sql.gz", bucket.url())]));
    for (status, headers, hint) in [
        (400, &[("X-Code", "ExpiredToken")], "new credentials"),
        (403, &[("X-Code", "RequestTimeTooSkewed")], "set the clock"),
        (301, &[("X-Code", "PermanentRedirect")], "AWS_REGION"),
        (400, &[("X-Code", "AuthorizationHeaderMalformed")], "AWS_REGION"),
        (403, &[("X-Code", "AccessDenied")], "the right"),
        (404, &[("X-Code", "NoSuchBucket")], "bucket"),
    ] {
        let way = Faulty::to(bucket.server.port(), move |_| Fault::Answer(status, headers));
        let verified = verify_by(&place, &bucket, &way);
        assert_eq!(verified.code, 2, "{headers:?}: {verified}");
        verified.hints(hint);
        let made = create_by(&place, &bucket, &way);
        assert_ne!(made.code, 0, "{headers:?}: {made}");
        made.hints(hint);
    }
    assert_eq!(bucket.names().len(), 2, "nothing came to what was there");
}

#[test]
fn a_quota_that_is_full_and_a_right_that_is_missing_in_the_middle_leave_no_backup() {
    let place = Place::without_docker();
    for (verb, headers, hint) in [
        ("PUT", &[("X-Code", "QuotaExceeded")], "raise the quota"),
        ("PUT", &[("X-Code", "AccessDenied")], "the right"),
        ("PUT", &[("X-Code", "ExpiredToken")], "new credentials"),
    ] {
        let bucket = Bucket::of(seaweed());
        let way = Faulty::to(bucket.server.port(), move |request| {
            if request.verb == verb { Fault::Answer(403, headers) } else { Fault::None }
        });
        let made = create_by(&place, &bucket, &way);
        assert_ne!(made.code, 0, "{made}");
        made.hints(hint);
        assert_eq!((bucket.names(), bucket.server.uploads(&bucket.name)), (vec![], vec![]));
    }
}

#[test]
fn a_list_that_is_throttled_is_asked_for_again() {
    let place = Place::without_docker();
    let bucket = Bucket::of(seaweed());
    succeeded(&bucket.create(&place, &[&format!("{}/a.sql.gz", bucket.url())]));
    let count = AtomicU32::new(0);
    let way = Faulty::to(bucket.server.port(), move |request| {
        let is_list = request.path.contains("list-type=2");
        let is_early = is_list && count.fetch_add(1, Ordering::SeqCst) < 3;
        if is_early { Fault::Answer(503, &[("X-Code", "SlowDown")]) } else { Fault::None }
    });
    let mut list = bucket.ccc(&place, &["list", "--backup-dir", &bucket.url()]);
    let listed = Outcome::of(&list.env("AWS_ENDPOINT_URL", way.endpoint()).output().unwrap());
    succeeded(&listed);
    assert!(listed.stdout.contains("a.sql.gz"), "{listed}");
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn a_busy_server_is_asked_again() {
        let faults: [fn() -> Fault; 3] = [
            || Fault::Answer(503, &[("Retry-After", "1")]),
            || Fault::Answer(500, &[]),
            || Fault::Answer(429, &[]),
        ];
        let place = Place::on_a_lent_server();
        for fault in faults {
            let bucket = Bucket::of(seaweed());
            succeeded(&create_by(&place, &bucket, &each_third(&bucket, fault)));
            verify_by(&place, &bucket, &each_third(&bucket, fault)).passed();
        }
    }

    #[test]
    fn connections_that_end_early_are_got_over_or_not_verified_and_never_failed() {
        let place = Place::on_a_lent_server();
        let bucket = Bucket::of(seaweed());
        succeeded(&bucket.create(&place, &[]));
        for fault in [|| Fault::Reset, || Fault::ResetAfter(40_000), || Fault::CutAfter(40_000)] {
            let outcome = verify_by(&place, &bucket, &each_third(&bucket, fault));
            assert!(matches!(outcome.code, 0 | 2), "{outcome}");
        }
    }

    #[test]
    fn an_answer_that_trickles_passes_and_one_of_another_object_is_not_verified() {
        let place = Place::on_a_lent_server();
        let bucket = Bucket::of(seaweed());
        succeeded(&bucket.create(&place, &[&format!("{}/a.sql.gz", bucket.url())]));
        let trickle = Fault::Trickle(8_000, std::time::Duration::from_millis(20));
        verify_by(&place, &bucket, &first_bytes(&bucket, trickle)).passed();
        let other = first_bytes(&bucket, Fault::Header("ETag", "\"another\""));
        verify_by(&place, &bucket, &other).not_verified("changed meanwhile");
    }
}
