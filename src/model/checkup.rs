//! What works of a set-up, and what that means for the exit code.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

/// A part of the set-up; also the order in which they are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Area {
    /// `ccc-backup.toml`.
    Configuration,
    /// PostgreSQL's client tools.
    Tools,
    /// The database that backups are made of.
    Source,
    /// The throwaway server.
    Sandbox,
    /// Where backups lie, and where something is put for a while.
    Places,
    /// What seals and opens, and who signs.
    Keys,
    /// Who is told.
    Notifications,
    /// History, metrics, and what runs left.
    Records,
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Configuration => "Configuration",
            Self::Tools => "Tools",
            Self::Source => "Source database",
            Self::Sandbox => "Throwaway server",
            Self::Places => "Places",
            Self::Keys => "Keys",
            Self::Notifications => "Notifications",
            Self::Records => "Records",
        })
    }
}

/// How one thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It works.
    Works,
    /// It works, and is worth a word.
    Remark,
    /// It is not set up, and nothing is missed.
    NotSetUp,
    /// It is set up, and was not tried.
    NotTried,
    /// It does not work.
    Broken,
    /// It could not be told.
    Unknown,
}

/// What was found of one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Finding {
    /// Stable name for machines, such as `tools.pg_dump`.
    pub id: String,
    /// The part that it belongs to.
    pub area: Area,
    /// How it is.
    pub state: State,
    /// What it is, such as `pg_dump`.
    pub what: String,
    /// What was found of it.
    pub said: String,
    /// What to do about it.
    pub mend: Option<String>,
}

impl Finding {
    /// What was found; `id` stands behind the area's name.
    pub fn new(
        area: Area,
        id: impl fmt::Display,
        what: impl Into<String>,
        state: State,
        said: impl Into<String>,
    ) -> Self {
        let word = match area {
            Area::Configuration => "configuration",
            Area::Tools => "tools",
            Area::Source => "source",
            Area::Sandbox => "sandbox",
            Area::Places => "places",
            Area::Keys => "keys",
            Area::Notifications => "notifications",
            Area::Records => "records",
        };
        let id = format!("{word}.{id}");
        Self { id, area, state, what: what.into(), said: said.into(), mend: None }
    }

    /// With what to do about it.
    #[must_use]
    pub fn mended(mut self, by: impl Into<String>) -> Self {
        self.mend = Some(by.into()).filter(|by| !by.is_empty());
        self
    }
}

/// Everything that was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checkup {
    /// In the order in which it is told.
    pub findings: Vec<Finding>,
}

impl Checkup {
    /// How many things are in this state.
    pub fn count(&self, state: State) -> usize {
        self.findings.iter().filter(|finding| finding.state == state).count()
    }

    /// 0 where all works that is set up, 1 where something is broken, 2 where something could not be told.
    pub fn exit_code(&self) -> u8 {
        if self.count(State::Broken) > 0 {
            1
        } else if self.count(State::Unknown) > 0 {
            2
        } else {
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_broken_weighs_more_than_what_could_not_be_told() {
        use State::*;
        for (states, code) in [
            (&[][..], 0),
            (&[Works, Remark, NotSetUp, NotTried], 0),
            (&[Works, Unknown], 2),
            (&[Unknown, Broken, Works], 1),
        ] {
            let finding = |state: &State| Finding::new(Area::Tools, "x", "x", *state, "");
            let checkup = Checkup { findings: states.iter().map(finding).collect() };
            assert_eq!(checkup.exit_code(), code, "{states:?}");
        }
    }
}
