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
        globals: None,
        signature: None,
        database: None,
        proven: None,
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
    let good = |hours| Entry { proven: Some(Proven::Sound), ..backup(hours) };
    let entries = vec![backup(1), backup(8000), good(9000), good(9100)];
    let plan = plan(now(), entries, &older_than(1));
    assert_eq!(removed(&plan), ["backup-008000", "backup-009100"]);
    assert_eq!(reason(&plan, "backup-009000"), KeepReason::NewestPassed);
}

#[test]
fn a_bad_backup_of_the_day_leaves_its_place_to_the_good_one() {
    let proven = |hours, proven| Entry { proven: Some(proven), ..backup(hours) };
    let entries = vec![
        proven(1, Proven::Bad),
        proven(5, Proven::Sound),
        proven(24, Proven::Bad),
        proven(28, Proven::Sound),
        proven(48, Proven::Bad),
        backup(52),
        backup(76),
    ];
    let three_days = Policy { keep_daily: 3, ..Policy::default() };
    let plan = plan(now(), entries, &three_days);
    assert_eq!(removed(&plan), ["backup-000024", "backup-000048", "backup-000076"]);
    // It is the newest, and stays; its day has another all the same.
    assert_eq!(reason(&plan, "backup-000001"), KeepReason::Newest);
    assert_eq!(reason(&plan, "backup-000005"), KeepReason::NewestPassed);
    assert_eq!(reason(&plan, "backup-000028"), KeepReason::Daily);
    assert_eq!(reason(&plan, "backup-000052"), KeepReason::Daily);
    let whys: Vec<String> = plan
        .removals()
        .map(|decision| match &decision.action {
            Action::Remove(why) => why.to_string(),
            Action::Keep(why) => why.to_string(),
        })
        .collect();
    assert_eq!(whys[0], "proven bad, fills no place");
    assert_eq!(whys[2], "kept by no rule");
}

#[test]
fn where_all_is_proven_bad_the_rules_keep_it_and_where_one_is_not_that_one_stays() {
    let bad = |hours| Entry { proven: Some(Proven::Bad), ..backup(hours) };
    let two = Policy { keep_last: 2, ..Policy::default() };
    let all_bad = plan(now(), vec![bad(1), bad(2), bad(3)], &two);
    assert_eq!(removed(&all_bad), ["backup-000003"]);
    assert_eq!(reason(&all_bad, "backup-000002"), KeepReason::Last);
    let entries = vec![bad(900), bad(1000), backup(2000), backup(3000)];
    let plan = plan(now(), entries, &older_than(1));
    assert_eq!(removed(&plan), ["backup-001000", "backup-003000"]);
    assert_eq!(reason(&plan, "backup-002000"), KeepReason::NewestNotBad);
    assert_eq!(KeepReason::NewestNotBad.to_string(), "the newest that is not proven bad");
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
    assert_eq!(KeepReason::NoRule.to_string(), "no rule says that it may go");
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

#[test]
fn a_backup_that_stays_anyway_counts_as_one_that_is_kept() {
    let busy = Entry { busy: true, ..backup(30) };
    let two = Policy { keep_last: 2, keep_daily: 2, ..Policy::default() };
    let plan = plan(now(), vec![backup(1), busy, backup(60), backup(90)], &two);
    assert_eq!(removed(&plan), ["backup-000060", "backup-000090"]);
}

/// Backups, and what else lies beside them, at different minutes: some days with many, some years
/// with few.
fn any_calendar() -> impl Strategy<Value = Vec<Entry>> {
    let minute = prop_oneof![-2_000i64..40_000, -2_000i64..2_100_000];
    let proven = prop_oneof![
        5 => Just(None),
        3 => Just(Some(Proven::Sound)),
        2 => Just(Some(Proven::Bad)),
    ];
    let what = (proptest::bool::weighted(0.1), proven, 0..10u8);
    // In some directories nothing is proven sound.
    let any_sound = any::<bool>();
    let calendar = proptest::collection::btree_map(minute, what, 0..60);
    (calendar, any_sound).prop_map(|(calendar, any_sound)| {
        let entry = |(minutes, (busy, proven, kind)): (i64, (bool, Option<Proven>, u8))| {
            let proven = proven.filter(|proven| any_sound || *proven == Proven::Bad);
            let time = now() - chrono::Duration::minutes(minutes);
            let kind = match kind {
                0 => Kind::Partial,
                1 => Kind::Foreign,
                _ => Kind::Backup { time },
            };
            Entry { busy, proven, ..entry(&format!("{time}"), kind) }
        };
        calendar.into_iter().map(entry).collect()
    })
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let days = proptest::option::of(0u32..1500);
    (days, proptest::array::uniform5(0usize..9)).prop_map(|(days, keep)| {
        let [keep_last, keep_daily, keep_weekly, keep_monthly, keep_yearly] = keep;
        let older_than = days.map(|days| DAY * days);
        Policy { older_than, keep_last, keep_daily, keep_weekly, keep_monthly, keep_yearly }
    })
}

fn time_of(entry: &Entry) -> Option<DateTime<Utc>> {
    match entry.kind {
        Kind::Backup { time } => Some(time),
        Kind::Partial | Kind::Foreign => None,
    }
}

fn kept(plan: &Plan) -> Vec<Entry> {
    let stays = |decision: &&Decision| matches!(decision.action, Action::Keep(_));
    plan.decisions.iter().filter(stays).map(|decision| decision.entry.clone()).collect()
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

fn names<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Vec<String> {
    entries.into_iter().map(|entry| entry.name.clone()).collect()
}

proptest! {
    #[test]
    fn no_plan_removes_what_must_stay(entries in any_calendar(), policy in any_policy()) {
        let newest_of = |is: fn(&Entry) -> bool| {
            entries.iter().filter(|entry| is(entry)).filter_map(time_of).max()
        };
        let newest = newest_of(|_| true);
        let newest_passed = newest_of(|entry| entry.proven == Some(Proven::Sound));
        let newest_not_bad = newest_of(|entry| !entry.is_bad());
        let plan = plan(now(), entries, &policy);
        let mut not_bad_seen = 0;
        for decision in &plan.decisions {
            let entry = &decision.entry;
            let goes = matches!(decision.action, Action::Remove(_));
            prop_assert!(!(goes && entry.busy));
            prop_assert!(!(goes && entry.kind == Kind::Foreign));
            if let Some(time) = time_of(entry) {
                prop_assert!(!(goes && Some(time) == newest));
                prop_assert!(!(goes && Some(time) == newest_passed));
                prop_assert!(!(goes && Some(time) == newest_not_bad));
                prop_assert!(!goes || policy.has_rules());
                if !entry.is_bad() {
                    prop_assert!(!(goes && not_bad_seen < policy.keep_last));
                    not_bad_seen += 1;
                }
                if let Some(limit) = policy.older_than {
                    let age = (now() - time).to_std().unwrap_or_default();
                    prop_assert!(!(goes && age <= limit));
                }
            }
        }
    }

    #[test]
    fn what_is_proven_bad_takes_no_place_from_another(
        entries in any_calendar(),
        policy in any_policy(),
    ) {
        let good: Vec<Entry> = entries.iter().filter(|entry| !entry.is_bad()).cloned().collect();
        let with = plan(now(), entries, &policy);
        let without = plan(now(), good, &policy);
        for name in removed(&with) {
            let is_bad = |d: &&Decision| d.entry.name == name && d.entry.is_bad();
            prop_assert!(
                removed(&without).contains(&name) || with.decisions.iter().any(|d| is_bad(&d)),
                "{}", name
            );
        }
    }

    #[test]
    fn where_nothing_is_proven_sound_what_is_proven_bad_stays_as_long_as_any_other(
        entries in any_calendar(),
        policy in any_policy(),
    ) {
        let unknown = |entry: &Entry| Entry { proven: None, ..entry.clone() };
        let as_unknown: Vec<Entry> = entries.iter().map(unknown).collect();
        let none_sound = |entry: &Entry| {
            Entry { proven: entry.proven.filter(|_| entry.is_bad()), ..entry.clone() }
        };
        let entries: Vec<Entry> = entries.iter().map(none_sound).collect();
        let (known, unknown) = (plan(now(), entries, &policy), plan(now(), as_unknown, &policy));
        for name in removed(&known) {
            prop_assert!(removed(&unknown).contains(&name), "{}", name);
        }
    }

    #[test]
    fn a_plan_decides_every_entry_once(entries in any_calendar(), policy in any_policy()) {
        let before = sorted(names(&entries));
        let plan = plan(now(), entries, &policy);
        let decided = plan.decisions.iter().map(|decision| &decision.entry);
        prop_assert_eq!(sorted(names(decided)), before);
    }

    #[test]
    fn a_rule_keeps_exactly_the_newest_of_each_of_the_last_periods_that_have_one(
        minutes in proptest::collection::btree_set(-2_000i64..2_100_000, 1..80),
        number in 1usize..12,
    ) {
        let backup = |minutes: &i64| {
            let time = now() - chrono::Duration::minutes(*minutes);
            entry(&format!("{time}"), Kind::Backup { time })
        };
        // The newest first.
        let backups: Vec<Entry> = minutes.iter().map(backup).collect();
        let none = Policy::default;
        for (period, policy) in [
            ("%F %T", Policy { keep_last: number, ..none() }),
            ("%F", Policy { keep_daily: number, ..none() }),
            ("%G week %V", Policy { keep_weekly: number, ..none() }),
            ("%Y-%m", Policy { keep_monthly: number, ..none() }),
            ("%Y", Policy { keep_yearly: number, ..none() }),
        ] {
            let period_of = |entry: &Entry| time_of(entry).unwrap().format(period).to_string();
            let mut expected: Vec<&Entry> = Vec::new();
            for backup in &backups {
                if expected.last().is_none_or(|last| period_of(last) != period_of(backup)) {
                    expected.push(backup);
                }
            }
            expected.truncate(number);
            let plan = plan(now(), backups.clone(), &policy);
            prop_assert_eq!(names(&kept(&plan)), names(expected), "{}", period);
        }
    }

    #[test]
    fn a_stricter_policy_never_removes_less(
        entries in any_calendar(),
        strict in any_policy(),
        more in any_policy(),
    ) {
        prop_assume!(strict.has_rules());
        let lax = Policy {
            older_than: match (strict.older_than, more.older_than) {
                (Some(limit), Some(longer)) => Some(limit + longer),
                (limit, longer) => limit.or(longer),
            },
            keep_last: strict.keep_last + more.keep_last,
            keep_daily: strict.keep_daily + more.keep_daily,
            keep_weekly: strict.keep_weekly + more.keep_weekly,
            keep_monthly: strict.keep_monthly + more.keep_monthly,
            keep_yearly: strict.keep_yearly + more.keep_yearly,
        };
        let (strict, lax) = (plan(now(), entries.clone(), &strict), plan(now(), entries, &lax));
        for name in removed(&lax) {
            prop_assert!(removed(&strict).contains(&name), "{}", name);
        }
    }

    #[test]
    fn a_clean_up_after_a_clean_up_removes_nothing(
        entries in any_calendar(),
        policy in any_policy(),
    ) {
        let left = kept(&plan(now(), entries, &policy));
        let again = plan(now(), left.clone(), &policy);
        prop_assert_eq!(removed(&again), [""; 0]);
        prop_assert_eq!(again.decisions.len(), left.len());
    }
}
