//! The server in it: image, settings, storage, locales, and how its end is told.

use ccc_backup::events::Events;
use ccc_backup::model::locale::Locale;
use ccc_backup::process::Program;
use ccc_backup::sandbox::SandboxError;
use ccc_backup::sandbox::{self, Request};
use std::time::Duration;
use std::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{answer, docker, docker_text, inside, left, recorded, refused, request, started};
use crate::support::docker::{image, newer_image};

/// What an image's build may do once, so that no start has to.
const MAKE_CLUSTER: &str = "
    rm -rf /usr/share/ccc-backup && mkdir /usr/share/ccc-backup
    install -d -o postgres /tmp/made
    setpriv --reuid postgres --regid postgres --clear-groups \\
        initdb -N -U postgres -E UTF8 --locale=C -D /tmp/made/cluster
    tar -C /tmp/made/cluster -cf /usr/share/ccc-backup/cluster.tar .
    chmod 644 /usr/share/ccc-backup/cluster.tar";
/// An image that brings none.
const NO_CLUSTER: &str = "rm -rf /usr/share/ccc-backup";

#[tokio::test]
async fn an_image_that_does_not_exist_is_missing() {
    let mut request = request("no-image");
    request.image = Some("localhost:1/no/such:image".into());
    let error = refused(&request).await;
    assert!(matches!(error, SandboxError::ImageMissing { .. }), "{error}");
    assert!(error.hint().unwrap().contains("docker pull"));
    assert_eq!(left(&request.name), Vec::<String>::new());
}

#[tokio::test]
async fn a_server_that_cannot_start_is_noticed_at_once_and_its_words_are_shown() {
    let mut request = request("broken");
    request.settings = vec![("shared_buffers".into(), "lots".into())];
    let begun = Instant::now();
    let error = refused(&request).await;
    assert!(begun.elapsed() < Duration::from_secs(40));
    assert!(
        matches!(&error, SandboxError::NotReady { log, .. }
            if log.iter().any(|line| line.contains("shared_buffers"))),
        "{error}"
    );
    assert_eq!(left(&request.name), Vec::<String>::new());
}

/// Whether initdb runs in a sandbox of the image with a change. Either way the password is stored
/// as a hash and never shown.
async fn runs_initdb(name: &str, change: &str) -> bool {
    let mut request = request(name);
    let maker = format!("{}-maker", request.name);
    let changed = format!("{}:15", request.name);
    let run = ["run", "--name", &maker, "--user", "0", "--entrypoint", "sh"];
    let run: Vec<&str> = run.into_iter().chain([image(), "-ec", change]).collect();
    docker_text(&run);
    docker_text(&["commit", &maker, &changed]);
    docker_text(&["rm", "-v", &maker]);
    request.image = Some(changed.clone());
    let sandbox = started(&request).await;
    let log = inside(&request.name, "ls /tmp/initdb.log");
    let password = sandbox.connect_info().password.expose().to_owned();
    let stored = "SELECT rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_authid WHERE rolname = user";
    let session = sandbox.connect_info().connect().await.unwrap();
    let scram: bool = session.query_one(stored, &[]).await.unwrap().get(0);
    let logs = docker(&["logs", &request.name]);
    sandbox.close(&Events::silent()).await.unwrap();
    docker_text(&["image", "rm", &changed]);
    assert!(scram);
    for stream in [logs.stdout, logs.stderr] {
        assert!(!String::from_utf8_lossy(&stream).contains(&password));
    }
    log.status.success()
}

/// What the container runs.
const START: &str = concat!(
    include_str!("../../../src/sandbox/docker/find-server.sh"),
    include_str!("../../../src/sandbox/docker/start.sh")
);

#[tokio::test]
async fn the_version_that_is_said_to_be_started_is_the_images() {
    let (events, seen) = recorded();
    let request = Request { image: Some(newer_image().into()), ..request("newer") };
    let sandbox = sandbox::start(&request, &events, &CancellationToken::new()).await.unwrap();
    assert_eq!((request.version, sandbox.version()), (15, 17));
    sandbox.close(&Events::silent()).await.unwrap();
    let seen = seen.lock().unwrap();
    let starting = seen.iter().find(|event| event.starts_with("SandboxStarting")).unwrap();
    assert!(starting.contains("version: \"17\""), "{starting}");
}

#[tokio::test]
async fn a_program_that_connects_finds_server_and_directory_and_no_network() {
    let sandbox = started(&request("connects")).await;
    let mut said = Vec::new();
    let mut run = async |script: &str, connects| {
        let argv = ["sh", "-c", script].map(str::to_owned).to_vec();
        let program = Program { argv, connects, ..Program::default() };
        sandbox.run(program, &mut |line| said.push(line.to_owned())).await.unwrap()
    };
    let copied = run("echo 42 >copy && ! psql -XAtc 'SELECT 1' 2>&-", false).await;
    let script = "psql -XAtc 'CREATE TABLE made (n int)' && psql -XAtc 'COPY made FROM STDIN' <copy \
                  && tail -n +2 /proc/net/route >&2";
    let restored = run(script, true).await;
    assert_eq!((copied, restored, &said[..]), (0, 0, &[][..]));
    let made = answer(sandbox.connect_info(), "SELECT string_agg(n::text, '') FROM made").await;
    sandbox.close(&Events::silent()).await.unwrap();
    assert_eq!(made, "42");
}

#[tokio::test]
async fn data_that_does_not_fit_in_memory_goes_to_a_volume_that_is_removed() {
    let mut request = request("volume");
    request.data_bytes = None;
    let sandbox = started(&request).await;
    assert!(!sandbox.facts().in_memory);
    let session = sandbox.connect_info().connect().await.unwrap();
    session
        .batch_execute("CREATE TABLE t AS SELECT generate_series(1, 1000) AS n; CHECKPOINT")
        .await
        .unwrap();
    assert_eq!(left(&request.name).len(), 3);
    sandbox.close(&Events::silent()).await.unwrap();
    assert_eq!(left(&request.name), Vec::<String>::new());
}

#[tokio::test]
async fn a_database_gets_the_sources_locale_or_says_that_it_did_not() {
    let sandbox = started(&request("locale")).await;
    let locale = |name: &str| Locale {
        collate: Some(name.into()),
        ctype: Some(name.into()),
        ..Locale::default()
    };
    let made = async |name: &str, locale: Locale| {
        let said = sandbox.create_database(name, &locale).await.unwrap();
        let question = format!("SELECT datcollate FROM pg_database WHERE datname = '{name}'");
        (said, answer(sandbox.connect_info(), &question).await)
    };
    assert_eq!(made("restore_test", Locale::default()).await, (None, "C".to_owned()));
    assert_eq!(made("english", locale("en_US.UTF-8")).await, (None, "en_US.UTF-8".to_owned()));
    let (said, collate) = made("none", locale("tlh_QO.UTF-8")).await;
    assert!(said.unwrap().contains("tlh_QO.UTF-8"));
    assert_eq!(collate, "C");
    let latin = Locale { encoding: "LATIN1".into(), ..locale("en_US.UTF-8") };
    assert_eq!(made("latin", latin).await.1, "C");
    let twice = sandbox.create_database("latin", &Locale::default()).await.unwrap_err();
    assert!(twice.to_string().contains("already exists"), "{twice}");
    sandbox.close(&Events::silent()).await.unwrap();
}

#[tokio::test]
async fn the_end_of_a_container_is_diagnosed() {
    let request = request("killed");
    let sandbox = started(&request).await;
    assert_eq!(sandbox.diagnose().await, None);
    docker_text(&["kill", &request.name]);
    let diagnosis = sandbox.diagnose().await.unwrap();
    assert!(diagnosis.contains("137"), "{diagnosis}");
    sandbox.close(&Events::silent()).await.unwrap();
    assert_eq!(left(&request.name), Vec::<String>::new());
}

#[tokio::test]
async fn a_crashed_backend_ends_the_sandbox_and_is_diagnosed() {
    let request = request("crashed");
    let sandbox = started(&request).await;
    let crash = "SELECT pg_backend_pid()::text";
    let session = sandbox.connect_info().connect().await.unwrap();
    let pid: String = session.query_one(crash, &[]).await.unwrap().get(0);
    inside(&request.name, &format!("kill -9 {pid}"));
    let diagnosis = sandbox.diagnose().await.unwrap();
    sandbox.close(&Events::silent()).await.unwrap();
    assert!(diagnosis.contains("signal 9"), "{diagnosis}");
}

#[tokio::test]
async fn another_superuser_is_made_once_and_a_refusal_says_which() {
    let mut sandbox = started(&request("superuser")).await;
    sandbox.leave_postgres_alone().await.unwrap();
    let question = "SELECT user::text || ' ' || current_setting('is_superuser')";
    let user = answer(sandbox.connect_info(), question).await;
    let twice = sandbox.leave_postgres_alone().await.unwrap_err();
    sandbox.close(&Events::silent()).await.unwrap();
    assert_eq!(user, "ccc_backup_restore on");
    let said = "the sandbox's server refused to create the role ccc_backup_restore: ";
    assert!(twice.to_string().starts_with(said), "{twice}");
    assert!(twice.hint().unwrap().contains("--image"));
}

#[tokio::test]
async fn a_program_in_the_container_runs_to_its_end_though_nobody_wants_what_it_says() {
    let sandbox = started(&request("unheard")).await;
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    drop(receiver);
    let script = "head -c 1000000 /dev/zero && echo done >&2 && exit 3";
    let argv = ["sh", "-c", script].map(str::to_owned).to_vec();
    let mut said = Vec::new();
    let program = Program { argv, stdout: Some(sender), ..Program::default() };
    let code = sandbox.run(program, &mut |line| said.push(line.to_owned())).await;
    sandbox.close(&Events::silent()).await.unwrap();
    assert_eq!((code.unwrap(), said), (3, vec!["done".to_owned()]));
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[tokio::test]
    async fn an_image_that_brings_a_cluster_starts_from_it() {
        assert!(!runs_initdb("cluster", MAKE_CLUSTER).await);
    }

    #[tokio::test]
    async fn an_image_that_brings_no_cluster_makes_one() {
        assert!(runs_initdb("no-cluster", NO_CLUSTER).await);
    }

    #[test]
    fn a_directory_of_sockets_that_an_engine_leaves_to_root_is_left_out() {
        let name = format!("{}-sockets", request("podman").name);
        let given = "echo secret | sh -ec \"$1\" x";
        // Podman puts a directory of its own over /run, and so over ours.
        for (sockets, elsewhere) in [("/elsewhere", false), ("/var/run/postgresql:mode=1777", true)]
        {
            let run = ["run", "-d", "--name", &name, "--user", "postgres", "--read-only"];
            let places =
                ["--tmpfs", sockets, "--tmpfs", "/tmp:mode=1777", "--tmpfs", "/d:mode=1777"];
            let script =
                ["-e", "PGDATA=/d/data", "--entrypoint", "sh", image(), "-ec", given, "x", START];
            docker_text(&[&run[..], &places, &script].concat());
            let ask = |host: &str| {
                let line = format!("psql -h {host} -U postgres -XAtc 'SELECT 6 * 7'");
                inside(&name, &line).status.success()
            };
            let patience = Instant::now() + Duration::from_secs(60);
            while !ask("/tmp") && Instant::now() < patience {
                std::thread::sleep(Duration::from_millis(50));
            }
            let found = (ask("/tmp"), ask("/var/run/postgresql"));
            docker_text(&["rm", "-f", "-v", &name]);
            assert_eq!(found, (true, elsewhere), "{sockets}");
        }
    }
}
