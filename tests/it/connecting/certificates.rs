//! Certificates of servers as people make them: in their time and not, with names and without, signed by an
//! authority, by themselves, and revoked.

use std::path::Path;

use super::{assert_said, became_of, became_of_ours};
use crate::support::tls::{Authority, RSA, TlsServer, Wanted, openssl, private};

const P384: &[&str] = &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"];
const P521: &[&str] = &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"];
const ED25519: &[&str] = &["-algorithm", "ed25519"];

fn verified(roots: &Path, name: &str, mode: &str) -> String {
    format!("host={name} hostaddr=127.0.0.1 sslmode={mode} sslrootcert={}", roots.display())
}

/// One server whose certificate changes, so one test: the others would see it change.
#[tokio::test]
async fn certificates_are_judged_as_libpq_judges_them() {
    let server = TlsServer::start();
    let authority = &server.authority;
    let roots = authority.certificate();
    let became = async |mode: &str| became_of(&server, &verified(&roots, "db", mode)).await;
    let present = |name: &str, wanted: Wanted| {
        let (certificate, key) = authority.sign(name, wanted);
        server.present(&certificate, &key);
    };

    // As PostgreSQL's documentation makes it: of the first version, its name in the subject alone.
    let plain = Wanted { names: None, ..Wanted::default() };
    present("first-version", plain);
    assert_eq!(became("verify-full").await, Ok(true));
    let other = became_of(&server, &verified(&roots, "other", "verify-full")).await;
    assert_said(&other, "the server's certificate is for db, and not for other");
    let stranger = Authority::new();
    let unknown = became_of(&server, &verified(&stranger.certificate(), "db", "verify-ca")).await;
    assert_said(&unknown, "not signed by anyone who is trusted");
    let tls12 =
        format!("{} ssl_max_protocol_version=TLSv1.2", verified(&roots, "db", "verify-full"));
    assert_eq!(became_of(&server, &tls12).await, Ok(true));
    let bound = format!("{} channel_binding=require", verified(&roots, "db", "verify-full"));
    assert_eq!(became_of(&server, &bound).await, Ok(true));

    // A name in the subject counts where there is no other.
    present("name", Wanted { names: Some("DNS:elsewhere"), ..Wanted::default() });
    assert_said(&became("verify-full").await, "is for elsewhere, and not for db");
    present("address", Wanted { names: Some("IP:127.0.0.1"), ..Wanted::default() });
    assert_eq!(became("verify-full").await, Ok(true));

    for (name, names) in [("expired", Some("DNS:db")), ("expired-first-version", None)] {
        present(name, Wanted { names, expired: true, ..Wanted::default() });
        let expired = became("verify-ca").await;
        assert_said(&expired, "the server's certificate expired on 2020-02-01 00:00 UTC");
        assert_said(&expired, "/ have it renewed, or check this machine's clock");
        let unverified = became_of(&server, "sslmode=require").await;
        assert_eq!(unverified, Ok(true), "nothing is verified");
    }

    for (name, key) in [("rsa", RSA), ("p384", P384), ("ed25519", ED25519)] {
        present(name, Wanted { names: Some("DNS:db"), key, ..Wanted::default() });
        assert_eq!(became("verify-full").await, Ok(true), "{name}");
        present(&format!("{name}-first"), Wanted { key, ..plain });
        assert_eq!(became("verify-full").await, Ok(true), "{name}");
    }
    present("p521", Wanted { names: Some("DNS:db"), key: P521, ..Wanted::default() });
    // libpq can.
    let p521 = became_of_ours(&server, &verified(&roots, "db", "verify-full")).await;
    assert_said(&p521, "TLS could not be agreed on");

    // Signed by itself, which `openssl req -x509` makes an authority's certificate of.
    let [key, certificate] = ["self.key", "self.crt"].map(|name| authority.file(name));
    let make = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=db"];
    let files = ["-keyout", "self.key", "-out", "self.crt"];
    openssl(authority.file("").as_path(), &[&make[..], &files].concat());
    private(&key);
    server.present(&certificate, &key);
    assert_eq!(became_of(&server, &verified(&certificate, "db", "verify-full")).await, Ok(true));
    let other = became_of(&server, &verified(&certificate, "other", "verify-full")).await;
    assert_said(&other, "is for db, and not for other");
    assert_said(&became("verify-ca").await, "not signed by anyone who is trusted");

    // Another authority of the same name.
    let [one, two] = ["same", "same"].map(Authority::named);
    let (certificate, key) = one.sign("server", Wanted::default());
    server.present(&certificate, &key);
    let named = became_of(&server, &verified(&two.certificate(), "localhost", "verify-ca")).await;
    assert_said(&named, "not signed by anyone who is trusted");
    let named = became_of(&server, &verified(&one.certificate(), "localhost", "verify-ca")).await;
    assert_eq!(named, Ok(true));
}

#[tokio::test]
async fn what_is_revoked_is_refused_and_what_is_not_known_of_too() {
    let server = TlsServer::start();
    let authority = &server.authority;
    let trusting = verified(&authority.certificate(), "localhost", "verify-full");
    let (other, _) = authority.sign("other", Wanted::default());
    let list = authority.revoke(&[&other]).display().to_string();
    let with_list = format!("{trusting} sslcrl={list}");
    assert_eq!(became_of(&server, &with_list).await, Ok(true));
    authority.revoke(&[&authority.file("server.crt")]);
    assert_said(&became_of(&server, &with_list).await, "certificate has been revoked");
    assert_eq!(became_of(&server, &trusting).await, Ok(true), "nobody says so");
    let lists = tempfile::tempdir().unwrap();
    std::fs::copy(&list, lists.path().join("12345678.r0")).unwrap();
    let in_directory = format!("{trusting} sslcrldir={}", lists.path().display());
    assert_said(&became_of(&server, &in_directory).await, "certificate has been revoked");
    // libpq passes over a list that cannot be read, and so over what is revoked.
    let missing = format!("{trusting} sslcrl=/nonexistent");
    assert_said(
        &became_of_ours(&server, &missing).await,
        "list of revoked certificates /nonexistent cannot",
    );
    let empty = tempfile::NamedTempFile::new().unwrap();
    let empty = format!("{trusting} sslcrl={}", empty.path().display());
    assert_said(&became_of_ours(&server, &empty).await, "has no list that can be read");
    let stranger = Authority::new();
    let unknown = format!("{trusting} sslcrl={}", stranger.revoke(&[]).display());
    let said = became_of(&server, &unknown).await;
    assert_said(&said, "it is not known whether the server's certificate has been revoked");
}
