//! Several hosts, sockets, and which of them is taken.

use std::net::TcpListener;
use std::process::Command;
use std::sync::OnceLock;

use ccc_backup::pg::Address;

use super::target;
use crate::support::source::{Source, client, free_port, source};
use crate::support::text;
use crate::support::tls::tls_server;

fn standby() -> &'static Source {
    static STANDBY: OnceLock<Source> = OnceLock::new();
    STANDBY.get_or_init(Source::standby)
}

/// The port that was taken of these on 127.0.0.1, or what was said. psql has to take the same.
async fn taken(ports: &[u16], settings: &str) -> Result<u16, String> {
    let hosts = vec!["127.0.0.1"; ports.len()].join(",");
    let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
    let settings =
        format!("host={hosts} port={} user=postgres dbname=postgres {settings}", ports.join(","));
    let environment = [("PGPASSWORD", source().password.clone())];
    let theirs = taken_by_psql(&settings, &environment);
    let ours = match target(&settings, &environment).connect().await {
        Ok(reached) => {
            let Address::Tcp { port, .. } = reached.info.address else { panic!("a socket") };
            let answered = reached.session.query_one("SHOW port", &[]).await.unwrap();
            assert_eq!(answered.get::<_, String>(0), port.to_string());
            Ok(port)
        }
        Err(error) => Err(format!("{error} / {}", error.hint())),
    };
    if !settings.contains("load_balance_hosts") {
        assert_eq!(ours.as_ref().ok(), theirs.as_ref().ok(), "{settings}: {ours:?} {theirs:?}");
    }
    ours
}

fn taken_by_psql(settings: &str, environment: &[(&str, String)]) -> Result<u16, String> {
    let mut psql = Command::new(client("psql"));
    psql.env_clear().env("HOME", "/nonexistent").envs(environment.iter().cloned());
    let output = psql.args(["-XqAtwc", "SHOW port", settings]).output().unwrap();
    text(&output.stdout).trim().parse().map_err(|_| text(&output.stderr))
}

#[tokio::test]
async fn the_first_host_that_does_is_taken() {
    let (standby, primary, nobody) = (standby().port, source().port, free_port());
    let both = [standby, primary];
    for (wanted, expected) in [
        ("any", standby),
        ("read-write", primary),
        ("primary", primary),
        ("standby", standby),
        ("read-only", standby),
        ("prefer-standby", standby),
    ] {
        let settings = format!("target_session_attrs={wanted}");
        assert_eq!(taken(&both, &settings).await, Ok(expected), "{wanted}");
        assert_eq!(
            taken(&[nobody, primary, standby], &settings).await.unwrap(),
            match wanted {
                "any" => primary,
                _ => expected,
            }
        );
    }
    assert_eq!(taken(&[nobody, primary], "target_session_attrs=prefer-standby").await, Ok(primary));
    let said = taken(&[standby], "target_session_attrs=read-write").await.unwrap_err();
    assert!(
        said.contains("takes no writes, but target_session_attrs is read-write / name"),
        "{said}"
    );
    let said = taken(&[primary, nobody], "target_session_attrs=standby").await.unwrap_err();
    assert!(said.contains(&format!("{primary}: the server is no standby, but")), "{said}");
    assert!(
        said.contains(&format!("; to 127.0.0.1:{nobody}: the server cannot be reached")),
        "{said}"
    );
    let read_only = "options='-c default_transaction_read_only=on' target_session_attrs";
    assert_eq!(taken(&[primary], &format!("{read_only}=read-only")).await, Ok(primary));
    assert!(taken(&[primary], &format!("{read_only}=read-write")).await.is_err());
}

#[tokio::test]
async fn a_server_that_refuses_who_comes_ends_the_search_and_one_that_is_not_there_does_not() {
    let (primary, nobody) = (source().port, free_port());
    assert_eq!(taken(&[nobody, primary], "load_balance_hosts=random").await, Ok(primary));
    let said = taken(&[primary, nobody], "password=wrong").await.unwrap_err();
    assert!(
        said.contains("password authentication failed") && !said.contains(&nobody.to_string()),
        "{said}"
    );
    let unknown =
        format!("host=host.invalid,127.0.0.1 port={primary} user=postgres dbname=postgres");
    let environment = [("PGPASSWORD", source().password.clone())];
    assert!(target(&unknown, &environment).connect().await.is_ok());
    let error = target("host=host.invalid user=me", &[]).connect().await.unwrap_err();
    assert!(
        error.to_string().starts_with("cannot connect to host.invalid:5432: the name of the host"),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up_when_its_time_is_up() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    assert_eq!(taken(&[port, source().port], "connect_timeout=1").await, Ok(source().port));
    let said = taken(&[port], "connect_timeout=1").await.unwrap_err();
    assert!(
        said.contains("did not accept the connection within 1 s / check host and port"),
        "{said}"
    );
}

#[tokio::test]
async fn a_socket_is_connected_to_by_its_directory() {
    let server = &tls_server().server;
    let url = format!(
        "postgresql://postgres@/postgres?host={}&port={}&application_name=me",
        server.dir.display(),
        server.port
    );
    let reached = target(&url, &[("PGPASSWORD", server.password.clone())]).connect().await.unwrap();
    let question = "SELECT inet_client_addr() IS NULL, current_setting('application_name')";
    let row = reached.session.query_one(question, &[]).await.unwrap();
    assert_eq!((row.get(0), row.get::<_, String>(1)), (true, "me".to_owned()));
    let error = target("user=me port=1", &[]).connect().await.unwrap_err().to_string();
    let sockets = "cannot connect to /var/run/postgresql/.s.PGSQL.1: the server cannot be reached";
    assert!(error.starts_with(sockets) && error.contains("; to /tmp/.s.PGSQL.1: "), "{error}");
}
