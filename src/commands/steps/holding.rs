//! Holds the backup while it is verified, so that no clean-up removes it meanwhile.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::context::Surroundings;
use super::obstacles::{obstacle, unless_stopped};
use crate::events::Event;
use crate::model::outcome::Obstacle;
use crate::store::lock;

/// How often it is looked whether the backup is free.
const PERIOD: Duration = Duration::from_secs(1);

/// Locks the backup as long as `file` is open. Where the operator wants to wait, whoever writes
/// it is waited for.
pub(in crate::commands) async fn hold(
    around: Surroundings<'_>,
    path: &Path,
    file: &File,
) -> Result<(), Obstacle> {
    let Surroundings { choice, events, stop, .. } = around;
    let limit = choice.wait.unwrap_or_default();
    let (begun, mut waited) = (Instant::now(), false);
    loop {
        match lock::try_shared(file) {
            Ok(true) => break,
            Ok(false) => {}
            Err(error) => {
                tracing::debug!(%error, "the backup cannot be locked");
                break;
            }
        }
        let left = limit.saturating_sub(begun.elapsed());
        if left.is_zero() {
            return Err(being_written(path));
        }
        if !waited {
            waited = true;
            events.emit(Event::Waiting { why: being_written(path).cause });
        }
        unless_stopped(stop, tokio::time::sleep(left.min(PERIOD))).await?;
    }
    if waited && !still_names(path, file) {
        let cause = format!("{} was removed or replaced by another run", path.display());
        return Err(obstacle(&cause, "verify the newest one: --latest"));
    }
    Ok(())
}
/// Whether the path leads to the open file yet: who was waited for may have removed or replaced it.
fn still_names(path: &Path, file: &File) -> bool {
    let place = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    matches!(
        (std::fs::metadata(path).map(place), file.metadata().map(place)),
        (Ok(named), Ok(open)) if named == open
    )
}

fn being_written(path: &Path) -> Obstacle {
    Obstacle {
        cause: format!("{} is being written or removed by another run", path.display()),
        hint: Some("verify it again when that run is done, or wait for it with --wait".into()),
    }
}
