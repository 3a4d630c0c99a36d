//! The database that a backup is made of: how it is reached, PostgreSQL's client tools, and what they are asked.

pub mod client_tools;
pub mod coverage;
pub mod databases;
pub mod error;
pub mod facts;
pub mod globals;
pub mod pg_dump;
pub mod pg_dump_args;
pub mod psql_session;
pub mod table_parts;
