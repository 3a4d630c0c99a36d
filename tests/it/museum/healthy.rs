//! A healthy backup: what is unusual about it, and that it passes all the same.

use super::broken::{fit, hang};
use super::dump::{Dump, good};
use super::visit::{Exhibit, Found};
use crate::support::dumps::gzipped;
use crate::support::{Database, Outcome, Place};

/// A healthy backup.
#[derive(Clone)]
pub struct Healthy {
    /// What is unusual about it.
    pub shape: &'static str,
    /// Whether a manifest lies beside it.
    pub with_manifest: bool,
    name: String,
    /// The file.
    pub file: Vec<u8>,
    /// What lies beside it.
    pub manifest: Option<Vec<u8>>,
    args: Vec<&'static str>,
    /// Words of what has to be said not to be proven.
    not_proven: Vec<&'static str>,
    /// Words that have to be in the report.
    says: Vec<&'static str>,
}

impl Healthy {
    /// A file without a manifest.
    pub fn file(shape: &'static str, name: &str, file: Vec<u8>) -> Self {
        Self {
            shape,
            with_manifest: false,
            name: name.to_owned(),
            file,
            manifest: None,
            args: Vec::new(),
            not_proven: vec!["no manifest"],
            says: Vec::new(),
        }
    }

    /// The text of a dump, gzipped, without a manifest.
    pub fn dump(shape: &'static str, dump: impl AsRef<[u8]>) -> Self {
        Self::file(shape, "backup.sql.gz", gzipped(dump.as_ref()))
    }

    /// The good dump with another text, and a manifest made to fit.
    pub fn fitted(shape: &'static str, dump: &Dump) -> Self {
        let file = gzipped(dump.bytes());
        let manifest = fit(&good().manifest, &file);
        Self {
            with_manifest: true,
            manifest: Some(manifest.to_bytes(None).unwrap()),
            not_proven: Vec::new(),
            ..Self::file(shape, "backup.sql.gz", file)
        }
    }

    /// A backup by `create`, with its manifest.
    pub fn created(shape: &'static str, database: &Database, args: &[&str]) -> Self {
        let place = Place::without_docker();
        let outcome = place.create(database).args(["a.sql"]).args(args).output().unwrap();
        let outcome = Outcome::of(&outcome);
        assert_eq!(outcome.code, 0, "{shape}: {outcome}");
        let names = place.names(".");
        let name = names
            .iter()
            .find(|name| name.starts_with("a.sql") && !name.ends_with(".json"))
            .unwrap();
        let read = |name: &str| std::fs::read(place.dir().join(name)).unwrap();
        Self {
            with_manifest: true,
            manifest: Some(read(&format!("{name}.manifest.json"))),
            not_proven: Vec::new(),
            ..Self::file(shape, name, read(name))
        }
    }

    /// Verified with more arguments.
    pub fn with_args(mut self, args: &[&'static str]) -> Self {
        self.args.extend(args);
        self
    }

    /// With this said not to be proven, too.
    pub fn not_proving(mut self, words: &'static str) -> Self {
        self.not_proven.push(words);
        self
    }

    /// With these words in the report.
    pub fn saying(mut self, words: &'static str) -> Self {
        self.says.push(words);
        self
    }
}

impl Exhibit for Healthy {
    fn verify(&self, place: &Place) -> Found {
        hang(place, &self.name, &self.file, self.manifest.as_deref());
        let output = place.verify_with(&self.args).arg(&self.name).output().unwrap();
        Found { outcome: Outcome::of(&output), by_reading: false }
    }

    fn complaint(&self, found: &Found) -> Option<String> {
        let not_proven = found.not_proven();
        let expected = |words: &&str| not_proven.iter().any(|line| line.contains(*words));
        let missing = self.not_proven.iter().find(|words| !expected(words));
        let unsaid = self.says.iter().find(|words| !found.outcome.stdout.contains(**words));
        let good = found.outcome.code == 0
            && not_proven.len() == self.not_proven.len()
            && missing.is_none()
            && unsaid.is_none();
        (!good).then(|| {
            format!(
                "- {}: exit {}, {:?}, not proven {not_proven:?}, missing {missing:?}, unsaid \
                 {unsaid:?}\n{}",
                self.shape,
                found.outcome.code,
                found.causes(),
                found.outcome
            )
        })
    }
}
