//! What `create` does beside each backup.

use std::sync::Arc;

use crate::model::creation::CreateReport;

/// See the module.
#[derive(Debug, Clone)]
pub enum CreateEvent {
    /// Several databases are to be backed up.
    Planned {
        /// The server, as `host:port`, where all are on one.
        host: Option<String>,
        /// The databases.
        databases: Vec<String>,
        /// Those that were left out.
        excluded: Vec<String>,
    },
    /// The turn of one of them begins.
    Begun {
        /// The database.
        database: String,
        /// The number of the turn, from 1.
        number: usize,
        /// How many there are.
        of: usize,
    },
    /// All is done, or was not come to; everything that was made.
    Finished(Arc<CreateReport>),
}
