//! The museum: backups broken in every way that we could think of, each of which must be called
//! bad for the reason that it is bad, and healthy ones of every shape, each of which must pass.
//! `docs/museum.md` is written from what comes of it.
//!
//! `UPDATE_DOCS=1 cargo test --test it museum` writes that file anew.

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

use std::sync::OnceLock;

use crate::support::{is_long, repository};
use broken::Broken;
use healthy::Healthy;
use visit::{Visited, visit};

/// Every broken backup.
fn broken_backups() -> Vec<Broken> {
    let mut all = Vec::new();
    bytes::collect(&mut all);
    text::collect(&mut all);
    rows::collect(&mut all);
    statements::collect(&mut all);
    meaning::collect(&mut all);
    manifests::collect(&mut all);
    all
}

/// Every broken backup and what came of it.
fn broken() -> &'static [Visited<Broken>] {
    static VISITED: OnceLock<Vec<Visited<Broken>>> = OnceLock::new();
    VISITED.get_or_init(|| visit(broken_backups()))
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

/// Every healthy backup and what came of it.
fn healthy() -> &'static [Visited<Healthy>] {
    static VISITED: OnceLock<Vec<Visited<Healthy>>> = OnceLock::new();
    VISITED.get_or_init(|| visit(healthy_backups().to_vec()))
}

#[test]
fn every_broken_backup_is_called_bad_for_the_reason_that_it_is_bad() {
    let wrong: Vec<String> = broken().iter().filter_map(Visited::complaint).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), broken().len(), wrong.join("\n"));
    let mut breakages: Vec<_> = broken().iter().map(|it| it.exhibit.breakage).collect();
    breakages.sort_unstable();
    breakages.dedup();
    assert!(breakages.len() >= 60, "{} breakages", breakages.len());
}

#[test]
fn no_healthy_backup_is_called_bad() {
    let wrong: Vec<String> = healthy().iter().filter_map(Visited::complaint).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), healthy().len(), wrong.join("\n"));
    assert!(healthy().len() >= 25, "{} dumps", healthy().len());
}

/// One of so many of the sealed half, where not all are meant.
const ONE_OF: usize = 12;

#[test]
fn every_broken_backup_is_called_bad_when_it_is_sealed_too() {
    let sealed = broken_backups().into_iter().filter_map(sealed::broken).enumerate();
    let sealed = sealed.filter(|(index, _)| is_long() || index % ONE_OF == 0);
    let visited = visit(sealed.map(|(_, broken)| broken).collect());
    let wrong: Vec<String> = visited.iter().filter_map(Visited::complaint).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), visited.len(), wrong.join("\n"));
    assert!(visited.len() >= 15, "{} backups", visited.len());
}

#[test]
fn no_healthy_backup_is_called_bad_when_it_is_sealed() {
    let sealed = healthy_backups().iter().cloned().filter_map(sealed::healthy).enumerate();
    let sealed = sealed.filter(|(index, _)| is_long() || index % ONE_OF == 0);
    let visited = visit(sealed.map(|(_, healthy)| healthy).collect());
    let wrong: Vec<String> = visited.iter().filter_map(Visited::complaint).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), visited.len(), wrong.join("\n"));
    assert!(visited.len() >= 5, "{} backups", visited.len());
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

#[test]
fn a_local_server_passes_every_healthy_backup_that_needs_no_superuser() {
    // Each passes in a container; here each third, and those that say something of superusers.
    let chosen = |(index, healthy): &(usize, &Healthy)| {
        is_long() || index % 3 == 0 || OF_SUPERUSERS.contains(&healthy.shape)
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
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        return std::fs::write(path, found).unwrap();
    }
    let said = std::fs::read_to_string(path).unwrap_or_default();
    let differs = found.lines().zip(said.lines()).find(|(found, said)| found != said);
    assert!(
        found == said,
        "docs/museum.md is not what was found (UPDATE_DOCS=1 writes it anew): {differs:?}"
    );
}
