//! Every restored table against the dump and the manifest: as many rows, and the same contents.

use std::collections::HashMap;

use super::read_back::Found;
use crate::dump::contents::DatabaseContents;
use crate::model::contents::{Table, TableFingerprint};
use crate::model::fingerprint::Fingerprint;
use crate::model::outcome::{CheckResult, Section, Status, counted, grouped};

/// Settles what was found of tables whose rows the dump has in several orders of columns: it loads
/// partitions through their root (`--load-via-partition-root`), and they differ in that. The root
/// can be compared with all of them together, and by their number only. Gives these tables' names.
pub fn settle_mixed(tables: &[Table], found: &mut [Found]) -> Vec<String> {
    let mut by_name: HashMap<_, Vec<usize>> = HashMap::new();
    for (index, table) in tables.iter().enumerate() {
        by_name.entry((&table.schema, &table.name)).or_default().push(index);
    }
    let mut mixed: Vec<Vec<usize>> = by_name.into_values().filter(|all| all.len() > 1).collect();
    mixed.sort();
    for orders in &mixed {
        let all: u64 = orders.iter().map(|index| tables[*index].fingerprint.rows).sum();
        for index in orders {
            let Found::Rows(rows) = &found[*index] else { continue };
            let dump = tables[*index].fingerprint;
            let rows = rows.rows.saturating_sub(all - dump.rows);
            let sum = if rows == dump.rows { dump.sum } else { Fingerprint::default() };
            found[*index] = Found::Rows(TableFingerprint { rows, sum });
        }
    }
    mixed.iter().map(|all| tables[all[0]].display_name()).collect()
}

/// Settles what was found of tables that the dump itself changes after their rows: what differs is no
/// proof. Gives what is not proven of each.
pub fn settle_changed(dump: &DatabaseContents, found: &mut [Found]) -> Vec<String> {
    let mut not_proven = Vec::new();
    for (table, found) in dump.tables.iter().zip(found) {
        let expected = Found::Rows(table.fingerprint);
        if *found != expected
            && let Some(changed) = dump.changed(table)
        {
            not_proven.push(format!("rows and contents of {}: {changed}", table.display_name()));
            *found = expected;
        }
    }
    not_proven
}

/// One table, as the backup has it and as it was found.
#[derive(Debug)]
pub struct Compared<'a> {
    /// `schema.table`.
    pub name: String,
    /// In the dump.
    pub dump: TableFingerprint,
    /// In the manifest; `None` without one, or where it does not have the table.
    pub manifest: Option<TableFingerprint>,
    /// In the restored database.
    pub found: &'a Found,
}

/// Whether every table has as many rows as the dump, and as the manifest where there is one.
pub fn judge_rows(tables: &[Compared], not_in_dump: &[String], has_manifest: bool) -> CheckResult {
    let mut untold = Vec::new();
    let mut wrong: Vec<String> = not_in_dump
        .iter()
        .map(|name| format!("{name}: in the manifest, not in the dump"))
        .collect();
    for table in tables {
        let in_dump = table.dump.rows;
        match (table.found, table.manifest) {
            (Found::Refused(refusal), _) => {
                wrong.push(format!("{}: cannot be read: {}", table.name, refusal.message));
            }
            (_, None) if has_manifest => {
                wrong.push(format!("{}: in the dump, not in the manifest", table.name));
            }
            (_, Some(manifest)) if manifest.rows != in_dump => wrong.push(format!(
                "{}: expected {} rows by the manifest, found {} in the dump",
                table.name,
                grouped(manifest.rows),
                grouped(in_dump)
            )),
            (Found::Untold { counted: false, why }, _) => {
                untold.push(format!("{}: {why}", table.name));
            }
            (Found::Rows(found), _) if found.rows != in_dump => wrong.push(format!(
                "{}: expected {} rows, found {}",
                table.name,
                grouped(in_dump),
                grouped(found.rows)
            )),
            _ => {}
        }
    }
    let rows: u64 = tables.iter().map(|table| table.dump.rows).sum();
    let title = format!(
        "Rows match the backup ({}, {})",
        counted(tables.len() as u64, "table"),
        counted(rows, "row")
    );
    let id = "contents.rows";
    if wrong.is_empty() {
        return verdict(id, Status::NotRun, title, "Rows could not be compared", untold);
    }
    verdict(id, Status::Failed, title, "Rows do not match the backup", wrong)
}

/// Whether every table has the contents of the dump, and of the manifest where there is one.
/// Tables with a wrong number of rows are left to [`judge_rows`].
pub fn judge_contents(tables: &[Compared]) -> CheckResult {
    let (mut wrong, mut untold) = (Vec::new(), Vec::new());
    for table in tables {
        match (table.manifest, table.found) {
            (Some(manifest), _)
                if manifest.rows == table.dump.rows && manifest.sum != table.dump.sum =>
            {
                wrong.push(format!(
                    "{}: the dump is not what was written: expected fingerprint {manifest}, \
                     found {}",
                    table.name, table.dump
                ));
            }
            (_, Found::Rows(found))
                if found.rows == table.dump.rows && found.sum != table.dump.sum =>
            {
                wrong.push(format!(
                    "{}: restored values differ from the dump: expected fingerprint {}, \
                     found {found}",
                    table.name, table.dump
                ));
            }
            (_, Found::Misplaced { source, restored }) => wrong.push(format!(
                "{}: restored values are in other columns: they are of {source}, and the table has \
                 {restored}",
                table.name
            )),
            (_, Found::Untold { counted: true, why }) => {
                untold.push(format!("{}: {why}", table.name));
            }
            _ => {}
        }
    }
    let title = format!("Contents match the backup ({})", counted(tables.len() as u64, "table"));
    let id = "contents.values";
    if wrong.is_empty() {
        return verdict(id, Status::NotRun, title, "Contents could not be compared", untold);
    }
    verdict(id, Status::Failed, title, "Contents do not match the backup", wrong)
}

/// A check over tables: passed with `title`, or of another status with the tables that are wrong.
fn verdict(
    id: &str,
    status: Status,
    title: String,
    failed: &str,
    wrong: Vec<String>,
) -> CheckResult {
    let Some(first) = wrong.first() else {
        return CheckResult::new(id, Section::Contents, Status::Passed, title);
    };
    // The summary shows titles only, so the first table is in it.
    if wrong.len() == 1 {
        let title = format!("{failed}: {first}");
        return CheckResult::new(id, Section::Contents, status, title);
    }
    let title = format!("{failed} in {} tables, the first: {first}", wrong.len());
    let mut result = CheckResult::new(id, Section::Contents, status, title);
    result.details = wrong;
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::contents::Columns;

    fn print(rows: u64, sum: u128) -> TableFingerprint {
        TableFingerprint { rows, sum: Fingerprint(sum) }
    }

    fn compared(
        dump: TableFingerprint,
        manifest: Option<TableFingerprint>,
        found: &Found,
    ) -> Compared<'_> {
        Compared { name: "public.users".into(), dump, manifest, found }
    }

    #[test]
    fn equal_rows_and_values_pass() {
        let found = Found::Rows(print(2, 9));
        let tables = [compared(print(2, 9), Some(print(2, 9)), &found)];
        assert_eq!(judge_rows(&tables, &[], true).status, Status::Passed);
        assert_eq!(judge_contents(&tables).status, Status::Passed);
    }

    #[test]
    fn partitions_with_other_orders_of_columns_are_compared_by_their_number_of_rows() {
        let part = |columns: &[&str], rows| Table {
            schema: "public".into(),
            name: "events".into(),
            columns: Columns::Named(columns.iter().map(|name| (*name).into()).collect()),
            fingerprint: print(rows, u128::from(rows)),
            bytes: 0,
            spans: Vec::new(),
        };
        let tables = [part(&["a", "b"], 30), part(&["b", "a"], 10)];
        let all = |rows| vec![Found::Rows(print(rows, 5)), Found::Rows(print(rows, 6))];
        let mut found = all(40);
        assert_eq!(settle_mixed(&tables, &mut found), ["public.events"]);
        assert_eq!(found, [Found::Rows(print(30, 30)), Found::Rows(print(10, 10))]);
        let mut lost = all(39);
        settle_mixed(&tables, &mut lost);
        assert_eq!(lost[0], Found::Rows(print(29, 0)));
        let mut alone = all(30);
        assert_eq!(settle_mixed(&tables[..1], &mut alone[..1]), [""; 0]);
        assert_eq!(alone, all(30));
    }

    #[test]
    fn a_lost_row_fails_with_table_expected_and_found() {
        let found = Found::Rows(print(1_999, 9));
        let tables = [compared(print(2_000, 9), None, &found)];
        let rows = judge_rows(&tables, &[], false);
        assert_eq!(rows.status, Status::Failed);
        let expected =
            "Rows do not match the backup: public.users: expected 2,000 rows, found 1,999";
        assert_eq!(rows.title, expected);
        assert_eq!(judge_contents(&tables).status, Status::Passed);
    }

    #[test]
    fn a_changed_value_fails_the_contents_and_not_the_rows() {
        let found = Found::Rows(print(2, 8));
        let tables = [compared(print(2, 9), None, &found)];
        assert_eq!(judge_rows(&tables, &[], false).status, Status::Passed);
        assert_eq!(judge_contents(&tables).status, Status::Failed);
        let same = Found::Rows(print(2, 9));
        let tables = [compared(print(2, 9), Some(print(2, 7)), &same)];
        assert_eq!(judge_contents(&tables).status, Status::Failed);
    }

    #[test]
    fn a_table_that_only_one_side_has_fails() {
        let found = Found::Rows(print(2, 9));
        let tables = [compared(print(2, 9), None, &found)];
        assert_eq!(judge_rows(&tables, &[], true).status, Status::Failed);
        assert_eq!(judge_rows(&tables, &["public.gone".into()], true).status, Status::Failed);
    }
}
