//! What a program beside the server reads.

use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

/// Writes what comes, then says that this was all.
pub async fn write_stdin(
    stdin: Option<mpsc::Receiver<Bytes>>,
    input: Option<impl AsyncWrite + Unpin>,
) {
    let (Some(mut stdin), Some(mut input)) = (stdin, input) else { return };
    let written = async {
        while let Some(bytes) = stdin.recv().await {
            input.write_all(&bytes).await?;
        }
        input.flush().await?;
        input.shutdown().await
    };
    // A program that takes no more says why by itself.
    if let Err(error) = written.await {
        tracing::debug!(%error, "the program takes no more");
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn what_comes_is_written_and_its_end_is_told() {
        let (sender, receiver) = mpsc::channel(2);
        let (input, mut output) = tokio::io::duplex(64);
        let writing = tokio::spawn(write_stdin(Some(receiver), Some(input)));
        for piece in ["one ", "two"] {
            sender.send(Bytes::from(piece)).await.unwrap();
        }
        drop(sender);
        let mut read = String::new();
        output.read_to_string(&mut read).await.unwrap();
        writing.await.unwrap();
        assert_eq!(read, "one two");
    }

    #[tokio::test]
    async fn where_a_program_takes_no_more_nobody_waits_for_it() {
        let (sender, receiver) = mpsc::channel(1);
        let (input, output) = tokio::io::duplex(4);
        drop(output);
        let writing = tokio::spawn(write_stdin(Some(receiver), Some(input)));
        sender.send(Bytes::from("more than it holds")).await.unwrap();
        writing.await.unwrap();
        assert!(sender.send(Bytes::new()).await.is_err(), "nobody takes the rest");
    }
}
