//! Which errors of a restore say nothing against the backup. Each is a named rule; every error
//! that no rule names proves the backup bad.

use std::fmt;

use crate::pg::ServerError;

/// A known harmless error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// `pg_dump --clean` drops what a fresh database does not have; its `--if-exists` has holes.
    DropOfAbsent,
    /// `CREATE SCHEMA public` where every new database has one.
    SchemaExists,
    /// A `SET` of a parameter that this server does not know: a newer pg_dump wrote it.
    UnknownSetting,
    /// An owner or a grantee that the sandbox lacks; who owns a table is not what it holds.
    RoleAbsent,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DropOfAbsent => "DROP of something that a fresh database does not have",
            Self::SchemaExists => "schema \"public\" already exists",
            Self::UnknownSetting => "SET of a parameter that this server version does not know",
            Self::RoleAbsent => "owner or privilege of a role that the sandbox does not have",
        })
    }
}

/// SQLSTATEs that say "there is no such thing": table, column, function, object, schema.
const ABSENT: [&str; 5] = ["42P01", "42703", "42883", "42704", "3F000"];

/// The rule that makes this error harmless, if there is one. `keywords` are the statement's first
/// words in capitals.
pub fn rule(keywords: &[String], statement: &str, error: &ServerError) -> Option<Rule> {
    let code = error.code.as_str();
    let word = |index: usize| keywords.get(index).map_or("", String::as_str);
    match (word(0), word(1)) {
        ("DROP", _) if ABSENT.contains(&code) => Some(Rule::DropOfAbsent),
        ("ALTER", "TABLE") if ABSENT.contains(&code) && drops(statement) => {
            Some(Rule::DropOfAbsent)
        }
        ("CREATE", "SCHEMA") if code == "42P06" && error.message.contains("\"public\"") => {
            Some(Rule::SchemaExists)
        }
        ("SET", _) if code == "42704" && error.message.contains("configuration parameter") => {
            Some(Rule::UnknownSetting)
        }
        ("ALTER", _) if names_absent_role(error) && statement.contains(" OWNER TO ") => {
            Some(Rule::RoleAbsent)
        }
        ("ALTER", "DEFAULT") | ("GRANT" | "REVOKE", _) if names_absent_role(error) => {
            Some(Rule::RoleAbsent)
        }
        _ => None,
    }
}

/// `ALTER TABLE … DROP CONSTRAINT` or `ALTER COLUMN … DROP DEFAULT`, as `--clean` writes them.
fn drops(statement: &str) -> bool {
    statement.contains(" DROP CONSTRAINT ") || statement.contains(" DROP DEFAULT")
}

fn names_absent_role(error: &ServerError) -> bool {
    error.code == "42704" && error.message.starts_with("role ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(statement: &str, code: &str, message: &str) -> Option<Rule> {
        let keywords: Vec<String> =
            statement.split_whitespace().take(4).map(str::to_uppercase).collect();
        let error = ServerError {
            code: code.into(),
            message: message.into(),
            detail: None,
            hint: None,
            context: None,
            position: None,
        };
        rule(&keywords, statement, &error)
    }

    #[test]
    fn dropping_what_is_not_there_is_harmless() {
        let message = "relation \"public.users\" does not exist";
        assert_eq!(judged("DROP TABLE public.users;", "42P01", message), Some(Rule::DropOfAbsent));
        let alter = "ALTER TABLE ONLY public.users DROP CONSTRAINT users_pkey;";
        assert_eq!(judged(alter, "42P01", message), Some(Rule::DropOfAbsent));
    }

    #[test]
    fn dropping_what_something_depends_on_is_not_harmless() {
        assert_eq!(judged("DROP TABLE a;", "2BP01", "other objects depend on it"), None);
    }

    #[test]
    fn adding_to_what_is_not_there_is_not_harmless() {
        let alter = "ALTER TABLE ONLY public.users ADD CONSTRAINT users_pkey PRIMARY KEY (id);";
        assert_eq!(judged(alter, "42P01", "relation \"public.users\" does not exist"), None);
    }

    #[test]
    fn only_the_schema_public_may_exist_already() {
        let message = "schema \"public\" already exists";
        assert_eq!(judged("CREATE SCHEMA public;", "42P06", message), Some(Rule::SchemaExists));
        assert_eq!(judged("CREATE SCHEMA a;", "42P06", "schema \"a\" already exists"), None);
    }

    #[test]
    fn an_unknown_setting_is_harmless_and_a_wrong_value_is_not() {
        let set = "SET transaction_timeout = 0;";
        let message = "unrecognized configuration parameter \"transaction_timeout\"";
        assert_eq!(judged(set, "42704", message), Some(Rule::UnknownSetting));
        assert_eq!(judged("SET row_security = x;", "22023", "invalid value"), None);
    }

    #[test]
    fn an_absent_owner_is_harmless_and_an_absent_type_is_not() {
        let message = "role \"ccc\" does not exist";
        let owner = "ALTER TABLE public.users OWNER TO ccc;";
        assert_eq!(judged(owner, "42704", message), Some(Rule::RoleAbsent));
        assert_eq!(judged("GRANT ALL ON TABLE a TO ccc;", "42704", message), Some(Rule::RoleAbsent));
        let message = "type \"vector\" does not exist";
        assert_eq!(judged("CREATE TABLE a (b vector);", "42704", message), None);
    }
}
