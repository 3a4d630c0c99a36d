//! How a dump's session wrote values as text. Equal values are written in several ways: a time in
//! several zones, bytes in hex or escaped. A dump of ours names its session's; for another's, the
//! ways it may have used are found and tried.

use tokio_postgres::Row;

use super::{CheckError, rows};
use crate::dump::times::Samples;
use crate::pg::{self, Session};

/// Zones tried at the most; those that fit the samples rarely differ on the rest.
const MOST_ZONES: usize = 8;
/// The same where no zone fits all samples, and how many of those that fit the same ones.
const MOST_DOUBTFUL_ZONES: usize = 24;
const OF_A_KIND: usize = 4;

/// The session settings under which values were written as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendering {
    /// The dump's client encoding.
    pub encoding: String,
    /// `TimeZone`: how `timestamptz` is written.
    pub time_zone: String,
    /// `bytea_output`: `hex` or `escape`.
    pub bytea_output: String,
}

impl Rendering {
    /// Sets a session up as pg_dump sets up its own, and as the source's was.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn apply(&self, session: &Session) -> Result<(), CheckError> {
        let done = session.batch_execute(&self.sql()).await;
        done.map_err(|error| CheckError(pg::describe(&error)))
    }

    /// The statements for it. Source: PostgreSQL 15, `pg_dump.c`, `setup_connection`.
    pub(super) fn sql(&self) -> String {
        format!(
            "SET DateStyle = ISO; SET IntervalStyle = postgres; SET extra_float_digits = 3; \
             SET synchronize_seqscans = off; SET search_path = ''; SET row_security = off; \
             SET statement_timeout = 0; SET TimeZone = {}; SET bytea_output = {}",
            pg::quote_literal(&self.time_zone),
            pg::quote_literal(&self.bytea_output),
        )
    }

    /// The other ways in which the session may have written the same values.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn alternatives(
        &self,
        session: &Session,
        samples: &Samples,
    ) -> Result<Vec<Self>, CheckError> {
        let mut zones = vec![self.time_zone.clone()];
        if !samples.is_empty() {
            zones.extend(zones_of(session, samples).await?);
        }
        let mut all = Vec::new();
        for bytea_output in ["hex", "escape"] {
            for time_zone in &zones {
                let other = Self {
                    encoding: self.encoding.clone(),
                    time_zone: time_zone.clone(),
                    bytea_output: bytea_output.to_owned(),
                };
                if other != *self && !all.contains(&other) {
                    all.push(other);
                }
            }
        }
        Ok(all)
    }
}

/// The zones in which every sample has the offset that it is written with. Texts can hold times of other
/// zones: where no zone fits all samples, those that fit the most, a few of each kind.
async fn zones_of(session: &Session, samples: &Samples) -> Result<Vec<String>, CheckError> {
    let list: Vec<String> = samples.iter().map(pg::quote_literal).collect();
    let sql = format!(
        "WITH zones AS ( \
             SELECT n.name, count(*) FILTER (WHERE f.fits) AS fitting, bool_and(f.fits) AS fits_all, \
                    pg_catalog.string_agg(f.fits::text, ' ' ORDER BY s.written) AS kind \
             FROM pg_catalog.pg_timezone_names n CROSS JOIN unnest(ARRAY[{}]) s (written) \
             CROSS JOIN LATERAL ( \
                 SELECT s.written::timestamptz AT TIME ZONE n.name \
                      = pg_catalog.regexp_replace(s.written, '[+-][0-9:]+$', '')::timestamp AS fits \
             ) f \
             WHERE n.name NOT LIKE 'posix/%' GROUP BY n.name \
         ), ranked AS ( \
             SELECT *, pg_catalog.row_number() OVER (PARTITION BY kind ORDER BY name !~ '/', name) AS place \
             FROM zones WHERE fitting > 0 \
         ) \
         SELECT name, fits_all FROM ranked WHERE fits_all OR place <= {OF_A_KIND} \
         ORDER BY fitting DESC, kind, place LIMIT {MOST_DOUBTFUL_ZONES}",
        list.join(", ")
    );
    let rows = rows(session, &sql).await?;
    let zone = |row: &Row| row.get(0);
    let sure: Vec<String> =
        rows.iter().filter(|row| row.get(1)).take(MOST_ZONES).map(zone).collect();
    Ok(if sure.is_empty() { rows.iter().map(zone).collect() } else { sure })
}
