//! In what two backups differ, as text for people and as JSON for programs; `docs/diff.schema.json` is its
//! schema, made from the types.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::Serialize;

use super::json::pretty;
use super::listing::{Align, printable, table};
use crate::model::difference::{Both, Difference, Side, TableDifference, Told};
use crate::model::outcome::{counted, grouped};

/// The version of the JSON form.
const SCHEMA_VERSION: u32 = 1;

/// In what two backups differ, by ccc-backup.
#[derive(Debug, Serialize, JsonSchema)]
struct Document<'a> {
    /// Version of this format. New fields can appear without a new version.
    #[schemars(extend("const" = SCHEMA_VERSION))]
    schema_version: u32,
    /// What is known of the two.
    told: Told,
    /// What the process exits with: 0 the same, 1 different, 2 it could not be told.
    #[schemars(range(min = 0, max = 2))]
    exit_code: u8,
    /// What was found.
    #[serde(flatten)]
    difference: &'a Difference,
    /// The rows of the table that only one of the backups has, where they were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changed_rows: Vec<ChangedRow<'a>>,
}

/// A row that only one of the backups has.
#[derive(Debug, Serialize, JsonSchema)]
struct ChangedRow<'a> {
    change: Change,
    /// The values as COPY writes them, by the names of their columns, or by their numbers where these have
    /// none.
    values: BTreeMap<Cow<'a, str>, Option<Cow<'a, str>>>,
}

/// Which of the backups has a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The first.
    Removed,
    /// The second.
    Added,
}

/// As JSON. With rows, they follow one by one, and then [`rows_end`].
pub fn json(difference: &Difference, with_rows: bool) -> Vec<u8> {
    let told = difference.told();
    let document = Document {
        schema_version: SCHEMA_VERSION,
        told,
        exit_code: told.exit_code(),
        difference,
        changed_rows: Vec::new(),
    };
    let mut bytes = pretty(&document);
    if with_rows {
        // Without the brace that ends it, and the lines' ends around that.
        bytes.truncate(bytes.len().saturating_sub(3));
        bytes.extend_from_slice(b",\n  \"changed_rows\": [");
    }
    bytes
}

/// A row, behind others or not.
///
/// # Errors
/// None that is known of.
pub fn row_json(
    change: Change,
    columns: &[String],
    values: &[Option<Cow<'_, str>>],
    is_first: bool,
) -> serde_json::Result<Vec<u8>> {
    let name = |at: usize| match columns.get(at) {
        Some(name) => Cow::Borrowed(name.as_str()),
        None => Cow::Owned((at + 1).to_string()),
    };
    let values = values.iter().enumerate().map(|(at, value)| (name(at), value.clone())).collect();
    let mut line = if is_first { b"\n    ".to_vec() } else { b",\n    ".to_vec() };
    serde_json::to_writer(&mut line, &ChangedRow { change, values })?;
    Ok(line)
}

/// What follows the last row of JSON.
pub fn rows_end() -> &'static [u8] {
    b"\n  ]\n}\n"
}

/// The JSON Schema of the document, with a line end.
pub fn schema() -> Vec<u8> {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    pretty(&settings.into_generator().into_root_schema_for::<Document<'_>>())
}

/// As text.
pub fn text(difference: &Difference) -> String {
    let mut text = sides(difference);
    if let Some(rows) = &difference.rows {
        text += &format!(
            "\n{}.{}: {} in both, {} only in A (-), {} only in B (+)\n",
            printable(&rows.schema),
            printable(&rows.name),
            counted(rows.same, "row"),
            grouped(rows.removed),
            grouped(rows.added)
        );
        return text;
    }
    text += &tables(difference);
    text += &sequences(difference);
    text += &statements(difference);
    text += &others(difference);
    text + &sum(difference)
}

fn sides(difference: &Difference) -> String {
    let side = |name: &str, side: &Side| {
        let made = side.created_at.map(|at| at.format("%Y-%m-%d %H:%M UTC").to_string());
        [
            name.to_owned(),
            printable(&side.backup),
            made.unwrap_or_default(),
            format!("{}, {}", counted(side.tables, "table"), counted(side.rows, "row")),
        ]
    };
    let rows = [side("A", &difference.a), side("B", &difference.b)];
    table(&rows, [Align::Left; 4])
}

/// The tables of which something is known to differ.
fn tables(difference: &Difference) -> String {
    let different: Vec<&TableDifference> =
        difference.tables.iter().filter(|table| table.told() == Told::Different).collect();
    if different.is_empty() {
        return String::new();
    }
    let mut rows = vec![["TABLE", "ROWS IN A", "ROWS IN B", "CHANGE", "WHAT"].map(str::to_owned)];
    rows.extend(different.into_iter().map(|table| {
        let number = |rows: Option<u64>| rows.map_or_else(|| "-".to_owned(), grouped);
        let change = match (table.rows.a.unwrap_or(0), table.rows.b.unwrap_or(0)) {
            (a, b) if b > a => format!("+{}", grouped(b - a)),
            (a, b) if a > b => format!("-{}", grouped(a - b)),
            _ => String::new(),
        };
        [
            printable(&format!("{}.{}", table.schema, table.name)),
            number(table.rows.a),
            number(table.rows.b),
            change,
            what(table),
        ]
    }));
    let (left, right) = (Align::Left, Align::Right);
    format!("\n{}", self::table(&rows, [left, right, right, right, left]))
}

fn what(table: &TableDifference) -> String {
    match (table.rows.a, table.rows.b) {
        (_, None) => return "only in A".to_owned(),
        (None, _) => return "only in B".to_owned(),
        _ => {}
    }
    let mut words = Vec::new();
    let columns = |side: &str, columns: &[String]| {
        (!columns.is_empty()).then(|| format!("columns only in {side}: {}", columns.join(", ")))
    };
    words.extend(columns("A", &table.columns_only_in_a));
    words.extend(columns("B", &table.columns_only_in_b));
    if table.rows.a != table.rows.b {
        words.push("rows".to_owned());
    }
    match table.contents {
        Told::Different if table.rows.a == table.rows.b => words.push("contents".to_owned()),
        Told::NotComparable => words.push("contents not comparable".to_owned()),
        Told::Different | Told::Same => {}
    }
    printable(&words.join("; "))
}

fn sequences(difference: &Difference) -> String {
    if difference.sequences.is_empty() {
        return String::new();
    }
    let mut rows = vec![["SEQUENCE", "IN A", "IN B"].map(str::to_owned)];
    rows.extend(difference.sequences.iter().map(|sequence| {
        let state = |of: Option<crate::model::difference::SequenceState>| match of {
            None => "-".to_owned(),
            Some(state) if state.is_called => state.last_value.to_string(),
            Some(state) => format!("{} (not called)", state.last_value),
        };
        let name = printable(&format!("{}.{}", sequence.schema, sequence.name));
        [name, state(sequence.state.a), state(sequence.state.b)]
    }));
    format!("\n{}", table(&rows, [Align::Left, Align::Right, Align::Right]))
}

fn statements(difference: &Difference) -> String {
    if difference.statements.is_empty() {
        return String::new();
    }
    let mut rows = vec![["DEFINITIONS", "IN A", "IN B", "WHAT"].map(str::to_owned)];
    rows.extend(difference.statements.iter().map(|statements| {
        let number = |count: Option<u64>| count.map_or_else(|| "-".to_owned(), grouped);
        let (a, b) = (number(statements.count.a), number(statements.count.b));
        [printable(&statements.kind), a, b, word(statements.told).to_owned()]
    }));
    let (left, right) = (Align::Left, Align::Right);
    format!("\n{}", table(&rows, [left, right, right, left]))
}

fn others(difference: &Difference) -> String {
    let mut text = String::new();
    let objects = &difference.large_objects;
    if objects.told != Told::Same {
        let number = |count: Option<u64>| grouped(count.unwrap_or(0));
        let (a, b) = (number(objects.count.a), number(objects.count.b));
        text += &format!("\nLarge objects: {a} in A, {b} in B: {}\n", word(objects.told));
    }
    let Both { a, b } = &difference.revision;
    if a != b {
        let none = || "none".to_owned();
        let shown = |of: &Option<String>| of.as_deref().map_or_else(none, printable);
        text += &format!("\nAlembic revision: {} in A, {} in B\n", shown(a), shown(b));
    }
    text
}

fn word(told: Told) -> &'static str {
    match told {
        Told::Same => "same",
        Told::Different => "different",
        Told::NotComparable => "not comparable",
    }
}

fn sum(difference: &Difference) -> String {
    let mut text = "\n".to_owned();
    for note in &difference.notes {
        text += &format!("Note: {}\n", printable(note));
    }
    let count = |is: fn(&TableDifference) -> bool| {
        difference.tables.iter().filter(|table| is(table)).count() as u64
    };
    let untold = count(|table| table.contents == Told::NotComparable);
    for why in &difference.not_comparable {
        text += &format!("Not comparable: {}\n", printable(why));
    }
    if untold > 0 {
        text += &format!(
            "Not comparable: the contents of {} with as many rows in both\n",
            counted(untold, "table")
        );
    }
    text += match difference.told() {
        Told::Same => "Same: ",
        Told::Different => "Different: ",
        Told::NotComparable => "It could not be told: ",
    };
    let mut words = vec![format!("{} the same", counted(difference.same_tables, "table"))];
    let mut say = |count: u64, what: &str| {
        if count > 0 {
            words.push(format!("{} {what}", grouped(count)));
        }
    };
    say(count(|table| table.rows.b.is_none()), "only in A");
    say(count(|table| table.rows.a.is_none()), "only in B");
    say(
        count(|table| {
            table.told() == Told::Different && table.rows.a.is_some() && table.rows.b.is_some()
        }),
        "different",
    );
    say(count(|table| table.told() == Told::NotComparable), "not comparable");
    text + &words.join(", ") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::difference::{
        LargeObjectsDifference, RowsDifference, SequenceDifference, SequenceState,
        StatementsDifference,
    };

    fn side(backup: &str) -> Side {
        let created_at = "2026-01-14T14:30:22Z".parse().ok();
        Side { backup: backup.into(), created_at, database: None, tables: 5, rows: 1265 }
    }

    fn table(name: &str, a: Option<u64>, b: Option<u64>, contents: Told) -> TableDifference {
        TableDifference {
            schema: "public".into(),
            name: name.into(),
            rows: Both { a, b },
            contents,
            columns_only_in_a: Vec::new(),
            columns_only_in_b: if name == "wider" { vec!["note".into()] } else { Vec::new() },
        }
    }

    fn difference() -> Difference {
        let state = |last_value| SequenceState { last_value, is_called: last_value > 1 };
        Difference {
            a: side("monday.sql.gz"),
            b: side("tuesday.sql.gz"),
            not_comparable: Vec::new(),
            notes: vec!["A is of the database shop, B of store".into()],
            same_tables: 3,
            tables: vec![
                table("comments", Some(1000), Some(500), Told::Different),
                table("gone", Some(10), None, Told::Different),
                table("new", None, Some(1234), Told::Different),
                table("other", Some(7), Some(7), Told::Different),
                table("wider", Some(0), Some(0), Told::Same),
            ],
            sequences: vec![SequenceDifference {
                schema: "public".into(),
                name: "users_id_seq".into(),
                state: Both { a: Some(state(1)), b: Some(state(12)) },
            }],
            large_objects: LargeObjectsDifference {
                count: Both { a: Some(1), b: Some(1) },
                told: Told::Different,
            },
            statements: vec![StatementsDifference {
                kind: "TABLE".into(),
                count: Both { a: Some(5), b: Some(6) },
                told: Told::Different,
            }],
            revision: Both { a: Some("0607".into()), b: None },
            rows: None,
        }
    }

    fn same() -> Difference {
        Difference {
            tables: Vec::new(),
            sequences: Vec::new(),
            statements: Vec::new(),
            notes: Vec::new(),
            revision: Both { a: None, b: None },
            large_objects: LargeObjectsDifference {
                count: Both { a: Some(0), b: Some(0) },
                told: Told::Same,
            },
            ..difference()
        }
    }

    #[test]
    fn what_differs_is_listed_in_columns_and_summed_up() {
        insta::assert_snapshot!(text(&difference()));
    }

    #[test]
    fn what_is_the_same_and_what_could_not_be_told_are_said() {
        assert!(text(&same()).ends_with("\nSame: 3 tables the same\n"));
        let untold = Difference {
            tables: vec![table("a", Some(1), Some(1), Told::NotComparable)],
            not_comparable: vec!["contents of tables: the time zones".into()],
            ..same()
        };
        let said = text(&untold);
        assert!(said.contains("Not comparable: contents of tables: the time zones\n"), "{said}");
        let last = "It could not be told: 3 tables the same, 1 not comparable\n";
        assert!(said.ends_with(last), "{said}");
    }

    #[test]
    fn the_json_has_the_rows_behind_it_and_is_one_document() {
        let rows = RowsDifference {
            schema: "public".into(),
            name: "a".into(),
            columns: vec!["id".into()],
            same: 5,
            removed: 1,
            added: 0,
        };
        let difference = Difference { rows: Some(rows), ..same() };
        let mut bytes = json(&difference, true);
        for (change, is_first) in [(Change::Removed, true), (Change::Added, false)] {
            let values = [Some(Cow::Borrowed("1")), None];
            bytes.extend(row_json(change, &["id".into()], &values, is_first).unwrap());
        }
        bytes.extend(rows_end());
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(value["exit_code"], 1);
        assert_eq!(value["changed_rows"][1]["change"], "added");
        assert_eq!(value["changed_rows"][0]["values"]["2"], serde_json::Value::Null);
        assert!(text(&difference).contains("public.a: 5 rows in both, 1 only in A (-), 0 only"));
    }

    #[test]
    fn the_schema_in_docs_is_the_one_of_the_types() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/diff.schema.json");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, schema()).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        let generated = String::from_utf8(schema()).unwrap();
        assert!(kept == generated, "{path} is out of date: run the tests with UPDATE_DOCS=1");
    }
}
