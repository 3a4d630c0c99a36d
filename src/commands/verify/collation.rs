//! Whether what the server refused says something of the backup, or of the locale of the database
//! that it was restored into.

use super::again::first_line;
use super::{Run, obstacle};
use crate::commands::inspect::Inspection;
use crate::model::outcome::Obstacle;
use crate::restore::Failure;
use crate::restore::collation::{Judged, judged, ranges_by_locale};

/// Said of a dump that creates its databases by itself.
pub(super) const REPLACED: &str = "the sandbox lacks the locale of a database that the backup creates: it was created with \
                                   collation C; sort orders there differ from the source's";

impl Run<'_> {
    /// What stands in the way where an error may come of another locale than the source's.
    pub(super) async fn is_about_the_locale(
        &self,
        failure: &Failure,
        inspection: &Inspection,
    ) -> Option<Obstacle> {
        let judged = judged(failure)?;
        // One that creates its databases says their locales.
        let alone = !inspection.contents.connects();
        let source = self.manifest.as_ref().map(|manifest| &manifest.source);
        let unknown = alone && source.is_none_or(|source| source.collate.is_none());
        let doubtful = match judged {
            Judged::Range(relation) if alone && (unknown || self.has_c_for_locale) => {
                self.has_ranges_by_locale(relation).await
            }
            Judged::Expression if unknown => !self.locale(inspection).is_utf8(),
            Judged::Range(_) | Judged::Expression => self.has_c_for_locale,
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

    async fn has_ranges_by_locale(&self, relation: Option<&str>) -> bool {
        let Some(sandbox) = &self.sandbox else { return false };
        let asking = async {
            let session = sandbox.connect_info().database(&self.database).connect().await?;
            ranges_by_locale(&session, relation).await
        };
        // Servers before 10 have no partitioned tables.
        asking.await.unwrap_or(false)
    }
}
