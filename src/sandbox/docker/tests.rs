use std::collections::HashMap;
use std::sync::LazyLock;

use super::endpoint::Endpoint;
use super::fake::Fake;
use super::spec::SERVER_PORT_KEY;
use super::ways::Way;
use super::*;

#[test]
fn a_remote_engines_memory_is_its_own() {
    let info = SystemInfo { mem_total: Some(8 << 30), ..SystemInfo::default() };
    assert_eq!(free_memory(false, &info), 4 << 30);
    assert!(free_memory(true, &info) <= 8 << 30);
}

/// What comes of a container without addresses, where the engine answers this to who waits for its
/// end.
async fn ended(status: u16, answer: &str) -> SandboxError {
    let fake = Fake::start(vec![
        ("GET /containers/c/json", 200, r#"{"NetworkSettings": {"Ports": {}}}"#.to_owned()),
        ("POST /containers/c/wait", status, answer.to_owned()),
        ("GET /containers/c/logs", 200, String::new()),
    ])
    .await;
    let (ways, port) = ways_to(&fake.engine).await;
    assert_eq!((ways.len(), port), (1, 0));
    let (docker, within) = (&fake.engine.docker, Duration::from_secs(1));
    let awaited = Awaited { docker, id: "c", name: "sandbox", run: "r", ways, within };
    let guard = Guard::new(fake.engine.clone(), this_run(false).unwrap());
    let image = fake::image();
    let (plan, password) = (plan_of_tests(&image), Secret::new("x"));
    let mut detours = Detours::new(&guard, &plan, "c", &password);
    let error = ready::wait(awaited, &mut detours, &CancellationToken::new()).await.unwrap_err();
    guard.keep();
    error
}

async fn ways_to(engine: &Engine) -> (Vec<Way>, u16) {
    ways(engine, "c", "network", &Secret::new("x")).await.unwrap()
}

#[tokio::test]
async fn a_container_that_exited_at_once_is_told_of_by_its_end() {
    for (status, answer, reason) in [
        (200, r#"{"StatusCode": 0}"#, "it exited with 0"),
        (200, r#"{"StatusCode": 3}"#, "it exited with 3"),
        (200, r#"{"StatusCode": 137}"#, "it was killed (exit code 137)"),
        (200, "", "the container is out of sight"),
        (500, r#"{"message": "broken"}"#, "the container is out of sight (broken)"),
    ] {
        let said = ended(status, answer).await.to_string();
        let expected = "PostgreSQL did not get ready in the container sandbox: ";
        assert_eq!(said, format!("{expected}{reason}"));
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up_and_its_address_is_named() {
    let said = ended(fake::NEVER, "").await.to_string();
    let expected = "PostgreSQL did not get ready in the container sandbox: no answer within 1 s (";
    assert!(said.starts_with(&format!("{expected}its port 127.0.0.1:5432: ")), "{said}");
}

#[tokio::test]
async fn a_containers_own_address_is_a_way_where_the_engine_is_here_and_there_alone() {
    let inspected = serde_json::json!({ "NetworkSettings": {
        "Ports": { SERVER_PORT_KEY: [{ "HostIp": "127.0.0.1", "HostPort": "7001" }] },
        "Networks": { "network": { "IPAddress": "172.30.0.2" } },
    } });
    let answer = ("GET /containers/c/json", 200, inspected.to_string());
    let fake = Fake::start(vec![answer]).await;
    let shown =
        |ways: &[Way]| ways.iter().map(|way| way.info.address.to_string()).collect::<Vec<_>>();
    let (ways, port) = ways_to(&fake.engine).await;
    assert_eq!((shown(&ways).last().unwrap().as_str(), port), ("127.0.0.1:7001", 7001));
    let own = if cfg!(target_os = "linux") { &["172.30.0.2:5432"][..] } else { &[] };
    assert_eq!(shown(&ways)[..ways.len() - 1], *own);
    let endpoint = Endpoint::Tcp("tcp://elsewhere:2375".into());
    let (ways, _) = ways_to(&Engine { endpoint, ..fake.engine.clone() }).await;
    assert_eq!(shown(&ways), ["127.0.0.1:7001"]);
}

fn plan_of_tests(image: &Image) -> Plan<'_> {
    static LABELS: LazyLock<HashMap<String, String>> = LazyLock::new(HashMap::new);
    Plan {
        image,
        network: "network",
        labels: &LABELS,
        storage: &Storage::Memory { limit: 1 },
        limits: Limits::default(),
        port: 0,
        settings: &[],
        run: "r",
        seccomp: "{}",
        preload: "",
    }
}
