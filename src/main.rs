//! Parses, runs, exits; the only exit.
fn main() {}
