//! `verify --latest` takes the newest backup of each database.

use rustix::process::Signal;

use super::{configured, created, make, report};
use crate::support::source::Source;
use crate::support::{Outcome, Place, Running, SOON};

/// A place with two backups of each of two databases, and the server that they are of.
fn two_nights() -> (Place, Source) {
    let (place, server) = (Place::on_a_lent_server(), Source::start());
    for (rows, name) in (1..).zip(["blog", "shop"]) {
        make(&server, name, rows);
    }
    configured(&place, "");
    created(&place, &server, &[]);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    created(&place, &server, &[]);
    (place, server)
}

fn newest(place: &Place, of: &str) -> String {
    let names = place.names("backups").into_iter();
    names.filter(|name| name.ends_with(&format!("_of_{of}.sql.gz"))).max().unwrap()
}

#[test]
fn an_interruption_ends_all_and_tells_what_was_not_reached() {
    let (place, _server) = two_nights();
    let mut run = Running::verify_locally(&place, &["--latest"]);
    run.wait_for("(1 of 2)").signal(Signal::INT);
    let (outcome, took) = run.end();
    assert_eq!(outcome.code, 2, "{outcome}");
    assert!(took < SOON, "{took:?}");
    outcome.says("⚠️ NOT VERIFIED").says("Not reached: 1");
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn the_newest_of_each_is_verified_and_one_that_is_bad_fails_the_run() {
        let (place, _server) = two_nights();
        let reports = ["--latest", "--report", "r.json", "--junit", "j.xml", "--html", "p.html"];
        let outcome = place.outcome(place.verify().args(reports));
        outcome.passed();
        for of in ["blog", "shop"] {
            outcome.says(&format!("Backup file: ./backups/{}", newest(&place, of)));
        }
        assert_eq!(outcome.stdout.matches("BACKUP RESTORE VERIFICATION").count(), 2, "{outcome}");
        assert_eq!(report(&place, "r.json")["backups"].as_array().unwrap().len(), 2);
        let junit = std::fs::read_to_string(place.dir().join("j.xml")).unwrap();
        assert_eq!(junit.matches(": run\"").count(), 2, "{junit}");
        assert!(std::fs::metadata(place.dir().join("p.html")).is_ok());
        // One is cut off: the other one is verified all the same.
        let path = place.dir().join("backups").join(newest(&place, "blog"));
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let outcome = place.outcome(place.verify().args(reports));
        assert_eq!(outcome.code, 1, "{outcome}");
        outcome.says("❌ VERIFICATION FAILED").says("Passed: 1").says("Failed: 1");
        let report = report(&place, "r.json");
        let verdicts: Vec<_> = report["backups"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| &it["result"]["verdict"])
            .collect();
        assert_eq!(verdicts, ["failed", "passed"]);
        // Of one alone, all is as if there were no other.
        let alone = place.outcome(place.verify().args(["--latest", "--database", "shop"]));
        alone.passed();
        assert!(!alone.stdout.contains("SUMMARY OF ALL"), "{alone}");
        let none = place.outcome(place.verify().args(["--latest", "--database", "wiki"]));
        none.not_verified("No backup of the database wiki")
            .hints("there are backups of blog, shop");
    }

    #[test]
    fn each_is_held_to_its_own_age() {
        let (place, _server) = two_nights();
        for name in place.names("backups").into_iter().filter(|name| name.contains("_of_blog")) {
            // Its manifest says when it was made; without it, its name does.
            let dir = place.dir().join("backups");
            match name.ends_with(".sql.gz") {
                true => std::fs::rename(
                    dir.join(&name),
                    dir.join(format!("backup_20260101_{}", &name[16..])),
                )
                .unwrap(),
                false => std::fs::remove_file(dir.join(&name)).unwrap(),
            }
        }
        configured(&place, "max_age = \"26h\"\n");
        let outcome = place.outcome(place.verify().arg("--latest"));
        assert_eq!(outcome.code, 1, "{outcome}");
        outcome.says("Passed: 1").says("Failed: 1");
    }

    #[test]
    fn what_is_meant_of_one_backup_asks_for_the_name_of_the_database() {
        let (place, server) = two_nights();
        let kept = place.outcome(place.verify().args(["--latest", "--no-cleanup"]));
        assert_eq!(kept.code, 2, "{kept}");
        assert!(kept.stderr.contains("--no-cleanup keeps one restored database"), "{kept}");
        let extract = |args: &[&str]| {
            let mut command = place.ccc();
            Outcome::of(
                &command.args(["extract", "--latest", "--table", "t"]).args(args).output().unwrap(),
            )
        };
        let unnamed = extract(&[]);
        assert_eq!(unnamed.code, 2, "{unnamed}");
        assert!(
            unnamed.stderr.contains("has backups of several databases: blog, shop"),
            "{unnamed}"
        );
        assert_eq!(extract(&["--database", "shop"]).stdout, "1\n2\n");
        assert_eq!(extract(&["--database", "blog"]).stdout, "1\n");
        // A restore is of the database whose name it is to have.
        let restore = |name: &str| {
            let mut command = place.ccc();
            command.args(["restore", "--latest", "--dry-run"]).envs(server.connection(name));
            Outcome::of(&command.output().unwrap())
        };
        let plan = restore("blog");
        assert!(plan.stdout.contains("_of_blog.sql.gz"), "{plan}");
        let unknown = restore("elsewhere");
        assert_eq!(unknown.code, 2, "{unknown}");
        assert!(
            unknown.stdout.contains("several databases")
                || unknown.stderr.contains("several databases"),
            "{unknown}"
        );
    }
}
