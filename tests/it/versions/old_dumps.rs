//! Dumps by pg_dump 8.4 and 9, in the form that those wrote, of servers that nobody runs any more: they pass wherever they restore,
//! and are called neither good nor bad where a newer server lacks what they need.

use crate::support::torture::NO_APPLICATION;
use crate::support::versions::{image, majors};
use crate::support::{Place, repository};

/// The last version that reads escapes in plain literals, as 8.4 wrote them.
const LAST_WITH_ESCAPES: u32 = 18;

fn fixture(name: &str) -> String {
    let path = repository("tests/fixtures/dumps").join(name);
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn a_dump_with_a_type_that_only_old_versions_have_is_not_verified_and_one_with_no_such_type_fails()
{
    let place = Place::on_a_lent_server();
    place.file("ccc-backup.toml", NO_APPLICATION);
    let with = |of_column: &str| {
        let dump = fixture("pg_dump_9_6.sql");
        assert!(dump.contains("born timestamp with time zone"));
        let dump = dump.replace("born timestamp with time zone", &format!("born {of_column}"));
        place.verify_bytes("a.sql", dump.as_bytes())
    };
    let outcome = with("abstime");
    outcome.not_verified("lacks the type abstime, which versions up to 11 have");
    outcome.hints("--postgres-version 11");
    with("abstimes").failed("type \"abstimes\" does not exist");
}

#[test]
fn what_an_old_dump_lost_fails() {
    let place = Place::on_a_lent_server();
    place.file("ccc-backup.toml", NO_APPLICATION);
    let dump = fixture("pg_dump_8_4.sql");
    let cut = dump.find("\\000\\\\001abc").unwrap();
    place.verify_bytes("cut.sql", &dump.as_bytes()[..cut]).failed("");
    let lost = dump.replace("CREATE SEQUENCE goods_id_seq", "-- CREATE SEQUENCE goods_id_seq");
    place.verify_bytes("lost.sql", lost.as_bytes()).failed("");
    // A value that no server of 8.4 writes of a double: 17 digits are all that it has.
    let other = dump.replace("1.0000000000000001e-05", "1.00000000000000002e-05");
    place.verify_bytes("other.sql", other.as_bytes()).failed("restored values differ");
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn dumps_of_old_versions_pass_in_every_version_that_takes_what_they_need() {
        for &major in majors() {
            let place = Place::on_a_lent_server();
            place.file("ccc-backup.toml", NO_APPLICATION);
            for (name, rows) in
                [("pg_dump_8_4.sql", 3), ("pg_dump_9_2.sql", 2), ("pg_dump_9_6.sql", 2)]
            {
                place.file(name, fixture(name).as_bytes());
                let outcome =
                    place.outcome(place.verify_by_version().args([name, "--image", &image(major)]));
                if name == "pg_dump_8_4.sql" && major > LAST_WITH_ESCAPES {
                    let lacks = "lacks text with escapes (standard_conforming_strings = off)";
                    outcome.not_verified(lacks).hints("--postgres-version 18");
                } else {
                    assert_eq!(outcome.code, 0, "{name} in {major}: {outcome}");
                    let said = format!("✓ Backup is complete: {rows} rows in 1 table");
                    assert!(outcome.passed().stdout.contains(&said), "{outcome}");
                }
            }
        }
    }
}
