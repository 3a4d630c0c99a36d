//! The tests' own lender of servers: what it lends is as good as new.

use crate::support::Place;
use crate::support::dumps::{good_dump, with_sql_last};

#[test]
fn a_lent_server_has_nothing_of_the_run_before_whether_that_can_be_removed_or_not() {
    let place = Place::on_a_lent_server();
    // Whatever is there already is refused.
    let removable = "CREATE ROLE left_behind SUPERUSER; CREATE DATABASE left_behind; \
                     ALTER ROLE ALL SET lock_timeout = '1h'; GRANT pg_monitor TO left_behind;";
    let not_removable = "DO $$ BEGIN ASSERT shobj_description(10, 'pg_authid') IS NULL; END $$; \
                         COMMENT ON ROLE postgres IS 'left behind';";
    for left in [removable, not_removable, removable, not_removable] {
        place.verify_bytes("a.sql", &with_sql_last(left)).passed();
        place.verify_bytes("b.sql", good_dump()).passed();
    }
}
