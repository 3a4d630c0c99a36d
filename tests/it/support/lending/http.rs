//! As much of HTTP as a Docker client speaks: one request on a connection, read to the end of its head.

use percent_encoding::percent_decode_str;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// A request, and what has come of its body.
pub struct Request {
    /// `GET`, `POST`, `DELETE`.
    pub method: String,
    /// The path without the version of the API before it.
    pub path: String,
    /// What follows the path.
    query: String,
    head: String,
    body: Vec<u8>,
}

impl Request {
    /// Reads the head of a request; `None` where none comes.
    pub async fn read(client: &mut UnixStream) -> Option<Self> {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(at) = memchr::memmem::find(&bytes, b"\r\n\r\n") {
                break at;
            }
            if client.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        };
        let body = bytes.split_off(end + 4);
        bytes.truncate(end);
        let head = String::from_utf8(bytes).ok()?;
        let mut words = head.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = match path.strip_prefix("/v1.") {
            Some(rest) => rest.trim_start_matches(|c: char| c.is_ascii_digit()),
            None => path,
        };
        Some(Self { method, path: path.to_owned(), query: query.to_owned(), head, body })
    }

    /// The value of a parameter.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let values = self.query.split('&').filter_map(|pair| pair.split_once('='));
        let (_, value) = values.into_iter().find(|(key, _)| *key == name)?;
        Some(percent_decode_str(value).decode_utf8().unwrap().into_owned())
    }

    /// The rest of its body, which is JSON, and all of it as it came.
    pub async fn json(&mut self, client: &mut UnixStream) -> Value {
        let length = self.head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().unwrap())
        });
        let length: usize = length.unwrap_or_default();
        while self.body.len() < length {
            assert!(client.read_buf(&mut self.body).await.unwrap() > 0, "the body ends too early");
        }
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The request as it goes to the engine, which is to close the connection after its answer, with what has come of
    /// its body.
    pub fn passed_on(&self) -> Vec<u8> {
        // A connection that becomes a stream has this header already.
        let is_upgrade = self.head.to_ascii_lowercase().contains("\r\nupgrade:");
        let close = if is_upgrade { "" } else { "\r\nConnection: close" };
        [format!("{}{close}\r\n\r\n", self.head).as_bytes(), &self.body].concat()
    }
}

/// Answers with JSON, and closes the connection.
pub async fn answer(client: &mut UnixStream, status: u16, body: &Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let head = format!(
        "HTTP/1.1 {status} As said\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    // A client that has gone away misses nothing.
    let _ = client.write_all(format!("{head}{body}").as_bytes()).await;
    let _ = client.shutdown().await;
}
