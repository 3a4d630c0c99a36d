//! Bytes to bytes: how a file is packed and unpacked, on several threads, and read from any of its places.
//! Knows nothing of what the bytes say.

pub mod codec;
pub mod compress;
pub mod file;
pub mod folder;
pub mod hashing;
pub mod member;
pub mod member_index;
pub mod metered;
pub mod random_read;
pub mod ranges;
pub mod read_error;
pub mod read_once;
pub mod read_once_folder;
pub mod room;
pub mod seek;
pub mod unpack;
pub mod unseal;
pub mod written;
