//! A webhook by HTTPS: whoever signed its certificate has to be trusted, by the system or by `ca_file`.

use std::path::Path;

use super::{place, told, untold, verify};
use crate::support::Outcome;
use crate::support::receiver::Receiver;
use crate::support::tls::{Authority, Wanted};

/// Verifies with a webhook there, with this file of authorities in the configuration, and this one for the system.
fn verified(
    receiver: &Receiver,
    name: &str,
    ca_file: Option<&Path>,
    system: Option<&Path>,
) -> Outcome {
    let ca_file = ca_file.map(|file| format!("ca_file = \"{}\"\n", file.display()));
    let url = receiver.url_of(name, "/s3cret");
    let place =
        place(&format!("[notify.webhook]\nurl = \"{url}\"\n{}", ca_file.unwrap_or_default()));
    let mut command = place.verify_locally();
    command.arg("bad.sql");
    system.into_iter().for_each(|file| {
        command.env("SSL_CERT_FILE", file);
    });
    let outcome = place.outcome(&mut command);
    outcome.failed("empty");
    assert!(!format!("{outcome}").contains("s3cret"), "{outcome}");
    outcome
}

#[test]
fn who_signed_the_certificate_has_to_be_trusted_by_the_system_or_by_a_file() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let (certificate, key) = authority.sign("hook", Wanted::default());
    let receiver = Receiver::with_tls(&certificate, &key);
    let (trusted, other) = (authority.certificate(), stranger.certificate());
    let who = receiver.url_of("localhost", "").replace("https://", "the webhook at ");

    told(&verified(&receiver, "localhost", Some(&trusted), None), &who);
    told(&verified(&receiver, "localhost", None, Some(&trusted)), &who);
    // The file stands in the place of the system's.
    let outcome = verified(&receiver, "localhost", Some(&other), Some(&trusted));
    untold(&outcome, &who, "its certificate is not accepted: ");
    assert!(outcome.stderr.contains("ca_file names who may have signed it"), "{outcome}");
    assert_eq!(receiver.received().len(), 2);
    let before = receiver.connections();
    untold(
        &verified(&receiver, "localhost", None, None),
        &who,
        "its certificate is not accepted: ",
    );
    assert_eq!(receiver.connections(), before + 1, "what will not pass is not tried again");
    assert_eq!(receiver.received().len(), 2, "nothing is sent to a stranger");
}

#[test]
fn a_certificate_of_another_name_or_time_is_not_accepted() {
    let authority = Authority::new();
    let trusted = authority.certificate();
    for (name, wanted, why) in [
        (
            "other",
            Wanted { names: Some("DNS:other.example"), ..Wanted::default() },
            "other.example",
        ),
        ("expired", Wanted { expired: true, ..Wanted::default() }, "expired"),
    ] {
        let (certificate, key) = authority.sign(name, wanted);
        let receiver = Receiver::with_tls(&certificate, &key);
        let outcome = verified(&receiver, "localhost", Some(&trusted), None);
        untold(
            &outcome,
            &receiver.url_of("localhost", "").replace("https://", "the webhook at "),
            why,
        );
        assert_eq!(receiver.received(), []);
    }
}

#[test]
fn a_file_of_authorities_leads_from_the_directory_of_the_configuration() {
    let authority = Authority::new();
    let (certificate, key) = authority.sign("hook", Wanted::default());
    let receiver = Receiver::with_tls(&certificate, &key);
    let place = place("");
    place.file("etc/ca.pem", &std::fs::read(authority.certificate()).unwrap());
    let config = format!(
        "[notify.ping]\nurl = \"{}\"\nca_file = \"ca.pem\"\n",
        receiver.url_of("localhost", "/x")
    );
    place.file("etc/own.toml", config.as_bytes());
    verify(&place, &["--config", "etc/own.toml"]);
    assert_eq!(receiver.paths(), ["/x/start", "/x/1"]);
}
