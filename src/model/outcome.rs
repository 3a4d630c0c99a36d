//! What a run found, and the one table that turns it into a verdict and an exit code.
//!
//! Knows nothing of how findings are made or shown.

mod run_report;

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use run_report::{Attempt, Phase, RESTORE, RunReport, SandboxFacts};

/// The id of the check that holds the restore to its time.
pub const RESTORE_TIME: &str = "restore.rto";
/// The id of the check that holds the newest backup to its age.
pub const AGE: &str = "file.age";
/// The id of the check that compares the revision restored with the application's newest.
pub const HEAD: &str = "migrations.head";

/// The part of the verification a check belongs to; also the order of the report.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// The backup restores in time.
    Restore,
    /// The application's tables exist.
    Schema,
    /// The application's tables can be counted.
    Data,
    /// There are about as many rows as in the last backup that passed.
    Earlier,
    /// The application's migrations are there.
    Migrations,
    /// What was restored is what was dumped.
    Contents,
    /// Questions of the operator's own are answered as they should be.
    Own,
    /// The file is the one that was written.
    File,
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Restore => "Restore time",
            Self::Schema => "Database schema",
            Self::Data => "Data integrity",
            Self::Earlier => "Rows against an earlier backup",
            Self::Migrations => "Migrations",
            Self::Contents => "Contents against the backup",
            Self::Own => "Checks of your own",
            Self::File => "Backup file",
        })
    }
}

/// How one check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The backup holds what the check looks for.
    Passed,
    /// A fact to look at, such as a count of which nothing is demanded: no check passed by it.
    Shown,
    /// Worth a look, but no proof that the backup is bad.
    Warned,
    /// The backup is bad.
    Failed,
    /// The check could not be run; nothing is known.
    NotRun,
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckResult {
    /// Stable name for machines, such as `schema.users`.
    pub id: String,
    /// Where it belongs in the report.
    pub section: Section,
    /// How it ended.
    pub status: Status,
    /// The line for people, such as `Users count >= 0 (count: 142)`.
    pub title: String,
    /// More lines: what was expected, what was found, what to do.
    pub details: Vec<String>,
}

impl CheckResult {
    /// A result without details. Names and texts of a database stand in titles: what would end the line, or steer a terminal,
    /// becomes `\u{fffd}`.
    pub fn new(
        id: impl Into<String>,
        section: Section,
        status: Status,
        title: impl Into<String>,
    ) -> Self {
        let title = title.into().replace(char::is_control, "\u{fffd}");
        Self { id: id.into(), section, status, title, details: Vec::new() }
    }

    /// Adds a line of detail.
    #[must_use]
    pub fn detail(mut self, line: impl Into<String>) -> Self {
        self.details.push(line.into());
        self
    }

    /// Whether the backup is what it holds to account, and not how long its restore took, how old it is, or what the
    /// application has become since.
    pub fn is_about_the_backup(&self) -> bool {
        ![RESTORE_TIME, AGE, HEAD].contains(&self.id.as_str())
    }
}

/// Proof, found outside the checks, that the backup itself is bad: it is cut off, it does not
/// restore, it is not a dump.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Defect {
    /// One sentence that names the cause.
    pub cause: String,
    /// What to do next.
    pub hint: Option<String>,
}

impl Defect {
    /// A defect with a hint.
    pub fn new(cause: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { cause: cause.into(), hint: Some(hint.into()) }
    }
}

/// Why it could not be told whether the backup is good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Obstacle {
    /// One sentence that names the cause.
    pub cause: String,
    /// What to do next.
    pub hint: Option<String>,
}

/// The verdict on a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Restored, and every check passed.
    Passed,
    /// Tested, and bad.
    Failed,
    /// It could not be told.
    NotVerified,
}

impl Verdict {
    /// The process exit code: 0 passed, 1 failed, 2 not verified.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Failed => 1,
            Self::NotVerified => 2,
        }
    }
}

/// The verdict for what a run found. This is the only place where it is decided.
///
/// A backup once proven bad stays bad, whatever else goes wrong; and nothing passes that was not
/// checked: an obstacle, a check that could not run, or no check at all means "not verified". So does
/// `unproven`: what was left open where the operator wants everything proven.
pub fn decide(
    defects: &[Defect],
    checks: &[CheckResult],
    obstacle: Option<&Obstacle>,
    unproven: &[String],
) -> Verdict {
    let any = |status| checks.iter().any(|check| check.status == status);
    let unchecked = checks.iter().all(|check| check.status == Status::Shown);
    let untold = obstacle.is_some() || unchecked || any(Status::NotRun);
    if !defects.is_empty() || any(Status::Failed) {
        Verdict::Failed
    } else if untold || !unproven.is_empty() {
        Verdict::NotVerified
    } else {
        Verdict::Passed
    }
}

/// The worst of several verdicts: a bad backup before one that could not be told. Of none, nothing is known.
pub fn worst(verdicts: impl IntoIterator<Item = Verdict>) -> Verdict {
    let rank = |verdict: &Verdict| match verdict {
        Verdict::Passed => 0,
        Verdict::NotVerified => 1,
        Verdict::Failed => 2,
    };
    verdicts.into_iter().max_by_key(rank).unwrap_or(Verdict::NotVerified)
}

/// A time for people: `3.2 s`, `45 min`, `1 h 5 min`.
pub fn spoken(time: Duration) -> String {
    let seconds = time.as_secs();
    let parts = match seconds {
        0 => return format!("{} ms", time.as_millis()),
        1..60 => return format!("{:.1} s", time.as_secs_f64()),
        60..3600 => [(seconds / 60, "min"), (seconds % 60, "s")],
        3600..86_400 => [(seconds / 3600, "h"), (seconds / 60 % 60, "min")],
        _ => [(seconds / 86_400, "d"), (seconds / 3600 % 24, "h")],
    };
    let parts = parts.iter().filter(|(count, _)| *count > 0);
    parts.map(|(count, unit)| format!("{count} {unit}")).collect::<Vec<_>>().join(" ")
}

/// A number for people: `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of things for people: `1 table`, `1,234 tables`.
pub fn counted(number: u64, thing: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {thing}{s}", grouped(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: Status) -> CheckResult {
        CheckResult::new("x", Section::Schema, status, "x")
    }

    #[test]
    fn a_title_is_one_line_whatever_the_database_says() {
        let title = "Migration version: x\n✅ VERIFICATION PASSED\u{1b}[2K";
        let check = CheckResult::new("x", Section::Migrations, Status::Failed, title);
        assert_eq!(check.title, "Migration version: x\u{fffd}✅ VERIFICATION PASSED\u{fffd}[2K");
    }

    #[test]
    fn the_verdict_follows_the_truth_table() {
        use Status::*;
        use Verdict::{Failed as Bad, NotVerified as Unknown, Passed as Good};
        let defect = [Defect { cause: "cut".into(), hint: None }];
        let obstacle = Obstacle { cause: "no Docker".into(), hint: None };
        let open = ["no manifest".to_owned()];
        // (a defect was found, how the checks ended, an obstacle was met) -> verdict
        let table: &[(bool, &[Status], bool, Verdict)] = &[
            (false, &[Passed, Passed], false, Good),
            (false, &[Passed, Warned], false, Good),
            (false, &[Passed, Shown], false, Good),
            (false, &[Shown, Failed], false, Bad),
            (false, &[Shown], false, Unknown),
            (false, &[Passed, Failed], false, Bad),
            (false, &[Failed], true, Bad),
            (false, &[Failed, NotRun], false, Bad),
            (false, &[Passed, NotRun], false, Unknown),
            (false, &[Passed], true, Unknown),
            (false, &[], false, Unknown),
            (false, &[], true, Unknown),
            (true, &[], false, Bad),
            (true, &[], true, Bad),
            (true, &[Passed], false, Bad),
            (true, &[NotRun], true, Bad),
        ];
        for (bad, statuses, blocked, expected) in table {
            let checks: Vec<_> = statuses.iter().copied().map(check).collect();
            let defects = if *bad { &defect[..] } else { &[] };
            let verdict = |open| decide(defects, &checks, blocked.then_some(&obstacle), open);
            assert_eq!(verdict(&[]), *expected, "{bad} {statuses:?} {blocked}");
            // Where proof is wanted and something is left open, nothing passes; what is bad stays so.
            let wanted = if *expected == Good { Unknown } else { *expected };
            assert_eq!(verdict(&open), wanted, "{bad} {statuses:?} {blocked}");
        }
    }

    #[test]
    fn times_are_spoken() {
        let cases = [
            (0.04, "40 ms"),
            (3.21, "3.2 s"),
            (59.9, "59.9 s"),
            (60.0, "1 min"),
            (2705.0, "45 min 5 s"),
            (3900.0, "1 h 5 min"),
            (7200.0, "2 h"),
            (180_000.0, "2 d 2 h"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(spoken(Duration::from_secs_f64(seconds)), expected);
        }
    }

    #[test]
    fn numbers_are_grouped_by_three() {
        let numbers = [0, 7, 142, 1_234, 15_234_567].map(grouped);
        assert_eq!(numbers, ["0", "7", "142", "1,234", "15,234,567"]);
    }

    #[test]
    fn get_exit_code_all_passed() {
        assert_eq!(decide(&[], &[check(Status::Passed)], None, &[]).exit_code(), 0);
    }

    #[test]
    fn get_exit_code_some_failed() {
        let checks = [check(Status::Passed), check(Status::Failed)];
        assert_eq!(decide(&[], &checks, None, &[]).exit_code(), 1);
    }

    #[test]
    fn get_exit_code_no_tests() {
        assert_eq!(decide(&[], &[], None, &[]).exit_code(), 2);
    }
}
