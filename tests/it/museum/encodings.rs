//! Healthy dumps of databases in other encodings, and in other encodings of the client.

use super::healthy::Healthy;
use crate::support::Database;
use crate::support::source::{client, source};

/// The application's tables, small: the seeded ones have names that most encodings lack.
const TABLES: &str = include_str!("../../fixtures/museum/six.sql");

/// A new database in an encoding.
fn database(name: &str, encoding: &str) -> Database {
    let args = ["--template=template0", "--locale=C", "--encoding", encoding, "--", name];
    source().client("createdb", &args);
    let database = Database { name: name.to_owned() };
    database.sql(TABLES);
    database
}

/// Runs SQL that is in UTF-8.
fn sql(database: &Database, sql: &str) {
    // Two commands: one is read in the encoding that it finds.
    let in_utf8 = "SET client_encoding = 'UTF8'";
    let args = ["-Xq", "-v", "ON_ERROR_STOP=1", "-d", &database.name, "-c", in_utf8, "-c", sql];
    source().client("psql", &args);
}

/// Adds these dumps.
pub fn collect(all: &mut Vec<Healthy>) {
    for (name, encoding, shapes, table, column, value) in [
        ("enc_latin1", "LATIN1", ["LATIN1", "LATIN1, by `create`"], "Größe", "Länge", "Ünïcödé"),
        ("enc_latin2", "LATIN2", ["LATIN2", "LATIN2, by `create`"], "Łódź", "ąę", "zażółć"),
        ("enc_win1252", "WIN1252", ["WIN1252", "WIN1252, by `create`"], "“€”", "œ", "…"),
        ("enc_koi8", "KOI8R", ["KOI8R", "KOI8R, by `create`"], "таблица", "ид", "привет"),
        ("enc_eucjp", "EUC_JP", ["EUC_JP", "EUC_JP, by `create`"], "日本語", "担当者", "ソース表"),
    ] {
        let database = database(name, encoding);
        sql(
            &database,
            &format!(
                "CREATE TABLE \"{table}\" (\"{column}\" serial PRIMARY KEY, t text);
                 INSERT INTO \"{table}\" (t) VALUES ('{value}'), (E'\\\\ \\n');
                 COMMENT ON TABLE \"{table}\" IS '{value}'"
            ),
        );
        all.push(Healthy::dump(shapes[0], database.dump(&[])));
        all.push(Healthy::created(shapes[1], &database, &[]));
    }
    let japanese = Database { name: "enc_eucjp".to_owned() };
    let shape = "EUC_JP, dumped as SJIS";
    all.push(Healthy::dump(shape, japanese.dump(&["--encoding=SJIS"])));
    let shape = "EUC_JP, dumped as SJIS by `create`";
    all.push(Healthy::created(shape, &japanese, &["--", "--encoding=SJIS"]));
    let latin = Database { name: "enc_latin1".to_owned() };
    all.push(Healthy::dump("LATIN1, dumped as UTF8", latin.dump(&["--encoding=UTF8"])));
    sql_ascii(all);
}

/// Bytes without an encoding: UTF-8 in names and values, and what is not UTF-8 in values.
fn sql_ascii(all: &mut Vec<Healthy>) {
    let database = database("enc_ascii", "SQL_ASCII");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bytes.sql");
    let sql = b"SET client_encoding = 'SQL_ASCII'; CREATE TABLE bytes (id serial, t text);\n\
        INSERT INTO bytes (t) VALUES ('\xfcml\xe4ut'), ('\xc5\x81\xc3\xb3d\xc5\xba');\n\
        CREATE TABLE \"Gr\xc3\xb6\xc3\x9fe\" (id serial, \"L\xc3\xa4nge\" text);\n\
        INSERT INTO \"Gr\xc3\xb6\xc3\x9fe\" (\"L\xc3\xa4nge\") VALUES ('x'); \
        COMMENT ON TABLE bytes IS '\xfcber'";
    std::fs::write(&path, sql).unwrap();
    let mut psql = std::process::Command::new(client("psql"));
    psql.envs(source().libpq()).args(["-Xq", "-v", "ON_ERROR_STOP=1", "-d", &database.name]);
    assert!(psql.arg("-f").arg(&path).status().unwrap().success());
    all.push(Healthy::dump("SQL_ASCII", database.dump(&[])));
    all.push(Healthy::created("SQL_ASCII, by `create`", &database, &[]));
}
