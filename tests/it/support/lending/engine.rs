//! The engine itself: answers what concerns what is lent, and passes on everything else.

use std::collections::HashMap;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bollard::models::NetworkCreateRequest;
use bollard::{API_DEFAULT_VERSION, Docker};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{UnixListener, UnixStream};

use super::http::{Request, answer};
use super::server::Server;
use crate::support::proxy::engine_socket;

/// The label of the containers and the network that are lent; its value is the network's name.
pub const LABEL: &str = "ccc-backup-test.lent-by";
/// The label by which the binary knows what a run of it made.
const RUN_LABEL: &str = "io.ccc-backup.run";
/// Between two looks at whether a server is there again.
const PAUSE: Duration = Duration::from_millis(5);
/// What begins the setting that has a run's name, in the arguments of its server.
const RUN_ARGUMENT: &str = "ccc_backup.run=";

/// See the module.
pub struct Engine {
    dir: TempDir,
    lender: Arc<Lender>,
    _sweeper: Child,
}

/// Something that a run made and has not removed.
#[derive(Debug)]
struct Thing {
    /// A container is lent again under the same id, to another run.
    number: u64,
    id: String,
    name: String,
    labels: Value,
    /// What it was asked to be.
    body: Value,
    what: What,
}

#[derive(Debug)]
enum What {
    Network,
    /// The container of a server, which is not there while something is done with it.
    Server(Option<Box<Server>>),
    /// The container of programs beside a server, which belongs to that.
    Beside,
}

struct Lender {
    docker: Docker,
    network: String,
    networks: Mutex<Vec<Thing>>,
    containers: Mutex<Vec<Thing>>,
    idle: Mutex<HashMap<String, Vec<Server>>>,
    runtime: tokio::runtime::Runtime,
}

impl Engine {
    /// Starts it. What it made at the real engine goes with this process, whatever ends it.
    pub fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let network = format!("ccc-it-lent-{}", std::process::id());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let docker = {
            let _in_it = runtime.enter();
            let socket = engine_socket();
            Docker::connect_with_unix(socket.to_str().unwrap(), 120, API_DEFAULT_VERSION).unwrap()
        };
        let sweeper = sweeper(&network);
        let listener =
            std::os::unix::net::UnixListener::bind(dir.path().join("engine.sock")).unwrap();
        listener.set_nonblocking(true).unwrap();
        let lender = Arc::new(Lender {
            docker,
            network,
            networks: Mutex::default(),
            containers: Mutex::default(),
            idle: Mutex::default(),
            runtime,
        });
        let serving = Arc::clone(&lender);
        lender.runtime.spawn(async move {
            serving.make_network().await;
            let listener = UnixListener::from_std(listener).unwrap();
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&serving).serve(client));
            }
        });
        Self { dir, lender, _sweeper: sweeper }
    }

    /// For `DOCKER_HOST`.
    pub fn host(&self) -> String {
        format!("unix://{}", self.dir.path().join("engine.sock").display())
    }

    /// What runs have borrowed and not given back, of those whose names begin with `name`.
    pub fn left(&self, name: &str) -> Vec<String> {
        let of = |kind: &str, things: &Mutex<Vec<Thing>>| -> Vec<String> {
            let things = lock(things);
            let left = things.iter().filter(|thing| thing.name.starts_with(name));
            left.map(|thing| format!("borrowed {kind} {}", thing.name)).collect()
        };
        [of("container", &self.lender.containers), of("network", &self.lender.networks)].concat()
    }
}

/// A process that waits for the end of this one, and removes what was lent.
fn sweeper(network: &str) -> Child {
    let script = "trap '' HUP INT TERM; cat; \
                  docker ps -aq --filter \"label=$1=$2\" | xargs -r docker rm -f -v; docker network rm \"$2\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sweeper", LABEL, network]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

impl Lender {
    async fn make_network(&self) {
        let options = [("com.docker.network.bridge.enable_ip_masquerade", "false")];
        let request = NetworkCreateRequest {
            name: self.network.clone(),
            driver: Some("bridge".to_owned()),
            options: Some(options.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
            ..NetworkCreateRequest::default()
        };
        self.docker.create_network(request).await.unwrap();
    }

    /// Answers one request.
    async fn serve(self: Arc<Self>, mut client: UnixStream) {
        let Some(mut request) = Request::read(&mut client).await else { return };
        let (method, path) = (request.method.clone(), request.path.clone());
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match (method.as_str(), parts.as_slice()) {
            ("POST", ["networks", "create"]) => {
                let body = request.json(&mut client).await;
                let id = self.note_network(body);
                answer(&mut client, 201, &json!({ "Id": id, "Warning": "" })).await;
            }
            ("DELETE", ["networks", id]) if take(&self.networks, id).is_some() => {
                answer(&mut client, 204, &Value::Null).await;
            }
            ("GET", ["networks"]) => self.list(client, request, &self.networks).await,
            ("GET", ["containers", "json"]) => self.list(client, request, &self.containers).await,
            ("POST", ["containers", "create"]) => {
                let body = request.json(&mut client).await;
                let name = request.parameter("name").unwrap_or_default();
                match self.lend_like(name, &body).await {
                    Some(id) => {
                        answer(&mut client, 201, &json!({ "Id": id, "Warnings": [] })).await;
                    }
                    None => {
                        self.make_real(&body["HostConfig"]["NetworkMode"]).await;
                        pass_on(client, &request).await;
                    }
                }
            }
            ("POST", ["containers", id, "attach"]) if self.has_server(id) => {
                self.attach(client, id).await;
            }
            ("POST", ["containers", id, "start"]) if self.has(id) => {
                self.start(id).await;
                answer(&mut client, 204, &Value::Null).await;
            }
            ("GET", ["containers", id, "json"]) if self.has_server(id) => {
                let inspected = self.inspect(id).await;
                answer(&mut client, 200, &inspected).await;
            }
            ("DELETE", ["containers", id]) if self.has(id) => {
                let lent = take(&self.containers, id);
                answer(&mut client, 204, &Value::Null).await;
                if let Some(lent) = lent {
                    self.take_back(lent).await;
                }
            }
            ("POST", ["containers", id, "exec"]) if self.has(id) => {
                self.of(id, |lent| match &mut lent.what {
                    What::Server(Some(server)) => {
                        server.runs_programs();
                        Some(())
                    }
                    _ => None,
                });
                pass_on(client, &request).await;
            }
            _ => pass_on(client, &request).await,
        }
    }

    fn note_network(&self, body: Value) -> String {
        let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        let name = text("Name");
        let id = format!("lent-{name}");
        let labels = body["Labels"].clone();
        let thing = Thing::new(id.clone(), name, body, labels, What::Network);
        lock(&self.networks).push(thing);
        id
    }

    /// Makes a network that was asked for, for a container that is none of the lent ones.
    async fn make_real(&self, name: &Value) {
        let Some(thing) = name.as_str().and_then(|name| take(&self.networks, name)) else { return };
        let request: NetworkCreateRequest = serde_json::from_value(thing.body).unwrap();
        self.docker.create_network(request).await.unwrap();
    }

    /// What the engine has of a kind, and what was lent of it.
    async fn list(&self, mut client: UnixStream, request: Request, things: &Mutex<Vec<Thing>>) {
        let mut listed = ask(&request).await;
        let filters = request.parameter("filters").unwrap_or_default();
        let filters: Value = serde_json::from_str(&filters).unwrap_or_default();
        // Written as a list, or as an object whose keys count.
        let wanted = match &filters["label"] {
            Value::Array(labels) => labels[0].as_str().unwrap_or_default().to_owned(),
            Value::Object(labels) => labels.keys().next().cloned().unwrap_or_default(),
            _ => String::new(),
        };
        let (label, value) = match wanted.split_once('=') {
            Some((label, value)) => (label, Some(value)),
            None => (wanted.as_str(), None),
        };
        for thing in lock(things).iter() {
            let has = thing.labels[label].as_str();
            if has.is_some_and(|has| value.is_none_or(|value| has == value)) {
                listed.as_array_mut().unwrap().push(json!({
                    "Id": thing.listed_id(), "Name": thing.name, "Names": [format!("/{}", thing.name)],
                    "Labels": thing.labels, "State": "running", "Ports": [],
                }));
            }
        }
        answer(&mut client, 200, &listed).await;
    }

    /// Lends a container like this one, and gives its id; `None` where none like it is lent.
    async fn lend_like(&self, name: String, body: &Value) -> Option<String> {
        if let Some(plan) = plan(body) {
            return Some(self.lend(name, body.clone(), plan).await);
        }
        let of = body["HostConfig"]["PidMode"].as_str()?.strip_prefix("container:")?;
        let number = self.number(of)?;
        let made = self.with_server(number, async |server, _| {
            server.beside_once(&self.docker, body.clone()).await
        });
        let id = made.await?;
        let labels = body["Labels"].clone();
        lock(&self.containers).push(Thing::new(
            id.clone(),
            name,
            body.clone(),
            labels,
            What::Beside,
        ));
        Some(id)
    }

    /// Lends a server that is made of this plan, and gives the id of its container.
    async fn lend(&self, name: String, body: Value, plan: String) -> String {
        let idle = lock(&self.idle).get_mut(&plan).and_then(Vec::pop);
        let server = match idle {
            Some(server) => server,
            None => {
                let of_engine = format!("{}-{}", self.network, hex::encode(rand()));
                Server::make(&self.docker, plan, &of_engine, &self.network).await
            }
        };
        let (id, labels) = (server.id.clone(), body["Labels"].clone());
        let thing =
            Thing::new(id.clone(), name, body, labels, What::Server(Some(Box::new(server))));
        lock(&self.containers).push(thing);
        id
    }

    /// Takes the password from a container's stdin.
    async fn attach(&self, mut client: UnixStream, id: &str) {
        let Some(number) = self.number(id) else { return };
        let upgraded = "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n\
                        Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
        client.write_all(upgraded.as_bytes()).await.unwrap();
        let mut password = String::new();
        if BufReader::new(&mut client).read_line(&mut password).await.unwrap_or(0) == 0 {
            // A run that ends before it has said one.
            return;
        }
        let said = self.with_server(number, async |server, run| {
            if let Err(error) = server.lend(&run, password.trim_end()).await {
                eprintln!("a server could not be lent: {error}");
            }
        });
        said.await;
    }

    async fn start(&self, id: &str) {
        let Some(number) = self.number(id) else { return };
        self.with_server(number, async |server, _| {
            server.start_once(&self.docker, &self.network).await
        })
        .await;
    }

    /// Does something with the server of a container and the name of its run, once nobody else does. One that was given
    /// back is not there; one that is given back meanwhile is removed.
    async fn with_server<T>(
        &self,
        number: u64,
        deed: impl AsyncFnOnce(&mut Server, String) -> T,
    ) -> Option<T> {
        let run =
            self.numbered(number, |lent| lent.labels[RUN_LABEL].as_str().map(str::to_owned))?;
        let mut server = loop {
            // That of a container of programs is never there.
            let taken = self.numbered(number, |lent| match &mut lent.what {
                What::Server(server) => Some(server.take()),
                What::Beside | What::Network => None,
            });
            match taken? {
                Some(server) => break server,
                None => tokio::time::sleep(PAUSE).await,
            }
        };
        let done = deed(&mut server, run).await;
        let mut server = Some(server);
        self.numbered(number, |lent| {
            lent.what = What::Server(server.take());
            Some(())
        });
        if let Some(server) = server {
            server.remove(&self.docker).await;
        }
        Some(done)
    }

    /// What the engine says of a container, under the names that the run gave.
    async fn inspect(&self, id_or_name: &str) -> Value {
        let (id, name, network) = self
            .of(id_or_name, |lent| {
                let network = lent.body["HostConfig"]["NetworkMode"].as_str()?.to_owned();
                Some((lent.id.clone(), lent.name.clone(), network))
            })
            .unwrap_or_default();
        let inspected = self.docker.inspect_container(&id, None).await.unwrap();
        let mut inspected = serde_json::to_value(inspected).unwrap();
        inspected["Name"] = json!(format!("/{name}"));
        let networks = inspected["NetworkSettings"]["Networks"].as_object_mut().unwrap();
        let of_ours = networks.remove(&self.network).unwrap();
        networks.insert(network, of_ours);
        inspected
    }

    /// Keeps it for the next one, if it is as good as new.
    async fn take_back(&self, lent: Thing) {
        let What::Server(Some(mut server)) = lent.what else { return };
        if server.is_as_new(&self.docker).await {
            lock(&self.idle).entry(server.plan.clone()).or_default().push(*server);
        } else {
            server.remove(&self.docker).await;
        }
    }

    fn number(&self, id_or_name: &str) -> Option<u64> {
        self.of(id_or_name, |lent| Some(lent.number))
    }

    fn numbered<T>(&self, number: u64, what: impl FnOnce(&mut Thing) -> Option<T>) -> Option<T> {
        let mut containers = lock(&self.containers);
        containers.iter_mut().find(|thing| thing.number == number).and_then(what)
    }

    fn has_server(&self, id_or_name: &str) -> bool {
        self.of(id_or_name, |lent| matches!(lent.what, What::Server(_)).then_some(())).is_some()
    }

    fn has(&self, id_or_name: &str) -> bool {
        self.of(id_or_name, |_| Some(())).is_some()
    }

    /// What something is of a container that is lent.
    fn of<T>(&self, id_or_name: &str, what: impl FnOnce(&mut Thing) -> Option<T>) -> Option<T> {
        let mut containers = lock(&self.containers);
        containers.iter_mut().find(|thing| thing.is(id_or_name)).and_then(what)
    }
}

impl Thing {
    fn new(id: String, name: String, body: Value, labels: Value, what: What) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self { number, id, name, labels, body, what }
    }

    fn is(&self, id_or_name: &str) -> bool {
        self.id == id_or_name || self.name == id_or_name || self.listed_id() == id_or_name
    }

    /// What it is called in a list, once and for all: whoever sees it there, and removes it when its run is dead, does not
    /// mean the next run, to which it may be lent by then.
    fn listed_id(&self) -> String {
        format!("lent-once-{}", self.number)
    }
}

fn take(things: &Mutex<Vec<Thing>>, id_or_name: &str) -> Option<Thing> {
    let mut things = lock(things);
    let at = things.iter().position(|thing| thing.is(id_or_name))?;
    Some(things.swap_remove(at))
}

/// A test that failed meanwhile does not keep the others from theirs.
fn lock<T>(things: &Mutex<T>) -> MutexGuard<'_, T> {
    things.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a container is made of that can be lent, without what every run has for itself. `None` for what a run has to
/// have for itself: another port than any, a volume, limits, and what is no server.
fn plan(body: &Value) -> Option<String> {
    let host = &body["HostConfig"];
    let command = body["Cmd"].as_array()?;
    let run =
        command.iter().position(|it| it.as_str().is_some_and(|it| it.starts_with(RUN_ARGUMENT)))?;
    let port = host["PortBindings"]["5432/tcp"][0]["HostPort"].as_str()?;
    let is_unlimited = ["Mounts", "Memory", "NanoCpus"].iter().all(|key| host[key].is_null());
    if !port.is_empty() || !is_unlimited {
        return None;
    }
    let mut plan = body.clone();
    plan["Cmd"].as_array_mut()?.drain(run - 1..=run);
    plan["Labels"] = Value::Null;
    plan["HostConfig"]["NetworkMode"] = Value::Null;
    // What is chosen by the memory that is free at the moment is alike for all.
    for argument in plan["Cmd"].as_array_mut()? {
        let name = argument.as_str()?.split('=').next()?;
        if ["shared_buffers", "maintenance_work_mem"].contains(&name) {
            *argument = json!(format!("{name}=256MB"));
        }
    }
    for (_, options) in plan["HostConfig"]["Tmpfs"].as_object_mut()? {
        if options.as_str()?.contains(",size=") {
            *options = json!("mode=1777,size=4294967296");
        }
    }
    Some(plan.to_string())
}

/// The real engine's answer to a request without a body.
async fn ask(request: &Request) -> Value {
    let mut engine = UnixStream::connect(engine_socket()).await.unwrap();
    engine.write_all(&request.passed_on()).await.unwrap();
    let mut answered = Vec::new();
    engine.read_to_end(&mut answered).await.unwrap();
    let json = answered.iter().position(|byte| *byte == b'[').unwrap_or(answered.len());
    let mut answers = serde_json::Deserializer::from_slice(&answered[json..]).into_iter::<Value>();
    answers.next().and_then(Result::ok).unwrap_or_else(|| json!([]))
}

/// Joins a client with the real engine.
async fn pass_on(mut client: UnixStream, request: &Request) {
    let mut engine = UnixStream::connect(engine_socket()).await.unwrap();
    engine.write_all(&request.passed_on()).await.unwrap();
    // Either may go away at any time.
    let _ = copy_bidirectional(&mut client, &mut engine).await;
}

fn rand() -> [u8; 4] {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}
