//! The database that the backup is restored into, and what it needs beside it.

use std::collections::BTreeMap;
use std::fmt::Display;

use super::context::Context;
use super::database::rendering;
use super::early_rows::{EarlyReader, EarlyRows};
use super::findings::Notes;
use super::obstacles::{self, no_server, obstacle};
use super::server::{Server, ServerError};
use crate::commands::inspect::Inspection;
use crate::dump::contents::Contents;
use crate::dump::encoding::is_for_databases;
use crate::dump::memberships;
use crate::events::Event;
use crate::model::format::Format;
use crate::model::locale::Locale;
use crate::model::outcome::Obstacle;
use crate::pg::ConnectInfo;
use crate::restore::known::{self, Known, Whose};
use crate::restore::{LoadError, extensions};

/// The database that the backup is restored into, unless it makes databases of its own.
pub(in crate::commands) const DATABASE: &str = "restore_test";
/// The one that it begins in where it makes one of that name by itself.
const OTHER_DATABASE: &str = "restore_test_begin";
/// What to do about a backup that a local server cannot restore.
const NEEDS_DOCKER: &str = "verify it in a container, where it may: --engine docker";

/// Where a restore goes, and what it is of.
#[derive(Clone, Copy)]
pub(in crate::commands) struct Target<'a> {
    /// What the steps are given.
    pub cx: Context<'a>,
    /// The server.
    pub server: &'a Server,
    /// What the backup says.
    pub dump: &'a Inspection,
    /// The database that the restore begins in.
    pub database: &'a str,
    /// What is read back while the restore goes on.
    pub early: &'a EarlyRows,
}

/// The database for a backup of these contents.
pub(in crate::commands) fn database_for(server: &Server, contents: &Contents) -> String {
    let own = if contents.connects_to(DATABASE) { OTHER_DATABASE } else { DATABASE };
    server.database().unwrap_or(own).to_owned()
}

impl Target<'_> {
    /// Makes the database, with what the dump needs beside it. Gives whether the locale C had to take
    /// the place of the source's.
    pub async fn make(self, notes: &mut Notes<'_>) -> Result<bool, Obstacle> {
        let Self { cx, server, database, .. } = self;
        let untold = |error: ServerError| no_server(&error, cx.stop);
        let kind = server.kind();
        let is_copied = cx.backup.format() != Format::Plain;
        cx.events.emit(Event::RestoreStarted { kind, database: database.to_owned(), is_copied });
        cx.events.emit(Event::DatabaseCreating { database: database.to_owned() });
        let replaced = server.create_database(database, &self.locale()).await.map_err(untold)?;
        let has_c_for_locale = replaced.is_some();
        if let Some(announcement) = replaced {
            notes.warn(announcement);
        }
        let needed = self.needed_roles();
        let needed = needed.iter().map(|(role, superuser)| (role.as_str(), *superuser));
        let roles = server.create_roles(needed).await.map_err(untold)?;
        // Of roles that were made here, and of no others that the server has.
        let made = |name: &String| roles.contains(name);
        let mut memberships = self.memberships();
        memberships.retain(|(role, member)| made(role) && made(member));
        server.grant_roles(&memberships).await.map_err(untold)?;
        if !roles.is_empty() {
            cx.events.emit(Event::RolesCreated(roles.clone()));
            notes.findings.facts.roles = roles;
        }
        self.bring_extensions().await?;
        cx.events.emit(Event::Restoring);
        Ok(has_c_for_locale)
    }

    /// Sees that the server has the extensions that the dump creates, and creates those that the
    /// restoring role may not create. What it lacks would fail in every table that uses it, so it is
    /// named alone.
    pub async fn bring_extensions(self) -> Result<(), Obstacle> {
        let needed = &self.dump.requirements.extensions;
        let database = self.connect_info();
        let asked = async {
            let session = database.connect().await.map_err(|error| LoadError::server(&error))?;
            extensions::missing(&session, needed).await
        };
        let missing = match asked.await {
            Ok(missing) => missing,
            Err(error) => return Err(self.cut_short(&error).await),
        };
        if missing.is_empty() {
            return self.lend_extensions().await;
        }
        Err(lacks_extensions(&missing, self.described()))
    }

    /// Has the superuser create the extensions that the restoring role may not create, where it is no
    /// superuser itself.
    async fn lend_extensions(self) -> Result<(), Obstacle> {
        let needed = self.dump.requirements.extensions.iter();
        let needed: Vec<_> = needed.map(|(name, at)| (name.as_str(), at.as_deref())).collect();
        let refused = self.server.create_extensions(self.database, &needed).await;
        let refused = refused.map_err(|error| no_server(&error, self.cx.stop))?;
        if refused.is_empty() {
            return Ok(());
        }
        let cause = format!(
            "the extension {} needs a superuser or brings a language, and a local server has \
             neither for a backup",
            refused.join(", ")
        );
        Err(obstacle(&cause, NEEDS_DOCKER))
    }

    /// The roles that are made before the restore, and whether they are superusers: those that the dump
    /// names, those that it creates where the restoring role may not, and those that the memberships
    /// beside it are of.
    pub fn needed_roles(self) -> Vec<(String, bool)> {
        let requirements = &self.dump.requirements;
        let mut needed: BTreeMap<String, bool> = match self.server.restores_as_superuser() {
            true => requirements
                .roles()
                .map(|role| (role.to_owned(), requirements.is_superuser(role)))
                .collect(),
            false => requirements.all_roles().map(|role| (role.to_owned(), false)).collect(),
        };
        if !needed.is_empty() {
            for (group, member) in self.memberships() {
                needed.entry(group).or_default();
                needed.entry(member).or_default();
            }
        }
        needed.into_iter().collect()
    }

    /// Who is a member of which role, by the globals beside the backup. What cannot be read says nothing.
    fn memberships(self) -> Vec<(String, String)> {
        self.cx.globals().map(|sql| memberships::of(&sql)).unwrap_or_default()
    }

    /// The locale of the new database: the manifest's, else C in the dump's encoding.
    pub fn locale(self) -> Locale {
        let encoding = self.dump.facts.client_encoding.as_deref();
        // Where only clients can have it, UTF-8 takes every character of it.
        let of_dump = Locale::of_encoding(encoding.filter(|name| is_for_databases(name)));
        if let (Some(locale), Some(_)) = (self.dump.own_database.locale(), self.server.database()) {
            return locale.clone();
        }
        let Some(source) = self.cx.manifest.map(|manifest| &manifest.source) else {
            return of_dump;
        };
        Locale {
            encoding: source.encoding.clone().unwrap_or(of_dump.encoding),
            collate: source.collate.clone(),
            ctype: source.ctype.clone(),
            provider: source.locale_provider.clone(),
            provider_locale: source.locale.clone(),
        }
    }

    /// What the restore's errors are judged by.
    pub fn known(self) -> Known {
        let Inspection { facts, requirements, .. } = self.dump;
        Known {
            cleaning: requirements.cleaning.clone(),
            superuser: self.server.restores_as_superuser(),
            cluster: facts.cluster,
            bytes_for_letters: self.cx.manifest.is_none()
                && facts.client_encoding.as_deref() == Some("SQL_ASCII"),
        }
    }

    /// Where the backup is restored, for a hint.
    pub fn described(self) -> known::Server {
        self.server.described()
    }

    /// How to connect to the database.
    pub fn connect_info(self) -> ConnectInfo {
        self.server.connect_info().database(self.database)
    }

    /// Reads tables back while the restore goes on, of a backup of one database whose contents are proven.
    pub fn early_reader(self) -> Option<EarlyReader> {
        let Self { cx, dump, early, .. } = self;
        let mut databases = dump.contents.databases();
        let (Some(only), None, true) = (databases.next(), databases.next(), cx.proof.content)
        else {
            return None;
        };
        let rendering = rendering(cx.manifest, only.encoding.as_deref());
        Some(early.reader(self.connect_info(), only, rendering))
    }

    /// What to say when the server went away.
    pub async fn cut_short(self, error: &dyn Display) -> Obstacle {
        obstacles::cut_short(self.server, error).await
    }
}

/// The server lacks these extensions, and what to do about it.
pub(in crate::commands) fn lacks_extensions(missing: &[String], server: known::Server) -> Obstacle {
    let them = if missing.len() == 1 { "extension" } else { "extensions" };
    let whose = match server.whose {
        Whose::Image => "the image",
        Whose::Machine => "this machine's PostgreSQL",
        Whose::Others => "the server",
    };
    let cause = format!("the backup needs the {them} {}, which {whose} lacks", missing.join(", "));
    obstacle(&cause, &extensions::remedy(missing, server))
}
