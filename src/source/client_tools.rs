//! PostgreSQL's client tools: those of this machine, found and asked for their version, or those that
//! run elsewhere.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::SourceError;
use crate::libpq::settings::ConnectSettings;
use crate::process::{Elsewhere, Invocation};
use crate::programs::{self, Programs};

/// A client tool, to be called.
#[derive(Debug, Clone)]
pub enum Tool {
    /// A program of this machine.
    Here(PathBuf),
    /// A program of this name, run by somebody else, in a container say. It sees the files that it is
    /// told of by absolute paths, as far as who runs it has them mounted.
    Elsewhere(&'static str, Arc<dyn Elsewhere>),
}

impl Tool {
    /// A call of it, without arguments.
    pub fn invocation(&self) -> Invocation {
        match self {
            Self::Here(path) => Invocation::new(path),
            Self::Elsewhere(name, host) => {
                let invocation = Invocation::elsewhere(*name, Arc::clone(host));
                if host.is_apart() { invocation.bare() } else { invocation }
            }
        }
    }

    /// Whether it sees no file of this machine.
    pub fn is_apart(&self) -> bool {
        matches!(self, Self::Elsewhere(_, host) if host.is_apart())
    }
}

/// A call of psql that writes bare rows, and ends with the first statement that is refused.
pub(super) fn asking(psql: &Tool, settings: &ConnectSettings) -> Invocation {
    let tool = settings.apply(psql.invocation());
    tool.args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1"])
}

/// A pg_dump and its version.
#[derive(Debug, Clone)]
pub struct PgDump {
    /// The program.
    pub tool: Tool,
    /// Its version, such as `15.18`.
    pub version: String,
    /// Its major version, such as 15.
    pub major: u32,
}

impl Tool {
    /// The version that it says, as the tool of this name does.
    ///
    /// # Errors
    /// [`SourceError::NotPgDump`], [`SourceError::Process`].
    pub async fn version(&self, name: &str) -> Result<(String, u32), SourceError> {
        let captured = self.invocation().arg("--version").capture().await?;
        let said = String::from_utf8_lossy(&captured.stdout);
        programs::parse_version(&said, name).ok_or_else(|| {
            let says = said.lines().next().unwrap_or_default().to_owned();
            SourceError::NotPgDump { path: self.path().to_owned(), name: name.to_owned(), says }
        })
    }

    /// Where it is; its name where it runs elsewhere.
    pub fn path(&self) -> &Path {
        match self {
            Self::Here(path) => path,
            Self::Elsewhere(name, _) => Path::new(name),
        }
    }

    /// The pg_restore of this machine for an archive that needs this major version or a newer one; where
    /// that is not known, or not there, any.
    pub async fn pg_restore_for(major: Option<u32>) -> Option<Self> {
        let found = programs::with("pg_restore", &programs::directories().await).await;
        let fitting = major.and_then(|major| programs::choose(&found, major));
        fitting.or(found.first()).map(|found| Self::Here(found.dir.join("pg_restore")))
    }
}

impl PgDump {
    /// Finds pg_dump: `explicit`, else the one on `PATH`, else the newest of those where packages put
    /// them; and asks for its version.
    ///
    /// # Errors
    /// [`SourceError::PgDumpNotFound`], [`SourceError::NotPgDump`], [`SourceError::Process`].
    pub async fn find(explicit: Option<&Path>) -> Result<Self, SourceError> {
        let is_path = |path: &Path| path.components().count() > 1;
        let path = match explicit {
            Some(path) if is_path(path) => {
                Some(path.to_owned()).filter(|it| programs::is_program(it))
            }
            Some(name) => programs::find(name, &programs::on_path()),
            None => programs::find("pg_dump", &programs::directories().await),
        };
        match path {
            Some(path) => Self::ask(Tool::Here(path)).await,
            None => Err(SourceError::PgDumpNotFound(explicit.map(Path::to_owned))),
        }
    }

    /// The one of this machine for a server of a major version: of that version, else of the next newer
    /// one; with its path.
    pub async fn of_version(major: u32) -> Option<(Self, PathBuf)> {
        let found = programs::with("pg_dump", &programs::directories().await).await;
        let Programs { dir, version, major } = programs::choose(&found, major)?.clone();
        let path = dir.join("pg_dump");
        Some((Self { tool: Tool::Here(path.clone()), version, major }, path))
    }

    /// The one that `host` runs, with the others beside it.
    ///
    /// # Errors
    /// [`SourceError::NotPgDump`], [`SourceError::Process`].
    pub async fn elsewhere(host: Arc<dyn Elsewhere>) -> Result<Self, SourceError> {
        Self::ask(Tool::Elsewhere("pg_dump", host)).await
    }

    async fn ask(tool: Tool) -> Result<Self, SourceError> {
        let (version, major) = tool.version("pg_dump").await?;
        Ok(Self { tool, version, major })
    }

    /// The psql beside it, else one found as pg_dump is.
    pub async fn psql(&self) -> Option<Tool> {
        self.beside("psql").await
    }

    /// The pg_restore beside it, else one found as pg_dump is. It reads files of this machine.
    pub async fn pg_restore(&self) -> Option<Tool> {
        if self.tool.is_apart() {
            return Tool::pg_restore_for(Some(self.major)).await;
        }
        self.beside("pg_restore").await
    }

    /// The pg_dumpall beside it, else one found as pg_dump is.
    pub async fn pg_dumpall(&self) -> Option<Tool> {
        self.beside("pg_dumpall").await
    }

    async fn beside(&self, name: &'static str) -> Option<Tool> {
        let path = match &self.tool {
            Tool::Here(path) => path.with_file_name(name),
            Tool::Elsewhere(_, host) => return Some(Tool::Elsewhere(name, Arc::clone(host))),
        };
        if programs::is_program(&path) {
            return Some(Tool::Here(path));
        }
        programs::find(name, &programs::directories().await).map(Tool::Here)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs::tests::program;

    #[tokio::test]
    async fn a_missing_pg_dump_is_named_with_the_way_to_get_one() {
        let found = PgDump::find(Some(Path::new("/no/such/pg_dump"))).await;
        let error = found.unwrap_err();
        assert_eq!(error.to_string(), "pg_dump not found: /no/such/pg_dump");
        assert!(error.hint().unwrap().contains("apt install postgresql-client"));
    }

    #[tokio::test]
    async fn another_program_is_not_taken_for_pg_dump() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pg_dump");
        program(&path, "#!/bin/sh\necho hello\n");
        let error = PgDump::find(Some(&path)).await.unwrap_err();
        assert!(error.to_string().ends_with("it says \"hello\" for its version"), "{error}");
        program(&path, "#!/bin/sh\necho 'pg_dump (PostgreSQL) 16.4'\n");
        assert_eq!(PgDump::find(Some(&path)).await.unwrap().major, 16);
    }

    #[tokio::test]
    async fn a_program_that_is_named_without_a_directory_is_looked_for_on_the_path() {
        let error = PgDump::find(Some(Path::new("no-such-pg_dump"))).await.unwrap_err();
        assert_eq!(error.to_string(), "pg_dump not found: no-such-pg_dump");
        let error = PgDump::find(Some(Path::new("sh"))).await.unwrap_err();
        let SourceError::NotPgDump { path, .. } = error else { panic!("{error}") };
        assert!(path.is_absolute() && path.ends_with("sh"), "{}", path.display());
    }
}
