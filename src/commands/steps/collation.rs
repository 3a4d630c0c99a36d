//! Whether what the server refused says something of the backup, or of the locale of the database
//! that it was restored into.

use super::again::first_line;
use super::obstacles::obstacle;
use super::target::Target;
use crate::model::outcome::Obstacle;
use crate::restore::Failure;
use crate::restore::collation::{Judged, judged, ranges_by_locale};
use crate::restore::tolerate::ABSENT;

/// Said of a dump that creates its databases by itself.
pub(in crate::commands) const REPLACED: &str = "the sandbox lacks the locale of a database that the backup creates: it was created with \
                                   collation C; sort orders there differ from the source's";

/// What errors of a restore say, where the locale may have to do with them.
pub(in crate::commands) struct Weighed<'a> {
    /// The first one that proves the backup bad.
    pub proof: Option<&'a Failure>,
    /// What stands in the way: the first one before it that may come of another locale.
    pub obstacle: Option<Obstacle>,
}

/// Weighs errors, in the order in which they were met.
pub(in crate::commands) async fn weigh<'a>(
    target: Target<'_>,
    has_c_for_locale: bool,
    errors: &'a [Failure],
) -> Weighed<'a> {
    let mut obstacle = None;
    for failure in errors {
        if let Some(met) = obstacle_of(target, has_c_for_locale, failure).await {
            obstacle = obstacle.or(Some(met));
        } else if obstacle.is_none() || !ABSENT.contains(&failure.error.code.as_str()) {
            return Weighed { proof: Some(failure), obstacle };
        }
        // What was not made for want of the locale is not there.
    }
    Weighed { proof: None, obstacle }
}

/// What stands in the way where an error may come of another locale than the source's.
async fn obstacle_of(
    target: Target<'_>,
    has_c_for_locale: bool,
    failure: &Failure,
) -> Option<Obstacle> {
    let judged = judged(failure)?;
    // One that creates its databases says their locales.
    let alone = !target.dump.contents.connects();
    let source = target.cx.manifest.map(|manifest| &manifest.source);
    let unknown = alone && source.is_none_or(|source| source.collate.is_none());
    let doubtful = match judged {
        Judged::Range(relation) if alone && (unknown || has_c_for_locale) => {
            has_ranges_by_locale(target, relation).await
        }
        Judged::Expression if unknown => !target.locale().is_utf8(),
        Judged::Range(_) | Judged::Expression => has_c_for_locale,
        Judged::Missing => true,
    };
    if !doubtful {
        return None;
    }
    let error = first_line(&failure.to_string());
    let another_image = "take an image that has the locale: --image IMAGE";
    Some(if judged == Judged::Missing {
        obstacle(&format!("the sandbox lacks a locale: {error}"), another_image)
    } else if unknown {
        let cause = format!("nothing says the source's locale, and in C: {error}");
        obstacle(&cause, "make the backup with `ccc-backup create`, which notes the locale")
    } else {
        let cause = format!("in the place of the source's locale the sandbox has C: {error}");
        obstacle(&cause, another_image)
    })
}

async fn has_ranges_by_locale(target: Target<'_>, relation: Option<&str>) -> bool {
    let asking = async {
        let session = target.connect_info().connect().await?;
        ranges_by_locale(&session, relation).await
    };
    // Servers before 10 have no partitioned tables.
    asking.await.unwrap_or(false)
}
