use super::*;
use crate::dump::cleaning::Cleaning;
use crate::dump::item::Item;

fn judged(statement: &str, code: &str, message: &str) -> Option<Rule> {
    let statement = Statement { text: statement.to_owned().into(), toc: None, line: 1, offset: 0 };
    let error = ServerError {
        code: code.into(),
        message: message.into(),
        detail: None,
        hint: None,
        context: None,
        position: None,
    };
    let cleaning = cleaning_first_line();
    rule(&statement, &error, &Known { cleaning, superuser: true, ..Known::default() })
}

/// Of a dump whose first line is one that `--clean` begins with.
fn cleaning_first_line() -> Cleaning {
    let mut cleaning = Cleaning::default();
    let statement = Statement { text: "DROP TABLE a;".into(), toc: None, line: 1, offset: 0 };
    cleaning.take(&Item::Statement(statement));
    cleaning
}

#[test]
fn every_rule_is_told_in_words_of_its_own() {
    let rules = [
        Rule::DropOfAbsent,
        Rule::StubView,
        Rule::SchemaExists,
        Rule::UnknownSetting,
        Rule::Statistics,
        Rule::LanguageExists,
        Rule::RoleMade,
        Rule::ColumnNote,
        Rule::RoleExists,
        Rule::RoleNeeded,
        Rule::LocaleReplaced,
        Rule::TablespaceAbsent,
        Rule::LocaleSetting,
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
        assert_eq!(judged(statement, "3F000", message), Some(Rule::DropOfAbsent), "{statement}");
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
    assert_eq!(judged("GRANT ALL ON TABLE a TO ccc;", "42704", message), Some(Rule::RoleAbsent));
    let message = "type \"vector\" does not exist";
    assert_eq!(judged("CREATE TABLE a (b vector);", "42704", message), None);
}

#[test]
fn a_locale_that_is_only_a_setting_of_a_database_or_a_role_is_harmless_and_other_settings_are_not()
{
    let message = "invalid value for parameter \"lc_monetary\": \"de_DE.UTF-8\"";
    for statement in [
        "ALTER DATABASE shop SET lc_monetary TO 'de_DE.UTF-8';",
        "ALTER ROLE ALL SET lc_monetary TO 'de_DE.UTF-8';",
    ] {
        assert_eq!(judged(statement, "22023", message), Some(Rule::LocaleSetting), "{statement}");
    }
    // It holds for what follows.
    assert_eq!(judged("SET lc_monetary = 'de_DE.UTF-8';", "22023", message), None);
    let statement = "ALTER DATABASE shop SET work_mem TO 'lc_monetary';";
    let message = "invalid value for parameter \"work_mem\": \"lc_monetary\"";
    assert_eq!(judged(statement, "22023", message), None);
}
