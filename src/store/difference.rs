//! Compares what two backups held when they were made: their manifests, or what was found in their dumps.
//!
//! A fingerprint is of rows as text, and so says something only where both backups write values alike: where
//! it is known that they do not, rows of a like number are not comparable, and never the same.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::manifest::{Contents, Manifest};
use crate::model::contents::{Columns, LargeObjects, Table, TableFingerprint};
use crate::model::difference::{
    Both, Difference, LargeObjectsDifference, SequenceDifference, SequenceState, Side,
    StatementsDifference, TableDifference, Told,
};
use crate::model::dump_options::DumpOptions;
use crate::model::format::Format;
use crate::model::version::major_of;

/// The first major version that writes floats in their shortest form.
const SHORT_FLOATS: u32 = 12;
/// Kinds of statements that hold data, which are compared as such, or say how the dump is read.
const NO_DEFINITIONS: [&str; 8] =
    ["TABLE DATA", "SEQUENCE SET", "BLOBS", "BLOB", "BLOB METADATA", "INSERT", "SET", "SELECT"];

/// What is known of a backup.
#[derive(Debug, Clone)]
pub struct Known {
    /// As it was named.
    pub backup: String,
    /// When it was made.
    pub created_at: Option<DateTime<Utc>>,
    /// Of which database.
    pub database: Option<String>,
    /// What is in it.
    pub contents: Contents,
    /// How its values are written.
    pub written: Written,
    /// How its statements are.
    pub made: Made,
}

/// How values are written as text; what is not known is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// Client encoding.
    pub encoding: Option<String>,
    /// `TimeZone`.
    pub time_zone: Option<String>,
    /// `bytea_output`.
    pub bytea_output: Option<String>,
    /// Major version of the server.
    pub server: Option<u32>,
}

/// How statements are written; what is not known is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Made {
    /// Major version of pg_dump.
    pub pg_dump: Option<u32>,
    /// What it was told to dump.
    pub options: Option<DumpOptions>,
    /// A plain dump, or SQL that pg_restore wrote of an archive.
    pub is_plain: bool,
}

impl Known {
    /// What a manifest says.
    pub fn of_manifest(backup: String, manifest: Manifest) -> Self {
        let source = manifest.source;
        let encoding = manifest.options.other.iter().find_map(|it| it.strip_prefix("encoding="));
        let server = source.server_version_num.map(|number| number / 10_000);
        Self {
            backup,
            created_at: Some(manifest.outline.created_at),
            database: source.database,
            written: Written {
                encoding: encoding.map(str::to_owned).or(source.encoding),
                time_zone: source.time_zone,
                bytea_output: source.bytea_output,
                server: server.or_else(|| source.server_version.as_deref().and_then(major_of)),
            },
            made: Made {
                pg_dump: major_of(&manifest.tools.pg_dump),
                options: Some(manifest.options),
                is_plain: manifest.outline.format == Format::Plain,
            },
            contents: manifest.contents,
        }
    }

    fn side(&self) -> Side {
        let tables = by_name(&self.contents.tables);
        Side {
            backup: self.backup.clone(),
            created_at: self.created_at,
            database: self.database.clone(),
            tables: tables.len() as u64,
            rows: tables.values().map(|table| table.fingerprint.rows).sum(),
        }
    }
}

/// Compares two backups.
pub fn compare(a: &Known, b: &Known) -> Difference {
    let otherwise = values_differ(&a.written, &b.written);
    let (tables, same_tables) = tables(a, b, otherwise.is_some());
    let (statements, other_statements) = statements(a, b);
    let mut not_comparable = Vec::new();
    if let Some(why) = otherwise.filter(|_| tables.iter().any(|it| it.rows.a == it.rows.b)) {
        not_comparable.push(format!("contents of tables: {why}"));
    }
    not_comparable.extend(other_statements.map(|why| format!("definitions: {why}")));
    for (name, side) in [("A", a), ("B", b)] {
        let reasons = side.contents.not_recorded.iter();
        not_comparable.extend(reasons.map(|why| format!("{name} has no record of {why}")));
    }
    Difference {
        a: a.side(),
        b: b.side(),
        not_comparable,
        notes: notes(a, b),
        same_tables,
        tables,
        sequences: sequences(&a.contents, &b.contents),
        large_objects: large_objects(a.contents.large_objects, b.contents.large_objects),
        statements,
        revision: Both { a: a.contents.revision.clone(), b: b.contents.revision.clone() },
        rows: None,
    }
}

/// Why equal values may be written otherwise in the two; `None` where that is not known.
pub fn values_differ(a: &Written, b: &Written) -> Option<String> {
    let same = |one: &str, other: &str| one.eq_ignore_ascii_case(other);
    let differ = |what: &str, a: &Option<String>, b: &Option<String>| {
        let (a, b) = (a.as_deref()?, b.as_deref()?);
        (!same(a, b)).then(|| format!("A was written with the {what} {a}, B with {b}"))
    };
    let floats = || {
        let (a, b) = (a.server?, b.server?);
        let differ = (a < SHORT_FLOATS) != (b < SHORT_FLOATS);
        differ.then(|| format!("servers {a} and {b} write floats otherwise"))
    };
    differ("encoding", &a.encoding, &b.encoding)
        .or_else(|| differ("time zone", &a.time_zone, &b.time_zone))
        .or_else(|| differ("bytea_output", &a.bytea_output, &b.bytea_output))
        .or_else(floats)
}

/// A table whose rows may come in several orders of columns.
struct OfName<'a> {
    fingerprint: TableFingerprint,
    columns: Vec<&'a Columns>,
}

fn by_name(tables: &[Table]) -> BTreeMap<(&str, &str), OfName<'_>> {
    let mut found: BTreeMap<(&str, &str), OfName<'_>> = BTreeMap::new();
    for table in tables {
        let none = OfName { fingerprint: TableFingerprint::default(), columns: Vec::new() };
        let all = found.entry((&table.schema, &table.name)).or_insert(none);
        all.fingerprint += table.fingerprint;
        all.columns.push(&table.columns);
    }
    found
}

/// The tables that are not the same, and the number of the others.
fn tables(a: &Known, b: &Known, otherwise: bool) -> (Vec<TableDifference>, u64) {
    let (in_a, in_b) = (by_name(&a.contents.tables), by_name(&b.contents.tables));
    let names: BTreeSet<_> = in_a.keys().chain(in_b.keys()).collect();
    let (mut different, mut same) = (Vec::new(), 0);
    for (schema, name) in names {
        let (of_a, of_b) = (in_a.get(&(*schema, *name)), in_b.get(&(*schema, *name)));
        let rows = |of: Option<&OfName<'_>>| of.map(|table| table.fingerprint.rows);
        let mut table = TableDifference {
            schema: (*schema).to_owned(),
            name: (*name).to_owned(),
            rows: Both { a: rows(of_a), b: rows(of_b) },
            contents: Told::Different,
            columns_only_in_a: Vec::new(),
            columns_only_in_b: Vec::new(),
        };
        if is_of_no_statement(&table.rows, a, b) {
            same += 1;
            continue;
        }
        if let (Some(of_a), Some(of_b)) = (of_a, of_b) {
            let without = |one: &OfName<'_>, other: &OfName<'_>| -> Vec<String> {
                let [Columns::Named(one)] = one.columns[..] else { return Vec::new() };
                let [Columns::Named(other)] = other.columns[..] else { return Vec::new() };
                one.iter().filter(|column| !other.contains(column)).cloned().collect()
            };
            table.columns_only_in_a = without(of_a, of_b);
            table.columns_only_in_b = without(of_b, of_a);
            table.contents = contents(of_a, of_b, otherwise);
            if table.told() == Told::Same {
                same += 1;
                continue;
            }
        }
        different.push(table);
    }
    (different, same)
}

/// Whether a table is missing because it has no rows: INSERT statements name no empty table.
fn is_of_no_statement(rows: &Both<u64>, a: &Known, b: &Known) -> bool {
    let inserts = |known: &Known| known.made.options.as_ref().is_some_and(|it| it.inserts);
    match (rows.a, rows.b) {
        (None, Some(0)) => inserts(a),
        (Some(0), None) => inserts(b),
        _ => false,
    }
}

fn contents(a: &OfName<'_>, b: &OfName<'_>, otherwise: bool) -> Told {
    if a.fingerprint.rows != b.fingerprint.rows {
        return Told::Different;
    }
    if a.fingerprint.rows == 0 {
        return Told::Same;
    }
    match (a.fingerprint == b.fingerprint, a.columns == b.columns) {
        _ if otherwise => Told::NotComparable,
        (true, _) => Told::Same,
        (false, true) => Told::Different,
        // The values in another order, or columns that are not named.
        (false, false) => Told::NotComparable,
    }
}

fn sequences(a: &Contents, b: &Contents) -> Vec<SequenceDifference> {
    let states = |contents: &Contents| -> BTreeMap<(String, String), SequenceState> {
        let sequences = contents.sequences.iter();
        let state = |last_value, is_called| SequenceState { last_value, is_called };
        let of = sequences
            .map(|it| ((it.schema.clone(), it.name.clone()), state(it.last_value, it.is_called)));
        of.collect()
    };
    let (in_a, in_b) = (states(a), states(b));
    let names: BTreeSet<_> = in_a.keys().chain(in_b.keys()).collect();
    let both = |name| Both { a: in_a.get(name).copied(), b: in_b.get(name).copied() };
    names
        .into_iter()
        .map(|name| (name, both(name)))
        .filter(|(_, state)| state.a != state.b)
        .map(|((schema, name), state)| SequenceDifference {
            schema: schema.clone(),
            name: name.clone(),
            state,
        })
        .collect()
}

fn large_objects(a: LargeObjects, b: LargeObjects) -> LargeObjectsDifference {
    let told = match (a.contents, b.contents) {
        _ if a.count != b.count => Told::Different,
        _ if a.count == 0 => Told::Same,
        (Some(a), Some(b)) if a == b => Told::Same,
        (Some(_), Some(_)) => Told::Different,
        _ => Told::NotComparable,
    };
    LargeObjectsDifference { count: Both { a: Some(a.count), b: Some(b.count) }, told }
}

/// Kinds of definitions that are not the same, and why some could not be compared.
fn statements(a: &Known, b: &Known) -> (Vec<StatementsDifference>, Option<String>) {
    let otherwise = statements_differ(&a.made, &b.made);
    let of = |known: &Known| -> BTreeMap<String, (u64, u128)> {
        let kinds = known.contents.statements.iter();
        let definitions = kinds.filter(|it| !NO_DEFINITIONS.contains(&it.kind.as_str()));
        definitions.map(|it| (it.kind.clone(), (it.count, it.fingerprint.0))).collect()
    };
    let (in_a, in_b) = (of(a), of(b));
    let kinds: BTreeSet<_> = in_a.keys().chain(in_b.keys()).collect();
    let mut different = Vec::new();
    for kind in kinds {
        let (of_a, of_b) = (in_a.get(kind), in_b.get(kind));
        if of_a != of_b {
            let count = |of: Option<&(u64, u128)>| of.map(|(count, _)| *count);
            different.push(StatementsDifference {
                kind: kind.clone(),
                count: Both { a: count(of_a), b: count(of_b) },
                told: if otherwise.is_some() { Told::NotComparable } else { Told::Different },
            });
        }
    }
    let why = otherwise.filter(|_| !different.is_empty());
    (different, why)
}

/// Why equal definitions may be other statements in the two.
fn statements_differ(a: &Made, b: &Made) -> Option<String> {
    if let (Some(a), Some(b)) = (a.pg_dump, b.pg_dump)
        && a != b
    {
        return Some(format!("A was made by pg_dump {a}, B by pg_dump {b}"));
    }
    let shape = |options: &DumpOptions| {
        let DumpOptions { owners, privileges, schema_only, data_only, clean, create, .. } = options;
        let flags = [*owners, *privileges, *schema_only, *data_only, *clean, *create];
        (flags, options.quote_all_identifiers, options.sections.clone(), options.other.clone())
    };
    match (&a.options, &b.options) {
        (Some(one), Some(other)) if shape(one) != shape(other) => {
            Some("they were made with other options of pg_dump".to_owned())
        }
        (None, None) if a.is_plain == b.is_plain => None,
        (Some(_), Some(_)) if a.is_plain == b.is_plain => None,
        _ if a.is_plain != b.is_plain => {
            Some("one is a plain dump, the other an archive, which drops nothing first".to_owned())
        }
        _ => Some("with which options one of them was made is not known".to_owned()),
    }
}

fn notes(a: &Known, b: &Known) -> Vec<String> {
    let mut notes = Vec::new();
    if let (Some(in_a), Some(in_b)) = (&a.database, &b.database)
        && in_a != in_b
    {
        notes.push(format!("A is of the database {in_a}, B of {in_b}"));
    }
    if let (Some(of_a), Some(of_b)) = (a.created_at, b.created_at)
        && of_a > of_b
    {
        notes.push("A is younger than B".to_owned());
    }
    for (name, known) in [("A", a), ("B", b)] {
        let Some(options) = &known.made.options else { continue };
        if options.schema_only {
            notes.push(format!("{name} has definitions alone"));
        }
        if options.data_only {
            notes.push(format!("{name} has rows alone"));
        }
        let chosen = [
            &options.schemas,
            &options.tables,
            &options.excluded_schemas,
            &options.excluded_tables,
            &options.excluded_table_data,
        ];
        if chosen.iter().any(|list| !list.is_empty()) {
            notes.push(format!("{name} is of a part of its database, by its options"));
        }
    }
    notes
}

#[cfg(test)]
#[path = "difference_tests.rs"]
mod tests;
