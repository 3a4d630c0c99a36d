//! A key that an agent holds: ssh-agent and whatever speaks its protocol (draft-ietf-sshm-ssh-agent). The
//! private half never leaves it.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ssh_key::Signature;
use thiserror::Error;

use super::wire::{Fields, put_string};

/// How long an agent may take to tell its keys.
pub(super) const TO_LIST: Duration = Duration::from_secs(5);
/// How long it may take to sign: somebody may have to confirm it.
pub(super) const TO_SIGN: Duration = Duration::from_secs(30);
/// Bytes of an answer at the most, as in OpenSSH.
const MOST_BYTES: u32 = 256 * 1024;

const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;
const FAILURE: u8 = 5;

/// Why an agent did not sign.
#[derive(Debug, Error)]
pub enum AgentError {
    /// There is none.
    #[error("no agent is named: SSH_AUTH_SOCK is not set")]
    Unnamed,
    /// It is not there.
    #[error("the agent at {} cannot be reached: {source}", .socket.display())]
    Unreachable {
        /// Its socket.
        socket: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// It does not answer.
    #[error("the agent did not answer within {} s", .0.as_secs())]
    Hangs(Duration),
    /// It has other keys, or none.
    #[error("the agent does not have the key {0}")]
    Lacks(String),
    /// It would not.
    #[error("the agent refused to sign")]
    Refused,
    /// It speaks otherwise.
    #[error("the agent's answer is not understood")]
    Nonsense,
}

impl AgentError {
    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unnamed => {
                "name the private key itself, or start an agent: eval \"$(ssh-agent)\", then ssh-add KEY"
            }
            Self::Unreachable { .. } => {
                "look whether the agent of SSH_AUTH_SOCK still runs, or name the private key itself"
            }
            Self::Hangs(_) => {
                "look whether the agent waits for somebody to confirm, and run it again"
            }
            Self::Lacks(_) => "add it (ssh-add KEY), or name the private key itself",
            Self::Refused => {
                "look whether the agent is locked, or waited for somebody to confirm, and run it again"
            }
            Self::Nonsense => "look what listens at SSH_AUTH_SOCK, or name the private key itself",
        }
    }
}

/// The keys that the agent at a socket has.
pub(super) fn keys(socket: &Path, limit: Duration) -> Result<Vec<Vec<u8>>, AgentError> {
    let answer = ask(socket, &[REQUEST_IDENTITIES], limit)?;
    let mut fields = Fields(&answer);
    if fields.byte() != Some(IDENTITIES_ANSWER) {
        return Err(AgentError::Nonsense);
    }
    let count = fields.number().ok_or(AgentError::Nonsense)?;
    let mut key = || {
        let key = fields.string()?;
        let _comment = fields.string()?;
        Some(key.to_vec())
    };
    (0..count).map(|_| key().ok_or(AgentError::Nonsense)).collect()
}

/// A signature of `data` by the private half of `key`.
pub(super) fn sign(
    socket: &Path,
    key: &[u8],
    data: &[u8],
    limit: Duration,
) -> Result<Signature, AgentError> {
    let mut request = vec![SIGN_REQUEST];
    put_string(&mut request, key);
    put_string(&mut request, data);
    request.extend(0_u32.to_be_bytes());
    let answer = ask(socket, &request, limit)?;
    let mut fields = Fields(&answer);
    match fields.byte() {
        Some(SIGN_RESPONSE) => {
            let signature = fields.string().ok_or(AgentError::Nonsense)?;
            Signature::try_from(signature).map_err(|_| AgentError::Nonsense)
        }
        Some(FAILURE) => Err(AgentError::Refused),
        _ => Err(AgentError::Nonsense),
    }
}

/// Sends a request and gives the answer, without its length.
fn ask(socket: &Path, request: &[u8], limit: Duration) -> Result<Vec<u8>, AgentError> {
    let until = Instant::now() + limit;
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => AgentError::Hangs(limit),
        _ => AgentError::Unreachable { socket: socket.to_owned(), source },
    };
    let mut stream = UnixStream::connect(socket).map_err(failed)?;
    stream.set_write_timeout(Some(limit)).map_err(failed)?;
    let mut message = Vec::new();
    put_string(&mut message, request);
    stream.write_all(&message).map_err(failed)?;
    let mut length = [0; 4];
    read(&mut stream, &mut length, until).map_err(failed)?;
    let length = u32::from_be_bytes(length);
    if length > MOST_BYTES {
        return Err(AgentError::Nonsense);
    }
    let mut answer = vec![0; length as usize];
    read(&mut stream, &mut answer, until).map_err(failed)?;
    Ok(answer)
}

/// Fills `buffer` before the time is up, however slowly the bytes come.
fn read(stream: &mut UnixStream, buffer: &mut [u8], until: Instant) -> io::Result<()> {
    let mut filled = 0;
    while filled < buffer.len() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut buffer[filled..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    /// An agent that sends these bytes to whoever asks, and waits.
    fn agent(answer: &'static [u8]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("agent");
        let listener = UnixListener::bind(&socket).unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.write_all(answer);
            std::thread::sleep(Duration::from_secs(5));
        });
        (dir, socket)
    }

    const SOON: Duration = Duration::from_millis(200);

    #[test]
    fn an_agent_that_does_not_answer_whole_in_time_hangs() {
        for answer in [&b""[..], b"\0\0\0\x05", b"\0\0\0\x05\x0c\0"] {
            let (_dir, socket) = agent(answer);
            assert!(matches!(keys(&socket, SOON), Err(AgentError::Hangs(_))), "{answer:?}");
        }
    }

    #[test]
    fn an_answer_that_makes_no_sense_is_no_signature_and_no_key() {
        let answers: [&[u8]; 5] = [
            b"\xff\xff\xff\xff",
            b"\0\0\0\x01\x63",
            b"\0\0\0\x05\x0c\0\0\0\x09",
            b"\0\0\0\x05\x0e\0\0\0\x09",
            b"\0\0\0\0",
        ];
        for answer in answers {
            let (_dir, socket) = agent(answer);
            assert!(matches!(keys(&socket, SOON), Err(AgentError::Nonsense)), "{answer:?}");
            let (_dir, socket) = agent(answer);
            let signed = sign(&socket, b"key", b"data", SOON);
            assert!(matches!(signed, Err(AgentError::Nonsense)), "{answer:?}");
        }
        let (_dir, socket) = agent(b"\0\0\0\x01\x05");
        assert!(matches!(sign(&socket, b"key", b"data", SOON), Err(AgentError::Refused)));
        let nowhere = keys(Path::new("/nowhere/agent"), SOON);
        assert!(matches!(nowhere, Err(AgentError::Unreachable { .. })));
    }
}
