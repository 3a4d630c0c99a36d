//! What a source has that a backup of it may not have, asked with psql, and what of it a backup has not.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::client_tools::PgDump;
use crate::libpq::settings::ConnectSettings;
use crate::model::contents::{StatementsOfKind, Table};
use crate::model::coverage::Coverage;
use crate::model::dump_options::DumpOptions;
use crate::model::secret::Secret;

/// What a source has. What it does not tell is absent: a role may not see it, or an older server not
/// know it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceHas {
    databases: Option<Vec<String>>,
    roles: Option<Vec<String>>,
    tables: Option<Vec<SourceTable>>,
    publications: Option<Vec<String>>,
    subscriptions: Option<Vec<String>>,
    /// Of the database, and of roles in it alone.
    settings: Option<Vec<String>>,
    /// Of roles in every database.
    role_settings: Option<Vec<String>>,
    extensions: Option<Vec<String>>,
}

/// A table of the source that can hold rows, and is neither the system's nor an extension's.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct SourceTable {
    schema: String,
    name: String,
    foreign: bool,
    unlogged: bool,
    /// Row-level security may hide rows of it from the role that asks.
    secured: bool,
    readable: bool,
}

/// Queries of one row of JSON each. One that fails leaves its keys out: psql goes on to the next.
const QUERIES: [&str; 7] = [
    "select json_build_object('databases', coalesce(json_agg(datname order by datname), '[]'))
     from pg_catalog.pg_database
     where datallowconn and not datistemplate and datname <> current_database()",
    "select json_build_object('roles', coalesce(json_agg(rolname order by rolname), '[]'))
     from pg_catalog.pg_roles where rolname !~ '^pg_'",
    "select json_build_object('tables', coalesce(json_agg(json_build_object(
         'schema', n.nspname, 'name', c.relname, 'foreign', c.relkind = 'f',
         'unlogged', c.relpersistence = 'u',
         'secured', pg_catalog.row_security_active(c.oid),
         'readable', pg_catalog.has_schema_privilege(n.oid, 'usage')
             and pg_catalog.has_table_privilege(c.oid, 'select'))
         order by n.nspname, c.relname), '[]'))
     from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'f') and c.relpersistence <> 't'
       and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
       and not exists (select from pg_catalog.pg_depend d
                       where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid
                         and d.deptype = 'e')",
    "select json_build_object('publications', coalesce(json_agg(pubname order by pubname), '[]'))
     from pg_catalog.pg_publication",
    "select json_build_object('subscriptions', coalesce(json_agg(subname order by subname), '[]'))
     from pg_catalog.pg_subscription
     where subdbid = (select oid from pg_catalog.pg_database where datname = current_database())",
    "select json_build_object(
         'settings', coalesce(json_agg(said order by said) filter (where setdatabase <> 0), '[]'),
         'role_settings', coalesce(json_agg(said order by said) filter (where setdatabase = 0), '[]'))
     from (select s.setdatabase, case s.setrole when 0 then 'database'
                  else 'role ' || pg_catalog.pg_get_userbyid(s.setrole) end
                  || ': ' || split_part(c.setting, '=', 1) as said
           from pg_catalog.pg_db_role_setting s, unnest(s.setconfig) as c (setting)
           where s.setdatabase in (0, (select oid from pg_catalog.pg_database
                                       where datname = current_database()))) t",
    "select json_build_object('extensions', coalesce(json_agg(extname order by extname), '[]'))
     from pg_catalog.pg_extension",
];

/// Asks the source. Whatever is in the way, a backup can be made without.
pub async fn source_has(settings: &ConnectSettings, pg_dump: &PgDump) -> SourceHas {
    let Some(psql) = pg_dump.psql().await else { return SourceHas::default() };
    let mut invocation = settings
        .apply(psql.invocation())
        .args(["-X", "-A", "-t", "-q", "-c", "SET statement_timeout = 0"])
        .env("PGCLIENTENCODING", Secret::new("UTF8"));
    for query in QUERIES {
        invocation = invocation.args(["-c", query]);
    }
    match invocation.capture().await {
        Ok(captured) => parse(&captured.stdout),
        Err(error) => {
            tracing::debug!(%error, "the source was not asked what a backup has not");
            SourceHas::default()
        }
    }
}

/// Lines of JSON, each an object.
fn parse(stdout: &[u8]) -> SourceHas {
    let lines = stdout.split(|byte| *byte == b'\n');
    let objects = lines.filter_map(|line| serde_json::from_slice::<Map<String, Value>>(line).ok());
    let mut told: Map<String, Value> = objects.flatten().collect();
    SourceHas {
        databases: taken(&mut told, "databases"),
        roles: taken(&mut told, "roles"),
        tables: taken(&mut told, "tables"),
        publications: taken(&mut told, "publications"),
        subscriptions: taken(&mut told, "subscriptions"),
        settings: taken(&mut told, "settings"),
        role_settings: taken(&mut told, "role_settings"),
        extensions: taken(&mut told, "extensions"),
    }
}

fn taken<T: DeserializeOwned>(told: &mut Map<String, Value>, key: &str) -> Option<T> {
    serde_json::from_value(told.remove(key)?).ok()
}

/// What of a backup its coverage depends on.
#[derive(Debug, Clone, Copy)]
pub struct Held<'a> {
    /// What pg_dump was told.
    pub options: &'a DumpOptions,
    /// The tables with rows in the dump.
    pub tables: &'a [Table],
    /// Its statements.
    pub statements: &'a [StatementsOfKind],
    /// Whether the server's roles are in a file beside it.
    pub globals: bool,
}

impl SourceHas {
    /// The extensions that it has; `None` where it does not say.
    pub fn extensions(&self) -> Option<&[String]> {
        self.extensions.as_deref()
    }

    /// The tables whose rows the role that asks may not read, or not all of; `None` where it is not said.
    pub fn unreadable(&self) -> Option<Vec<String>> {
        let is_hidden = |table: &&SourceTable| !table.foreign && (!table.readable || table.secured);
        let name = |table: &SourceTable| format!("{}.{}", table.schema, table.name);
        Some(self.tables.as_ref()?.iter().filter(is_hidden).map(name).collect())
    }

    /// The same without other databases of which the same run makes backups.
    #[must_use]
    pub fn without_databases(mut self, backed_up: &[String]) -> Self {
        if let Some(databases) = &mut self.databases {
            databases.retain(|database| !backed_up.contains(database));
        }
        self
    }

    /// What the source has and a backup that holds this has not; `None` where the source told nothing.
    pub fn beside(&self, held: Held<'_>) -> Option<Coverage> {
        if *self == Self::default() {
            return None;
        }
        let without = |held: bool, names: &Option<Vec<String>>| {
            if held { names.as_ref().map(|_| Vec::new()) } else { names.clone() }
        };
        let made = |kind: &str, names: &Option<Vec<String>>| {
            let made = held.statements.iter().find(|of| of.kind == kind).map_or(0, |of| of.count);
            names.as_ref().is_some_and(|names| made >= names.len() as u64)
        };
        let settings = without(held.options.create, &self.settings);
        let role_settings = without(held.globals, &self.role_settings);
        let mut coverage = Coverage {
            databases: self.databases.clone(),
            roles: without(held.globals, &self.roles),
            publications: without(made("PUBLICATION", &self.publications), &self.publications),
            subscriptions: without(made("SUBSCRIPTION", &self.subscriptions), &self.subscriptions),
            settings: settings.zip(role_settings).map(|(one, other)| [one, other].concat()),
            ..Coverage::default()
        };
        // Of an empty table, INSERT statements say nothing.
        if let Some(tables) = self.tables.as_ref().filter(|_| !held.options.inserts) {
            leave_tables(&mut coverage, tables, held);
        }
        Some(coverage)
    }
}

/// Notes the tables whose rows are not, or not all, in the dump.
fn leave_tables(coverage: &mut Coverage, tables: &[SourceTable], held: Held<'_>) {
    let lies_there = |table: &SourceTable| {
        held.tables.iter().any(|of| (&of.schema, &of.name) == (&table.schema, &table.name))
    };
    // Partitions can be loaded through their root.
    let through_root = held.options.has("load-via-partition-root");
    let names = |wanted: &dyn Fn(&&SourceTable) -> bool| -> Vec<String> {
        let name = |table: &SourceTable| format!("{}.{}", table.schema, table.name);
        tables.iter().filter(wanted).map(name).collect()
    };
    let gone = |table: &SourceTable| !table.foreign && !through_root && !lies_there(table);
    coverage.foreign_tables = Some(names(&|table| table.foreign && !lies_there(table)));
    coverage.unlogged_tables = Some(names(&|table| gone(table) && table.unlogged));
    coverage.unreadable_tables =
        Some(names(&|table| gone(table) && !table.unlogged && !table.readable));
    coverage.excluded_tables =
        Some(names(&|table| gone(table) && !table.unlogged && table.readable));
    let secured = held.options.has("enable-row-security");
    coverage.row_security_tables =
        Some(names(&|table| secured && table.secured && lies_there(table)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::contents::{Columns, TableFingerprint};

    fn told() -> SourceHas {
        parse(
            br#"{"databases":["other"]}
{"roles":["app","postgres"]}
ERROR:  permission denied
{"tables":[
not JSON
{"publications":["p"]}
{"settings":["database: TimeZone"],"role_settings":["role app: search_path"]}
"#,
        )
    }

    fn table(name: &str) -> Table {
        Table {
            schema: "public".into(),
            name: name.into(),
            columns: Columns::Named(Vec::new()),
            fingerprint: TableFingerprint::default(),
            bytes: 0,
            spans: Vec::new(),
        }
    }

    fn source_table(name: &str, foreign: bool, unlogged: bool, readable: bool) -> SourceTable {
        let (schema, name) = ("public".into(), name.into());
        SourceTable { schema, name, foreign, unlogged, secured: true, readable }
    }

    fn held<'a>(options: &'a DumpOptions, tables: &'a [Table]) -> Held<'a> {
        Held { options, tables, statements: &[], globals: false }
    }

    #[test]
    fn what_a_source_does_not_tell_is_absent() {
        let options = DumpOptions::default();
        let coverage = told().beside(held(&options, &[])).unwrap();
        assert_eq!(coverage.databases, Some(vec!["other".to_owned()]));
        assert_eq!((coverage.excluded_tables, coverage.subscriptions), (None, None));
        assert_eq!(coverage.settings.unwrap().len(), 2);
        assert_eq!(parse(b"").beside(held(&options, &[])), None);
    }

    #[test]
    fn other_databases_that_are_backed_up_beside_it_are_not_missing() {
        let options = DumpOptions::default();
        let names = ["other".to_owned(), "more".to_owned()];
        let coverage = told().without_databases(&names).beside(held(&options, &[])).unwrap();
        assert_eq!(coverage.databases, Some(Vec::new()));
        let coverage = told().without_databases(&names[1..]).beside(held(&options, &[])).unwrap();
        assert_eq!(coverage.databases, Some(vec!["other".to_owned()]));
    }

    #[test]
    fn what_the_backup_has_is_not_named() {
        let options = DumpOptions::of(["--create"], 15);
        let statements = [StatementsOfKind {
            kind: "PUBLICATION".into(),
            count: 1,
            fingerprint: Default::default(),
        }];
        let held = Held { statements: &statements, globals: true, ..held(&options, &[]) };
        let coverage = told().beside(held).unwrap();
        let nothing = Some(Vec::new());
        assert_eq!(coverage.roles, nothing);
        assert_eq!((coverage.publications, coverage.settings), (nothing.clone(), nothing));
    }

    #[test]
    fn tables_whose_rows_are_not_in_the_dump_are_named_by_the_reason() {
        let tables = [
            source_table("held", false, false, true),
            source_table("left", false, false, true),
            source_table("hidden", false, false, false),
            source_table("fast", false, true, true),
            source_table("far", true, false, true),
        ];
        let source = SourceHas { tables: Some(tables.to_vec()), ..SourceHas::default() };
        let options = DumpOptions::of(["--enable-row-security"], 15);
        let tables = [table("held")];
        let coverage = source.beside(held(&options, &tables)).unwrap();
        let one = |name: &str| Some(vec![format!("public.{name}")]);
        assert_eq!(coverage.excluded_tables, one("left"));
        assert_eq!(coverage.unreadable_tables, one("hidden"));
        assert_eq!(coverage.unlogged_tables, one("fast"));
        assert_eq!(coverage.foreign_tables, one("far"));
        assert_eq!(coverage.row_security_tables, one("held"));
        let inserts = DumpOptions::of(["--inserts"], 15);
        assert_eq!(source.beside(held(&inserts, &tables)).unwrap().excluded_tables, None);
    }
}
