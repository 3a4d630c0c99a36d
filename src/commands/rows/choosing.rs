//! Which of the tables of a backup are meant.

use super::failing::cannot;
use super::{Failure, Selection};
use crate::dump::picking::TableName;

/// How alike a name has to be to be one that was probably meant.
const ALIKE: f64 = 0.8;
/// Names that are shown.
const SHOWN: usize = 5;

impl Selection {
    /// Whether a table is meant, by its database where that is known: in the dump, else `known`.
    pub(super) fn wants(&self, table: &TableName, known: Option<&str>) -> bool {
        let database = table.database.as_deref().or(known);
        let here = self.database.as_deref().is_none_or(|wanted| database == Some(wanted));
        here && self
            .patterns
            .iter()
            .any(|pattern| pattern.fits(database, &table.schema, &table.name))
    }

    /// The tables that are meant, of all that there are.
    ///
    /// # Errors
    /// When a pattern fits none, or they are of several databases.
    pub(super) fn choose(
        &self,
        all: &[TableName],
        known: Option<&str>,
    ) -> Result<Vec<TableName>, Failure> {
        self.check_database(all, known)?;
        let chosen: Vec<TableName> =
            all.iter().filter(|table| self.wants(table, known)).cloned().collect();
        for pattern in &self.patterns {
            let fits = |table: &TableName| {
                let database = table.database.as_deref().or(known);
                pattern.fits(database, &table.schema, &table.name)
            };
            if !chosen.iter().any(fits) {
                return Err(none(pattern.text(), all));
            }
        }
        several(&chosen)?;
        Ok(chosen)
    }

    fn check_database(&self, all: &[TableName], known: Option<&str>) -> Result<(), Failure> {
        let Some(wanted) = &self.database else { return Ok(()) };
        let databases = databases(all, known);
        if databases.iter().any(|database| database == wanted) {
            return Ok(());
        }
        let (cause, hint) = match databases.as_slice() {
            [] => (
                format!("the backup does not say of which database it is: {wanted} or another one"),
                "leave out --database".to_owned(),
            ),
            names => (
                format!("the backup has no rows of a database {wanted}"),
                format!("it has rows of {}", names.join(", ")),
            ),
        };
        Err(cannot(cause, &hint))
    }
}

fn databases(all: &[TableName], known: Option<&str>) -> Vec<String> {
    let named = all.iter().filter_map(|table| table.database.as_deref());
    let mut names: Vec<String> = named.chain(known).map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}

/// Refuses tables of several databases.
pub(super) fn several(chosen: &[TableName]) -> Result<(), Failure> {
    match databases(chosen, None).as_slice() {
        [] | [_] => Ok(()),
        names => Err(cannot(
            format!("tables of several databases fit: of {}", names.join(", ")),
            "name the one that is meant with --database NAME",
        )),
    }
}

/// No table fits.
pub(super) fn none(pattern: &str, all: &[TableName]) -> Failure {
    let bare = pattern.replace('"', "");
    let alike = |table: &TableName| {
        let whole = strsim::jaro_winkler(&bare, &table.display_name());
        whole.max(strsim::jaro_winkler(&bare, &table.name))
    };
    let mut near: Vec<(f64, String)> = all
        .iter()
        .map(|table| (alike(table), table.display_name()))
        .filter(|(alike, _)| *alike >= ALIKE)
        .collect();
    near.sort_by(|one, other| other.0.total_cmp(&one.0).then_with(|| one.1.cmp(&other.1)));
    let mut names: Vec<String> = near.into_iter().map(|(_, name)| name).collect();
    names.dedup();
    names.truncate(SHOWN);
    let hint = match (names.as_slice(), all) {
        ([], []) => "it has no rows of any table".to_owned(),
        ([], all) => {
            let shown: Vec<String> = all.iter().take(SHOWN).map(TableName::display_name).collect();
            let more = if all.len() > SHOWN { ", …" } else { "" };
            format!("it has {} tables: {}{more}", all.len(), shown.join(", "))
        }
        (names, _) => format!("did you mean {}?", names.join(", ")),
    };
    cannot(format!("the backup has no rows of a table {pattern}"), &hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::pattern::TablePattern;

    fn tables(names: &[(Option<&str>, &str, &str)]) -> Vec<TableName> {
        let table = |(database, schema, name): &(Option<&str>, &str, &str)| TableName {
            database: database.map(str::to_owned),
            schema: (*schema).to_owned(),
            name: (*name).to_owned(),
        };
        names.iter().map(table).collect()
    }

    fn chosen(
        pattern: &str,
        database: Option<&str>,
        all: &[TableName],
        known: Option<&str>,
    ) -> Result<Vec<String>, (String, String)> {
        let patterns = vec![TablePattern::parse(pattern).unwrap()];
        let selection = Selection { patterns, database: database.map(str::to_owned) };
        let names = |chosen: Vec<TableName>| chosen.iter().map(TableName::display_name).collect();
        let words = |failure: Failure| (failure.cause, failure.hint.unwrap());
        selection.choose(all, known).map(names).map_err(words)
    }

    #[test]
    fn a_table_that_is_not_there_is_told_with_the_nearest_names() {
        let all = tables(&[(None, "public", "users"), (None, "public", "user_roles")]);
        assert_eq!(chosen("users", None, &all, None).unwrap(), ["public.users"]);
        assert_eq!(chosen("u*", None, &all, None).unwrap().len(), 2);
        let (cause, hint) = chosen("user", None, &all, None).unwrap_err();
        assert_eq!(cause, "the backup has no rows of a table user");
        assert_eq!(hint, "did you mean public.users, public.user_roles?");
        let (_, hint) = chosen("xyz", None, &all, None).unwrap_err();
        assert_eq!(hint, "it has 2 tables: public.users, public.user_roles");
        assert_eq!(chosen("a", None, &[], None).unwrap_err().1, "it has no rows of any table");
    }

    #[test]
    fn a_table_of_several_databases_needs_the_name_of_one() {
        let all = tables(&[(Some("a"), "s", "t"), (Some("b"), "s", "t"), (Some("b"), "s", "u")]);
        assert_eq!(chosen("u", None, &all, None).unwrap(), ["s.u"]);
        assert_eq!(chosen("t", Some("b"), &all, None).unwrap(), ["s.t"]);
        assert_eq!(chosen("a.s.t", None, &all, None).unwrap(), ["s.t"]);
        let (cause, _) = chosen("t", None, &all, None).unwrap_err();
        assert_eq!(cause, "tables of several databases fit: of a, b");
        let (cause, hint) = chosen("t", Some("c"), &all, None).unwrap_err();
        assert_eq!(cause, "the backup has no rows of a database c");
        assert_eq!(hint, "it has rows of a, b");
    }

    #[test]
    fn a_database_is_known_by_the_dump_or_the_manifest_or_not_at_all() {
        let all = tables(&[(None, "s", "t")]);
        assert_eq!(chosen("t", Some("a"), &all, Some("a")).unwrap(), ["s.t"]);
        assert!(chosen("t", Some("b"), &all, Some("a")).is_err());
        let (cause, _) = chosen("t", Some("a"), &all, None).unwrap_err();
        assert!(cause.starts_with("the backup does not say of which database"), "{cause}");
    }
}
