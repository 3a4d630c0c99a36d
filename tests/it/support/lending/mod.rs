//! An engine that lends servers: it stands before the real Docker Engine, and where the binary makes a container like one
//! that it made before, it gets that one, as good as new. To start one and to remove it takes most of the processor
//! time of a verification; for a table of hundreds of dumps, that is most of the table's time.
//!
//! The binary is as it is for everybody, and takes every step: name, network, container, password, waiting, removal. What
//! it makes of them is kept here, until it removes it; what it did not remove is left, and [`left`] tells of it.
//!
//! A server is lent again only when nothing of a restore is left in it ([`server::Server::is_as_new`]), and with it the
//! container of programs beside it, in which archives are restored. What is no server with any port, no volume and no limits
//! goes to the real engine, and so does everything of a test that wants a container of its own: a test asks for a lent one
//! by [`super::Place::on_a_lent_server`].

mod engine;
mod http;
mod programs;
mod server;

use std::sync::OnceLock;

pub use engine::Engine;

/// The engine, started by the first test that asks.
pub fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(Engine::start)
}
