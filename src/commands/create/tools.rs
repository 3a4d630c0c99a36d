//! The client tools for a server that is newer than those at hand: pg_dump refuses to dump it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::net::unix::pipe;
use tokio_util::sync::CancellationToken;

use super::{Job, interrupted};
use crate::commands::Failure;
use crate::events::Event;
use crate::libpq::surroundings::Surroundings;
use crate::process::{Call, Elsewhere, Ended, ProcessError};
use crate::sandbox::SandboxError;
use crate::sandbox::tools::{ClientTools, ToolCall, ToolCaller};
use crate::source::client_tools::PgDump;
use crate::source::error::SourceError;
use crate::source::facts::Facts;
use crate::store::naming;

/// Where pg_dump makes files of its own for the tar format, whatever TMPDIR says (tmpfile(3)).
const TEMPORARY: &str = "/tmp";

/// What is dumped with; in containers for as long as this lives.
pub(super) struct Tools {
    /// pg_dump, with the others beside it.
    pub(super) pg_dump: PgDump,
    containers: Option<ClientTools>,
}

impl Tools {
    /// Ends what still runs of them.
    pub(super) async fn close(self) {
        if let Some(containers) = self.containers {
            containers.close().await;
        }
    }
}

/// What there is to dump a server of a major version with.
#[derive(Debug)]
pub(in crate::commands) enum Fit {
    /// The pg_dump at hand: it is of that version, or was asked for by name, or is in the container of the database.
    AtHand,
    /// The pg_dump at hand, which is newer: there is none of that version.
    TooNew,
    /// Another one of this machine, of that version, in place of one that is newer.
    Same(PgDump, PathBuf),
    /// Another one of this machine, in place of one that is older.
    Newer(PgDump, PathBuf),
    /// One of an image, in place of one that is older.
    InContainer,
}

impl Fit {
    /// What there is beside `pg_dump`, which may have been asked for by name. Where it is newer, those of this machine that
    /// are of the server's version, if there are any. Where it is older, newer ones of this machine, else those of an image.
    pub(in crate::commands) async fn of(pg_dump: &PgDump, is_named: bool, server: u32) -> Self {
        if pg_dump.major == server || is_named || pg_dump.tool.is_apart() {
            return Self::AtHand;
        }
        let other = PgDump::of_version(server).await;
        match other {
            Some((same, path)) if pg_dump.major > server && same.major == server => {
                Self::Same(same, path)
            }
            _ if pg_dump.major > server => Self::TooNew,
            Some((newer, path)) => Self::Newer(newer, path),
            None => Self::InContainer,
        }
    }
}

/// The tools to take, by [`Fit`]. Where there are none, pg_dump itself will say that it is too old.
pub(super) async fn fitting(
    job: &Job<'_>,
    pg_dump: PgDump,
    facts: &Facts,
) -> Result<Tools, Failure> {
    let as_it_is = |pg_dump| Tools { pg_dump, containers: None };
    let Facts::Known(known) = facts else { return Ok(as_it_is(pg_dump)) };
    let server = known.major();
    let warn = |text: String| job.events.emit(Event::Warning(text));
    let announce = |taken: &str| {
        warn(format!(
            "pg_dump {} is older than the server, which is PostgreSQL {}: using {taken}",
            pg_dump.version, known.server_version
        ));
    };
    match Fit::of(&pg_dump, job.settings.pg_dump.is_some(), server).await {
        Fit::AtHand => return Ok(as_it_is(pg_dump)),
        Fit::TooNew => {
            warn(format!(
                "pg_dump {} is newer than the server, which is PostgreSQL {}: its dumps set what that \
                 does not know, and psql stops there with ON_ERROR_STOP",
                pg_dump.version, known.server_version
            ));
            return Ok(as_it_is(pg_dump));
        }
        Fit::Same(same, path) => {
            tracing::info!(path = %path.display(), "of the server's own version");
            return Ok(as_it_is(same));
        }
        Fit::Newer(newer, path) => {
            announce(&format!("pg_dump {} in {}", newer.version, path.display()));
            return Ok(as_it_is(newer));
        }
        Fit::InContainer => {}
    }
    let containers = match ClientTools::of_version(server, job.events, job.stop.token()).await {
        Ok(containers) => containers,
        Err(SandboxError::Interrupted) => return Err(interrupted(job.stop)),
        Err(error) => {
            let older = format!("pg_dump {} is older than the server", pg_dump.version);
            match error {
                SandboxError::ImageMissing { image, reason, .. } => warn(format!(
                    "{older}, and {image}, which has a newer one, cannot be pulled: {reason}"
                )),
                error => warn(format!("{older}, and none can be had from a container: {error}")),
            }
            return Ok(as_it_is(pg_dump));
        }
    };
    let writable =
        std::path::absolute(naming::directory_of(job.target)).map_err(SourceError::Pipe)?;
    let caller = InContainers { caller: containers.caller(), writable };
    let newer = PgDump::elsewhere(Arc::new(caller)).await?;
    announce(&format!("pg_dump {} in a container of {}", newer.version, containers.image()));
    Ok(Tools { pg_dump: newer, containers: Some(containers) })
}

/// Runs client tools in containers, which get from this machine what libpq needs, and the directory
/// that is written to.
#[derive(Debug)]
struct InContainers {
    caller: ToolCaller,
    writable: PathBuf,
}

impl Elsewhere for InContainers {
    fn run(
        &self,
        call: Call,
        stdout: pipe::Sender,
        stop: CancellationToken,
    ) -> BoxFuture<'static, Result<Ended, ProcessError>> {
        let program = call.program.clone();
        let failed = |source| ProcessError::Start { program, source };
        let call = match tool_call(call, &self.writable) {
            Ok(call) => call,
            Err(error) => return std::future::ready(Err(failed(error))).boxed(),
        };
        let running = self.caller.clone().run(call, stdout, stop);
        async move { running.await.map_err(|error| failed(std::io::Error::other(error))) }.boxed()
    }
}

/// A call as a container takes it.
fn tool_call(call: Call, writable: &Path) -> std::io::Result<ToolCall> {
    let text = |arg: std::ffi::OsString| {
        arg.into_string().map_err(|arg| {
            let text = format!("{} cannot be given to a container", arg.display());
            std::io::Error::new(std::io::ErrorKind::InvalidInput, text)
        })
    };
    let directory = text(writable.as_os_str().to_owned())?.into();
    let args = call.args.into_iter().map(text).collect::<Result<Vec<_>, _>>()?;
    let Surroundings { variables, password, files } = Surroundings::of(call.env);
    let variables = variables.into_iter().map(|(name, value)| format!("{name}={}", value.expose()));
    let temporary = Path::new(TEMPORARY).is_dir().then(|| PathBuf::from(TEMPORARY));
    let written: BTreeSet<PathBuf> = temporary.into_iter().chain([writable.to_owned()]).collect();
    Ok(ToolCall {
        argv: std::iter::once(call.program).chain(args).collect(),
        env: variables.collect(),
        password,
        readable: files,
        writable: written,
        directory,
    })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;
    use crate::model::secret::Secret;

    fn call(args: Vec<std::ffi::OsString>) -> Call {
        let variables = [("PGPASSWORD", "hunter2"), ("PGUSER", "u"), ("OTHER", "x")];
        let variables = variables.map(|(name, value)| (name.to_owned(), Secret::new(value)));
        Call { program: "pg_dump".into(), args, env: variables.into() }
    }

    #[test]
    fn the_password_is_in_nothing_that_an_inspection_shows() {
        let made = tool_call(call(vec!["--file=x".into()]), Path::new("/var/back:ups")).unwrap();
        assert_eq!(made.argv, ["pg_dump", "--file=x"]);
        assert_eq!(made.env, ["PGUSER=u"]);
        assert_eq!(made.password.expose(), "hunter2");
        assert!(made.writable.contains(Path::new("/var/back:ups")));
    }

    #[test]
    fn what_is_no_text_cannot_be_given_to_a_container() {
        let odd = OsStr::from_bytes(b"\xff").to_owned();
        assert!(tool_call(call(vec![odd.clone()]), Path::new("/b")).is_err());
        assert!(tool_call(call(Vec::new()), &Path::new("/b").join(odd)).is_err());
    }
}
