//! Records the plan of a restore for the simulation in `src/restore/simulation_tests.rs`:
//! `cargo run --example record_plan SCHEMA.sql >tests/fixtures/plans/NAME.json`.
//!
//! What is read is a dump of a schema alone (`pg_dump --schema-only`). Its tables are given rows by a rule: the table of rank n
//! has 3,000,000 ÷ n rows, of 40 to 440 bytes, and its rank is by a hash of its name. Nothing of the schema but the graph is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;

use bytes::Bytes;
use ccc_backup::dump::item::Name;
use ccc_backup::dump::plain::Reader;
use ccc_backup::dump::script::{Entry, Script};
use ccc_backup::dump::subject::Relation;
use ccc_backup::restore::cost::{Columns, Length};
use ccc_backup::restore::plan::{Catalog, Plan, Work, table_of};
use serde_json::{Value, json};

/// Rows of the largest table.
const MOST_ROWS: u64 = 3_000_000;
/// Bytes of a part, as a restore cuts them.
const PART: u64 = 2 << 20;

#[expect(clippy::print_stdout, reason = "it is what the program is for")]
fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("which schema?")?;
    let schema = Schema::read(&std::fs::read_to_string(&path)?);
    let mut entries = entries(&schema.with_rows())?;
    give_rows(&mut entries);
    let is_copy = |entry: &Entry| matches!(entry, Entry::Copy { .. });
    let from = entries.iter().position(is_copy).ok_or("no table")?;
    println!("{}", recorded(&Plan::of(&entries, from, &schema.catalog), &entries));
    Ok(())
}

/// What is read of a schema, line by line, as pg_dump writes it.
struct Schema {
    /// Up to the first constraint, and what follows.
    parts: [String; 2],
    tables: Vec<String>,
    catalog: Catalog,
}

impl Schema {
    fn read(text: &str) -> Self {
        let constraint = text.find("    ADD CONSTRAINT").unwrap_or(text.len());
        let (before, after) =
            text.split_at(text[..constraint].rfind("\nALTER TABLE").unwrap_or(constraint));
        let (mut tables, mut catalog) = (Vec::new(), Catalog::default());
        for block in before.split("\n\n") {
            let Some((head, body)) = block.trim_start().split_once('\n') else { continue };
            let Some(name) =
                head.strip_prefix("CREATE TABLE ").and_then(|rest| rest.strip_suffix(" ("))
            else {
                continue;
            };
            let table = relation(name);
            catalog.columns.insert(table.clone(), columns(body));
            if !body.contains("\nPARTITION BY ") {
                tables.push(name.to_owned());
                catalog.clean.insert(table);
            }
        }
        let mut families: BTreeMap<Relation, Vec<Relation>> = BTreeMap::new();
        for line in before.lines().filter(|line| line.contains(" ATTACH PARTITION ")) {
            let words: Vec<&str> = line.split(' ').collect();
            if let Some(at) = words.iter().position(|word| *word == "ATTACH") {
                let (whole, part) = (relation(words[at - 1]), relation(words[at + 2]));
                families.entry(whole.clone()).or_default().push(part.clone());
                families.entry(part).or_default().push(whole);
            }
        }
        catalog.families = families;
        Self { parts: [before.to_owned(), after.to_owned()], tables, catalog }
    }

    /// The schema with an empty COPY block for each table.
    fn with_rows(&self) -> String {
        let blocks: String =
            self.tables.iter().map(|name| format!("COPY {name} FROM stdin;\n\\.\n\n")).collect();
        let [before, after] = &self.parts;
        // Of some schemas, one of the lines is missing that pg_dump begins and ends with.
        format!("{before}\n\n{blocks}{after}\n").replace("-- PostgreSQL database dump", "--")
    }
}

fn relation(name: &str) -> Relation {
    let (schema, name) = name.trim_end_matches(';').split_once('.').unwrap_or(("public", name));
    Relation { schema: schema.into(), name: name.trim_matches('"').into() }
}

fn columns(body: &str) -> Columns {
    let columns = body.lines().take_while(|line| line.starts_with("    ")).filter_map(|line| {
        let (name, type_) = line.trim_start().split_once(' ')?;
        (name != "CONSTRAINT").then(|| (Name::from(name.trim_matches('"')), length(type_)))
    });
    columns.collect()
}

/// How long values of a type are.
fn length(type_: &str) -> Length {
    let lengths = [
        ("bigint", 8),
        ("integer", 4),
        ("smallint", 2),
        ("boolean", 1),
        ("timestamp", 8),
        ("date", 4),
        ("uuid", 16),
        ("double precision", 8),
        ("real", 4),
    ];
    let known = lengths.iter().find(|(name, _)| type_.starts_with(name) && !type_.contains("[]"));
    known.map(|(_, bytes)| *bytes)
}

fn entries(dump: &str) -> Result<Vec<Entry>, Box<dyn Error>> {
    let (mut reader, mut items, mut script) = (Reader::new(), Vec::new(), Script::default());
    reader.feed(Bytes::from(dump.to_owned()), &mut items).map_err(|flaw| flaw.to_string())?;
    reader.finish(&mut items).map_err(|flaw| flaw.to_string())?;
    items.iter().for_each(|item| script.take(item, None));
    Ok(script.part_of_one().ok_or("this dump has no list of statements")?.entries.to_vec())
}

/// Gives each table its rows.
fn give_rows(entries: &mut [Entry]) {
    let names = entries.iter().filter_map(|entry| match entry {
        Entry::Copy { block, .. } => Some((hash(&block.display_name()), block.display_name())),
        _ => None,
    });
    let ranked: BTreeSet<(u64, String)> = names.collect();
    for entry in entries {
        let Entry::Copy { block, bytes, rows, cuts } = entry else { continue };
        let name = block.display_name();
        let rank =
            ranked.iter().position(|(_, other)| *other == name).unwrap_or_default() as u64 + 1;
        *rows = MOST_ROWS / rank;
        *bytes = *rows * (40 + hash(&name) % 400);
        *cuts = (1..bytes.div_ceil(PART)).map(|part| part * PART).collect();
    }
}

/// FNV-1a.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The plan without names: for each job its kind, its cost in microseconds, the jobs that it waits for, numbers of the tables that
/// it locks, and how many parts its rows have; for each table that can be read back, the jobs that it waits for and the cost.
fn recorded(plan: &Plan, entries: &[Entry]) -> Value {
    let mut numbers: BTreeMap<Relation, usize> = BTreeMap::new();
    let mut jobs = Vec::new();
    for job in &plan.jobs {
        let (kind, parts) = match &job.work {
            Work::Load(entry) => ("load", parts(&entries[*entry])),
            Work::Run(_) => ("run", 1),
            Work::Serial { .. } => ("serial", 1),
        };
        let mut number = |table: &Relation| {
            let next = numbers.len();
            *numbers.entry(table.clone()).or_insert(next)
        };
        let locks: Vec<usize> = job.locks.iter().map(&mut number).collect();
        jobs.push(json!([kind, job.cost / 1000, job.after, locks, parts]));
    }
    let readable = plan.readable.iter().map(|table| json!([table.after, table.cost / 1000]));
    json!({ "jobs": jobs, "readable": readable.collect::<Vec<_>>() })
}

fn parts(entry: &Entry) -> usize {
    match entry {
        Entry::Copy { block, cuts, .. } if table_of(block).is_some() => cuts.len() + 1,
        _ => 1,
    }
}
