//! Which backups stay and which may go, and why. Pure: looks at no clock and no disk.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Datelike, NaiveDate, Utc};

use super::by_database::by_database;
use super::proof::Proven;

/// What is to be kept. With none of the `keep_*` set, what is not older than `older_than` is kept;
/// with any of them, also what they select. Without `older_than`, only what they select is kept,
/// and without any rule everything is. What is proven bad fills no place among what they select; it
/// stays beside it as long as nothing is proven sound, for then the fault may be the proof's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// Backups older than this may go.
    pub older_than: Option<Duration>,
    /// The newest so many.
    pub keep_last: usize,
    /// The newest of each of the last so many days that have one (UTC).
    pub keep_daily: usize,
    /// The same for ISO weeks.
    pub keep_weekly: usize,
    /// The same for months.
    pub keep_monthly: usize,
    /// The same for years.
    pub keep_yearly: usize,
}

impl Policy {
    /// Whether anything may go by it.
    pub fn has_rules(&self) -> bool {
        self.older_than.is_some() || self.selects()
    }

    fn selects(&self) -> bool {
        [self.keep_last, self.keep_daily, self.keep_weekly, self.keep_monthly, self.keep_yearly]
            .iter()
            .any(|number| *number > 0)
    }
}

/// What an entry of a backup directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A backup named by `create` itself.
    Backup {
        /// The time in its name.
        time: DateTime<Utc>,
    },
    /// A partial file of such a backup.
    Partial,
    /// A backup under a name that somebody chose.
    Foreign,
}

/// An entry of a backup directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it is.
    pub path: PathBuf,
    /// Its name; where that is not UTF-8, an approximation.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Its size with its manifest, its signature and its globals, in bytes.
    pub bytes: u64,
    /// Whether it is being written or verified.
    pub busy: bool,
    /// Its manifest, where there is one.
    pub manifest: Option<PathBuf>,
    /// The file of its server's roles and tablespaces, where there is one.
    pub globals: Option<PathBuf>,
    /// Its signature, where there is one.
    pub signature: Option<PathBuf>,
    /// The database that it is a backup of, where that is known.
    pub database: Option<String>,
    /// What is proven of it; `None` where no verification could tell.
    pub proven: Option<Proven>,
}

impl Entry {
    /// Whether it is proven bad.
    pub fn is_bad(&self) -> bool {
        self.proven == Some(Proven::Bad)
    }

    fn is_sound(&self) -> bool {
        self.proven == Some(Proven::Sound)
    }
}

/// Why an entry stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeepReason {
    /// It is the newest backup.
    Newest,
    /// It is the newest backup that passed verification.
    NewestPassed,
    /// It is the newest backup that is not proven bad.
    NewestNotBad,
    /// It is being written or verified.
    Busy,
    /// Its name is not one that `create` gives by itself.
    NotOurs,
    /// It is not old enough.
    Young,
    /// It is one of the newest.
    Last,
    /// It is the newest of its day.
    Daily,
    /// It is the newest of its week.
    Weekly,
    /// It is the newest of its month.
    Monthly,
    /// It is the newest of its year.
    Yearly,
    /// No rule says that it may go.
    NoRule,
}

impl fmt::Display for KeepReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Newest => "the newest backup",
            Self::NewestPassed => "the newest that passed verification",
            Self::NewestNotBad => "the newest that is not proven bad",
            Self::Busy => "being written or verified",
            Self::NotOurs => "not named by ccc-backup",
            Self::Young => "not old enough",
            Self::Last => "one of the newest",
            Self::Daily => "the newest of its day",
            Self::Weekly => "the newest of its week",
            Self::Monthly => "the newest of its month",
            Self::Yearly => "the newest of its year",
            Self::NoRule => "no rule says that it may go",
        })
    }
}

/// Why an entry goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemoveReason {
    /// It is too old.
    Older {
        /// Its age.
        age: Duration,
    },
    /// No rule keeps it.
    NotSelected,
    /// It is proven bad, and so no rule keeps it.
    Bad,
    /// The run that wrote it has died.
    StalePartial,
}

impl fmt::Display for RemoveReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Older { age } => match age.as_secs() / 3600 {
                hours @ 0..48 => write!(f, "{hours} hours old"),
                hours => write!(f, "{} days old", hours / 24),
            },
            Self::NotSelected => f.write_str("kept by no rule"),
            Self::Bad => f.write_str("proven bad, fills no place"),
            Self::StalePartial => f.write_str("left by a run that died"),
        }
    }
}

/// What happens to an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// It stays.
    Keep(KeepReason),
    /// It goes, together with its manifest, its signature and its globals.
    Remove(RemoveReason),
}

/// An entry and what happens to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The entry.
    pub entry: Entry,
    /// What happens to it.
    pub action: Action,
}

/// What a clean-up does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Backups from the newest to the oldest, then the rest by name.
    pub decisions: Vec<Decision>,
}

impl Plan {
    /// What goes.
    pub fn removals(&self) -> impl Iterator<Item = &Decision> {
        self.decisions.iter().filter(|decision| matches!(decision.action, Action::Remove(_)))
    }

    /// Bytes that become free.
    pub fn bytes_freed(&self) -> u64 {
        self.removals().map(|decision| decision.entry.bytes).sum()
    }
}

/// Decides about every entry. Of each database, the newest backup, the newest that passed verification, the newest that
/// is not proven bad, and what is in use stay whatever the policy says; so does everything that
/// `create` did not name.
pub fn plan(now: DateTime<Utc>, entries: Vec<Entry>, policy: &Policy) -> Plan {
    let parts = by_database(entries, |entry| entry.database.as_deref()).into_values();
    let mut decisions: Vec<Decision> =
        parts.flat_map(|entries| plan_of_one(now, entries, policy)).collect();
    decisions.sort_by(|a, b| newest_first(&a.entry, &b.entry));
    Plan { decisions }
}

fn time(entry: &Entry) -> Option<DateTime<Utc>> {
    match entry.kind {
        Kind::Backup { time } => Some(time),
        Kind::Partial | Kind::Foreign => None,
    }
}

fn newest_first(one: &Entry, other: &Entry) -> Ordering {
    time(other).cmp(&time(one)).then_with(|| one.path.cmp(&other.path))
}

/// Decides about the backups of one database.
fn plan_of_one(now: DateTime<Utc>, mut entries: Vec<Entry>, policy: &Policy) -> Vec<Decision> {
    entries.sort_by(newest_first);
    let newest = entries.iter().find_map(time);
    let newest_passed = entries.iter().filter(|entry| entry.is_sound()).find_map(time);
    let newest_not_bad = entries.iter().filter(|entry| !entry.is_bad()).find_map(time);
    let (mut selection, mut of_all) = (Selection::new(policy), Selection::new(policy));
    entries
        .into_iter()
        .map(|entry| {
            // Every backup is counted, also one that stays for another reason; but none that is bad.
            let by_all = time(&entry).and_then(|time| of_all.consider(time));
            let selected = if entry.is_bad() {
                by_all.filter(|_| newest_passed.is_none())
            } else {
                time(&entry).and_then(|time| selection.consider(time))
            };
            let action = match entry.kind {
                Kind::Foreign => Action::Keep(KeepReason::NotOurs),
                _ if entry.busy => Action::Keep(KeepReason::Busy),
                Kind::Partial => Action::Remove(RemoveReason::StalePartial),
                Kind::Backup { time } if Some(time) == newest => Action::Keep(KeepReason::Newest),
                Kind::Backup { time } if entry.is_sound() && Some(time) == newest_passed => {
                    Action::Keep(KeepReason::NewestPassed)
                }
                Kind::Backup { time } if !entry.is_bad() && Some(time) == newest_not_bad => {
                    Action::Keep(KeepReason::NewestNotBad)
                }
                Kind::Backup { time } => match by_policy(now, time, policy, selected) {
                    Action::Remove(_) if entry.is_bad() && policy.selects() => {
                        Action::Remove(RemoveReason::Bad)
                    }
                    action => action,
                },
            };
            Decision { entry, action }
        })
        .collect()
}

fn by_policy(
    now: DateTime<Utc>,
    time: DateTime<Utc>,
    policy: &Policy,
    selected: Option<KeepReason>,
) -> Action {
    // A time to come, after a clock was set back, is no age.
    let age = (now - time).to_std().unwrap_or_default();
    match (policy.older_than, selected) {
        (Some(limit), _) if age <= limit => Action::Keep(KeepReason::Young),
        (_, Some(reason)) => Action::Keep(reason),
        (Some(_), None) => Action::Remove(RemoveReason::Older { age }),
        (None, None) if policy.selects() => Action::Remove(RemoveReason::NotSelected),
        (None, None) => Action::Keep(KeepReason::NoRule),
    }
}

/// What the `keep_*` rules select, asked from the newest to the oldest.
struct Selection {
    last: usize,
    periods: [Period; 4],
}

/// One rule of grandfather, father and son.
struct Period {
    start: fn(NaiveDate) -> NaiveDate,
    reason: KeepReason,
    limit: usize,
    seen: BTreeSet<NaiveDate>,
}

impl Selection {
    fn new(policy: &Policy) -> Self {
        let period = |limit, reason, start| Period { start, reason, limit, seen: BTreeSet::new() };
        Self {
            last: policy.keep_last,
            periods: [
                period(policy.keep_daily, KeepReason::Daily, |day| day),
                period(policy.keep_weekly, KeepReason::Weekly, |day| {
                    day.week(chrono::Weekday::Mon).checked_first_day().unwrap_or(day)
                }),
                period(policy.keep_monthly, KeepReason::Monthly, |day| {
                    day.with_day(1).unwrap_or(day)
                }),
                period(policy.keep_yearly, KeepReason::Yearly, |day| {
                    day.with_ordinal(1).unwrap_or(day)
                }),
            ],
        }
    }

    /// Why the backup is kept; the first rule that selects it names the reason, all of them count.
    fn consider(&mut self, time: DateTime<Utc>) -> Option<KeepReason> {
        let mut reason = None;
        if self.last > 0 {
            self.last -= 1;
            reason = Some(KeepReason::Last);
        }
        for period in &mut self.periods {
            let start = (period.start)(time.date_naive());
            if period.seen.len() < period.limit && period.seen.insert(start) {
                reason = reason.or_else(|| Some(period.reason.clone()));
            }
        }
        reason
    }
}

#[cfg(test)]
#[path = "retention_tests.rs"]
mod tests;
