//! The second attempt at a restore. What several connections are refused may be our own doing, so it
//! is done once more, in a fresh database, over one connection and in the dump's order; that counts.
//! Every kind of backup shares it.

use super::findings::Notes;
use super::kind::Attempted;
use super::obstacles::unless_stopped;
use super::server::ServerError;
use super::target::Target;
use super::timescaledb;
use crate::model::outcome::{Attempt, Obstacle};
use crate::restore::cluster::{self, Cluster};
use crate::restore::{LoadError, MOST_ERRORS, Restored};

/// A first attempt, over several connections, that left a doubt.
pub(in crate::commands) struct First {
    /// What it did.
    pub restored: Restored,
    /// Over how many connections.
    pub jobs: usize,
    /// How it was made, in words.
    pub several: String,
    /// Whether it came to its end.
    pub whole: bool,
    /// The first error that proves nothing yet.
    pub doubt: String,
    /// Whether its errors are understood.
    pub adds_up: bool,
}

impl First {
    /// Nothing but this attempt can tell, because of `cut`: what is proof all the same is kept.
    pub fn unconfirmed(mut self, cut: Obstacle) -> Attempted {
        self.restored.keep_proof();
        let cut = self.doubted(cut);
        (self.restored, Err(cut))
    }

    /// Why it could not be told whether a refusal to several connections is the backup's fault.
    fn doubted(&self, cut: Obstacle) -> Obstacle {
        let (cause, several, doubt) = (&cut.cause, &self.several, first_line(&self.doubt));
        let cause = format!(
            "{cause}; {several} failed before, which one connection was to confirm: {doubt}"
        );
        Obstacle { cause, ..cut }
    }

    /// Both attempts for the report.
    fn beside(&self, second: &Restored, whole: bool) -> [Attempt; 2] {
        let mut first = described(&self.restored, self.jobs, self.whole);
        let second = described(second, 1, whole);
        // What did not add up is no other error than the one that the second attempt met.
        if !self.adds_up {
            first.first_error = match second.errors {
                0 => Some(first_line(&self.doubt)),
                _ => second.first_error.clone(),
            };
        }
        [first, second]
    }
}

/// Restores once more, by `alone`, in a database made anew. Both attempts are noted, and the second
/// counts; where it is cut short, what was proof in either does.
pub(in crate::commands) async fn second_opinion(
    target: Target<'_>,
    before: Option<&Cluster>,
    first: First,
    alone: impl Future<Output = Attempted>,
    notes: &mut Notes<'_>,
) -> Attempted {
    tracing::info!(first.doubt, "restoring once more, over one connection");
    target.early.forget();
    if let Err(cut) = start_again(target, before).await {
        return first.unconfirmed(cut);
    }
    let (mut second, ended) = alone.await;
    let attempts = first.beside(&second, ended.is_ok());
    if let Some(warning) = difference(&first.several, &attempts) {
        notes.warn(warning);
    }
    notes.findings.attempts.extend(attempts);
    match ended {
        // Given up, it was not cut short.
        Err(cut) if second.refusals() < MOST_ERRORS => {
            second.add_proof(&first.restored);
            (second, Err(first.doubted(cut)))
        }
        ended => (second, ended),
    }
}

/// What there is in the cluster before an attempt. Where others work, what is new there is not ours to
/// remove.
pub(in crate::commands) async fn cluster(target: Target<'_>) -> Result<Option<Cluster>, Obstacle> {
    if !target.server.is_ours_alone() {
        return Ok(None);
    }
    let asking = Cluster::of(target.server.connect_info());
    match unless_stopped(target.cx.stop, asking).await? {
        Ok(before) => Ok(Some(before)),
        Err(error) => Err(target.cut_short(&error).await),
    }
}

/// Makes the database anew, and leaves nothing of an attempt in the cluster.
pub(in crate::commands) async fn start_again(
    target: Target<'_>,
    before: Option<&Cluster>,
) -> Result<(), Obstacle> {
    if let Err(error) = unless_stopped(target.cx.stop, clear(target, before)).await? {
        let error = format!("what a first attempt made could not be removed: {error}");
        return Err(target.cut_short(&error).await);
    }
    unless_stopped(target.cx.stop, target.bring_extensions()).await??;
    unless_stopped(target.cx.stop, timescaledb::begin(target)).await?
}

async fn clear(target: Target<'_>, before: Option<&Cluster>) -> Result<(), String> {
    let of_load = |error: LoadError| error.to_string();
    let of_sandbox = |error: ServerError| error.to_string();
    let Target { server, database, .. } = target;
    let maintenance = server.connect_info();
    cluster::release(maintenance, database).await.map_err(of_load)?;
    server.drop_database(database).await.map_err(of_sandbox)?;
    if let Some(before) = before {
        before.forget_others(maintenance).await.map_err(of_load)?;
    }
    // The dump may have dropped some of them.
    let needed = target.needed_roles();
    let roles = needed.iter().map(|(role, superuser)| (role.as_str(), *superuser));
    server.create_roles(roles).await.map_err(of_sandbox)?;
    server.create_database(database, &target.locale()).await.map_err(of_sandbox).map(drop)
}

/// What to warn of where the second attempt came to its end and met something else.
fn difference(several: &str, [first, second]: &[Attempt; 2]) -> Option<String> {
    let error = first.first_error.as_ref()?;
    if !second.whole || first.first_error == second.first_error {
        return None;
    }
    let how = if second.errors == 0 {
        "where one connection did not"
    } else {
        "otherwise than over one connection, which counts"
    };
    Some(format!("{several} failed {how}: {error}"))
}

fn described(restored: &Restored, connections: usize, whole: bool) -> Attempt {
    let first_error = restored.errors.first().map(|failure| first_line(&failure.to_string()));
    Attempt { connections, errors: restored.errors.len(), first_error, whole }
}

/// What several lines say in the first.
pub(in crate::commands) fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(errors: usize, first_error: Option<&str>, whole: bool) -> Attempt {
        Attempt { connections: 1, errors, first_error: first_error.map(str::to_owned), whole }
    }

    #[test]
    fn a_second_attempt_that_met_something_else_is_worth_a_warning() {
        let first = || attempt(1, Some("deadlock"), true);
        let warned = |second| difference("several", &[first(), second]);
        let none = "several failed where one connection did not: deadlock";
        assert_eq!(warned(attempt(0, None, true)).as_deref(), Some(none));
        let other = "several failed otherwise than over one connection, which counts: deadlock";
        assert_eq!(warned(attempt(1, Some("syntax"), true)).as_deref(), Some(other));
        assert_eq!(warned(attempt(1, Some("deadlock"), true)), None);
        assert_eq!(warned(attempt(0, None, false)), None);
    }

    #[test]
    fn errors_of_the_first_attempt_that_did_not_add_up_are_told_in_the_seconds_words() {
        let first = First {
            restored: Restored::default(),
            jobs: 4,
            several: "pg_restore --jobs=4".to_owned(),
            whole: true,
            doubt: "pg_restore ended with 1: torn".to_owned(),
            adds_up: false,
        };
        let [told, _] = first.beside(&Restored::default(), true);
        assert_eq!(told.first_error.as_deref(), Some("pg_restore ended with 1: torn"));
        let mut second = Restored::default();
        second.errors.push(crate::restore::archive::failed("boom"));
        let [told, counted] = first.beside(&second, true);
        assert_eq!((told.errors, &told.first_error), (0, &counted.first_error));
    }
}
