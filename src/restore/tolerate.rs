//! Which errors of a restore say nothing against the backup. Each is a named rule; every error
//! that no rule names proves the backup bad.

use std::fmt;

use super::known::Known;
use super::settings;
use crate::dump::item::Statement;
use crate::pg::ServerError;

/// A known harmless error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// `pg_dump --clean` drops what a fresh database does not have; its `--if-exists` has holes.
    DropOfAbsent,
    /// The stand-in for a view that `--clean` makes before its drops, where a type is not there yet.
    StubView,
    /// `CREATE SCHEMA public` where every new database has one.
    SchemaExists,
    /// A `SET` of a parameter that another version has, and this server does not know.
    UnknownSetting,
    /// Statistics of pg_dump 18 and newer, which an older server does not take.
    Statistics,
    /// `CREATE LANGUAGE plpgsql`, where every new database has it.
    LanguageExists,
    /// The note that servers from 15.20 on keep of every column, where an older pg_dump took it for
    /// an option and an older server does not know it.
    ColumnNote,
    /// `CREATE ROLE postgres` of pg_dumpall, where every server has that role.
    RoleExists,
    /// `CREATE ROLE` where the restoring role may create none, and it was made beforehand.
    RoleMade,
    /// `DROP ROLE postgres` of pg_dumpall --clean, where no server can be without that role.
    RoleNeeded,
    /// A database whose locale the sandbox lacks: C takes its place.
    LocaleReplaced,
    /// A tablespace that the sandbox lacks: where a table lies is not what it holds.
    TablespaceAbsent,
    /// A locale of messages, money, numbers or times, which the sandbox lacks, as a setting of a database or
    /// a role: it holds for sessions to come. What needs it to be restored says so by itself.
    LocaleSetting,
    /// An owner or a grantee that the sandbox lacks; who owns a table is not what it holds.
    RoleAbsent,
    /// An owner that a restoring role without a superuser's rights may not set.
    OwnerRefused,
    /// A comment on an extension that belongs to the server.
    ExtensionComment,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DropOfAbsent => "DROP of something that a fresh database does not have",
            Self::StubView => "stand-in for a view, made by --clean before its drops",
            Self::SchemaExists => "schema \"public\" already exists",
            Self::UnknownSetting => "SET of a parameter that this server version does not know",
            Self::Statistics => "statistics that this server version does not take",
            Self::LanguageExists => "CREATE of the language plpgsql, which every database has",
            Self::ColumnNote => "note of a newer server about a column (pg_attver)",
            Self::RoleExists => "CREATE ROLE of the superuser that every server has",
            Self::RoleMade => "CREATE ROLE of a role that was made beforehand",
            Self::RoleNeeded => "DROP ROLE of the superuser that every server has",
            Self::LocaleReplaced => "database made with the locale C: the image lacks its own",
            Self::TablespaceAbsent => "tablespace that the sandbox does not have",
            Self::LocaleSetting => "setting of a locale that the sandbox lacks",
            Self::RoleAbsent => "owner or privilege of a role that the sandbox does not have",
            Self::OwnerRefused => "owner that only a superuser may set",
            Self::ExtensionComment => "comment on an extension that the server brings",
        })
    }
}

/// SQLSTATEs that say "there is no such thing": table, column, function, object, schema.
pub const ABSENT: [&str; 5] = ["42P01", "42703", "42883", "42704", "3F000"];

/// SQLSTATE of what the restoring role may not do. A superuser never meets it.
pub const NOT_ALLOWED: &str = "42501";

/// The rule that makes this error harmless, if there is one.
pub fn rule(statement: &Statement, error: &ServerError, known: &Known) -> Option<Rule> {
    let code = error.code.as_str();
    let is = |keywords: &[&str]| statement.starts_with(keywords);
    let absent = ABSENT.contains(&code);
    if known.cleaning.covers(statement.line) {
        // pg_dumpall --clean, without --if-exists.
        let no_such_database = code == "3D000" && is(&["DROP", "DATABASE"]);
        if absent && statement.drops() || no_such_database {
            return Some(Rule::DropOfAbsent);
        }
        if absent && statement.is_stub_view() {
            return Some(Rule::StubView);
        }
    }
    match code {
        "42P06" if is(&["CREATE", "SCHEMA"]) => {
            (error.message == "schema \"public\" already exists").then_some(Rule::SchemaExists)
        }
        "42883" if statement.restores_statistics() => Some(Rule::Statistics),
        "22023" if is_column_note(statement, error) => Some(Rule::ColumnNote),
        "22023" if is_locale_setting(statement, error) => Some(Rule::LocaleSetting),
        "42710" => exists(statement, error),
        "2BP01" if is(&["DROP", "ROLE"]) => error
            .message
            .ends_with(" because it is required by the database system")
            .then_some(Rule::RoleNeeded),
        _ if is_about_absent_tablespace(statement, error) => Some(Rule::TablespaceAbsent),
        "42704" => absent_setting_or_role(statement, error),
        NOT_ALLOWED => not_allowed(statement, known),
        _ => None,
    }
}

/// `ALTER TABLE … SET (pg_attver=…)`, where it does nothing else.
fn is_column_note(statement: &Statement, error: &ServerError) -> bool {
    let text = String::from_utf8_lossy(&statement.text);
    statement.starts_with(&["ALTER", "TABLE"])
        && error.message == "unrecognized parameter \"pg_attver\""
        && text.split_once(" SET (pg_attver=").is_some_and(|(_, rest)| {
            rest.trim_end_matches([')', ';']).bytes().all(|byte| byte.is_ascii_digit())
        })
}

/// `ALTER DATABASE … SET lc_monetary TO …`, and the same of a role, where the locale is the trouble.
fn is_locale_setting(statement: &Statement, error: &ServerError) -> bool {
    const LOCALES: [&str; 4] = ["lc_messages", "lc_monetary", "lc_numeric", "lc_time"];
    let of_locale = |name: &str| {
        error.message.starts_with(&format!("invalid value for parameter \"{name}\": "))
    };
    (statement.starts_with(&["ALTER", "DATABASE"]) || statement.starts_with(&["ALTER", "ROLE"]))
        && LOCALES.into_iter().any(of_locale)
}

/// What every server, or every database, has already.
fn exists(statement: &Statement, error: &ServerError) -> Option<Rule> {
    let message = error.message.as_str();
    if message == "role \"postgres\" already exists" {
        return statement.creates_role().then_some(Rule::RoleExists);
    }
    let known = ["extension", "language"].map(|what| format!("{what} \"plpgsql\" already exists"));
    (statement.starts_with(&["CREATE"]) && known.contains(&message.to_owned()))
        .then_some(Rule::LanguageExists)
}

/// A parameter that some version of PostgreSQL has, or a role that is only given something.
fn absent_setting_or_role(statement: &Statement, error: &ServerError) -> Option<Rule> {
    let message = error.message.as_str();
    if message.starts_with("unrecognized configuration parameter \"") {
        let known = statement.sets().is_some_and(|name| settings::is_known(&name));
        return known.then_some(Rule::UnknownSetting);
    }
    let gives = statement.starts_with(&["GRANT"])
        || statement.starts_with(&["REVOKE"])
        || statement.starts_with(&["ALTER", "DEFAULT", "PRIVILEGES"])
        || statement.changes_owner();
    (gives && message.starts_with("role ")).then_some(Rule::RoleAbsent)
}

/// What only a superuser may say, where it is no matter.
fn not_allowed(statement: &Statement, known: &Known) -> Option<Rule> {
    if statement.changes_owner() {
        Some(Rule::OwnerRefused)
    } else if statement.starts_with(&["COMMENT", "ON", "EXTENSION"]) {
        Some(Rule::ExtensionComment)
    } else if !known.superuser && statement.creates_role() {
        Some(Rule::RoleMade)
    } else {
        None
    }
}

/// `SET default_tablespace`, and what pg_dumpall says of tablespaces, of one that is not there or whose
/// directory is not.
fn is_about_absent_tablespace(statement: &Statement, error: &ServerError) -> bool {
    let text = String::from_utf8_lossy(&statement.text);
    match error.code.as_str() {
        "22023" => {
            error.message.starts_with("invalid value for parameter \"default_tablespace\"")
                && statement.sets().as_deref() == Some("default_tablespace")
        }
        "58P01" => {
            error.message.starts_with("directory ")
                && statement.starts_with(&["CREATE", "TABLESPACE"])
        }
        "42704" => {
            error.message.starts_with("tablespace ")
                && (statement.starts_with(&["ALTER", "TABLESPACE"])
                    || statement.starts_with(&["COMMENT", "ON", "TABLESPACE"])
                    || ["GRANT ", "REVOKE "].iter().any(|verb| text.starts_with(verb))
                        && text.contains(" ON TABLESPACE "))
        }
        _ => false,
    }
}

#[cfg(test)]
#[path = "tolerate_tests.rs"]
mod tests;
