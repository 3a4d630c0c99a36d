//! The sandbox against a real Docker Engine and a real PostgreSQL image.
//!
//! Every test has its own container name and any free port, so that they run side by side.

use std::collections::HashSet;
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ccc_backup::events::{Event, Events};
use ccc_backup::pg::{Address, ConnectInfo};
use ccc_backup::sandbox::{self, Locale, Request, Sandbox, SandboxError};
use tokio_util::sync::CancellationToken;

const IMAGE: &str = "ccc-backup/postgres:15";
const MIB: u64 = 1024 * 1024;

/// Held by tests that sweep everything, and by those that make something to be swept.
static SWEEPING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

fn request(name: &str) -> Request {
    Request {
        port: 0,
        name: format!("ccc-it-{}-{name}", std::process::id()),
        data_bytes: Some(MIB),
        ..Request::default()
    }
}

async fn started(request: &Request) -> Sandbox {
    sandbox::start(request, &Events::silent(), &CancellationToken::new())
        .await
        .unwrap()
}

async fn refused(request: &Request) -> SandboxError {
    sandbox::start(request, &Events::silent(), &CancellationToken::new())
        .await
        .unwrap_err()
}

fn recorded() -> (Events, Arc<Mutex<Vec<String>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    let events = Events::new(move |event| {
        let text = format!("{event:?}");
        sink.lock().unwrap().push(text);
    });
    (events, seen)
}

fn docker(args: &[&str]) -> Output {
    Command::new("docker").args(args).output().unwrap()
}

fn docker_text(args: &[&str]) -> String {
    let output = docker(args);
    assert!(
        output.status.success(),
        "docker {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a shell line in a sandbox's container.
fn inside(name: &str, line: &str) -> Output {
    docker(&["exec", name, "sh", "-c", line])
}

/// Containers, networks and volumes whose names begin with `name`.
fn left(name: &str) -> Vec<String> {
    let filter = format!("name={name}");
    let mut left = Vec::new();
    for kind in [
        &["ps", "-a", "--format", "{{.Names}}"][..],
        &["network", "ls", "--format", "{{.Name}}"],
        &["volume", "ls", "--format", "{{.Name}}"],
    ] {
        let args: Vec<&str> = kind.iter().copied().chain(["--filter", &filter]).collect();
        left.extend(docker_text(&args).lines().map(str::to_owned));
    }
    left
}

async fn answer(info: &ConnectInfo, question: &str) -> String {
    let session = info.connect().await.unwrap();
    session.query_one(question, &[]).await.unwrap().get(0)
}

fn volumes() -> HashSet<String> {
    docker_text(&["volume", "ls", "-q"])
        .lines()
        .map(str::to_owned)
        .collect()
}

/// Labels of a run whose process number surely belongs to no process. It was told to keep what it
/// made, so that no other test's start removes that.
fn labels_of_a_dead_run(run: &str) -> Vec<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    labels_of_a_run(run, boot.trim())
}

fn labels_of_a_run(run: &str, boot: &str) -> Vec<String> {
    let pidns = std::fs::read_link("/proc/self/ns/pid").unwrap();
    [
        format!("io.ccc-backup.run={run}"),
        "io.ccc-backup.pid=0".to_owned(),
        "io.ccc-backup.started=1".to_owned(),
        format!("io.ccc-backup.boot={boot}"),
        format!("io.ccc-backup.pidns={}", pidns.display()),
        "io.ccc-backup.kept=true".to_owned(),
    ]
    .into_iter()
    .flat_map(|label| ["--label".to_owned(), label])
    .collect()
}

fn docker_with(args: &[&str], labels: &[String], rest: &[&str]) -> String {
    let labels = labels.iter().map(String::as_str);
    let all: Vec<&str> = args
        .iter()
        .copied()
        .chain(labels)
        .chain(rest.iter().copied())
        .collect();
    docker_text(&all)
}

#[tokio::test]
async fn a_sandbox_starts_answers_and_leaves_nothing() {
    let request = request("whole");
    let (events, seen) = recorded();
    let begun = Instant::now();
    let sandbox = sandbox::start(&request, &events, &CancellationToken::new())
        .await
        .unwrap();
    let version = answer(sandbox.connect_info(), "SHOW server_version").await;
    eprintln!("first query after {:?}", begun.elapsed());
    assert!(version.starts_with("15."), "{version}");
    assert_eq!(sandbox.facts().server_version, version);
    assert!(sandbox.facts().digest.starts_with("sha256:"));
    assert!(sandbox.facts().in_memory);
    let closing = Instant::now();
    sandbox.close(&events).await.unwrap();
    eprintln!("closed after {:?}", closing.elapsed());
    assert_eq!(left(&request.name), Vec::<String>::new());
    let seen = seen.lock().unwrap();
    let names: Vec<&str> = seen
        .iter()
        .map(|text| text.split([' ', '(']).next().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "SandboxChecking",
            "SandboxStarting",
            "SandboxStarted",
            "SandboxWaiting",
            "SandboxReady",
            "SandboxClosing",
            "SandboxClosed"
        ]
    );
}

#[tokio::test]
async fn the_published_port_leads_to_the_same_server_and_is_on_loopback_only() {
    let request = request("port");
    let sandbox = started(&request).await;
    let published = ConnectInfo {
        address: Address::Tcp {
            host: "127.0.0.1".into(),
            port: sandbox.port(),
        },
        ..sandbox.connect_info().clone()
    };
    let run = answer(&published, "SHOW ccc_backup.run").await;
    let label = "{{index .Config.Labels \"io.ccc-backup.run\"}}";
    let labelled = docker_text(&["inspect", "--format", label, &request.name]);
    assert_eq!(run, labelled.trim());
    let ports = docker_text(&["port", &request.name]);
    assert_eq!(
        ports.trim(),
        format!("5432/tcp -> 127.0.0.1:{}", sandbox.port())
    );
    sandbox.close(&Events::silent()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sandbox_that_is_dropped_leaves_nothing() {
    let request = request("dropped");
    let before = volumes();
    drop(started(&request).await);
    assert_eq!(left(&request.name), Vec::<String>::new());
    let anonymous: Vec<_> = volumes().difference(&before).cloned().collect();
    assert!(
        !anonymous.iter().any(|name| name.len() == 64),
        "{anonymous:?}"
    );
}

#[tokio::test]
async fn a_start_that_is_cancelled_leaves_nothing_within_five_seconds() {
    for delay in [0, 30, 100, 200, 350, 500, 650] {
        let request = request(&format!("cancelled-{delay}"));
        let cancel = CancellationToken::new();
        let trigger = cancel.clone();
        let timer = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(delay)).await;
            trigger.cancel();
            Instant::now()
        });
        let outcome = sandbox::start(&request, &Events::silent(), &cancel).await;
        match outcome {
            Err(SandboxError::Interrupted) => {}
            Err(other) => panic!("{other}"),
            Ok(sandbox) => sandbox.close(&Events::silent()).await.unwrap(),
        }
        let since = timer.await.unwrap().elapsed();
        assert!(since < Duration::from_secs(5), "{since:?}");
        assert_eq!(left(&request.name), Vec::<String>::new(), "at {delay} ms");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_is_abandoned_leaves_nothing() {
    for delay in [20, 120, 250, 400] {
        let request = request(&format!("abandoned-{delay}"));
        let events = Events::silent();
        let cancel = CancellationToken::new();
        let start = sandbox::start(&request, &events, &cancel);
        let _ = tokio::time::timeout(Duration::from_millis(delay), start).await;
        assert_eq!(left(&request.name), Vec::<String>::new(), "at {delay} ms");
    }
}

#[tokio::test]
async fn a_container_that_is_not_ours_is_not_touched() {
    let request = request("foreign");
    docker_text(&["create", "--name", &request.name, IMAGE, "true"]);
    let error = refused(&request).await;
    let there = left(&request.name);
    docker_text(&["rm", "-v", &request.name]);
    assert!(matches!(error, SandboxError::NameTaken { .. }), "{error}");
    assert_eq!(there, std::slice::from_ref(&request.name));
}

#[tokio::test]
async fn what_a_dead_run_left_is_removed_by_the_next() {
    let request = request("leftover");
    let _alone = SWEEPING.lock().await;
    let name = request.name.as_str();
    let (network, volume) = (format!("{name}-0a"), format!("{name}-0a-volume"));
    let labels = labels_of_a_dead_run(&format!("0a{}", std::process::id()));
    docker_with(&["network", "create"], &labels, &[&network]);
    docker_with(&["volume", "create"], &labels, &[&volume]);
    let data = format!("{volume}:/var/lib/postgresql/data");
    let rest = [
        "-d",
        "--name",
        name,
        "--network",
        &network,
        "-v",
        &data,
        "--entrypoint",
        "sleep",
        IMAGE,
        "600",
    ];
    docker_with(&["run"], &labels, &rest);
    let (events, seen) = recorded();
    let sandbox = sandbox::start(&request, &events, &CancellationToken::new())
        .await
        .unwrap();
    let there = left(name);
    sandbox.close(&events).await.unwrap();
    assert!(
        !there.contains(&network) && !there.contains(&volume),
        "{there:?}"
    );
    let seen = seen.lock().unwrap();
    let swept = seen.iter().filter(|text| text.starts_with("SandboxSwept"));
    assert!(swept.count() >= 3, "{seen:?}");
    assert_eq!(left(name), Vec::<String>::new());
}

#[tokio::test]
async fn a_container_of_a_run_on_another_host_is_not_touched() {
    let request = request("elsewhere");
    let labels = labels_of_a_run(&format!("0b{}", std::process::id()), "another-boot");
    docker_with(&["create", "--name", &request.name], &labels, &[IMAGE]);
    let error = refused(&request).await;
    let there = left(&request.name);
    docker_text(&["rm", "-v", &request.name]);
    assert!(
        matches!(error, SandboxError::NameInUse { live: false, .. }),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("docker rm -f"));
    assert_eq!(there, std::slice::from_ref(&request.name));
}

#[tokio::test]
async fn the_operator_sweeps_what_was_kept_and_what_is_dead() {
    let name = request("swept").name;
    let labels = labels_of_a_dead_run(&format!("0c{}", std::process::id()));
    let _alone = SWEEPING.lock().await;
    docker_with(&["create", "--name", &name], &labels, &[IMAGE]);
    let swept = sandbox::sweep_leftovers(&Events::silent()).await.unwrap();
    assert!(
        swept.removed.contains(&format!("container {name}")),
        "{swept:?}"
    );
    assert_eq!(left(&name), Vec::<String>::new());
}

#[tokio::test]
async fn a_live_runs_container_is_not_touched() {
    let request = request("live");
    let _alone = SWEEPING.lock().await;
    let first = started(&request).await;
    let error = refused(&request).await;
    assert!(
        matches!(&error, SandboxError::NameInUse { live: true, owner, .. }
            if owner.contains(&std::process::id().to_string())),
        "{error}"
    );
    let swept = sandbox::sweep_leftovers(&Events::silent()).await.unwrap();
    assert!(
        swept.left.iter().any(|line| line.contains(&request.name)),
        "{swept:?}"
    );
    assert_eq!(
        answer(first.connect_info(), "SELECT 'alive'").await,
        "alive"
    );
    first.close(&Events::silent()).await.unwrap();
}

#[tokio::test]
async fn a_busy_port_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut request = request("busy");
    request.port = port;
    let error = refused(&request).await;
    assert!(
        matches!(error, SandboxError::PortBusy { port: busy, by: None } if busy == port),
        "{error}"
    );
    assert_eq!(left(&request.name), Vec::<String>::new());
}

#[tokio::test]
async fn a_port_that_another_sandbox_has_is_said_to_be_its() {
    let first_request = request("busy-first");
    let first = started(&first_request).await;
    let mut second = request("busy-second");
    second.port = first.port();
    let error = refused(&second).await;
    first.close(&Events::silent()).await.unwrap();
    assert!(
        matches!(&error, SandboxError::PortBusy { by: Some(name), .. }
            if *name == first_request.name),
        "{error}"
    );
    assert_eq!(left(&second.name), Vec::<String>::new());
}

#[tokio::test]
async fn an_image_that_does_not_exist_is_missing() {
    let mut request = request("no-image");
    request.image = Some("localhost:1/no/such:image".into());
    let error = refused(&request).await;
    assert!(
        matches!(error, SandboxError::ImageMissing { .. }),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("docker pull"));
    assert_eq!(left(&request.name), Vec::<String>::new());
}

#[tokio::test]
async fn a_server_that_cannot_start_is_noticed_at_once_and_its_words_are_shown() {
    let mut request = request("broken");
    request.settings = vec![("shared_buffers".into(), "lots".into())];
    let begun = Instant::now();
    let error = refused(&request).await;
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert!(
        matches!(&error, SandboxError::NotReady { log, .. }
            if log.iter().any(|line| line.contains("shared_buffers"))),
        "{error}"
    );
    assert_eq!(left(&request.name), Vec::<String>::new());
}

#[tokio::test]
async fn the_password_is_in_no_inspection_log_list_of_processes_or_file() {
    let request = request("password");
    let sandbox = started(&request).await;
    let password = sandbox.connect_info().password.expose().to_owned();
    let name = request.name.as_str();
    let mut places = vec![docker_text(&["inspect", name])];
    let logs = docker(&["logs", name]);
    places.push(String::from_utf8_lossy(&logs.stdout).into_owned());
    places.push(String::from_utf8_lossy(&logs.stderr).into_owned());
    for line in [
        "cat /proc/[0-9]*/cmdline | tr '\\0' ' '",
        "cat /proc/1/environ | tr '\\0' ' '",
        "cat /tmp/* \"$PGDATA\"/*.conf",
    ] {
        let output = docker(&["exec", "--user", "postgres", name, "sh", "-c", line]);
        places.push(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    sandbox.close(&Events::silent()).await.unwrap();
    assert!(places.iter().filter(|text| !text.is_empty()).count() >= 4);
    assert!(!places.iter().any(|text| text.contains(&password)));
}

/// What an image's build may do once, so that no start has to.
const MAKE_CLUSTER: &str = "
    mkdir /usr/share/ccc-backup && install -d -o postgres /tmp/made
    setpriv --reuid postgres --regid postgres --clear-groups \\
        initdb -N -U postgres -E UTF8 --locale=C -D /tmp/made/cluster
    tar -C /tmp/made/cluster -cf /usr/share/ccc-backup/cluster.tar .
    chmod 644 /usr/share/ccc-backup/cluster.tar";

#[tokio::test]
async fn an_image_that_brings_a_cluster_starts_from_it() {
    let mut request = request("cluster");
    let maker = format!("{}-maker", request.name);
    let image = format!("{}:15", request.name);
    let run = ["run", "--name", &maker, "--user", "0", "--entrypoint", "sh"];
    let run: Vec<&str> = run
        .into_iter()
        .chain([IMAGE, "-ec", MAKE_CLUSTER])
        .collect();
    docker_text(&run);
    docker_text(&["commit", &maker, &image]);
    docker_text(&["rm", "-v", &maker]);
    request.image = Some(image.clone());
    let sandbox = started(&request).await;
    let log = inside(&request.name, "ls /tmp/initdb.log");
    let password = sandbox.connect_info().password.expose().to_owned();
    let stored = "SELECT rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_authid WHERE rolname = user";
    let session = sandbox.connect_info().connect().await.unwrap();
    let scram: bool = session.query_one(stored, &[]).await.unwrap().get(0);
    let logs = docker(&["logs", &request.name]);
    sandbox.close(&Events::silent()).await.unwrap();
    docker_text(&["image", "rm", &image]);
    assert!(!log.status.success(), "initdb ran");
    assert!(scram);
    for stream in [logs.stdout, logs.stderr] {
        assert!(!String::from_utf8_lossy(&stream).contains(&password));
    }
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let sandbox = started(&request("wrong-password")).await;
    let mut info = sandbox.connect_info().clone();
    info.password = "guess".to_owned().into();
    assert!(info.connect().await.is_err());
    sandbox.close(&Events::silent()).await.unwrap();
}

#[tokio::test]
async fn there_is_no_way_out_of_the_container() {
    let request = request("no-way-out");
    let sandbox = started(&request).await;
    let try_host = |host: &str| {
        let line = format!("psql -w -c 'SELECT 1' 'host={host} user=postgres connect_timeout=2'");
        String::from_utf8(inside(&request.name, &line).stderr).unwrap()
    };
    // Its own name is answered by the engine's resolver, so that the means of the test work.
    let itself = try_host(&request.name);
    let (address, name) = (try_host("1.1.1.1"), try_host("example.org"));
    let network = format!("{}-", request.name);
    let listed = [
        "network",
        "ls",
        "-q",
        "--filter",
        &format!("name={network}"),
    ];
    let options = docker_text(&["network", "inspect", docker_text(&listed).trim()]);
    sandbox.close(&Events::silent()).await.unwrap();
    assert!(itself.contains("no password supplied"), "{itself}");
    assert!(
        address.contains("timeout expired") || address.contains("unreachable"),
        "{address}"
    );
    assert!(name.contains("could not translate host name"), "{name}");
    assert!(options.contains("\"com.docker.network.bridge.enable_ip_masquerade\": \"false\""));
}

#[tokio::test]
async fn the_root_is_read_only_and_no_capability_is_left() {
    let request = request("hardened");
    let sandbox = started(&request).await;
    let name = request.name.as_str();
    let write = inside(name, "echo x >/usr/x");
    let as_root = docker(&["exec", "--user", "0", name, "sh", "-c", "echo x >/x"]);
    let status = inside(name, "cat /proc/1/status; id -un");
    sandbox.close(&Events::silent()).await.unwrap();
    assert!(!write.status.success() && !as_root.status.success());
    let status = String::from_utf8(status.stdout).unwrap();
    for set in ["CapPrm", "CapEff", "CapBnd"] {
        assert!(
            status.contains(&format!("{set}:\t0000000000000000")),
            "{status}"
        );
    }
    assert!(status.contains("NoNewPrivs:\t1"));
    assert!(status.trim_end().ends_with("postgres"));
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
    assert_eq!(
        made("restore_test", Locale::default()).await,
        (None, "C".to_owned())
    );
    assert_eq!(
        made("english", locale("en_US.UTF-8")).await,
        (None, "en_US.UTF-8".to_owned())
    );
    let (said, collate) = made("none", locale("tlh_QO.UTF-8")).await;
    assert!(said.unwrap().contains("tlh_QO.UTF-8"));
    assert_eq!(collate, "C");
    let latin = Locale {
        encoding: "LATIN1".into(),
        ..locale("en_US.UTF-8")
    };
    assert_eq!(made("latin", latin).await.1, "C");
    let twice = sandbox
        .create_database("latin", &Locale::default())
        .await
        .unwrap_err();
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
async fn a_kept_sandbox_runs_on_and_says_how_to_connect() {
    let mut request = request("kept");
    request.keep = true;
    let sandbox = started(&request).await;
    let port = sandbox.port();
    sandbox
        .create_database("restore_test", &Locale::default())
        .await
        .unwrap();
    let lines = Arc::new(Mutex::new(String::new()));
    let sink = Arc::clone(&lines);
    let events = Events::new(move |event| {
        if let Event::SandboxKept { connect, .. } = event {
            *sink.lock().unwrap() = connect;
        }
    });
    sandbox.keep("restore_test", &events);
    let connect = lines.lock().unwrap().clone();
    let output = Command::new("sh")
        .args(["-c", &format!("{connect} -Atc 'SELECT 6 * 7'")])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let network = docker_text(&[
        "network",
        "ls",
        "-q",
        "--filter",
        &format!("name={}", request.name),
    ]);
    docker_text(&["rm", "-f", "-v", &request.name]);
    docker_text(&["network", "rm", network.trim()]);
    assert!(connect.contains(&format!("-p {port} ")), "{connect}");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "42");
}
