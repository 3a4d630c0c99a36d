//! Questions of the operator's own, asked of a restored database before it gets its name.

use super::{Named, databases, restore, sql};
use crate::support::{Place, unchanged_database};

fn config(place: &Place, expected: &str) {
    let check = format!(
        "[checks]\ntables = [\"no.such\"]\n[[checks.sql]]\nname = \"users\"\n\
         query = \"SELECT count(*) > 0, current_database() LIKE '%restoring%' FROM users\"\nexpect = {expected}\n"
    );
    place.file("ccc-backup.toml", check.as_bytes());
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn a_check_of_ones_own_that_does_not_pass_keeps_the_name_from_the_restored_database() {
        let place = Place::without_docker();
        place.create(unchanged_database()).args(["x.sql.gz"]).assert().success();
        let named = Named::filled("own");
        let database = &named.0;
        let kept = || sql(database, "SELECT count(*) FROM kept");
        let swap = ["x.sql.gz", "--swap", "--yes", "--config", "ccc-backup.toml"];

        config(&place, "[false, true]");
        let planned = restore(&place, database, &[&swap[..], &["--dry-run"]].concat());
        planned.says("Asked: 1 check of your own, before anybody is given it");
        let outcome = restore(&place, database, &swap);
        assert_eq!(outcome.code, 1, "{outcome}");
        outcome.says("❌ NOT RESTORED: a check of your own does not pass");
        outcome.says("✗ users: expected false, true, found t, t");
        outcome.hints("--force");
        assert_eq!((kept(), databases(database)), ("3".to_owned(), vec![database.clone()]));

        // Who wants it all the same is told, and has it.
        let forced = restore(&place, database, &[&swap[..], &["--force"]].concat());
        forced.restored(database).says("⚠ users: expected false, true, found t, t");
        let undo = || {
            let undone = restore(&place, database, &["--undo", "--yes"]);
            assert_eq!((undone.code, kept().as_str()), (0, "3"), "{undone}");
        };
        undo();

        // One that could not be asked is no reason to switch, either.
        config(&place, "[true, true]\nrole = \"no_such_role\"");
        let unasked = restore(&place, database, &swap);
        unasked.not_restored("users: not asked: role \"no_such_role\" does not exist");
        assert_eq!(kept(), "3");

        config(&place, "[true, true]");
        let outcome = restore(&place, database, &swap);
        outcome.restored(database).says("✓ users (t, t)");
        undo();

        // A configuration that was only found asks nothing of a server that others use.
        config(&place, "[false, true]");
        let unnamed = restore(&place, database, &["x.sql.gz", "--swap", "--yes"]);
        unnamed.restored(database);
        assert!(
            unnamed.stderr.contains("([[checks.sql]]) are not asked: name it with --config"),
            "{unnamed}"
        );
    }
}
