//! About as many rows as in an earlier backup that passed: a table that was emptied by mistake is in a good backup, too.

use std::collections::BTreeMap;

use crate::model::contents::Table;
use crate::model::outcome::{CheckResult, Section, Status, grouped};

/// What is said of any table is not said of those that had fewer rows than this: of three rows, one is much.
const FEW: u64 = 100;
/// Tables that are named.
const NAMED: usize = 10;
const ID: &str = "earlier.rows";

/// How many rows fewer or more there may be, in percent of those before.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Bound {
    /// Fewer.
    pub max_drop: Option<f64>,
    /// More.
    pub max_growth: Option<f64>,
}

impl Bound {
    /// Whether it allows anything.
    pub fn is_none(&self) -> bool {
        self.max_drop.is_none() && self.max_growth.is_none()
    }

    /// What this number of rows is too much or too little for.
    fn broken(&self, before: u64, now: u64) -> Option<String> {
        #[expect(clippy::cast_precision_loss, reason = "a percentage")]
        let percent = |of: u64| of as f64 * 100.0 / before as f64;
        let (change, allowed, word) = match now.checked_sub(before) {
            None => (percent(before - now), self.max_drop?, "fewer"),
            // Of nothing, nothing is a part.
            Some(_) if before == 0 => return None,
            Some(more) => (percent(more), self.max_growth?, "more"),
        };
        (change > allowed).then(|| format!("{} % {word}, {allowed} % allowed", tenths(change)))
    }
}

/// With one decimal, and none where there is nothing behind the point.
fn tenths(number: f64) -> String {
    let text = format!("{number:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// What the numbers of rows are held to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bounds {
    /// All tables together, and each that had some rows.
    pub any: Bound,
    /// Tables by their names: the schema, where it is said, and the name.
    pub of: Vec<(Option<String>, String, Bound)>,
}

impl Bounds {
    /// Whether nothing is held to anything.
    pub fn is_empty(&self) -> bool {
        self.any.is_none() && self.of.iter().all(|(_, _, bound)| bound.is_none())
    }

    /// What a table is held to that is named, or that had so many rows.
    fn of_table(&self, (schema, name): (&str, &str), before: u64) -> Bound {
        let is_meant = |of: &&(Option<String>, String, Bound)| {
            of.1 == name && of.0.as_ref().is_none_or(|of| of == schema)
        };
        let own = self.of.iter().find(is_meant).map(|(_, _, bound)| *bound).unwrap_or_default();
        let any = if before < FEW { Bound::default() } else { self.any };
        Bound {
            max_drop: own.max_drop.or(any.max_drop),
            max_growth: own.max_growth.or(any.max_growth),
        }
    }

    fn names(&self, (schema, name): (&str, &str)) -> bool {
        self.of.iter().any(|of| of.1 == name && of.0.as_ref().is_none_or(|of| of == schema))
    }
}

/// Rows by schema and name of their table.
type Rows<'a> = BTreeMap<(&'a str, &'a str), u64>;

fn rows(tables: &[Table]) -> Rows<'_> {
    let mut rows = Rows::new();
    for table in tables {
        *rows.entry((&table.schema, &table.name)).or_default() += table.fingerprint.rows;
    }
    rows
}

/// Compares the rows of each table with those of an earlier backup, of this name.
pub fn judge(now: &[Table], before: &[Table], earlier: &str, bounds: &Bounds) -> CheckResult {
    let (now, before) = (rows(now), rows(before));
    let (mut broken, mut gone, mut compared) = (Vec::new(), Vec::new(), 0);
    for (table, had) in &before {
        let has = now.get(table).copied();
        let label = format!("{}.{}", table.0, table.1);
        if has.is_none() && !bounds.names(*table) {
            gone.push(label);
            continue;
        }
        compared += 1;
        let has = has.unwrap_or(0);
        if let Some(why) = bounds.of_table(*table, *had).broken(*had, has) {
            broken.push(format!("{label} has {}, before {} ({why})", grouped(has), grouped(*had)));
        }
    }
    let (has, had): (u64, u64) = (now.values().sum(), before.values().sum());
    if let Some(why) = bounds.any.broken(had, has) {
        let all = format!("all tables have {}, before {} ({why})", grouped(has), grouped(had));
        broken.insert(0, all);
    }
    let result = |status, title: String| CheckResult::new(ID, Section::Earlier, status, title);
    let mut check = match broken.first() {
        Some(first) => {
            let title = format!("Rows are not about those of {earlier}: {first}");
            let mut check = result(Status::Failed, title);
            check.details.extend(broken.iter().skip(1).take(NAMED).cloned());
            match broken.len().saturating_sub(NAMED + 1) {
                0 => check,
                more => check.detail(format!("and {more} more")),
            }
        }
        None => {
            let s = if compared == 1 { "" } else { "s" };
            let title = format!(
                "Rows are about those of {earlier} ({compared} table{s}; {} in all, before {})",
                grouped(has),
                grouped(had)
            );
            result(Status::Passed, title)
        }
    };
    if !gone.is_empty() {
        gone.truncate(NAMED);
        check = check.detail(format!("no longer there, and not compared: {}", gone.join(", ")));
    }
    check
}

/// There is nothing to compare with, for this reason.
pub fn not_compared(why: &str) -> CheckResult {
    let title = format!("Rows are compared with no earlier backup: {why}");
    CheckResult::new(ID, Section::Earlier, Status::Shown, title)
}

/// It could not be told what there is to compare with.
pub fn untold(why: &str) -> CheckResult {
    CheckResult { status: Status::NotRun, ..not_compared(why) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::contents::{Columns, TableFingerprint};

    fn table(name: &str, rows: u64) -> Table {
        Table {
            schema: "public".into(),
            name: name.into(),
            columns: Columns::Named(Vec::new()),
            fingerprint: TableFingerprint { rows, ..TableFingerprint::default() },
            bytes: 0,
            spans: Vec::new(),
        }
    }

    fn judged(now: &[(&str, u64)], before: &[(&str, u64)], bounds: &Bounds) -> CheckResult {
        let tables =
            |of: &[(&str, u64)]| of.iter().map(|(name, rows)| table(name, *rows)).collect();
        let (now, before): (Vec<Table>, Vec<Table>) = (tables(now), tables(before));
        judge(&now, &before, "monday.sql", bounds)
    }

    fn any(max_drop: f64, max_growth: f64) -> Bounds {
        let any = Bound { max_drop: Some(max_drop), max_growth: Some(max_growth) };
        Bounds { any, of: Vec::new() }
    }

    #[test]
    fn a_table_that_lost_or_gained_more_than_it_may_fails_with_its_numbers() {
        let bounds = any(20.0, 300.0);
        let before = [("users", 1_000), ("orders", 50_000)];
        let same = judged(&[("users", 800), ("orders", 200_000)], &before, &bounds);
        assert_eq!(same.status, Status::Passed, "{same:?}");
        assert_eq!(
            same.title,
            "Rows are about those of monday.sql (2 tables; 200,800 in all, before 51,000)"
        );
        let fewer = judged(&[("users", 12), ("orders", 50_000)], &before, &bounds);
        assert_eq!(fewer.status, Status::Failed);
        assert_eq!(
            fewer.title,
            "Rows are not about those of monday.sql: public.users has 12, before 1,000 (98.8 % fewer, 20 % allowed)"
        );
        let more = judged(&[("users", 4_001), ("orders", 50_000)], &before, &bounds);
        assert!(more.title.contains("(300.1 % more, 300 % allowed)"), "{more:?}");
    }

    #[test]
    fn all_tables_together_are_held_to_what_is_said_of_any() {
        let check = judged(&[("a", 99), ("b", 1)], &[("a", 99), ("b", 99)], &any(20.0, 20.0));
        assert!(check.title.contains(": all tables have 100, before 198"), "{check:?}");
        assert_eq!(
            check.details,
            Vec::<String>::new(),
            "small tables are not looked at one by one"
        );
    }

    #[test]
    fn a_table_with_a_rule_of_its_own_is_held_to_that_however_small_it_is_or_gone() {
        let own = Bound { max_drop: Some(0.0), max_growth: None };
        let bounds = Bounds { any: Bound::default(), of: vec![(None, "plans".into(), own)] };
        let status =
            |now: &[(&str, u64)]| judged(now, &[("plans", 3), ("other", 5)], &bounds).status;
        assert_eq!(status(&[("plans", 3)]), Status::Passed);
        assert_eq!(status(&[("plans", 2)]), Status::Failed);
        assert_eq!(status(&[("other", 5)]), Status::Failed);
        let wide = Bound { max_drop: Some(90.0), max_growth: None };
        let bounds =
            Bounds { of: vec![(Some("public".into()), "a".into(), wide)], ..any(20.0, 20.0) };
        let status =
            |a, b| judged(&[("a", a), ("b", b)], &[("a", 200), ("b", 1_000)], &bounds).status;
        assert_eq!((status(100, 1_000), status(200, 700)), (Status::Passed, Status::Failed));
    }

    #[test]
    fn tables_that_are_gone_are_named_and_new_ones_are_nothing() {
        let bounds = any(60.0, 60.0);
        let check = judged(&[("b", 500)], &[("a", 500)], &bounds);
        assert_eq!((check.status, check.details.len()), (Status::Passed, 1));
        assert!(check.details[0].ends_with("public.a"), "{check:?}");
        assert_eq!(judged(&[("a", 5)], &[], &bounds).status, Status::Passed);
        assert_eq!(judged(&[("a", 7)], &[("a", 0)], &bounds).status, Status::Passed);
    }

    #[test]
    fn what_was_not_compared_is_only_shown() {
        let check = not_compared("none of this database passed before");
        assert_eq!(check.status, Status::Shown);
    }
}
