//! Who uses a database, and what holds it.

use std::time::Duration;

use super::{Destination, DestinationError};

const SESSIONS: &str = "\
SELECT pid, coalesce(usename::text, '?'), coalesce(nullif(application_name, ''), 'unnamed'),
       coalesce(client_addr::text, 'local')
FROM pg_catalog.pg_stat_activity
WHERE datname = $1 AND pid <> pg_catalog.pg_backend_pid() AND backend_type = 'client backend'
ORDER BY pid";

const PREPARED: &str =
    "SELECT gid FROM pg_catalog.pg_prepared_xacts WHERE database = $1 ORDER BY gid";
const SLOTS: &str = "\
SELECT slot_name::text FROM pg_catalog.pg_replication_slots WHERE database = $1 ORDER BY slot_name";
const SUBSCRIPTIONS: &str = "\
SELECT s.subname::text FROM pg_catalog.pg_subscription s
JOIN pg_catalog.pg_database d ON d.oid = s.subdbid WHERE d.datname = $1 ORDER BY s.subname";

/// A session of somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Other {
    /// Its process at the server.
    pub pid: i32,
    /// Its role.
    pub user: String,
    /// Its program, as it names itself.
    pub application: String,
    /// Where it comes from.
    pub address: String,
}

impl std::fmt::Display for Other {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} as {} from {}", self.application, self.user, self.address)
    }
}

/// Sessions of runs of this program, of which none is at work where this one has the name.
const OWN: &str = "\
SELECT count(pg_catalog.pg_terminate_backend(pid)) FROM pg_catalog.pg_stat_activity
WHERE datname = $1 AND pid <> pg_catalog.pg_backend_pid() AND application_name = $2
  AND usename = current_user";

/// How often it is asked whether they are gone, and how often at most.
const PERIOD: Duration = Duration::from_millis(50);
const TRIES: usize = 100;

impl Destination {
    /// Ends the sessions in a database that a run left there, as far as that takes no more than a moment: what
    /// the server was told to do before its client went away, it does to the end.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn end_own_sessions(&self, database: &str) -> Result<(), DestinationError> {
        for _ in 0..TRIES {
            let asked = self.session.query_one(OWN, &[&database, &"ccc-backup"]).await;
            let ended: i64 = asked
                .map_err(|error| DestinationError::server("end the sessions of a restore", &error))?
                .get(0);
            if ended == 0 {
                break;
            }
            tokio::time::sleep(PERIOD).await;
        }
        Ok(())
    }

    /// The sessions in a database, but for our own.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn sessions(&self, database: &str) -> Result<Vec<Other>, DestinationError> {
        let rows = self.session.query(SESSIONS, &[&database]).await;
        let rows = rows.map_err(|error| DestinationError::server("list its sessions", &error))?;
        let other = rows.iter().map(|row| Other {
            pid: row.get(0),
            user: row.get(1),
            application: row.get(2),
            address: row.get(3),
        });
        Ok(other.collect())
    }

    /// What keeps a database from giving its name to another, or would go on with it under its new name.
    ///
    /// # Errors
    /// When there is something, with the way to end it.
    pub async fn check_holders(&self, database: &str) -> Result<(), DestinationError> {
        let ask = async |sql: &str| {
            let rows = self.session.query(sql, &[&database]).await?;
            Ok(rows.iter().map(|row| row.get(0)).collect::<Vec<String>>())
        };
        let asked = async {
            // Who may not see subscriptions has none of their own.
            let subscriptions = ask(SUBSCRIPTIONS).await.or_else(denied)?;
            Ok((ask(PREPARED).await?, ask(SLOTS).await?, subscriptions))
        };
        let (prepared, slots, subscriptions) =
            asked.await.map_err(|error: tokio_postgres::Error| {
                DestinationError::server("say what holds the database", &error)
            })?;
        for (names, what, way) in [
            (
                prepared,
                "the prepared transaction",
                "end it there: COMMIT PREPARED or ROLLBACK PREPARED",
            ),
            (
                slots,
                "the replication slot",
                "its reader would go on with the old database: drop it (pg_drop_replication_slot), and make it anew afterwards",
            ),
            (
                subscriptions,
                "the subscription",
                "it would go on filling the old database: DROP SUBSCRIPTION there, and make it anew afterwards",
            ),
        ] {
            if let Some(first) = names.first() {
                let more = match names.len() {
                    1 => String::new(),
                    count => format!(" and {} more", count - 1),
                };
                let cause = format!(
                    "{what} {first}{more} is of the database {database}, which cannot give its name away meanwhile"
                );
                return Err(DestinationError::new(cause, way));
            }
        }
        Ok(())
    }
}

fn denied(error: tokio_postgres::Error) -> Result<Vec<String>, tokio_postgres::Error> {
    let denied = error.code().is_some_and(|code| code.code() == "42501");
    if denied { Ok(Vec::new()) } else { Err(error) }
}
