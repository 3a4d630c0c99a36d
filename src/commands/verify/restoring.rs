//! Restores the dump into a new database of the sandbox.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::watching::lost;
use super::{DATABASE, OTHER_DATABASE, Run, again, changed, collation, lacking, obstacle};
use crate::checks::restore_time;
use crate::commands::inspect::Inspection;
use crate::dump::encoding::is_for_databases;
use crate::dump::memberships;
use crate::dump::script::Entry;
use crate::events::{Event, Progress, Work};
use crate::model::outcome::{Defect, Obstacle, RESTORE, Section};
use crate::model::packing::Packing;
use crate::packing::file::BackupFile;
use crate::packing::ranges::Ranges;
use crate::pg::ConnectInfo;
use crate::restore::advice;
use crate::restore::judgement::Known;
use crate::restore::lacking::Server;
use crate::restore::tolerate::{ABSENT, Rule};
use crate::restore::{Ledger, LoadError, MOST_ERRORS, Restored, extensions, load, parallel};
use crate::sandbox::{Locale, Sandbox};
use crate::store::globals::globals_path;

/// What to do about a backup that a local server cannot restore.
const NEEDS_DOCKER: &str = "verify it in a container, where it may: --engine docker";
impl Run<'_> {
    /// Restores the dump into a new database of the sandbox. `false` when it was not begun, and the
    /// report says why.
    pub(super) async fn restore(
        &mut self,
        file: &BackupFile,
        compression: Packing,
        inspection: &Inspection,
    ) -> Result<bool, Obstacle> {
        if !self.make_database(inspection).await? {
            return Ok(false);
        }
        let clock = Instant::now();
        let (restored, outcome) = self.surely_restored(file, compression, inspection).await;
        self.report.phase(RESTORE, clock.elapsed());
        let outcome =
            self.has_restored(restored, outcome, inspection, &|| file.has_changed()).await;
        self.judge_restore_time();
        outcome.map(|()| true)
    }

    /// What follows from a restore that ended so. What the server refused until then is proof, whatever
    /// cut the restore short.
    pub(super) async fn has_restored(
        &mut self,
        restored: Restored,
        outcome: Result<(), Obstacle>,
        inspection: &Inspection,
        has_changed: &dyn Fn() -> bool,
    ) -> Result<(), Obstacle> {
        let untold = restored.errors.is_empty();
        // Of what the server lacks, there may be more than is worth trying.
        let lacks_much = untold && restored.refusals() >= MOST_ERRORS;
        let outcome = outcome.or_else(|obstacle| if lacks_much { Ok(()) } else { Err(obstacle) });
        // Of a run that was stopped and has nothing to tell, the disk, which may be what does not
        // answer, is not asked.
        let asks = !(untold && self.stop.token().is_cancelled());
        match outcome {
            Err(_) if asks && has_changed() => Err(changed()),
            Err(obstacle) if untold => Err(obstacle),
            outcome => {
                let restored = self.restored(&restored, inspection, has_changed).await;
                restored.and(outcome)
            }
        }
    }

    /// Restores over several connections where that is possible. What is refused to them may be our
    /// own doing, so then it is restored once more, over one, and that counts.
    async fn surely_restored(
        &mut self,
        file: &BackupFile,
        compression: Packing,
        inspection: &Inspection,
    ) -> (Restored, Result<(), Obstacle>) {
        let jobs = self.settings.jobs;
        let entries = inspection.script.entries().filter(|_| jobs > 1);
        if entries.is_none() {
            return self.attempt(file, compression, inspection, None).await;
        }
        let before = match self.cluster().await {
            Ok(before) => before,
            Err(obstacle) => return (Restored::default(), Err(obstacle)),
        };
        let (mut first, ended) = self.attempt(file, compression, inspection, entries).await;
        let Some(doubt) = first.doubt().map(ToString::to_string) else { return (first, ended) };
        let several = format!("the restore over {jobs} connections");
        let whole = ended.is_ok();
        // Given up, it was not cut short.
        let cut = ended.err().filter(|_| first.refusals() < MOST_ERRORS);
        let begun = match cut {
            Some(cut) => Err(cut),
            None => {
                tracing::info!(doubt, "restoring once more, over one connection");
                self.start_again(&before, inspection).await
            }
        };
        let description = again::described(&first, jobs, whole);
        let (second, ended) = match begun {
            Ok(()) => self.attempt(file, compression, inspection, None).await,
            Err(cut) => {
                first.keep_proof();
                return (first, Err(again::unconfirmed(cut, &several, &doubt)));
            }
        };
        let counted = again::described(&second, 1, ended.is_ok());
        self.second_counts(&several, description, counted);
        match ended {
            Err(cut) if second.refusals() < MOST_ERRORS => {
                first.keep_proof();
                first.add_proof(&second);
                (first, Err(again::unconfirmed(cut, &several, &doubt)))
            }
            ended => (second, ended),
        }
    }

    /// One attempt: over several connections where there is a list of entries, else over one as the
    /// dump is read. Gives what it did, and what it did not come to its end for.
    async fn attempt(
        &self,
        file: &BackupFile,
        compression: Packing,
        inspection: &Inspection,
        entries: Option<Arc<Vec<Entry>>>,
    ) -> (Restored, Result<(), Obstacle>) {
        let Some(sandbox) = &self.sandbox else { return (Restored::default(), Ok(())) };
        let target = sandbox.connect_info().database(&self.database);
        let ledger = Ledger::of(self.known(inspection));
        let loaded = tokio::select! {
            biased;
            () = self.stop.token().cancelled() => None,
            loaded = self.load(file, compression, inspection, entries, &target, &ledger) => Some(loaded),
            why = lost(&target) => Some(Err(LoadError::Server(why))),
        };
        let ended = match loaded {
            None => Err(self.interrupted()),
            Some(Ok(())) => Ok(()),
            Some(Err(error @ LoadError::GivenUp)) => {
                Err(obstacle(&error, "the first error often explains the others"))
            }
            Some(Err(error)) => Err(self.cut_short(&error).await),
        };
        (ledger.close(), ended)
    }

    /// Whether the server has the extensions that the dump creates. What it lacks would fail in every
    /// table that uses it, so it is named alone.
    pub(super) async fn has_extensions(
        &mut self,
        target: &ConnectInfo,
        inspection: &Inspection,
    ) -> Result<bool, Obstacle> {
        let needed = &inspection.needs.extensions;
        let asked = async {
            let session = target.connect().await.map_err(|error| LoadError::server(&error))?;
            extensions::missing(&session, needed).await
        };
        let missing = match asked.await {
            Ok(missing) => missing,
            Err(error) => return Err(self.cut_short(&error).await),
        };
        if missing.is_empty() {
            return self.lends_extensions(inspection).await;
        }
        let server = self.server();
        let them = if missing.len() == 1 { "extension" } else { "extensions" };
        let whose = if server.local { "this machine's PostgreSQL" } else { "the image" };
        let cause =
            format!("the backup needs the {them} {}, which {whose} lacks", missing.join(", "));
        Err(obstacle(&cause, &extensions::remedy(&missing, server)))
    }

    /// Has the superuser create the extensions that the restoring role may not create, where it is no
    /// superuser itself.
    async fn lends_extensions(&mut self, inspection: &Inspection) -> Result<bool, Obstacle> {
        let Some(sandbox) = &self.sandbox else { return Ok(false) };
        let needed = inspection.needs.extensions.iter();
        let needed: Vec<_> = needed.map(|(name, at)| (name.as_str(), at.as_deref())).collect();
        let refused = sandbox.create_extensions(&self.database, &needed).await;
        let refused = refused.map_err(|error| self.no_sandbox(&error))?;
        if refused.is_empty() {
            return Ok(true);
        }
        let cause = format!(
            "the extension {} needs a superuser or brings a language, and a local server has \
             neither for a backup",
            refused.join(", ")
        );
        Err(obstacle(&cause, NEEDS_DOCKER))
    }

    fn restores_as_superuser(&self) -> bool {
        self.sandbox.as_ref().is_none_or(Sandbox::restores_as_superuser)
    }

    /// Makes the database that the dump is restored into, with what the dump needs beside it. `false`
    /// when that cannot be, and the report says why.
    pub(super) async fn make_database(
        &mut self,
        inspection: &Inspection,
    ) -> Result<bool, Obstacle> {
        let contents = &inspection.contents;
        if let Some(beyond) = &contents.beyond {
            return Err(obstacle(beyond, beyond.hint()));
        }
        // A dump of the globals alone connects to nothing, and changes roles all the same.
        if (contents.connects() || inspection.facts.cluster)
            && let Some(sandbox) = &mut self.sandbox
            && let Err(error) = sandbox.leave_postgres_alone().await
        {
            return Err(self.no_sandbox(&error));
        }
        let Some(sandbox) = &self.sandbox else { return Ok(false) };
        let database = if contents.connects_to(DATABASE) { OTHER_DATABASE } else { DATABASE };
        self.database = database.to_owned();
        let (kind, name) = (sandbox.kind(), database.to_owned());
        self.events.emit(Event::RestoreStarted { kind, database: name });
        self.events.emit(Event::DatabaseCreating { database: database.to_owned() });
        let locale = self.locale(inspection);
        let replaced = sandbox
            .create_database(database, &locale)
            .await
            .map_err(|error| self.no_sandbox(&error))?;
        if let Some(announcement) = replaced {
            self.has_c_for_locale = true;
            self.report.warnings.push(announcement.clone());
            self.events.emit(Event::Warning(announcement));
        }
        let needed = self.needed_roles(inspection);
        let needed = needed.iter().map(|(role, superuser)| (role.as_str(), *superuser));
        let roles = sandbox.create_roles(needed).await.map_err(|error| self.no_sandbox(&error))?;
        // Of roles that were made here, and of no others that the server has.
        let made = |name: &String| roles.contains(name);
        let mut memberships = self.memberships();
        memberships.retain(|(role, member)| made(role) && made(member));
        sandbox.grant_roles(&memberships).await.map_err(|error| self.no_sandbox(&error))?;
        if !roles.is_empty() {
            self.events.emit(Event::RolesCreated(roles.clone()));
            self.report.roles = roles;
        }
        let target = sandbox.connect_info().database(database);
        if !self.has_extensions(&target, inspection).await? {
            return Ok(false);
        }
        self.events.emit(Event::Restoring);
        Ok(true)
    }

    /// The roles that are made before the restore, and whether they are superusers: those that the dump
    /// names, those that it creates where the restoring role may not, and those that the memberships
    /// beside it are of.
    pub(super) fn needed_roles(&self, inspection: &Inspection) -> Vec<(String, bool)> {
        let needs = &inspection.needs;
        let mut needed: BTreeMap<String, bool> = match self.restores_as_superuser() {
            true => needs.roles().map(|role| (role.to_owned(), needs.is_superuser(role))).collect(),
            false => needs.all_roles().map(|role| (role.to_owned(), false)).collect(),
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
    fn memberships(&self) -> Vec<(String, String)> {
        let path = globals_path(&self.report.backup);
        std::fs::read(path).map(|sql| memberships::of(&sql)).unwrap_or_default()
    }

    /// Holds the restore to the time that it may take.
    pub(super) fn judge_restore_time(&mut self) {
        let Some(allowed) = self.settings.rto else { return };
        let took = self.report.restore_time().unwrap_or_default();
        self.events.emit(Event::SectionStarted(Section::Restore));
        self.note(restore_time::judge(took, allowed, self.report.restored));
    }

    /// Restores the entries over several connections, or the dump over one as it is read.
    async fn load(
        &self,
        file: &BackupFile,
        compression: Packing,
        inspection: &Inspection,
        entries: Option<Arc<Vec<Entry>>>,
        target: &ConnectInfo,
        ledger: &Ledger,
    ) -> Result<(), LoadError> {
        let (events, total) = (self.events.clone(), Some(inspection.dump_bytes));
        let progress = move |done: u64, table: &str| {
            let current = Some(table.to_owned()).filter(|table| !table.is_empty());
            let work = Work::Restoring;
            events.emit(Event::Progress(Progress { work, done, total, current }));
        };
        let bytes = inspection.dump_bytes;
        match entries {
            Some(entries) => {
                let source = Ranges::of(file, compression, inspection.marks.clone(), bytes);
                let jobs = self.settings.jobs;
                parallel::load(source, entries, target, jobs, ledger, Arc::new(progress)).await
            }
            None => load::load(file.stream(compression), target, ledger, &progress).await,
        }
    }

    /// Notes what the restore found.
    pub(super) async fn restored(
        &mut self,
        restored: &Restored,
        inspection: &Inspection,
        has_changed: &dyn Fn() -> bool,
    ) -> Result<(), Obstacle> {
        let is_bad = restored.unsound.is_some() || restored.is_in_doubt();
        if is_bad && has_changed() {
            return Err(changed());
        }
        let lacking = restored.lacking.iter().map(|lacking| &lacking.failure);
        let refused = restored.errors.iter().chain(lacking);
        let errors: Vec<String> = refused.map(ToString::to_string).collect();
        let tolerated = restored.tolerated.values().sum();
        self.events.emit(Event::RestoreFinished { errors, tolerated });
        for (rule, count) in &restored.tolerated {
            self.report.warnings.push(format!("{count} × {rule}"));
        }
        if restored.tolerated.contains_key(&Rule::LocaleReplaced) {
            self.has_c_for_locale = true;
            self.events.emit(Event::Warning(collation::REPLACED.to_owned()));
        }
        if let Some(unsound) = &restored.unsound {
            self.report.defects.push(Defect { cause: unsound.to_string(), hint: None });
        }
        let mut in_the_way = lacking::obstacle_of(restored, self.server());
        let (mut proof, mut lacks_locale) = (None, false);
        for failure in &restored.errors {
            if let Some(obstacle) = self.is_about_the_locale(failure, inspection).await {
                lacks_locale = true;
                in_the_way = in_the_way.or(Some(obstacle));
            } else if !(lacks_locale && ABSENT.contains(&failure.error.code.as_str())) {
                // What was not made for want of the locale is not there.
                proof = Some(failure);
                break;
            }
        }
        if let Some(first) = proof {
            let cause = again::first_line(&first.to_string());
            let hint = format!("{}; --log-file FILE keeps every error", advice::advice(first));
            self.report.defects.push(Defect::new(format!("restore error: {cause}"), hint));
        } else if let Some(obstacle) = in_the_way {
            return Err(obstacle);
        }
        self.report.restored = !is_bad;
        Ok(())
    }

    /// What the restore's errors are judged by.
    pub(super) fn known(&self, inspection: &Inspection) -> Known {
        Known {
            cleaning: inspection.needs.cleaning.clone(),
            superuser: self.restores_as_superuser(),
            cluster: inspection.facts.cluster,
            bytes_for_letters: self.manifest.is_none()
                && inspection.facts.client_encoding.as_deref() == Some("SQL_ASCII"),
        }
    }

    /// Where the backup is restored, for a hint.
    fn server(&self) -> Server {
        Server {
            major: self.sandbox.as_ref().map_or(0, Sandbox::version),
            local: !self.restores_as_superuser(),
        }
    }

    /// The locale of the new database: the manifest's, else C in the dump's encoding.
    pub(super) fn locale(&self, inspection: &Inspection) -> Locale {
        let encoding = inspection.facts.client_encoding.as_deref();
        // Where only clients can have it, UTF-8 takes every character of it.
        let of_dump = Locale::of_encoding(encoding.filter(|name| is_for_databases(name)));
        let Some(source) = self.manifest.as_ref().map(|manifest| &manifest.source) else {
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
}
