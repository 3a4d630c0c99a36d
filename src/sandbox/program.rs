//! A program beside the server, before it is run.

use bytes::Bytes;
use tokio::sync::mpsc;

/// A program that is run beside the server: one of PostgreSQL's own, or of the image's system.
#[derive(Debug, Default)]
pub struct Program {
    /// The program and its arguments. None of them is a secret.
    pub argv: Vec<String>,
    /// Variables in the form `NAME=value`.
    pub env: Vec<String>,
    /// What it reads; nothing where there is none.
    pub stdin: Option<mpsc::Receiver<Bytes>>,
    /// Where its output goes; nowhere where there is none.
    pub stdout: Option<mpsc::Sender<Bytes>>,
    /// Whether it connects to the server.
    pub connects: bool,
}
