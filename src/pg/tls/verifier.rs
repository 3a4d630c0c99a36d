//! Whether a server is who it says it is, judged as libpq does it with OpenSSL.
//!
//! Webpki, which rustls judges by, wants more of a certificate than OpenSSL does: names in an extension, the
//! format's third version, and that no server uses the certificate of an authority. PostgreSQL's own
//! documentation (18, 18.9.5 "Creating Certificates") makes certificates that have none of it, so those are
//! judged here.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use x509_cert::Certificate;
use x509_cert::der::Decode;

use super::certificate;

/// Judges certificates of servers.
#[derive(Debug)]
pub(super) struct Verifier {
    /// Who is trusted; `None` is whoever answers.
    pub trusted: Option<Trusted>,
    /// Whether a certificate has to be for the server's name.
    pub names: bool,
    /// How signatures are made.
    pub algorithms: WebPkiSupportedAlgorithms,
}

/// Who is trusted to sign certificates.
#[derive(Debug)]
pub(super) struct Trusted {
    /// With the revoked ones.
    pub webpki: Arc<WebPkiServerVerifier>,
    /// Of a file of roots the same, to judge what webpki does not.
    pub roots: Vec<Certificate>,
    /// Whether it is known which are revoked: then webpki judges alone.
    pub revocations: bool,
}

impl Trusted {
    fn check(
        &self,
        server: &CertificateDer,
        between: &[CertificateDer],
        name: &ServerName,
        now: UnixTime,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Result<(), Error> {
        let read = Certificate::from_der(server).map_err(|_| CertificateError::BadEncoding)?;
        if !self.revocations && self.knows(&read, now, algorithms) {
            return certificate::check_time(&read, now).map_err(Error::from);
        }
        if certificate::is_of_the_first_version(&read) {
            let unknown = if self.revocations {
                CertificateError::UnknownRevocationStatus
            } else {
                CertificateError::UnknownIssuer
            };
            return Err(unknown.into());
        }
        match self.webpki.verify_server_cert(server, between, name, &[], now) {
            // The name is the last thing that it looks at; what we make of it is ours to say.
            Ok(_)
            | Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(()),
            // One that signed itself is an authority's to webpki, which it says before anything else.
            Err(Error::InvalidCertificate(CertificateError::Other(_)))
                if certificate::is_signed_by(&read, &read, algorithms) =>
            {
                Err(CertificateError::UnknownIssuer.into())
            }
            Err(error) => Err(error),
        }
    }

    /// Whether a certificate is itself among those that are trusted, or is one without extensions that one of
    /// them signed, which is in its time, too.
    fn knows(
        &self,
        server: &Certificate,
        now: UnixTime,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> bool {
        let itself = |root: &&Certificate| **root == *server;
        let signed = |root: &Certificate| {
            certificate::check_time(root, now).is_ok()
                && certificate::is_signed_by(server, root, algorithms)
        };
        self.roots.iter().find(itself).is_some_and(signed)
            || certificate::is_of_the_first_version(server) && self.roots.iter().any(signed)
    }
}

impl Verifier {
    fn check_name(&self, server: &CertificateDer, name: &ServerName) -> Result<(), Error> {
        let read = Certificate::from_der(server).map_err(|_| CertificateError::BadEncoding)?;
        let (fits, presented) = certificate::names(&read, &name.to_str());
        if fits {
            return Ok(());
        }
        let expected = name.to_owned();
        Err(CertificateError::NotValidForNameContext { expected, presented }.into())
    }

    /// The same for certificates that webpki reads, by its own rules, and for others.
    fn check_signature(
        &self,
        webpki: Result<HandshakeSignatureValid, Error>,
        message: &[u8],
        server: &CertificateDer,
        signed: &DigitallySignedStruct,
        tls13: bool,
    ) -> Result<HandshakeSignatureValid, Error> {
        let error = match webpki {
            Ok(valid) => return Ok(valid),
            Err(error) => error,
        };
        match Certificate::from_der(server) {
            Ok(read)
                if certificate::is_of_the_first_version(&read)
                    && certificate::made_signature(
                        &read,
                        message,
                        signed,
                        self.algorithms,
                        tls13,
                    ) =>
            {
                Ok(HandshakeSignatureValid::assertion())
            }
            _ => Err(error),
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        server: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(trusted) = &self.trusted {
            trusted.check(server, between, name, now, self.algorithms)?;
            if self.names {
                self.check_name(server, name)?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        server: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let webpki =
            rustls::crypto::verify_tls12_signature(message, server, signed, &self.algorithms);
        self.check_signature(webpki, message, server, signed, false)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        server: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let webpki =
            rustls::crypto::verify_tls13_signature(message, server, signed, &self.algorithms);
        self.check_signature(webpki, message, server, signed, true)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
