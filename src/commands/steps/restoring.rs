//! The third step: restores the backup into a new database of the sandbox, reads to its end what was not read before,
//! and says what follows from how that ended.

use std::time::{Duration, Instant};

use super::context::Context;
use super::early_rows::EarlyRows;
use super::findings::{Notes, Step};
use super::kind::{Attempted, Examined, Kind};
use super::obstacles::{changed, no_server, obstacle, unless_stopped};
use super::report::Collector;
use super::server::Server;
use super::target::{Target, database_for};
use super::{again, collation, expecting, extension_version, lacking, reading, timescaledb};
use crate::checks::restore_time;
use crate::commands::inspect::Inspection;
use crate::events::{Event, Work};
use crate::model::outcome::{Defect, Obstacle, RESTORE, Section};
use crate::restore::tolerate::Rule;
use crate::restore::{self, MOST_ERRORS, advice};

/// A backup that was restored, well or not.
#[derive(Debug)]
pub(in crate::commands) struct Restored {
    /// The database that it began in.
    pub database: String,
    /// What was read back of it while it was restored.
    pub early: EarlyRows,
    /// The roles that were made for it.
    pub roles: Vec<String>,
}

/// Restores the backup; afterwards all that it says is known. `None` when it is bad beyond any check.
pub(in crate::commands) async fn restore<K: Kind>(
    cx: Context<'_>,
    kind: &K,
    examined: &mut Examined<K::Places>,
    server: &mut Server,
    collector: &mut Collector,
) -> Result<Option<Restored>, Obstacle> {
    let (mut notes, mut read) = (Notes::new(cx.events), None);
    let outcome = restored(cx, kind, examined, server, &mut read, &mut notes).await;
    let restored = notes.end(outcome.map(Some));
    match read.map(|read| collector.take(read)) {
        None => {}
        Some(Ok(Some(dump))) => examined.dump = dump,
        // What a bad backup restores to says nothing more.
        Some(Ok(None)) => return Ok(None),
        // What was refused until then is proof all the same.
        Some(Err(obstacle)) => return collector.take(restored).and(Err(obstacle)),
    }
    collector.take(restored)
}

async fn restored<K: Kind>(
    cx: Context<'_>,
    kind: &K,
    examined: &Examined<K::Places>,
    server: &mut Server,
    read: &mut Option<Step<Inspection>>,
    notes: &mut Notes<'_>,
) -> Result<Restored, Obstacle> {
    let dump = &examined.dump;
    let contents = &dump.contents;
    reading::check_supported(contents)?;
    // A dump of the globals alone connects to nothing, and changes roles all the same.
    if (contents.connects() || dump.facts.cluster)
        && let Err(error) = unless_stopped(cx.stop, server.leave_postgres_alone()).await?
    {
        return Err(no_server(&error, cx.stop));
    }
    let database = database_for(server, contents);
    notes.findings.facts.database = Some(database.clone());
    let early = EarlyRows::default();
    let target = Target { cx, server, dump, database: &database, early: &early };
    let has_c_for_locale = unless_stopped(cx.stop, target.make(notes)).await??;
    unless_stopped(cx.stop, timescaledb::begin(target)).await??;
    if let Some(time) = expecting::restore_time(cx) {
        cx.events.emit(Event::Expected(Work::Restoring, time));
    }
    let clock = Instant::now();
    let restoring = async {
        let attempted = kind.restore(target, &examined.places, notes).await;
        (attempted, clock.elapsed())
    };
    let reading = kind.read_on(target, &examined.places);
    let ((attempted, took), rest) = tokio::join!(restoring, reading);
    *read = rest;
    notes.phase(RESTORE, took);
    let ended = judge(target, has_c_for_locale, attempted, notes).await;
    let ended = ended.and(timescaledb::end(target).await);
    judge_time(cx, took, notes);
    let roles = notes.findings.facts.roles.clone();
    ended.map(|()| Restored { database, early, roles })
}

/// What follows from a restore that ended so. What the server refused until then is proof, whatever
/// cut the restore short.
async fn judge(
    target: Target<'_>,
    has_c_for_locale: bool,
    (restored, ended): Attempted,
    notes: &mut Notes<'_>,
) -> Result<(), Obstacle> {
    let Context { stop, backup, .. } = target.cx;
    let untold = restored.errors.is_empty();
    // Of what the server lacks, there may be more than is worth trying.
    let lacks_much = untold && restored.refusals() >= MOST_ERRORS;
    let ended = ended.or_else(|obstacle| if lacks_much { Ok(()) } else { Err(obstacle) });
    // Of a run that was stopped and has nothing to tell, the disk, which may be what does not
    // answer, is not asked.
    let asks = !(untold && stop.token().is_cancelled());
    match ended {
        Err(_) if asks && backup.has_changed() => Err(changed()),
        Err(obstacle) if untold => Err(obstacle),
        ended => {
            let judged = judge_refusals(target, has_c_for_locale, &restored, notes).await;
            judged.and(ended)
        }
    }
}

/// Notes what the restore found.
async fn judge_refusals(
    target: Target<'_>,
    mut has_c_for_locale: bool,
    restored: &restore::Restored,
    notes: &mut Notes<'_>,
) -> Result<(), Obstacle> {
    let Context { events, backup, .. } = target.cx;
    let is_bad = restored.unsound.is_some() || restored.is_in_doubt();
    if is_bad && backup.has_changed() {
        return Err(changed());
    }
    let lacking = restored.lacking.iter().map(|lacking| &lacking.failure);
    let refused = restored.errors.iter().chain(lacking);
    let errors: Vec<String> = refused.map(ToString::to_string).collect();
    let tolerated = restored.tolerated.values().sum();
    events.emit(Event::RestoreFinished { errors, tolerated });
    let passed_over = restored.tolerated.iter().map(|(rule, count)| format!("{count} × {rule}"));
    notes.findings.warnings.extend(passed_over);
    if restored.tolerated.contains_key(&Rule::LocaleReplaced) {
        has_c_for_locale = true;
        events.emit(Event::Warning(collation::REPLACED.to_owned()));
    }
    if let Some(unsound) = &restored.unsound {
        notes.defect(Defect { cause: unsound.to_string(), hint: None });
    }
    let lacks = lacking::obstacle_of(restored, target.described());
    let (errors, of_version) = extension_version::weigh(target, &restored.errors).await;
    let weighed = collation::weigh(target, has_c_for_locale, &errors).await;
    if let Some(first) = weighed.proof {
        let cause = again::first_line(&first.to_string());
        let cause = format!("restore error: {cause}");
        if !target.server.is_ours_alone() {
            // What another server refuses may be its own doing.
            let hint = "`ccc-backup verify` tells whether the backup is to blame; --log-file FILE \
                        keeps every error";
            return Err(obstacle(&cause, hint));
        }
        let hint = format!("{}; --log-file FILE keeps every error", advice::advice(first));
        notes.defect(Defect::new(cause, hint));
    } else if let Some(obstacle) = lacks.or(of_version).or(weighed.obstacle) {
        return Err(obstacle);
    }
    notes.findings.facts.restored = !is_bad;
    Ok(())
}

/// Holds the restore to the time that it may take.
fn judge_time(cx: Context<'_>, took: Duration, notes: &mut Notes<'_>) {
    let Some(allowed) = cx.proof.rto else { return };
    cx.events.emit(Event::SectionStarted(Section::Restore));
    let restored = notes.findings.facts.restored;
    notes.check(restore_time::judge(took, allowed, restored));
}
