//! How pg_dump was called, as facts: its arguments read as its own parser (getopt_long) reads them.
//!
//! Source: PostgreSQL 13 to 18, `pg_dump.c`, and glibc's `getopt_long`: a long option may be any beginning
//! that is one option's alone, short options can stand together, and a value can stand in the next argument.

mod known;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use known::{LongOption, long_option, short_option};

/// What pg_dump was told to dump.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DumpOptions {
    /// Owners are dumped.
    pub owners: bool,
    /// Privileges are dumped.
    pub privileges: bool,
    /// Definitions alone (`--schema-only`).
    pub schema_only: bool,
    /// Rows alone (`--data-only`).
    pub data_only: bool,
    /// What is there is dropped first (`--clean`).
    pub clean: bool,
    /// The database is made and connected to (`--create`).
    pub create: bool,
    /// Rows are INSERT statements.
    pub inserts: bool,
    /// All names are quoted.
    pub quote_all_identifiers: bool,
    /// Only these sections.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sections: Vec<String>,
    /// Only these schemas, as patterns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schemas: Vec<String>,
    /// Not these schemas.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excluded_schemas: Vec<String>,
    /// Only these tables, as patterns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<String>,
    /// Not these tables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excluded_tables: Vec<String>,
    /// Not the rows of these tables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excluded_table_data: Vec<String>,
    /// Options beside these, by their full names, with their values: `no-comments`, `encoding=LATIN1`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other: Vec<String>,
}

impl Default for DumpOptions {
    /// pg_dump without arguments.
    fn default() -> Self {
        Self {
            owners: true,
            privileges: true,
            schema_only: false,
            data_only: false,
            clean: false,
            create: false,
            inserts: false,
            quote_all_identifiers: false,
            sections: Vec::new(),
            schemas: Vec::new(),
            excluded_schemas: Vec::new(),
            tables: Vec::new(),
            excluded_tables: Vec::new(),
            excluded_table_data: Vec::new(),
            other: Vec::new(),
        }
    }
}

impl DumpOptions {
    /// What these arguments of a pg_dump of this major version mean.
    pub fn of<S: AsRef<str>>(arguments: impl IntoIterator<Item = S>, major: u32) -> Self {
        let mut options = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut given = given(argument.as_ref(), major);
            if let Some(last) = given.last_mut().filter(|last| last.value_follows) {
                last.value = arguments.next().map(|value| value.as_ref().to_owned());
            }
            for Given { name, value, .. } in given {
                options.take(&name, value);
            }
        }
        options
    }

    fn take(&mut self, name: &str, value: Option<String>) {
        let list = match name {
            "no-owner" => return self.owners = false,
            "no-privileges" | "no-acl" => return self.privileges = false,
            "schema-only" => return self.schema_only = true,
            "data-only" => return self.data_only = true,
            "clean" => return self.clean = true,
            "create" => return self.create = true,
            "inserts" => return self.inserts = true,
            "quote-all-identifiers" => return self.quote_all_identifiers = true,
            // The manifest says these elsewhere.
            "format" | "compress" | "jobs" | "verbose" => return,
            "section" => &mut self.sections,
            "schema" => &mut self.schemas,
            "exclude-schema" => &mut self.excluded_schemas,
            "table" | "table-and-children" => &mut self.tables,
            "exclude-table" | "exclude-table-and-children" => &mut self.excluded_tables,
            "exclude-table-data" | "exclude-table-data-and-children" => {
                &mut self.excluded_table_data
            }
            _ => {
                // They imply it.
                const INSERTS: [&str; 4] = [
                    "column-inserts",
                    "attribute-inserts",
                    "rows-per-insert",
                    "on-conflict-do-nothing",
                ];
                self.inserts |= INSERTS.contains(&name);
                let option = value.map_or(name.to_owned(), |value| format!("{name}={value}"));
                return self.other.push(option);
            }
        };
        list.extend(value);
    }

    /// Whether an option that has no field of its own was given.
    pub fn has(&self, name: &str) -> bool {
        self.other.iter().any(|option| option.split('=').next() == Some(name))
    }

    /// Whether pg_dump was called for less than the rows of all tables that it dumps.
    pub fn leaves_rows_out(&self) -> bool {
        self.schema_only
            || ["no-data", "statistics-only"].iter().any(|name| self.has(name))
            || !self.excluded_table_data.is_empty()
            || !self.sections.is_empty() && !self.sections.iter().any(|section| section == "data")
    }
}

/// An option by its full name.
#[derive(Debug, PartialEq, Eq)]
struct Given {
    name: String,
    value: Option<String>,
    /// It takes a value, which is the next argument.
    value_follows: bool,
}

/// The options in an argument.
fn given(argument: &str, major: u32) -> Vec<Given> {
    if let Some(long) = argument.strip_prefix("--") {
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (long, None),
        };
        let known = long_option(name, major);
        let value_follows = value.is_none() && known.is_some_and(|known| known.takes_value);
        let name = known.map_or(name, |known| known.name).to_owned();
        return vec![Given { name, value, value_follows }];
    }
    let mut found = Vec::new();
    let cluster = argument.strip_prefix('-').unwrap_or_default();
    for (at, letter) in cluster.char_indices() {
        let known = short_option(letter);
        let name = known.map_or(letter.to_string(), |known| known.name.to_owned());
        let rest = &cluster[at + letter.len_utf8()..];
        if known.is_some_and(|known| known.takes_value) {
            let value = Some(rest.to_owned()).filter(|rest| !rest.is_empty());
            found.push(Given { name, value_follows: value.is_none(), value });
            break;
        }
        found.push(Given { name, value: None, value_follows: false });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(arguments: &[&str]) -> DumpOptions {
        DumpOptions::of(arguments, 15)
    }

    #[test]
    fn short_options_can_stand_together_and_have_their_value_behind_them() {
        let found = of(&["-Os", "-xn", "shop", "-tusers", "-cT*.log", "-E", "UTF8"]);
        let expected = DumpOptions {
            owners: false,
            privileges: false,
            schema_only: true,
            clean: true,
            schemas: vec!["shop".into()],
            tables: vec!["users".into()],
            excluded_tables: vec!["*.log".into()],
            other: vec!["encoding=UTF8".into()],
            ..DumpOptions::default()
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn a_long_option_may_be_any_beginning_that_is_its_alone() {
        assert!(of(&["--schema-o"]).schema_only);
        assert!(of(&["--quote"]).quote_all_identifiers);
        assert!(!of(&["--no-o"]).owners);
        assert_eq!(of(&["--exclude-table-data=big"]).excluded_table_data, ["big"]);
        assert_eq!(of(&["--exclude-table-d", "big"]).excluded_table_data, ["big"]);
        // Its own name goes before longer ones.
        assert_eq!(of(&["--schema=s", "--table", "-odd"]).schemas, ["s"]);
        assert_eq!(of(&["--table", "-odd"]).tables, ["-odd"]);
        // Two options begin so, and pg_dump refuses it.
        assert_eq!(of(&["--no-p"]), DumpOptions { other: vec!["no-p".into()], ..of(&[]) });
    }

    #[test]
    fn what_a_beginning_means_depends_on_the_options_of_the_version() {
        let found = |major| DumpOptions::of(["--exclude-table-d=x"], major);
        assert_eq!(found(15).excluded_table_data, ["x"]);
        assert_eq!(found(16).excluded_table_data, [""; 0]);
    }

    #[test]
    fn less_than_all_rows_is_told_from_all() {
        for less in [
            &["--schema-o"][..],
            &["-Os"],
            &["--exclude-table-data=big"],
            &["--section", "pre-data"],
            &["--section=post-data", "--sect=pre-data"],
        ] {
            assert!(of(less).leaves_rows_out(), "{less:?}");
        }
        for all in [&["--section=data", "--section=pre-data"][..], &["-t", "-s"], &["--inserts"]] {
            assert!(!of(all).leaves_rows_out(), "{all:?}");
        }
    }

    #[test]
    fn options_that_imply_insert_statements_are_known() {
        for option in ["--inserts", "--column-i", "--rows-per-insert=10"] {
            assert!(of(&[option]).inserts, "{option}");
        }
        assert!(of(&["--rows-per-insert", "10"]).has("rows-per-insert"));
    }
}
