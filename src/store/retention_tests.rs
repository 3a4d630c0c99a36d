use chrono::TimeZone;
use proptest::prelude::*;

use super::*;

const DAY: Duration = Duration::from_secs(86_400);

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 15, 12, 0, 0).unwrap()
}

fn entry(name: &str, kind: Kind) -> Entry {
    Entry {
        path: name.into(),
        name: name.into(),
        kind,
        bytes: 10,
        busy: false,
        manifest: None,
        passed: false,
    }
}

/// A backup made so many hours ago.
fn backup(hours: i64) -> Entry {
    let time = now() - chrono::Duration::hours(hours);
    entry(&format!("backup-{hours:06}"), Kind::Backup { time })
}

fn older_than(days: u32) -> Policy {
    Policy { older_than: Some(DAY * days), ..Policy::default() }
}

fn removed(plan: &Plan) -> Vec<&str> {
    plan.removals().map(|decision| decision.entry.name.as_str()).collect()
}

fn reason(plan: &Plan, name: &str) -> KeepReason {
    let decision = plan.decisions.iter().find(|d| d.entry.name == name).unwrap();
    match &decision.action {
        Action::Keep(reason) => reason.clone(),
        Action::Remove(_) => panic!("{name} is removed"),
    }
}

#[test]
fn what_is_older_goes_and_what_is_younger_stays() {
    let entries = vec![backup(24 * 40), backup(1), backup(24 * 31), backup(24 * 30)];
    let plan = plan(now(), entries, &older_than(30));
    assert_eq!(removed(&plan), ["backup-000744", "backup-000960"]);
    assert_eq!(reason(&plan, "backup-000720"), KeepReason::Young);
    assert_eq!(plan.bytes_freed(), 20);
    let Action::Remove(why) = &plan.decisions[2].action else { panic!() };
    assert_eq!(why.to_string(), "31 days old");
}

#[test]
fn the_newest_stays_however_old_it_is() {
    let plan = plan(now(), vec![backup(9000), backup(9100)], &older_than(0));
    assert_eq!(removed(&plan), ["backup-009100"]);
    assert_eq!(reason(&plan, "backup-009000"), KeepReason::Newest);
}

#[test]
fn the_newest_that_passed_verification_stays_however_old_it_is() {
    let good = |hours| Entry { passed: true, ..backup(hours) };
    let entries = vec![backup(1), backup(8000), good(9000), good(9100)];
    let plan = plan(now(), entries, &older_than(1));
    assert_eq!(removed(&plan), ["backup-008000", "backup-009100"]);
    assert_eq!(reason(&plan, "backup-009000"), KeepReason::NewestPassed);
}

#[test]
fn what_somebody_else_named_stays() {
    let plan = plan(now(), vec![entry("before_upgrade.sql", Kind::Foreign)], &older_than(0));
    assert_eq!(reason(&plan, "before_upgrade.sql"), KeepReason::NotOurs);
}

#[test]
fn what_is_in_use_stays_and_a_stale_partial_file_goes() {
    let busy = |entry| Entry { busy: true, ..entry };
    let entries = vec![
        backup(1),
        busy(backup(9000)),
        entry(".live.partial", Kind::Partial),
        busy(entry(".busy.partial", Kind::Partial)),
    ];
    let plan = plan(now(), entries, &older_than(1));
    assert_eq!(removed(&plan), [".live.partial"]);
    assert_eq!(reason(&plan, "backup-009000"), KeepReason::Busy);
    assert_eq!(reason(&plan, ".busy.partial"), KeepReason::Busy);
}

#[test]
fn a_backup_from_the_future_does_not_go() {
    let plan = plan(now(), vec![backup(-50), backup(-20)], &older_than(1));
    assert_eq!(removed(&plan), [""; 0]);
}

#[test]
fn without_a_rule_nothing_goes() {
    let plan = plan(now(), vec![backup(1), backup(90_000)], &Policy::default());
    assert_eq!(reason(&plan, "backup-090000"), KeepReason::NoRule);
}

#[test]
fn grandfather_father_and_son_are_kept() {
    // Two a day for 800 days.
    let entries: Vec<_> = (0..1600).map(|half_day| backup(12 * half_day)).collect();
    let policy = Policy {
        keep_last: 3,
        keep_daily: 7,
        keep_weekly: 4,
        keep_monthly: 6,
        keep_yearly: 3,
        ..Policy::default()
    };
    let plan = plan(now(), entries, &policy);
    let count = |wanted: &KeepReason| {
        let kept = |d: &&Decision| d.action == Action::Keep(wanted.clone());
        plan.decisions.iter().filter(kept).count()
    };
    // The newest three are of two days, which leaves five to the daily rule; the last of 2025 is
    // the newest of its month already.
    assert_eq!(count(&KeepReason::Newest), 1);
    assert_eq!(count(&KeepReason::Last), 2);
    assert_eq!(count(&KeepReason::Daily), 5);
    assert_eq!(count(&KeepReason::Weekly), 3);
    assert_eq!(count(&KeepReason::Monthly), 5);
    assert_eq!(count(&KeepReason::Yearly), 1);
}

fn any_entry() -> impl Strategy<Value = Entry> {
    (-100i64..30_000, any::<[bool; 2]>(), 0..8u8, any::<u32>()).prop_map(
        |(hours, [busy, passed], kind, number)| {
            let time = now() - chrono::Duration::hours(hours);
            let kind = match kind {
                0 => Kind::Partial,
                1 => Kind::Foreign,
                _ => Kind::Backup { time },
            };
            Entry { busy, passed, ..entry(&format!("{number}"), kind) }
        },
    )
}

proptest! {
    #[test]
    fn no_plan_removes_what_must_stay(
        entries in proptest::collection::vec(any_entry(), 0..40),
        days in proptest::option::of(0u32..1500),
        keep in any::<[u8; 5]>(),
    ) {
        let [last, daily, weekly, monthly, yearly] = keep.map(|n| usize::from(n % 9));
        let policy = Policy {
            older_than: days.map(|days| DAY * days),
            keep_last: last,
            keep_daily: daily,
            keep_weekly: weekly,
            keep_monthly: monthly,
            keep_yearly: yearly,
        };
        let number = entries.len();
        let time = |entry: &Entry| match entry.kind {
            Kind::Backup { time } => Some(time),
            _ => None,
        };
        let newest = entries.iter().filter_map(time).max();
        let newest_passed = entries.iter().filter(|entry| entry.passed).filter_map(time).max();
        let plan = plan(now(), entries, &policy);
        prop_assert_eq!(plan.decisions.len(), number);
        let mut backups_seen = 0;
        for decision in &plan.decisions {
            let entry = &decision.entry;
            let goes = matches!(decision.action, Action::Remove(_));
            prop_assert!(!(goes && entry.busy));
            prop_assert!(!(goes && entry.kind == Kind::Foreign));
            if let Some(time) = time(entry) {
                prop_assert!(!(goes && Some(time) == newest));
                prop_assert!(!(goes && entry.passed && Some(time) == newest_passed));
                prop_assert!(!(goes && backups_seen < last));
                backups_seen += 1;
                if let Some(limit) = policy.older_than {
                    let age = (now() - time).to_std().unwrap_or_default();
                    prop_assert!(!(goes && age <= limit));
                }
            }
        }
    }
}
