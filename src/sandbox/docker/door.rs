//! A unix socket of our own, which leads whoever connects to it elsewhere: to an engine that is spoken to by
//! TLS or SSH, to a server that only the engine reaches. So the clients of both need to know of none of this.

use std::future::Future;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::{JoinHandle, JoinSet};

/// Where a directory may be made when that for temporary files will not do: its path may be too long for a socket.
const INSTEAD: [&str; 2] = ["/tmp", "/dev/shm"];
/// Before somebody is let in again when that failed.
const PAUSE: Duration = Duration::from_millis(50);

/// See the module. Who came in is turned out when it is dropped.
#[derive(Debug)]
pub struct Door {
    dir: TempDir,
    opened: JoinHandle<()>,
    refusal: Refusal,
}

/// Why the last who came in was led nowhere.
#[derive(Debug, Clone, Default)]
pub struct Refusal(Arc<Mutex<Option<String>>>);

impl Refusal {
    /// In words; `None` where nobody was refused.
    pub fn said(&self) -> Option<String> {
        self.0.lock().ok()?.clone()
    }

    fn note(&self, outcome: Result<(), String>) {
        if let (Ok(mut last), Err(why)) = (self.0.lock(), outcome) {
            tracing::debug!(why, "led nowhere");
            *last = Some(why);
        }
    }
}

impl Door {
    /// Opens one in a directory that only its owner may enter. `lead` is given each stream, and that directory;
    /// it gives the stream back, so that who came in is told of its end when the reason is known.
    ///
    /// # Errors
    /// The system's.
    pub fn open<F, Leading>(name: &str, lead: F) -> io::Result<Self>
    where
        F: Fn(UnixStream, PathBuf) -> Leading + Send + 'static,
        Leading: Future<Output = (UnixStream, Result<(), String>)> + Send + 'static,
    {
        let (dir, listener) = listen(name)?;
        let refusal = Refusal::default();
        let (path, noting) = (dir.path().to_owned(), refusal.clone());
        let opened = tokio::spawn(async move {
            let mut within = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => match accepted {
                        Ok((stream, _)) => {
                            let (leading, noting) = (lead(stream, path.clone()), noting.clone());
                            within.spawn(async move {
                                let (stream, outcome) = leading.await;
                                noting.note(outcome);
                                drop(stream);
                            });
                        }
                        Err(_) => tokio::time::sleep(PAUSE).await,
                    },
                    Some(_) = within.join_next() => {}
                }
            }
        });
        Ok(Self { dir, opened, refusal })
    }

    /// The directory of the socket.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Why the last who came in was led nowhere.
    pub fn refusal(&self) -> Refusal {
        self.refusal.clone()
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.opened.abort();
    }
}

fn listen(name: &str) -> io::Result<(TempDir, UnixListener)> {
    let bases = std::iter::once(std::env::temp_dir()).chain(INSTEAD.map(PathBuf::from));
    let mut refused = io::Error::from(io::ErrorKind::NotFound);
    for base in bases {
        let listening = tempfile::Builder::new()
            .prefix("ccc-backup-door-")
            .permissions(PermissionsExt::from_mode(0o700))
            .tempdir_in(base)
            .and_then(|dir| UnixListener::bind(dir.path().join(name)).map(|on| (dir, on)));
        match listening {
            Ok(listening) => return Ok(listening),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn who_connects_is_led_on_and_nobody_else_may_come() {
        let door = Door::open("s", |mut stream, _| async move {
            let mut said = String::new();
            stream.read_to_string(&mut said).await.unwrap();
            stream.write_all(&said.to_uppercase().into_bytes()).await.unwrap();
            (stream, Ok(()))
        })
        .unwrap();
        let mut stream = UnixStream::connect(door.dir().join("s")).await.unwrap();
        stream.write_all(b"half").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answered = String::new();
        stream.read_to_string(&mut answered).await.unwrap();
        assert_eq!(answered, "HALF");
        assert_eq!(std::fs::metadata(door.dir()).unwrap().mode() & 0o777, 0o700);
        let dir = door.dir().to_owned();
        drop(door);
        assert!(!dir.exists());
    }

    #[tokio::test]
    async fn the_last_refusal_is_told() {
        let lead = |stream, _| async { (stream, Err("nowhere".to_owned())) };
        let door = Door::open("s", lead).unwrap();
        assert_eq!(door.refusal().said(), None);
        let mut stream = UnixStream::connect(door.dir().join("s")).await.unwrap();
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
        assert_eq!(door.refusal().said().as_deref(), Some("nowhere"));
    }
}
