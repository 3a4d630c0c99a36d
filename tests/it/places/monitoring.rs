//! What the metrics tell of places: of backups made there, of copies there, of what is missing and of what is proven.

use std::path::Path;

use super::{Bucket, DEAD, dead, succeeded};
use crate::support::faulty::{Fault, Faulty, Request};
use crate::support::prometheus::{has, metrics_in, value};
use crate::support::s3::seaweed;
use crate::support::{Outcome, Place, unchanged_database};

const FILE: &str = "ccc-backup.prom";

/// Runs `create` with the metrics in [`FILE`].
fn create(place: &Place, bucket: &Bucket, args: &[&str]) -> Outcome {
    let mut command = place.create(unchanged_database());
    command.args(["--metrics-file", FILE]).args(args).envs(bucket.server.environment());
    command.envs(dead());
    Outcome::of(&command.output().unwrap())
}

/// Writes the metrics without a run.
fn history(place: &Place, bucket: &Bucket, args: &[&str]) -> Outcome {
    bucket.run(place, &[&["history", "--metrics-file", FILE], args].concat())
}

fn metrics(place: &Place) -> String {
    metrics_in(&place.dir().join(FILE))
}

/// A metric of copies in a place.
fn of_copies(place: &Place, name: &str, copies: impl AsRef<Path>) -> Option<i64> {
    let (database, copies) = (&unchanged_database().name, copies.as_ref().display());
    value(&metrics(place), &format!("{name}{{database=\"{database}\",place=\"{copies}\"}}"))
}

/// When the last backup was begun.
fn last_backup(place: &Place) -> Option<i64> {
    let database = &unchanged_database().name;
    value(&metrics(place), &format!("backup_last_success_timestamp{{database=\"{database}\"}}"))
}

#[test]
fn a_run_that_knows_of_no_copies_leaves_what_is_known_and_a_create_without_any_ends_it() {
    let (place, bucket) = (Place::without_docker(), Bucket::of(seaweed()));
    place.file("backups/bad.sql", b"");
    succeeded(&create(&place, &bucket, &["--copy-to", "second"]));
    let of_copies = |metrics: &str| -> Vec<String> {
        let lines = metrics.lines().filter(|line| line.starts_with("backup_cop"));
        lines.map(str::to_owned).collect()
    };
    let before = of_copies(&metrics(&place));
    assert_eq!(before.len(), 4, "{before:?}");
    let mut verify = place.verify();
    place.outcome(verify.args(["backups/bad.sql", "--metrics-file", FILE])).failed("empty");
    assert!(metrics(&place).contains("backup_verification_attempts_total"));
    succeeded(&history(&place, &bucket, &[]));
    let none = ["backups/none.sql", "--copy-to", "second", "--", "--table=no_such_table"];
    let failed = create(&place, &bucket, &none);
    assert_eq!(failed.code, 1, "{failed}");
    assert_eq!(of_copies(&metrics(&place)), before);
    // With the configuration, each of them knows.
    place.file("ccc-backup.toml", b"[[copies]]\nplace = \"second\"\n");
    std::fs::remove_file(place.dir().join(FILE)).unwrap();
    succeeded(&history(&place, &bucket, &[]));
    assert_eq!(of_copies(&metrics(&place)), before);
    std::fs::remove_file(place.dir().join("ccc-backup.toml")).unwrap();
    succeeded(&create(&place, &bucket, &["backups/other.sql"]));
    assert_eq!(of_copies(&metrics(&place)), Vec::<String>::new());
}

/// A request for the list of the place; not for that of its history, nor of one backup.
fn is_list(request: &Request) -> bool {
    let (_, query) = request.path.split_once('?').unwrap_or_default();
    query.split('&').any(|part| part == "prefix=p%2F")
}

#[test]
fn copies_of_sealed_backups_are_of_a_database_that_is_not_known() {
    let (place, bucket) = (Place::without_docker(), Bucket::of(seaweed()));
    let key = Outcome::of(&place.ccc().args(["keys", "new", "key.txt"]).output().unwrap());
    let recipient = key.stdout.split_whitespace().find(|word| word.starts_with("age1")).unwrap();
    let url = bucket.url();
    let args = ["--encrypt-to", recipient, "--copy-to", &url, "--copy-to", "second"];
    succeeded(&create(&place, &bucket, &args));
    let metrics = metrics(&place);
    let newest = value(&metrics, r#"backup_last_success_timestamp{database="unknown"}"#);
    for there in [&*url, "second"] {
        let labels = format!("{{database=\"unknown\",place=\"{there}\"}}");
        has(&metrics, &format!("backup_copies{labels} 1"));
        let copied = value(&metrics, &format!("backup_copy_last_success_timestamp{labels}"));
        assert!(newest.is_some() && copied == newest, "{metrics}");
    }
    assert!(!metrics.contains(&unchanged_database().name), "{metrics}");
}

#[test]
fn metrics_of_backups_that_are_made_in_a_place_say_in_which_and_those_of_a_directory_do_not() {
    let (place, bucket) = (Place::on_a_lent_server(), Bucket::of(seaweed()));
    let (url, database) = (bucket.url(), &unchanged_database().name);
    succeeded(&create(&place, &bucket, &["--backup-dir", &url, "--copy-to", "second"]));
    let verified =
        bucket.verify(&place, &["--latest", "--backup-dir", &url, "--metrics-file", FILE]);
    verified.passed();
    let of_place = metrics(&place);
    let label = format!("place=\"{url}\"");
    has(
        &of_place,
        &format!("backup_success_total{{database=\"{database}\",{label},status=\"success\"}} 1"),
    );
    has(&of_place, &format!("backup_restore_seconds_count{{database=\"{database}\",{label}}} 1"));
    has(
        &of_place,
        &format!("backup_copies{{database=\"{database}\",place=\"second\",from=\"{url}\"}} 1"),
    );
    for line in of_place.lines().filter(|line| !line.starts_with('#')) {
        assert!(line.contains(&label) || line.contains(&format!("from=\"{url}\"")), "{line}");
    }
    let without = |text: &str| {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| line.replace(&format!(",{label}"), "")).collect::<Vec<_>>()
    };
    // The same of a directory: the names are those that they always were.
    succeeded(&create(&place, &bucket, &[]));
    let of_directory = metrics(&place);
    assert!(!of_directory.contains("place="), "{of_directory}");
    let names = |lines: Vec<String>| -> Vec<String> {
        let made =
            lines.into_iter().filter(|line| !line.contains("verif") && !line.contains("restore"));
        let made = made.filter(|line| !line.starts_with("backup_cop"));
        made.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
    };
    assert_eq!(names(without(&of_place)), names(without(&of_directory)));
    // A place of copies has none itself.
    std::fs::remove_file(place.dir().join(FILE)).unwrap();
    let args = ["--backup-dir", &url, "--copy-to", &url, "--copy-to", "second"];
    succeeded(&history(&place, &bucket, &args));
    assert!(!metrics(&place).contains("backup_cop"));
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn the_metrics_tell_of_each_place_what_lies_there_and_what_was_proven() {
        let (place, bucket) = (Place::on_a_lent_server(), Bucket::of(seaweed()));
        let near = bucket.url();
        let copies = ["--copy-to", &near, "--copy-to", "second"];
        let made = create(&place, &bucket, &[&copies[..], &["--copy-to", DEAD]].concat());
        assert_eq!(made.code, 1, "{made}");
        assert!(
            made.stderr.contains("warning: the copies there are not known: s3://dead"),
            "{made}"
        );
        let newest = last_backup(&place);
        assert!(newest > Some(1_700_000_000), "{newest:?}");
        for there in [&*near, "second"] {
            assert_eq!(of_copies(&place, "backup_copies", there), Some(1), "{there}");
            assert_eq!(of_copies(&place, "backup_copies_proven", there), Some(0));
            assert_eq!(of_copies(&place, "backup_copy_last_success_timestamp", there), newest);
            assert_eq!(of_copies(&place, "backup_copy_last_proven_timestamp", there), Some(0));
        }
        assert_eq!(of_copies(&place, "backup_copy_last_success_timestamp", DEAD), Some(0));
        for name in ["backup_copies", "backup_copies_proven", "backup_copy_last_proven_timestamp"] {
            assert_eq!(of_copies(&place, name, DEAD), None, "{name}");
        }

        bucket.verify(&place, &["--latest", "--backup-dir", &near]).passed();
        let asked = history(&place, &bucket, &copies);
        succeeded(&asked);
        assert_eq!(of_copies(&place, "backup_copies_proven", &near), Some(1));
        assert!(of_copies(&place, "backup_copy_last_proven_timestamp", &near) >= newest);
        assert_eq!(
            of_copies(&place, "backup_copies_proven", "second"),
            Some(0),
            "not in that place"
        );
        assert!(!metrics(&place).contains(DEAD));

        // Somebody removes it.
        for name in bucket.names() {
            bucket.server.remove(&bucket.name, &name);
        }
        succeeded(&history(&place, &bucket, &copies));
        assert_eq!(of_copies(&place, "backup_copies", &near), Some(0));
        assert_eq!(of_copies(&place, "backup_copy_last_success_timestamp", &near), Some(0));
        assert_eq!(of_copies(&place, "backup_copy_last_success_timestamp", "second"), newest);
    }

    #[test]
    fn what_was_brought_to_a_place_that_may_not_be_listed_is_known_to_be_there() {
        let (place, bucket) = (Place::on_a_lent_server(), Bucket::of(seaweed()));
        let url = bucket.url();
        place.file("ccc-backup.toml", format!("[[copies]]\nplace = \"{url}\"\n").as_bytes());
        let way = Faulty::to(bucket.server.port(), |request| {
            if is_list(request) { Fault::Answer(403, &[]) } else { Fault::None }
        });
        let by_this_way = |mut command: assert_cmd::Command| {
            command.args(["--metrics-file", FILE]).envs(bucket.server.environment());
            Outcome::of(&command.env("AWS_ENDPOINT_URL", way.endpoint()).output().unwrap())
        };
        let create = || by_this_way(place.create(unchanged_database()));
        let run = |args: &[&str]| {
            let mut command = place.ccc();
            command.args(args);
            by_this_way(command)
        };
        let last_success = || of_copies(&place, "backup_copy_last_success_timestamp", &url);
        // It may put, and is told so by nobody.
        succeeded(&create());
        let newest = last_backup(&place);
        assert!(newest.is_some() && last_success() == newest);
        for name in ["backup_copies", "backup_copies_proven", "backup_copy_last_proven_timestamp"] {
            assert_eq!(of_copies(&place, name, &url), None, "{name}");
        }
        // Another run cannot ask either, and does not forget it.
        let mut verify = place.verify();
        verify.arg("--latest");
        by_this_way(verify).passed();
        assert_eq!(last_success(), newest);
        succeeded(&run(&["history"]));
        assert_eq!(last_success(), newest);

        // A newer one cannot be put.
        way.rule(|request| {
            let refused = is_list(request) || request.verb == "PUT";
            if refused { Fault::Answer(403, &[]) } else { Fault::None }
        });
        let failed = create();
        assert_eq!(failed.code, 1, "{failed}");
        assert!(failed.stderr.contains("warning: the copies there are not known: "), "{failed}");
        assert!(last_success() == Some(0) && last_backup(&place) > newest);
        // Nobody answers, and nothing is known.
        way.refuse(true);
        std::fs::remove_file(place.dir().join(FILE)).unwrap();
        let asked = run(&["history"]);
        assert!(
            asked.code == 0 && asked.stderr.contains("the copies there are not known"),
            "{asked}"
        );
        assert_eq!(last_success(), Some(0));
        // Where it may be listed, what lies there is seen.
        way.refuse(false);
        way.rule(|_| Fault::None);
        succeeded(&run(&["history"]));
        assert_eq!((last_success(), of_copies(&place, "backup_copies", &url)), (newest, Some(1)));
    }
}
