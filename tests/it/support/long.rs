//! What is repeated often, or is large, and shows more the longer it runs: shortened in `make test`, at its
//! full length in `make test-long`.

/// Whether tests run at their full length.
pub fn is_long() -> bool {
    std::env::var_os("CCC_TEST_LONG").is_some_and(|value| !value.is_empty())
}

/// A length for every change, and the full one.
pub fn length<T>(short: T, full: T) -> T {
    if is_long() { full } else { short }
}
