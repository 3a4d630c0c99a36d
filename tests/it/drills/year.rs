//! A made-up year of a database that grows: a backup each night, verified, copied to two other places, and a drill at its end.
//! Its names are those that somebody would give who wants to break a page.

use std::path::PathBuf;

use ccc_backup::model::drill::{DrillReport, End, PlaceFound, Planned, Standing, Turn};
use ccc_backup::model::outcome::{
    CheckResult, Defect, Phase, RESTORE_TIME, RunReport, SandboxFacts, Section, Status, Verdict,
};
use ccc_backup::store::history::{Record, Work};
use ccc_backup::store::listing::{Listed, ManifestState};
use ccc_backup::store::on_record::{OnRecord, PlaceOnRecord};
use ccc_backup::store::proof::Judged;
use ccc_backup::store::signature::Signed;
use chrono::{DateTime, TimeDelta, TimeZone, Utc};

/// Where the backups are.
pub const PLACES: [&str; 3] = ["./backups", "s3://near-the-office/ccc", "s3://far-away-region/ccc"];
/// What somebody has put into names: it must never run, load anything, or look like a part of the page.
pub const MARKUP: &str =
    "<script>document.title='broken'</script><img src=http://evil.example/x>\"'&";
const RTO: f64 = 2_700.0;
const NIGHTS: i64 = 365;

/// When it is.
pub fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 1, 12, 0, 0).unwrap()
}

/// A number from -1 to 1 that looks like chance and is the same each time.
fn wobble(night: i64, of: i64) -> f64 {
    let bytes = (night * 31 + of).to_le_bytes();
    let mixed = bytes.iter().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193).rotate_left(7)
    });
    f64::from(mixed % 2_001) / 1_000.0 - 1.0
}

fn night(night: i64) -> DateTime<Utc> {
    now() - TimeDelta::days(NIGHTS - night) - TimeDelta::hours(10)
}

fn name(at: DateTime<Utc>) -> String {
    format!("backup_{}.sql.gz", at.format("%Y%m%d_%H%M%S"))
}

fn share(of: i64) -> f64 {
    f64::from(i32::try_from(of).unwrap()) / f64::from(i32::try_from(NIGHTS).unwrap())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "made-up sizes")]
fn bytes(of: i64) -> u64 {
    (6.2e9 + 7.1e9 * share(of).powf(1.2) + 6e7 * wobble(of, 1)) as u64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "made-up rows")]
fn rows(of: i64) -> u64 {
    (41e6 + 47e6 * share(of) + 4e5 * wobble(of, 2)) as u64
}

/// How long the backup of a night takes to restore, in seconds.
fn restore_seconds(of: i64) -> f64 {
    let busy = if of % 97 == 60 { 900.0 } else { 0.0 };
    780.0 + 1_210.0 * share(of).powf(1.2) + 70.0 * wobble(of, 3) + busy
}

fn phases(restore: f64) -> Vec<Phase> {
    let phase = |name: &str, seconds| Phase { name: name.to_owned(), seconds };
    vec![
        phase("read and start", restore * 0.2),
        phase("restore", restore),
        phase("checks", restore * 0.15),
    ]
}

fn database() -> String {
    format!("shop {MARKUP}")
}

/// The runs of a night.
fn runs(of: i64) -> Vec<Record> {
    let at = night(of);
    let mut made = Record::new(Work::Create, name(at), at, Verdict::Passed);
    made.seconds = 300.0;
    (made.database, made.file_bytes, made.rows) =
        (Some(database()), Some(bytes(of)), Some(rows(of)));
    let mut verified =
        Record { work: Work::Verify, started_at: at + TimeDelta::minutes(20), ..made.clone() };
    let restore = restore_seconds(of);
    (verified.seconds, verified.phases) = (restore * 1.4, phases(restore));
    (verified.engine, verified.rto_seconds) = (Some("docker".to_owned()), Some(RTO));
    if of % 131 == 70 {
        verified.verdict = Verdict::Failed;
    } else if of % 89 == 33 {
        (verified.verdict, verified.phases) = (Verdict::NotVerified, Vec::new());
    } else if restore > RTO {
        verified.failed_checks = vec![RESTORE_TIME.to_owned()];
        (verified.verdict, verified.soundness) = (Verdict::Failed, Some(Verdict::Passed));
    }
    vec![made, verified]
}

/// The backup of a night as it lies in a place.
fn listed(of: i64, place: usize) -> Listed {
    let at = night(of);
    let judged = |verdict| Judged { verdict, at: at + TimeDelta::hours(1), rto_missed: false };
    let verdict = match (place, of) {
        (0, _) => Some(judged(Verdict::Passed)),
        (2, 361) => Some(judged(Verdict::Failed)),
        (_, of) if of % (3 * i64::try_from(place).unwrap()) == 0 => Some(judged(Verdict::Passed)),
        _ => None,
    };
    Listed {
        name: name(at).into(),
        time: at,
        time_from_name: true,
        bytes: bytes(of),
        recipients: Vec::new(),
        database: Some(database()),
        rows: Some(rows(of)),
        manifest: ManifestState::Present,
        signature: (of > 200).then(|| Signed { key: Some("SHA256:x".to_owned()), fits: true }),
        proven: verdict.map(|judged| judged.verdict == Verdict::Passed),
        verdict,
        last_attempt: verdict,
        scrubbed: None,
        copies: Vec::new(),
    }
}

/// What is on record in three places.
pub fn on_record() -> OnRecord {
    let kept = |of: &i64| *of > NIGHTS - 30 || of % 30 == 5;
    let place = |(at, place): (usize, &&str)| {
        let missing = |of: &i64| at == 2 && *of == 364;
        let nights = (0..=NIGHTS).rev().filter(kept).filter(|of| !missing(of));
        let backups = nights.map(|of| listed(of, at)).collect();
        let runs = if at == 0 { (0..=NIGHTS).flat_map(runs).collect() } else { Vec::new() };
        (PlaceOnRecord { place: PathBuf::from(place), backups, unread: None }, runs)
    };
    OnRecord::of(PLACES.iter().enumerate().map(place).collect(), None)
}

/// A verification of the backup of a night that passed.
pub fn passed(of: i64, place: &str) -> RunReport {
    let (at, restore) = (night(of), restore_seconds(of));
    let mut report = RunReport::begin(PathBuf::from(place).join(name(at)), now());
    (report.backup_bytes, report.rows, report.tables) = (bytes(of), Some(rows(of)), Some(26));
    (report.sha256, report.format) = (Some("9f".repeat(32)), Some("plain".to_owned()));
    (report.seconds, report.phases, report.restored) = (restore * 1.4, phases(restore), true);
    report.rto_seconds = Some(RTO);
    report.sandbox = Some(SandboxFacts {
        engine: "docker".to_owned(),
        image: Some("postgres:15".to_owned()),
        image_digest: Some(format!("sha256:{}", "ab".repeat(32))),
        server_version: "15.18 (Debian 15.18-0+deb12u1)".to_owned(),
        in_memory: false,
    });
    let check =
        |id: &str, section, status, title: &str| CheckResult::new(id, section, status, title);
    let table = format!("public.{MARKUP}");
    report.checks = vec![
        check(
            "file.checksum",
            Section::File,
            Status::Passed,
            "Checksum matches the manifest (sha256 9f9f…)",
        ),
        check(
            "file.signature",
            Section::File,
            Status::Passed,
            "Signature: signed by backup@example.org (SHA256:x)",
        ),
        check(
            RESTORE_TIME,
            Section::Restore,
            Status::Passed,
            "Restore took 31 min of the 45 min allowed (--rto)",
        ),
        check("schema.users", Section::Schema, Status::Passed, "Users table exists"),
        check(
            "data.users",
            Section::Data,
            Status::Shown,
            &format!("{table} count >= 0 (count: 142)"),
        ),
        check(
            "contents.rows",
            Section::Contents,
            Status::Passed,
            "Rows match the backup (26 tables, 88,000,000 rows)",
        ),
        check(
            "contents.values",
            Section::Contents,
            Status::Passed,
            "Contents match the backup (26 tables)",
        ),
        check(
            "contents.sequences",
            Section::Contents,
            Status::Warned,
            &format!("1 sequence is behind its column: {table}"),
        ),
    ];
    report.warnings = vec!["2 × role does not exist, skipping".to_owned()];
    report
}

/// A verification that found the backup bad.
pub fn failed(of: i64, place: &str) -> RunReport {
    let mut report = passed(of, place);
    report.restored = false;
    report.phases.truncate(1);
    report.checks.truncate(2);
    let cause = format!(
        "restore error: line 7, TABLE {MARKUP}: syntax error at or near \"x\" (SQLSTATE 42601)"
    );
    report.defects = vec![Defect::new(cause, "take another copy of the backup, or an older one")];
    report
}

/// The drill at the end of the year: the newest backup and three others in each place.
pub fn drill() -> DrillReport {
    let mut turns = Vec::new();
    for (at, place) in PLACES.iter().enumerate() {
        for (number, of) in [365, 361, 335, 245].into_iter().enumerate() {
            let end = match (at, number) {
                (2, 1) => End::Tried(Box::new(failed(of, place))),
                (2, 3) => End::NotReached {
                    why: "it takes about 32 min, and 12 min of 6 h are left (--within)".to_owned(),
                },
                (1, 2) => {
                    let mut slow = passed(of, place);
                    slow.phases = phases(2_930.0);
                    slow.checks[2] = CheckResult::new(
                        RESTORE_TIME,
                        Section::Restore,
                        Status::Failed,
                        "Restore took 48 min 50 s, longer than the 45 min allowed (--rto)",
                    );
                    End::Tried(Box::new(slow))
                }
                _ => End::Tried(Box::new(passed(of, place))),
            };
            let planned = Planned {
                place: (*place).to_owned(),
                backup: name(night(of)),
                made_at: night(of),
                bytes: bytes(of),
                database: Some(database()),
                standing: Standing::Untried,
                newest: number == 0,
                expected_seconds: Some(restore_seconds(of)),
            };
            turns.push(Turn { planned, end });
        }
    }
    let found = |place: &&str| PlaceFound {
        place: (*place).to_owned(),
        backups: 41,
        proven: 30,
        bad: 0,
        newest: Some(night(NIGHTS)),
        obstacle: None,
    };
    DrillReport {
        tool_version: "0.1.0".to_owned(),
        started_at: now() - TimeDelta::hours(6),
        seconds: 21_300.0,
        file_only: false,
        newest_only: false,
        rto_seconds: Some(RTO),
        within_seconds: Some(21_600.0),
        places: PLACES.iter().map(found).collect(),
        turns,
        outlooks: Vec::new(),
        warnings: Vec::new(),
    }
}
