//! What the backups of one run have in common: the time in their names, who signs them, and the server's roles and
//! tablespaces, which are asked for once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};

use crate::commands::{Failure, Stop};
use crate::events::{Event, Events};
use crate::model::creation::Trouble;
use crate::settings::CreateSettings;
use crate::signing::Signer;
use crate::source::globals::Globals;

/// A server, as somebody named it: container, host and port.
type Server = [Option<String>; 3];

/// See the module.
pub(super) struct Together {
    /// The time in their names.
    pub(super) at: DateTime<Utc>,
    /// Who signs them, or why nobody can.
    pub(super) signer: Result<Option<Signer>, Failure>,
    /// Each database with its server, where they may be several.
    databases: Option<Vec<(Server, String)>>,
    /// What is known of each server's roles; `None` where they could not be had.
    globals: Mutex<BTreeMap<Server, Option<Arc<Globals>>>>,
    troubles: Mutex<Vec<Trouble>>,
}

fn server(settings: &CreateSettings) -> Server {
    let CreateSettings { container, source, .. } = settings;
    [container.clone(), source.host.clone(), source.port.clone()]
}

/// Whether both lead to the same server, as far as their settings say.
pub(super) fn is_same_server(one: &CreateSettings, other: &CreateSettings) -> bool {
    server(one) == server(other)
}

impl Together {
    /// Of one backup.
    pub(super) fn alone(at: DateTime<Utc>, signer: Result<Option<Signer>, Failure>) -> Self {
        Self { at, signer, databases: None, globals: Mutex::default(), troubles: Mutex::default() }
    }

    /// Of the backups of these databases.
    #[must_use]
    pub(super) fn of<'a>(self, backups: impl Iterator<Item = &'a CreateSettings>) -> Self {
        let named = |backup: &CreateSettings| Some((server(backup), backup.source.dbname.clone()?));
        Self { databases: Some(backups.filter_map(named).collect()), ..self }
    }

    /// The databases of the same server that are backed up by this run.
    pub(super) fn beside(&self, settings: &CreateSettings) -> Vec<String> {
        let same = self.databases.iter().flatten().filter(|(of, _)| *of == server(settings));
        same.map(|(_, database)| database.clone()).collect()
    }

    /// The roles and tablespaces of a server, by who asks for them where nobody has. Where several backups are to have
    /// them, they are made without what cannot be had, and that is told once.
    ///
    /// # Errors
    /// That of who asks, where there is one backup, or it was interrupted.
    pub(super) async fn globals(
        &self,
        settings: &CreateSettings,
        ask: impl Future<Output = Result<Globals, Failure>>,
        (events, stop): (&Events, &Stop),
    ) -> Result<Option<Arc<Globals>>, Failure> {
        let server = server(settings);
        if let Some(known) = self.known(&server) {
            return Ok(known);
        }
        let asked = match ask.await {
            Ok(globals) => Some(Arc::new(globals)),
            Err(failure) if self.databases.is_none() || stop.token().is_cancelled() => {
                return Err(failure);
            }
            Err(failure) => {
                self.note(failure, events);
                None
            }
        };
        let mut known = self.globals.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(server, asked.clone());
        Ok(asked)
    }

    fn known(&self, server: &Server) -> Option<Option<Arc<Globals>>> {
        self.globals.lock().unwrap_or_else(PoisonError::into_inner).get(server).cloned()
    }

    fn note(&self, failure: Failure, events: &Events) {
        let cause = failure.cause.strip_prefix(super::failing::NOT_MADE).unwrap_or(&failure.cause);
        let cause = format!("the backups have no roles beside them: {cause}");
        let Failure { exit, hint, .. } = failure;
        events.emit(Event::Error { cause: cause.clone(), hint: hint.clone() });
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        troubles.push(Trouble { exit_code: exit, cause, hint });
    }

    /// What could not be had for all.
    pub(super) fn troubles(self) -> Vec<Trouble> {
        self.troubles.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
