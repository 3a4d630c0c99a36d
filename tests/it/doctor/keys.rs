//! Keys: what seals, what opens, who signs, who may have signed.

use std::os::unix::fs::PermissionsExt;

use super::{doctor, looked};
use crate::support::{Place, unchanged_database};
use crate::{sealed, signing};

#[test]
fn recipients_and_identities_that_do_not_fit_are_named() {
    let place = Place::without_docker();
    let (ours, other) = (sealed::key(&place, "ours"), sealed::key(&place, "other"));
    let with = |args: &[&str]| looked(&place, doctor(&place).args(args));
    with(&["--encrypt-to", "age1nobody"]).ends(1).says(
        "keys.recipients",
        "broken",
        "is no recipient of age",
    );
    with(&["--identity", "nowhere"]).ends(1).says("keys.identities", "broken", "nowhere");
    let fits = with(&["--encrypt-to", &ours, "--identity", "ours"]);
    fits.ends(0).says("keys.identities", "works", &ours);
    let stranger = with(&["--encrypt-to", &other, "--identity", "ours"]);
    stranger.ends(0).says("keys.identities", "remark", "and new backups are not");
    std::fs::set_permissions(place.dir().join("ours"), PermissionsExt::from_mode(0o644)).unwrap();
    let exposed = with(&["--identity", "ours"]);
    exposed.says("keys.identities.mode", "remark", "can be read by others");
    exposed.mends("keys.identities.mode", "chmod 600 ours");

    // What counts is the backup that there is.
    let mut create = place.create(unchanged_database());
    assert!(create.args(["--encrypt-to", &ours]).output().unwrap().status.success());
    with(&["--identity", "ours"]).ends(0).says(
        "keys.identities",
        "works",
        "the backup and its manifest open",
    );
    with(&["--identity", "other"]).ends(1).says("keys.identities", "broken", "");
    assert_eq!(
        place.names("backups").len(),
        3,
        "it is not on record: {:?}",
        place.names("backups")
    );
    let history = std::fs::read_to_string(place.dir().join("backups/history.jsonl")).unwrap();
    assert_eq!(history.lines().count(), 1, "{history}");
}

#[test]
fn a_key_that_cannot_sign_or_is_not_allowed_is_broken() {
    let place = Place::without_docker();
    signing::key(&place, "ours");
    signing::key(&place, "other");
    place.file("allowed", signing::line(&place, "", "other").as_bytes());
    place.file("empty", b"");
    let with = |args: &[&str]| looked(&place, doctor(&place).args(args));
    with(&["--sign-key", "nowhere"]).ends(1).says("keys.sign_key", "broken", "nowhere");
    with(&["--sign-key", "empty"]).ends(1).says("keys.sign_key", "broken", "is no key of OpenSSH");
    with(&["--allowed-signers", "empty"]).ends(1).says("keys.allowed_signers", "broken", "empty");
    let refused = with(&["--sign-key", "ours", "--allowed-signers", "allowed"]);
    refused.ends(1).says("keys.sign_key", "works", "SHA256:");
    refused.says("keys.allowed_signers", "broken", "allowed does not allow this key");
    with(&["--sign-key", "other", "--allowed-signers", "allowed"]).ends(0);
}
