//! `max_age`.

use crate::support::{Place, good_dump, unchanged_database};

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn the_newest_backup_may_be_so_old_and_one_that_is_named_as_old_as_it_is() {
        let place = Place::on_a_lent_server();
        place.file("ccc-backup.toml", b"[checks]\nmax_age = \"26h\"\n");
        place.file("backups/backup_20200114_020000.sql", good_dump());
        let latest = || place.outcome(place.verify().args(["--latest", "--report", "report.json"]));
        let outcome = latest();
        outcome.failed("older than the 1 d 2 h allowed (max_age)");
        outcome.says("✓ Contents match the backup (25 tables)");
        outcome.says("Backup can be restored successfully; what failed is not of it");
        outcome.hints("the backup is not to blame");
        // It is as sound as it was.
        let report = std::fs::read_to_string(place.dir().join("report.json")).unwrap();
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        assert_eq!(
            (&report["verdict"], &report["soundness"]),
            (&"failed".into(), &"passed".into())
        );
        let listed = place.outcome(place.ccc().arg("list"));
        assert!(listed.stdout.contains("passed"), "{listed}");
        let history = place.outcome(place.ccc().arg("history"));
        assert!(history.stdout.contains("verify sound, FAILED"), "{history}");
        let named = place.outcome(place.verify().arg("backups/backup_20200114_020000.sql"));
        named.passed();
        assert!(!named.stdout.contains("max_age"), "{named}");

        let made = place.outcome(&mut place.create(unchanged_database()));
        assert_eq!(made.code, 0, "{made}");
        let outcome = latest();
        outcome.passed();
        assert!(outcome.stdout.contains("old, of the 1 d 2 h allowed (max_age)"), "{outcome}");
    }
}
