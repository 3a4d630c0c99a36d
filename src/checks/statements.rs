//! The dump has the statements that were written, all of them, in their order.

use crate::model::contents::StatementsOfKind;
use crate::model::fingerprint::Fingerprint;
use crate::model::outcome::{CheckResult, Section, Status, grouped};

/// Compares the statements of the dump with the manifest's, kind by kind; and, where the manifest has it
/// (`order`: the manifest's, and the dump's), their order across kinds.
pub fn judge(
    in_dump: &[StatementsOfKind],
    in_manifest: &[StatementsOfKind],
    order: Option<(Fingerprint, Fingerprint)>,
) -> CheckResult {
    let count = |all: &[StatementsOfKind], kind: &str| {
        all.iter().find(|of| of.kind == kind).map_or(0, |of| of.count)
    };
    let mut wrong = Vec::new();
    for expected in in_manifest.iter().filter(|expected| !in_dump.contains(expected)) {
        let (kind, found) = (&expected.kind, count(in_dump, &expected.kind));
        wrong.push(if found == expected.count {
            format!("{kind}: not what was written, though still {}", grouped(found))
        } else {
            format!("{kind}: expected {}, found {}", grouped(expected.count), grouped(found))
        });
    }
    for found in in_dump.iter().filter(|found| count(in_manifest, &found.kind) == 0) {
        wrong.push(format!("{}: expected none, found {}", found.kind, grouped(found.count)));
    }
    // What differs in its kind differs in the order, too.
    if wrong.is_empty() && order.is_some_and(|(written, found)| written != found) {
        wrong.push("they are not in the order in which they were written".to_owned());
    }
    let id = "file.statements";
    let Some(first) = wrong.first() else {
        let all: u64 = in_dump.iter().map(|of| of.count).sum();
        let title = format!("Statements match the manifest ({})", grouped(all));
        return CheckResult::new(id, Section::File, Status::Passed, title);
    };
    let title = format!("Statements do not match the manifest: {first}");
    let mut result = CheckResult::new(id, Section::File, Status::Failed, title);
    result.details.extend(wrong.into_iter().skip(1));
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: &str, count: u64, fingerprint: u128) -> StatementsOfKind {
        StatementsOfKind { kind: kind.into(), count, fingerprint: Fingerprint(fingerprint) }
    }

    #[test]
    fn the_same_statements_pass() {
        let all = [of("INDEX", 41, 7), of("SET", 1_000, 8)];
        let result = judge(&all, &all, None);
        assert_eq!(result.status, Status::Passed);
        assert_eq!(result.title, "Statements match the manifest (1,041)");
    }

    #[test]
    fn the_same_statements_in_another_order_fail_where_the_order_is_known() {
        let all = [of("INDEX", 41, 7), of("SET", 1_000, 8)];
        let order = |written, found| Some((Fingerprint(written), Fingerprint(found)));
        let status = |order| judge(&all, &all, order).status;
        assert_eq!([status(None), status(order(1, 1))], [Status::Passed; 2]);
        let moved = judge(&all, &all, order(1, 2));
        assert_eq!(moved.status, Status::Failed);
        assert!(moved.title.ends_with(": they are not in the order in which they were written"));
    }

    #[test]
    fn lost_altered_and_added_statements_fail_with_their_kind() {
        let written = [of("INDEX", 41, 7), of("SET", 2, 8)];
        for (in_dump, said) in [
            (&[of("INDEX", 40, 9), of("SET", 2, 8)][..], "INDEX: expected 41, found 40"),
            (&[of("SET", 2, 8)], "INDEX: expected 41, found 0"),
            (
                &[of("INDEX", 41, 9), of("SET", 2, 8)],
                "INDEX: not what was written, though still 41",
            ),
            (
                &[of("DROP", 1, 9), of("INDEX", 41, 7), of("SET", 2, 8)],
                "DROP: expected none, found 1",
            ),
        ] {
            let result = judge(in_dump, &written, Some((Fingerprint(1), Fingerprint(2))));
            assert_eq!(result.status, Status::Failed);
            assert!(result.title.ends_with(said), "{}", result.title);
        }
    }
}
