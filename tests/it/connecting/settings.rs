//! Where settings come from, from a URL to the password file, with a server at the end; and those that cannot be
//! followed.

use std::path::Path;

use ccc_backup::libpq::keywords::parse;
use ccc_backup::pg::Target;

use super::target;
use crate::support::source::source;
use crate::support::tls::private;

fn home(files: &[(&str, String)]) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    for (name, contents) in files {
        std::fs::write(home.path().join(name), contents).unwrap();
        private(&home.path().join(name));
    }
    home
}

fn at_home(home: &Path) -> (&'static str, String) {
    ("HOME", home.display().to_string())
}

#[tokio::test]
async fn a_service_and_a_password_file_lead_to_the_server() {
    let server = source();
    let service =
        format!("[backup]\nhost=127.0.0.1\nport={}\nuser=postgres\ndbname=postgres\n", server.port);
    let passwords = format!("127.0.0.1:{}:postgres:postgres:{}\n", server.port, server.password);
    let home = home(&[(".pg_service.conf", service), (".pgpass", passwords)]);
    let environment = [at_home(home.path()), ("PGSERVICE", "backup".to_owned())];
    let found = target("", &environment);
    assert_eq!(found.name(), "postgres");
    let reached = found.connect().await.unwrap();
    // What the password file has for the one database does for another that it does not know.
    let reached_other = found.database("template1").connect().await.unwrap();
    assert_eq!(reached_other.info.database, "template1");
    let options = target("options='-c work_mem=5MB' service=backup", &environment[..1]);
    let session = options.connect().await.unwrap().session;
    let row = session.query_one("SHOW work_mem", &[]).await.unwrap();
    assert_eq!(row.get::<_, String>(0), "5MB");
    assert!(!format!("{found:?} {reached:?}").contains(&server.password));
    let named = target("postgresql:///template1?service=backup", &environment[..1]);
    assert_eq!(named.name(), "template1");
}

#[tokio::test]
async fn a_password_file_that_others_may_read_is_not_used_and_said_to_be_so() {
    let server = source();
    let home = home(&[(".pgpass", format!("*:*:*:*:{}\n", server.password))]);
    let path = home.path().join(".pgpass");
    let url = format!("postgresql://postgres@127.0.0.1:{}/postgres", server.port);
    let found = target(&url, &[at_home(home.path())]);
    assert!(found.warnings().is_empty());
    assert!(found.connect().await.is_ok());
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let found = target(&url, &[at_home(home.path())]);
    let warning = format!("the password file {} may be read by others", path.display());
    assert!(found.warnings()[0].starts_with(&warning), "{:?}", found.warnings());
    let error = found.connect().await.unwrap_err();
    assert!(error.to_string().ends_with("asks for a password, and none was given"), "{error}");
    assert!(error.hint().contains("~/.pgpass"));
}

#[test]
fn what_cannot_be_followed_is_refused_with_a_way_on() {
    for (settings, said) in [
        (
            "gssencmode=require",
            "encryption by GSSAPI (gssencmode=require) is not supported / set gssencmode=disable",
        ),
        (
            "require_auth=scram-sha-256",
            "the setting require_auth is not supported / leave it out, and set channel",
        ),
        ("requirepeer=postgres", "the setting requirepeer is not supported / leave it out"),
        ("min_protocol_version=3.2", "a protocol later than 3.0"),
        ("sslcertmode=require", "sslcertmode=require is not supported / leave it out"),
        (
            "sslkey=engine:key",
            "a key in a device (sslkey=engine:key) is not supported / name a file",
        ),
        ("ssl_max_protocol_version=TLSv1.1", "a version of TLS before 1.2"),
        ("ssl_min_protocol_version=TLSv1.3 ssl_max_protocol_version=TLSv1.2", "is later than"),
        ("host=@abstract", "a socket in the abstract namespace (host=@…) is not supported"),
        (
            "sslmode=on",
            "the setting sslmode is not one of disable, allow, prefer, require, verify-ca, verify-full",
        ),
        (
            "sslmode=require sslrootcert=system",
            "sslmode=require is too weak for sslrootcert=system / set",
        ),
        (
            "sslmode=prefer sslnegotiation=direct",
            "sslmode=prefer is too weak for sslnegotiation=direct / set",
        ),
        (
            "channel_binding=on",
            "the setting channel_binding is not one of disable, prefer, require",
        ),
        (
            "target_session_attrs=master",
            "the setting target_session_attrs is not one of any, read-write",
        ),
        ("connect_timeout=soon", "the setting connect_timeout is not a whole number"),
        ("host=a,b port=1,2,3", "there are 2 hosts, and 3 values of port / give one for each host"),
        ("host=a,b hostaddr=10.0.0.1", "there are 2 hosts, and 1 values of hostaddr"),
        ("port=70000", "a port is not a number from 1 to 65535"),
        ("hostaddr=db", "the setting hostaddr has something in it that is not an IP address"),
        ("service=unknown", "the service unknown is in no connection service file"),
    ] {
        let resolved = Target::resolve(&parse(settings).unwrap(), &|_| None);
        let error = resolved.map(|_| ()).unwrap_err();
        let shown = format!("{error} / {}", error.hint());
        assert!(shown.contains(said), "{settings}: {shown}");
    }
}

#[test]
fn what_makes_a_connection_no_less_secure_is_passed_over() {
    for settings in [
        "gssencmode=prefer",
        "krbsrvname=x",
        "sslcompression=1",
        "client_encoding=LATIN1",
        "max_protocol_version=latest",
        "keepalives=0 tcp_user_timeout=1000",
        "keepalives_idle=10 keepalives_interval=5 keepalives_count=3",
        "sslsni=0 ssl_min_protocol_version=TLSv1",
    ] {
        let resolved = Target::resolve(&parse(settings).unwrap(), &|_| None);
        assert!(resolved.is_ok(), "{settings}: {resolved:?}");
    }
}
