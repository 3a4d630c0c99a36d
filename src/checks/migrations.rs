//! The application's migrations are there: which keeps them, which is the newest, and how far that is from the
//! application's.

pub mod chain;
pub mod head;
pub mod kinds;
pub mod listed;
pub mod python;
pub mod versions;

use std::path::PathBuf;

use super::{Answer, CheckError, ask, refused, rows};
use crate::model::outcome::{CheckResult, Section, Status, counted};
use crate::pg::{Session, quote_ident, quote_literal, quote_qualified};
use kinds::Kind;

const ID: &str = "migrations.version";
const REVISIONS: &str = "SELECT version_num::text FROM alembic_version ORDER BY 1";

/// What the migrations of a database are held to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Demand {
    /// What keeps them.
    pub keeper: Keeper,
    /// The table that they are kept in, where that is said: its schema, where that is, and its name.
    pub table: Option<(Option<String>, String)>,
    /// Where the application's are listed.
    pub source: Option<Source>,
    /// Whether a database fails that is behind the newest of those.
    pub require_head: bool,
}

impl Demand {
    /// The same of a database of another time than the application's migrations: it is not compared with them.
    #[must_use]
    pub fn of_another_time(&self) -> Self {
        Self { source: None, require_head: false, ..self.clone() }
    }
}

/// What keeps migrations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Keeper {
    /// Nothing.
    None,
    /// Whatever is found.
    #[default]
    Found,
    /// This, which has to be there.
    Kind(Kind),
}

/// Where the application's migrations are listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// In a directory of Alembic.
    Directory(PathBuf),
    /// By a command.
    Command {
        /// Its words, for the shell.
        words: String,
        /// Where it is run.
        home: PathBuf,
    },
}

/// The table of migrations in a restored database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// By what.
    pub kind: Kind,
    /// Its schema.
    schema: String,
    /// Its name.
    name: String,
    /// Schemas beside that one which have such a table.
    others: usize,
}

impl Kept {
    fn quoted(&self) -> String {
        quote_qualified(&self.schema, &self.name)
    }

    /// Its name for people, and how many more there are.
    fn label(&self) -> String {
        let name = match self.schema.as_str() {
            "public" => self.name.clone(),
            schema => format!("{schema}.{}", self.name),
        };
        match self.others {
            0 => name,
            others => format!("{name} and {others} more of that name"),
        }
    }
}

/// The revisions of the restored database; `None` without a table of them.
///
/// # Errors
/// When the server cannot be asked.
pub async fn revisions(session: &Session) -> Result<Option<Vec<String>>, CheckError> {
    Ok(match ask(session, REVISIONS).await? {
        Answer::Rows(rows) => Some(rows.iter().filter_map(|row| row.get(0)).collect()),
        Answer::Refused(_) => None,
    })
}

/// What keeps the migrations of a database, by the tables that are there.
///
/// # Errors
/// When the server cannot be asked.
pub async fn found(session: &Session) -> Result<Vec<Kept>, CheckError> {
    let mut found = Vec::new();
    for kind in Kind::ALL {
        if let Some(beside) = kind.beside()
            && rows(session, &tables_named(beside, &[], None)).await?.is_empty()
        {
            continue;
        }
        found.extend(of_kind(session, kind, None).await?);
    }
    Ok(found)
}

/// The table of one kind: the one that is meant, else the one that is found by the usual name.
///
/// # Errors
/// When the server cannot be asked.
pub async fn of_kind(
    session: &Session,
    kind: Kind,
    named: Option<&(Option<String>, String)>,
) -> Result<Option<Kept>, CheckError> {
    let (schema, name) = match named {
        Some((schema, name)) => (schema.as_deref(), name.as_str()),
        None => (None, kind.table()),
    };
    let rows = rows(session, &tables_named(name, kind.columns(), schema)).await?;
    let kept = |schema: String| Kept {
        kind,
        schema,
        name: name.to_owned(),
        others: rows.len().saturating_sub(1),
    };
    Ok(rows.first().map(|row| kept(row.get(0))))
}

/// The schemas of the tables of a name that have these columns, the one that the name alone means first.
fn tables_named(name: &str, columns: &[&str], schema: Option<&str>) -> String {
    let has = |column: &&str| {
        let column = quote_literal(column);
        format!(
            " AND EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid \
             AND a.attname = {column} AND a.attnum > 0 AND NOT a.attisdropped)"
        )
    };
    let columns: String = columns.iter().map(has).collect();
    let schema = schema
        .map_or(String::new(), |schema| format!(" AND n.nspname = {}", quote_literal(schema)));
    format!(
        "SELECT n.nspname::text FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p') AND c.relname = {}{schema} \
         AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'{columns} \
         ORDER BY pg_catalog.pg_table_is_visible(c.oid) DESC, 1",
        quote_literal(name)
    )
}

/// The revision in Alembic's table, which keeps one row a head; several are all shown. Gives them, too.
///
/// # Errors
/// When the server cannot be asked.
pub async fn check_alembic(
    session: &Session,
    demand: &Demand,
) -> Result<(CheckResult, Vec<String>), CheckError> {
    let kept = of_kind(session, Kind::Alembic, demand.table.as_ref()).await?;
    let table = match (&kept, &demand.table) {
        (Some(kept), _) => kept.quoted(),
        // Refused, in the server's words.
        (None, Some((Some(schema), name))) => quote_qualified(schema, name),
        (None, Some((None, name))) => quote_ident(name),
        (None, None) => Kind::Alembic.table().to_owned(),
    };
    let sql = format!("SELECT version_num::text FROM {table} ORDER BY 1");
    Ok(match ask(session, &sql).await? {
        Answer::Refused(refusal) => {
            (refused(ID.into(), Section::Migrations, "Migration version", &refusal), Vec::new())
        }
        Answer::Rows(rows) => {
            let revisions: Vec<String> = rows.iter().filter_map(|row| row.get(0)).collect();
            (judge(&revisions), revisions)
        }
    })
}

/// The migrations of another keeper: how many, and the newest. Without any, a database fails where they have to be
/// there (`must`).
///
/// # Errors
/// When the server cannot be asked.
pub async fn check_other(
    session: &Session,
    kept: &Kept,
    must: bool,
) -> Result<CheckResult, CheckError> {
    let label = kept.label();
    Ok(match ask(session, &kept.kind.query(&kept.quoted())).await? {
        Answer::Refused(refusal) => {
            let what = format!("{} migrations in {label}", kept.kind);
            refused(id(kept.kind), Section::Migrations, &what, &refusal)
        }
        Answer::Rows(rows) => {
            let row = rows.first();
            let number = row.and_then(|row| row.get::<_, Option<i64>>(0)).unwrap_or(0);
            let newest = row.and_then(|row| row.get(1));
            let unfinished = row.and_then(|row| row.get(2));
            let number = u64::try_from(number).unwrap_or(0);
            judge_other((kept.kind, &label), number, newest, unfinished, must)
        }
    })
}

/// There is no table of what has to keep them.
pub fn missing(kind: Kind, demand: &Demand) -> CheckResult {
    let table = demand.table.as_ref().map_or(kind.table(), |(_, name)| name);
    let title = format!("{kind} migrations are missing: there is no table {table} of {kind}");
    CheckResult::new(id(kind), Section::Migrations, Status::Failed, title)
}

fn id(kind: Kind) -> String {
    format!("migrations.{}", kind.to_string().to_lowercase())
}

/// Nothing was found that keeps migrations, and nothing was said of it.
pub fn none_found() -> CheckResult {
    let kinds = Kind::ALL.map(|kind| kind.to_string()).join(", ");
    let title = format!("No migrations of a kind that is known ({kinds})");
    CheckResult::new("migrations.found", Section::Migrations, Status::Shown, title)
}

/// Whether the restored revision is the one in the manifest; of several, in whatever order they are.
pub fn judge_recorded(restored: &[String], recorded: &str) -> CheckResult {
    let sorted = |revisions: &[&str]| -> Vec<String> {
        let mut sorted: Vec<String> = revisions.iter().map(|id| (*id).to_owned()).collect();
        sorted.sort();
        sorted
    };
    let is: Vec<&str> = restored.iter().map(String::as_str).collect();
    let was: Vec<&str> = recorded.split(", ").collect();
    let (status, title) = if sorted(&is) == sorted(&was) {
        (Status::Passed, "Migration version matches the manifest".to_owned())
    } else {
        let title = format!(
            "Migration version does not match the manifest: expected {recorded}, found {}",
            restored.join(", ")
        );
        (Status::Failed, title)
    };
    CheckResult::new("contents.revision", Section::Contents, status, title)
}

fn judge(revisions: &[String]) -> CheckResult {
    let (status, title) = match revisions {
        [] => (Status::Failed, "Migration version is missing: alembic_version is empty".to_owned()),
        _ => (Status::Passed, format!("Migration version: {}", revisions.join(", "))),
    };
    CheckResult::new(ID, Section::Migrations, status, title)
}

fn judge_other(
    (kind, label): (Kind, &str),
    number: u64,
    newest: Option<String>,
    unfinished: Option<String>,
    must: bool,
) -> CheckResult {
    let result =
        |status, title: String| CheckResult::new(id(kind), Section::Migrations, status, title);
    let Some(newest) = newest else {
        let status = if must { Status::Failed } else { Status::Warned };
        return result(status, format!("{kind} migrations are missing: {label} is empty"));
    };
    let said =
        format!("{kind} migrations: {} in {label}, the newest {newest}", counted(number, "row"));
    match unfinished {
        None => result(Status::Passed, said),
        Some(name) => result(Status::Warned, said)
            .detail(format!("{name} did not come to its end, in the source either")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_revision_than_the_recorded_one_fails() {
        let judged = |restored: &[&str], recorded| {
            let restored: Vec<String> = restored.iter().map(|id| (*id).to_owned()).collect();
            judge_recorded(&restored, recorded).status
        };
        assert_eq!(judged(&["a"], "a"), Status::Passed);
        assert_eq!(judged(&["a", "b"], "b, a"), Status::Passed);
        for (restored, recorded) in
            [(&["b"][..], "a"), (&["a"], "a, b"), (&["a", "b"], "b"), (&[], "a")]
        {
            assert_eq!(judged(restored, recorded), Status::Failed);
        }
    }

    #[test]
    fn an_empty_alembic_version_fails_and_a_revision_passes() {
        assert_eq!(judge(&[]).status, Status::Failed);
        let result = judge(&["0607bc5b8541".to_owned()]);
        assert_eq!(result.status, Status::Passed);
        assert_eq!(result.title, "Migration version: 0607bc5b8541");
    }

    #[test]
    fn others_have_a_newest_migration_and_perhaps_one_that_did_not_end() {
        let judged = |newest: Option<&str>, unfinished: Option<&str>, must| {
            let of = (Kind::Flyway, "flyway_schema_history");
            judge_other(of, 2, newest.map(str::to_owned), unfinished.map(str::to_owned), must)
        };
        let passed = judged(Some("2 orders"), None, true);
        assert_eq!(passed.status, Status::Passed);
        assert_eq!(
            passed.title,
            "Flyway migrations: 2 rows in flyway_schema_history, the newest 2 orders"
        );
        assert_eq!(judged(Some("2 orders"), Some("2 orders"), true).status, Status::Warned);
        assert_eq!(judged(None, None, true).status, Status::Failed);
        assert_eq!(judged(None, None, false).status, Status::Warned);
    }
}
