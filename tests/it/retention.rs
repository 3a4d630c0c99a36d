//! `cleanup --keep-…`: the rules together on a real directory, and directories that are not as
//! `create` left them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use crate::support::{BINARY, Outcome, Place, Running, clean_environment, good_dump};

fn cleaned(place: &Place, args: &[&str]) -> Outcome {
    Outcome::of(&place.ccc().arg("cleanup").args(args).output().unwrap())
}

/// The name that `create` gave a backup of this time.
fn name(time: &str) -> String {
    format!("backup_{time}.sql.gz")
}

/// A place with backups of these times, each of ten bytes.
fn place(times: &[&str]) -> Place {
    let place = Place::without_docker();
    for time in times {
        place.file(&format!("backups/{}", name(time)), b"ten bytes!");
    }
    place
}

/// Some backups of the past, newest first, and why each stays under [`RULES`]; nothing where it goes.
const CALENDAR: [(&str, &str); 11] = [
    ("20240315_020000", "the newest backup"),
    ("20240314_140000", "one of the newest"),
    ("20240314_020000", ""),
    ("20240312_020000", "the newest of its day"),
    ("20240308_020000", "the newest of its week"),
    ("20240301_020000", ""),
    ("20240229_020000", "the newest of its month"),
    ("20240131_020000", "the newest of its month"),
    ("20231231_020000", "the newest of its year"),
    ("20230630_020000", ""),
    ("20221231_020000", ""),
];

const RULES: [&str; 5] =
    ["--keep-last=2", "--keep-daily=3", "--keep-weekly=2", "--keep-monthly=3", "--keep-yearly=2"];

#[test]
fn the_rules_together_keep_what_any_of_them_keeps() {
    let place = place(&CALENDAR.map(|(time, _)| time));
    place.file("backups/before_upgrade.sql.gz", b"x");
    let before = place.names("backups");

    let planned = cleaned(&place, &[&RULES[..], &["--dry-run"]].concat());
    assert_eq!((planned.code, planned.stderr.as_str()), (0, ""), "{planned}");
    for (time, why) in CALENDAR {
        let name = name(time);
        planned.says(&match why {
            "" => format!("would remove  {name}  (kept by no rule)"),
            why => format!("keep    {name}  ({why})"),
        });
    }
    planned.says("Would remove: 4 (40 bytes), kept: 8");
    assert_eq!(place.names("backups"), before);

    let outcome = cleaned(&place, &RULES);
    let as_done = planned.stdout.replace("would remove", "remove");
    assert_eq!(outcome.stdout, as_done.replace("Would remove:", "Removed:"));
    let mut left: Vec<String> =
        CALENDAR.iter().filter(|(_, why)| !why.is_empty()).map(|(time, _)| name(time)).collect();
    left.push("before_upgrade.sql.gz".to_owned());
    left.sort();
    assert_eq!(place.names("backups"), left);
    cleaned(&place, &RULES).says("Removed: 0 (0 bytes), kept: 8");
}

#[test]
fn what_is_young_stays_beside_what_the_rules_keep() {
    let place = place(&["20240315_020000", "20240314_020000", "20240313_020000"]);
    let young = chrono::Utc::now() - chrono::Duration::days(3);
    let younger = young + chrono::Duration::days(1);
    let young = young.format("backup_%Y%m%d_%H%M%S.sql.gz").to_string();
    for name in [&young, &younger.format("backup_%Y%m%d_%H%M%S.sql.gz").to_string()] {
        place.file(&format!("backups/{name}"), b"ten bytes!");
    }
    let outcome = cleaned(&place, &["--older-than=30d", "--keep-last=3"]);
    outcome.says("Removed: 2 (20 bytes), kept: 3");
    outcome.says(&format!("keep    {young}  (not old enough)"));
    outcome.says(&format!("keep    {}  (one of the newest)", name("20240315_020000")));
    assert!(outcome.stdout.contains(" days old)"), "{outcome}");
}

#[test]
fn the_newest_that_passed_verification_stays_whatever_the_rules_say() {
    let place = place(&["20240315_020000", "20240314_020000", "20240313_020000"]);
    let record = serde_json::json!({
        "version": 1, "work": "verify", "started_at": "2024-03-15T03:00:00Z", "seconds": 1.0,
        "verdict": "passed", "backup": name("20240313_020000"), "tool_version": "0.1.0",
    });
    place.file("backups/history.jsonl", format!("{record}\n").as_bytes());
    let outcome = cleaned(&place, &["--keep-last=1"]);
    assert_eq!(
        place.names("backups"),
        [name("20240313_020000"), name("20240315_020000"), "history.jsonl".to_owned()],
        "{outcome}"
    );
}

#[test]
fn a_number_of_none_is_refused() {
    let place = place(&["20240315_020000", "20240314_020000"]);
    let outcome = cleaned(&place, &["--keep-daily", "0"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{outcome}");
    assert!(outcome.stderr.contains("'--keep-daily <N>'"), "{outcome}");
    assert_eq!(place.names("backups").len(), 2);
}

#[test]
fn a_backup_that_is_being_verified_stays() {
    let place = Place::on_a_lent_server();
    let times = ["20240315_020000", "20240314_020000"].map(name);
    for name in &times {
        place.file(&format!("backups/{name}"), good_dump());
    }
    let mut run = Running::verify(&place, &format!("backups/{}", times[1]));
    // Held still, so that it is not over before the clean-up.
    run.wait_for("Backup file exists").signal(Signal::STOP);
    let outcome = cleaned(&place, &["--keep-last=1"]);
    run.signal(Signal::CONT);
    let (verified, _) = run.end();
    outcome.says(&format!("keep    {}  (being written or verified)", times[1]));
    outcome.says("Removed: 0 (0 bytes), kept: 2");
    verified.passed();
    place.assert_nothing_left();
}

#[test]
fn nothing_that_a_link_leads_to_is_touched() {
    let place = place(&["20240315_020000", "20240314_020000"]);
    let (old, older) = (name("20240101_020000"), name("20230101_020000"));
    let outside = place.dir().join("elsewhere");
    for file in ["precious", "toc.dat", &old, &older, ".manual.sql.gz.partial"] {
        place.file(&format!("elsewhere/{file}"), b"precious");
    }
    let before = place.names("elsewhere");
    let link = |to: &Path, from: &str| symlink(to, place.dir().join("backups").join(from)).unwrap();
    // Named like backups: to a backup, to another file, to nothing.
    link(&outside.join(&old), &old);
    link(&outside.join("precious"), &older);
    link(Path::new("nowhere"), &name("20230101_030000"));
    // To a directory that holds backups, and to one that is a backup.
    link(&outside, "database");
    link(&outside, "backup_20230101_040000");
    link(&outside, "backup_20230101_050000.dir");
    link(&outside, &name("20230101_060000"));
    // Named like what a dead run leaves.
    link(&outside.join("precious"), &format!(".{older}.partial"));
    link(&outside, ".backup_20230101_070000.dir.partial");
    // The manifest of a backup that goes.
    link(&outside.join("precious"), &format!("{}.manifest.json", name("20240314_020000")));
    // A directory that goes, with links in it.
    place.file("backups/backup_20230102_020000.dir/toc.dat", b"PGDMP");
    link(&outside, "backup_20230102_020000.dir/1.dat.gz");
    link(&outside.join("precious"), "backup_20230102_020000.dir/2.dat.gz");
    let links = place.names("backups").len() - 3;

    let outcome = cleaned(&place, &["--keep-last=1"]);
    assert_eq!(outcome.code, 0, "{outcome}");
    outcome.says("Removed: 2 (15 bytes), kept: 5");
    assert_eq!(place.names("elsewhere"), before, "{outcome}");
    for name in before {
        assert_eq!(std::fs::read(outside.join(name)).unwrap(), b"precious");
    }
    let left = place.names("backups");
    assert_eq!(left.len(), links + 1, "{left:?}");
    assert!(left.contains(&name("20240315_020000")), "{left:?}");
}

#[test]
fn a_directory_that_is_named_by_a_link_is_cleaned_up_itself() {
    let place = place(&["20240315_020000", "20240314_020000"]);
    symlink("backups", place.dir().join("link")).unwrap();
    let outcome = cleaned(&place, &["--keep-last=1", "--backup-dir=link"]);
    assert_eq!(place.names("backups"), [name("20240315_020000")], "{outcome}");
}

#[test]
fn names_of_any_bytes_stay_and_forge_no_line() {
    let place = place(&["20240315_020000", "20240314_020000"]);
    let dir = place.dir().join("backups");
    let odd: [&[u8]; 6] = [
        b"backup_20230101_020000.sql.gz\n.sql.gz",
        b"x\n  remove  backup_20240315_020000.sql.gz  (kept by no rule)\n.sql.gz",
        b" backup_20230101_020000.sql.gz",
        b"backup_20230101_020000 .sql.gz",
        b"backup_20230101_020000\xff.sql.gz",
        b"\xfe\xff.dump",
    ];
    for name in odd {
        std::fs::write(dir.join(OsStr::from_bytes(name)), b"x").unwrap();
    }
    // Left by runs that died.
    std::fs::write(dir.join(".two words.sql.gz.partial"), b"x").unwrap();
    std::fs::write(dir.join(".two\nlines.sql.gz.partial"), b"x").unwrap();

    let outcome = cleaned(&place, &["--keep-last=1"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{outcome}");
    for name in odd {
        assert!(dir.join(OsStr::from_bytes(name)).exists(), "{name:?}: {outcome}");
    }
    let left = std::fs::read_dir(&dir).unwrap().count();
    assert_eq!(left, odd.len() + 1, "{outcome}");
    outcome.says("Removed: 3 (12 bytes), kept: 7");
    // One line for each of ten entries, and the sum.
    assert_eq!(outcome.stdout.lines().count(), 11, "{outcome}");
    assert_eq!(outcome.stdout.matches("\n  remove  ").count(), 3, "{outcome}");
}

#[test]
fn a_directory_of_thousands_of_files_is_cleaned_up_with_few_of_them_open() {
    let place = Place::without_docker();
    let newest =
        chrono::NaiveDate::from_ymd_opt(2024, 3, 15).unwrap().and_hms_opt(2, 0, 0).unwrap();
    for hours in 0..1500 {
        let name = (newest - chrono::Duration::hours(hours)).format("backup_%Y%m%d_%H%M%S.sql.gz");
        place.file(&format!("backups/{name}"), b"ten bytes!");
        place.file(&format!("backups/{name}.manifest.json"), b"{}");
    }
    assert_eq!(place.names("backups").len(), 3000);
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 64 && exec \"$@\"", "sh", BINARY]);
    command.args(["cleanup", "--keep-daily=7", "--keep-monthly=3"]);
    command.env_clear().envs(clean_environment()).current_dir(place.dir());
    let outcome = Outcome::of(&command.output().unwrap());
    assert_eq!(outcome.code, 0, "{outcome}");
    // Seven days of March, and the last of February and of January.
    outcome.says("Removed: 1491 (17,892 bytes), kept: 9");
    assert_eq!(place.names("backups").len(), 18);
}

#[test]
fn a_directory_that_may_not_be_changed_is_an_error_that_says_so() {
    let place = place(&["20240315_020000", "20240314_020000", "20240313_020000"]);
    let before = place.names("backups");
    let dir = place.dir().join("backups");
    std::fs::set_permissions(&dir, PermissionsExt::from_mode(0o555)).unwrap();
    for quiet in [&[][..], &["--quiet"]] {
        let mut command = place.ccc_without_privileges();
        let output = command.args(["cleanup", "--keep-last=1"]).args(quiet).output().unwrap();
        let outcome = Outcome::of(&output);
        assert_eq!(outcome.code, 2, "{outcome}");
        for time in ["20240314_020000", "20240313_020000"] {
            let said =
                format!("error: not removed: no permission to remove ./backups/{}", name(time));
            assert!(outcome.stderr.contains(&said), "{outcome}");
        }
        outcome.hints("run as the user that owns the backups");
        assert_eq!(outcome.stderr.matches("hint: ").count(), 1, "{outcome}");
        if quiet.is_empty() {
            outcome.says("Removed: 0 (0 bytes), kept: 3");
        }
    }
    std::fs::set_permissions(&dir, PermissionsExt::from_mode(0o755)).unwrap();
    assert_eq!(place.names("backups"), before);
}

#[test]
fn a_backup_that_may_not_be_opened_stays_and_is_an_error() {
    let place = place(&["20240315_020000", "20240314_020000"]);
    let (dir, old) = (place.dir().join("backups"), name("20240314_020000"));
    std::fs::set_permissions(dir.join(&old), PermissionsExt::from_mode(0o000)).unwrap();
    std::fs::set_permissions(&dir, PermissionsExt::from_mode(0o777)).unwrap();
    let mut command = place.ccc_without_privileges();
    let outcome = Outcome::of(&command.args(["cleanup", "--keep-last=1"]).output().unwrap());
    assert_eq!(outcome.code, 2, "{outcome}");
    let said = format!("error: not removed: no permission to remove ./backups/{old}");
    assert!(outcome.stderr.contains(&said), "{outcome}");
    assert!(dir.join(old).exists());
}
