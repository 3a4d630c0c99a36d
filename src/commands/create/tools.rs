//! The client tools for a server that is newer than those at hand: pg_dump refuses to dump it.

use super::Job;
use crate::commands::Failure;
use crate::events::Event;
use crate::sandbox;
use crate::source::client_tools::PgDump;
use crate::source::container_tools::{ContainerTools, News};
use crate::source::error::SourceError;
use crate::source::facts::Facts;
use crate::store::naming;

/// What is dumped with; in a container for as long as this lives.
pub(super) struct Tools {
    /// pg_dump, with the others beside it.
    pub(super) pg_dump: PgDump,
    container: Option<ContainerTools>,
}

impl Tools {
    /// Ends what still runs of them.
    pub(super) async fn close(self) {
        if let Some(container) = self.container {
            container.close().await;
        }
    }
}

/// The tools to take: `pg_dump`, where it is not older than the server or was asked for by name; else
/// a newer one of this machine, else one in a container. Where there is none, pg_dump itself will say
/// that it is too old.
pub(super) async fn fitting(
    job: &Job<'_>,
    pg_dump: PgDump,
    facts: &Facts,
) -> Result<Tools, Failure> {
    let as_it_is = |pg_dump| Tools { pg_dump, container: None };
    let Facts::Known(known) = facts else { return Ok(as_it_is(pg_dump)) };
    // 90624 is 9.6.24; no pg_dump of today is that old.
    let server = known.server_version_num / 10_000;
    if pg_dump.major >= server || job.settings.pg_dump.is_some() {
        return Ok(as_it_is(pg_dump));
    }
    let announce = |taken: &str| {
        job.events.emit(Event::Warning(format!(
            "pg_dump {} is older than the server, which is PostgreSQL {}: using {taken}",
            pg_dump.version, known.server_version
        )));
    };
    if let Some(newer) = PgDump::of_version(server).await {
        announce(&format!("pg_dump {} in {}", newer.version, newer.path.display()));
        return Ok(as_it_is(newer));
    }
    let labels = sandbox::labels_of_this_run().map_err(SourceError::Pipe)?;
    let tell = |news: News<'_>| {
        job.events.emit(match news {
            News::Pulling(image) => Event::ImagePulling { image: image.to_owned() },
            News::NotPulled(image, reason) => Event::Warning(format!(
                "pg_dump {} is older than the server, and {image}, which has a newer one, cannot be \
                 pulled: {reason}",
                pg_dump.version
            )),
        });
    };
    match ContainerTools::of(server, naming::directory_of(job.target), labels, tell).await? {
        None => Ok(as_it_is(pg_dump)),
        Some(container) => {
            let version = &container.pg_dump.version;
            announce(&format!("pg_dump {version} in a container of {}", container.image));
            Ok(Tools { pg_dump: container.pg_dump.clone(), container: Some(container) })
        }
    }
}
