//! What is said of a server that does not let anybody in, and what to do next.

use std::io::{Read, Write};
use std::net::TcpListener;

use super::{assert_said, became, became_of, target};
use crate::support::source::free_port;
use crate::support::tls::{TlsServer, tls_server};

#[tokio::test]
async fn each_refusal_is_one_sentence_with_a_next_step() {
    for (settings, said) in [
        (
            "password=wrong",
            "127.0.0.1:PORT: password authentication failed for user \"postgres\" / check the user",
        ),
        ("user=nobody", "authentication failed for user \"nobody\" / check the user"),
        ("dbname=missing", "database \"missing\" does not exist / check the name of the database"),
        ("port=1", "127.0.0.1:1: the server cannot be reached: Connection refused"),
        ("sslmode=require sslnegotiation=direct", "TLS could not be agreed on: "),
    ] {
        assert_said(&became(settings).await, said);
    }
    let error = target("host=127.0.0.1 port=1 user=me", &[]).connect().await.unwrap_err();
    assert_eq!((error.sqlstate(), error.hint().contains("firewall")), (None, true));
    let server = &tls_server().server;
    let missing = format!("host=127.0.0.1 port={} user=trusted dbname=missing", server.port);
    let error = target(&missing, &[]).connect().await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("3D000"));
    assert!(!error.to_string().contains('\n'), "{error}");
}

#[tokio::test]
async fn a_server_that_nobody_may_use_from_here_is_said_to_have_no_entry() {
    let server = TlsServer::start();
    server.sql("CREATE DATABASE closed");
    server.sql("REVOKE CONNECT ON DATABASE closed FROM PUBLIC");
    let closed = became_of(&server, "dbname=closed user=tls_only").await;
    assert_said(
        &closed,
        "permission denied for database \"closed\" / have its owner grant CONNECT",
    );
    server.allow_nobody();
    let refused = became_of(&server, "").await;
    assert_said(&refused, "no pg_hba.conf entry for host \"127.0.0.1\"");
    assert_said(&refused, "/ have the server's pg_hba.conf let this user in from this machine");
}

/// What a server says that asks for `message` when somebody comes.
fn asking(message: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(message);
        }
    });
    port
}

#[tokio::test]
async fn a_way_of_authentication_that_is_not_spoken_is_said_to_be_so() {
    for (message, said) in [
        // AuthenticationGSS, AuthenticationSASL with OAUTHBEARER, and no PostgreSQL at all.
        (
            &b"R\0\0\0\x08\0\0\0\x07"[..],
            "a way of authentication that is not supported, such as GSSAPI",
        ),
        (b"R\0\0\0\x15\0\0\0\x0aOAUTHBEARER\0\0", "a way of authentication that is not supported"),
        (b"SSH-2.0-OpenSSH\r\n", "cannot connect to 127.0.0.1:PORT: "),
        (b"", "cannot connect to 127.0.0.1:PORT: the server cannot be reached: "),
    ] {
        let port = asking(message);
        let settings = format!(
            "host=127.0.0.1 port={port} user=me password=x sslmode=disable connect_timeout=5"
        );
        let error = target(&settings, &[]).connect().await.unwrap_err();
        let shown = format!("{error} / {}", error.hint()).replace(&port.to_string(), "PORT");
        assert!(shown.contains(said), "{shown}");
    }
    assert!(
        target(&format!("host=127.0.0.1 port={} user=me", free_port()), &[])
            .connect()
            .await
            .is_err()
    );
}
