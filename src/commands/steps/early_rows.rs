//! Tables that are read back while the restore goes on: their rows are what they will be, and a connection has
//! nothing else to do. What was read is held to the backup with all other tables, after the restore.
//!
//! Whatever goes wrong here is no finding: such a table is read when the restore has come to its end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinSet;

use crate::checks::CheckError;
use crate::checks::read_back::{self, Found, Wanted};
use crate::checks::rendering::Rendering;
use crate::dump::contents::DatabaseContents;
use crate::dump::item::CopyBlock;
use crate::model::contents::Table;
use crate::pg::{ConnectInfo, Session};
use crate::restore::parallel::{ReadBack, Reading};
use crate::restore::plan::table_of;

type Tasks = JoinSet<Option<(usize, Found)>>;

/// Tables that are being read back, and those that were, by their places in the dump's list. When it is dropped,
/// nothing is read any more.
#[derive(Debug, Default, Clone)]
pub(in crate::commands) struct EarlyRows(Arc<Mutex<Tasks>>);

impl EarlyRows {
    /// Reads what a restore into `target` offers, of these tables, in sessions that write values in this way.
    pub fn reader(
        &self,
        target: ConnectInfo,
        dump: &DatabaseContents,
        rendering: Rendering,
    ) -> ReadBack {
        let (tasks, tables) = (self.clone(), by_name(&dump.tables));
        let readers = Arc::new(Readers { target, rendering, sessions: Mutex::default() });
        Arc::new(move |block: &CopyBlock, reading: Reading| {
            let Some(table) = table_of(block) else { return };
            let name = (table.schema.text().into_owned(), table.name.text().into_owned());
            let Some((place, wanted)) = tables.get(&name).cloned().flatten() else { return };
            let readers = Arc::clone(&readers);
            tasks.tasks().spawn(async move {
                let found = readers.read(&wanted).await;
                drop(reading);
                tracing::debug!(table = wanted.table.display_name(), ?found, "read back early");
                match found {
                    Ok(Found::Rows(rows)) => Some((place, Found::Rows(rows))),
                    _ => None,
                }
            });
        })
    }

    /// What was read, when that which is being read has been.
    pub async fn take(&self) -> BTreeMap<usize, Found> {
        let mut tasks = std::mem::take(&mut *self.tasks());
        let mut found = BTreeMap::new();
        while let Some(ended) = tasks.join_next().await {
            found.extend(ended.ok().flatten());
        }
        found
    }

    /// Reads nothing any more, and forgets what was read: of a database that is made anew.
    pub fn forget(&self) {
        *self.tasks() = JoinSet::default();
    }

    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tables with their places in the list, by schema and name; `None` where several have one name.
fn by_name(tables: &[Table]) -> BTreeMap<(String, String), Option<(usize, Wanted)>> {
    let mut found = BTreeMap::new();
    for (place, table) in tables.iter().enumerate() {
        let name = (table.schema.clone(), table.name.clone());
        let only = !found.contains_key(&name);
        found.insert(name, only.then(|| (place, Wanted::all(table.clone()))));
    }
    found
}

/// What every reading takes with it.
struct Readers {
    target: ConnectInfo,
    rendering: Rendering,
    /// Sessions that nobody reads with.
    sessions: Mutex<Vec<Session>>,
}

impl Readers {
    async fn read(&self, wanted: &Wanted) -> Result<Found, CheckError> {
        let idle = self.sessions.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let session = match idle {
            Some(session) => session,
            None => {
                let session =
                    self.target.connect().await.map_err(|error| CheckError::of(&error))?;
                self.rendering.apply(&session).await?;
                session
            }
        };
        let found = read_back::read_one(&session, wanted, &self.rendering).await?;
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).push(session);
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::contents::{Columns, TableFingerprint};

    #[test]
    fn a_name_that_several_tables_have_is_nobodys() {
        let table = |name: &str, column: &str| Table {
            schema: "public".to_owned(),
            name: name.to_owned(),
            columns: Columns::Named(vec![column.to_owned()]),
            fingerprint: TableFingerprint::default(),
            bytes: 0,
            spans: Vec::new(),
        };
        let found = by_name(&[table("a", "x"), table("b", "x"), table("a", "y")]);
        let place = |name: &str| {
            let of = &found[&("public".to_owned(), name.to_owned())];
            of.as_ref().map(|(place, _)| *place)
        };
        assert_eq!((place("a"), place("b")), (None, Some(1)));
    }
}
