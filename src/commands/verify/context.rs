//! What every step is given and none changes.

use crate::archive::OpenBackup;
use crate::commands::Stop;
use crate::config::Data;
use crate::events::Events;
use crate::settings::VerifySettings;
use crate::store::manifest::Manifest;

/// What a run is given.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    /// What was asked for.
    pub settings: &'a VerifySettings,
    /// Who is told of it.
    pub events: &'a Events,
    /// Who may stop it.
    pub stop: &'a Stop,
}

/// The same, of a backup that is open.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    /// What was asked for.
    pub settings: &'a VerifySettings,
    /// Who is told of it.
    pub events: &'a Events,
    /// Who may stop it.
    pub stop: &'a Stop,
    /// The backup.
    pub backup: &'a OpenBackup,
    /// Its manifest, where it has one.
    pub manifest: Option<&'a Manifest>,
}

impl<'a> Context<'a> {
    /// The manifest, where it says what the backup holds.
    pub fn recorded(self) -> Option<&'a Manifest> {
        self.manifest.filter(|manifest| manifest.has_contents())
    }

    /// Whether the backup may be without rows, by its manifest or by the configuration.
    pub fn may_be_without_rows(self) -> bool {
        self.settings.data == Data::None
            || self.manifest.is_some_and(|manifest| manifest.options.leaves_rows_out())
    }

    /// Whether `create` was told to leave owners out. An archive holds them all the same, and
    /// pg_restore is told.
    pub fn is_without_owners(self) -> bool {
        self.manifest.is_some_and(|manifest| !manifest.options.owners)
    }
}
