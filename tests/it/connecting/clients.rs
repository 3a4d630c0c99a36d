//! Who connects: by a certificate, by a password, bound to the server's certificate or not.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::{assert_said, became};
use crate::support::tls::{Authority, EC, RSA, Wanted, openssl, private, tls_server};

fn by(certificate: &Path, key: &Path) -> String {
    format!(
        "user=by_certificate sslmode=require sslcert={} sslkey={}",
        certificate.display(),
        key.display()
    )
}

/// A certificate for the role that comes by one; of the first version, as OpenSSL makes it if nothing is said.
fn client(name: &'static str) -> Wanted<'static> {
    Wanted { name, names: None, ..Wanted::default() }
}

#[tokio::test]
async fn a_client_certificate_is_sent_with_a_key_in_any_of_its_forms() {
    let (authority, here) = (&tls_server().authority, Path::new("/"));
    for (name, key_kind) in [("client-rsa", RSA), ("client-ec", EC)] {
        let (certificate, key) =
            authority.sign(name, Wanted { key: key_kind, ..client("by_certificate") });
        assert_eq!(became(&by(&certificate, &key)).await, Ok(true), "{name}, PKCS#8");
        let old = authority.file(&format!("{name}.old"));
        let der = authority.file(&format!("{name}.der"));
        let [key_name, old_name, der_name] = [&key, &old, &der].map(|file| file.to_str().unwrap());
        // PKCS#1 and SEC1.
        openssl(here, &["pkey", "-in", key_name, "-out", old_name, "-traditional"]);
        private(&old);
        assert_eq!(became(&by(&certificate, &old)).await, Ok(true), "{name}, traditional");
        openssl(here, &["pkey", "-in", key_name, "-out", der_name, "-outform", "DER"]);
        private(&der);
        assert_eq!(became(&by(&certificate, &der)).await, Ok(true), "{name}, DER");
    }
    let (other, key) = authority.sign("client-other", client("somebody_else"));
    assert_said(&became(&by(&other, &key)).await, "certificate authentication failed for user");
    let without = became("user=by_certificate sslmode=require").await;
    assert_said(&without, "connection requires a valid client certificate / give one by sslcert");
    let kept_back = format!("{} sslcertmode=disable", by(&other, &key));
    assert_said(&became(&kept_back).await, "connection requires a valid client certificate");
}

#[tokio::test]
async fn a_client_certificate_that_the_server_does_not_know_is_said_to_be_refused() {
    let stranger = Authority::new();
    let (certificate, key) = stranger.sign("client", client("by_certificate"));
    let refused = became(&by(&certificate, &key)).await;
    assert_said(
        &refused,
        "the server does not accept the client certificate: UnknownCA / check sslcert",
    );
    // Without TLS it is not asked for, but nobody falls back to that: it is not TLS that is refused.
    let prefer =
        by(&certificate, &key).replace("by_certificate sslmode=require", "postgres sslmode=prefer");
    assert_said(&became(&prefer).await, "does not accept the client certificate");
}

#[tokio::test]
async fn a_client_key_that_cannot_be_used_is_named_with_the_reason() {
    let authority = &tls_server().authority;
    let (certificate, key) = authority.sign("client-keys", client("by_certificate"));
    let mode = |mode| std::fs::set_permissions(&key, PermissionsExt::from_mode(mode)).unwrap();
    mode(0o644);
    assert_said(
        &became(&by(&certificate, &key)).await,
        "client-keys.key may be read by others / chmod 0600",
    );
    mode(0o600);
    assert_eq!(became(&by(&certificate, &key)).await, Ok(true));
    let missing = became(&by(&certificate, &authority.file("missing.key"))).await;
    assert_said(&missing, "missing.key does not exist, and its certificate does");
    let (_, other) = authority.sign("client-keys-other", client("by_certificate"));
    assert_said(
        &became(&by(&certificate, &other)).await,
        "is not the key of the client certificate",
    );
    let encrypted = authority.file("encrypted.key");
    let [from, to] = [&key, &encrypted].map(|file| file.to_str().unwrap());
    openssl(Path::new("/"), &["pkey", "-in", from, "-out", to, "-aes256", "-passout", "pass:x"]);
    private(&encrypted);
    let said = became(&by(&certificate, &encrypted)).await;
    assert_said(
        &said,
        "encrypted.key is encrypted, which is not supported / write it without its passphrase",
    );
    std::fs::write(&encrypted, "rubbish").unwrap();
    assert_said(&became(&by(&certificate, &encrypted)).await, "encrypted.key cannot be understood");
}

#[tokio::test]
async fn a_password_is_bound_to_the_servers_certificate_where_that_is_required() {
    assert_eq!(became("channel_binding=require").await, Ok(true));
    assert_eq!(became("channel_binding=disable sslmode=require").await, Ok(true));
    let unbound = "the server did not use channel binding, but channel_binding is require";
    for settings in ["sslmode=disable", "user=trusted", "user=in_clear"] {
        assert_said(&became(&format!("{settings} channel_binding=require")).await, unbound);
        assert!(became(&format!("{settings} channel_binding=prefer")).await.is_ok(), "{settings}");
    }
}
