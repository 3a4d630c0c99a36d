//! Values of INSERT statements that name no columns, of tables whose columns can be in another order.

use crate::support::source::source;
use crate::support::torture::NO_APPLICATION;
use crate::support::{Database, Outcome, Place};

/// A child whose parent got a column after it: no dump makes it in that order. And one that nothing came to.
const LATER: &str = "\
CREATE TABLE p (f1 integer, f2 integer); CREATE TABLE c (f3 integer) INHERITS (p);
ALTER TABLE p ADD COLUMN f4 integer; INSERT INTO c VALUES (1, 2, 3, 4); INSERT INTO p VALUES (1, 2, 4)";
const AT_ONCE: &str = "\
CREATE TABLE p (f1 integer, f2 integer, f4 integer); CREATE TABLE c (f3 integer) INHERITS (p);
CREATE TABLE alike () INHERITS (p); INSERT INTO alike VALUES (5, 6, 7);
INSERT INTO c VALUES (1, 2, 4, 3); INSERT INTO p VALUES (1, 2, 4);
CREATE TABLE parted (a integer, b integer) PARTITION BY LIST (a);
CREATE TABLE part (b integer, a integer); ALTER TABLE parted ATTACH PARTITION part FOR VALUES IN (1);
INSERT INTO parted VALUES (1, 2)";

fn database(name: &str, sql: &str) -> Database {
    source().client("createdb", &["--", name]);
    let database = Database { name: name.to_owned() };
    database.sql(sql);
    database
}

fn place() -> Place {
    let place = Place::on_a_lent_server();
    place.file("ccc-backup.toml", NO_APPLICATION);
    place
}

/// What is said of a backup by `create`, of INSERT statements.
fn created(place: &Place, database: &Database) -> Outcome {
    let mut create = place.create(database);
    let made =
        Outcome::of(&create.args(["a.sql.gz", "--force", "--", "--inserts"]).output().unwrap());
    assert_eq!(made.code, 0, "{made}");
    place.outcome(place.verify().arg("a.sql.gz"))
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn values_without_columns_are_told_where_the_order_is_known_and_not_where_it_is_not() {
        let place = place();
        let (later, at_once) = (database("order_later", LATER), database("order_at_once", AT_ONCE));
        for database in [&later, &at_once] {
            let unknown = place.verify_bytes("b.sql", &database.dump(&["--inserts"]));
            unknown.not_verified("public.c: INSERT statements without column names do not say");
            place.verify_bytes("b.sql", &database.dump(&["--column-inserts"])).passed();
            place.verify_bytes("b.sql", &database.dump(&[])).passed();
        }
        let without_c = at_once.dump(&["--inserts", "--exclude-table=c"]);
        place.verify_bytes("b.sql", &without_c).passed();
        created(&place, &at_once).passed().says("✓ Contents match the backup (4 tables)");
        created(&place, &later).failed(
        "public.c: restored values are in other columns: they are of f1, f2, f3, f4, and the table has \
         f1, f2, f4, f3",
    );
    }
}
