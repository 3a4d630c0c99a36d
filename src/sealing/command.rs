//! A command that decrypts: fed the file on its standard input, read from on its standard output.

use std::fmt;
use std::io::{self, Read};
use std::process::{ChildStdout, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::model::damage::Refusal;
use crate::model::secret::Secret;
use crate::packing::random_read::{RandomRead, RawReader, ReadAt};
use crate::packing::unseal::{Failing, Unseal};
use crate::process::shell::{EndedBadly, Shell};

/// Bytes of its output that are kept, because whoever opens a backup looks at its beginning more than once.
const KEPT: usize = 1 << 20;

/// See the module. Its words may hold a secret, and are not shown.
#[derive(Debug, Clone)]
pub struct DecryptCommand(Secret);

impl DecryptCommand {
    /// A command for the shell.
    pub fn new(words: impl Into<String>) -> Self {
        Self(Secret::new(words))
    }

    fn start(&self, mut sealed: Box<dyn Read + Send>) -> io::Result<Running> {
        let mut shell = Shell::start(&self.0, Stdio::piped(), Stdio::piped())?;
        let (stdin, stdout) = (shell.take_stdin(), shell.take_stdout());
        let feeding =
            std::thread::Builder::new().name("decrypt-feed".to_owned()).spawn(move || {
                let Some(mut stdin) = stdin else { return Ok(()) };
                match io::copy(&mut sealed, &mut stdin) {
                    // It has read enough, or has failed, which its exit code tells.
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                    other => other.map(drop),
                }
            })?;
        Ok(Running { shell, stdout, feeding: Some(feeding) })
    }
}

impl Unseal for DecryptCommand {
    fn stream(&self, sealed: Box<dyn Read + Send>) -> Box<dyn Read + Send> {
        match self.start(sealed) {
            Ok(running) => Box::new(running),
            Err(error) => Box::new(Failing::with(error)),
        }
    }

    fn at(self: Arc<Self>, sealed: Arc<dyn RandomRead>) -> Arc<dyn ReadAt> {
        Arc::new(Forward {
            command: self,
            sealed,
            start: Mutex::default(),
            running: Mutex::default(),
        })
    }

    fn length(&self, _: Arc<dyn RandomRead>) -> io::Result<Option<u64>> {
        Ok(None)
    }

    fn can_seek(&self) -> bool {
        false
    }
}

/// The command at work. Its output ends without an error only when it ended well.
struct Running {
    shell: Shell,
    stdout: Option<ChildStdout>,
    feeding: Option<JoinHandle<io::Result<()>>>,
}

impl Running {
    fn end(&mut self) -> io::Result<()> {
        self.stdout = None;
        let Some(feeding) = self.feeding.take() else { return Ok(()) };
        let ended = self.shell.wait()?;
        let fed = feeding.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()));
        // What could not be read is the reason for whatever it says.
        fed?;
        ended.map_err(|EndedBadly { how, said }| Refusal::Decryption { how, said }.into())
    }
}

impl Read for Running {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(stdout) = &mut self.stdout else { return Ok(0) };
        match stdout.read(buffer) {
            Ok(0) if !buffer.is_empty() => self.end().map(|()| 0),
            other => other,
        }
    }
}

/// What the command writes, from any place: read on from where it is, or begun anew.
struct Forward {
    command: Arc<DecryptCommand>,
    sealed: Arc<dyn RandomRead>,
    /// The beginning, as far as it was read.
    start: Mutex<Vec<u8>>,
    running: Mutex<Option<Placed>>,
}

struct Placed {
    running: Box<dyn Read + Send>,
    at: u64,
}

impl ReadAt for Forward {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let mut start = self.start.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) =
            usize::try_from(at).ok().and_then(|at| start.get(at..)).filter(|kept| !kept.is_empty())
        {
            let read = kept.len().min(buffer.len());
            buffer[..read].copy_from_slice(&kept[..read]);
            return Ok(read);
        }
        let mut held = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let mut placed = match held.take().filter(|placed| placed.at <= at) {
            Some(placed) => placed,
            None => {
                let sealed = RawReader::of(Arc::clone(&self.sealed));
                Placed { running: self.command.stream(Box::new(sealed)), at: 0 }
            }
        };
        let passed = io::copy(&mut placed.running.by_ref().take(at - placed.at), &mut io::sink())?;
        placed.at += passed;
        if placed.at < at {
            return Ok(0);
        }
        let read = placed.running.read(buffer)?;
        if start.len() as u64 == at && start.len() < KEPT {
            start.extend_from_slice(&buffer[..read]);
        }
        placed.at += read as u64;
        *held = Some(placed);
        Ok(read)
    }
}

impl fmt::Debug for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "what a command makes of {:?}", self.sealed)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::model::damage::refusal;
    use crate::packing::file::BackupFile;

    fn opened(command: &str, bytes: &[u8]) -> BackupFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let file = BackupFile::open(file.path()).unwrap();
        file.unsealed_by(Arc::new(DecryptCommand::new(command)))
    }

    #[test]
    fn what_it_writes_is_read_from_any_place() {
        let bytes: Vec<u8> = (0..3_000_000u32).map(|at| (at % 251) as u8).collect();
        let upper: Vec<u8> = bytes.iter().map(u8::to_ascii_uppercase).collect();
        let file = opened("tr a-z A-Z", &bytes);
        assert!(!file.can_seek());
        for at in [0, 10, 2_000_000, 5, 1_500_000, 3_000_000, 4_000_000] {
            let mut read = Vec::new();
            file.raw_from(at as u64).read_to_end(&mut read).unwrap();
            assert!(read == upper.get(at..).unwrap_or_default(), "from {at}");
        }
        let mut read = Vec::new();
        file.unsealing(file.at_rest()).read_to_end(&mut read).unwrap();
        assert!(read == upper);
    }

    #[test]
    fn one_that_fails_is_told_with_its_words_also_where_it_wrote_something() {
        for command in
            ["cat >/dev/null; echo no key >&2; exit 2", "head -c 3; echo no key >&2; exit 2"]
        {
            let file = opened(command, &[b'x'; 1_000_000]);
            let mut read = Vec::new();
            let error = file.unsealing(file.at_rest()).read_to_end(&mut read).unwrap_err();
            let Some(Refusal::Decryption { how, said }) = refusal(&error) else {
                panic!("{error}")
            };
            assert_eq!((how.as_str(), said.as_str()), ("exit status: 2", "no key"));
        }
    }

    #[test]
    fn one_that_nobody_reads_from_any_more_is_ended() {
        let file = opened("cat; sleep 600", b"abc");
        let mut three = [0; 3];
        file.unsealing(file.at_rest()).read_exact(&mut three).unwrap();
        assert_eq!(&three, b"abc");
    }
}
