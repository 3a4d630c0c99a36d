//! The container that the source database runs in.

use crate::commands::reaching::{self, Client};
use crate::libpq::settings::ConnectSettings;
use crate::model::checkup::{Area, Finding, State};
use crate::settings::DoctorSettings;

/// The source as its container completes it, where that is known, and where the client tools are; `None` where the
/// container cannot be used. What was found of the container, where there is one.
pub(super) async fn examine(
    settings: &DoctorSettings,
) -> (Option<(Option<ConnectSettings>, Client)>, Vec<Finding>) {
    let found =
        |state, said: String| Finding::new(Area::Tools, "container", "container", state, said);
    let (Some(name), Ok(source)) = (&settings.container, &settings.source) else {
        return (Some((None, Client::Here)), Vec::new());
    };
    if settings.pg_dump.is_some() {
        let said = format!("--pg-dump names a program of this machine, and {name} has its own");
        let finding = found(State::Broken, said).mended("leave one of them out");
        return (None, vec![finding]);
    }
    match reaching::reach(Some(name), source).await {
        Ok((completed, client)) => {
            let finding = found(State::Works, format!("{name} runs, and has pg_dump"));
            (Some((Some(completed), client)), vec![finding])
        }
        Err(error) => {
            let broken = found(State::Broken, error.to_string());
            (None, vec![broken.mended(error.hint().unwrap_or_default())])
        }
    }
}
