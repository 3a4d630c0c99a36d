//! Rows of a COPY block, over one connection.

use bytes::Bytes;
use futures_util::SinkExt;
use tokio::sync::mpsc;

use super::{Connection, LoadError, refusal};
use crate::dump::item::CopyBlock;
use crate::pg::{self, ServerError};

impl Connection {
    /// Restores rows of a COPY block, under the dump's encoding. What the server refused is given
    /// back. With `fresh`, the table was made in this restore and is empty: it is truncated in the
    /// same transaction, so that the server need not log the rows, nor write them again when it first reads them.
    ///
    /// # Errors
    /// When the server is in trouble.
    pub async fn copy(
        &mut self,
        block: &CopyBlock,
        fresh: Option<&str>,
        mut rows: mpsc::Receiver<Bytes>,
    ) -> Result<Option<ServerError>, LoadError> {
        match self.try_copy(block, fresh, &mut rows).await? {
            Ok(count) => {
                self.ledger.write(|restored| restored.rows += count);
                Ok(None)
            }
            Err(error) => {
                let refusal = refusal(&error)?;
                self.reconnect().await?;
                Ok(Some(refusal))
            }
        }
    }

    async fn try_copy(
        &self,
        block: &CopyBlock,
        fresh: Option<&str>,
        rows: &mut mpsc::Receiver<Bytes>,
    ) -> Result<Result<u64, tokio_postgres::Error>, LoadError> {
        // It has no options, and names that can be told in UTF-8: others are beyond us, which is known before the restore.
        let text = match self.text(&block.statement).await? {
            Ok(text) => text,
            Err(error) => return Ok(Err(error)),
        };
        let truncated = match fresh {
            Some(table) => self.truncate(table).await?,
            None => false,
        };
        let encoding = self.encoding.as_deref().map(pg::quote_literal);
        let encoding = encoding.map(|encoding| format!("ENCODING {encoding}"));
        // Nobody but this transaction sees the table as it is, so its rows need no other who marks them as settled.
        let freeze = (truncated && block.text_format).then(|| "FREEZE".to_owned());
        let text = with_options(&text, encoding.into_iter().chain(freeze));
        // The driver does not tell what is refused when the COPY's own transaction ends, as of
        // constraints that are deferred to its end.
        let ours = truncated || !self.in_transaction;
        if ours && !truncated {
            self.command("BEGIN").await?;
        }
        let sink = match self.session.copy_in(&text).await {
            Ok(sink) => sink,
            Err(error) => return Ok(Err(error)),
        };
        let mut sink = std::pin::pin!(sink);
        while let Some(data) = rows.recv().await {
            // The server's refusals come at the end; here only the connection can fail.
            sink.as_mut().feed(data).await.map_err(|error| LoadError::server(&error))?;
        }
        let count = match sink.as_mut().finish().await {
            Ok(count) => count,
            Err(error) => return Ok(Err(error)),
        };
        if ours && let Err(error) = self.session.batch_execute("COMMIT").await {
            return Ok(Err(error));
        }
        Ok(Ok(count))
    }

    /// Begins a transaction in which a table is truncated that has no rows. `false`, and none is begun,
    /// where it may have some, or where the server refuses that, as it does to a role that may only
    /// insert: psql would not have asked.
    async fn truncate(&self, table: &str) -> Result<bool, LoadError> {
        let sql = "SELECT pg_catalog.pg_relation_size(($1::text)::pg_catalog.regclass)";
        let is_empty = match self.session.query_one(sql, &[&table]).await {
            Ok(row) => row.try_get::<_, i64>(0).is_ok_and(|bytes| bytes == 0),
            Err(error) => refusal(&error).map(|_| false)?,
        };
        if !is_empty {
            return Ok(false);
        }
        let begun = self.session.batch_execute(&format!("BEGIN; TRUNCATE ONLY {table}")).await;
        let Err(error) = begun else { return Ok(true) };
        tracing::debug!(table, error = refusal(&error)?.message, "not truncated");
        self.command("ROLLBACK").await?;
        Ok(false)
    }

    /// Takes another session. tokio-postgres 0.7 ends a COPY that the server refused once more, and
    /// the server's answer to that is one too many: the session is of no use any longer.
    async fn reconnect(&mut self) -> Result<(), LoadError> {
        self.session =
            super::connected(&self.target).await.map_err(|error| LoadError::server(&error))?;
        self.adopted = None;
        self.in_transaction = false;
        self.workers = None;
        Ok(())
    }
}

/// The statement, which has no options, with these.
fn with_options(copy: &str, options: impl Iterator<Item = String>) -> String {
    let options = options.collect::<Vec<_>>().join(", ");
    if options.is_empty() {
        return copy.to_owned();
    }
    format!("{} WITH ({options});", copy.trim_end_matches(';'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_a_copy_stand_in_one_list() {
        let copy = "COPY public.t (a) FROM stdin;";
        let with = |options: &[&str]| with_options(copy, options.iter().map(ToString::to_string));
        assert_eq!(with(&[]), copy);
        assert_eq!(with(&["FREEZE"]), "COPY public.t (a) FROM stdin WITH (FREEZE);");
        assert_eq!(
            with(&["ENCODING 'LATIN1'", "FREEZE"]),
            "COPY public.t (a) FROM stdin WITH (ENCODING 'LATIN1', FREEZE);"
        );
    }
}
