//! The application's migrations in a restored database: what keeps them, and how far they are from the application's.

use std::path::Path;
use std::time::Duration;

use tokio::io::AsyncReadExt;

use super::findings::Notes;
use crate::checks::CheckError;
use crate::checks::migrations::head::{self, Newest};
use crate::checks::migrations::kinds::Kind;
use crate::checks::migrations::{self, Demand, Keeper, Source, listed, versions};
use crate::commands::Stop;
use crate::events::{Event, Events};
use crate::model::outcome::{Section, Status};
use crate::pg::Session;
use crate::process::Invocation;

/// How long a command may take that lists migrations.
const LIMIT: Duration = Duration::from_secs(60);
/// Bytes of what it lists, at the most.
const MOST_BYTES: u64 = 16 << 20;

/// Checks what is demanded, and shows what is found.
pub(in crate::commands) async fn check(
    session: &Session,
    demand: &Demand,
    (events, stop): (&Events, &Stop),
    notes: &mut Notes<'_>,
) -> Result<(), CheckError> {
    let kind = match demand.keeper {
        Keeper::None => return Ok(()),
        Keeper::Kind(kind) => Some(kind),
        Keeper::Found => None,
    };
    events.emit(Event::SectionStarted(Section::Migrations));
    match kind {
        Some(Kind::Alembic) => alembic(session, demand, stop, notes).await,
        Some(kind) => {
            match migrations::of_kind(session, kind, demand.table.as_ref()).await? {
                Some(kept) => notes.check(migrations::check_other(session, &kept, true).await?),
                None => notes.check(migrations::missing(kind, demand)),
            }
            Ok(())
        }
        None => found(session, demand, stop, notes).await,
    }
}

/// Whatever is found.
async fn found(
    session: &Session,
    demand: &Demand,
    stop: &Stop,
    notes: &mut Notes<'_>,
) -> Result<(), CheckError> {
    let found = migrations::found(session).await?;
    if found.is_empty() {
        notes.check(migrations::none_found());
    }
    for kept in found {
        match kept.kind {
            Kind::Alembic => alembic(session, demand, stop, notes).await?,
            _ => notes.check(migrations::check_other(session, &kept, false).await?),
        }
    }
    Ok(())
}

async fn alembic(
    session: &Session,
    demand: &Demand,
    stop: &Stop,
    notes: &mut Notes<'_>,
) -> Result<(), CheckError> {
    let (check, restored) = migrations::check_alembic(session, demand).await?;
    let is_there = check.status == Status::Passed;
    notes.check(check);
    let Some(source) = demand.source.as_ref().filter(|_| is_there) else { return Ok(()) };
    let (newest, place) = match source {
        Source::Directory(dir) => {
            let read = versions::read(dir).map(Newest::All).map_err(|error| error.to_string());
            (read, dir.display().to_string())
        }
        Source::Command { words, home } => {
            (listed(words, home, stop).await, "the command of [checks.migrations]".to_owned())
        }
    };
    notes.check(match newest {
        Ok(newest) => head::judge(&restored, &newest, &place, demand.require_head),
        Err(why) => head::not_compared(&why),
    });
    Ok(())
}

/// What the operator's command lists; else why it does not.
async fn listed(words: &str, home: &Path, stop: &Stop) -> Result<Newest, String> {
    let home = if home.as_os_str().is_empty() { Path::new(".") } else { home };
    let command = Invocation::new("sh").args(["-c", words]).directory(home);
    let mut running = command.start().map_err(|error| error.to_string())?;
    let listing = async {
        let mut text = Vec::new();
        if let Some(stdout) = running.take_stdout().map_err(|error| error.to_string())? {
            let read = stdout.take(MOST_BYTES).read_to_end(&mut text).await;
            read.map_err(|error| error.to_string())?;
        }
        running.exited().await;
        Ok::<_, String>(text)
    };
    let text = tokio::select! {
        text = listing => text?,
        () = stop.token().cancelled() => {
            running.kill().await;
            return Err(stop.reason());
        }
        () = tokio::time::sleep(LIMIT) => {
            running.kill().await;
            return Err(format!("the command that lists them did not end within {} s", LIMIT.as_secs()));
        }
    };
    let ended = running.wait().await.map_err(|error| error.to_string())?;
    if !ended.status.success() {
        let said = ended.stderr.last().map_or(String::new(), |line| format!(": {line}"));
        return Err(format!("the command that lists them failed, {}{said}", ended.status));
    }
    listed::read(&String::from_utf8_lossy(&text))
        .map_err(|why| format!("the command that lists them is not understood: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn of(words: &str, home: &Path) -> Result<Newest, String> {
        listed(words, home, &Stop::default()).await
    }

    #[tokio::test]
    async fn a_command_is_run_where_the_configuration_is_and_its_lines_are_read() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("it's")).unwrap();
        let home = home.path().join("it's");
        std::fs::write(home.join("heads"), "0607bc5b8541 (head)\n").unwrap();
        let heads = Newest::Heads(vec!["0607bc5b8541".to_owned()]);
        assert_eq!(of("cat heads", &home).await, Ok(heads));
    }

    #[tokio::test]
    async fn a_command_that_fails_or_lists_nothing_says_why() {
        let failed = of("echo no such file >&2; exit 3", Path::new("")).await.unwrap_err();
        assert!(failed.ends_with("failed, exit status: 3: no such file"), "{failed}");
        let silent = of("true", Path::new("")).await.unwrap_err();
        assert!(silent.ends_with("it lists no revision"), "{silent}");
    }
}
