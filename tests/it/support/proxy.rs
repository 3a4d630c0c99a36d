//! A way to the Docker Engine that can be closed: it hangs, as an engine does that has no time, or it
//! is cut, as a network is.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Connections are taken, and nothing passes; anything else than these two, and bytes pass.
const HANGING: u8 = 1;
/// Connections are closed.
const CUT: u8 = 2;

const PAUSE: Duration = Duration::from_millis(5);

/// See the module. Cut when it is dropped.
pub struct Proxy {
    socket: PathBuf,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    mode: AtomicU8,
    streams: Mutex<Vec<UnixStream>>,
    hang_at: Mutex<Option<&'static str>>,
}

impl Proxy {
    /// A proxy whose socket is in this directory.
    pub fn start(dir: &Path) -> Self {
        let socket = dir.join("engine.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        listener.set_nonblocking(true).unwrap();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            while shared.mode() != CUT {
                match listener.accept() {
                    Ok((client, _)) => shared.join(client, UnixStream::connect(engine()).unwrap()),
                    Err(_) => std::thread::sleep(PAUSE),
                }
            }
        });
        Self { socket, state }
    }

    /// For `DOCKER_HOST`.
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// Lets nothing pass any more.
    pub fn hang(&self) {
        self.state.mode.store(HANGING, Ordering::SeqCst);
    }

    /// The same from the first request on that has these words; it does not arrive.
    pub fn hang_at(&self, words: &'static str) {
        *self.state.hang_at.lock().unwrap() = Some(words);
    }

    /// Closes every connection, and takes no new one.
    pub fn cut(&self) {
        self.state.mode.store(CUT, Ordering::SeqCst);
        let _ = std::fs::remove_file(&self.socket);
        for stream in self.state.streams.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut();
    }
}

impl State {
    fn mode(&self) -> u8 {
        self.mode.load(Ordering::SeqCst)
    }

    /// Passes bytes on in both directions, on threads that end with the streams.
    fn join(self: &Arc<Self>, client: UnixStream, engine: UnixStream) {
        client.set_nonblocking(false).unwrap();
        let copies = [(&client, &engine), (&engine, &client)];
        for (from, to) in copies.map(|(a, b)| (a.try_clone().unwrap(), b.try_clone().unwrap())) {
            let state = Arc::clone(self);
            std::thread::spawn(move || state.pass(from, to));
        }
        self.streams.lock().unwrap().extend([client, engine]);
    }

    fn pass(&self, mut from: UnixStream, mut to: UnixStream) {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = from.read(&mut buffer).unwrap_or(0);
            if self.hang_at.lock().unwrap().is_some_and(|words| contains(&buffer[..read], words)) {
                self.mode.store(HANGING, Ordering::SeqCst);
            }
            while self.mode() == HANGING {
                std::thread::sleep(PAUSE);
            }
            if read == 0 || self.mode() == CUT || to.write_all(&buffer[..read]).is_err() {
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
        }
    }
}

fn contains(bytes: &[u8], words: &str) -> bool {
    memchr::memmem::find(bytes, words.as_bytes()).is_some()
}

/// The socket of the engine that the tests use.
fn engine() -> PathBuf {
    let host = std::env::var("DOCKER_HOST").unwrap_or_default();
    host.strip_prefix("unix://").unwrap_or("/var/run/docker.sock").into()
}
