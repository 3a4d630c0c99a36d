//! A good backup, made by the real `create` of the migrated and seeded database, and ways to alter
//! the text of its dump.

use std::io::Read;
use std::ops::Range;
use std::sync::OnceLock;

use ccc_backup::sealing::Identities;
use ccc_backup::store::manifest::Manifest;
use flate2::read::MultiGzDecoder;

use crate::support::dumps::{position, rows_of, trailer};
use crate::support::{Outcome, Place, unchanged_database};

/// The name of the good backup, and of everything that is made of it.
const NAME: &str = "backup_20260114_020000.sql.gz";

/// A backup and its manifest.
pub struct Good {
    /// The bytes of the file.
    pub file: Vec<u8>,
    /// What is in it.
    pub dump: Dump,
    /// Its manifest.
    pub manifest: Manifest,
}

/// The good backup.
pub fn good() -> &'static Good {
    static GOOD: OnceLock<Good> = OnceLock::new();
    GOOD.get_or_init(|| {
        let place = Place::without_docker();
        let outcome = Outcome::of(&place.create(unchanged_database()).arg(NAME).output().unwrap());
        assert_eq!(outcome.code, 0, "{outcome}");
        let file = std::fs::read(place.dir().join(NAME)).unwrap();
        let manifest =
            Manifest::read(&place.dir().join(NAME), &Identities::default()).unwrap().unwrap();
        let mut dump = Vec::new();
        MultiGzDecoder::new(file.as_slice()).read_to_end(&mut dump).unwrap();
        Good { file, dump: Dump(dump), manifest }
    })
}

/// The text of a dump.
#[derive(Clone, PartialEq, Eq)]
pub struct Dump(Vec<u8>);

impl Dump {
    /// A dump of these bytes.
    pub fn of(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Its text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap()
    }

    /// With other bytes in a place.
    pub fn with(&self, place: Range<usize>, bytes: impl AsRef<[u8]>) -> Self {
        Self([&self.0[..place.start], bytes.as_ref(), &self.0[place.end..]].concat())
    }

    /// Where a text first is; it must be there.
    pub fn at(&self, text: &str) -> usize {
        position(&self.0, text)
    }

    /// With one text in place of another, at its first place.
    pub fn replace(&self, from: &str, to: &str) -> Self {
        let at = self.at(from);
        self.with(at..at + from.len(), to)
    }

    /// Up to the end of the first place of a text, and no further.
    pub fn cut_after(&self, text: &str) -> Self {
        Self(self.0[..self.at(text) + text.len()].to_vec())
    }

    /// Up to a text and no further.
    pub fn cut_before(&self, text: &str) -> Self {
        Self(self.0[..self.at(text)].to_vec())
    }

    /// With more SQL after everything else.
    pub fn with_last(&self, sql: &str) -> Self {
        let at = trailer(&self.0);
        self.with(at..at, format!("{sql}\n\n"))
    }

    /// With more SQL before everything else, but for the settings.
    pub fn with_first(&self, sql: &str) -> Self {
        let settings = "\nSET row_security = off;\n";
        let at = self.at(settings) + settings.len();
        self.with(at..at, format!("{sql}\n"))
    }

    /// Where an entry is, from the comment above it to the next one: by kind and name.
    fn entry(&self, kind: &str, name: &str) -> Range<usize> {
        let data = if kind == "TABLE DATA" { "Data for " } else { "" };
        let start = self.at(&format!("--\n-- {data}Name: {name}; Type: {kind}; "));
        start..start + position(&self.0[start..], "\n\n\n--\n-- ") + 3
    }

    /// Where the statement of an entry is, after its comment.
    pub fn statement(&self, kind: &str, name: &str) -> Range<usize> {
        let entry = self.entry(kind, name);
        let comment = position(&self.0[entry.clone()], "\n--\n\n") + 5;
        entry.start + comment..entry.end
    }

    /// Without an entry, its comment gone with it.
    pub fn without_entry(&self, kind: &str, name: &str) -> Self {
        self.with(self.entry(kind, name), "")
    }

    /// Without the statement of an entry; its comment is left.
    pub fn without_statement(&self, kind: &str, name: &str) -> Self {
        self.with(self.statement(kind, name), "\n\n")
    }

    /// With one text in place of another in the statement of an entry.
    pub fn altered(&self, kind: &str, name: &str, from: &str, to: &str) -> Self {
        let place = self.statement(kind, name);
        let at = place.start + position(&self.0[place], from);
        self.with(at..at + from.len(), to)
    }

    /// The rows of a table, without their line ends.
    pub fn rows(&self, table: &str) -> Vec<String> {
        let rows = std::str::from_utf8(&self.0[rows_of(&self.0, table)]).unwrap();
        rows.lines().map(str::to_owned).collect()
    }

    /// With other rows in a table.
    pub fn with_rows(&self, table: &str, rows: &[String]) -> Self {
        let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
        self.with(rows_of(&self.0, table), text)
    }

    /// With the rows of a table changed.
    pub fn change_rows(&self, table: &str, change: impl FnOnce(&mut Vec<String>)) -> Self {
        let mut rows = self.rows(table);
        change(&mut rows);
        self.with_rows(table, &rows)
    }

    /// With a value changed: by table, row from 0 and column from 0.
    pub fn change_value(
        &self,
        (table, row, column): (&str, usize, usize),
        change: impl FnOnce(&str) -> String,
    ) -> Self {
        self.change_rows(table, |rows| {
            let mut values: Vec<String> = rows[row].split('\t').map(str::to_owned).collect();
            let changed = change(&values[column]);
            assert_ne!(changed, values[column], "{table} {row} {column}");
            values[column] = changed;
            rows[row] = values.join("\t");
        })
    }
}

/// Numbers that look random and are the same in every run (splitmix64).
pub struct Seeded(u64);

impl Seeded {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).unwrap()
    }
}
