//! A server that speaks TLS, and who signs certificates for it and its clients.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use tempfile::TempDir;

use super::source::Source;
use super::{SOON, text};

/// The first line that fits a connection counts: who comes only with TLS, only without, or with a certificate.
const HBA: &str = "\
local all all scram-sha-256
hostnossl all plain_only all scram-sha-256
host all plain_only all reject
hostssl all tls_only all scram-sha-256
host all tls_only all reject
hostssl all by_certificate all cert
host all trusted all trust
host all in_clear all password
host all all all scram-sha-256
";

/// The roles of [`HBA`], each with the password of the server's superuser.
const ROLES: [&str; 5] = ["plain_only", "tls_only", "by_certificate", "trusted", "in_clear"];

/// Who signs certificates.
pub struct Authority {
    dir: TempDir,
}

/// How a certificate is made.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// The common name of its subject.
    pub name: &'a str,
    /// Its alternative names, as OpenSSL takes them; none makes a certificate of the first version.
    pub names: Option<&'a str>,
    /// Whether its time is over.
    pub expired: bool,
    /// The kind of key, in OpenSSL's words.
    pub key: &'a [&'a str],
}

/// A key that is made at once.
pub const EC: &[&str] = &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
/// A key of the kind that most have.
pub const RSA: &[&str] = &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];

impl Default for Wanted<'_> {
    fn default() -> Self {
        Self {
            name: "db",
            names: Some("DNS:localhost,DNS:*.example.test,IP:127.0.0.1"),
            expired: false,
            key: EC,
        }
    }
}

/// Runs openssl in a directory.
pub fn openssl(dir: &Path, args: &[&str]) {
    let output = Command::new("openssl").current_dir(dir).args(args).output().unwrap();
    assert!(output.status.success(), "openssl {args:?}: {}", text(&output.stderr));
}

impl Authority {
    /// A new one, with a name of its own.
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        Self::named(&format!("authority {}", COUNT.fetch_add(1, Ordering::Relaxed)))
    }

    /// A new one, which may have the name of another.
    pub fn named(name: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = "[ca]\ndefault_ca=ca\n[ca]\ndatabase=index\ndefault_md=sha256\n\
                      default_crl_days=30\ncrlnumber=number\n\
                      new_certs_dir=.\nrand_serial=yes\nunique_subject=no\npolicy=any\n[any]\ncommonName=supplied\n";
        for (name, contents) in [("ca.cnf", config), ("index", ""), ("number", "01\n")] {
            std::fs::write(dir.path().join(name), contents).unwrap();
        }
        let key = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key"];
        openssl(
            dir.path(),
            &[&key[..], &["-out", "ca.crt", "-subj", &format!("/CN={name}")]].concat(),
        );
        Self { dir }
    }

    /// One of its files.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Its own certificate.
    pub fn certificate(&self) -> PathBuf {
        self.file("ca.crt")
    }

    /// Makes `NAME.crt` and `NAME.key`, with a key that only its owner may read.
    pub fn sign(&self, name: &str, wanted: Wanted) -> (PathBuf, PathBuf) {
        let dir = self.dir.path();
        let of = |ending: &str| format!("{name}.{ending}");
        let [key, request, certificate, extensions] = ["key", "csr", "crt", "ext"].map(of);
        openssl(dir, &[&["genpkey", "-out", &key][..], wanted.key].concat());
        let subject = format!("/CN={}", wanted.name);
        openssl(dir, &["req", "-new", "-key", &key, "-out", &request, "-subj", &subject]);
        let mut args = if wanted.expired {
            let time = ["-startdate", "20200101000000Z", "-enddate", "20200201000000Z"];
            let by = ["-config", "ca.cnf", "-keyfile", "ca.key", "-cert", "ca.crt"];
            [&["ca", "-batch", "-notext", "-in", &request][..], &by, &time].concat()
        } else {
            let by = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30"];
            [&["x509", "-req", "-in", &request][..], &by].concat()
        };
        args.extend(["-out", &certificate]);
        if let Some(names) = wanted.names {
            std::fs::write(self.file(&extensions), format!("subjectAltName={names}\n")).unwrap();
            args.extend(["-extfile", &extensions]);
        }
        openssl(dir, &args);
        private(&self.file(&key));
        (self.file(&certificate), self.file(&key))
    }

    /// The certificates that it has revoked: these.
    pub fn revoke(&self, certificates: &[&Path]) -> PathBuf {
        let dir = self.dir.path();
        let by = ["-config", "ca.cnf", "-keyfile", "ca.key", "-cert", "ca.crt"];
        for certificate in certificates {
            let revoke = ["ca", "-revoke", certificate.to_str().unwrap()];
            openssl(dir, &[&revoke[..], &by].concat());
        }
        openssl(dir, &[&["ca", "-gencrl", "-out", "ca.crl"][..], &by].concat());
        self.file("ca.crl")
    }
}

/// Makes a file one that only its owner may read.
pub fn private(path: &Path) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).unwrap();
}

/// A server that speaks TLS.
pub struct TlsServer {
    /// The server, whose superuser comes with TLS and without.
    pub server: Source,
    /// Who signed its certificate.
    pub authority: Authority,
}

impl TlsServer {
    /// A server with a certificate for localhost, its address, and `*.example.test`.
    pub fn start() -> Self {
        let (server, authority) = (Source::start(), Authority::new());
        let tls = Self { server, authority };
        let (certificate, key) = tls.authority.sign("server", Wanted::default());
        tls.install(&tls.authority.certificate(), "ca.crt");
        tls.install_text(HBA, "pg_hba.conf");
        tls.present(&certificate, &key);
        for role in ROLES {
            let password = &tls.server.password;
            tls.sql(&format!("CREATE ROLE {role} LOGIN PASSWORD '{password}'"));
        }
        for setting in ["ssl_ca_file = 'ca.crt'", "ssl = on"] {
            tls.sql(&format!("ALTER SYSTEM SET {setting}"));
        }
        tls.reload();
        tls
    }

    /// Has the server present another certificate from now on.
    pub fn present(&self, certificate: &Path, key: &Path) {
        self.install(certificate, "server.crt");
        self.install(key, "server.key");
        self.reload();
    }

    /// Has the server let nobody in by TCP any more.
    pub fn allow_nobody(&self) {
        self.install_text("local all all scram-sha-256\n", "pg_hba.conf");
        self.reload();
    }

    /// Waits until a configuration that was changed is in force.
    fn reload(&self) {
        let loaded = || self.sql("SELECT pg_conf_load_time()");
        let before = loaded();
        self.sql("SELECT pg_reload_conf()");
        let deadline = Instant::now() + SOON;
        while loaded() == before {
            assert!(Instant::now() < deadline, "the server did not read its configuration");
        }
    }

    fn install(&self, file: &Path, name: &str) {
        self.install_text(&std::fs::read_to_string(file).unwrap(), name);
    }

    /// Puts a file among the server's, as its own.
    fn install_text(&self, contents: &str, name: &str) {
        let data = self.server.dir.join("data");
        let path = data.join(name);
        std::fs::write(&path, contents).unwrap();
        let owner = data.metadata().unwrap();
        chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
        private(&path);
    }

    /// Runs SQL as the superuser, over the socket.
    pub fn sql(&self, sql: &str) -> String {
        let socket = self.server.dir.to_str().unwrap();
        let args = ["-XqAt", "-h", socket, "-d", "postgres", "-c", sql];
        let answer = self.server.client("psql", &args);
        text(&answer).trim().to_owned()
    }
}

/// A server that the tests share; none changes it.
pub fn tls_server() -> &'static TlsServer {
    static SERVER: OnceLock<TlsServer> = OnceLock::new();
    SERVER.get_or_init(TlsServer::start)
}
