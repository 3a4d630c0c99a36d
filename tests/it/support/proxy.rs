//! A way to the Docker Engine, or to a registry, that can be closed: it hangs, as an engine does that has
//! no time, or it is cut, as a network is.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const PASSING: u8 = 0;
/// Connections are taken, and nothing passes.
const HANGING: u8 = 1;
/// Connections are closed.
const CUT: u8 = 2;
/// Only what was told to hang does.
const HOLDING: u8 = 3;

const PAUSE: Duration = Duration::from_millis(5);

/// See the module. Cut when it is dropped.
pub struct Proxy {
    at: At,
    state: Arc<State>,
}

/// Where it takes connections.
enum At {
    Socket(PathBuf),
    Port(u16),
}

struct State {
    mode: AtomicU8,
    streams: Mutex<Vec<UnixStream>>,
    /// Words, and what becomes of the way when they come.
    trap: Mutex<Option<(&'static str, u8)>>,
    /// Bytes that may still pass, in whichever direction.
    left: AtomicUsize,
}

impl Proxy {
    /// A proxy of the engine whose socket is in this directory.
    pub fn start(dir: &Path) -> Self {
        let socket = dir.join("engine.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self::serve(At::Socket(socket), move || {
            Some((listener.accept().ok()?.0, UnixStream::connect(engine_socket()).unwrap()))
        })
    }

    /// A proxy, on a port of its own, of what listens on this one.
    pub fn of_port(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let own = listener.local_addr().unwrap().port();
        // All that is done with a stream here is done alike with any kind of socket.
        let any = |stream: TcpStream| UnixStream::from(OwnedFd::from(stream));
        Self::serve(At::Port(own), move || {
            let client = listener.accept().ok()?.0;
            Some((any(client), any(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap())))
        })
    }

    /// Joins the two ends of every connection.
    fn serve(
        at: At,
        accept: impl Fn() -> Option<(UnixStream, UnixStream)> + Send + 'static,
    ) -> Self {
        let state = Arc::new(State {
            mode: AtomicU8::default(),
            streams: Mutex::default(),
            trap: Mutex::default(),
            left: AtomicUsize::new(usize::MAX),
        });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            while shared.mode() != CUT {
                match accept() {
                    Some((client, server)) => shared.join(client, server),
                    None => std::thread::sleep(PAUSE),
                }
            }
        });
        Self { at, state }
    }

    /// For `DOCKER_HOST`, or in the name of an image.
    pub fn host(&self) -> String {
        match &self.at {
            At::Socket(path) => format!("unix://{}", path.display()),
            At::Port(port) => format!("127.0.0.1:{port}"),
        }
    }

    /// Lets nothing pass any more.
    pub fn hang(&self) {
        self.state.mode.store(HANGING, Ordering::SeqCst);
    }

    /// The same from the first request on that has these words; it does not arrive.
    pub fn hang_at(&self, words: &'static str) {
        *self.state.trap.lock().unwrap() = Some((words, HANGING));
    }

    /// Lets the first request that has these words not pass, and everything else.
    pub fn hold(&self, words: &'static str) {
        *self.state.trap.lock().unwrap() = Some((words, HOLDING));
    }

    /// Lets everything pass again, also what has waited.
    pub fn go_on(&self) {
        *self.state.trap.lock().unwrap() = None;
        self.state.mode.store(PASSING, Ordering::SeqCst);
    }

    /// Closes every connection at the first request that has these words, and takes no new one.
    pub fn cut_at(&self, words: &'static str) {
        *self.state.trap.lock().unwrap() = Some((words, CUT));
    }

    /// The same when so many bytes have passed.
    pub fn hang_after(&self, bytes: usize) {
        self.state.left.store(bytes, Ordering::SeqCst);
    }

    /// Waits until it hangs, or holds something.
    pub fn wait_until_it_hangs(&self) {
        let patience = Instant::now() + Duration::from_secs(60);
        while !matches!(self.state.mode(), HANGING | HOLDING) {
            assert!(Instant::now() < patience, "what it was told to hang at did not come");
            std::thread::sleep(PAUSE);
        }
    }

    /// Closes every connection, and takes no new one.
    pub fn cut(&self) {
        self.state.mode.store(CUT, Ordering::SeqCst);
        if let At::Socket(path) = &self.at {
            let _ = std::fs::remove_file(path);
        }
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
            let trap = *self.trap.lock().unwrap();
            if let Some((words, mode)) = trap
                && contains(&buffer[..read], words)
            {
                self.mode.store(mode, Ordering::SeqCst);
                while self.mode() == HOLDING {
                    std::thread::sleep(PAUSE);
                }
            }
            let left = self.left.load(Ordering::SeqCst);
            self.left.store(left.saturating_sub(read), Ordering::SeqCst);
            if left < read {
                self.mode.store(HANGING, Ordering::SeqCst);
            }
            while self.mode() == HANGING {
                std::thread::sleep(PAUSE);
            }
            if read == 0 || self.mode() == CUT || to.write_all(&buffer[..read]).is_err() {
                let _ = to.shutdown(Shutdown::Write);
                if self.mode() == CUT {
                    let _ = from.shutdown(Shutdown::Both);
                }
                return;
            }
        }
    }
}

fn contains(bytes: &[u8], words: &str) -> bool {
    memchr::memmem::find(bytes, words.as_bytes()).is_some()
}

/// The socket of the engine that the tests use.
pub fn engine_socket() -> PathBuf {
    let host = std::env::var("DOCKER_HOST").unwrap_or_default();
    host.strip_prefix("unix://").unwrap_or("/var/run/docker.sock").into()
}
