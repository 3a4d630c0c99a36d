use super::*;
use crate::restore::Place;

fn statement(text: &str) -> Statement {
    Statement { text: text.to_owned().into(), toc: None, line: 1, offset: 0 }
}

fn error(code: &str, message: &str) -> ServerError {
    ServerError {
        code: code.into(),
        message: message.into(),
        detail: None,
        hint: None,
        context: None,
        position: None,
    }
}

fn known(superuser: bool, cluster: bool) -> Known {
    Known { superuser, cluster, ..Known::default() }
}

fn lacked(text: &str, code: &str, message: &str) -> Option<Lack> {
    lack(&statement(text), &error(code, message), &known(true, false))
}

#[test]
fn what_the_server_lacks_is_told_by_what_it_says() {
    let named = |lack: fn(String) -> Lack, name: &str| Some(lack(name.to_owned()));
    for (text, code, message, expected) in [
        (
            "CREATE EXTENSION vector;",
            "0A000",
            "extension \"vector\" is not available",
            named(Lack::Extension, "vector"),
        ),
        (
            "CREATE EXTENSION vector;",
            "58P01",
            "could not open extension control file \"/usr/share/x/vector.control\": No such file",
            named(Lack::Extension, "vector"),
        ),
        (
            "CREATE EXTENSION IF NOT EXISTS hstore VERSION '9';",
            "22023",
            "extension \"hstore\" has no installation script nor update path for version \"9\"",
            named(Lack::Extension, "hstore"),
        ),
        (
            "CREATE EXTENSION pg_cron;",
            "P0001",
            "can only create extension in database postgres",
            named(Lack::Extension, "pg_cron"),
        ),
        (
            "\\connect shop",
            "58P01",
            "could not access file \"anon\": No such file or directory",
            named(Lack::Library, "anon"),
        ),
        (
            "CREATE FUNCTION f() RETURNS integer LANGUAGE c AS '$libdir/ours', 'f';",
            "58P01",
            "could not access file \"$libdir/ours\": No such file or directory",
            named(Lack::Library, "ours"),
        ),
        (
            "CREATE FUNCTION f() RETURNS integer LANGUAGE c AS '$libdir/pgcrypto', 'f';",
            "42883",
            "could not find function \"f\" in file \"/usr/lib/postgresql/15/lib/pgcrypto.so\"",
            named(Lack::Library, "pgcrypto"),
        ),
        (
            "REFRESH MATERIALIZED VIEW v;",
            "55000",
            "pg_stat_statements must be loaded via \"shared_preload_libraries\"",
            Some(Lack::Preloading(Some("pg_stat_statements".to_owned()))),
        ),
        (
            "CREATE EXTENSION pg_cron;",
            "55000",
            "pg_cron can only be loaded via shared_preload_libraries",
            Some(Lack::Preloading(Some("pg_cron".to_owned()))),
        ),
        (
            "CREATE TABLE t () USING columnar;",
            "42704",
            "access method \"columnar\" does not exist",
            named(Lack::AccessMethod, "columnar"),
        ),
        (
            "SET default_table_access_method = columnar;",
            "22023",
            "invalid value for parameter \"default_table_access_method\": \"columnar\"",
            named(Lack::AccessMethod, "columnar"),
        ),
        (
            "SECURITY LABEL FOR anon ON TABLE t IS 'x';",
            "22023",
            "security label provider \"anon\" is not loaded",
            Some(Lack::LabelProvider(Some("anon".to_owned()))),
        ),
        (
            "CREATE FUNCTION f() RETURNS integer LANGUAGE plv8 AS 'x';",
            "42704",
            "language \"plv8\" does not exist",
            named(Lack::Language, "plv8"),
        ),
        (
            "CREATE TEXT SEARCH DICTIONARY d (TEMPLATE = ispell, DictFile = de);",
            "F0000",
            "could not open dictionary file \"/usr/share/postgresql/15/tsearch_data/de.dict\": No such file or directory",
            named(Lack::SearchFile, "de.dict"),
        ),
        (
            "REFRESH MATERIALIZED VIEW v;",
            "08001",
            "could not connect to server \"crm\"",
            Some(Lack::OtherServer),
        ),
        (
            "COPY public.jobs (id, owner) FROM stdin;",
            "42704",
            "role \"billing\" does not exist",
            named(Lack::Role, "billing"),
        ),
        (
            "COPY public.prices (price) FROM stdin;",
            "22P02",
            "invalid input syntax for type money: \"£1,250.50\"",
            Some(Lack::Money),
        ),
        (
            "SET TimeZone = 'Mars/Phobos';",
            "22023",
            "invalid value for parameter \"TimeZone\": \"Mars/Phobos\"",
            named(Lack::TimeZone, "Mars/Phobos"),
        ),
        (
            "SET lc_monetary = 'de_DE.UTF-8';",
            "22023",
            "invalid value for parameter \"lc_monetary\": \"de_DE.UTF-8\"",
            named(Lack::Locale, "de_DE.UTF-8"),
        ),
        (
            "CREATE TABLE t (a text COLLATE \"de-x-icu\");",
            "42704",
            "collation \"pg_catalog.de-x-icu\" for encoding \"SQL_ASCII\" does not exist",
            named(Lack::Encoding, "SQL_ASCII"),
        ),
        (
            "CREATE FUNCTION f() RETURNS integer LANGUAGE sql SET default_with_oids TO 'on' AS 'x';",
            "42704",
            "unrecognized configuration parameter \"default_with_oids\"",
            named(Lack::Setting, "default_with_oids"),
        ),
        (
            "ALTER TABLE ONLY t ALTER COLUMN a SET (pg_attver=27169912);",
            "22023",
            "unrecognized parameter \"pg_attver\"",
            named(Lack::ColumnParameter, "pg_attver"),
        ),
        ("CREATE TABLE t (a xml);", "0A000", "unsupported XML feature", Some(Lack::Build)),
        (
            "SET default_with_oids = true;",
            "0A000",
            "tables declared WITH OIDS are not supported",
            Some(Lack::Removed(Removed::Oids)),
        ),
        (
            "SET standard_conforming_strings = off;",
            "0A000",
            "non-standard string literals are not supported",
            Some(Lack::Removed(Removed::Escapes)),
        ),
        (
            "CREATE TABLE t (a abstime);",
            "42704",
            "type \"abstime\" does not exist",
            Some(Lack::Removed(Removed::Type("abstime", 11))),
        ),
    ] {
        assert_eq!(lacked(text, code, message), expected, "{message}");
    }
}

#[test]
fn what_the_dump_has_to_bring_or_has_wrong_is_no_lack() {
    for (text, code, message) in [
        ("CREATE TABLE t (a typo);", "42704", "type \"typo\" does not exist"),
        ("COPY t (a) FROM stdin;", "22P02", "invalid input syntax for type integer: \"x\""),
        ("COPY t (a) FROM stdin;", "22P02", "invalid input syntax for type money: \"abc\""),
        ("COPY t (a) FROM stdin;", "22P02", "invalid input syntax for type money: \"1x2\""),
        ("CREATE EXTENSION hstore WITH SCHEMA lost;", "3F000", "schema \"lost\" does not exist"),
        ("CREATE EXTENSION hstore hstore;", "42601", "syntax error at or near \"hstore\""),
        ("SET serach_path = '';", "42704", "unrecognized configuration parameter \"serach_path\""),
        ("SET row_security = x;", "22023", "invalid value for parameter \"row_security\": \"x\""),
        (
            "CREATE TABLE t (a text COLLATE public.lost);",
            "42704",
            "collation \"public.lost\" for encoding \"UTF8\" does not exist",
        ),
        (
            "ALTER TABLE ONLY t ALTER COLUMN a SET (n_dixtinct=1);",
            "22023",
            "unrecognized parameter \"n_dixtinct\"",
        ),
        ("SELECT f();", "55000", "the market must be loaded"),
        ("SELECT f();", "P0001", "could not access file \"anon\": No such file or directory"),
        ("REFRESH MATERIALIZED VIEW v;", "22012", "division by zero"),
    ] {
        assert_eq!(lacked(text, code, message), None, "{message}");
    }
}

#[test]
fn amounts_of_money_are_those_that_some_locale_writes() {
    for amount in ["£120.00", "-1.250,50 €", "kr 1 250,50", "(CHF1'250.50)", "￥1,000"] {
        assert!(may_be_money(amount), "{amount}");
    }
    for amount in ["", "abc", "12a34", "1e400000x2", "a long way to 12"] {
        assert!(!may_be_money(amount), "{amount}");
    }
}

#[test]
fn a_want_of_rights_is_of_the_restoring_role_or_of_the_cluster_unless_the_dump_brings_its_roles() {
    let (refresh, denied) = (
        statement("REFRESH MATERIALIZED VIEW v;"),
        error("42501", "permission denied for table t"),
    );
    assert_eq!(lack(&refresh, &denied, &known(false, false)), Some(Lack::Superuser));
    assert_eq!(lack(&refresh, &denied, &known(true, false)), Some(Lack::Rights));
    assert_eq!(lack(&refresh, &denied, &known(true, true)), None);
}

/// Whether an error comes of a lack at another statement.
fn follows(lacking: &str, code: &str, message: &str) -> bool {
    let failure = Failure {
        place: Place::Line(1),
        object: None,
        statement: lacking.to_owned(),
        error: error("42704", "x"),
    };
    Lacking::new(Lack::Build, &statement(lacking), failure).explains(&error(code, message))
}

#[test]
fn a_parameter_of_a_column_loses_a_table_only_with_the_statement_that_makes_it() {
    let later = error("42P01", "relation \"public.t\" does not exist");
    // pg_restore sends what follows a CREATE TABLE with it.
    for (text, loses) in [
        ("CREATE TABLE t (a int);", true),
        ("ALTER TABLE ONLY t ALTER COLUMN a SET (pg_attver=1);", false),
    ] {
        let failure = Failure {
            place: Place::Line(1),
            object: None,
            statement: text.to_owned(),
            error: error("22023", "unrecognized parameter \"pg_attver\""),
        };
        let lack = Lack::ColumnParameter("pg_attver".to_owned());
        let lacking = Lacking::new(lack, &statement(text), failure);
        assert_eq!(lacking.explains(&later), loses, "{text}");
    }
}

#[test]
fn whatever_is_refused_after_escapes_in_literals_were_can_come_of_that() {
    let set = statement("SET standard_conforming_strings = off;");
    let failure = Failure {
        place: Place::Line(1),
        object: None,
        statement: "SET standard_conforming_strings = off;".to_owned(),
        error: error("0A000", "non-standard string literals are not supported"),
    };
    let lacking = Lacking::new(Lack::Removed(Removed::Escapes), &set, failure);
    assert!(lacking.explains(&error("42601", "syntax error at or near \"s\"")));
    assert!(lacking.explains(&error("22P02", "invalid input syntax for type integer: \"x\"")));
}

#[test]
fn what_is_not_there_can_come_of_what_was_not_made_and_other_errors_cannot() {
    let absent = ("42P01", "relation \"public.t\" does not exist");
    let orphan = ("23503", "insert or update on table \"a\" violates foreign key constraint \"b\"");
    let empty = ("55000", "materialized view \"v\" has not been populated");
    let wrong = ("22P02", "invalid input syntax for type integer: \"x\"");
    let (table, rows) = ("CREATE TABLE t () USING columnar;", "COPY t (a) FROM stdin;");
    let (view, label) = ("REFRESH MATERIALIZED VIEW u;", "SECURITY LABEL FOR a ON TABLE t IS 'x';");
    for (lacking, later, expected) in [
        (table, absent, true),
        (table, orphan, false),
        (table, empty, true),
        (table, wrong, false),
        (rows, absent, false),
        (rows, orphan, true),
        (rows, wrong, false),
        (view, empty, true),
        (view, absent, false),
        (label, absent, false),
        (label, ("25P02", "current transaction is aborted"), true),
    ] {
        assert_eq!(follows(lacking, later.0, later.1), expected, "{lacking} {later:?}");
    }
}

#[test]
fn every_lack_has_a_hint_of_its_own_for_each_kind_of_server() {
    let name = || "x".to_owned();
    let lacks = [
        Lack::Extension(name()),
        Lack::Preloading(None),
        Lack::LabelProvider(Some(name())),
        Lack::SearchFile(name()),
        Lack::OtherServer,
        Lack::Role(name()),
        Lack::Superuser,
        Lack::Money,
        Lack::Encoding(name()),
        Lack::Setting(name()),
        Lack::Removed(Removed::Oids),
    ];
    for whose in [Whose::Image, Whose::Machine] {
        let hints = lacks.iter().map(|lack| lack.hint(Server { major: 15, whose }));
        let hints: std::collections::BTreeSet<String> = hints.collect();
        assert_eq!(hints.len(), lacks.len());
    }
}
