//! Everything that one verification found, and what follows from it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use super::{CheckResult, Defect, Obstacle, RESTORE_TIME, Section, Status, Verdict, decide};

/// The name of the phase in which the backup is restored.
pub const RESTORE: &str = "restore";

/// A timed part of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Phase {
    /// Such as `read`, `sandbox`, `restore`, `checks`.
    pub name: String,
    /// Wall time in seconds.
    pub seconds: f64,
}

/// An attempt at the restore: one over several connections that met an error is followed by one over a
/// single connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attempt {
    /// Over how many connections.
    pub connections: usize,
    /// How many errors it met that are not known as harmless.
    pub errors: usize,
    /// The first of them.
    pub first_error: Option<String>,
    /// Whether it came to its end.
    pub whole: bool,
}

/// Where the backup was restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunReport {
    /// Version of ccc-backup.
    pub tool_version: String,
    /// The backup; as it was named on the command line or found.
    #[serde(serialize_with = "readable")]
    #[schemars(with = "String")]
    pub backup: PathBuf,
    /// Size of the backup file in bytes.
    pub backup_bytes: u64,
    /// SHA-256 of its bytes in hex, of a directory that of its list of files; where it was read to
    /// its end.
    pub sha256: Option<String>,
    /// Its format, in pg_dump's words: `plain`, `custom`, `directory` or `tar`; where it is known.
    pub format: Option<String>,
    /// Rows in the COPY blocks of the dump, where it was read to its end.
    pub rows: Option<u64>,
    /// Tables that it has rows of, or could have; where it was read to its end.
    #[serde(skip)]
    pub tables: Option<u64>,
    /// When the run began.
    pub started_at: DateTime<Utc>,
    /// Wall time of the whole run in seconds.
    pub seconds: f64,
    /// Its parts.
    pub phases: Vec<Phase>,
    /// Where it was restored; `None` when no sandbox was started.
    pub sandbox: Option<SandboxFacts>,
    /// Roles that the dump names and that were made for it, without login.
    pub roles: Vec<String>,
    /// The attempts at the restore, where there was more than one; the last counts.
    pub attempts: Vec<Attempt>,
    /// How long the restore may take, in seconds (`--rto`).
    pub rto_seconds: Option<f64>,
    /// Whether everything in the backup was restored, to its end and without an error.
    pub restored: bool,
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
    /// Whether that keeps the backup from passing (`--require-proof`).
    pub require_proof: bool,
}

impl RunReport {
    /// An empty report of a run that begins now.
    pub fn begin(backup: PathBuf, started_at: DateTime<Utc>) -> Self {
        Self {
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            backup,
            backup_bytes: 0,
            sha256: None,
            format: None,
            rows: None,
            tables: None,
            started_at,
            seconds: 0.0,
            phases: Vec::new(),
            sandbox: None,
            roles: Vec::new(),
            attempts: Vec::new(),
            rto_seconds: None,
            restored: false,
            defects: Vec::new(),
            checks: Vec::new(),
            obstacle: None,
            warnings: Vec::new(),
            not_proven: Vec::new(),
            require_proof: false,
        }
    }

    /// The verdict, by [`decide`].
    pub fn verdict(&self) -> Verdict {
        decide(&self.defects, &self.checks, self.obstacle.as_ref(), self.proof_missing())
    }

    /// The verdict on the backup itself, whatever time the restore took, however old it is and whatever the
    /// application has become since: a slow machine says nothing about a backup.
    pub fn soundness(&self) -> Verdict {
        let of_backup = self.checks.iter().filter(|check| check.is_about_the_backup());
        let checks: Vec<CheckResult> = of_backup.cloned().collect();
        decide(&self.defects, &checks, self.obstacle.as_ref(), self.proof_missing())
    }

    /// What was left open where everything has to be proven.
    pub fn proof_missing(&self) -> &[String] {
        if self.require_proof { &self.not_proven } else { &[] }
    }

    /// Whether all went well, but for what was to be proven and was left open.
    pub fn lacks_only_proof(&self) -> bool {
        let otherwise = decide(&self.defects, &self.checks, self.obstacle.as_ref(), &[]);
        otherwise == Verdict::Passed && !self.proof_missing().is_empty()
    }

    /// How many checks ended in `status`.
    pub fn count(&self, status: Status) -> usize {
        self.checks.iter().filter(|check| check.status == status).count()
    }

    /// The checks that ended in `status`.
    pub fn ended(&self, status: Status) -> impl Iterator<Item = &CheckResult> {
        self.checks.iter().filter(move |check| check.status == status)
    }

    /// How long the restore took, where it began.
    pub fn restore_time(&self) -> Option<Duration> {
        let phase = self.phases.iter().find(|phase| phase.name == RESTORE)?;
        Duration::try_from_secs_f64(phase.seconds).ok()
    }

    /// What was proven of the backup, one sentence each.
    pub fn proven(&self) -> Vec<String> {
        let server = self.sandbox.iter().filter(|_| self.restored);
        let restored =
            server.map(|server| format!("It restores into PostgreSQL {}", server.server_version));
        restored.chain(self.ended(Status::Passed).map(|check| check.title.clone())).collect()
    }

    /// What proves the backup bad, most telling first.
    pub fn disproven(&self) -> Vec<String> {
        let defects = self.defects.iter().map(|defect| defect.cause.clone());
        let failed = self.ended(Status::Failed).filter(|check| check.is_about_the_backup());
        defects.chain(failed.map(|check| check.title.clone())).collect()
    }

    /// What was wanted beside a good backup and missed, which proves nothing against it.
    pub fn missed(&self) -> Vec<String> {
        let missed = self.ended(Status::Failed).filter(|check| !check.is_about_the_backup());
        missed.map(|check| check.title.clone()).collect()
    }

    /// Whether questions of the operator's own are all that speaks against it.
    pub fn fails_only_own(&self) -> bool {
        let mut failed = self.ended(Status::Failed).peekable();
        let any = failed.peek().is_some();
        any && self.defects.is_empty() && failed.all(|check| check.section == Section::Own)
    }

    /// Whether the time that the restore may take is all that was missed.
    pub fn is_only_late(&self) -> bool {
        let mut failed = self.ended(Status::Failed).peekable();
        let any = failed.peek().is_some();
        any && self.defects.is_empty() && failed.all(|check| check.id == RESTORE_TIME)
    }

    /// Everything that this run leaves open: what no run covers, what it could not check, what it
    /// never came to, and what is worth a look.
    pub fn unproven(&self) -> Vec<String> {
        let unrun = self.ended(Status::NotRun).map(|check| check.title.clone());
        let restore = (!self.restored && self.defects.is_empty())
            .then(|| "The restore: not run to its end".to_owned());
        let unreached = self.unreached().map(|section| format!("{section}: not checked"));
        let warned = self.ended(Status::Warned).map(|check| check.title.clone());
        unrun
            .chain(restore)
            .chain(unreached)
            .chain(warned)
            .chain(self.not_proven.iter().cloned())
            .collect()
    }

    /// The sections that every whole run checks and this one did not come to.
    pub fn unreached(&self) -> impl Iterator<Item = Section> {
        let cut_short = !self.restored || self.obstacle.is_some();
        [Section::Schema, Section::Data, Section::Migrations, Section::Contents]
            .into_iter()
            .filter(move |section| cut_short && !self.has(*section))
    }

    fn has(&self, section: Section) -> bool {
        self.checks.iter().any(|check| check.section == section)
    }

    /// Why the verdict is not "passed", most telling first.
    pub fn causes(&self) -> Vec<String> {
        let obstacle = self.obstacle.iter().map(|obstacle| obstacle.cause.clone());
        let unrun = self.ended(Status::NotRun);
        // Of a bad backup nobody has to know what else is open.
        let unproven = self.proof_missing().iter();
        let unproven = unproven.filter(|_| self.verdict() == Verdict::NotVerified);
        self.disproven()
            .into_iter()
            .chain(self.missed())
            .chain(obstacle)
            .chain(unrun.map(|check| format!("not checked: {}", check.title)))
            .chain(unproven.map(|what| format!("not proven, and --require-proof wants it: {what}")))
            .collect()
    }

    /// Notes how long a part took.
    pub fn phase(&mut self, name: &str, took: Duration) {
        self.phases.push(Phase { name: name.to_owned(), seconds: took.as_secs_f64() });
    }
}

/// A path as text; bytes that are none become U+FFFD, because a report is written all the same.
fn readable<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_run_never_came_to_is_not_proven() {
        let mut report = RunReport::begin("x.sql".into(), DateTime::UNIX_EPOCH);
        report.obstacle = Some(Obstacle { cause: "no Docker".into(), hint: None });
        assert_eq!(report.proven(), Vec::<String>::new());
        assert_eq!(
            report.unproven(),
            [
                "The restore: not run to its end",
                "Database schema: not checked",
                "Data integrity: not checked",
                "Migrations: not checked",
                "Contents against the backup: not checked",
            ]
        );
        report.restored = true;
        report.obstacle = None;
        assert_eq!(report.unproven(), Vec::<String>::new());
    }

    #[test]
    fn that_a_backup_restores_is_proven_where_it_was_restored_to_its_end() {
        let mut report = RunReport::begin("x.sql".into(), DateTime::UNIX_EPOCH);
        report.sandbox = Some(SandboxFacts {
            engine: "local".to_owned(),
            image: None,
            image_digest: None,
            server_version: "15.18".to_owned(),
            in_memory: false,
        });
        assert_eq!(report.proven(), Vec::<String>::new());
        report.restored = true;
        assert_eq!(report.proven(), ["It restores into PostgreSQL 15.18"]);
    }

    fn check(section: Section, status: Status, title: &str) -> CheckResult {
        CheckResult::new("x", section, status, title)
    }

    #[test]
    fn a_restore_that_took_too_long_fails_the_run_and_proves_nothing_against_the_backup() {
        let mut report = RunReport::begin("x.sql".into(), DateTime::UNIX_EPOCH);
        let too_slow = CheckResult::new(RESTORE_TIME, Section::Restore, Status::Failed, "too slow");
        report.checks.push(too_slow);
        assert_eq!((report.verdict(), report.soundness()), (Verdict::Failed, Verdict::NotVerified));
        report.checks.push(check(Section::Contents, Status::Passed, "rows"));
        assert_eq!((report.verdict(), report.soundness()), (Verdict::Failed, Verdict::Passed));
        assert_eq!((report.disproven(), report.missed()), (vec![], vec!["too slow".to_owned()]));
        report.checks.push(check(Section::Contents, Status::Failed, "values"));
        assert_eq!((report.verdict(), report.soundness()), (Verdict::Failed, Verdict::Failed));
        assert_eq!(report.causes(), ["values", "too slow"]);
    }

    #[test]
    fn what_is_not_proven_keeps_a_backup_from_passing_only_where_proof_is_required() {
        let mut report = RunReport::begin("x.sql".into(), DateTime::UNIX_EPOCH);
        report.checks.push(check(Section::Contents, Status::Passed, "rows"));
        report.not_proven.push("no manifest".to_owned());
        assert_eq!((report.verdict(), report.lacks_only_proof()), (Verdict::Passed, false));
        report.require_proof = true;
        assert_eq!((report.verdict(), report.lacks_only_proof()), (Verdict::NotVerified, true));
        assert_eq!(report.soundness(), Verdict::NotVerified);
        assert_eq!(report.causes(), ["not proven, and --require-proof wants it: no manifest"]);
        report.checks.push(check(Section::Contents, Status::Failed, "values"));
        assert_eq!((report.verdict(), report.lacks_only_proof()), (Verdict::Failed, false));
        assert_eq!(report.causes(), ["values"]);
        report.not_proven.clear();
        report.checks.pop();
        assert_eq!((report.verdict(), report.lacks_only_proof()), (Verdict::Passed, false));
    }
}
