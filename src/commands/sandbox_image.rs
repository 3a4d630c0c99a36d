//! Which image a throwaway server is made of, where the configuration has images for extensions.

use std::collections::BTreeSet;

use crate::model::extension::settings_at_rest;
use crate::sandbox::{Request, SandboxError};
use crate::settings::images::{Configured, Images};

/// What a user says of images.
#[derive(Debug, Clone, Copy)]
pub(in crate::commands) struct Said<'a> {
    /// The one that is named, whatever is needed.
    pub named: Option<&'a String>,
    /// Those that have extensions.
    pub images: &'a Images,
    /// The one for all others.
    pub usual: Option<&'a String>,
    /// Whether one is built with what it lacks.
    pub builds: bool,
}

impl Said<'_> {
    /// Whether it makes a difference which extensions are needed.
    pub fn asks_for_extensions(self) -> bool {
        self.builds || self.named.is_none() && !self.images.is_empty()
    }

    /// The image for those who need nothing.
    pub fn without_extensions(self) -> Option<String> {
        self.named.or(self.usual).cloned()
    }

    /// The request for a server with these extensions; `database` is where they are created.
    ///
    /// # Errors
    /// [`SandboxError::NoCommonImage`], where none is built.
    pub fn fit(
        self,
        mut request: Request,
        needed: BTreeSet<String>,
        database: &str,
    ) -> Result<Request, SandboxError> {
        if self.named.is_none() {
            match self.images.choose(&needed, request.version) {
                Configured::Image(image) => request.image = Some(image),
                Configured::Apart(extensions) if !self.builds => {
                    return Err(SandboxError::NoCommonImage { extensions });
                }
                Configured::Apart(_) | Configured::Nothing => {}
            }
        }
        let mut settings: Vec<(&str, &str)> =
            needed.iter().flat_map(|name| settings_at_rest(name)).copied().collect();
        if needed.contains("pg_cron") {
            settings.push(("cron.database_name", database));
        }
        settings.retain(|(name, _)| request.settings.iter().all(|(theirs, _)| theirs != name));
        request
            .settings
            .extend(settings.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
        Ok(Request { extensions: needed, builds: self.builds, ..request })
    }
}
