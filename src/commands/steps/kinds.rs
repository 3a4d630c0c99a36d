//! The kinds of backups that there are: the one place that chooses among them.

use super::archive::Archived;
use super::context::Context;
use super::kind::Kind;
use super::plain::Plain;
use crate::archive::Storage;
use crate::model::format::Format;
use crate::model::outcome::Obstacle;

/// Who takes the steps of a backup, whatever its kind.
pub(in crate::commands) trait Taker {
    /// Takes them.
    ///
    /// # Errors
    /// What stood in the way.
    async fn take<K: Kind>(self, kind: &K) -> Result<(), Obstacle>;
}

/// Has the steps of the backup's kind taken.
///
/// # Errors
/// What stood in the way.
pub(in crate::commands) async fn take(cx: Context<'_>, taker: impl Taker) -> Result<(), Obstacle> {
    match (cx.backup.format(), cx.backup.storage()) {
        (Format::Plain, Storage::File(file)) => {
            taker.take(&Plain::new(file, cx.backup.packing())).await
        }
        _ => taker.take(&Archived::default()).await,
    }
}
