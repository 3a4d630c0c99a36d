//! Tables of extensions: what the extensions bring by themselves is not the backup's.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::database::RestoredDatabase;
use crate::checks::CheckError;
use crate::checks::extensions::{self, Member};
use crate::checks::read_back::{self, Found, Wanted};
use crate::dump::encoding::is_for_databases;
use crate::model::contents::TableFingerprint;
use crate::model::locale::Locale;

/// The database in which the extensions are made once more.
const BESIDE: &str = "restore_test_extensions";

/// What extensions bring into tables by themselves, by the tables' places in the list; else why it could
/// not be told.
pub(in crate::commands) type Own = BTreeMap<usize, Result<TableFingerprint, String>>;

/// Tables of extensions that do not hold what the dump says are read again without what the
/// extensions bring by themselves.
pub(in crate::commands) async fn leave_out(
    database: &RestoredDatabase<'_>,
    tables: &[Wanted],
    found: &mut [Found],
) -> Result<Own, CheckError> {
    let dump = database.dump;
    let content = database.with_content();
    let differs = |index: &usize| {
        let expected = dump.tables[*index].fingerprint;
        matches!(found[*index], Found::Rows(found) if found.rows != expected.rows
            || content && found != expected)
    };
    let open: Vec<usize> = (0..found.len()).filter(differs).collect();
    if open.is_empty() {
        return Ok(Own::new());
    }
    let members = extensions::members(&database.session).await?;
    let is_theirs = |index: &usize| members.iter().any(|member| member.is(&dump.tables[*index]));
    let open: Vec<usize> = open.into_iter().filter(is_theirs).collect();
    if open.is_empty() {
        return Ok(Own::new());
    }
    let open = written(database, &members, tables, open, found).await?;
    if open.is_empty() {
        return Ok(Own::new());
    }
    let own = own_rows(database, &members, tables, &open).await;
    for (index, own) in &own {
        let Found::Rows(now) = found[*index] else { continue };
        found[*index] = match own {
            Ok(own) => Found::Rows(now.without(*own).unwrap_or(now)),
            Err(why) => {
                let why = format!("what its extension brings by itself is not known: {why}");
                Found::Untold { counted: false, why }
            }
        };
    }
    Ok(own)
}

/// Reads the tables again of which extensions say what pg_dump writes of them: rows that it leaves out are not the
/// backup's. Gives those that are still open.
async fn written(
    database: &RestoredDatabase<'_>,
    members: &[Member],
    tables: &[Wanted],
    open: Vec<usize>,
    found: &mut [Found],
) -> Result<Vec<usize>, CheckError> {
    let dump = database.dump;
    let condition = |index: usize| {
        members.iter().find(|member| member.is(&dump.tables[index])).and_then(Member::condition)
    };
    let (asked, wanted): (Vec<usize>, Vec<Wanted>) = open
        .iter()
        .filter_map(|index| Some((*index, tables[*index].clone().only(condition(*index)?))))
        .unzip();
    let mut settled = Vec::new();
    for (index, now) in asked.into_iter().zip(database.read(wanted).await?) {
        let expected = dump.tables[index].fingerprint;
        if let Found::Rows(rows) = now
            && (rows == expected || !database.with_content() && rows.rows == expected.rows)
        {
            found[index] = now;
            settled.push(index);
        }
    }
    Ok(open.into_iter().filter(|index| !settled.contains(index)).collect())
}

/// An extension that brings other rows each time cannot be told from the backup: what differs then
/// is no proof.
pub(in crate::commands) async fn settle_changing(
    database: &RestoredDatabase<'_>,
    tables: &[Wanted],
    own: &Own,
    found: &mut [Found],
) -> Result<(), CheckError> {
    let dump = database.dump;
    let differs = |index: &&usize| matches!(found[**index], Found::Rows(found) if found != dump.tables[**index].fingerprint);
    let open: Vec<usize> = own.keys().filter(differs).copied().collect();
    if open.is_empty() || !database.with_content() {
        return Ok(());
    }
    let members = extensions::members(&database.session).await?;
    let again = own_rows(database, &members, tables, &open).await;
    for index in open {
        if again.get(&index) != own.get(&index) {
            let why = "its extension brings other rows each time it is made".to_owned();
            found[index] = Found::Untold { counted: false, why };
        }
    }
    Ok(())
}

/// Makes the extensions of these tables in a database of their own, and reads their tables there.
async fn own_rows(
    database: &RestoredDatabase<'_>,
    members: &[Member],
    tables: &[Wanted],
    open: &[usize],
) -> Own {
    let dump = database.dump;
    let theirs: Vec<&Member> = members
        .iter()
        .filter(|member| open.iter().any(|index| member.is(&dump.tables[*index])))
        .collect();
    let read = read_own(database, &theirs, tables, open).await;
    if let Err(error) = database.checking.server.drop_database(BESIDE).await {
        tracing::debug!(%error, "{BESIDE} is left in the sandbox");
    }
    match read {
        Ok(own) => own,
        Err(why) => open.iter().map(|index| (*index, Err(why.clone()))).collect(),
    }
}

async fn read_own(
    database: &RestoredDatabase<'_>,
    members: &[&Member],
    tables: &[Wanted],
    open: &[usize],
) -> Result<Own, String> {
    let RestoredDatabase { checking, dump, rendering, .. } = database;
    let server = checking.server;
    let encoding = dump.encoding.as_deref().filter(|name| is_for_databases(name));
    let made = server.create_database(BESIDE, &Locale::of_encoding(encoding)).await;
    made.map_err(|error| error.to_string())?;
    let lent: Vec<_> = members
        .iter()
        .map(|member| member.extension())
        .map(|(name, schema)| (name, Some(schema)))
        .collect();
    let refused = server.create_extensions(BESIDE, &lent).await;
    let refused = refused.map_err(|error| error.to_string())?;
    if !refused.is_empty() {
        return Err(format!("only a superuser may make {}", refused.join(", ")));
    }
    let target = server.connect_info().database(BESIDE);
    let session = target.connect().await.map_err(|error| crate::pg::describe(&error))?;
    extensions::make(&session, members.iter().copied()).await?;
    drop(session);
    let wanted = open.iter().map(|index| Wanted::all(tables[*index].table.clone())).collect();
    let read = read_back::read_back(&target, wanted, rendering, 1, Arc::new(|_| {})).await;
    let read = read.map_err(|error| error.to_string())?;
    let own = |found: Found| match found {
        Found::Rows(own) => Ok(own),
        Found::Refused(refusal) => Err(refusal.message),
        Found::Untold { why, .. } => Err(why),
        Found::Misplaced { .. } => Err("its columns are others".to_owned()),
    };
    Ok(open.iter().copied().zip(read.into_iter().map(own)).collect())
}
