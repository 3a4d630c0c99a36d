//! How an age file begins.

/// The first line of the version that is known.
pub(super) const VERSION: &[u8] = b"age-encryption.org/v1\n";
/// How one begins that is written as text.
pub(super) const ARMOR: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";
/// How all of them begin.
const BEGINNINGS: [&[u8]; 2] = [b"age-encryption.org/", ARMOR];

/// Whether a file that begins so is one of age.
pub fn is_age(start: &[u8]) -> bool {
    BEGINNINGS.iter().any(|beginning| start.starts_with(beginning))
}
