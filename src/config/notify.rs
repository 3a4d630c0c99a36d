//! `[notify]`: who is told of a run.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::model::ended_run::Command;
use crate::model::outcome::Verdict;
use crate::model::secret::Secret;

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Notify {
    /// How long telling may take in all, such as `30s`.
    pub timeout: Option<String>,
    /// `[notify.webhook]`.
    pub webhook: Several<Webhook>,
    /// `[notify.ping]`.
    pub ping: Several<Ping>,
    /// `[notify.command]`.
    pub command: Several<Run>,
}

/// A webhook.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Its URL, or `env:NAME` of a variable that has it.
    pub url: Secret,
    /// Of which verdicts.
    #[serde(default = "bad_news")]
    pub on: Vec<Verdict>,
    /// Of which commands.
    #[serde(default = "nightly")]
    pub commands: Vec<Command>,
    /// What is said beside the body: values, or `env:NAME` of variables that have them.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// Who may have signed its certificate.
    pub ca_file: Option<PathBuf>,
}

/// A dead man's switch.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ping {
    /// Its URL, or `env:NAME` of a variable that has it.
    pub url: Secret,
    /// Of which commands.
    #[serde(default = "nightly")]
    pub commands: Vec<Command>,
    /// Whether it is told of beginnings, too.
    #[serde(default = "yes")]
    pub start: bool,
    /// Who may have signed its certificate.
    pub ca_file: Option<PathBuf>,
}

/// A command.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// Its words, for the shell; or `env:NAME` of a variable that has them.
    pub run: Secret,
    /// Of which verdicts.
    #[serde(default = "bad_news")]
    pub on: Vec<Verdict>,
    /// Of which commands.
    #[serde(default = "nightly")]
    pub commands: Vec<Command>,
}

fn bad_news() -> Vec<Verdict> {
    vec![Verdict::Failed, Verdict::NotVerified]
}

/// The commands that run while nobody looks.
fn nightly() -> Vec<Command> {
    vec![Command::Create, Command::Verify, Command::Drill]
}

fn yes() -> bool {
    true
}

impl Notify {
    /// With paths that lead from the directory of the configuration.
    pub(super) fn below(mut self, directory: &Path) -> Self {
        let webhooks = self.webhook.0.iter_mut().map(|webhook| &mut webhook.ca_file);
        let pings = self.ping.0.iter_mut().map(|ping| &mut ping.ca_file);
        for file in webhooks.chain(pings).flatten() {
            *file = directory.join(&*file);
        }
        self
    }
}

/// One of its kind (`[x]`), or several (`[[x]]`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Several<T>(pub Vec<T>);

impl<T> Default for Several<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Several<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TableOrTables(PhantomData)).map(Self)
    }
}

struct TableOrTables<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for TableOrTables<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table, or several: [notify.NAME] or [[notify.NAME]]")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|one| vec![one])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, sequence: A) -> Result<Vec<T>, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(sequence))
    }

    /// A URL in the place of its table is not repeated: it may hold a secret.
    fn visit_str<E: Error>(self, _: &str) -> Result<Vec<T>, E> {
        Err(E::custom("a table is expected here, such as [notify.webhook] with a line url = \"…\""))
    }
}
