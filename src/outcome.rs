//! What a run found, and the one table that turns it into a verdict and an exit code.
//!
//! Knows nothing of how findings are made or shown.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The part of the verification a check belongs to; also the order of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// The application's tables exist.
    Schema,
    /// The application's tables can be counted.
    Data,
    /// The Alembic revision is there.
    Migrations,
    /// What was restored is what was dumped.
    Contents,
    /// The file is the one that was written.
    File,
}

/// How one check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The backup holds what the check looks for.
    Passed,
    /// Worth a look, but no proof that the backup is bad.
    Warned,
    /// The backup is bad.
    Failed,
    /// The check could not be run; nothing is known.
    NotRun,
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// A result without details.
    pub fn new(
        id: impl Into<String>,
        section: Section,
        status: Status,
        title: impl Into<String>,
    ) -> Self {
        Self { id: id.into(), section, status, title: title.into(), details: Vec::new() }
    }

    /// Adds a line of detail.
    #[must_use]
    pub fn detail(mut self, line: impl Into<String>) -> Self {
        self.details.push(line.into());
        self
    }
}

/// Proof, found outside the checks, that the backup itself is bad: it is cut off, it does not
/// restore, it is not a dump.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obstacle {
    /// One sentence that names the cause.
    pub cause: String,
    /// What to do next.
    pub hint: Option<String>,
}

/// The verdict on a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
/// checked: an obstacle, a check that could not run, or no check at all means "not verified".
pub fn decide(defects: &[Defect], checks: &[CheckResult], obstacle: Option<&Obstacle>) -> Verdict {
    let any = |status| checks.iter().any(|check| check.status == status);
    if !defects.is_empty() || any(Status::Failed) {
        Verdict::Failed
    } else if obstacle.is_some() || checks.is_empty() || any(Status::NotRun) {
        Verdict::NotVerified
    } else {
        Verdict::Passed
    }
}

/// A timed part of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// Such as `read`, `sandbox`, `restore`, `checks`.
    pub name: String,
    /// Wall time in seconds.
    pub seconds: f64,
}

/// Where the backup was restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxFacts {
    /// `docker` or `local`.
    pub engine: String,
    /// The image, such as `postgres:15`; `None` without a container.
    pub image: Option<String>,
    /// The image's repository digest, such as `sha256:…`; its id where it has none.
    pub image_digest: Option<String>,
    /// The server's version, such as `15.18 (Debian 15.18-0+deb12u1)`.
    pub server_version: String,
    /// Whether the data directory is in memory.
    pub in_memory: bool,
}

/// Everything a verification found: the one value that every reporter reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// Version of ccc-backup.
    pub tool_version: String,
    /// The backup; as it was named on the command line or found.
    pub backup: PathBuf,
    /// Size of the backup file in bytes.
    pub backup_bytes: u64,
    /// Rows in the COPY blocks of the dump, where it was read to its end.
    pub rows: Option<u64>,
    /// When the run began.
    pub started_at: DateTime<Utc>,
    /// Wall time of the whole run in seconds.
    pub seconds: f64,
    /// Its parts.
    pub phases: Vec<Phase>,
    /// Where it was restored; `None` when no sandbox was started.
    pub sandbox: Option<SandboxFacts>,
    /// Proof that the backup is bad, found outside the checks.
    pub defects: Vec<Defect>,
    /// The checks, in the order of the report.
    pub checks: Vec<CheckResult>,
    /// What stood in the way of telling.
    pub obstacle: Option<Obstacle>,
    /// Harmless things worth knowing.
    pub warnings: Vec<String>,
    /// What a passed verdict does not cover, one sentence each.
    pub not_proven: Vec<String>,
}

impl RunReport {
    /// An empty report of a run that begins now.
    pub fn begin(backup: PathBuf, started_at: DateTime<Utc>) -> Self {
        Self {
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            backup,
            backup_bytes: 0,
            rows: None,
            started_at,
            seconds: 0.0,
            phases: Vec::new(),
            sandbox: None,
            defects: Vec::new(),
            checks: Vec::new(),
            obstacle: None,
            warnings: Vec::new(),
            not_proven: Vec::new(),
        }
    }

    /// The verdict, by [`decide`].
    pub fn verdict(&self) -> Verdict {
        decide(&self.defects, &self.checks, self.obstacle.as_ref())
    }

    /// How many checks ended in `status`.
    pub fn count(&self, status: Status) -> usize {
        self.checks.iter().filter(|check| check.status == status).count()
    }

    /// Notes how long a part took.
    pub fn phase(&mut self, name: &str, took: Duration) {
        self.phases.push(Phase { name: name.to_owned(), seconds: took.as_secs_f64() });
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: Status) -> CheckResult {
        CheckResult::new("x", Section::Schema, status, "x")
    }

    #[test]
    fn the_verdict_follows_the_truth_table() {
        use Status::*;
        use Verdict::{Failed as Bad, NotVerified as Unknown, Passed as Good};
        let defect = [Defect { cause: "cut".into(), hint: None }];
        let obstacle = Obstacle { cause: "no Docker".into(), hint: None };
        // (a defect was found, how the checks ended, an obstacle was met) -> verdict
        let table: &[(bool, &[Status], bool, Verdict)] = &[
            (false, &[Passed, Passed], false, Good),
            (false, &[Passed, Warned], false, Good),
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
            let verdict = decide(defects, &checks, blocked.then_some(&obstacle));
            assert_eq!(verdict, *expected, "{bad} {statuses:?} {blocked}");
        }
    }

    #[test]
    fn numbers_are_grouped_by_three() {
        let numbers = [0, 7, 142, 1_234, 15_234_567].map(grouped);
        assert_eq!(numbers, ["0", "7", "142", "1,234", "15,234,567"]);
    }

    #[test]
    fn get_exit_code_all_passed() {
        assert_eq!(decide(&[], &[check(Status::Passed)], None).exit_code(), 0);
    }

    #[test]
    fn get_exit_code_some_failed() {
        let checks = [check(Status::Passed), check(Status::Failed)];
        assert_eq!(decide(&[], &checks, None).exit_code(), 1);
    }

    #[test]
    fn get_exit_code_no_tests() {
        assert_eq!(decide(&[], &[], None).exit_code(), 2);
    }
}
