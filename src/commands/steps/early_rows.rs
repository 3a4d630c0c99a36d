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
use crate::model::contents::Table;
use crate::pg::{ConnectInfo, Session};

type Tasks = JoinSet<Option<(usize, Found)>>;

/// Tables that are being read back, and those that were, by their places in the dump's list. When it is dropped,
/// nothing is read any more.
#[derive(Debug, Default, Clone)]
pub(in crate::commands) struct EarlyRows(Arc<Mutex<Tasks>>);

impl EarlyRows {
    /// Reads tables of this database, which is that of `target`, in sessions that write values in this way.
    pub fn reader(
        &self,
        target: ConnectInfo,
        dump: &DatabaseContents,
        rendering: Rendering,
    ) -> EarlyReader {
        let sessions = Arc::new(Sessions { target, rendering, idle: Mutex::default() });
        EarlyReader { of: self.clone(), tables: Arc::new(by_name(&dump.tables)), sessions }
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

    /// Keeps what was found of all tables, in the order of the list.
    pub fn keep(&self, found: Vec<Found>) {
        let mut tasks = self.tasks();
        for found in found.into_iter().enumerate() {
            tasks.spawn(std::future::ready(Some(found)));
        }
    }

    /// Reads nothing any more, and forgets what was read: of a database that is made anew.
    pub fn forget(&self) {
        *self.tasks() = JoinSet::default();
    }

    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the tables that it is told.
#[derive(Clone)]
pub(in crate::commands) struct EarlyReader {
    of: EarlyRows,
    tables: Arc<ByName>,
    sessions: Arc<Sessions>,
}

impl EarlyReader {
    /// Bytes of a table's rows, where it can be read by its name.
    pub fn bytes(&self, schema: &str, name: &str) -> Option<u64> {
        self.wanted(schema, name).map(|(_, wanted)| wanted.table.bytes)
    }

    /// Begins to read a table, and keeps `reading` until that is done. What differs from the backup is read once more after
    /// the restore, and only then told.
    pub fn read(&self, schema: &str, name: &str, reading: impl Send + 'static) {
        let Some((place, wanted)) = self.wanted(schema, name).cloned() else { return };
        let sessions = Arc::clone(&self.sessions);
        self.of.tasks().spawn(async move {
            let found = sessions.read(&wanted).await;
            drop(reading);
            tracing::debug!(table = wanted.table.display_name(), ?found, "read back early");
            let rows = found.ok().filter(|found| *found == Found::Rows(wanted.table.fingerprint));
            rows.map(|rows| (place, rows))
        });
    }

    fn wanted(&self, schema: &str, name: &str) -> Option<&(usize, Wanted)> {
        self.tables.get(&(schema.to_owned(), name.to_owned()))?.as_ref()
    }
}

/// Tables with their places in the list, by schema and name.
type ByName = BTreeMap<(String, String), Option<(usize, Wanted)>>;

/// `None` where several have one name.
fn by_name(tables: &[Table]) -> ByName {
    let mut found = BTreeMap::new();
    for (place, table) in tables.iter().enumerate() {
        let name = (table.schema.clone(), table.name.clone());
        let only = !found.contains_key(&name);
        found.insert(name, only.then(|| (place, Wanted::all(table.clone()))));
    }
    found
}

/// Those that tables are read in.
struct Sessions {
    target: ConnectInfo,
    rendering: Rendering,
    /// In which nobody reads.
    idle: Mutex<Vec<Session>>,
}

impl Sessions {
    async fn read(&self, wanted: &Wanted) -> Result<Found, CheckError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
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
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
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
