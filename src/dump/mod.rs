//! The bytes of a dump: where they come from, how they are packed, what they say.

pub mod codec;
pub mod compress;
