//! The source database, asked as `create` asks it.

use chrono::{DateTime, TimeDelta, Utc};

use super::{clock, senseless};
use crate::commands::create::tools::Fit;
use crate::libpq::settings::ConnectSettings;
use crate::model::checkup::{Area, Finding, State};
use crate::model::outcome::counted;
use crate::settings::DoctorSettings;
use crate::source::client_tools::PgDump;
use crate::source::coverage;
use crate::source::facts::{self, Facts, SourceFacts};

/// Names of tables that are told at the most.
const NAMED: usize = 3;
/// What is behind the names of all findings here.
const AREA: Area = Area::Source;

/// What is known of the source.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Its server's major version.
    pub major: Option<u32>,
    /// Its extensions, where it told them.
    pub extensions: Option<Vec<String>>,
}

/// What is known of the source, and what was found. `completed` are its settings with what its container says.
pub(super) async fn examine(
    settings: &DoctorSettings,
    completed: Option<ConnectSettings>,
    pg_dump: Option<&PgDump>,
) -> (Known, Vec<Finding>) {
    let found = |state, said: String| Finding::new(AREA, "connection", "connection", state, said);
    let alone = |finding| (Known::default(), vec![finding]);
    let unnamed = "nobody names a source (--host, --database-url, DB_HOST, DATABASE_URL, PGHOST)";
    let source = match &settings.source {
        Ok(source) => completed.as_ref().unwrap_or(source),
        Err(error) => return alone(senseless(AREA, "connection", "connection", error)),
    };
    let Some(pg_dump) = pg_dump else {
        return alone(match settings.source_is_named {
            true => found(State::Unknown, "it is asked with psql, beside pg_dump".to_owned())
                .mended("install the client tools first"),
            false => found(State::NotSetUp, unnamed.to_owned()),
        });
    };
    let begun = Utc::now();
    let facts = match facts::source_facts(source, pg_dump).await {
        Ok(Facts::Known(facts)) => facts,
        Ok(Facts::Unknown { reason }) => {
            let hint = "create can do without; see what psql says by hand";
            return alone(found(State::Unknown, reason).mended(hint));
        }
        Err(error) if settings.source_is_named => {
            let hint = error.hint().unwrap_or_default();
            return alone(found(State::Broken, error.to_string()).mended(hint));
        }
        Err(error) => return alone(found(State::NotSetUp, format!("{unnamed}; {error}"))),
    };
    let asked = (begun, Utc::now());
    let has = coverage::source_has(source, pg_dump).await;
    let mut findings = vec![
        found(State::Works, connection(&facts)),
        fitting(&facts, pg_dump, settings.pg_dump.is_some()).await,
        rights(has.unreadable()),
    ];
    findings.extend(
        ahead(&facts, asked).map(|it| clock::judge(AREA, "clock", "the server's", it, false)),
    );
    let extensions = has.extensions().map(<[String]>::to_vec);
    (Known { major: Some(facts.major()), extensions }, findings)
}

fn connection(facts: &SourceFacts) -> String {
    let SourceFacts { database, host, port, user, server_version, .. } = facts;
    format!("{database} at {host}:{port} as {user}, PostgreSQL {server_version}")
}

/// Which pg_dump would be taken for this server.
async fn fitting(facts: &SourceFacts, pg_dump: &PgDump, is_named: bool) -> Finding {
    let found = |state, said| Finding::new(AREA, "pg_dump", "pg_dump for it", state, said);
    let (server, major, version) = (&facts.server_version, facts.major(), &pg_dump.version);
    let install = format!("apt install postgresql-client-{major}");
    match Fit::of(pg_dump, is_named, major).await {
        Fit::AtHand if pg_dump.major < major => {
            let said = format!("{version} is older than the server, which is PostgreSQL {server}");
            found(State::Broken, said)
                .mended("leave --pg-dump (CCC_BACKUP_PG_DUMP) out, or name a newer one")
        }
        Fit::AtHand => found(State::Works, format!("{version} fits")),
        Fit::Same(_, path) | Fit::Newer(_, path) => {
            found(State::Works, format!("create takes {}", path.display()))
        }
        Fit::TooNew => {
            let said = format!(
                "{version} is newer than the server: its dumps set what that does not know"
            );
            found(State::Remark, said).mended(install)
        }
        Fit::InContainer => {
            let said = format!(
                "{version} is older than the server: create takes one of an image (postgres:{major})"
            );
            found(State::Remark, said).mended(install)
        }
    }
}

fn rights(unreadable: Option<Vec<String>>) -> Finding {
    let found = |state, said| Finding::new(AREA, "rights", "rights", state, said);
    let Some(tables) = unreadable else {
        return found(
            State::Unknown,
            "the server does not say which tables can be read".to_owned(),
        );
    };
    if tables.is_empty() {
        return found(State::Works, "all tables can be read".to_owned());
    }
    let (count, names) =
        (counted(tables.len() as u64, "table"), &tables[..tables.len().min(NAMED)]);
    let more = if tables.len() > NAMED { ", …" } else { "" };
    let said = format!("{count} cannot be read whole: {}{more}", names.join(", "));
    found(State::Broken, said).mended(
        "dump as the owner of the database, or grant the role pg_read_all_data (and BYPASSRLS where rows are \
         hidden), or leave them out: create -- --exclude-table=…",
    )
}

/// How far the server's clock is before ours, as it was asked between these times.
fn ahead(facts: &SourceFacts, (begun, ended): (DateTime<Utc>, DateTime<Utc>)) -> Option<TimeDelta> {
    let said = DateTime::from_timestamp_millis(facts.now_ms?)?;
    Some(said - (begun + (ended - begun) / 2))
}
