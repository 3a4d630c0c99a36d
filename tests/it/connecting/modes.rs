//! Each `sslmode`, with servers that speak TLS and that do not, and with users who may come with it and without.

use ccc_backup::model::secret::Secret;

use super::{assert_said, became, is_encrypted, reach, target};
use crate::support::source::{client, source};
use crate::support::text;
use crate::support::tls::{Authority, tls_server};

/// Settings that trust the shared server.
fn trusting() -> String {
    format!("sslrootcert={}", tls_server().authority.certificate().display())
}

#[tokio::test]
async fn each_mode_reaches_a_server_with_tls_and_encrypts_as_libpq_does() {
    for (mode, encrypted) in [
        ("disable", false),
        ("allow", false),
        ("prefer", true),
        ("require", true),
        ("verify-ca", true),
        ("verify-full", true),
    ] {
        let settings = format!("sslmode={mode} {}", trusting());
        assert_eq!(became(&settings).await, Ok(encrypted), "{mode}");
    }
    assert_eq!(became("").await, Ok(true), "the default");
}

#[tokio::test]
async fn a_server_without_tls_is_reached_where_the_mode_does_not_ask_for_it() {
    let server = source();
    let reached = async |mode: &str| {
        let environment = [("PGPASSWORD", server.password.clone())];
        let settings = format!(
            "host=127.0.0.1 port={} user=postgres dbname=postgres sslmode={mode} {}",
            server.port,
            trusting()
        );
        target(&settings, &environment).connect().await
    };
    for mode in ["disable", "allow", "prefer"] {
        assert!(!is_encrypted(&reached(mode).await.unwrap().session).await, "{mode}");
    }
    for mode in ["require", "verify-ca", "verify-full"] {
        let error = reached(mode).await.unwrap_err();
        let expected = format!(
            "cannot connect to 127.0.0.1:{}: the server does not support SSL, but sslmode is {mode}",
            server.port
        );
        assert_eq!(error.to_string(), expected);
        assert!(error.hint().contains("turn ssl on"), "{}", error.hint());
    }
}

#[tokio::test]
async fn who_may_only_come_with_tls_or_without_is_let_in_where_the_mode_leaves_it_open() {
    for mode in ["allow", "prefer", "require"] {
        assert_eq!(became(&format!("user=tls_only sslmode={mode}")).await, Ok(true), "{mode}");
    }
    for mode in ["disable", "allow", "prefer"] {
        assert_eq!(became(&format!("user=plain_only sslmode={mode}")).await, Ok(false), "{mode}");
    }
    let refused = became("user=tls_only sslmode=disable").await;
    assert_said(&refused, "pg_hba.conf rejects connection for host \"127.0.0.1\"");
    assert_said(&refused, "/ have the server's pg_hba.conf let this user in");
    assert_said(&became("user=plain_only sslmode=require").await, "pg_hba.conf rejects connection");
    // Of the two refusals, the one that is about the password.
    let wrong = became("user=tls_only password=wrong sslmode=prefer").await;
    assert_said(&wrong, "password authentication failed for user \"tls_only\" / check the user");
}

#[tokio::test]
async fn a_certificate_is_verified_as_the_mode_says() {
    let other = Authority::new().certificate().display().to_string();
    let stranger = Authority::new();
    let other_roots = format!("sslrootcert={}", stranger.certificate().display());
    let unknown =
        "the server's certificate is not signed by anyone who is trusted / name the certificate";
    // A file of roots that is there counts in every mode that encrypts.
    for mode in ["require", "verify-ca", "verify-full"] {
        assert_said(&became(&format!("sslmode={mode} {other_roots}")).await, unknown);
    }
    assert_eq!(became(&format!("sslmode=prefer {other_roots}")).await, Ok(false));
    // One that is not there is missed by those that verify, and by no other.
    assert_eq!(became(&format!("sslmode=require sslrootcert={other}")).await, Ok(true));
    for mode in ["verify-ca", "verify-full"] {
        let missing = became(&format!("sslmode={mode} sslrootcert={other}")).await;
        assert_said(&missing, "ca.crt does not exist, and sslmode asks to verify");
        assert_said(&missing, "sslrootcert=system");
        let nowhere = became(&format!("sslmode={mode}")).await;
        assert_said(&nowhere, "/nonexistent/.postgresql/root.crt does not exist");
    }
    assert_said(&became("sslmode=verify-full sslrootcert=system").await, unknown);
    assert_said(&became("sslrootcert=system").await, unknown);
}

#[tokio::test]
async fn the_name_of_a_server_is_verified_by_verify_full_alone() {
    let named = |name: &str, mode: &str| {
        format!("host={name} hostaddr=127.0.0.1 sslmode={mode} {}", trusting())
    };
    for name in ["localhost", "LOCALHOST", "db.example.test", "127.0.0.1"] {
        assert_eq!(became(&named(name, "verify-full")).await, Ok(true), "{name}");
    }
    for name in ["db.other.test", "a.b.example.test", "example.test", "127.0.0.2", "db"] {
        let said =
            format!("is for localhost, *.example.test, 127.0.0.1, and not for {name} / connect to");
        let became = became(&named(name, "verify-full")).await;
        let error = became.as_ref().unwrap_err();
        assert!(error.contains(&said) || name == "127.0.0.2", "{error}");
        assert_eq!(super::became(&named(name, "verify-ca")).await, Ok(true), "{name}");
    }
    let no_name = named("'data base'", "verify-ca");
    assert_eq!(became(&no_name).await, Ok(true));
}

#[tokio::test]
async fn roots_at_home_are_found() {
    let server = tls_server();
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".postgresql")).unwrap();
    let roots = home.path().join(".postgresql/root.crt");
    std::fs::copy(server.authority.certificate(), &roots).unwrap();
    let environment = [
        ("HOME", home.path().display().to_string()),
        ("PGPASSWORD", server.server.password.clone()),
        ("PGSSLMODE", "verify-full".to_owned()),
    ];
    let url = format!("postgresql://postgres@localhost:{}/postgres", server.server.port);
    let reached = target(&url, &environment).connect().await.unwrap();
    assert!(is_encrypted(&reached.session).await);
    std::fs::write(&roots, "rubbish").unwrap();
    let error = target(&url, &environment).connect().await.unwrap_err().to_string();
    assert!(error.contains("root.crt has no certificate that can be read"), "{error}");
}

#[tokio::test]
async fn over_a_socket_nothing_is_encrypted_whatever_the_mode() {
    let socket = tls_server().server.dir.display().to_string();
    for mode in ["disable", "prefer", "require", "verify-full"] {
        let became = became(&format!("host={socket} sslmode={mode} {}", trusting())).await;
        assert_eq!(became, Ok(false), "{mode}");
    }
}

#[tokio::test]
async fn a_connection_is_made_again_and_cancelled_in_the_same_way() {
    for (settings, encrypted) in [("user=tls_only", true), ("user=plain_only", false)] {
        let reached = reach(tls_server(), &format!("{settings} sslmode=prefer")).await.unwrap();
        let again = reached.info.database("template1").connect().await.unwrap();
        assert_eq!(is_encrypted(&again).await, encrypted);
        let (slept, ()) = tokio::join!(again.batch_execute("SELECT pg_sleep(60)"), async {
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            again.cancel().await.unwrap();
        });
        let code = slept.unwrap_err().code().unwrap().code().to_owned();
        assert_eq!(code, "57014");
        // The session is as good as before.
        assert_eq!(is_encrypted(&again).await, encrypted);
    }
}

#[tokio::test]
async fn client_tools_are_told_the_way_that_was_found() {
    let settings = format!("host=localhost user=tls_only sslmode=verify-full {}", trusting());
    let reached = reach(tls_server(), &settings).await.unwrap();
    let question = "SELECT ssl, current_user FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let exposed = |(name, value): &(&'static str, Secret)| (*name, value.expose().to_owned());
    let mut psql = std::process::Command::new(client("psql"));
    psql.env_clear().envs(reached.variables.iter().map(exposed));
    let output = psql.args(["-XqAt", "-c", question]).output().unwrap();
    assert_eq!(text(&output.stdout).trim(), "t|tls_only", "{}", text(&output.stderr));
}
