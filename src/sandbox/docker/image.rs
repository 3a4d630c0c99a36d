//! Which image the container is made of: the one that is here, one pulled, one built here.

use std::time::Duration;

use bollard::Docker;
use bollard::query_parameters::CreateImageOptions;
use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;

use crate::events::{Event, Events, Progress, Work};
use crate::sandbox::error::SandboxError;

use super::engine::{message_of, refused, status_of};

/// How long a pull may say nothing when there is another image to take, and when there is none.
const SILENCE_WITH_ANOTHER: Duration = Duration::from_secs(5);
const SILENCE_WITHOUT: Duration = Duration::from_secs(60);

/// An image that is here.
#[derive(Debug, Clone, Default)]
pub struct Image {
    /// Its name.
    pub name: String,
    /// `sha256:…`: the repository digest, else the image's id.
    pub digest: String,
    /// The paths it declares as volumes.
    pub volumes: Vec<String>,
    /// The major version of its server, if it says so.
    pub major: Option<u32>,
    /// Why this one.
    pub why: String,
    /// The user that it is for; empty for root.
    pub user: String,
    /// What it starts.
    pub entrypoint: Vec<String>,
    /// Its arguments.
    pub arguments: Vec<String>,
}

impl Image {
    /// The instructions that give an image which is made of a container of this one what it starts.
    pub fn changes_back(&self) -> [String; 3] {
        let user = if self.user.is_empty() { "root" } else { &self.user };
        let list = |words: &[String]| serde_json::Value::from(words).to_string();
        [
            format!("USER {user}"),
            format!("ENTRYPOINT {}", list(&self.entrypoint)),
            format!("CMD {}", list(&self.arguments)),
        ]
    }
}

/// Which image is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Its name; without one, it is chosen by version.
    pub name: Option<&'a str>,
    /// Major version of PostgreSQL.
    pub version: u32,
}

/// Finds the image that is wanted, pulling it when it is not here.
///
/// # Errors
/// [`SandboxError::ImageMissing`], [`SandboxError::Interrupted`], [`SandboxError::Engine`].
pub async fn find(
    docker: &Docker,
    wanted: Wanted<'_>,
    events: &Events,
    cancel: &CancellationToken,
) -> Result<Image, SandboxError> {
    let Wanted { name: asked, version } = wanted;
    let pulled = if asked.is_some() { "pulled, as asked" } else { "pulled" };
    let Here { name, image, built } = here(docker, wanted).await?;
    if let Some(image) = image {
        return Ok(image);
    }
    // A pull that cannot work (no registry, no network) takes less than 0.1 s to say so.
    let silence = match built {
        Some(_) => SILENCE_WITH_ANOTHER,
        None => SILENCE_WITHOUT,
    };
    let pull = pull(docker, &name, events, silence);
    let outcome = tokio::select! {
        biased;
        () = cancel.cancelled() => return Err(SandboxError::Interrupted),
        outcome = pull => outcome,
    };
    let reason = match outcome {
        Ok(()) => match inspect(docker, &name, pulled).await? {
            Some(image) => return Ok(image),
            None => "it was pulled but is not there".to_owned(),
        },
        Err(reason) => reason,
    };
    match built {
        Some(image) => {
            tracing::info!(image = name, reason, "not pulled; the image built here serves");
            Ok(image)
        }
        None => Err(SandboxError::ImageMissing {
            version: asked.is_none().then_some(version),
            image: name,
            reason,
        }),
    }
}

/// What is here of the image that is wanted.
#[derive(Debug)]
pub struct Here {
    /// Its name.
    pub name: String,
    /// The image, where it is here.
    pub image: Option<Image>,
    /// The one that was built here, which serves where that one is not here and cannot be pulled.
    pub built: Option<Image>,
}

/// Looks for the image that is wanted, and pulls nothing.
///
/// # Errors
/// [`SandboxError::Engine`].
pub async fn here(docker: &Docker, wanted: Wanted<'_>) -> Result<Here, SandboxError> {
    let (name, why) = match wanted.name {
        Some(image) => (image.to_owned(), "as asked"),
        None => (format!("postgres:{}", wanted.version), "present"),
    };
    let image = inspect(docker, &name, why).await?;
    let built = match wanted.name {
        None if image.is_none() => {
            let built = format!("ccc-backup/postgres:{}", wanted.version);
            inspect(docker, &built, "built here").await?
        }
        _ => None,
    };
    Ok(Here { name, image, built })
}

/// The image of this name, where it is here.
///
/// # Errors
/// [`SandboxError::Engine`].
pub async fn inspect(
    docker: &Docker,
    name: &str,
    why: &str,
) -> Result<Option<Image>, SandboxError> {
    let found = match docker.inspect_image(name).await {
        Ok(found) => found,
        Err(error) if status_of(&error) == Some(404) => return Ok(None),
        Err(error) => return Err(refused(&format!("look for the image {name}"), &error)),
    };
    let digest = found
        .repo_digests
        .unwrap_or_default()
        .first()
        .and_then(|full| full.split_once('@'))
        .map(|(_, digest)| digest.to_owned())
        .or(found.id)
        .unwrap_or_default();
    let config = found.config.unwrap_or_default();
    Ok(Some(Image {
        name: name.to_owned(),
        digest,
        major: major(config.env.as_deref().unwrap_or_default()),
        volumes: config.volumes.unwrap_or_default(),
        user: config.user.unwrap_or_default(),
        entrypoint: config.entrypoint.unwrap_or_default(),
        arguments: config.cmd.unwrap_or_default(),
        why: format!("image {name}, {why}"),
    }))
}

/// What the official image and those made of it, and the one built here, say of their server.
fn major(environment: &[String]) -> Option<u32> {
    environment.iter().find_map(|variable| variable.strip_prefix("PG_MAJOR=")?.parse().ok())
}

/// Pulls; gives up when the engine says nothing for `silence`.
async fn pull(
    docker: &Docker,
    image: &str,
    events: &Events,
    silence: Duration,
) -> Result<(), String> {
    let options =
        CreateImageOptions { from_image: Some(with_tag(image)), ..CreateImageOptions::default() };
    let mut news = docker.create_image(Some(options), None, None);
    let mut announced = false;
    loop {
        let item = tokio::time::timeout(silence, news.next())
            .await
            .map_err(|_| format!("no answer from the registry for {} s", silence.as_secs()))?;
        let info = match item {
            None => return Ok(()),
            Some(item) => item.map_err(|error| message_of(&error))?,
        };
        // The client makes errors of those that have a message.
        if info.error_detail.is_some() {
            return Err("refused, without a reason".into());
        }
        // Only now is it known that there is something to pull.
        if !announced {
            announced = true;
            events.emit(Event::ImagePulling { image: image.to_owned() });
        }
        let bytes = |count: Option<i64>| count.and_then(|count| u64::try_from(count).ok());
        if let Some(detail) = info.progress_detail
            && let Some(done) = bytes(detail.current)
        {
            events.emit(Event::Progress(Progress {
                work: Work::Pulling,
                done,
                total: bytes(detail.total),
                current: info.id,
            }));
        }
    }
}

/// The engine pulls every tag of a name that has none.
fn with_tag(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image);
    if last.contains([':', '@']) { image.to_owned() } else { format!("{image}:latest") }
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::*;

    #[test]
    fn a_name_without_a_tag_means_latest() {
        assert_eq!(with_tag("postgis/postgis"), "postgis/postgis:latest");
        assert_eq!(with_tag("localhost:5000/pg"), "localhost:5000/pg:latest");
        assert_eq!(with_tag("localhost:5000/pg:1"), "localhost:5000/pg:1");
        assert_eq!(with_tag("pg@sha256:00"), "pg@sha256:00");
    }

    #[test]
    fn the_version_of_a_server_is_what_its_image_says() {
        let said = |variables: &[&str]| {
            major(&variables.iter().map(|&text| text.to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(said(&["LANG=C", "PG_MAJOR=14"]), Some(14));
        assert_eq!(said(&["PG_MAJOR=", "PG_MAJOR_OF=14"]), None);
    }

    /// What comes of an image that is not here, and that an engine pulls with this answer.
    async fn pulled(status: u16, answer: &str) -> SandboxError {
        let create = ("POST /images/create", status, answer.to_owned());
        let fake = Fake::start(vec![create]).await;
        let wanted = Wanted { name: Some("some/postgres:15"), version: 15 };
        let (events, cancel) = (Events::silent(), CancellationToken::new());
        let outcome = find(&fake.engine.docker, wanted, &events, &cancel).await;
        assert_eq!(fake.times_asked("POST /images/create?"), 1);
        outcome.unwrap_err()
    }

    #[tokio::test]
    async fn an_image_that_cannot_be_pulled_is_missing_with_the_reason() {
        for (status, answer, expected) in [
            (200, "{\"status\": \"done\"}\n", "it was pulled but is not there"),
            (200, "{\"errorDetail\": {}}\n", "refused, without a reason"),
            (200, "{\"errorDetail\": {\"message\": \"no more\"}}\n", "no more"),
            (500, "{\"message\": \"broken\"}", "broken"),
        ] {
            let error = pulled(status, answer).await;
            let SandboxError::ImageMissing { reason, version: None, .. } = &error else {
                panic!("{error}");
            };
            assert_eq!(reason, expected);
        }
    }

    #[tokio::test]
    async fn an_engine_that_cannot_look_for_an_image_is_not_asked_to_pull_it() {
        let answers = vec![("GET /images/", 500, "{\"message\": \"broken\"}".to_owned())];
        let fake = Fake::start(answers).await;
        let (events, cancel) = (Events::silent(), CancellationToken::new());
        let found =
            find(&fake.engine.docker, Wanted { name: None, version: 15 }, &events, &cancel).await;
        let said = "Docker could not look for the image postgres:15: broken";
        assert_eq!(found.unwrap_err().to_string(), said);
        assert_eq!(fake.times_asked("POST"), 0);
    }
}
