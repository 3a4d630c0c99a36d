//! What is kept of what a program says on stderr.

use std::collections::VecDeque;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

/// Lines kept from each end of what a program says; one that says more loses the middle.
pub(super) const LINES: usize = 200;
/// Longest line kept, in bytes.
const LINE_BYTES: u64 = 8 * 1024;

/// The first and last lines of what a program says.
#[derive(Debug, Default)]
pub struct Ends {
    first: Vec<String>,
    last: VecDeque<String>,
    dropped: usize,
}

impl Ends {
    /// Takes the next line, without its end.
    pub fn push(&mut self, line: &str) {
        tracing::debug!(target: "child", "{line}");
        if self.first.len() < LINES {
            self.first.push(line.to_owned());
            return;
        }
        self.last.push_back(line.to_owned());
        if self.last.len() > LINES {
            self.last.pop_front();
            self.dropped += 1;
        }
    }

    /// The lines that were kept; one of ours says how many are missing between them.
    pub fn into_lines(self) -> Vec<String> {
        let mut lines = self.first;
        if self.dropped > 0 {
            lines.push(format!("… {} lines left out …", self.dropped));
        }
        lines.extend(self.last);
        lines
    }
}

/// Reads to the end and keeps the first and last lines.
pub(super) async fn keep_ends(pipe: impl AsyncRead + Unpin) -> Vec<String> {
    let mut reader = BufReader::new(pipe);
    let mut ends = Ends::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut reader).take(LINE_BYTES).read_until(b'\n', &mut line).await;
        if !matches!(read, Ok(1..)) {
            return ends.into_lines();
        }
        ends.push(String::from_utf8_lossy(&line).trim_end());
    }
}
