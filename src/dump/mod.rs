//! The bytes of a dump: where they come from, how they are packed, what they say.

pub mod copy;
mod encoding;
pub mod fingerprint;
pub mod flaw;
pub mod item;
mod lexer;
mod meta;
pub mod plain;
mod session;
pub mod statement;
mod toc;
mod token;
