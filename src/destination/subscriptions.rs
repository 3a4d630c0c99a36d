//! Subscriptions that a restore made. They hold their database, and dropping one would have the server drop the
//! slot at the publisher, which is not the restore's.

use crate::pg::{self, Session, quote_ident};

const NAMES: &str = "\
SELECT s.subname::text FROM pg_catalog.pg_subscription s
JOIN pg_catalog.pg_database d ON d.oid = s.subdbid WHERE d.datname = pg_catalog.current_database()";

/// Those of the database at hand. Who may not see them has none.
pub(super) async fn names(session: &Session) -> Vec<String> {
    let rows = session.query(NAMES, &[]).await.unwrap_or_default();
    rows.iter().map(|row| row.get(0)).collect()
}

/// Drops those of the database at hand but for `kept`, and leaves their publishers alone.
pub(super) async fn drop_others(session: &Session, kept: &[String]) {
    for name in names(session).await.iter().filter(|name| !kept.contains(name)) {
        let name = quote_ident(name);
        for statement in [
            format!("ALTER SUBSCRIPTION {name} DISABLE"),
            format!("ALTER SUBSCRIPTION {name} SET (slot_name = NONE)"),
            format!("DROP SUBSCRIPTION {name}"),
        ] {
            if let Err(error) = session.batch_execute(&statement).await {
                tracing::debug!(statement, error = pg::describe(&error), "not done");
            }
        }
    }
}
