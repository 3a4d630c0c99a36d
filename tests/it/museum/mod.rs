//! The museum: backups broken in every way that we could think of, each of which must be called
//! bad for the reason that it is bad, and healthy ones of every shape, each of which must pass.
//! `docs/museum.md` is written from what comes of it.
//!
//! `CCC_TEST_LONG=1 UPDATE_DOCS=1 cargo test --test it museum` writes that file anew.

mod broken;
mod bytes;
mod dump;
mod encodings;
mod healthy;
mod manifests;
mod meaning;
mod rows;
mod sealed;
mod shapes;
mod statements;
mod table;
mod text;
mod visit;

use std::collections::BTreeSet;
use std::sync::OnceLock;

use crate::support::{is_long, length, repository};
use broken::Broken;
use healthy::Healthy;
use visit::{Exhibit, Visited, visit};

/// Every broken backup, made once.
fn broken_backups() -> &'static [Broken] {
    static ALL: OnceLock<Vec<Broken>> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut all = Vec::new();
        bytes::collect(&mut all);
        text::collect(&mut all);
        rows::collect(&mut all);
        statements::collect(&mut all);
        meaning::collect(&mut all);
        manifests::collect(&mut all);
        all
    })
}

/// One of so many is visited for every change, of each kind, and all at full length.
const ONE_OF: usize = 4;

/// Those that are visited.
fn some<E: Clone>(all: &[E], one_of: usize) -> impl Iterator<Item = E> {
    all.iter().step_by(length(one_of, 1)).cloned()
}

/// The broken backups that are visited, and what came of them.
fn broken() -> &'static [Visited<Broken>] {
    static VISITED: OnceLock<Vec<Visited<Broken>>> = OnceLock::new();
    VISITED.get_or_init(|| visit(some(broken_backups(), ONE_OF).collect()))
}

/// Every healthy backup, made once: some belong to the server as a whole.
fn healthy_backups() -> &'static [Healthy] {
    static ALL: OnceLock<Vec<Healthy>> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut all = Vec::new();
        shapes::collect(&mut all);
        encodings::collect(&mut all);
        all
    })
}

/// The healthy backups that are visited, and what came of them.
fn healthy() -> &'static [Visited<Healthy>] {
    static VISITED: OnceLock<Vec<Visited<Healthy>>> = OnceLock::new();
    VISITED.get_or_init(|| visit(some(healthy_backups(), ONE_OF).collect()))
}

/// Nothing is wrong with what was found, in at least so many.
#[track_caller]
fn assert_right<E: Exhibit>(visited: &[Visited<E>], least: usize) {
    let wrong: Vec<String> = visited.iter().filter_map(Visited::complaint).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), visited.len(), wrong.join("\n"));
    assert!(visited.len() >= least, "{} backups", visited.len());
}

#[test]
fn every_broken_backup_is_called_bad_for_the_reason_that_it_is_bad() {
    assert_right(broken(), length(80, 300));
    let mut breakages: Vec<_> = broken_backups().iter().map(|it| it.breakage).collect();
    breakages.sort_unstable();
    breakages.dedup();
    assert!(breakages.len() >= 60, "{} breakages", breakages.len());
}

#[test]
fn no_healthy_backup_is_called_bad() {
    assert_right(healthy(), length(20, 80));
}

/// The same of the sealed half.
const ONE_OF_THE_SEALED: usize = 24;

#[test]
fn every_broken_backup_is_called_bad_when_it_is_sealed_too() {
    let sealed = some(broken_backups(), ONE_OF_THE_SEALED).filter_map(sealed::broken);
    assert_right(&visit(sealed.collect()), length(5, 150));
}

#[test]
fn no_healthy_backup_is_called_bad_when_it_is_sealed() {
    let sealed = some(healthy_backups(), ONE_OF_THE_SEALED).filter_map(sealed::healthy);
    assert_right(&visit(sealed.collect()), length(2, 60));
}

/// Healthy backups that do what only a superuser may, which a local server does not let them.
const OF_SUPERUSERS: [&str; 6] = [
    "pg_dump --use-set-session-authorization",
    "every kind of object",
    "every kind of object, by `create`",
    "every kind of object, with owners and privileges",
    "every kind of object, --clean without --if-exists",
    "every kind of object, partitions by their root in other orders of columns",
];

/// One of so many is visited by a local server, too, and one of those of superusers.
const ONE_OF_THE_LOCAL: usize = 12;

#[test]
fn a_local_server_passes_every_healthy_backup_that_needs_no_superuser() {
    // Each passes in a container.
    let chosen = |(index, healthy): &(usize, &Healthy)| {
        is_long() || index % ONE_OF_THE_LOCAL == 0 || healthy.shape == OF_SUPERUSERS[0]
    };
    let local = healthy_backups().iter().enumerate().filter(chosen);
    let local = local
        .map(|(_, healthy)| healthy.clone())
        .map(|healthy| healthy.with_args(&["--engine", "local"]))
        .collect();
    let mut wrong = Vec::new();
    for visited in visit::<Healthy>(local) {
        let (shape, found) = (visited.exhibit.shape, &visited.found);
        let refused = found.outcome.code == 2 && found.outcome.stderr.contains("--engine docker");
        match visited.complaint() {
            Some(complaint) if !(OF_SUPERUSERS.contains(&shape) && refused) => {
                wrong.push(complaint)
            }
            None if OF_SUPERUSERS.contains(&shape) => wrong.push(format!("{shape}: passes")),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_museum_is_as_its_document_says() {
    let (path, found) = (repository("docs/museum.md"), table::write(broken(), healthy()));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        assert!(is_long(), "the document is of all exhibits: CCC_TEST_LONG=1");
        return std::fs::write(path, found).unwrap();
    }
    let said = std::fs::read_to_string(path).unwrap_or_default();
    let lines: BTreeSet<&str> = said.lines().collect();
    let is_row = |line: &&str| line.starts_with("| ");
    let missing = found.lines().filter(is_row).find(|line| !lines.contains(line));
    assert!(
        missing.is_none() && (found == said || !is_long()),
        "docs/museum.md is not what was found (CCC_TEST_LONG=1 UPDATE_DOCS=1 writes it anew): {missing:?}"
    );
}
