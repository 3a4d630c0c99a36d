//! A question to whoever sits at the terminal.

use std::io::{self, BufRead, IsTerminal};

use crate::commands::Stop;
use crate::events::{Event, Events, RestoreEvent};

/// What was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// Yes.
    Yes,
    /// No, or anything else.
    No,
    /// Nobody is there to be asked.
    Nobody,
}

/// Asks, where stdin and stderr are a terminal.
pub(super) async fn ask(question: String, events: &Events, stop: &Stop) -> Answer {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Answer::Nobody;
    }
    events.emit(Event::Restore(RestoreEvent::Asked(question)));
    let reading = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    tokio::select! {
        () = stop.token().cancelled() => Answer::No,
        read = reading => match read {
            Ok(Ok(line)) if is_yes(&line) => Answer::Yes,
            _ => Answer::No,
        },
    }
}

fn is_yes(line: &str) -> bool {
    matches!(line.trim().to_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_yes_is_one() {
        for yes in ["y\n", "YES\n", " yes "] {
            assert!(is_yes(yes), "{yes}");
        }
        for no in ["", "\n", "n\n", "yes please\n", "ja\n"] {
            assert!(!is_yes(no), "{no}");
        }
    }
}
