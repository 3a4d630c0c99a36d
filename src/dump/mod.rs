//! The bytes of a dump: where they come from, how they are packed, what they say.

pub mod client_tools;
pub mod codec;
pub mod compress;
pub mod contents;
pub mod copy;
mod encoding;
pub mod fingerprint;
pub mod flaw;
pub mod inspect;
pub mod item;
pub mod items;
mod lexer;
mod meta;
pub mod open;
pub mod pg_dump;
pub mod pg_dump_args;
pub mod plain;
mod session;
pub mod source;
pub mod source_error;
pub mod source_facts;
pub mod source_url;
pub mod statement;
pub mod stream;
pub mod times;
mod toc;
mod token;
