//! What a kind of backup has to tell and to do, so that it is verified: the one place where the steps
//! know of kinds.

use std::future::Future;
use std::io::Read;
use std::pin::Pin;

use super::context::Context;
use super::findings::{Notes, Step};
use super::server::Server;
use super::target::Target;
use crate::commands::inspect::Inspection;
use crate::dump::contents::Contents;
use crate::model::outcome::Obstacle;
use crate::restore;

/// A kind of backup. Another one is a file beside this that implements it, and a line in `kinds.rs`.
pub(in crate::commands) trait Kind {
    /// What only its own restore makes use of, of all that was found.
    type Places;

    /// Reads the backup, while the server starts, and tells what has to be known of it before it is restored. The server
    /// is put into `sandbox` as soon as there is one, however this ends.
    async fn examine(
        &self,
        cx: Context<'_>,
        server: &mut Option<Server>,
    ) -> Step<Examined<Self::Places>>;

    /// Reads to its end, while it is restored, what `examine` has left unread: what it says then. Nothing where
    /// nothing was left.
    async fn read_on(
        &self,
        _target: Target<'_>,
        _places: &Self::Places,
    ) -> Option<Step<Inspection>> {
        None
    }

    /// Restores it into a database that is there and empty: what the restore did, and why it did not come
    /// to its end, where it did not.
    async fn restore(
        &self,
        target: Target<'_>,
        places: &Self::Places,
        notes: &mut Notes<'_>,
    ) -> Attempted;

    /// What the restored databases are held to.
    ///
    /// # Errors
    /// When that is no longer what was restored.
    fn expectations<'a>(
        &'a self,
        cx: Context<'a>,
        dump: &'a Inspection,
        server: &'a Server,
    ) -> Result<Expectations<'a>, Obstacle>;

    /// Makes room in a server that is to be kept.
    async fn clear_away(&self, _sandbox: &Server) {}
}

/// A backup that is whole, as far as it was read.
#[derive(Debug)]
pub(in crate::commands) struct Examined<P> {
    /// What it says: at least all that is made and needed. The rest is there once it is restored.
    pub dump: Inspection,
    /// What its restore goes by.
    pub places: P,
}

/// What an attempt at a restore did, and why it did not come to its end, where it did not.
pub(in crate::commands) type Attempted = (restore::Restored, Result<(), Obstacle>);

/// What the restored databases are held to.
pub(in crate::commands) struct Expectations<'a> {
    /// What the backup holds, database by database.
    pub contents: &'a Contents,
    /// It makes tables and has rows of none.
    pub is_schema_alone: bool,
    /// It is of a whole server, with its roles.
    pub is_cluster: bool,
    /// Where its rows can be read once more.
    pub again: Box<dyn Reread + 'a>,
}

/// A backup that can be read once more.
pub(in crate::commands) trait Reread {
    /// Its SQL.
    fn sql(&self) -> SqlAgain<'_>;
}

/// The SQL of a backup, to be read on a thread while `writing` is driven.
pub(in crate::commands) struct SqlAgain<'a> {
    /// The SQL.
    pub stream: Box<dyn Read + Send>,
    /// What it comes from; the reason where that failed.
    pub writing: Pin<Box<dyn Future<Output = Result<(), String>> + 'a>>,
}
