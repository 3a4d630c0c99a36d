//! What a program beside the server reads.

use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

/// Writes what comes, then says that this was all.
pub async fn feed(stdin: Option<mpsc::Receiver<Bytes>>, input: Option<impl AsyncWrite + Unpin>) {
    let (Some(mut stdin), Some(mut input)) = (stdin, input) else { return };
    let fed = async {
        while let Some(bytes) = stdin.recv().await {
            input.write_all(&bytes).await?;
        }
        input.flush().await?;
        input.shutdown().await
    };
    // A program that takes no more says why by itself.
    if let Err(error) = fed.await {
        tracing::debug!(%error, "the program takes no more");
    }
}
