//! What the source has and the backup has not.

use super::{NO_APPLICATION, verified};
use crate::support::Place;
use crate::support::source::Source;

#[test]
fn what_is_not_in_a_backup_is_said_once_by_create_and_by_verify() {
    let place = Place::on_a_lent_server();
    let server = Source::start();
    let psql = |database: &str, sql: &str| {
        server.client("psql", &["-Xqv", "ON_ERROR_STOP=1", "-d", database, "-c", sql])
    };
    server.client("createdb", &["shop"]);
    psql(
        "shop",
        "CREATE TABLE orders (n int); INSERT INTO orders VALUES (1); CREATE TABLE log (n int); INSERT INTO log VALUES (1)",
    );
    let create = |args: &[&str]| {
        let mut command = place.ccc();
        let made = place.outcome(command.arg("create").args(args).envs(server.connection("shop")));
        assert_eq!(made.code, 0, "{made}");
        made
    };
    let with = |coverage: &str| format!("{NO_APPLICATION}coverage = \"{coverage}\"\n");
    // A server with nothing else has nothing to be told of.
    let made = create(&["whole.sql.gz"]);
    assert!(!made.stdout.contains("Not in it"), "{made}");
    let quiet = verified(&place, "whole.sql.gz", NO_APPLICATION);
    assert!(!quiet.passed().stdout.contains("Not in the backup"), "{quiet}");
    verified(&place, "whole.sql.gz", &with("fail"))
        .passed()
        .says("✓ The backup has all that its source has");

    server.client("createdb", &["other"]);
    psql("shop", "CREATE ROLE app");
    let made = create(&["around.sql.gz"]);
    let around = "1 role (app), 1 other database (other)";
    made.says(&format!("Not in it: {around}"));
    let shown = verified(&place, "around.sql.gz", NO_APPLICATION);
    shown.passed().says(&format!("· Not in the backup: {around}"));
    verified(&place, "around.sql.gz", &with("fail")).failed("Not in the backup: 1 role (app)");
    create(&["globals.sql.gz", "--globals"]);
    let others = verified(&place, "globals.sql.gz", &with("fail"));
    others.passed().says("· Not in the backup: 1 other database (other)");

    let made = create(&["rows.dump", "--globals", "--", "--exclude-table-data=log"]);
    let rows = "the rows of 1 table (left out: public.log), 1 other database (other)";
    made.says(&format!("Not in it: {rows}"));
    let warned = verified(&place, "rows.dump", NO_APPLICATION);
    warned.passed().says(&format!("⚠ Not in the backup: {rows}")).says("Warnings: 1");
    verified(&place, "rows.dump", &with("fail")).failed(rows);
    let off = verified(&place, "rows.dump", &with("off"));
    assert!(!off.passed().stdout.contains("Not in the backup"), "{off}");
    place.file("own.toml", with("off").as_bytes());
    let made = create(&["off.sql.gz", "--config", "own.toml", "--", "--exclude-table-data=log"]);
    assert!(!made.stdout.contains("Not in it"), "{made}");
}

#[test]
fn what_no_manifest_says_is_not_known_where_it_has_to_be() {
    let place = Place::on_a_lent_server();
    place.file("a.sql", crate::support::good_dump());
    let config = format!("{NO_APPLICATION}coverage = \"fail\"\n");
    verified(&place, "a.sql", &config).not_verified("What is not in the backup is not known");
}
