//! Who is told of runs: whether they can be reached, or, where that is asked for, whether a test arrives.

use std::time::Duration;

use chrono::Utc;
use futures_util::future::join_all;
use uuid::Uuid;

use super::senseless;
use crate::commands::notify;
use crate::model::checkup::{Area, Finding, State};
use crate::model::ended_run::{Command, EndedRun};
use crate::notify::{Message, Target, Way};
use crate::settings::DoctorSettings;

const AREA: Area = Area::Notifications;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn examine(settings: &DoctorSettings) -> Vec<Finding> {
    if settings.targets.is_empty() {
        let said = "nobody is told of runs: [notify] in ccc-backup.toml";
        return vec![Finding::new(AREA, "none", "targets", State::NotSetUp, said)];
    }
    let limit = match &settings.limit {
        Ok(limit) => *limit,
        Err(error) => return vec![senseless(AREA, "timeout", "notify.timeout", error)],
    };
    let message = settings.send_test.then(test);
    let looking = settings.targets.iter().enumerate().map(async |(at, target)| {
        let id = format!("target_{}", at + 1);
        match target {
            Ok(target) => look(&id, target, message.as_ref(), limit).await,
            Err(error) => senseless(AREA, &id, "target", error),
        }
    });
    join_all(looking).await
}

async fn look(id: &str, target: &Target, test: Option<&Message>, limit: Duration) -> Finding {
    let who = match target.host() {
        host if host.is_empty() => target.kind().to_owned(),
        host => format!("{} {host}", target.kind()),
    };
    let of = |state, said: String| Finding::new(AREA, id, who, state, said);
    if let Some(message) = test {
        return match target.test(message, limit).await {
            Ok(()) => of(State::Works, "a test was sent, and taken".to_owned()),
            Err(untold) => of(State::Broken, format!("a test was not taken: {untold}"))
                .mended("mend it, and try again: ccc-backup doctor --send-test"),
        };
    }
    let Some((address, _)) = target.address() else {
        debug_assert!(matches!(target.way, Way::Command(_)));
        let said = "it was not run, as it would tell somebody".to_owned();
        return of(State::NotTried, said).mended("ccc-backup doctor --send-test runs it");
    };
    match target.reach(PATIENCE).await {
        Err(untold) => of(State::Broken, untold.to_string())
            .mended("check the host in its URL, the network, and the proxy in HTTPS_PROXY"),
        Ok(()) if address.is_in_the_open() => {
            let said = "its host answers; by http, whoever is on the way can read what is sent";
            of(State::Remark, said.to_owned()).mended("take https://")
        }
        Ok(()) => of(State::Works, "its host answers; nobody was told (--send-test)".to_owned()),
    }
}

/// Word of a run that there was not.
fn test() -> Message {
    notify::message(&EndedRun {
        id: Uuid::now_v7().to_string(),
        command: Command::Doctor,
        exit_code: 0,
        started_at: Utc::now(),
        seconds: 0.0,
        host: notify::host_name(),
        backup: None,
        causes: Vec::new(),
        hint: None,
        warnings: Vec::new(),
        report: None,
    })
}
