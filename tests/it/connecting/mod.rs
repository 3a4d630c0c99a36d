//! Our own connections reach what libpq reaches with the same settings, and nothing else: a real server with TLS
//! and others, by the library itself, with psql beside it.

mod certificates;
mod clients;
mod direct;
mod hosts;
mod modes;
mod settings;
mod words;

use std::process::Command;

use ccc_backup::libpq::keywords::parse;
use ccc_backup::libpq::settings::ConnectSettings;
use ccc_backup::pg::{ConnectError, Reached, Session, Target};

use crate::support::source::client;
use crate::support::text;
use crate::support::tls::{TlsServer, tls_server};

/// A target by a connection string and an environment; there is no home but by `HOME`.
pub fn target(text: &str, environment: &[(&str, String)]) -> Target {
    let settings = if text.is_empty() { ConnectSettings::default() } else { parse(text).unwrap() };
    Target::resolve(&settings, &|name| {
        let set = environment.iter().find(|(other, _)| *other == name);
        set.map(|(_, value)| value.clone()).or((name == "HOME").then(|| "/nonexistent".to_owned()))
    })
    .unwrap()
}

/// What reaches a server with TLS where settings say nothing else, by libpq's variables.
fn of_server(server: &TlsServer) -> [(&'static str, String); 5] {
    let server = &server.server;
    [
        ("PGHOST", "127.0.0.1".to_owned()),
        ("PGPORT", server.port.to_string()),
        ("PGUSER", "postgres".to_owned()),
        ("PGPASSWORD", server.password.clone()),
        ("PGDATABASE", "postgres".to_owned()),
    ]
}

/// Connects to a server with TLS by settings; nothing of where it is needs to be among them.
pub async fn reach(server: &TlsServer, settings: &str) -> Result<Reached, ConnectError> {
    target(settings, &of_server(server)).connect().await
}

/// Whether the server sees a session encrypted.
const ENCRYPTED: &str = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";

/// Whether the server sees a session encrypted.
pub async fn is_encrypted(session: &Session) -> bool {
    session.query_one(ENCRYPTED, &[]).await.unwrap().get(0)
}

/// Connects to the shared server; tells whether that is encrypted, or what was said and what is next.
pub async fn became(settings: &str) -> Result<bool, String> {
    became_of(tls_server(), settings).await
}

/// The same with another server. psql of this machine has to come to the same.
pub async fn became_of(server: &TlsServer, settings: &str) -> Result<bool, String> {
    let ours = became_of_ours(server, settings).await;
    if NEWER.iter().all(|name| !settings.contains(name)) {
        let theirs = became_of_psql(server, settings);
        assert_eq!(ours.as_ref().ok(), theirs.as_ref().ok(), "{settings}: {ours:?} {theirs:?}");
    }
    ours
}

/// Settings that libpq of PostgreSQL 15 does not know yet.
const NEWER: [&str; 3] = ["sslrootcert=system", "sslcertmode", "sslnegotiation"];

/// The same by psql.
fn became_of_psql(server: &TlsServer, settings: &str) -> Result<bool, String> {
    let mut psql = Command::new(client("psql"));
    psql.env_clear().env("HOME", "/nonexistent").envs(of_server(server));
    let output = psql.args(["-XqAtwc", ENCRYPTED, settings]).output().unwrap();
    match text(&output.stdout).trim() {
        "t" => Ok(true),
        "f" => Ok(false),
        _ => Err(text(&output.stderr)),
    }
}

/// The same by our own connections alone, where they are known to differ.
pub async fn became_of_ours(server: &TlsServer, settings: &str) -> Result<bool, String> {
    match reach(server, settings).await {
        Ok(reached) => Ok(is_encrypted(&reached.session).await),
        Err(error) => {
            let (port, password) = (server.server.port.to_string(), &server.server.password);
            let said = format!("{error} / {}", error.hint());
            assert!(!said.contains(password.as_str()), "{said}");
            Err(said.replace(&port, "PORT"))
        }
    }
}

/// Fails where words are not among what was said.
#[track_caller]
pub fn assert_said(became: &Result<bool, String>, words: &str) {
    let said = became.as_ref().unwrap_err();
    assert!(said.contains(words), "{words:?} is not in {said:?}");
}
