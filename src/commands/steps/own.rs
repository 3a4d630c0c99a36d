//! The operator's own questions, put to the restored databases last: what comes before proves that they are the
//! backup's.

use std::collections::{BTreeMap, BTreeSet};

use super::context::Place;
use super::database::Checking;
use super::findings::Notes;
use super::restoring::Restored;
use super::server::ServerError;
use crate::checks::CheckError;
use crate::checks::sql::{self, Answer, NotAsked, SqlCheck};
use crate::dump::item::Statement;
use crate::dump::roles;
use crate::events::Event;
use crate::model::outcome::{CheckResult, Section, Status};
use crate::model::role_rights::RoleRights;
use crate::pg::{ConnectInfo, ServerError as Refusal};
use crate::restore::known::Known;
use crate::restore::lacking::lack;

/// What a role was refused.
const NO_RIGHTS: &str = "42501";
/// Pg_dump's word for privileges.
const PRIVILEGES: &str = "ACL";

/// Asks all of them. Those that name no database are for the application's, `database`.
pub(in crate::commands) async fn check(
    checking: &Checking<'_>,
    restored: &Restored,
    database: &str,
    notes: &mut Notes<'_>,
) -> Result<(), CheckError> {
    let questions = &checking.cx.proof.questions;
    if questions.is_empty() {
        return Ok(());
    }
    checking.cx.events.emit(Event::SectionStarted(Section::Own));
    let tells_rights = give_rights(checking, restored).await?;
    let mut looked_at = BTreeSet::new();
    for question in questions {
        let result = match place(checking, restored, question, database) {
            Asked::Of(name) => {
                let target = checking.server.connect_info().database(&name);
                if looked_at.insert(name) {
                    gather_statistics(checking, &target).await;
                }
                let answer = answer(checking, question, &target, tells_rights).await?;
                sql::judge(question, &answer)
            }
            Asked::Another(name) => sql::of_another(question, &name),
        };
        notes.check(unless_forced(checking, result));
    }
    Ok(())
}

/// Where a question goes.
enum Asked {
    /// To the database of this name on the server.
    Of(String),
    /// Nowhere: the backup is of another database than this, which is meant.
    Another(String),
}

fn place(
    checking: &Checking<'_>,
    restored: &Restored,
    question: &SqlCheck,
    database: &str,
) -> Asked {
    let Some(named) = &question.database else { return Asked::Of(database.to_owned()) };
    let makes_its_own =
        checking.expected.contents.connects() && checking.server.database().is_none();
    if makes_its_own {
        return Asked::Of(named.clone());
    }
    let source = checking.cx.manifest.and_then(|manifest| manifest.source.database.as_ref());
    match source {
        Some(source) if source != named => Asked::Another(named.clone()),
        // Where nothing says what it is of, it is the one that there is.
        _ => Asked::Of(restored.database.clone()),
    }
}

async fn answer(
    checking: &Checking<'_>,
    question: &SqlCheck,
    target: &ConnectInfo,
    tells_rights: bool,
) -> Result<Answer, CheckError> {
    let session = match target.connect().await {
        Ok(session) => session,
        // A database that the backup does not have.
        Err(error) => match Refusal::of(&error).filter(|refusal| refusal.code == "3D000") {
            Some(refusal) => return Ok(Answer::Refused(refusal)),
            None => return Err(CheckError::of(&error)),
        },
    };
    let answer = sql::ask(&session, question).await?;
    let Answer::Refused(refusal) = &answer else { return Ok(answer) };
    let excuse = excuse(checking, question, refusal, tells_rights);
    Ok(excuse.map_or(answer, Answer::Not))
}

/// Why a refusal says nothing of the backup: the server lacks what the query needs.
fn excuse(
    checking: &Checking<'_>,
    question: &SqlCheck,
    refusal: &Refusal,
    tells_rights: bool,
) -> Option<NotAsked> {
    if let Some(role) = question.role.as_ref().filter(|_| refusal.code == NO_RIGHTS) {
        if tells_rights {
            return None;
        }
        let lack = format!("the backup does not tell all that {role} may: {}", refusal.message);
        let hint =
            "make it with owners, privileges and roles: ccc-backup create --keep-owner --globals";
        return Some(NotAsked::Lacking(lack, hint.to_owned()));
    }
    let server = checking.server;
    let known = Known { superuser: server.restores_as_superuser(), ..Known::default() };
    let text = question.query.clone().into_bytes().into();
    let statement = Statement { text, toc: None, line: 1, offset: 0 };
    let lack = lack(&statement, refusal, &known)?;
    let (hint, whose) =
        (lack.hint(server.described()), if server.is_ours_alone() { "sandbox" } else { "server" });
    Some(NotAsked::Lacking(format!("the {whose} lacks {lack}: {}", refusal.message), hint))
}

/// Makes the roles that ask, and leaves those that were made the rights that they have in the source, as far as that is
/// known. Gives whether the backup tells all that a role may.
async fn give_rights(checking: &Checking<'_>, restored: &Restored) -> Result<bool, CheckError> {
    let cx = checking.cx;
    let asking: BTreeSet<&str> =
        cx.proof.questions.iter().filter_map(|question| question.role.as_deref()).collect();
    if asking.is_empty() {
        return Ok(false);
    }
    let sql = cx.globals();
    let known: BTreeMap<String, RoleRights> = sql.as_deref().map(roles::rights).unwrap_or_default();
    let failed = |error: ServerError| CheckError::lost(error.to_string());
    let made = checking.server.create_roles(asking.iter().map(|role| (*role, false))).await;
    let all = restored.roles.iter().cloned().chain(made.map_err(failed)?);
    let with_rights = |name: String| (name.clone(), known.get(&name).copied().unwrap_or_default());
    let all: Vec<(String, RoleRights)> = all.map(with_rights).collect();
    checking.server.leave_to_own_rights(&all).await.map_err(failed)?;
    let has_grants = match cx.manifest {
        Some(manifest) => manifest.options.owners && manifest.options.privileges,
        None => {
            let kinds = checking.expected.contents.statements.by_kind();
            kinds.iter().any(|of| of.kind == PRIVILEGES)
        }
    };
    Ok(has_grants && (sql.is_some() || checking.expected.is_cluster))
}

/// A restored database has no statistics of its tables, without which a query may take a thousand times as long.
async fn gather_statistics(checking: &Checking<'_>, target: &ConnectInfo) {
    if !checking.server.is_ours_alone() {
        return;
    }
    let Ok(session) = target.connect().await else { return };
    if let Err(error) = session.batch_execute("ANALYZE").await {
        tracing::debug!(error = crate::pg::describe(&error), "no statistics");
    }
}

/// A restore that was asked for all the same is told what is wrong, and not kept from its end.
fn unless_forced(checking: &Checking<'_>, check: CheckResult) -> CheckResult {
    let is_forced = matches!(checking.cx.place, Place::Destination(request) if request.force);
    match check.status {
        Status::Failed | Status::NotRun if is_forced => {
            CheckResult { status: Status::Warned, ..check }
        }
        _ => check,
    }
}
