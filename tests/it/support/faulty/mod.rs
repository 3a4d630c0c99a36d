//! A faulty way to a server that speaks HTTP/1.1: a proxy on a port of its own, which lets a rule decide about each request.
//! What it passes on it passes on unchanged, the header `Host` too, which a signature covers.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use self::message::{Body, Head, read_head};

mod message;

const PAUSE: Duration = Duration::from_millis(10);
/// How long what is under way may take: a hang ends here.
const PATIENCE: Duration = Duration::from_secs(120);
/// What is passed on at a time.
const PIECE: usize = 64 << 10;

/// What becomes of a request. Of those that speak of bytes, those of the answer's body are meant, if nothing else is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: it is passed on.
    #[default]
    None,
    /// The connection is reset, and the server never hears of it.
    Reset,
    /// There is no answer, until the client goes away, and the server never hears of it.
    Hang,
    /// It is answered with this status and these headers, and the server never hears of it.
    Answer(u16, &'static [(&'static str, &'static str)]),
    /// The server does it, and the connection is reset in place of the answer.
    AnswerLost,
    /// It is passed on after this time.
    Delay(Duration),
    /// So many bytes of the answer come each time this time has passed.
    Trickle(usize, Duration),
    /// The connection is reset after so many bytes.
    ResetAfter(u64),
    /// Nothing comes any more after so many bytes, until the client goes away.
    HangAfter(u64),
    /// The connection is closed, as at an end, after so many bytes.
    CloseAfter(u64),
    /// The answer's body ends after so many bytes, and the answer says that it is so long.
    CutAfter(u64),
    /// The byte at this place is another one.
    Corrupt(u64),
    /// The byte at this place of the request's body is another one.
    CorruptUpload(u64),
    /// The answer has this value for this header, which it had another one for, or none.
    Header(&'static str, &'static str),
    /// The times of objects and uploads that the answer tells of are so much earlier.
    Earlier(Duration),
}

/// A request that has come.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `PUT`.
    pub verb: String,
    /// The path with its query.
    pub path: String,
    /// The header `Range`.
    pub range: Option<String>,
    /// How many requests with this verb came before it.
    pub earlier: usize,
    /// How many bytes of answers' bodies were passed on before it.
    pub bytes_before: u64,
}

/// A request that was dealt with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// `GET`, `PUT`.
    pub verb: String,
    /// The path with its query.
    pub path: String,
    /// The status that the client got; `None` where it got none.
    pub status: Option<u16>,
    /// Bytes of its body.
    pub up: u64,
    /// Bytes of its answer's body that the client was sent.
    pub down: u64,
}

type Rule = Box<dyn Fn(&Request) -> Fault + Send + Sync>;

/// See the module. Closed when it is dropped, with all connections.
pub struct Faulty {
    port: u16,
    state: Arc<State>,
}

struct State {
    server: u16,
    rule: Mutex<Arc<Rule>>,
    come: Mutex<Vec<Request>>,
    done: Mutex<Vec<Done>>,
    /// Connections of clients.
    open: AtomicUsize,
    is_over: AtomicBool,
    is_refusing: AtomicBool,
}

impl Faulty {
    /// A way to the server on this port of 127.0.0.1.
    pub fn to(server: u16, rule: impl Fn(&Request) -> Fault + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            server,
            rule: Mutex::new(Arc::new(Box::new(rule))),
            come: Mutex::default(),
            done: Mutex::default(),
            open: AtomicUsize::default(),
            is_over: AtomicBool::default(),
            is_refusing: AtomicBool::default(),
        });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || shared.serve(listener, port));
        Self { port, state }
    }

    /// A way that passes everything on.
    pub fn passing(server: u16) -> Self {
        Self::to(server, |_| Fault::None)
    }

    /// For `AWS_ENDPOINT_URL` and its like.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Goes by another rule from now on.
    pub fn rule(&self, rule: impl Fn(&Request) -> Fault + Send + Sync + 'static) {
        *self.state.rule.lock().unwrap() = Arc::new(Box::new(rule));
    }

    /// Takes no connections any more, or takes them again. Those that are there go on.
    pub fn refuse(&self, refuse: bool) {
        self.state.is_refusing.store(refuse, Ordering::SeqCst);
        let is_refused = || TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err();
        while is_refused() != refuse {
            std::thread::sleep(PAUSE);
        }
    }

    /// The requests that have come, dealt with or not.
    pub fn come(&self) -> Vec<Request> {
        self.state.come.lock().unwrap().clone()
    }

    /// The requests of clients that are gone, in the order of their ends.
    pub fn done(&self) -> Vec<Done> {
        self.settle();
        self.state.done.lock().unwrap().clone()
    }

    /// Waits until all is dealt with that was sent by clients which are gone.
    pub fn settle(&self) {
        // Connections are taken in the order in which they came: when this one has ended, those before it were taken.
        let mut last = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        last.shutdown(Shutdown::Write).unwrap();
        assert_eq!(last.read(&mut [0]).unwrap(), 0);
        let begun = Instant::now();
        while self.state.open.load(Ordering::SeqCst) > 0 {
            assert!(begun.elapsed() < PATIENCE, "a client is still there");
            std::thread::sleep(PAUSE);
        }
    }

    /// Bytes of all bodies that the client was sent for requests with this verb.
    pub fn bytes_down(&self, verb: &str) -> u64 {
        self.done().iter().filter(|one| one.verb == verb).map(|one| one.down).sum()
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::SeqCst);
    }
}

impl State {
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    fn serve(self: Arc<Self>, listener: TcpListener, port: u16) {
        let mut listener = Some(listener);
        while !self.is_over() {
            let refuse = self.is_refusing.load(Ordering::SeqCst);
            listener = match listener.take() {
                _ if refuse => None,
                None => TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok(),
                some => some,
            };
            let Some(at) = &listener else {
                std::thread::sleep(PAUSE);
                continue;
            };
            at.set_nonblocking(true).unwrap();
            match at.accept() {
                Ok((client, _)) => {
                    client.set_nonblocking(false).unwrap();
                    client.set_nodelay(true).unwrap();
                    let state = Arc::clone(&self);
                    state.open.fetch_add(1, Ordering::SeqCst);
                    std::thread::spawn(move || {
                        while state.exchange(&client).is_some() {}
                        drop(client);
                        state.open.fetch_sub(1, Ordering::SeqCst);
                    });
                }
                Err(_) => std::thread::sleep(PAUSE),
            }
        }
    }

    /// Deals with one request. `None` where the connection has come to its end.
    fn exchange(&self, client: &TcpStream) -> Option<()> {
        let (head, begun) = read_head(client)?;
        let request = self.note(&head);
        let rule = Arc::clone(&self.rule.lock().unwrap());
        let fault = rule(&request);
        let mut done =
            Done { verb: request.verb, path: request.path, status: None, up: 0, down: 0 };
        let body = Body::of_request(&head, begun);
        let goes_on = self.deal_with(client, &head, body, &fault, &mut done);
        self.done.lock().unwrap().push(done);
        goes_on
    }

    fn note(&self, head: &Head) -> Request {
        let mut come = self.come.lock().unwrap();
        let (verb, path) = head.verb_and_path();
        let request = Request {
            earlier: come.iter().filter(|one| one.verb == verb).count(),
            bytes_before: self.done.lock().unwrap().iter().map(|one| one.down).sum(),
            range: head.value("range"),
            verb,
            path,
        };
        come.push(request.clone());
        request
    }

    fn deal_with(
        &self,
        mut client: &TcpStream,
        head: &Head,
        mut body: Body,
        fault: &Fault,
        done: &mut Done,
    ) -> Option<()> {
        match fault {
            Fault::Reset => return reset(client),
            Fault::Hang => return self.hang(client),
            Fault::Delay(time) => std::thread::sleep(*time),
            _ => {}
        }
        if head.expects_to_continue() {
            client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
        }
        if let Fault::Answer(status, headers) = fault {
            while let Some(piece) = body.next(client, PIECE)? {
                done.up += piece.len() as u64;
            }
            done.status = Some(*status);
            let bytes = message::answer(*status, headers);
            return client.write_all(&bytes).ok();
        }

        let server = TcpStream::connect((Ipv4Addr::LOCALHOST, self.server)).ok()?;
        (&server).write_all(&head.passed_on()).ok()?;
        let wrong = if let Fault::CorruptUpload(at) = fault { Some(*at) } else { None };
        while let Some(mut piece) = body.next(client, PIECE)? {
            corrupt(&mut piece, done.up, wrong);
            done.up += piece.len() as u64;
            // A server that has answered already reads no more.
            if body.write(&server, &piece).is_err() {
                break;
            }
        }
        let _ = body.end(&server);
        let (answer, begun) = read_head(&server)?;
        if *fault == Fault::AnswerLost {
            return reset(client);
        }
        let body = Body::of_answer(&answer, begun, &done.verb);
        self.answer(client, &server, answer, body, fault, done)
    }

    /// Passes an answer on.
    fn answer(
        &self,
        mut client: &TcpStream,
        server: &TcpStream,
        mut head: Head,
        mut body: Body,
        fault: &Fault,
        done: &mut Done,
    ) -> Option<()> {
        match fault {
            Fault::Header(name, value) => head.set(name, value),
            Fault::CutAfter(bytes) => {
                body.counted(&mut head, *bytes);
            }
            Fault::Earlier(by) => {
                body.edit(server, &mut head, |text| message::earlier(text, *by))?
            }
            _ => {}
        }
        done.status = head.status();
        client.write_all(&head.answered(body.has_an_end())).ok()?;
        let (last, wrong) = match fault {
            Fault::ResetAfter(at)
            | Fault::HangAfter(at)
            | Fault::CloseAfter(at)
            | Fault::CutAfter(at) => (*at, None),
            Fault::Corrupt(at) => (u64::MAX, Some(*at)),
            _ => (u64::MAX, None),
        };
        let size = if let Fault::Trickle(bytes, _) = fault { *bytes } else { PIECE };
        while let Some(mut piece) = body.next(server, size)? {
            if self.is_over() {
                return None;
            }
            if let Fault::Trickle(_, time) = fault {
                std::thread::sleep(*time);
            }
            corrupt(&mut piece, done.down, wrong);
            let left = last.saturating_sub(done.down);
            piece.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            body.write(client, &piece).ok()?;
            done.down += piece.len() as u64;
            if done.down == last {
                return self.ended_early(client, fault);
            }
        }
        body.end(client).ok()?;
        if body.has_an_end() {
            return Some(());
        }
        let _ = client.shutdown(Shutdown::Both);
        None
    }

    fn ended_early(&self, client: &TcpStream, fault: &Fault) -> Option<()> {
        match fault {
            Fault::ResetAfter(_) => reset(client),
            Fault::HangAfter(_) => self.hang(client),
            Fault::CutAfter(_) => Some(()),
            _ => {
                let _ = client.shutdown(Shutdown::Both);
                None
            }
        }
    }

    /// Does nothing until the client goes away, or the proxy.
    fn hang(&self, client: &TcpStream) -> Option<()> {
        client.set_read_timeout(Some(PAUSE)).unwrap();
        let mut rest = [0; 4096];
        let mut client = client;
        while !self.is_over() {
            match client.read(&mut rest) {
                Ok(0) => break,
                Err(error) if !is_nothing_yet(&error) => break,
                _ => {}
            }
        }
        None
    }
}

fn is_nothing_yet(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}

/// Closes a connection so that the other side is told of an error, and not of an end.
fn reset(client: &TcpStream) -> Option<()> {
    // Takes effect when the last handle of the socket is closed, which our caller does.
    let socket = tokio::net::TcpSocket::from_std_stream(client.try_clone().unwrap());
    socket.set_zero_linger().unwrap();
    None
}

/// Changes the byte at a place of the whole, if it is in this piece, which begins at another.
fn corrupt(piece: &mut [u8], begins_at: u64, place: Option<u64>) {
    let place = place.and_then(|place| place.checked_sub(begins_at));
    if let Some(byte) = place.and_then(|place| piece.get_mut(usize::try_from(place).ok()?)) {
        *byte ^= 0x20;
    }
}
