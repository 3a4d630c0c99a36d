//! The machine's own PostgreSQL in a container under a user id that the image does not know, as OpenShift gives one.

use crate::support::sidecar::Sidecar;
use crate::support::{Place, good_dump};

/// Nothing of the container may be written to but directories in memory, and there are no capabilities.
const RESTRICTED: [&str; 6] = [
    "--user=54321:0",
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--tmpfs=/tmp:mode=1777",
    "--network=none",
];
const LOCAL: [&str; 1] = ["--engine=local"];
/// Covers the library that the image has.
const WITHOUT_THE_LIBRARY: &str = "--volume=/dev/null:/usr/lib/x86_64-linux-gnu/libnss_wrapper.so";

#[test]
fn a_user_id_without_a_name_is_given_one_by_the_library_that_images_of_postgresql_have() {
    let place = Place::new();
    place.file("a.sql", good_dump());
    Sidecar::without_an_engine(&place, &RESTRICTED).verify("a.sql", &LOCAL).passed();
}

#[test]
fn without_either_it_is_no_verdict_and_what_helps_is_named() {
    let place = Place::new();
    place.file("a.sql", good_dump());
    let options = [&RESTRICTED[..], &[WITHOUT_THE_LIBRARY]].concat();
    let outcome = Sidecar::without_an_engine(&place, &options).verify("a.sql", &LOCAL);
    outcome.not_verified("the user id 54321 has no name here").hints("apt install libnss-wrapper");
    assert!(!outcome.stderr.contains("TMPDIR"), "{outcome}");
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn without_that_library_it_is_given_one_by_a_user_namespace_where_there_may_be_one() {
        let place = Place::new();
        place.file("a.sql", good_dump());
        let options =
            [&RESTRICTED[..], &[WITHOUT_THE_LIBRARY, "--security-opt=seccomp=unconfined"]];
        Sidecar::without_an_engine(&place, &options.concat()).verify("a.sql", &LOCAL).passed();
    }
}
