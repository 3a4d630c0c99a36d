//! The bytes of a dump: where they come from, how they are packed, what they say.

pub mod client_tools;
pub mod codec;
pub mod compress;
pub mod pg_dump;
pub mod pg_dump_args;
pub mod source;
pub mod source_error;
pub mod source_facts;
pub mod source_url;
