//! Restoring a dump into the sandbox, and telling which of its errors are harmless.

pub mod load;
pub mod tolerate;
