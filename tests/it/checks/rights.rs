//! Questions asked as a role of the application.

use std::sync::OnceLock;

use super::{NO_APPLICATION, made, verified};
use crate::support::Place;
use crate::support::source::{Database, database, source};

/// A database that belongs to one role, and of which others may read parts: by a grant, by a group, by a right of the
/// whole server, and by a policy.
fn shared() -> &'static Database {
    static SHARED: OnceLock<Database> = OnceLock::new();
    SHARED.get_or_init(|| {
        let database = database();
        let roles = "CREATE ROLE ic_owner; CREATE ROLE ic_group; CREATE ROLE ic_app LOGIN; CREATE ROLE ic_eye BYPASSRLS;
             CREATE ROLE \"Ic Auditor\"; GRANT ic_group TO ic_app; GRANT pg_read_all_data TO \"Ic Auditor\";";
        source().client("psql", &["-Xqc", roles]);
        database.sql(
            "ALTER TABLE users OWNER TO ic_owner; ALTER TABLE organizations OWNER TO ic_owner;
             GRANT SELECT ON users TO ic_group; GRANT SELECT ON organizations TO ic_group, ic_eye;
             GRANT SELECT ON tags TO ic_app, \"Ic Auditor\";
             ALTER TABLE organizations ENABLE ROW LEVEL SECURITY;
             CREATE POLICY ours ON organizations TO ic_group USING (id = 1);",
        );
        database
    })
}

fn asked_as(role: &str, query: &str, expected: &str) -> String {
    format!(
        "[[checks.sql]]\nname = \"{query} as {role}\"\nquery = \"SELECT count(*) {query}\"\n{expected}\n\
         role = \"{role}\"\n"
    )
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn what_a_backup_without_rights_refuses_a_role_is_not_held_against_it() {
        let place = Place::on_a_lent_server();
        made(&place, shared(), &["bare.sql.gz"]);
        made(&place, shared(), &["alone.sql.gz", "--keep-owner"]);
        let config = format!("{NO_APPLICATION}{}", asked_as("ic_app", "FROM users", "min = 1"));
        for file in ["bare.sql.gz", "alone.sql.gz"] {
            let outcome = verified(&place, file, &config);
            let why =
                "FROM users as ic_app: not asked: the backup does not tell all that ic_app may";
            outcome.not_verified(why);
            assert!(
                outcome.stdout.contains("ccc-backup create --keep-owner --globals"),
                "{outcome}"
            );
        }
    }

    #[test]
    fn a_role_asks_with_the_rights_that_the_backup_gives_it() {
        let place = Place::on_a_lent_server();
        made(&place, shared(), &["own.sql.gz", "--keep-owner", "--globals"]);
        let config = |checks: &[String]| format!("{NO_APPLICATION}{}", checks.concat());
        let all = shared().sql("SELECT count(*) FROM organizations");
        let good = [
            asked_as("ic_owner", "FROM users", "min = 1"),
            asked_as("ic_app", "FROM users", "min = 1"),
            asked_as("ic_app", "FROM organizations", "expect = 1"),
            asked_as("ic_eye", "FROM organizations", &format!("expect = {all}")),
            asked_as("Ic Auditor", "FROM invoices", "min = 0"),
            asked_as("ic_never_heard_of", "FROM pg_class", "min = 1"),
        ];
        verified(&place, "own.sql.gz", &config(&good)).passed();
        // Without a superuser, not every owner is the one of the source.
        let locally =
            place.outcome(place.verify_locally().args(["own.sql.gz", "--config", "own.toml"]));
        locally.says("✓ FROM organizations as ic_app (1)");
        let why = "FROM users as ic_owner: not asked: without a superuser, not all that ic_owner may was restored";
        locally.not_verified(why);
        let bad = [asked_as("ic_app", "FROM invoices", "min = 0")];
        let outcome = verified(&place, "own.sql.gz", &config(&bad));
        outcome.failed("FROM invoices as ic_app: permission denied for table invoices");
    }
}
