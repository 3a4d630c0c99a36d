//! Runs pg_dump: its arguments, its stream, its end.

use std::ffi::OsString;
use std::fs::File;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use super::client_tools::PgDump;
use super::pg_dump_args;
use super::source::SourceSettings;
use super::source_error::SourceError;
use crate::process::{Invocation, Running};

/// A larger pipe than the system's 64 KiB: fewer turns between pg_dump and its reader.
const PIPE_BYTES: usize = 1 << 20;

/// A dump in plain format.
#[derive(Debug, Clone)]
pub struct DumpRequest {
    /// The source.
    pub settings: SourceSettings,
    /// The pg_dump to run.
    pub pg_dump: PgDump,
    /// More arguments, recorded in the manifest.
    pub extra_args: Vec<OsString>,
    /// Whether owners and grants are dumped.
    pub keep_owner: bool,
}

impl DumpRequest {
    /// The arguments that shape the dump, without those of the connection; for the manifest.
    pub fn arguments(&self) -> Vec<OsString> {
        let mut arguments = vec!["--format=plain"];
        if !self.keep_owner {
            arguments.extend(["--no-owner", "--no-acl"]);
        }
        arguments.extend(["--clean", "--if-exists"]);
        let mut arguments: Vec<_> = arguments.into_iter().map(OsString::from).collect();
        // pg_dump refuses --clean where there is nothing to create.
        if self.extra_args.iter().any(|arg| arg == "-a" || arg == "--data-only") {
            arguments.retain(|arg| arg != "--clean" && arg != "--if-exists");
        }
        arguments.extend(self.extra_args.iter().cloned());
        arguments
    }

    /// The call of pg_dump.
    ///
    /// # Errors
    /// [`SourceError::Argument`].
    pub fn invocation(&self) -> Result<Invocation, SourceError> {
        pg_dump_args::check(&self.extra_args)?;
        let tool = self.settings.apply(Invocation::new(&self.pg_dump.path));
        Ok(tool.args(self.arguments()))
    }

    /// Starts pg_dump. The file is its stream, to be read in a thread of its own (reading blocks)
    /// and to its end before [`DumpProcess::finish`]; only its end says that the dump is whole.
    ///
    /// # Errors
    /// [`SourceError::Argument`], [`SourceError::Process`], [`SourceError::Pipe`].
    pub fn start(&self) -> Result<(File, DumpProcess), SourceError> {
        let mut running = self.invocation()?.start()?;
        let pipe = running
            .stdout()
            .ok_or_else(|| SourceError::Pipe(std::io::ErrorKind::BrokenPipe.into()))?;
        let pipe = pipe.into_owned_fd().map_err(SourceError::Pipe)?;
        let flags = fcntl_getfl(&pipe).map_err(|error| SourceError::Pipe(error.into()))?;
        fcntl_setfl(&pipe, flags - OFlags::NONBLOCK)
            .map_err(|error| SourceError::Pipe(error.into()))?;
        // Where the system allows no larger one, the usual one does.
        let _ = rustix::pipe::fcntl_setpipe_size(&pipe, PIPE_BYTES);
        Ok((File::from(pipe), DumpProcess { running }))
    }
}

/// A pg_dump that runs; killed when dropped.
#[derive(Debug)]
pub struct DumpProcess {
    running: Running,
}

impl DumpProcess {
    /// Waits for its end; returns the lines it wrote to stderr, which are warnings then.
    ///
    /// # Errors
    /// [`SourceError`] when it did not exit with 0.
    pub async fn finish(self) -> Result<Vec<String>, SourceError> {
        let ended = self.running.wait().await?;
        if ended.status.success() {
            Ok(ended.stderr)
        } else {
            Err(SourceError::from_tool("pg_dump", ended))
        }
    }

    /// Kills it and waits until it is gone.
    pub async fn kill(self) {
        self.running.kill().await;
    }
}

#[cfg(test)]
#[path = "pg_dump_tests.rs"]
mod tests;
