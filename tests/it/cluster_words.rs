//! What `pg_dumpall` says of the cluster and of its databases, where the sandbox is another: tablespaces,
//! and rights that it takes from the superuser.

use crate::support::torture::NO_APPLICATION;
use crate::support::{Outcome, Place};

fn place() -> Place {
    let place = Place::on_a_lent_server();
    place.file("ccc-backup.toml", NO_APPLICATION);
    place
}

/// A dump of a cluster with one database, with these statements before it, and these words for it.
fn verified(place: &Place, before: &str, words: &str) -> [Outcome; 2] {
    let dump = format!(
        "--\n-- PostgreSQL database cluster dump\n--\n\nSET client_encoding = 'UTF8';\n\
         SET standard_conforming_strings = on;\n\n{before}\n\n\
         --\n-- PostgreSQL database dump\n--\n\nCREATE DATABASE shop WITH TEMPLATE = template0 \
         ENCODING = 'UTF8'{words};\n\n\\connect shop\n\n\
         SET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\n\n\
         CREATE TABLE public.t (a integer);\n\nCOPY public.t (a) FROM stdin;\n1\n2\n\\.\n\n\n\
         --\n-- PostgreSQL database dump complete\n--\n\n\
         --\n-- PostgreSQL database cluster dump complete\n--\n\n"
    );
    place.file("all.sql", dump.as_bytes());
    ["4", "1"].map(|jobs| place.outcome(place.verify().args(["all.sql", "--jobs", jobs])))
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn a_database_in_a_tablespace_that_the_sandbox_lacks_is_made_without_it() {
        let place = place();
        let space = "CREATE TABLESPACE fast OWNER postgres LOCATION '/no/where';";
        for words in [
            " LC_COLLATE = 'C' LC_CTYPE = 'C' TABLESPACE = fast",
            " TABLESPACE \"fast\" LC_COLLATE = 'xx_XX.utf8' LC_CTYPE = 'xx_XX.utf8'",
        ] {
            for outcome in verified(&place, space, words) {
                outcome.passed().says("✓ Contents match the backup (1 table)");
                outcome.says("(2 harmless errors passed over)");
            }
        }
        // A database that cannot be made for another reason is none.
        for outcome in verified(&place, space, " TABLESPACE = fast OWNER = nobody_at_all") {
            assert_ne!(outcome.code, 0, "{outcome}");
        }
    }

    #[test]
    fn a_cluster_that_takes_rights_from_the_superuser_passes_with_a_warning_in_report_and_summary()
    {
        let place = place();
        for (taken, what) in [
            (
                "ALTER ROLE postgres WITH NOSUPERUSER INHERIT CREATEROLE CREATEDB LOGIN;",
                "its rights",
            ),
            ("ALTER ROLE postgres WITH SUPERUSER INHERIT CREATEROLE NOLOGIN;", "its login"),
            (
                "ALTER ROLE postgres SET default_transaction_read_only TO 'on';",
                "the right to write",
            ),
        ] {
            for outcome in verified(&place, &format!("CREATE ROLE postgres;\n{taken}"), "") {
                outcome.passed();
                assert!(
                    outcome.stderr.contains(&format!("warning: line 9 takes {what}")),
                    "{outcome}"
                );
                let summary = outcome.stdout.rsplit("VERIFICATION SUMMARY").next().unwrap();
                assert!(
                    summary.contains("Not proven: that psql restores it as postgres"),
                    "{outcome}"
                );
            }
        }
        let kept = "CREATE ROLE postgres;\nALTER ROLE postgres WITH SUPERUSER INHERIT CREATEROLE LOGIN;\n\
                CREATE ROLE app;\nALTER ROLE app WITH NOSUPERUSER NOLOGIN;";
        for outcome in verified(&place, kept, "") {
            outcome.passed();
            assert!(!outcome.stderr.contains("takes"), "{outcome}");
            assert!(!outcome.stdout.contains("restores it as postgres"), "{outcome}");
        }
    }

    #[test]
    fn a_locale_that_only_a_setting_of_the_database_names_is_passed_over() {
        let place = place();
        let settings = "ALTER ROLE ALL SET lc_messages TO 'xx_XX.utf8';";
        let words = ";\nALTER DATABASE shop SET lc_monetary TO 'xx_XX.utf8';\n\
                 ALTER DATABASE shop SET lc_time TO 'xx_XX.utf8';\n\
                 ALTER DATABASE shop SET lc_numeric TO 'xx_XX.utf8'";
        for outcome in verified(&place, settings, words) {
            outcome.passed().says("✓ Contents match the backup (1 table)");
            outcome.says("(4 harmless errors passed over)");
        }
        // Another setting that cannot be made is the backup's fault.
        for outcome in verified(&place, "", ";\nALTER DATABASE shop SET work_mem TO 'much'") {
            outcome.failed("invalid value for parameter \"work_mem\"");
        }
    }
}
