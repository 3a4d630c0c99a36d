//! Owners, grants and policies: the roles that a dump names are there before it is restored.

use std::sync::OnceLock;

use crate::support::source::{Database, database, source};
use crate::support::{Place, good_dump};

/// A database whose objects belong to several roles.
fn owned() -> &'static Database {
    static OWNED: OnceLock<Database> = OnceLock::new();
    OWNED.get_or_init(|| {
        let database = database();
        source().client(
            "psql",
            &["-Xqc", "CREATE ROLE it_app; CREATE ROLE \"It Reader\"; CREATE ROLE it_tenant;"],
        );
        database.sql(
            "ALTER TABLE users OWNER TO it_app;
             GRANT SELECT ON users TO \"It Reader\" WITH GRANT OPTION;
             CREATE SCHEMA it_schema AUTHORIZATION it_app;
             ALTER TABLE organizations ENABLE ROW LEVEL SECURITY;
             CREATE POLICY p ON organizations TO it_tenant USING (true);
             ALTER DEFAULT PRIVILEGES FOR ROLE it_app GRANT SELECT ON TABLES TO it_tenant;
             CREATE MATERIALIZED VIEW filled AS SELECT count(*) FROM content_jobs;
             ALTER MATERIALIZED VIEW filled OWNER TO it_app;",
        );
        database
    })
}

/// Statements that fail where owners, grants and policies are not as in the source.
const AS_IN_THE_SOURCE: &str = "
DO $$ BEGIN
    ASSERT (SELECT tableowner FROM pg_tables WHERE tablename = 'users') = 'it_app';
    ASSERT has_table_privilege('It Reader', 'public.users', 'SELECT WITH GRANT OPTION');
    ASSERT (SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'it_schema') = 'it_app';
    ASSERT (SELECT roles FROM pg_policies WHERE policyname = 'p') = '{it_tenant}';
    ASSERT (SELECT count(*) FROM pg_default_acl) = 1;
    ASSERT NOT EXISTS (SELECT FROM pg_roles WHERE rolname LIKE '%it_%'
                       AND (rolcanlogin OR rolsuper OR rolcreaterole OR rolcreatedb));
END $$;\n";

#[test]
fn owners_grants_and_policies_restore_as_they_were() {
    let place = Place::on_a_lent_server();
    let dump = owned().dump(&[]);
    let end = crate::support::dumps::trailer(&dump);
    let checked = [&dump[..end], AS_IN_THE_SOURCE.as_bytes(), &dump[end..]].concat();
    place.file("owned.sql", &checked);
    let outcome = place.outcome(place.verify().args(["owned.sql", "--report", "report.json"]));
    let roles = "Creating roles of the backup, without login: It Reader, it_app, it_tenant";
    outcome.passed().says(roles);
    assert!(!outcome.stdout.contains("harmless"), "{outcome}");
    let report = std::fs::read_to_string(place.dir().join("report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let listed = serde_json::json!(["It Reader", "it_app", "it_tenant"]);
    assert_eq!(report["report"]["roles"], listed);
}

#[test]
fn a_dump_without_owners_makes_no_roles() {
    let place = Place::on_a_lent_server();
    let outcome = place.verify_bytes("a.sql", good_dump());
    outcome.passed();
    assert!(!outcome.stdout.contains("Creating roles"), "{outcome}");
}

#[test]
fn a_backup_with_owners_made_by_create_verifies() {
    let place = Place::on_a_lent_server();
    let made = place.outcome(place.create(owned()).args(["owned.sql.gz", "--keep-owner"]));
    assert_eq!(made.code, 0, "{made}");
    let outcome = place.outcome(place.verify().arg("owned.sql.gz"));
    outcome
        .passed()
        .says("Creating roles of the backup, without login: It Reader, it_app, it_tenant");
}
