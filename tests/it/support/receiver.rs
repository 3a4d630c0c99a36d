//! A server that is told: HTTP or HTTPS on a port of its own, which notes what comes and answers as a test says.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

const PAUSE: Duration = Duration::from_millis(10);
/// How long a request may take to come: a hang ends here.
const PATIENCE: Duration = Duration::from_secs(120);

/// A request that has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// `POST`.
    pub verb: String,
    /// The path with its query.
    pub path: String,
    /// Names in small letters, and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Received {
    /// The value of a header; its name in small letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// What becomes of a request.
#[derive(Debug, Clone)]
pub enum Answer {
    /// It has this status, and these headers.
    Status(u16, Vec<(&'static str, String)>),
    /// There is none, until the client goes away.
    Hang,
    /// The connection is closed.
    Close,
}

impl Answer {
    /// Only a status.
    pub fn status(status: u16) -> Self {
        Self::Status(status, Vec::new())
    }
}

type Rule = dyn Fn(&Received, usize) -> Answer + Send + Sync;

struct State {
    rule: Box<Rule>,
    tls: Option<Arc<ServerConfig>>,
    received: Mutex<Vec<Received>>,
    /// Connections, with whatever came of them.
    connections: Mutex<usize>,
    is_over: AtomicBool,
}

/// See the module. Closed when it is dropped.
pub struct Receiver {
    port: u16,
    state: Arc<State>,
}

impl Receiver {
    /// One that speaks HTTP. The rule is given the request and how many came before it.
    pub fn start(rule: impl Fn(&Received, usize) -> Answer + Send + Sync + 'static) -> Self {
        Self::serve(None, Box::new(rule))
    }

    /// One that takes everything.
    pub fn taking() -> Self {
        Self::start(|_, _| Answer::status(200))
    }

    /// One that takes everything, and speaks HTTPS with this certificate and its key.
    pub fn with_tls(certificate: &Path, key: &Path) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let certificate = CertificateDer::pem_file_iter(certificate).unwrap();
        let certificate = certificate.collect::<Result<Vec<_>, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_file(key).unwrap();
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config =
            config.unwrap().with_no_client_auth().with_single_cert(certificate, key).unwrap();
        Self::serve(Some(Arc::new(config)), Box::new(|_, _| Answer::status(200)))
    }

    fn serve(tls: Option<Arc<ServerConfig>>, rule: Box<Rule>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            rule,
            tls,
            received: Mutex::default(),
            connections: Mutex::default(),
            is_over: AtomicBool::default(),
        });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            listener.set_nonblocking(true).unwrap();
            while !shared.is_over.load(Ordering::SeqCst) {
                let Ok((client, _)) = listener.accept() else {
                    std::thread::sleep(PAUSE);
                    continue;
                };
                client.set_nonblocking(false).unwrap();
                let state = Arc::clone(&shared);
                *state.connections.lock().unwrap() += 1;
                std::thread::spawn(move || state.exchange(client));
            }
        });
        Self { port, state }
    }

    /// The URL of a path there, by the address.
    pub fn url(&self, path: &str) -> String {
        self.url_of("127.0.0.1", path)
    }

    /// The same by a name.
    pub fn url_of(&self, name: &str, path: &str) -> String {
        let scheme = if self.state.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{name}:{}{path}", self.port)
    }

    /// The host as it is shown.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// All that has come.
    pub fn received(&self) -> Vec<Received> {
        self.state.received.lock().unwrap().clone()
    }

    /// The paths of all that has come, without their queries.
    pub fn paths(&self) -> Vec<String> {
        let path = |it: Received| it.path.split('?').next().unwrap().to_owned();
        self.received().into_iter().map(path).collect()
    }

    /// How many connections have come.
    pub fn connections(&self) -> usize {
        *self.state.connections.lock().unwrap()
    }

    /// Waits until so many requests have come.
    pub fn wait_for(&self, count: usize) {
        let begun = Instant::now();
        while self.received().len() < count {
            assert!(begun.elapsed() < PATIENCE, "there came {:?}", self.paths());
            std::thread::sleep(PAUSE);
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::SeqCst);
    }
}

impl State {
    fn exchange(&self, client: TcpStream) {
        match &self.tls {
            None => self.answer(client),
            Some(tls) => {
                let tls = ServerConnection::new(Arc::clone(tls)).unwrap();
                self.answer(StreamOwned::new(tls, client));
            }
        }
    }

    /// Reads one request, and answers it; no connection has another one.
    fn answer(&self, mut client: impl Read + Write) {
        let Some(request) = read(&mut client) else { return };
        let before = {
            let mut received = self.received.lock().unwrap();
            received.push(request.clone());
            received.len() - 1
        };
        match (self.rule)(&request, before) {
            Answer::Close => {}
            Answer::Hang => {
                let _ = client.read(&mut [0]);
            }
            Answer::Status(status, headers) => {
                let mut text = format!("HTTP/1.1 {status} As said\r\nConnection: close\r\n");
                for (name, value) in headers {
                    text.push_str(&format!("{name}: {value}\r\n"));
                }
                text.push_str("Content-Length: 2\r\n\r\nOK");
                let _ = client.write_all(text.as_bytes());
                let _ = client.flush();
            }
        }
    }
}

/// A request with its body; `None` where none comes.
fn read(client: &mut impl Read) -> Option<Received> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    let mut more = |bytes: &mut Vec<u8>| {
        let read = client.read(&mut piece).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&piece[..read]);
        Some(())
    };
    let end = loop {
        match memchr::memmem::find(&bytes, b"\r\n\r\n") {
            Some(at) => break at,
            None => more(&mut bytes)?,
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ').map(str::to_owned);
    let (verb, path) = (words.next()?, words.next()?);
    let headers = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    });
    let mut request = Received { verb, path, headers: headers.collect(), body: String::new() };
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    while bytes.len() < end + 4 + length {
        more(&mut bytes)?;
    }
    request.body = String::from_utf8(bytes[end + 4..].to_vec()).ok()?;
    Some(request)
}
