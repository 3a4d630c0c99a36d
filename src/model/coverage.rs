//! What a source has and a backup of it has not.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::outcome::counted;

/// Names of one kind that are said.
const NAMED: usize = 3;
/// The database and the role that every server has.
const EVERYWHERE: &str = "postgres";

/// What the source has and this backup has not, by name. What could not be asked is absent; what is all in
/// the backup is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Coverage {
    /// Other databases of the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub databases: Option<Vec<String>>,
    /// Roles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
    /// Tables whose rows were left out by options of pg_dump.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub excluded_tables: Option<Vec<String>>,
    /// Tables of which the role that dumped them sees only some rows, by row-level security.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row_security_tables: Option<Vec<String>>,
    /// Tables left out that the role that dumped may not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable_tables: Option<Vec<String>>,
    /// Unlogged tables whose rows were left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unlogged_tables: Option<Vec<String>>,
    /// Foreign tables, whose rows are elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub foreign_tables: Option<Vec<String>>,
    /// Publications.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub publications: Option<Vec<String>>,
    /// Subscriptions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscriptions: Option<Vec<String>>,
    /// Settings of the database and of roles (`ALTER DATABASE … SET`, `ALTER ROLE … SET`), such as
    /// `database: TimeZone` or `role app: search_path`; without values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<Vec<String>>,
}

impl Coverage {
    /// What the database has and the backup has not, in words: rows of tables, publications, subscriptions.
    pub fn left_out(&self) -> Vec<String> {
        let rows = [
            (&self.excluded_tables, "left out"),
            (&self.unreadable_tables, "not readable"),
            (&self.unlogged_tables, "unlogged"),
            (&self.foreign_tables, "foreign"),
        ];
        let rows = rows.into_iter().filter_map(|(tables, why)| {
            let (number, names) = named(tables, "table")?;
            Some(format!("the rows of {number} ({why}: {names})"))
        });
        let hidden = named(&self.row_security_tables, "table").map(|(number, names)| {
            format!("rows that row-level security hides in {number} ({names})")
        });
        let others = [(&self.publications, "publication"), (&self.subscriptions, "subscription")];
        rows.chain(hidden)
            .chain(others.into_iter().filter_map(|(names, what)| said(names, what)))
            .collect()
    }

    /// What else the server has, in words: roles, settings and other databases, but for the database and the role
    /// that every server has.
    pub fn around(&self) -> Vec<String> {
        let others = |names: &Option<Vec<String>>| {
            let others = names.iter().flatten().filter(|name| *name != EVERYWHERE);
            Some(others.cloned().collect())
        };
        [
            said(&others(&self.roles), "role"),
            said(&self.settings, "setting"),
            said(&others(&self.databases), "other database"),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Whether the server has no roles and settings beside the backup that could be in it.
    pub fn is_whole_but_for_databases(&self) -> bool {
        Self { databases: None, ..self.clone() }.around().is_empty()
    }
}

/// How many there are, and the names of the first.
fn named(names: &Option<Vec<String>>, what: &str) -> Option<(String, String)> {
    let names = names.as_ref().filter(|names| !names.is_empty())?;
    let shown = names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let shown = match names.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    };
    Some((counted(names.len() as u64, what), shown))
}

fn said(names: &Option<Vec<String>>, what: &str) -> Option<String> {
    named(names, what).map(|(number, names)| format!("{number} ({names})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Option<Vec<String>> {
        Some(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn what_is_left_out_is_said_with_its_number_and_the_first_names() {
        let coverage = Coverage {
            excluded_tables: names(&["public.a", "public.b", "public.c", "public.d", "public.e"]),
            unlogged_tables: names(&["public.fast"]),
            row_security_tables: names(&["public.own"]),
            publications: names(&[]),
            subscriptions: names(&["s"]),
            roles: names(&["app", "postgres"]),
            databases: names(&["postgres"]),
            settings: names(&["database: TimeZone"]),
            ..Coverage::default()
        };
        assert_eq!(
            coverage.left_out(),
            [
                "the rows of 5 tables (left out: public.a, public.b, public.c and 2 more)",
                "the rows of 1 table (unlogged: public.fast)",
                "rows that row-level security hides in 1 table (public.own)",
                "1 subscription (s)",
            ]
        );
        assert_eq!(coverage.around(), ["1 role (app)", "1 setting (database: TimeZone)"]);
    }

    #[test]
    fn of_what_every_server_has_nothing_is_said() {
        let coverage = Coverage {
            databases: names(&["postgres"]),
            roles: names(&["postgres"]),
            excluded_tables: names(&[]),
            ..Coverage::default()
        };
        assert_eq!((coverage.left_out(), coverage.around()), (vec![], vec![]));
    }
}
