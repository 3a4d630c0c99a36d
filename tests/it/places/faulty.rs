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
fn a_server_that_refuses_is_not_verified_and_says_what_to_do() {
    let place = Place::without_docker();
    let bucket = Bucket::of(seaweed());
    succeeded(&bucket.create(&place, &[]));
    for status in [403, 404, 400] {
        let way = Faulty::to(bucket.server.port(), move |request| {
            let names_it = request.path.contains(".sql.gz?") || request.path.ends_with(".sql.gz");
            let is_backup = request.verb == "GET" && names_it;
            if is_backup { Fault::Answer(status, &[]) } else { Fault::None }
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
