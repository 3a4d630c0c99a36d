use std::process::ExitStatus;

use super::*;

fn of(stderr: &str) -> SourceError {
    ended(1 << 8, stderr)
}

fn ended(status: i32, stderr: &str) -> SourceError {
    let ended = Ended {
        status: ExitStatus::from_raw(status),
        stderr: stderr.lines().map(str::to_owned).collect(),
    };
    SourceError::from_tool("pg_dump", ended)
}

fn failure(error: &SourceError) -> &ToolFailure {
    let SourceError::Tool { failure, .. } = error else { panic!("{error:?}") };
    failure
}

/// What is left where nothing else is known.
fn failed() -> ToolFailure {
    ToolFailure::Failed { tool: "pg_dump", status: "exit status: 1".to_owned() }
}

const TO: &str = r#"pg_dump: error: connection to server at "db" (10.0.0.1), port 5432 failed: "#;

#[test]
fn what_pg_dump_says_is_put_in_words() {
    use ToolFailure as F;
    let cases = [
        ("Connection refused\n\tIs the server running on that host?", F::Unreachable),
        ("FATAL:  password authentication failed for user \"x\"", F::Authentication),
        ("FATAL:  no pg_hba.conf entry for host \"10.0.0.2\", SSL off", F::Authentication),
        ("fe_sendauth: no password supplied", F::NoPassword),
        ("FATAL:  database \"x\" does not exist", F::NoDatabase),
        ("FATAL:  role \"x\" does not exist", F::NoRole),
        ("server does not support SSL, but SSL was required", F::Tls),
        ("SSL error: certificate verify failed", F::Tls),
        ("FATAL:  the database system is starting up", F::Refused),
        ("FATAL:  sorry, too many clients already", F::Refused),
        ("timeout expired", F::Unreachable),
        ("FATAL:  Passwort-Authentifizierung fehlgeschlagen", failed()),
    ];
    for (text, expected) in cases {
        let error = of(&format!("{TO}{text}"));
        assert_eq!(failure(&error), &expected, "{text}: {error:?}");
        assert!(!error.to_string().contains("pg_dump: error"), "{error}");
        assert!(!error.stderr().is_empty());
        assert!(error.hint().is_some(), "{text}");
    }
    let cases = [
        ("pg_dump: error: could not translate host name \"x\" to address: unknown", F::Unreachable),
        ("pg_dump: error: query failed: ERROR:  permission denied for table users", F::Permission),
        ("pg_dump: error: query failed: ERROR:  must be superuser to do that", F::Permission),
        (
            "pg_dump: error: Dumping the contents of table \"a\" failed: PQgetResult() failed.\n\
          pg_dump: detail: Error message from server: FATAL:  terminating connection due to \
          administrator command",
            F::Lost,
        ),
        ("pg_dump: error: query failed: ERROR:  canceling statement due to lock timeout", F::Limit),
        ("pg_dump: error: no matching tables were found", failed()),
        ("", failed()),
    ];
    for (text, expected) in cases {
        let error = of(text);
        assert_eq!(failure(&error), &expected, "{text}: {error:?}");
    }
}

#[test]
fn an_old_pg_dump_is_named_with_both_versions_and_the_way_out() {
    let newer = "pg_dump: error: aborting because of server version mismatch\n\
                 pg_dump: detail: server version: 17.2 (Debian 17.2-1); pg_dump version: 15.18 (X)";
    let older = "pg_dump: error: server version: 17.2; pg_dump version: 15.18\n\
                 pg_dump: error: aborting because of server version mismatch";
    for text in [newer, older] {
        let error = of(text);
        assert_eq!(
            error.to_string(),
            "pg_dump 15.18 is older than the server, which is PostgreSQL 17.2"
        );
        let hint = error.hint().unwrap();
        assert!(hint.contains("postgresql-client-17") && hint.contains("--pg-dump"), "{hint}");
    }
}

#[test]
fn an_option_that_pg_dump_does_not_know_is_named() {
    let error = of("/usr/lib/postgresql/15/bin/pg_dump: unrecognized option '--tabel=users'\n\
                    pg_dump: hint: Try \"pg_dump --help\" for more information.");
    let expected = "pg_dump failed (exit status: 1): unrecognized option '--tabel=users'";
    assert_eq!(error.to_string(), expected);
    assert!(error.hint().unwrap().contains("`--`"));
}

#[test]
fn a_signal_is_named() {
    let error = ended(9, "");
    assert_eq!(error.to_string(), "pg_dump was ended by signal 9");
    assert!(error.hint().unwrap().contains("memory"));
    let error = ended(15, "pg_dump: terminated by user");
    assert_eq!(error.to_string(), "pg_dump was ended by signal 15");
    assert_eq!(error.stderr(), ["pg_dump: terminated by user"]);
    assert_eq!(error.hint(), None);
}
