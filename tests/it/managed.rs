//! Dumps of managed services, written after what is seen in real ones: their roles, schemas, privileges, event triggers and
//! extensions. A healthy one passes, or is NOT VERIFIED for want of an extension that is the service's own; a broken one fails.

use crate::support::torture::NO_APPLICATION;
use crate::support::{Outcome, Place, repository};

/// Those that PostgreSQL's own image restores.
const PASSING: [&str; 6] =
    ["rds", "cloud_sql", "azure_single_server", "heroku", "supabase", "neon"];

/// Those that want extensions of the service, with one of these.
const LACKING: [(&str, &str); 7] = [
    ("aurora", "apg_plan_mgmt"),
    ("cloud_sql_with_its_extension", "google_vacuum_mgmt"),
    ("alloydb", "google_columnar_engine"),
    ("azure_flexible_server", "azure"),
    ("supabase_with_its_extensions", "pg_graphql"),
    ("crunchy", "crunchy_pooler"),
    ("digitalocean", "aiven_extras"),
];

fn place() -> Place {
    let place = Place::on_a_lent_server();
    place.file("own.toml", NO_APPLICATION);
    place
}

fn fixture(name: &str) -> String {
    std::fs::read_to_string(repository("tests/fixtures/managed").join(format!("{name}.sql")))
        .unwrap()
}

fn verified(place: &Place, dump: &str) -> Outcome {
    place.file("a.sql", dump.as_bytes());
    place.outcome(place.verify().args(["a.sql", "--config", "own.toml"]))
}

#[test]
fn a_healthy_dump_of_a_managed_service_passes_and_a_broken_one_fails() {
    let place = place();
    for name in PASSING {
        let dump = fixture(name);
        let outcome = verified(&place, &dump);
        eprintln!("{name}: {}", outcome.code);
        outcome.passed().says("✓ Contents match the backup (2 tables)");
        verified(&place, &dump[..dump.len() / 2]).failed("");
        // An order of nobody's account.
        verified(&place, &dump.replace("2\t3\t99.00", "2\t7\t99.00")).failed("orders_account_fkey");
    }
}

#[test]
fn a_dump_with_extensions_of_a_managed_service_is_not_verified_and_names_them() {
    let place = place();
    for (name, extension) in LACKING {
        let dump = fixture(name);
        let outcome = verified(&place, &dump);
        eprintln!("{name}: {}", outcome.code);
        outcome.not_verified(extension);
        // What is cut is bad, whatever the server lacks.
        verified(&place, &dump[..dump.len() / 2]).failed("");
    }
}
