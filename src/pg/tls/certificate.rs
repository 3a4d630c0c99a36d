//! What a certificate says, read as libpq reads it: whose it is, until when, and its digest. Sources: libpq's
//! `fe-secure-common.c` and `fe-secure-openssl.c`; RFC 5929, 4.1.

use std::net::IpAddr;

use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, SignatureScheme};
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use x509_cert::Certificate;
use x509_cert::certificate::Version;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::oid::db::rfc5912::{
    ECDSA_WITH_SHA_224, ECDSA_WITH_SHA_256, ECDSA_WITH_SHA_384, ECDSA_WITH_SHA_512,
    SHA_1_WITH_RSA_ENCRYPTION, SHA_224_WITH_RSA_ENCRYPTION, SHA_256_WITH_RSA_ENCRYPTION,
    SHA_384_WITH_RSA_ENCRYPTION, SHA_512_WITH_RSA_ENCRYPTION,
};
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// The digest that a password's exchange is bound to: of the certificate, by the function of its signature, and
/// SHA-256 in the place of weak ones. `None` where the signature has none, as Ed25519.
pub(super) fn end_point(certificate: &CertificateDer) -> Option<Vec<u8>> {
    const ECDSA_WITH_SHA_1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.1");
    const MD5_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.4");
    let read = Certificate::from_der(certificate).ok()?;
    Some(match read.signature_algorithm().oid {
        MD5_WITH_RSA | ECDSA_WITH_SHA_1 | SHA_1_WITH_RSA_ENCRYPTION => {
            digest::<Sha256>(certificate)
        }
        SHA_224_WITH_RSA_ENCRYPTION | ECDSA_WITH_SHA_224 => digest::<Sha224>(certificate),
        SHA_256_WITH_RSA_ENCRYPTION | ECDSA_WITH_SHA_256 => digest::<Sha256>(certificate),
        SHA_384_WITH_RSA_ENCRYPTION | ECDSA_WITH_SHA_384 => digest::<Sha384>(certificate),
        SHA_512_WITH_RSA_ENCRYPTION | ECDSA_WITH_SHA_512 => digest::<Sha512>(certificate),
        _ => return None,
    })
}

fn digest<D: Digest>(bytes: &[u8]) -> Vec<u8> {
    D::digest(bytes).to_vec()
}

/// Whether a certificate is for a host, and for whom it is. A name in its subject counts where it has no
/// alternative name of the host's kind.
pub(super) fn names(certificate: &Certificate, host: &str) -> (bool, Vec<String>) {
    let address: Option<IpAddr> = host.parse().ok();
    let tbs = certificate.tbs_certificate();
    let alternatives = tbs.get_extension::<SubjectAltName>().ok().flatten();
    let alternatives = alternatives.map(|(_, names)| names.0).unwrap_or_default();
    let (mut fits, mut of_its_kind, mut presented) = (false, false, Vec::new());
    for name in &alternatives {
        match name {
            GeneralName::DnsName(name) => {
                of_its_kind |= address.is_none();
                fits |= is_name_of(name.as_str(), host);
                presented.push(name.as_str().to_owned());
            }
            GeneralName::IpAddress(bytes) => {
                of_its_kind |= address.is_some();
                let read = address_of(bytes.as_bytes());
                fits |= read.is_some() && read == address;
                presented.extend(read.map(|read| read.to_string()));
            }
            _ => {}
        }
    }
    if !of_its_kind && let Ok(Some(name)) = tbs.subject().common_name() {
        fits |= is_name_of(&name.value(), host);
        presented.push(name.value().into_owned());
    }
    (fits, presented)
}

fn address_of(bytes: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(bytes)
        .map(IpAddr::from)
        .or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}

/// Whether a name of a certificate is a host's. `*.` stands for one label at the beginning.
fn is_name_of(name: &str, host: &str) -> bool {
    if name.contains('\0') {
        return false;
    }
    if name.eq_ignore_ascii_case(host) {
        return true;
    }
    let wildcard = name.strip_prefix("*.").filter(|domain| !domain.is_empty());
    let labels = host.split_once('.').filter(|(label, _)| !label.is_empty());
    matches!((wildcard, labels), (Some(domain), Some((_, rest))) if domain.eq_ignore_ascii_case(rest))
}

/// Whether now is in a certificate's time.
pub(super) fn check_time(certificate: &Certificate, now: UnixTime) -> Result<(), CertificateError> {
    let validity = certificate.tbs_certificate().validity();
    let seconds = |time: &x509_cert::time::Time| {
        UnixTime::since_unix_epoch(std::time::Duration::from_secs(
            time.to_unix_duration().as_secs(),
        ))
    };
    let (not_before, not_after) = (seconds(&validity.not_before), seconds(&validity.not_after));
    if now < not_before {
        Err(CertificateError::NotValidYetContext { time: now, not_before })
    } else if now > not_after {
        Err(CertificateError::ExpiredContext { time: now, not_after })
    } else {
        Ok(())
    }
}

/// Whether it is of the first version of the format, without extensions, as `openssl x509 -req` makes it.
pub(super) fn is_of_the_first_version(certificate: &Certificate) -> bool {
    certificate.tbs_certificate().version() == Version::V1
}

/// Whether `issuer` signed a certificate. Of the two names nothing is asked but that they are equal.
pub(super) fn is_signed_by(
    certificate: &Certificate,
    issuer: &Certificate,
    algorithms: WebPkiSupportedAlgorithms,
) -> bool {
    let algorithm = certificate.signature_algorithm();
    let (Ok(message), Some(signature), Ok(algorithm)) = (
        certificate.tbs_certificate().to_der(),
        certificate.signature().as_bytes(),
        algorithm.to_der(),
    ) else {
        return false;
    };
    certificate.tbs_certificate().issuer() == issuer.tbs_certificate().subject()
        && algorithms.all.iter().any(|candidate| {
            is_algorithm(&algorithm, candidate.signature_alg_id().as_ref())
                && verifies(issuer, *candidate, &message, signature)
        })
}

/// Whether a certificate's key made a signature of the handshake.
pub(super) fn made_signature(
    certificate: &Certificate,
    message: &[u8],
    signed: &DigitallySignedStruct,
    algorithms: WebPkiSupportedAlgorithms,
    tls13: bool,
) -> bool {
    use SignatureScheme as Scheme;
    // TLS 1.3 has no place for these in a handshake, and knows one curve for each of the others.
    let outdated = [Scheme::RSA_PKCS1_SHA256, Scheme::RSA_PKCS1_SHA384, Scheme::RSA_PKCS1_SHA512];
    if tls13 && outdated.contains(&signed.scheme) {
        return false;
    }
    let candidates = algorithms.mapping.iter().find(|(scheme, _)| *scheme == signed.scheme);
    let candidates = candidates.map(|(_, candidates)| *candidates).unwrap_or_default();
    let candidates = if tls13 { &candidates[..candidates.len().min(1)] } else { candidates };
    candidates
        .iter()
        .any(|candidate| verifies(certificate, *candidate, message, signed.signature()))
}

/// Whether a certificate's key made a signature by this algorithm.
fn verifies(
    certificate: &Certificate,
    algorithm: &dyn rustls::pki_types::SignatureVerificationAlgorithm,
    message: &[u8],
    signature: &[u8],
) -> bool {
    let key = certificate.tbs_certificate().subject_public_key_info();
    let (Ok(kind), Some(bits)) = (key.algorithm.to_der(), key.subject_public_key.as_bytes()) else {
        return false;
    };
    is_algorithm(&kind, algorithm.public_key_alg_id().as_ref())
        && algorithm.verify_signature(bits, message, signature).is_ok()
}

/// Whether the DER of an algorithm has these contents, which are less than 128 bytes.
fn is_algorithm(der: &[u8], contents: &[u8]) -> bool {
    der.get(2..) == Some(contents)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_as_libpq_compares_them() {
        for (name, host, expected) in [
            ("db.example.com", "DB.example.com", true),
            ("*.example.com", "db.example.com", true),
            ("*.Example.com", "db.example.COM", true),
            ("*.example.com", "a.db.example.com", false),
            ("*.example.com", "example.com", false),
            ("*.example.com", ".example.com", false),
            ("d*.example.com", "db.example.com", false),
            ("*", "db", false),
            ("*.", "db.", false),
            ("db\0.example.com", "db", false),
            ("other", "db", false),
        ] {
            assert_eq!(is_name_of(name, host), expected, "{name} {host}");
        }
    }
}
