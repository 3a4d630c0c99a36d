//! The threads that speak to object storage, and how others wait for them.
//!
//! They are apart from the ones that run a command, so that whoever waits here, a reader's thread or the command itself,
//! never waits for itself.

use std::future::Future;
use std::io;
use std::sync::OnceLock;
use std::sync::mpsc::sync_channel;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::http::have_tls;

/// They do nothing but to wait, to encrypt and to sign.
const THREADS: usize = 2;

static RUNTIME: OnceLock<Runtime> = OnceLock::new();

/// Where requests run.
///
/// # Errors
/// Where the system gives no threads.
pub(super) fn handle() -> io::Result<Handle> {
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime.handle().clone());
    }
    have_tls();
    let mut builder = Builder::new_multi_thread();
    let made = builder.worker_threads(THREADS).thread_name("places").enable_all().build()?;
    Ok(RUNTIME.get_or_init(|| made).handle().clone())
}

/// Has it done there, and waits.
///
/// # Errors
/// Where there are no threads, or one died of it.
pub(super) fn wait<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> io::Result<T> {
    let (sender, receiver) = sync_channel(1);
    handle()?.spawn(async move {
        // Whoever asked may not wait any more.
        let _ = sender.send(work.await);
    });
    receiver.recv().map_err(|_| io::Error::other("a request died: this is a defect of ccc-backup"))
}
