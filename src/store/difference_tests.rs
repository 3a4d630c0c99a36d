use super::*;
use crate::model::contents::{ObjectContents, Sequence, StatementsOfKind};
use crate::model::fingerprint::Fingerprint;

fn table(name: &str, columns: &[&str], rows: u64, sum: u128) -> Table {
    Table {
        schema: "public".into(),
        name: name.into(),
        columns: Columns::Named(columns.iter().map(|it| (*it).to_owned()).collect()),
        fingerprint: TableFingerprint { rows, sum: Fingerprint(sum) },
        bytes: 0,
        spans: Vec::new(),
    }
}

fn known(tables: Vec<Table>) -> Known {
    Known {
        backup: "x".into(),
        created_at: None,
        database: None,
        contents: Contents { tables, ..Contents::default() },
        written: Written {
            encoding: Some("UTF8".into()),
            time_zone: Some("UTC".into()),
            bytea_output: Some("hex".into()),
            server: Some(15),
        },
        made: Made { pg_dump: Some(15), options: Some(DumpOptions::default()), is_plain: true },
    }
}

fn told(difference: &Difference) -> Vec<(String, Told, Told)> {
    let tables = difference.tables.iter();
    tables.map(|table| (table.name.clone(), table.told(), table.contents)).collect()
}

#[test]
fn a_backup_is_the_same_as_itself() {
    let one = known(vec![table("a", &["x"], 2, 7), table("b", &[], 0, 0)]);
    let difference = compare(&one, &one);
    assert_eq!((difference.told(), difference.same_tables), (Told::Same, 2));
    assert_eq!(difference.not_comparable, Vec::<String>::new());
}

#[test]
fn tables_come_and_go_and_have_other_rows() {
    use Told::{Different, Same};
    let a = known(vec![
        table("gone", &["x"], 1, 1),
        table("more", &["x"], 1, 1),
        table("other", &["x"], 1, 1),
        table("same", &["x"], 1, 1),
        table("wider", &["x"], 0, 0),
    ]);
    let b = known(vec![
        table("same", &["x"], 1, 1),
        table("more", &["x"], 2, 1),
        table("new", &["x"], 1, 1),
        table("other", &["x"], 1, 2),
        table("wider", &["x", "y"], 0, 0),
    ]);
    let difference = compare(&a, &b);
    let named = |name: &str, told, contents| (name.to_owned(), told, contents);
    assert_eq!(
        told(&difference),
        [
            named("gone", Different, Different),
            named("more", Different, Different),
            named("new", Different, Different),
            named("other", Different, Different),
            named("wider", Different, Same),
        ]
    );
    assert_eq!(difference.tables[4].columns_only_in_b, ["y"]);
    assert_eq!((difference.same_tables, difference.told()), (1, Different));
}

#[test]
fn an_empty_table_is_missing_where_rows_are_statements() {
    let a = known(vec![table("none", &["x"], 0, 0)]);
    let mut b = known(Vec::new());
    assert_eq!(compare(&a, &b).told(), Told::Different);
    b.made.options = Some(DumpOptions { inserts: true, ..DumpOptions::default() });
    assert_eq!(compare(&a, &b).told(), Told::Same);
    assert_eq!(compare(&b, &a).told(), Told::Same);
}

#[test]
fn rows_that_are_written_otherwise_are_never_the_same() {
    let a = known(vec![table("a", &["x"], 1, 1), table("none", &["x"], 0, 0)]);
    for (field, why) in [
        (Written { time_zone: Some("Asia/Tokyo".into()), ..a.written.clone() }, "time zone"),
        (Written { encoding: Some("LATIN1".into()), ..a.written.clone() }, "encoding"),
        (Written { bytea_output: Some("escape".into()), ..a.written.clone() }, "bytea_output"),
        (Written { server: Some(11), ..a.written.clone() }, "floats"),
    ] {
        let b = Known { written: field, ..a.clone() };
        let difference = compare(&a, &b);
        assert_eq!(difference.told(), Told::NotComparable);
        assert_eq!(told(&difference), [("a".to_owned(), Told::NotComparable, Told::NotComparable)]);
        assert!(difference.not_comparable[0].contains(why), "{difference:?}");
        // Other rows are other rows, however they are written.
        let b = Known { contents: known(vec![table("a", &["x"], 2, 1)]).contents, ..b };
        assert_eq!(compare(&a, &b).told(), Told::Different);
    }
    let unknown = Known { written: Written::default(), ..a.clone() };
    assert_eq!(compare(&a, &unknown).told(), Told::Same);
}

#[test]
fn values_in_another_order_are_not_comparable_by_their_fingerprint() {
    let a = known(vec![table("a", &["x", "y"], 1, 1)]);
    let b = known(vec![table("a", &["y", "x"], 1, 2)]);
    assert_eq!(compare(&a, &b).told(), Told::NotComparable);
}

#[test]
fn sequences_large_objects_and_the_revision_are_compared() {
    let mut a = known(Vec::new());
    let mut b = a.clone();
    let sequence =
        |last_value| Sequence { schema: "s".into(), name: "q".into(), last_value, is_called: true };
    a.contents.sequences = vec![sequence(1)];
    b.contents.sequences = vec![sequence(2)];
    let difference = compare(&a, &b);
    assert_eq!((difference.sequences.len(), difference.told()), (1, Told::Different));
    b.contents.sequences = vec![sequence(1)];
    b.contents.revision = Some("x".into());
    assert_eq!(compare(&a, &b).told(), Told::Different);
    b.contents.revision = None;
    let objects = |sum| LargeObjects {
        count: 1,
        contents: Some(ObjectContents { bytes: 1, fingerprint: Fingerprint(sum) }),
    };
    a.contents.large_objects = objects(1);
    b.contents.large_objects = objects(2);
    assert_eq!(compare(&a, &b).told(), Told::Different);
    b.contents.large_objects = objects(1);
    assert_eq!(compare(&a, &b).told(), Told::Same);
    b.contents.large_objects.contents = None;
    assert_eq!(compare(&a, &b).told(), Told::NotComparable);
}

#[test]
fn definitions_are_compared_by_kind_where_they_were_made_alike() {
    let of = |kind: &str, sum| StatementsOfKind {
        kind: kind.into(),
        count: 1,
        fingerprint: Fingerprint(sum),
    };
    let mut a = known(Vec::new());
    let mut b = a.clone();
    a.contents.statements = vec![of("TABLE", 1), of("SEQUENCE SET", 1), of("INDEX", 1)];
    b.contents.statements = vec![of("TABLE", 2), of("SEQUENCE SET", 2), of("INDEX", 1)];
    let difference = compare(&a, &b);
    assert_eq!(difference.statements.len(), 1);
    assert_eq!((&*difference.statements[0].kind, difference.told()), ("TABLE", Told::Different));
    let other = |made: Made| compare(&a, &Known { made, ..b.clone() });
    for made in [
        Made { pg_dump: Some(17), ..a.made.clone() },
        Made { is_plain: false, ..a.made.clone() },
        Made { options: None, ..a.made.clone() },
        Made {
            options: Some(DumpOptions { owners: false, ..DumpOptions::default() }),
            ..a.made.clone()
        },
    ] {
        let difference = other(made);
        assert_eq!(difference.told(), Told::NotComparable);
        assert!(difference.not_comparable[0].starts_with("definitions: "), "{difference:?}");
    }
}

#[test]
fn what_was_not_recorded_is_not_the_same() {
    let a = known(Vec::new());
    let mut b = a.clone();
    b.contents.not_recorded = vec!["rows of INSERT statements".into()];
    let difference = compare(&a, &b);
    assert_eq!(difference.told(), Told::NotComparable);
    assert_eq!(difference.not_comparable, ["B has no record of rows of INSERT statements"]);
}
