//! The configuration.

use super::senseless;
use crate::model::checkup::{Area, Finding, State};
use crate::settings::DoctorSettings;

pub(super) fn examine(settings: &DoctorSettings) -> Finding {
    let found = |state, said: String| {
        Finding::new(Area::Configuration, "file", "ccc-backup.toml", state, said)
    };
    match &settings.config {
        Ok(Some(file)) => found(State::Works, file.display().to_string()),
        Ok(None) => found(
            State::NotSetUp,
            "there is none here: everything is as it is by default".to_owned(),
        ),
        Err(error) => senseless(Area::Configuration, "file", "ccc-backup.toml", error),
    }
}
