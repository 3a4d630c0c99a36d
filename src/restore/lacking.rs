//! What a server lacks that a backup needs, told by what the server says of it; and which errors
//! follow from that.
//!
//! Source: PostgreSQL 13 to 19, `errmsg` beside each of the codes named here.

use std::fmt;

use super::extensions;
use super::failure::Failure;
use super::known::{Known, Server, Whose};
use super::removed::Removed;
use super::tolerate::{ABSENT, NOT_ALLOWED};
use crate::dump::item::Statement;
use crate::pg::{ServerError, quote_ident};

/// What a server lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    /// An extension, or the version of it that the backup names.
    Extension(String),
    /// A shared library, or a function in it.
    Library(String),
    /// A library that has to be loaded when the server starts; where the server names it.
    Preloading(Option<String>),
    /// A way to keep tables or indexes.
    AccessMethod(String),
    /// A provider of security labels.
    LabelProvider(Option<String>),
    /// A procedural language.
    Language(String),
    /// A file of a text search dictionary.
    SearchFile(String),
    /// A text search template, which only an extension makes.
    SearchTemplate(String),
    /// Another server, or a file, that a foreign table or a link reads from.
    OtherServer,
    /// A role that a value or an expression names.
    Role(String),
    /// Rights that the restoring role has not.
    Superuser,
    /// Rights of a role that are the cluster's.
    Rights,
    /// The locale that amounts of money are written in.
    Money,
    /// A locale of the system.
    Locale(String),
    /// A time zone.
    TimeZone(String),
    /// A collation that does not go with the database's encoding.
    Encoding(String),
    /// A parameter that other versions have, which a function is made with.
    Setting(String),
    /// A parameter of columns that minor versions of some distributions have.
    ColumnParameter(String),
    /// Something that this PostgreSQL was built without.
    Build,
    /// Something that older versions have.
    Removed(Removed),
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Extension(name) => write!(f, "the extension {name}, or this version of it"),
            Self::Library(name) => write!(f, "the library {name}"),
            Self::Preloading(Some(name)) => {
                write!(f, "the library {name} among those that it loads as it starts")
            }
            Self::Preloading(None) => {
                f.write_str("a library among those that it loads as it starts")
            }
            Self::AccessMethod(name) => write!(f, "the access method {name}"),
            Self::LabelProvider(Some(name)) => write!(f, "the security label provider {name}"),
            Self::LabelProvider(None) => f.write_str("a security label provider"),
            Self::Language(name) => write!(f, "the language {name}"),
            Self::SearchFile(name) => write!(f, "the text search file {name}"),
            Self::SearchTemplate(name) => write!(f, "the text search template {name}"),
            Self::OtherServer => f.write_str("what the backup reads from outside of itself"),
            Self::Role(name) => write!(f, "the role {name}"),
            Self::Superuser => f.write_str("a superuser's rights"),
            Self::Rights => f.write_str("rights that roles have in the source's cluster"),
            Self::Money => {
                f.write_str("the locale that the backup's amounts of money are written in")
            }
            Self::Locale(name) => write!(f, "the locale {name}"),
            Self::TimeZone(name) => write!(f, "the time zone {name}"),
            Self::Encoding(encoding) => {
                write!(
                    f,
                    "a database encoding that its collations go with, which {encoding} is not"
                )
            }
            Self::Setting(name) => write!(f, "the parameter {name}, which other versions have"),
            Self::ColumnParameter(name) => {
                write!(f, "the parameter {name} of columns, which other minor versions have")
            }
            Self::Build => f.write_str("something that this PostgreSQL was built without"),
            Self::Removed(what) => what.fmt(f),
        }
    }
}

impl Lack {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self, server: Server) -> String {
        if server.whose == Whose::Others {
            return self.hint_for_others(server);
        }
        let image = match server.whose {
            Whose::Machine => "use Docker and an image that has it: --engine docker --image IMAGE",
            _ => "use an image that has it: --image IMAGE",
        };
        let brought = |name: &str| extensions::remedy(&[name.to_owned()], server);
        match self {
            Self::Extension(name)
            | Self::Library(name)
            | Self::Language(name)
            | Self::AccessMethod(name) => brought(name),
            Self::LabelProvider(Some(name)) => format!(
                "{}, and have it loaded: [verify.settings] shared_preload_libraries = \"{name}\" in \
                 ccc-backup.toml",
                brought(name)
            ),
            Self::Preloading(Some(name)) => format!(
                "have it loaded: [verify.settings] shared_preload_libraries = \"{name}\" in \
                 ccc-backup.toml"
            ),
            Self::Preloading(None) | Self::LabelProvider(None) => {
                "have it loaded: [verify.settings] shared_preload_libraries in ccc-backup.toml"
                    .into()
            }
            Self::SearchFile(_) => {
                format!("{image}; the source has it in $(pg_config --sharedir)/tsearch_data")
            }
            Self::SearchTemplate(_) => image.into(),
            Self::OtherServer => {
                "a sandbox reaches nothing outside: leave the view out of the backup \
                                  (pg_dump --exclude-table), or make it WITH NO DATA"
                    .into()
            }
            Self::Role(_) => {
                "keep the cluster's roles beside the backup: ccc-backup create --globals".into()
            }
            Self::Superuser => "verify it in a container, where it may: --engine docker".into(),
            Self::Rights => {
                "keep the cluster's roles beside the backup: ccc-backup create --globals".into()
            }
            Self::Money => {
                "use an image that has the source's lc_monetary, and set it: --image IMAGE, and \
                            [verify.settings] lc_monetary in ccc-backup.toml"
                    .into()
            }
            Self::Locale(_) | Self::TimeZone(_) | Self::Build => image.into(),
            Self::Encoding(_) => {
                "make the backup with `ccc-backup create`, which notes the database's \
                                  encoding, or without --encoding"
                    .into()
            }
            Self::Setting(_) => "take the version of the source: --postgres-version N".into(),
            Self::ColumnParameter(_) => {
                format!("{image}; the pg_dump of the source's own minor version leaves it out")
            }
            Self::Removed(what) => {
                format!("take a version that has it: --postgres-version {}", what.last())
            }
        }
    }

    /// What to do about it at a server that others use.
    fn hint_for_others(&self, server: Server) -> String {
        match self {
            Self::Extension(name)
            | Self::Library(name)
            | Self::Language(name)
            | Self::AccessMethod(name) => extensions::remedy(std::slice::from_ref(name), server),
            Self::Preloading(Some(name)) | Self::LabelProvider(Some(name)) => {
                format!("add {name} to shared_preload_libraries of that server, and restart it")
            }
            Self::Preloading(None) | Self::LabelProvider(None) => {
                "add it to shared_preload_libraries of that server, and restart it".into()
            }
            Self::Role(name) => {
                format!(
                    "create it there: CREATE ROLE {}; or all of the backup's: --globals",
                    quote_ident(name)
                )
            }
            Self::Rights => "grant them there, or have the backup's roles made: --globals".into(),
            Self::Superuser => {
                "restore as a superuser, or as the service's own administrator: --username NAME"
                    .into()
            }
            Self::Encoding(_) => {
                "make the backup with `ccc-backup create`, which notes the database's encoding"
                    .into()
            }
            Self::OtherServer => "let that server reach what the backup reads from".into(),
            Self::Setting(_) => "restore into a server of the source's version".into(),
            Self::ColumnParameter(_) => {
                "restore into a server of the source's own minor version; its pg_dump leaves the \
                                         parameter out"
                    .into()
            }
            Self::Removed(what) => {
                format!("restore into a server of version {} or older", what.last())
            }
            Self::SearchFile(_)
            | Self::SearchTemplate(_)
            | Self::Money
            | Self::Locale(_)
            | Self::TimeZone(_)
            | Self::Build => "install it on that server, or restore into one that has it".into(),
        }
    }
}

/// What a refusal of a statement lost, which decides what can follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    /// Nothing that others need.
    Nothing,
    /// Rows.
    Rows,
    /// The rows of a materialized view.
    View,
    /// Something that others name.
    Object,
    /// Whatever comes after it is read otherwise than it is meant.
    Sense,
}

/// A statement that was refused because the server lacks something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lacking {
    /// What is lacking.
    pub lack: Lack,
    /// The statement, and what the server said.
    pub failure: Failure,
    loss: Loss,
}

impl Lacking {
    /// A refused statement of which `lack` is the reason.
    #[must_use]
    pub fn new(lack: Lack, statement: &Statement, failure: Failure) -> Self {
        let is = |keyword: &str| statement.starts_with(&[keyword]);
        let loses_nothing =
            ["SECURITY", "COMMENT", "GRANT", "REVOKE", "SET"].iter().any(|word| is(word))
                || matches!(lack, Lack::ColumnParameter(_)) && is("ALTER");
        let loss = if matches!(lack, Lack::Removed(what) if what.changes_what_follows()) {
            Loss::Sense
        } else if loses_nothing {
            Loss::Nothing
        } else if is("REFRESH") {
            Loss::View
        } else if ["COPY", "INSERT", "UPDATE", "DELETE"].iter().any(|word| is(word)) {
            Loss::Rows
        } else {
            Loss::Object
        };
        Self { lack, failure, loss }
    }

    /// Whether an error that came later can come of this: something is not there.
    #[must_use]
    pub fn explains(&self, error: &ServerError) -> bool {
        let code = error.code.as_str();
        match self.loss {
            // Its transaction is over, and whatever else was to be done in it.
            _ if code == "25P02" => true,
            Loss::Nothing => false,
            Loss::Sense => true,
            Loss::Rows => code == "23503",
            Loss::View => is_not_populated(error),
            Loss::Object => {
                ABSENT.contains(&code)
                    || matches!(code, "42830" | "3D000")
                    || is_not_populated(error)
            }
        }
    }
}

fn is_not_populated(error: &ServerError) -> bool {
    error.message.starts_with("materialized view ")
        && error.message.ends_with("has not been populated")
}

/// Parameters of columns (`pg_attribute.attoptions`) that servers of some minor versions set by themselves and others refuse:
/// `pg_attver` those of Debian's 15.20 and 17.12. A pg_dump that does not know them writes them out.
const COLUMN_PARAMETERS: [&str; 1] = ["pg_attver"];

/// What is between two texts that a message begins and ends with.
fn between<'a>(message: &'a str, before: &str, after: &str) -> Option<&'a str> {
    message.strip_prefix(before)?.strip_suffix(after)
}

/// What the server lacks where that is the reason of a refusal.
#[must_use]
pub fn lack(statement: &Statement, error: &ServerError, known: &Known) -> Option<Lack> {
    let code = error.code.as_str();
    let message = error.message.as_str();
    if code == NOT_ALLOWED {
        return match known {
            Known { superuser: false, .. } => Some(Lack::Superuser),
            Known { cluster: false, .. } => Some(Lack::Rights),
            _ => None,
        };
    }
    let removed = || matches!(code, "0A000" | "42704").then(|| Removed::of(message)).flatten();
    let named = match code {
        "58P01" => of_file(message),
        "42883" => of_function(message),
        "42704" => of_absent(statement, message),
        "22023" => of_value(statement, message),
        "55000" => of_state(message),
        "0A000" => of_build(message),
        "22P02" => between(message, "invalid input syntax for type money: \"", "\"")
            .filter(|amount| may_be_money(amount))
            .map(|_| Lack::Money),
        "22001" => {
            let said = error.context.as_deref().unwrap_or_default();
            let text = String::from_utf8_lossy(&statement.text);
            let counted = known.bytes_for_letters && !(said.is_ascii() && text.is_ascii());
            counted.then(|| Lack::Encoding("SQL_ASCII".to_owned()))
        }
        "F0000" => between_quotes(message, "could not open ").map(Lack::SearchFile),
        code if code.starts_with("08") || code.starts_with("HV") => Some(Lack::OtherServer),
        _ => None,
    };
    let named = named.or_else(|| removed().map(Lack::Removed));
    named.or_else(|| of_extension(statement, error))
}

/// `could not open dictionary file "/usr/…/german.dict": …`: what is in the first quotes, without its
/// directory.
fn between_quotes(message: &str, before: &str) -> Option<String> {
    let quoted = message.strip_prefix(before)?.split('"').nth(1)?;
    Some(quoted.rsplit('/').next().unwrap_or(quoted).to_owned())
}

fn of_file(message: &str) -> Option<Lack> {
    if message.starts_with("could not access file \"")
        || message.starts_with("could not load library")
    {
        return between_quotes(message, "could not ").map(|name| Lack::Library(plain(&name)));
    }
    let control = message.strip_prefix("could not open extension control file \"");
    if let Some(path) = control.and_then(|rest| rest.split_once(".control\"")) {
        let name = path.0.rsplit('/').next().unwrap_or(path.0);
        return Some(Lack::Extension(name.to_owned()));
    }
    // What file_fdw and COPY read.
    message.starts_with("could not open file \"").then_some(Lack::OtherServer)
}

/// A library's name without what is around it.
fn plain(library: &str) -> String {
    library.trim_start_matches("$libdir/").trim_end_matches(".so").to_owned()
}

fn of_function(message: &str) -> Option<Lack> {
    let rest = message.strip_prefix("could not find function \"")?;
    let file = rest.split_once("\" in file \"")?.1.trim_end_matches('"');
    Some(Lack::Library(plain(file.rsplit('/').next().unwrap_or(file))))
}

fn of_absent(statement: &Statement, message: &str) -> Option<Lack> {
    let named = |before: &str| between(message, before, "\" does not exist").map(str::to_owned);
    if let Some(name) = named("access method \"") {
        Some(Lack::AccessMethod(name))
    } else if let Some(name) = named("language \"") {
        Some(Lack::Language(name))
    } else if let Some(name) = named("text search template \"") {
        Some(Lack::SearchTemplate(name))
    } else if let Some(name) = named("role \"") {
        Some(Lack::Role(name))
    } else if let Some(name) = between(message, "required extension \"", "\" is not installed") {
        Some(Lack::Extension(name.to_owned()))
    } else if let Some((_, encoding)) =
        message.strip_prefix("collation \"").and_then(|rest| rest.split_once("\" for encoding \""))
        && encoding == "SQL_ASCII\" does not exist"
    {
        Some(Lack::Encoding("SQL_ASCII".to_owned()))
    } else if statement.starts_with(&["CREATE"])
        && let Some(name) = between(message, "unrecognized configuration parameter \"", "\"")
        && super::settings::is_known(name)
    {
        Some(Lack::Setting(name.to_owned()))
    } else {
        None
    }
}

fn of_value(statement: &Statement, message: &str) -> Option<Lack> {
    if let Some(name) = between(message, "security label provider \"", "\" is not loaded") {
        return Some(Lack::LabelProvider(Some(name.to_owned())));
    }
    if let Some(name) = between(message, "unrecognized parameter \"", "\"")
        && COLUMN_PARAMETERS.contains(&name)
    {
        return Some(Lack::ColumnParameter(name.to_owned()));
    }
    if message == "no security label providers have been loaded" {
        return Some(Lack::LabelProvider(None));
    }
    if let Some(name) = between(message, "time zone \"", "\" not recognized") {
        return Some(Lack::TimeZone(name.to_owned()));
    }
    if let Some(name) = statement
        .starts_with(&["CREATE", "EXTENSION"])
        .then(|| between_quotes(message, "extension "))
        .flatten()
    {
        return Some(Lack::Extension(name));
    }
    let (parameter, value) =
        message.strip_prefix("invalid value for parameter \"")?.split_once("\": \"")?;
    let value = value.trim_end_matches('"').to_owned();
    match parameter.to_ascii_lowercase().as_str() {
        "default_table_access_method" => Some(Lack::AccessMethod(value)),
        "timezone" => Some(Lack::TimeZone(value)),
        "lc_monetary" | "lc_numeric" | "lc_time" | "lc_messages" => Some(Lack::Locale(value)),
        "default_toast_compression" => Some(Lack::Build),
        _ => None,
    }
}

/// `pg_stat_statements must be loaded via "shared_preload_libraries"`, and how others say it.
fn of_state(message: &str) -> Option<Lack> {
    let (said, _) = message.split_once("shared_preload_libraries")?;
    let said = ["must be", "can only be", "must first be"].iter().find_map(|verb| {
        said.split_once(verb).filter(|(_, rest)| rest.contains("loaded")).map(|(name, _)| name)
    })?;
    let name = said.trim().trim_matches('"');
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    Some(Lack::Preloading(is_name.then(|| name.to_owned())))
}

fn of_build(message: &str) -> Option<Lack> {
    if let Some(name) = between(message, "extension \"", "\" is not available") {
        return Some(Lack::Extension(name.to_owned()));
    }
    if let Some(encoding) = between(message, "encoding \"", "\" not supported by ICU") {
        return Some(Lack::Encoding(encoding.to_owned()));
    }
    let built_without = message.contains("not supported by this build")
        || message.contains("not supported in this build")
        || message == "unsupported XML feature"
        || message.starts_with("compression method ") && message.ends_with(" not supported");
    built_without.then_some(Lack::Build)
}

/// Whatever else a `CREATE EXTENSION` is refused for, but for what the dump itself has to bring or
/// has wrong.
fn of_extension(statement: &Statement, error: &ServerError) -> Option<Lack> {
    let is_the_dumps = matches!(error.code.as_str(), "" | "42601" | "3F000" | "42710" | "25P02");
    if is_the_dumps {
        return None;
    }
    statement.created_extension().map(Lack::Extension)
}

/// Whether some locale can write an amount so: digits in one piece but for separators, and a currency
/// before or behind them.
fn may_be_money(amount: &str) -> bool {
    const LONGEST_CURRENCY: usize = 8;
    let is_sign = |c: char| matches!(c, '-' | '+' | '(' | ')') || c.is_whitespace();
    let digit = |c: char| c.is_ascii_digit();
    let (Some(first), Some(last)) = (amount.find(digit), amount.rfind(digit)) else { return false };
    let separates =
        |c: char| digit(c) || c.is_whitespace() || matches!(c, '.' | ',' | '\'' | '’' | '$');
    let currency = |text: &str| text.chars().filter(|c| !is_sign(*c)).count() <= LONGEST_CURRENCY;
    amount[first..=last].chars().all(separates)
        && currency(&amount[..first])
        && currency(&amount[last + 1..])
}

#[cfg(test)]
#[path = "lacking_tests.rs"]
mod tests;
