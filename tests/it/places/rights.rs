//! Least rights: who makes backups may only put, who verifies may only read, who thins out may delete.

use super::{Bucket, succeeded};
use crate::support::s3::{Who, seaweed};
use crate::support::{Outcome, Place, unchanged_database};

#[test]
fn create_needs_no_right_but_to_put_and_verify_none_but_to_read() {
    let (place, bucket) = (Place::on_a_lent_server(), Bucket::of(seaweed()));
    let mut command = place.create(unchanged_database());
    command.args(["--backup-dir", &bucket.url(), "--globals"]);
    command.envs(bucket.server.environment_of(Who::Writer));
    succeeded(&Outcome::of(&command.output().unwrap()));
    assert_eq!(bucket.names().len(), 3, "{:?}", bucket.names());
    assert_eq!(bucket.runs().len(), 1);
    let mut command = place.verify();
    command.args(["--latest", "--backup-dir", &bucket.url()]);
    command.envs(bucket.server.environment_of(Who::Reader));
    let verified = place.outcome(&mut command);
    verified.passed();
    assert!(verified.stderr.contains("the history was not written"), "{verified}");
}

#[test]
fn a_clean_up_needs_no_right_to_put_and_without_the_one_to_delete_says_so() {
    let (place, bucket) = (Place::without_docker(), Bucket::of(seaweed()));
    for stamp in ["20200101_000000", "20200102_000000"] {
        let url = format!("{}/backup_{stamp}.sql.gz", bucket.url());
        succeeded(&bucket.create(&place, &[&url]));
    }
    let clean = |who| {
        let mut command = place.ccc();
        command.args(["cleanup", "--keep-last", "1", "--backup-dir", &bucket.url()]);
        Outcome::of(&command.envs(bucket.server.environment_of(who)).output().unwrap())
    };
    let refused = clean(Who::Reader);
    assert_eq!(refused.code, 2, "{refused}");
    refused.hints("the right");
    assert_eq!(bucket.names().len(), 4);
    let done = clean(Who::Remover);
    assert_eq!(done.code, 0, "{done}");
    assert_eq!(bucket.names().len(), 2);
}
