//! What only newer servers can: TLS from the first byte on, as PostgreSQL 17 speaks it, and sessions that no
//! event trigger keeps out.

use std::process::Command;
use std::time::{Duration, Instant};

use ccc_backup::pg::ConnectInfo;

use super::{is_encrypted, target};
use crate::support::docker::{docker, docker_text, newer_image};
use crate::support::source::free_port;
use crate::support::tls::{Authority, Wanted};

/// A server of PostgreSQL 17 with TLS, in a container.
struct Newer {
    name: String,
    port: u16,
    authority: Authority,
}

impl Drop for Newer {
    fn drop(&mut self) {
        docker(&["rm", "--force", "--volumes", &self.name]);
    }
}

impl Newer {
    async fn start() -> Self {
        let (port, authority) = (free_port(), Authority::new());
        authority.sign("server", Wanted::default());
        let name = format!("ccc-direct-{}", std::process::id());
        let published = format!("127.0.0.1:{port}:5432");
        let create = ["create", "--rm", "--name", &name, "--publish", &published];
        let password = ["--env", "POSTGRES_PASSWORD=hunter2", "--entrypoint", "sh"];
        let start = "chown postgres /server.*; exec docker-entrypoint.sh postgres -c ssl=on \
                     -c ssl_cert_file=/server.crt -c ssl_key_file=/server.key";
        docker_text(&[&create[..], &password, &[newer_image(), "-c", start]].concat());
        for file in ["server.crt", "server.key"] {
            let from = authority.file(file);
            let to = format!("{name}:/{file}");
            let copied = Command::new("docker").arg("cp").arg(from).arg(to).status().unwrap();
            assert!(copied.success());
        }
        docker_text(&["start", &name]);
        let newer = Self { name, port, authority };
        let patience = Instant::now() + Duration::from_secs(60);
        while let Err(error) = newer.reach("").await {
            assert!(Instant::now() < patience, "PostgreSQL 17 did not start: {error}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        newer
    }

    async fn reach(&self, settings: &str) -> Result<ccc_backup::pg::Reached, String> {
        let roots = self.authority.certificate();
        let settings = format!(
            "host=localhost port={} user=postgres password=hunter2 sslmode=verify-full \
             sslrootcert={} {settings}",
            self.port,
            roots.display()
        );
        let target = target(&settings, &[]);
        target.connect().await.map_err(|error| format!("{error} / {}", error.hint()))
    }
}

#[tokio::test]
async fn tls_from_the_first_byte_on_reaches_postgresql_17_in_docker_and_says_where_it_is_not_spoken()
 {
    let newer = Newer::start().await;
    let direct = newer.reach("sslnegotiation=direct channel_binding=require").await.unwrap();
    assert!(is_encrypted(&direct.session).await);
    let again = direct.info.connect().await.unwrap();
    let (slept, cancelled) = tokio::join!(again.batch_execute("SELECT pg_sleep(60)"), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        again.cancel().await
    });
    assert!(cancelled.is_ok() && slept.is_err());

    let options = newer.reach("options='-c work_mem=5MB'").await.unwrap();
    let without = ConnectInfo { event_triggers: false, ..options.info };
    let session = without.connect().await.unwrap();
    let question = "SELECT current_setting('work_mem'), current_setting('event_triggers')";
    let row = session.query_one(question, &[]).await.unwrap();
    assert_eq!((row.get(0), row.get(1)), ("5MB", "off"));
}
