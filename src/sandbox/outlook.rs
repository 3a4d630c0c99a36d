//! What a sandbox would be, told without one: the engine that would be taken, and its image.

use super::error::SandboxError;
use super::request::{Choice, Request};
use super::{docker, instead, local};
use crate::programs;

/// See the module.
#[derive(Debug)]
pub enum Outlook {
    /// A container.
    Docker {
        /// Where the engine is, and its version.
        engine: String,
        /// Who has name or port, where somebody has.
        taken: Option<SandboxError>,
        /// The image.
        image: ImageHere,
    },
    /// A server of this machine's own PostgreSQL.
    Local {
        /// Its programs, and their version.
        server: String,
        /// Why.
        why: String,
    },
}

/// An image, as far as it is here.
#[derive(Debug)]
pub struct ImageHere {
    /// What is wanted.
    pub name: String,
    /// What would be taken, if nothing were pulled; absent where there is nothing to take.
    pub taken: Option<String>,
}

/// Tells what a sandbox would be, and changes nothing: pulls no image, and removes nothing that dead runs left.
///
/// # Errors
/// Why there would be none.
pub async fn outlook(request: &Request) -> Result<Outlook, SandboxError> {
    match request.choice {
        Choice::Local => return local_outlook(request, "as --engine says".to_owned()).await,
        Choice::Auto | Choice::Docker => {}
    }
    let looked = match docker::look(request).await {
        Ok(looked) => looked,
        Err(error) => return local_outlook(request, instead(request, error).await?).await,
    };
    let version = looked.version.map(|version| format!(" {version}")).unwrap_or_default();
    let taken = looked.image.image.or(looked.image.built);
    Ok(Outlook::Docker {
        engine: format!("docker{version} at {}", looked.endpoint),
        taken: looked.free.err(),
        image: ImageHere { name: looked.image.name, taken: taken.map(|image| image.name) },
    })
}

async fn local_outlook(request: &Request, why: String) -> Result<Outlook, SandboxError> {
    let found = local::installed().await;
    let Some(chosen) = programs::choose(&found, request.version) else {
        let others = found.iter().map(|programs| programs.major).collect();
        return Err(SandboxError::NoServer { version: request.version, others });
    };
    let server = format!("PostgreSQL {} in {}", chosen.version, chosen.dir.display());
    Ok(Outlook::Local { server, why })
}
