//! Certificates and keys in files, by libpq's rules. Source: libpq's `initialize_SSL`, PostgreSQL 18.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use thiserror::Error;
use x509_cert::Certificate;
use x509_cert::der::{Decode, Encode};

/// What is wrong with a file of certificates or keys.
#[derive(Debug, Clone, Error)]
#[error("the {kind} {} {why}", path.display())]
pub struct FileError {
    kind: &'static str,
    path: PathBuf,
    why: String,
    /// What to do next.
    pub hint: &'static str,
}

const ROOTS: &str = "file of trusted certificates";
const CHECK_ROOTS: &str =
    "check sslrootcert (PGSSLROOTCERT), which is a file of certificates in PEM";
const REVOKED: &str = "list of revoked certificates";
const CHECK_REVOKED: &str = "check sslcrl (PGSSLCRL) and sslcrldir (PGSSLCRLDIR)";
const CLIENT: &str = "client certificate";
const CHECK_CLIENT: &str = "check sslcert (PGSSLCERT), which is a file of certificates in PEM";
const KEY: &str = "client key";
const CHECK_KEY: &str = "check sslkey (PGSSLKEY)";

fn wrong(kind: &'static str, path: &Path, why: impl ToString, hint: &'static str) -> FileError {
    FileError { kind, path: path.to_owned(), why: why.to_string(), hint }
}

fn read(kind: &'static str, path: &Path, hint: &'static str) -> Result<Vec<u8>, FileError> {
    std::fs::read(path)
        .map_err(|error| wrong(kind, path, format_args!("cannot be read: {error}"), hint))
}

/// The certificates of a file of trusted ones; `None` where there is no such file.
pub(super) fn roots(path: &Path) -> Result<Option<Vec<CertificateDer<'static>>>, FileError> {
    if !is_there(path, ROOTS, CHECK_ROOTS)? {
        return Ok(None);
    }
    let found = certificates(&read(ROOTS, path, CHECK_ROOTS)?)
        .filter(|found| !found.is_empty())
        .ok_or_else(|| wrong(ROOTS, path, "has no certificate that can be read", CHECK_ROOTS))?;
    Ok(Some(found))
}

/// There are none, and someone has to vouch for the server.
pub(super) fn no_roots(path: &Path) -> FileError {
    let hint = "provide it, use the system's trusted roots with sslrootcert=system, or trust whoever answers with \
                sslmode=require";
    wrong(ROOTS, path, "does not exist, and sslmode asks to verify the server's certificate", hint)
}

/// The roots that the system trusts.
pub(super) fn system_roots() -> Result<RootCertStore, FileError> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if store.is_empty() {
        let hint = "install ca-certificates, or name a file with sslrootcert";
        return Err(wrong(ROOTS, Path::new("of the system"), "is empty or missing", hint));
    }
    Ok(store)
}

/// Trusts certificates.
pub(super) fn store(certificates: &[CertificateDer<'static>]) -> RootCertStore {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(certificates.iter().cloned());
    store
}

/// What is revoked, by a file and by the files of a directory that are named by OpenSSL's digests.
pub(super) fn revoked(
    file: Option<&Path>,
    directory: Option<&Path>,
) -> Result<Vec<CertificateRevocationListDer<'static>>, FileError> {
    let mut files: Vec<PathBuf> = file.map(Path::to_owned).into_iter().collect();
    if let Some(directory) = directory {
        let failed = |error| {
            wrong(REVOKED, directory, format_args!("cannot be read: {error}"), CHECK_REVOKED)
        };
        for entry in std::fs::read_dir(directory).map_err(failed)? {
            files.push(entry.map_err(failed)?.path());
        }
    }
    let mut found = Vec::new();
    for path in files {
        let text = read(REVOKED, &path, CHECK_REVOKED)?;
        let lists: Result<Vec<_>, _> =
            CertificateRevocationListDer::pem_slice_iter(&text).collect();
        match lists {
            Ok(lists) if !lists.is_empty() => found.extend(lists),
            _ => return Err(wrong(REVOKED, &path, "has no list that can be read", CHECK_REVOKED)),
        }
    }
    Ok(found)
}

/// The lists cannot be used, in rustls' words.
pub(super) fn not_usable(file: Option<&Path>, why: &impl ToString) -> FileError {
    wrong(REVOKED, file.unwrap_or(Path::new("")), why.to_string(), CHECK_REVOKED)
}

/// The client's certificate and its key; `None` where there is no certificate.
pub(super) fn client(
    certificate: &Path,
    key: &Path,
    provider: &CryptoProvider,
) -> Result<Option<Arc<SingleCertAndKey>>, FileError> {
    if !is_there(certificate, CLIENT, CHECK_CLIENT)? {
        return Ok(None);
    }
    let chain = certificates(&read(CLIENT, certificate, CHECK_CLIENT)?)
        .filter(|chain| !chain.is_empty())
        .ok_or_else(|| wrong(CLIENT, certificate, "cannot be understood", CHECK_CLIENT))?;
    check_permissions(key)?;
    let key_der = key_of(key, &read(KEY, key, CHECK_KEY)?)?;
    let signing = provider.key_provider.load_private_key(key_der).map_err(|_| {
        let hint = "take one of RSA with 2048 bits and more, ECDSA on P-256 or P-384, or Ed25519";
        wrong(KEY, key, "is of a kind that is not supported", hint)
    })?;
    let of_key = signing.public_key();
    let of_certificate = chain.first().and_then(|first| Certificate::from_der(first).ok());
    let of_certificate = of_certificate
        .and_then(|read| read.tbs_certificate().subject_public_key_info().to_der().ok());
    if let (Some(of_key), Some(of_certificate)) = (of_key, of_certificate)
        && of_key.as_ref() != of_certificate
    {
        return Err(wrong(KEY, key, "is not the key of the client certificate", CHECK_KEY));
    }
    Ok(Some(Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, signing)))))
}

fn is_there(path: &Path, kind: &'static str, hint: &'static str) -> Result<bool, FileError> {
    match path.metadata() {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(false)
        }
        Err(error) => Err(wrong(kind, path, format_args!("cannot be read: {error}"), hint)),
    }
}

fn certificates(text: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_slice_iter(text).collect::<Result<_, _>>().ok()
}

/// A key that others may read is refused; root's may be read by a group.
fn check_permissions(path: &Path) -> Result<(), FileError> {
    let hint = "put it beside the client certificate, or name it with sslkey (PGSSLKEY)";
    let metadata = path.metadata().map_err(|error| match error.kind() {
        ErrorKind::NotFound => wrong(KEY, path, "does not exist, and its certificate does", hint),
        _ => wrong(KEY, path, format_args!("cannot be read: {error}"), CHECK_KEY),
    })?;
    if !metadata.is_file() {
        return Err(wrong(KEY, path, "is not a plain file", CHECK_KEY));
    }
    let forbidden = if metadata.uid() == 0 { 0o037 } else { 0o077 };
    if metadata.mode() & forbidden != 0 {
        let hint = "chmod 0600 it, or 0640 where root owns it";
        return Err(wrong(KEY, path, "may be read by others", hint));
    }
    Ok(())
}

/// A key in PEM (PKCS#8, PKCS#1 or SEC1), or in DER.
fn key_of(path: &Path, contents: &[u8]) -> Result<PrivateKeyDer<'static>, FileError> {
    let text = String::from_utf8_lossy(contents);
    if text.contains("-----BEGIN ENCRYPTED") || text.contains("4,ENCRYPTED") {
        let hint = "write it without its passphrase into a file of mode 0600 (openssl pkey -in KEY -out FILE)";
        return Err(wrong(KEY, path, "is encrypted, which is not supported", hint));
    }
    PrivateKeyDer::from_pem_slice(contents)
        .or_else(|_| PrivateKeyDer::try_from(contents.to_vec()))
        .map_err(|_| wrong(KEY, path, "cannot be understood", CHECK_KEY))
}
