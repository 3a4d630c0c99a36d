//! Tests against the real things: one binary, so that it links once.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test ends where something unforeseen happens, and says what it measured"
)]

mod docs;
mod sandbox;
