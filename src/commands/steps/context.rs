//! What every step is given and none changes.

use crate::archive::OpenBackup;
use crate::commands::{Stop, globals};
use crate::config::Data;
use crate::destination;
use crate::events::Events;
use crate::sealing::Unsealing;
use crate::settings::{BackupChoice, ProofSettings, SandboxSettings};
use crate::store::manifest::Manifest;

/// Where a backup is restored.
#[derive(Debug, Clone, Copy)]
pub(in crate::commands) enum Place<'a> {
    /// Into a throwaway server.
    Sandbox(&'a SandboxSettings),
    /// Into a server that matters.
    Destination(&'a destination::Request),
}

/// What a run is given.
#[derive(Clone, Copy)]
pub(in crate::commands) struct Surroundings<'a> {
    /// Which backup.
    pub choice: &'a BackupChoice,
    /// How it is restored, and what is proven.
    pub proof: &'a ProofSettings,
    /// Where.
    pub place: Place<'a>,
    /// Who is told of it.
    pub events: &'a Events,
    /// Who may stop it.
    pub stop: &'a Stop,
}

/// The same, of a backup that is open.
#[derive(Clone, Copy)]
pub(in crate::commands) struct Context<'a> {
    /// How it is restored, and what is proven.
    pub proof: &'a ProofSettings,
    /// Where.
    pub place: Place<'a>,
    /// Who is told of it.
    pub events: &'a Events,
    /// Who may stop it.
    pub stop: &'a Stop,
    /// What opens what is encrypted.
    pub unsealing: &'a Unsealing,
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
        self.proof.data == Data::None
            || self.manifest.is_some_and(|manifest| manifest.options.leaves_rows_out())
    }

    /// The SQL of the roles beside the backup, where it can be read; where signatures count, only what the manifest names.
    pub fn globals(self) -> Option<Vec<u8>> {
        let is_named = self.manifest.is_some_and(|manifest| manifest.outline.globals.is_some());
        if self.proof.allowed_signers.is_some() && !is_named {
            return None;
        }
        globals::read(self.backup.path(), self.unsealing).ok()
    }

    /// Whether `create` was told to leave owners out. An archive holds them all the same, and
    /// pg_restore is told.
    pub fn is_without_owners(self) -> bool {
        self.manifest.is_some_and(|manifest| !manifest.options.owners)
    }
}
