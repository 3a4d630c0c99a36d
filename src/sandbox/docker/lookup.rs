//! Finds a container that is not ours by what an operator calls it: its name or id, or its service in Compose.

use std::collections::BTreeSet;

use bollard::models::ContainerSummary;
use bollard::query_parameters::ListContainersOptions;

use super::engine::Engine;
use super::guard::refusing;
use crate::sandbox::container_error::ContainerError;

/// Labels that Compose gives its containers; Podman's Compose gives them, too.
const PROJECT: &str = "com.docker.compose.project";
const SERVICE: &str = "com.docker.compose.service";
/// Marks what `compose run` made beside a service.
const ONE_OFF: &str = "com.docker.compose.oneoff";
/// How alike another name must be, from 0 to 1, to be the one that was meant.
const ALIKE: f64 = 0.75;
/// The shortest beginning of an id that is taken for one.
const ID_DIGITS: usize = 4;

/// A container of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// As the engine calls its state: `running`, `exited`.
    state: String,
    /// Project and service, where Compose made it.
    service: Option<(String, String)>,
}

/// The container of this name, which runs.
///
/// # Errors
/// [`ContainerError`].
pub async fn running(engine: &Engine, name: &str) -> Result<Candidate, ContainerError> {
    let all = ListContainersOptions { all: true, ..ListContainersOptions::default() };
    let listed = engine.docker.list_containers(Some(all)).await;
    let listed = listed.map_err(refusing("list its containers"))?;
    let candidates: Vec<Candidate> = listed.into_iter().filter_map(candidate).collect();
    let found = choose(&candidates, name)?;
    match found.state.as_str() {
        "running" => Ok(found.clone()),
        "paused" => Err(ContainerError::Paused { name: found.name.clone() }),
        state => {
            Err(ContainerError::NotRunning { name: found.name.clone(), state: state.to_owned() })
        }
    }
}

fn candidate(container: ContainerSummary) -> Option<Candidate> {
    let name = container.names.unwrap_or_default().into_iter().next()?;
    let labels = container.labels.unwrap_or_default();
    let one_off = labels.get(ONE_OFF).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let service = labels.get(PROJECT).cloned().zip(labels.get(SERVICE).cloned());
    Some(Candidate {
        id: container.id?,
        name: name.trim_start_matches('/').to_owned(),
        state: container.state.map(|state| state.to_string()).unwrap_or_default(),
        service: service.filter(|_| !one_off),
    })
}

/// The one that is meant: a container's own name before a service's, an id last.
fn choose<'a>(candidates: &'a [Candidate], name: &str) -> Result<&'a Candidate, ContainerError> {
    if let Some(named) = candidates.iter().find(|candidate| candidate.name == name) {
        return Ok(named);
    }
    let of_service: Vec<&Candidate> = candidates.iter().filter(|it| it.is_of(name)).collect();
    let services: BTreeSet<String> =
        of_service.iter().filter_map(|candidate| candidate.service()).collect();
    if services.len() > 1 {
        // Also where only one of them runs: of a database that stopped, another project's would be no backup.
        let services = services.into_iter().collect();
        return Err(ContainerError::SeveralProjects { name: name.to_owned(), services });
    }
    let running: Vec<&Candidate> =
        of_service.iter().copied().filter(|it| it.state == "running").collect();
    match (running.as_slice(), of_service.first()) {
        ([only], _) => return Ok(only),
        ([], Some(stopped)) => return Ok(stopped),
        ([], None) => {}
        (several, _) => {
            let mut containers: Vec<String> =
                several.iter().map(|candidate| candidate.name.clone()).collect();
            containers.sort();
            return Err(ContainerError::SeveralContainers { name: name.to_owned(), containers });
        }
    }
    let is_id = name.len() >= ID_DIGITS && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut by_id = candidates.iter().filter(|candidate| is_id && candidate.id.starts_with(name));
    match (by_id.next(), by_id.next()) {
        (Some(only), None) => Ok(only),
        _ => Err(ContainerError::Missing {
            name: name.to_owned(),
            nearest: nearest(candidates, name),
        }),
    }
}

fn nearest(candidates: &[Candidate], name: &str) -> Option<String> {
    let names = candidates.iter().flat_map(|candidate| {
        let service = candidate.service.as_ref().map(|(_, service)| service.clone());
        service.into_iter().chain([candidate.name.clone()])
    });
    names
        .map(|known| (strsim::jaro_winkler(name, &known), known))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, known)| known)
}

impl Candidate {
    /// Whether it is of the service `SERVICE` or `PROJECT/SERVICE`.
    fn is_of(&self, name: &str) -> bool {
        let Some((project, service)) = &self.service else { return false };
        match name.split_once('/') {
            None => service == name,
            Some((of, named)) => project == of && service == named,
        }
    }

    fn service(&self) -> Option<String> {
        self.service.as_ref().map(|(project, service)| format!("{project}/{service}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(id: &str, name: &str, state: &str, service: Option<(&str, &str)>) -> Candidate {
        let service = service.map(|(project, service)| (project.to_owned(), service.to_owned()));
        Candidate { id: id.to_owned(), name: name.to_owned(), state: state.to_owned(), service }
    }

    fn candidates() -> Vec<Candidate> {
        vec![
            candidate("aa01", "shop-db-1", "running", Some(("shop", "db"))),
            candidate("aa02", "blog-db-1", "exited", Some(("blog", "db"))),
            candidate("bb01", "shop-read-1", "running", Some(("shop", "read"))),
            candidate("bb02", "shop-read-2", "running", Some(("shop", "read"))),
            candidate("cc01", "shop-old-1", "exited", Some(("shop", "old"))),
            candidate("cc02", "shop-old-2", "running", Some(("shop", "old"))),
            candidate("dd01", "postgres", "running", None),
            candidate("dd02", "blog-stopped-1", "exited", Some(("blog", "stopped"))),
        ]
    }

    fn chosen(name: &str) -> Result<String, String> {
        let candidates = candidates();
        let chosen = choose(&candidates, name);
        chosen.map(|it| it.name.clone()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_container_is_found_by_name_id_or_service() {
        for (name, expected) in [
            ("postgres", "postgres"),
            ("shop-db-1", "shop-db-1"),
            ("shop/db", "shop-db-1"),
            ("blog/db", "blog-db-1"),
            ("dd01", "postgres"),
            // Of replicas, the one that runs.
            ("old", "shop-old-2"),
            // It is told later that it does not run.
            ("stopped", "blog-stopped-1"),
        ] {
            assert_eq!(chosen(name).as_deref(), Ok(expected), "{name}");
        }
    }

    #[test]
    fn what_may_mean_several_names_them_also_where_one_alone_runs() {
        let error = chosen("db").unwrap_err();
        assert!(error.ends_with("named db: blog/db, shop/db"), "{error}");
        let error = chosen("read").unwrap_err();
        assert!(error.ends_with("run: shop-read-1, shop-read-2"), "{error}");
    }

    #[test]
    fn a_wrong_name_is_told_with_the_nearest() {
        let candidates = candidates();
        let hint = |name| choose(&candidates, name).unwrap_err().hint().unwrap();
        assert!(hint("postgers").starts_with("did you mean postgres?"));
        assert!(hint("zzz").starts_with("docker ps --all"));
        assert!(chosen("dd").is_err() && chosen("").is_err());
    }
}
