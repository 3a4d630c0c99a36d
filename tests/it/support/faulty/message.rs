//! As much of HTTP/1.1 as a proxy has to understand: where a head ends, and where a body does.

use std::io::{Error, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};

/// The first line of a message, and its headers.
pub struct Head {
    first: String,
    headers: Vec<(String, String)>,
}

/// How the end of a body is told.
enum End {
    /// There are so many bytes more.
    Left(u64),
    /// By a chunk that is empty.
    Chunks,
    /// By the end of the connection.
    Connection,
    /// It has come.
    Reached,
}

/// A body that is being read.
pub struct Body {
    begun: Vec<u8>,
    end: End,
    is_chunked: bool,
    has_an_end: bool,
}

/// Reads a head, and what has come of the body behind it. `None` where none comes.
pub fn read_head(mut from: &TcpStream) -> Option<(Head, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        if let Some(at) = memchr::memmem::find(&bytes, b"\r\n\r\n") {
            let body = bytes.split_off(at + 4);
            let head = Head::parse(std::str::from_utf8(&bytes[..at]).ok()?)?;
            // Interim answers are for us: we have sent all.
            if head.status() != Some(100) {
                return Some((head, body));
            }
            bytes = body;
            continue;
        }
        match from.read(&mut piece) {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&piece[..read]),
        }
    }
}

impl Head {
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.split("\r\n");
        let first = lines.next()?.to_owned();
        let headers = lines.filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_owned(), value.trim().to_owned()))
        });
        Some(Self { first, headers: headers.collect() })
    }

    /// Of a request.
    pub fn verb_and_path(&self) -> (String, String) {
        let mut words = self.first.split(' ');
        let mut next = || words.next().unwrap_or_default().to_owned();
        (next(), next())
    }

    /// Of an answer.
    pub fn status(&self) -> Option<u16> {
        self.first.strip_prefix("HTTP/1.1 ")?.split(' ').next()?.parse().ok()
    }

    /// The value of a header; its name in small letters.
    pub fn value(&self, name: &str) -> Option<String> {
        let found = self.headers.iter().find(|(one, _)| one.eq_ignore_ascii_case(name))?;
        Some(found.1.clone())
    }

    /// Gives a header another value.
    pub fn set(&mut self, name: &str, value: &str) {
        self.headers.retain(|(one, _)| !one.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    /// Whether the client waits for a word before it sends the body.
    pub fn expects_to_continue(&self) -> bool {
        self.value("expect").is_some()
    }

    fn is_chunked(&self) -> bool {
        self.value("transfer-encoding").is_some_and(|value| value.contains("chunked"))
    }

    fn length(&self) -> Option<u64> {
        self.value("content-length")?.parse().ok()
    }

    /// As it goes to the server, for which this is the only request of its connection.
    pub fn passed_on(&self) -> Vec<u8> {
        self.bytes(&["expect", "connection"], "Connection: close\r\n")
    }

    /// As it goes to the client.
    pub fn answered(&self, stays: bool) -> Vec<u8> {
        self.bytes(&["connection"], if stays { "" } else { "Connection: close\r\n" })
    }

    fn bytes(&self, without: &[&str], more: &str) -> Vec<u8> {
        let mut text = format!("{}\r\n", self.first);
        for (name, value) in &self.headers {
            if !without.iter().any(|one| one.eq_ignore_ascii_case(name)) {
                text.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        format!("{text}{more}\r\n").into_bytes()
    }
}

impl Body {
    /// What follows the head of a request.
    pub fn of_request(head: &Head, begun: Vec<u8>) -> Self {
        let end = if head.is_chunked() {
            End::Chunks
        } else {
            End::Left(head.length().unwrap_or_default())
        };
        Self { begun, end, is_chunked: head.is_chunked(), has_an_end: true }
    }

    /// What follows the head of the answer to a request with this verb.
    pub fn of_answer(head: &Head, begun: Vec<u8>, verb: &str) -> Self {
        let is_empty = verb == "HEAD" || matches!(head.status(), Some(204 | 304));
        let end = match head.length() {
            _ if is_empty => End::Reached,
            _ if head.is_chunked() => End::Chunks,
            Some(length) => End::Left(length),
            None => End::Connection,
        };
        let has_an_end = !matches!(end, End::Connection);
        Self { begun, end, is_chunked: !is_empty && head.is_chunked(), has_an_end }
    }

    /// Whether the connection can have another message after it.
    pub fn has_an_end(&self) -> bool {
        self.has_an_end
    }

    /// The next piece of it, no larger than this. The outer `None` is a connection that ended too early.
    pub fn next(&mut self, from: &TcpStream, size: usize) -> Option<Option<Vec<u8>>> {
        match self.end {
            End::Reached | End::Left(0) => Some(None),
            End::Connection => Some(self.some(from, size)),
            End::Left(left) => {
                let size = size.min(usize::try_from(left).unwrap_or(usize::MAX));
                let piece = self.some(from, size)?;
                self.end = End::Left(left - piece.len() as u64);
                Some(Some(piece))
            }
            End::Chunks => {
                let line = self.line(from)?;
                let length = line.split(';').next()?.trim();
                let length = usize::from_str_radix(length, 16).ok()?;
                let mut chunk = Vec::with_capacity(length);
                while chunk.len() < length {
                    let rest = self.some(from, length - chunk.len())?;
                    chunk.extend_from_slice(&rest);
                }
                // The end of the chunk; after the last one, of the trailer, which holds nothing here.
                while !self.line(from)?.is_empty() {}
                if length == 0 {
                    self.end = End::Reached;
                    return Some(None);
                }
                Some(Some(chunk))
            }
        }
    }

    /// Has an answer say how long it is, in place of however it did.
    pub fn counted(&mut self, head: &mut Head, bytes: u64) {
        head.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("transfer-encoding"));
        head.set("Content-Length", &bytes.to_string());
        (self.is_chunked, self.has_an_end) = (false, true);
    }

    /// Reads all of it, and has the answer have this in its place. `None` where the connection ended too early.
    pub fn edit(
        &mut self,
        from: &TcpStream,
        head: &mut Head,
        edit: impl FnOnce(&str) -> String,
    ) -> Option<()> {
        let mut whole = Vec::new();
        while let Some(piece) = self.next(from, usize::MAX)? {
            whole.extend_from_slice(&piece);
        }
        if let Ok(text) = std::str::from_utf8(&whole) {
            whole = edit(text).into_bytes();
        }
        let bytes = whole.len() as u64;
        (self.begun, self.end) = (whole, End::Left(bytes));
        self.counted(head, bytes);
        Some(())
    }

    /// Writes a piece of it in its own way.
    pub fn write(&self, mut to: &TcpStream, piece: &[u8]) -> Result<(), Error> {
        if !self.is_chunked {
            return to.write_all(piece);
        }
        if piece.is_empty() {
            return Ok(());
        }
        to.write_all(&[format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat())
    }

    /// Writes its end.
    pub fn end(&self, mut to: &TcpStream) -> Result<(), Error> {
        if self.is_chunked { to.write_all(b"0\r\n\r\n") } else { Ok(()) }
    }

    fn some(&mut self, mut from: &TcpStream, size: usize) -> Option<Vec<u8>> {
        if self.begun.is_empty() {
            let mut piece = vec![0; size.min(64 << 10)];
            let read = from.read(&mut piece).ok().filter(|read| *read > 0)?;
            piece.truncate(read);
            return Some(piece);
        }
        let rest = self.begun.split_off(size.min(self.begun.len()));
        Some(std::mem::replace(&mut self.begun, rest))
    }

    fn line(&mut self, from: &TcpStream) -> Option<String> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.extend_from_slice(&self.some(from, 1)?);
        }
        line.truncate(line.len() - 2);
        String::from_utf8(line).ok()
    }
}

/// XML in which the times of objects, parts and uploads are so much earlier.
pub fn earlier(xml: &str, by: Duration) -> String {
    let mut text = xml.to_owned();
    for name in ["<LastModified>", "<Initiated>"] {
        let mut pieces = text.split(name);
        let mut changed = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let (time, rest) = piece.split_once('<').unwrap_or((piece, ""));
            let time: DateTime<Utc> = time.parse().unwrap();
            let time = (time - by).to_rfc3339_opts(SecondsFormat::Millis, true);
            changed.push_str(&format!("{name}{time}<{rest}"));
        }
        text = changed;
    }
    text
}

/// A whole answer of our own. A 403 is what S3 answers where a right is missing, unless the header `X-Code` has another code.
pub fn answer(status: u16, headers: &[(&str, &str)]) -> Vec<u8> {
    let code = headers.iter().find(|(name, _)| *name == "X-Code").map(|(_, code)| *code);
    let code = code.unwrap_or(if status == 403 { "AccessDenied" } else { "AsTheTestSays" });
    let body = format!("<Error><Code>{code}</Code><Message>as the test says</Message></Error>");
    let mut text = format!("HTTP/1.1 {status} As said\r\nContent-Type: application/xml\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    format!("{text}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}
