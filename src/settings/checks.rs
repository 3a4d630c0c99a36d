//! `[checks]` of the configuration, resolved to what the checks go by.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use super::SettingsError;
use crate::checks::change::{Bound, Bounds};
use crate::checks::migrations::kinds::Kind;
use crate::checks::migrations::{Demand, Keeper, Source, versions};
use crate::checks::sql::{Expected, SqlCheck, Value};
use crate::checks::{AppTable, ccc_tables};
use crate::cli::parse_duration;
use crate::config::{self, Checks, MigrationKind, Migrations, Number, RowRule, Rows, Scalar};

/// How long a question may take where nothing is said.
const TIMEOUT: Duration = Duration::from_secs(60);
const HINT: &str = "docs/configuration.md says how checks are written";

fn wrong(message: String, hint: &str) -> SettingsError {
    SettingsError { message, hint: hint.to_owned() }
}

/// The application's tables, and whether they are CCC's because nobody named others.
pub(super) fn tables(checks: &Checks) -> (Vec<AppTable>, bool) {
    let mut tables = match &checks.tables {
        Some(names) => names.iter().map(|name| AppTable::named(name)).collect(),
        None => ccc_tables(),
    };
    for (name, rule) in &checks.rows.tables {
        hold_rows(&mut tables, name, *rule);
    }
    (tables, checks.tables.is_none())
}

/// Has a table with fewer rows fail; it is checked also where it is none of `tables` yet.
fn hold_rows(tables: &mut Vec<AppTable>, name: &str, rule: RowRule) {
    match tables.iter_mut().find(|table| table.full_name() == name) {
        Some(table) => (table.counted, table.least) = (true, rule.min),
        None => tables.push(AppTable { least: rule.min, ..AppTable::named(name) }),
    }
}

/// What the numbers of rows of an earlier backup are a measure for.
pub(super) fn bounds(rows: &Rows) -> Bounds {
    let bound = |drop: Option<config::Percent>, growth: Option<config::Percent>| Bound {
        max_drop: drop.map(|percent| percent.0),
        max_growth: growth.map(|percent| percent.0),
    };
    let of = rows.tables.iter().map(|(name, rule)| {
        let AppTable { schema, name, .. } = AppTable::named(name);
        (schema, name, bound(rule.max_drop, rule.max_growth))
    });
    let of = of.filter(|(_, _, bound)| !bound.is_none()).collect();
    Bounds { any: bound(rows.max_drop, rows.max_growth), of }
}

/// How old the newest backup may be.
///
/// # Errors
/// When it is no time.
pub(super) fn max_age(checks: &Checks) -> Result<Option<Duration>, SettingsError> {
    let text = checks.max_age.as_deref();
    text.map(|text| time("max_age", text)).transpose()
}

fn time(key: &str, text: &str) -> Result<Duration, SettingsError> {
    let told = |why: String| wrong(format!("{key} = {text:?} is no time: {why}"), HINT);
    parse_duration(text).map_err(told)
}

/// What the migrations are held to. CCC's are kept by Alembic; what keeps others is found out where nothing is
/// said. `is_named` says whether the operator named the configuration.
///
/// # Errors
/// When what is said does not go together, when there is no such directory or no file in it, and when a
/// configuration that nobody named has a command.
pub(super) fn migrations(
    said: Migrations,
    is_cccs: bool,
    is_named: bool,
) -> Result<Demand, SettingsError> {
    let Migrations { kind, table, directory, command, home, require_head } = said;
    let has_source = directory.is_some() || command.is_some();
    let keeper = match kind {
        Some(MigrationKind::None) => Keeper::None,
        Some(MigrationKind::Alembic) => Keeper::Kind(Kind::Alembic),
        Some(MigrationKind::Django) => Keeper::Kind(Kind::Django),
        Some(MigrationKind::Rails) => Keeper::Kind(Kind::Rails),
        Some(MigrationKind::Flyway) => Keeper::Kind(Kind::Flyway),
        Some(MigrationKind::Prisma) => Keeper::Kind(Kind::Prisma),
        Some(MigrationKind::Sqitch) => Keeper::Kind(Kind::Sqitch),
        None if is_cccs || has_source => Keeper::Kind(Kind::Alembic),
        None => Keeper::Found,
    };
    let is_alembic = keeper == Keeper::Kind(Kind::Alembic);
    if has_source && !is_alembic {
        let message = "directory and command below [checks.migrations] are Alembic's".to_owned();
        return Err(wrong(message, "leave them out, or set kind = \"alembic\""));
    }
    if table.is_some() && kind.is_none() && !is_alembic {
        let message = "table below [checks.migrations] needs a kind".to_owned();
        return Err(wrong(message, "set kind, such as kind = \"django\""));
    }
    if require_head && !has_source {
        let message = "require_head below [checks.migrations] needs the application's migrations";
        let hint = "name their directory, such as directory = \"alembic\", or a command that lists \
                    them: command = \"alembic heads\"";
        return Err(wrong(message.to_owned(), hint));
    }
    let source = match (directory, command) {
        (Some(_), Some(_)) => {
            let message = "directory and command below [checks.migrations] both list migrations";
            return Err(wrong(message.to_owned(), "leave one of them out"));
        }
        (Some(named), None) => Some(Source::Directory(directory_of(&named)?)),
        (None, Some(_)) if !is_named => {
            let message = "ccc-backup.toml has a command of migrations run, and is not named";
            let hint = "read it, then vouch for it with --config ccc-backup.toml";
            return Err(wrong(message.to_owned(), hint));
        }
        (None, Some(words)) => Some(Source::Command { words, home }),
        (None, None) => None,
    };
    let table = table.map(|name| {
        let AppTable { schema, name, .. } = AppTable::named(&name);
        (schema, name)
    });
    Ok(Demand { keeper, table, source, require_head })
}

/// The directory of the files. That there are any is looked at before anything is done; whether they are understood
/// is said with the other checks.
fn directory_of(named: &Path) -> Result<std::path::PathBuf, SettingsError> {
    let dir = versions::directory(named);
    match versions::read(&dir) {
        Err(error @ (versions::Unread::Directory { .. } | versions::Unread::Empty(_))) => {
            let hint = "directory below [checks.migrations] is that of Alembic, with versions in it, and leads from \
                        the directory of ccc-backup.toml";
            Err(wrong(error.to_string(), hint))
        }
        _ => Ok(dir),
    }
}

/// The questions of the operator's own.
///
/// # Errors
/// When one has no name, no query, or not one expectation, or when two have one name.
pub(super) fn questions(checks: Vec<config::SqlCheck>) -> Result<Vec<SqlCheck>, SettingsError> {
    let mut names = BTreeSet::new();
    let mut all = Vec::new();
    for check in checks {
        let name = check.name.trim().to_owned();
        if name.is_empty() {
            let message = format!("a check of [[checks.sql]] has no name: {}", check.query.trim());
            return Err(wrong(message, "give it a name, which stands in the report"));
        }
        if !names.insert(name.clone()) {
            let message = format!("two checks of [[checks.sql]] are called {name:?}");
            return Err(wrong(message, "give each a name of its own"));
        }
        if check.query.trim().is_empty() {
            let message = format!("the check {name:?} of [[checks.sql]] has no query");
            return Err(wrong(message, "write one: query = \"SELECT …\""));
        }
        let timeout = match &check.timeout {
            None => TIMEOUT,
            Some(text) => time(&format!("timeout of the check {name:?}"), text)?,
        };
        let expected = expected(&name, &check)?;
        let config::SqlCheck { query, database, role, .. } = check;
        all.push(SqlCheck { name, query, expected, database, role, timeout });
    }
    Ok(all)
}

/// The one thing that is expected of a query.
fn expected(name: &str, check: &config::SqlCheck) -> Result<Expected, SettingsError> {
    let one = |number: &Number| match number {
        #[expect(clippy::cast_precision_loss, reason = "a limit")]
        Number::Whole(number) => Ok(*number as f64),
        Number::Fraction(number) if number.is_nan() => {
            let message =
                format!("the check {name:?} of [[checks.sql]] is held to what is no number");
            Err(wrong(message, HINT))
        }
        Number::Fraction(number) => Ok(*number),
    };
    let value = |scalar: &Scalar| match scalar {
        Scalar::Boolean(value) => Value::Boolean(*value),
        Scalar::Number(Number::Whole(number)) => Value::Whole(*number),
        Scalar::Number(Number::Fraction(number)) => Value::Fraction(*number),
        Scalar::Text(text) => Value::Text(text.clone()),
    };
    let row = check.expect.as_ref().map(|expected| match expected {
        config::Expected::One(scalar) => vec![value(scalar)],
        config::Expected::Row(scalars) => scalars.iter().map(value).collect(),
    });
    if row.as_ref().is_some_and(Vec::is_empty) {
        let message = format!("the check {name:?} of [[checks.sql]] expects a row without values");
        return Err(wrong(message, "name a value for each column, or set empty = true"));
    }
    let all = [
        row.map(|row| Ok(Expected::Row(row))),
        check.min.as_ref().map(|least| one(least).map(Expected::AtLeast)),
        check.max.as_ref().map(|most| one(most).map(Expected::AtMost)),
        check.empty.map(|empty| Ok(if empty { Expected::Nothing } else { Expected::Something })),
    ];
    let mut said = all.into_iter().flatten();
    match (said.next(), said.next()) {
        (Some(expected), None) => expected,
        (None, _) => {
            let message = format!("the check {name:?} of [[checks.sql]] expects nothing");
            Err(wrong(message, "say what the query should give: expect, min, max or empty"))
        }
        (Some(_), Some(_)) => {
            let message = format!(
                "the check {name:?} of [[checks.sql]] has more than one of expect, min, max and empty"
            );
            Err(wrong(message, "leave one, and make another check of the other"))
        }
    }
}

#[cfg(test)]
#[path = "checks_tests.rs"]
mod tests;
