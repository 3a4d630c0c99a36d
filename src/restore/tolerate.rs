//! Which errors of a restore say nothing against the backup. Each is a named rule; every error
//! that no rule names proves the backup bad.

use std::fmt;

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
    /// A `SET` of a parameter that this server does not know: a newer pg_dump wrote it.
    UnknownSetting,
    /// The note that servers from 15.20 on keep of every column, where an older pg_dump took it for
    /// an option and an older server does not know it.
    ColumnNote,
    /// `CREATE ROLE postgres` of pg_dumpall, where every server has that role.
    RoleExists,
    /// `DROP ROLE postgres` of pg_dumpall --clean, where no server can be without that role.
    RoleNeeded,
    /// A database whose locale the sandbox lacks: C takes its place.
    LocaleReplaced,
    /// A tablespace that the sandbox lacks: where a table lies is not what it holds.
    TablespaceAbsent,
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
            Self::ColumnNote => "note of a newer server about a column (pg_attver)",
            Self::RoleExists => "CREATE ROLE of the superuser that every server has",
            Self::RoleNeeded => "DROP ROLE of the superuser that every server has",
            Self::LocaleReplaced => "database made with the locale C: the image lacks its own",
            Self::TablespaceAbsent => "tablespace that the sandbox does not have",
            Self::RoleAbsent => "owner or privilege of a role that the sandbox does not have",
            Self::OwnerRefused => "owner that only a superuser may set",
            Self::ExtensionComment => "comment on an extension that the server brings",
        })
    }
}

/// SQLSTATEs that say "there is no such thing": table, column, function, object, schema.
const ABSENT: [&str; 5] = ["42P01", "42703", "42883", "42704", "3F000"];

/// SQLSTATE of what the restoring role may not do. A superuser never meets it.
pub const NOT_ALLOWED: &str = "42501";

/// The rule that makes this error harmless, if there is one.
pub fn rule(statement: &Statement, error: &ServerError) -> Option<Rule> {
    let code = error.code.as_str();
    let text = String::from_utf8_lossy(&statement.text);
    let is = |keywords: &[&str]| statement.starts_with(keywords);
    let absent = ABSENT.contains(&code);
    let no_such_role = code == "42704" && error.message.starts_with("role ");
    let unlinks = text.starts_with("SELECT pg_catalog.lo_unlink(");
    let alter =
        is(&["ALTER", "TABLE"]) || is(&["ALTER", "FOREIGN", "TABLE"]) || is(&["ALTER", "DOMAIN"]);
    // pg_dumpall --clean, without --if-exists.
    let no_such_database = code == "3D000" && is(&["DROP", "DATABASE"]);
    let drop = is(&["DROP"]) || alter && drops(&text) || unlinks;
    if absent && drop || no_such_database {
        Some(Rule::DropOfAbsent)
    } else if absent && is(&["CREATE", "OR", "REPLACE", "VIEW"]) && is_stub(&text) {
        Some(Rule::StubView)
    } else if code == "42P06" && is(&["CREATE", "SCHEMA"]) && error.message.contains("\"public\"") {
        Some(Rule::SchemaExists)
    } else if code == "42704" && is(&["SET"]) && error.message.contains("configuration parameter") {
        Some(Rule::UnknownSetting)
    } else if code == "22023"
        && is(&["ALTER", "TABLE"])
        && text.contains(" SET (pg_attver=")
        && error.message == "unrecognized parameter \"pg_attver\""
    {
        Some(Rule::ColumnNote)
    } else if code == "42710" && is(&["CREATE", "ROLE"]) && error.message.contains("\"postgres\"") {
        Some(Rule::RoleExists)
    } else if code == "2BP01"
        && is(&["DROP", "ROLE"])
        && error.message.ends_with(" because it is required by the database system")
    {
        Some(Rule::RoleNeeded)
    } else if is_about_absent_tablespace(statement, error) {
        Some(Rule::TablespaceAbsent)
    } else if no_such_role
        && (is(&["GRANT"])
            || is(&["REVOKE"])
            || is(&["ALTER", "DEFAULT", "PRIVILEGES"])
            || is(&["ALTER"]) && text.contains(" OWNER TO "))
    {
        Some(Rule::RoleAbsent)
    } else if code == NOT_ALLOWED && is(&["ALTER"]) && text.contains(" OWNER TO ") {
        Some(Rule::OwnerRefused)
    } else if code == NOT_ALLOWED && is(&["COMMENT", "ON", "EXTENSION"]) {
        Some(Rule::ExtensionComment)
    } else {
        None
    }
}

/// The stand-in for a view that `--clean` writes before dropping what the view needs: every column
/// is `NULL::type`. Source: PostgreSQL 15, `pg_dump.c`, `createDummyViewAsClause`.
fn is_stub(statement: &str) -> bool {
    let Some((_, columns)) = statement.split_once(" AS\nSELECT\n") else { return false };
    columns.lines().all(|line| line.trim_start().starts_with("NULL::"))
}

/// `SET default_tablespace`, and what pg_dumpall says of tablespaces, of one that is not there or whose
/// directory is not.
fn is_about_absent_tablespace(statement: &Statement, error: &ServerError) -> bool {
    let text = String::from_utf8_lossy(&statement.text);
    match error.code.as_str() {
        "22023" => {
            error.message.starts_with("invalid value for parameter \"default_tablespace\"")
                && statement.starts_with(&["SET", "default_tablespace"])
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

/// `ALTER TABLE … DROP CONSTRAINT`, the same of a domain, or `ALTER COLUMN … DROP DEFAULT`, as
/// `--clean` writes them.
fn drops(statement: &str) -> bool {
    statement.contains(" DROP CONSTRAINT ") || statement.contains(" DROP DEFAULT")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(statement: &str, code: &str, message: &str) -> Option<Rule> {
        let statement =
            Statement { text: statement.to_owned().into(), toc: None, line: 1, offset: 0 };
        let error = ServerError {
            code: code.into(),
            message: message.into(),
            detail: None,
            hint: None,
            context: None,
            position: None,
        };
        rule(&statement, &error)
    }

    #[test]
    fn every_rule_is_told_in_words_of_its_own() {
        let rules = [
            Rule::DropOfAbsent,
            Rule::StubView,
            Rule::SchemaExists,
            Rule::UnknownSetting,
            Rule::ColumnNote,
            Rule::RoleExists,
            Rule::RoleNeeded,
            Rule::LocaleReplaced,
            Rule::TablespaceAbsent,
            Rule::RoleAbsent,
            Rule::OwnerRefused,
            Rule::ExtensionComment,
        ];
        let words: std::collections::BTreeSet<String> =
            rules.iter().map(ToString::to_string).filter(|words| words.contains(' ')).collect();
        assert_eq!(words.len(), rules.len());
    }

    #[test]
    fn the_superuser_that_every_server_has_may_exist_and_no_other_role() {
        let exists = |name: &str| format!("role \"{name}\" already exists");
        let found = judged("CREATE ROLE postgres;", "42710", &exists("postgres"));
        assert_eq!(found, Some(Rule::RoleExists));
        assert_eq!(judged("CREATE ROLE app;", "42710", &exists("app")), None);
    }

    #[test]
    fn the_superuser_that_every_server_has_may_stay_and_no_other_role() {
        let drop = "DROP ROLE IF EXISTS postgres;";
        let message = "cannot drop role postgres because it is required by the database system";
        assert_eq!(judged(drop, "2BP01", message), Some(Rule::RoleNeeded));
        let message = "role \"app\" cannot be dropped because some objects depend on it";
        assert_eq!(judged("DROP ROLE IF EXISTS app;", "2BP01", message), None);
    }

    #[test]
    fn what_only_a_superuser_may_say_of_owners_and_extensions_is_harmless_and_nothing_else_is() {
        let owner = "ALTER TABLE public.t OWNER TO app;";
        let denied = "permission denied for schema public";
        assert_eq!(judged(owner, NOT_ALLOWED, denied), Some(Rule::OwnerRefused));
        let comment = "COMMENT ON EXTENSION plpgsql IS 'PL/pgSQL procedural language';";
        let not_ours = "must be owner of extension plpgsql";
        assert_eq!(judged(comment, NOT_ALLOWED, not_ours), Some(Rule::ExtensionComment));
        let table = "COMMENT ON TABLE public.t IS 'OWNER TO x';";
        assert_eq!(judged(table, NOT_ALLOWED, "must be owner of table t"), None);
        let trigger = "CREATE EVENT TRIGGER t ON ddl_command_end EXECUTE FUNCTION public.f();";
        assert_eq!(judged(trigger, NOT_ALLOWED, "permission denied to create event trigger"), None);
    }

    #[test]
    fn dropping_what_is_not_there_is_harmless() {
        let message = "relation \"public.users\" does not exist";
        assert_eq!(judged("DROP TABLE public.users;", "42P01", message), Some(Rule::DropOfAbsent));
        let alter = "ALTER TABLE ONLY public.users DROP CONSTRAINT users_pkey;";
        assert_eq!(judged(alter, "42P01", message), Some(Rule::DropOfAbsent));
        let unlink = "SELECT pg_catalog.lo_unlink('18245');";
        let message = "large object 18245 does not exist";
        assert_eq!(judged(unlink, "42704", message), Some(Rule::DropOfAbsent));
        let message = "database \"shop\" does not exist";
        assert_eq!(judged("DROP DATABASE shop;", "3D000", message), Some(Rule::DropOfAbsent));
        let set = "ALTER DATABASE shop SET work_mem TO '8MB';";
        assert_eq!(judged(set, "3D000", message), None);
        assert_eq!(judged("SELECT pg_catalog.lo_open('1', 131072);", "42704", message), None);
    }

    #[test]
    fn dropping_from_a_domain_or_a_foreign_table_that_is_not_there_is_harmless() {
        let message = "schema \"shop\" does not exist";
        for statement in [
            "ALTER DOMAIN shop.price DROP CONSTRAINT IF EXISTS positive;",
            "ALTER FOREIGN TABLE shop.far ALTER COLUMN id DROP DEFAULT;",
        ] {
            assert_eq!(
                judged(statement, "3F000", message),
                Some(Rule::DropOfAbsent),
                "{statement}"
            );
        }
    }

    #[test]
    fn altering_a_domain_or_a_foreign_table_that_is_not_there_is_not_harmless() {
        let message = "schema \"shop\" does not exist";
        for statement in [
            "ALTER DOMAIN shop.price ADD CONSTRAINT positive CHECK (VALUE > 0) NOT VALID;",
            "ALTER FOREIGN TABLE shop.far ALTER COLUMN id SET DEFAULT 1;",
            "ALTER TYPE shop.mood ADD VALUE ' DROP DEFAULT';",
        ] {
            assert_eq!(judged(statement, "3F000", message), None, "{statement}");
        }
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
    fn a_stub_view_is_harmless_and_a_real_view_is_not() {
        let message = "type \"public.tier\" does not exist";
        let stub = "CREATE OR REPLACE VIEW public.v AS\nSELECT\n    NULL::public.tier AS tier,\n    \
                    NULL::bigint AS n;";
        assert_eq!(judged(stub, "42704", message), Some(Rule::StubView));
        let real = "CREATE OR REPLACE VIEW public.v AS\nSELECT\n    NULL::public.tier AS tier,\n    \
                    users.id\n   FROM public.users;";
        assert_eq!(judged(real, "42704", message), None);
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
    fn a_newer_servers_note_about_a_column_is_harmless_and_an_unknown_option_is_not() {
        let alter = "ALTER TABLE ONLY public.users ALTER COLUMN id SET (pg_attver=29726520);";
        let message = "unrecognized parameter \"pg_attver\"";
        assert_eq!(judged(alter, "22023", message), Some(Rule::ColumnNote));
        let alter = "ALTER TABLE ONLY public.users ALTER COLUMN id SET (n_distinkt=5);";
        assert_eq!(judged(alter, "22023", "unrecognized parameter \"n_distinkt\""), None);
    }

    #[test]
    fn an_absent_tablespace_is_harmless_and_what_cannot_be_made_without_it_is_not() {
        let message = "invalid value for parameter \"default_tablespace\": \"fast\"";
        let found = judged("SET default_tablespace = fast;", "22023", message);
        assert_eq!(found, Some(Rule::TablespaceAbsent));
        let message = "invalid value for parameter \"row_security\": \"fast\"";
        assert_eq!(judged("SET row_security = fast;", "22023", message), None);
        let message = "directory \"/disk\" does not exist";
        let found = judged("CREATE TABLESPACE fast OWNER a LOCATION '/disk';", "58P01", message);
        assert_eq!(found, Some(Rule::TablespaceAbsent));
        let message = "tablespace \"fast\" does not exist";
        for statement in [
            "ALTER TABLESPACE fast SET (random_page_cost=1.5);",
            "GRANT ALL ON TABLESPACE fast TO app;",
            "COMMENT ON TABLESPACE fast IS 'x';",
        ] {
            let found = judged(statement, "42704", message);
            assert_eq!(found, Some(Rule::TablespaceAbsent), "{statement}");
        }
        for statement in [
            "CREATE TABLE a (b text DEFAULT ' ON TABLESPACE ') TABLESPACE fast;",
            "CREATE DATABASE shop TABLESPACE = fast;",
        ] {
            assert_eq!(judged(statement, "42704", message), None, "{statement}");
        }
    }

    #[test]
    fn an_absent_owner_is_harmless_and_an_absent_type_is_not() {
        let message = "role \"ccc\" does not exist";
        let owner = "ALTER TABLE public.users OWNER TO ccc;";
        assert_eq!(judged(owner, "42704", message), Some(Rule::RoleAbsent));
        assert_eq!(
            judged("GRANT ALL ON TABLE a TO ccc;", "42704", message),
            Some(Rule::RoleAbsent)
        );
        let message = "type \"vector\" does not exist";
        assert_eq!(judged("CREATE TABLE a (b vector);", "42704", message), None);
    }
}
