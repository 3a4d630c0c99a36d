//! PostgreSQL's client tools, found as `create` finds them.

use crate::commands::reaching::Client;
use crate::model::checkup::{Area, Finding, State};
use crate::settings::DoctorSettings;
use crate::source::client_tools::{PgDump, Tool};

/// The pg_dump that would be taken, and what was found of it and of the others.
pub(super) async fn examine(
    settings: &DoctorSettings,
    client: &Client,
) -> (Option<PgDump>, Vec<Finding>) {
    let found = |state, said: String| Finding::new(Area::Tools, "pg_dump", "pg_dump", state, said);
    let pg_dump = match client.pg_dump(settings.pg_dump.as_deref()).await {
        Ok(pg_dump) => pg_dump,
        Err(error) => {
            let is_needed = settings.source_is_named || settings.pg_dump.is_some();
            let state = if is_needed { State::Broken } else { State::NotSetUp };
            let missing = found(state, error.to_string()).mended(error.hint().unwrap_or_default());
            return (None, vec![missing]);
        }
    };
    let said = format!("{}, {}", pg_dump.version, pg_dump.tool.path().display());
    let mut findings = vec![found(State::Works, said)];
    for (name, tool, without) in [
        ("psql", pg_dump.psql().await, "a manifest does not say what the source is"),
        (
            "pg_restore",
            pg_dump.pg_restore().await,
            "archives are made without their contents on record",
        ),
        ("pg_dumpall", pg_dump.pg_dumpall().await, "there is no create --globals"),
    ] {
        findings.push(of(name, tool, without, pg_dump.major).await);
    }
    (Some(pg_dump), findings)
}

async fn of(name: &str, tool: Option<Tool>, without: &str, major: u32) -> Finding {
    let found = |state, said| Finding::new(Area::Tools, name, name, state, said);
    let install = format!("apt install postgresql-client-{major}");
    let Some(tool) = tool else {
        return found(State::Remark, format!("not found: {without}")).mended(install);
    };
    match tool.version(name).await {
        Ok((version, _)) => found(State::Works, format!("{version}, {}", tool.path().display())),
        Err(error) => found(State::Broken, error.to_string()).mended(install),
    }
}
