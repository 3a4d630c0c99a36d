use std::sync::Arc;

use super::*;
use crate::model::outcome::{Defect, Obstacle, Section};

fn report() -> RunReport {
    let mut report = RunReport::begin("backups/b.sql.gz".into(), chrono::DateTime::UNIX_EPOCH);
    for id in ["one", "two"] {
        report.checks.push(CheckResult::new(id, Section::Schema, Status::Passed, id));
    }
    report
}

#[test]
fn the_summary_of_a_good_backup_is_the_one_of_the_specification() {
    let text = transcript(&Event::VerifyFinished(Arc::new(report())));
    insta::assert_snapshot!(text, @r"

    ================================================================================
    VERIFICATION SUMMARY
    ================================================================================
    Backup file: backups/b.sql.gz
    Total checks: 2
    Passed: 2
    Failed: 0

    ✅ VERIFICATION PASSED
    Backup can be restored successfully
    ================================================================================
    ");
}

#[test]
fn quiet_prints_the_verdict_and_its_cause_on_one_line() {
    let mut bad = report();
    bad.defects.push(Defect { cause: "the dump is cut off".into(), hint: None });
    let mut unknown = report();
    unknown.obstacle = Some(Obstacle { cause: "no Docker".into(), hint: None });
    let line = |report| quiet(&Event::VerifyFinished(Arc::new(report)));
    assert_eq!(line(report()), "✅ VERIFICATION PASSED\n");
    assert_eq!(line(bad), "❌ VERIFICATION FAILED: the dump is cut off\n");
    assert_eq!(line(unknown), "⚠️ NOT VERIFIED: no Docker\n");
    assert_eq!(quiet(&Event::SandboxWaiting), "");
}

#[test]
fn create_prints_the_lines_of_the_specification() {
    let started = Event::CreateStarted {
        database: "content_creation_crew".into(),
        host: "localhost:5432".into(),
        output: "./backups/backup_20260114_143022.sql.gz".into(),
    };
    let created = Event::Created {
        file: "./backups/backup_20260114_143022.sql.gz".into(),
        dump_bytes: 15_234_567,
        file_bytes: 2_345_678,
        compressed: true,
        contents: Some("25 tables, 127,410 rows".into()),
        not_in_it: None,
        globals: Some("./backups/backup_20260114_143022.globals.sql".into()),
    };
    insta::assert_snapshot!(transcript(&started) + &transcript(&created), @r"
    ==========================================
    DATABASE BACKUP
    ==========================================
    Database: content_creation_crew
    Host: localhost:5432
    Output: ./backups/backup_20260114_143022.sql.gz

    Creating backup...

    ✓ Backup created successfully
      File: ./backups/backup_20260114_143022.sql.gz
      Size: 15234567 bytes of SQL, before compression
      Contents: 25 tables, 127,410 rows
      Globals: ./backups/backup_20260114_143022.globals.sql

    Compressing backup... as it was written
    ✓ Backup compressed
      File: ./backups/backup_20260114_143022.sql.gz
      Size: 2345678 bytes
      Compression: 84.6%
    ");
}

#[test]
fn only_the_first_three_errors_of_a_restore_are_shown() {
    let errors: Vec<String> = (1..=5).map(|n| format!("error {n}")).collect();
    let text = transcript(&Event::RestoreFinished { errors, tolerated: 1 });
    insta::assert_snapshot!(text, @r"
    ✗ Restore failed with 5 errors:
      error 1
      error 2
      error 3
      … and 2 more: see --log-file
      (1 harmless error passed over)
    ");
}

#[test]
fn marks_are_coloured_and_nothing_else_changes() {
    let plain = "  ✓ Users table exists\nBackup file: ✓\n";
    let expected = "  \u{1b}[32m✓\u{1b}[0m Users table exists\nBackup file: ✓\n";
    assert_eq!(coloured(plain), expected);
}

#[test]
fn every_section_is_announced() {
    for (section, words) in [
        (Section::Restore, "restore time"),
        (Section::Schema, "database schema"),
        (Section::Data, "data integrity"),
        (Section::Earlier, "rows against an earlier backup"),
        (Section::Migrations, "migrations"),
        (Section::Contents, "contents against the backup"),
        (Section::Own, "checks of your own"),
        (Section::File, "backup file"),
    ] {
        let text = transcript(&Event::SectionStarted(section));
        assert_eq!(text, format!("\nVerifying {words}...\n"));
    }
}

#[test]
fn of_many_names_the_first_are_shown_and_the_others_counted() {
    let names = |number: usize| (1..=number).map(|n| format!("r{n}")).collect::<Vec<_>>();
    let text = |number| transcript(&Event::RolesCreated(names(number)));
    assert_eq!(text(2), "Creating roles of the backup, without login: r1, r2\n");
    assert!(text(10).ends_with(", r9, r10\n"), "{}", text(10));
    assert!(text(12).ends_with(", r9, r10 and 2 more\n"), "{}", text(12));
}

#[test]
fn of_an_empty_dump_nothing_is_saved() {
    assert!(saved(0, 20).abs() < f64::EPSILON);
    assert!((saved(200, 50) - 75.0).abs() < 1e-9);
}
