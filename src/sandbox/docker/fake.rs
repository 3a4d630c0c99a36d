//! For tests: an engine that answers what it is told to, for what no real one can be made to answer.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use super::endpoint::Endpoint;
use super::engine::Engine;
use super::image::Image;

/// What a request begins with, such as `GET /volumes`, and its answer: status and body. It waits in
/// vain for the status [`NEVER`].
pub type Answer = (&'static str, u16, String);

/// No answer.
pub const NEVER: u16 = 0;

/// See the module. It is gone when it is dropped.
pub struct Fake {
    /// Connected to it.
    pub engine: Engine,
    asked: Arc<Mutex<Vec<String>>>,
    _dir: tempfile::TempDir,
}

impl Fake {
    /// An engine that has these answers, the first that fits, and that finds nothing else.
    pub async fn start(answers: Vec<Answer>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("engine.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answers, log) = (Arc::new(answers), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&answers), Arc::clone(&log)));
            }
        });
        let engine = Engine::connect_to(Endpoint::Unix(path)).await.unwrap();
        Self { engine, asked, _dir: dir }
    }

    /// How often it was asked something that begins so.
    pub fn times_asked(&self, request: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|line| line.starts_with(request)).count()
    }
}

/// An image that says nothing of itself.
pub fn image() -> Image {
    let (name, digest) = ("postgres:15".to_owned(), "sha256:0".to_owned());
    Image { name, digest, ..Image::default() }
}

/// Answers the one request of a connection.
async fn answer(mut stream: UnixStream, answers: Arc<Vec<Answer>>, log: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        // Who only looks whether somebody listens asks nothing.
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let request = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
    let found = answers.iter().find(|(beginning, ..)| request.starts_with(beginning));
    let (status, body) = match found {
        Some((_, status, body)) => (*status, body.as_str()),
        None if request == "GET /version" => (200, r#"{"ApiVersion": "1.43"}"#),
        None => (404, r#"{"message": "there is nothing"}"#),
    };
    log.lock().unwrap().push(request);
    if status == NEVER {
        return std::future::pending().await;
    }
    let answer = format!(
        "HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(answer.as_bytes()).await.unwrap();
}
