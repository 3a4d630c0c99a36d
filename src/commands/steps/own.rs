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
    let rights = give_rights(checking, restored).await?;
    let mut looked_at = BTreeSet::new();
    for question in questions {
        let result = match place(checking, restored, question, database) {
            Asked::Of(name) => {
                let target = checking.server.connect_info().database(&name);
                if looked_at.insert(name) {
                    gather_statistics(checking, &target).await;
                }
                let answer = answer(checking, question, &target, rights).await?;
                sql::judge(question, &answer)
            }
            Asked::Another(name) => sql::of_another(question, &name),
        };
        notes.check(unless_forced(checking, result));
    }
    Ok(())
}

/// Whether roles that ask may all that they may in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rights {
    /// They may.
    All,
    /// The backup does not tell all of it.
    Backup,
    /// The server did not take all of it.
    Server,
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
    rights: Rights,
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
    let excuse = of_rights(question, &answer, rights).or_else(|| match &answer {
        Answer::Refused(refusal) => lacking(checking, question, refusal),
        _ => None,
    });
    Ok(excuse.map_or(answer, Answer::Not))
}

/// What the answer to a role says nothing of, where the role has not all of its rights: what it was refused, and rows that
/// may be hidden from it.
fn of_rights(question: &SqlCheck, answer: &Answer, rights: Rights) -> Option<NotAsked> {
    let role = question.role.as_ref()?;
    let said = match answer {
        Answer::Refused(refusal) if refusal.code == NO_RIGHTS => refusal.message.clone(),
        Answer::Rows { .. } => {
            let judged = sql::judge(question, answer);
            let failed = judged.status == Status::Failed;
            judged
                .title
                .strip_prefix(&format!("{}: ", question.name))
                .filter(|_| failed)?
                .to_owned()
        }
        _ => return None,
    };
    let (lack, hint) = match rights {
        Rights::All => return None,
        Rights::Backup => (
            format!("the backup does not tell all that {role} may"),
            "make it with owners, privileges and roles: ccc-backup create --keep-owner --globals",
        ),
        Rights::Server => (
            format!("without a superuser, not all that {role} may was restored"),
            "verify it in a container: --engine docker",
        ),
    };
    Some(NotAsked::Lacking(format!("{lack}: {said}"), hint.to_owned()))
}

/// Why a refusal says nothing of the backup: the server lacks what the query needs.
fn lacking(checking: &Checking<'_>, question: &SqlCheck, refusal: &Refusal) -> Option<NotAsked> {
    if question.role.is_some() && refusal.code == NO_RIGHTS {
        return None;
    }
    let server = checking.server;
    let known = Known { superuser: server.restores_as_superuser(), ..Known::default() };
    let text = question.query.clone().into_bytes().into();
    let statement = Statement { text, toc: None, line: 1, offset: 0 };
    let lack = lack(&statement, refusal, &known)?;
    let whose = if server.is_ours_alone() { "sandbox" } else { "server" };
    let hint = lack.hint(server.described());
    Some(NotAsked::Lacking(format!("the {whose} lacks {lack}: {}", refusal.message), hint))
}

/// Makes the roles that ask, and leaves those that were made the rights that they have in the source, as far as that is
/// known. Gives whether they have all of them.
async fn give_rights(checking: &Checking<'_>, restored: &Restored) -> Result<Rights, CheckError> {
    let cx = checking.cx;
    let asking: BTreeSet<&str> =
        cx.proof.questions.iter().filter_map(|question| question.role.as_deref()).collect();
    if asking.is_empty() {
        return Ok(Rights::All);
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
    if !checking.server.restores_as_superuser() {
        return Ok(Rights::Server);
    }
    let all = has_grants && (sql.is_some() || checking.expected.is_cluster);
    Ok(if all { Rights::All } else { Rights::Backup })
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
