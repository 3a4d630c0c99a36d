//! The bytes of a dump: where they come from, how they are packed, what they say.

pub mod codec;
pub mod compress;
pub mod contents;
pub mod copy;
pub mod fingerprint;
pub mod flaw;
pub mod inspect;
pub mod item;
pub mod items;
mod lexer;
mod meta;
pub mod open;
pub mod plain;
mod session;
pub mod statement;
mod toc;
mod token;
