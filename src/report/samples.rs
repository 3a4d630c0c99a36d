//! Reports that the reporters are tested with.

use chrono::{TimeZone, Utc};

use crate::model::outcome::{
    CheckResult, Defect, Obstacle, Phase, RESTORE, RunReport, SandboxFacts, Section, Status,
};

/// A backup that passed, with a warning and something that was left out.
pub fn passed() -> RunReport {
    let mut report = begun();
    report.rows = Some(7_110);
    report.seconds = 5.25;
    report.phases = vec![phase("read and start", 1.5), phase(RESTORE, 3.21), phase("checks", 0.5)];
    report.sandbox = Some(sandbox());
    report.restored = true;
    report.checks = vec![
        check("file.checksum", Section::File, "Checksum matches the manifest (sha256 00ff…)"),
        check("restore.rto", Section::Restore, "Restore took 3.2 s of the 45 min allowed (--rto)"),
        check("schema.users", Section::Schema, "Users table exists"),
        CheckResult::new(
            "data.users",
            Section::Data,
            Status::Shown,
            "Users count >= 0 (count: 142)",
        ),
        check("migrations.version", Section::Migrations, "Migration version: 0607bc5b8541"),
        CheckResult::new(
            "contents.sequences",
            Section::Contents,
            Status::Warned,
            "1 sequence is behind its column",
        )
        .detail("public.users_id_seq: last value 7, highest id 9"),
    ];
    report.warnings = vec!["2 × role does not exist".to_owned()];
    report.not_proven = vec!["contents of the restored rows: left out by --no-content".to_owned()];
    report
}

/// A backup that restored with an error, and lost rows.
pub fn failed() -> RunReport {
    let mut report = passed();
    report.restored = false;
    report.defects = vec![Defect::new(
        "restore error: line 7, TABLE <b>: syntax error at or near \"x\" (SQLSTATE 42601)",
        "the log has every error: --log-file FILE",
    )];
    report.checks[1] = CheckResult::new(
        "restore.rto",
        Section::Restore,
        Status::NotRun,
        "Restore time: the restore did not come to its end (--rto 45 min)",
    );
    report.checks[3] = CheckResult::new(
        "data.users",
        Section::Data,
        Status::Failed,
        "Users: relation \"users\" does not exist",
    )
    .detail("100 % of it\nis gone \u{1b}[31m");
    report
}

/// A run in which nothing could be started.
pub fn not_verified() -> RunReport {
    let mut report = begun();
    report.seconds = 0.5;
    report.phases = vec![phase("read and start", 0.5)];
    report.checks = vec![CheckResult::new(
        "restore.rto",
        Section::Restore,
        Status::NotRun,
        "Restore time: nothing was restored (--rto)",
    )];
    report.obstacle = Some(Obstacle {
        cause: "no Docker Engine answers".to_owned(),
        hint: Some("start Docker".to_owned()),
    });
    report
}

/// The three of them.
pub fn all() -> [(&'static str, RunReport); 3] {
    [("passed", passed()), ("failed", failed()), ("not_verified", not_verified())]
}

fn begun() -> RunReport {
    // 02:00 in the night, as in the specification.
    let at = Utc.with_ymd_and_hms(2026, 1, 14, 2, 0, 0).unwrap();
    let mut report = RunReport::begin("backups/backup_20260114_020000.sql.gz".into(), at);
    report.tool_version = "1.2.3".to_owned();
    report.backup_bytes = 15_234_567;
    report.format = Some("plain".to_owned());
    report
}

fn phase(name: &str, seconds: f64) -> Phase {
    Phase { name: name.to_owned(), seconds }
}

fn sandbox() -> SandboxFacts {
    SandboxFacts {
        engine: "docker".to_owned(),
        image: Some("postgres:15".to_owned()),
        image_digest: Some("sha256:00ff".to_owned()),
        server_version: "15.18 (Debian 15.18-0+deb12u1)".to_owned(),
        in_memory: true,
    }
}

fn check(id: &str, section: Section, title: &str) -> CheckResult {
    CheckResult::new(id, section, Status::Passed, title)
}
