//! A broken backup: what was done to it, what lies beside it, and what has to be said of it.

use std::io::Read;

use ccc_backup::store::manifest::Manifest;
use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256};

use super::dump::{Dump, good};
use super::visit::{Exhibit, Found};
use crate::support::dumps::gzipped;
use crate::support::{Outcome, Place};

/// What a breakage is a breakage of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Bytes,
    Text,
    Rows,
    Statements,
    Meaning,
    Manifest,
}

/// The manifest beside a broken backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// None.
    Nothing,
    /// The one that `create` wrote.
    AsWritten,
    /// The same, but its size and checksum are made to fit the broken file: what is left to tell
    /// is what it says of the contents.
    MadeToFit,
    /// One that is broken itself.
    Broken,
}

/// A broken backup.
#[derive(Clone)]
pub struct Broken {
    /// What is broken.
    pub class: Class,
    /// How.
    pub breakage: &'static str,
    /// What lies beside it.
    pub beside: Beside,
    /// The file; or several that are broken in the same way, each of which must be caught.
    pub files: Vec<Vec<u8>>,
    /// The bytes of the manifest.
    pub manifest: Option<Vec<u8>>,
    /// One of these has to be in the cause.
    pub said: Vec<&'static str>,
    /// What opens it, where it is sealed.
    pub identity: Option<&'static str>,
}

/// A breakage, of which exhibits are made.
pub struct Breakage<'a> {
    museum: &'a mut Vec<Broken>,
    class: Class,
    breakage: &'static str,
    files: Vec<Vec<u8>>,
}

/// A breakage of a dump's text, gzipped again.
pub fn text<'a>(
    museum: &'a mut Vec<Broken>,
    class: Class,
    breakage: &'static str,
    dump: &Dump,
) -> Breakage<'a> {
    assert!(*dump != good().dump, "{breakage}: nothing is broken");
    files(museum, class, breakage, vec![gzipped(dump.bytes())])
}

/// A breakage of the file itself; of several files when it can be had in several places.
pub fn files<'a>(
    museum: &'a mut Vec<Broken>,
    class: Class,
    breakage: &'static str,
    files: Vec<Vec<u8>>,
) -> Breakage<'a> {
    assert!(files.iter().all(|file| *file != good().file), "{breakage}: nothing is broken");
    Breakage { museum, class, breakage, files }
}

impl Breakage<'_> {
    /// Without a manifest.
    pub fn alone(self, said: &'static str) -> Self {
        self.put(Beside::Nothing, None, vec![said])
    }

    /// Without a manifest, where any of these has to be said.
    pub fn alone_one_of(self, said: &[&'static str]) -> Self {
        self.put(Beside::Nothing, None, said.to_vec())
    }

    /// With the manifest as it was written.
    pub fn with_manifest(self, said: &'static str) -> Self {
        self.put(Beside::AsWritten, Some(good().manifest.to_bytes(None).unwrap()), vec![said])
    }

    /// With the manifest as it was written, which has another size or checksum.
    pub fn not_the_file(self) -> Self {
        let said = vec!["the manifest belongs to another file", "Checksum does not match"];
        self.put(Beside::AsWritten, Some(good().manifest.to_bytes(None).unwrap()), said)
    }

    /// With the manifest made to fit.
    pub fn made_to_fit(self, said: &'static str) -> Self {
        let manifest = fit(&good().manifest, &self.files[0]);
        self.put(Beside::MadeToFit, Some(manifest.to_bytes(None).unwrap()), vec![said])
    }

    fn put(self, beside: Beside, manifest: Option<Vec<u8>>, said: Vec<&'static str>) -> Self {
        let (class, breakage, files) = (self.class, self.breakage, self.files.clone());
        let identity = None;
        self.museum.push(Broken { class, breakage, beside, files, manifest, said, identity });
        self
    }
}

/// The good backup beside a broken manifest.
pub fn manifest(
    museum: &mut Vec<Broken>,
    breakage: &'static str,
    manifest: Vec<u8>,
    said: &'static str,
) {
    assert!(manifest != good().manifest.to_bytes(None).unwrap(), "{breakage}: nothing is broken");
    museum.push(Broken {
        class: Class::Manifest,
        breakage,
        beside: Beside::Broken,
        files: vec![good().file.clone()],
        manifest: Some(manifest),
        said: vec![said],
        identity: None,
    });
}

/// The manifest with the sizes and the checksum of this file.
pub fn fit(manifest: &Manifest, file: &[u8]) -> Manifest {
    let mut manifest = manifest.clone();
    let mut dump = Vec::new();
    MultiGzDecoder::new(file).read_to_end(&mut dump).unwrap();
    manifest.dump_bytes = dump.len() as u64;
    manifest.outline.files[0].bytes = file.len() as u64;
    manifest.outline.files[0].sha256 = hex::encode(Sha256::digest(file));
    manifest
}

/// A file in a place with what belongs beside it.
pub fn hang(place: &Place, name: &str, file: &[u8], manifest: Option<&[u8]>) {
    place.file(name, file);
    let beside = format!("{name}.manifest.json");
    match manifest {
        Some(manifest) => drop(place.file(&beside, manifest)),
        None => drop(std::fs::remove_file(place.dir().join(beside))),
    }
}

impl Exhibit for Broken {
    /// First where no server can be had: what can be told without one must be.
    fn verify(&self, place: &Place) -> Found {
        let name = good().manifest.outline.name.as_str();
        let mut found = None;
        for file in &self.files {
            hang(place, name, file, self.manifest.as_deref());
            let dead = format!("unix://{}/dead.sock", place.dir().display());
            let verify = || {
                let mut verify = place.verify();
                if let Some(key) = self.identity {
                    verify.args(["--identity", key]);
                }
                verify
            };
            let outcome = run(verify().args([name, "--engine=docker"]).env("DOCKER_HOST", dead));
            let by_reading = outcome.code == 1;
            let outcome = if by_reading { outcome } else { run(verify().arg(name)) };
            let this = Found { outcome, by_reading };
            if self.complaint(&this).is_some() {
                return this;
            }
            found = Some(this);
        }
        found.unwrap()
    }

    fn complaint(&self, found: &Found) -> Option<String> {
        let named = found.causes().iter().any(|cause| self.said.iter().any(|w| cause.contains(w)));
        let hinted = found.outcome.stderr.lines().any(|line| line.starts_with("hint: "));
        (found.outcome.code != 1 || !named || !hinted).then(|| {
            format!(
                "- {}, manifest {:?}: exit {}, {:?}, hint {hinted}; expected {:?}",
                self.breakage,
                self.beside,
                found.outcome.code,
                found.causes(),
                self.said
            )
        })
    }
}

fn run(command: &mut assert_cmd::Command) -> Outcome {
    Outcome::of(&command.output().unwrap())
}
