//! The ways to the server, from wherever `ccc-backup` runs to wherever the engine does: docs/environments.md.

mod far;
mod nameless;
mod podman;

mod programs;
mod sidecar;
