//! Security labels: whether the modules that judge them are there, and what they say to the role that restores.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::error::SqlState;

use super::{Destination, DestinationError};
use crate::pg::{ServerError, Session, quote_ident, quote_literal};

/// Labels that a module is asked about; of more, it is not asked.
const MOST: usize = 50;

/// A label, as a statement gives it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label {
    /// Whose it is; of the only provider there is where none is named.
    pub provider: Option<String>,
    /// What it says.
    pub text: String,
}

/// Why a label is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelRefusal {
    /// Nothing that the server has loaded knows it.
    NoProvider,
    /// Who may set it is another.
    Rights,
}

impl Label {
    /// The statement that gives it to a table.
    fn to_table(&self, table: &str) -> String {
        let provider = self
            .provider
            .as_ref()
            .map(|name| format!("FOR {} ", quote_ident(name)))
            .unwrap_or_default();
        format!("SECURITY LABEL {provider}ON TABLE {table} IS {}", quote_literal(&self.text))
    }
}

impl Destination {
    /// Which of these labels the server refuses to the role, in a database that is there or in the one from which
    /// others are made. Nothing of it stays.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn labels_refused(
        &self,
        database: Option<&str>,
        labels: &BTreeSet<Label>,
    ) -> Result<BTreeMap<Label, LabelRefusal>, DestinationError> {
        let failed = |error: tokio_postgres::Error| {
            DestinationError::server(
                format!("say which labels {} may set", self.facts.user),
                &error,
            )
        };
        let mut refused = BTreeMap::new();
        if labels.is_empty() {
            return Ok(refused);
        }
        let server =
            database.map_or_else(|| self.server.clone(), |name| self.server.database(name));
        let session = server.connect().await.map_err(failed)?;
        for label in labels.iter().take(MOST) {
            if let Some(why) = refusal(&session, label).await.map_err(failed)? {
                refused.insert(label.clone(), why);
            }
        }
        Ok(refused)
    }
}

/// Why a label is refused, if it is. Whether somebody knows it is found out before the table is looked for.
/// Source: `ExecSecLabelStmt` in PostgreSQL 15.
async fn refusal(
    session: &Session,
    label: &Label,
) -> Result<Option<LabelRefusal>, tokio_postgres::Error> {
    let of_none = label.to_table("pg_catalog.\"ccc-backup: there is none\"");
    if is_refused_for(session, &of_none, &SqlState::INVALID_PARAMETER_VALUE).await? {
        return Ok(Some(LabelRefusal::NoProvider));
    }
    // Only the module itself knows who may set it: it is asked about a table that goes again at once.
    let made = "BEGIN; CREATE TEMPORARY TABLE ccc_backup_label ()";
    let asked = match session.batch_execute(made).await {
        Ok(()) => {
            let labelled = label.to_table("pg_temp.ccc_backup_label");
            is_refused_for(session, &labelled, &SqlState::INSUFFICIENT_PRIVILEGE).await
        }
        Err(error) if ServerError::of(&error).is_some() => Ok(false),
        Err(error) => Err(error),
    };
    session.batch_execute("ROLLBACK").await?;
    Ok(asked?.then_some(LabelRefusal::Rights))
}

async fn is_refused_for(
    session: &Session,
    sql: &str,
    state: &SqlState,
) -> Result<bool, tokio_postgres::Error> {
    match session.batch_execute(sql).await {
        Ok(()) => Ok(false),
        Err(error) if ServerError::of(&error).is_some() => Ok(error.code() == Some(state)),
        Err(error) => Err(error),
    }
}
