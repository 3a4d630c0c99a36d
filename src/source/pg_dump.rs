//! Runs pg_dump, and pg_restore where it writes SQL: their arguments, their stream, their end.

use std::ffi::OsString;
use std::fs::File;
use std::path::Path;

use super::client_tools::{PgDump, Tool};
use super::error::SourceError;
use super::pg_dump_args;
use crate::libpq::settings::ConnectSettings;
use crate::model::dump_options::DumpOptions;
use crate::model::format::Format;
use crate::model::secret::Secret;
use crate::packing::codec::Codec;
use crate::process::{Invocation, Running};

/// A larger pipe than the system's 64 KiB: fewer turns between pg_dump and its reader.
const PIPE_BYTES: usize = 1 << 20;

/// A dump.
#[derive(Debug, Clone)]
pub struct DumpRequest {
    /// The source.
    pub settings: ConnectSettings,
    /// The pg_dump to run.
    pub pg_dump: PgDump,
    /// More arguments; the manifest records what they mean.
    pub extra_args: Vec<OsString>,
    /// Whether owners and grants are dumped.
    pub keep_owner: bool,
    /// The format.
    pub format: Format,
    /// How pg_dump compresses an archive; a plain dump is compressed by us.
    pub codec: Codec,
    /// Tables dumped at a time, in the directory format.
    pub jobs: usize,
}

impl DumpRequest {
    /// What the arguments mean; for the manifest.
    pub fn options(&self) -> DumpOptions {
        options_of(&self.arguments(), self.pg_dump.major)
    }

    /// The arguments that shape the dump, without those of the connection and the place.
    pub fn arguments(&self) -> Vec<OsString> {
        let mut arguments = vec![format!("--format={}", self.format)];
        match self.format {
            Format::Plain => {}
            Format::Custom => arguments.push(self.compress()),
            Format::Directory => {
                arguments.extend([self.compress(), format!("--jobs={}", self.jobs)]);
            }
            // It knows no compression, not even none.
            Format::Tar => {}
        }
        if !self.keep_owner {
            arguments.extend(["--no-owner", "--no-acl"].map(str::to_owned));
        }
        // pg_dump refuses --clean where there is nothing to create. An archive holds what drops
        // things whatever is said here; it is for pg_restore to say.
        let extra = options_of(&self.extra_args, self.pg_dump.major);
        if self.format == Format::Plain && !extra.data_only {
            arguments.extend(["--clean", "--if-exists"].map(str::to_owned));
        }
        arguments.into_iter().map(OsString::from).chain(self.extra_args.iter().cloned()).collect()
    }

    fn compress(&self) -> String {
        match self.codec {
            Codec::None => "--compress=0".to_owned(),
            Codec::Gzip { level } => format!("--compress={level}"),
            Codec::Zstd { level } => format!("--compress=zstd:{level}"),
        }
    }

    /// The call of pg_dump.
    ///
    /// # Errors
    /// [`SourceError::Argument`].
    pub fn invocation(&self) -> Result<Invocation, SourceError> {
        pg_dump_args::check(&self.extra_args, self.pg_dump.major)?;
        let tool = self.settings.apply(self.pg_dump.tool.invocation());
        Ok(tool.args(self.arguments()))
    }

    /// Starts pg_dump. The file is its stream, to be read in a thread of its own (reading blocks)
    /// and to its end before [`DumpProcess::finish`]; only its end says that the dump is whole.
    ///
    /// # Errors
    /// [`SourceError::Argument`], [`SourceError::Process`], [`SourceError::Pipe`].
    pub fn start(&self) -> Result<(File, DumpProcess), SourceError> {
        streaming("pg_dump", self.invocation()?)
    }

    /// Starts pg_dump, which writes an archive to `place`: itself, because only so it can note in
    /// the archive where the data of each table are, and pg_restore can go there at once.
    ///
    /// # Errors
    /// [`SourceError::Argument`], [`SourceError::Process`].
    pub fn start_into(&self, place: &Path) -> Result<DumpProcess, SourceError> {
        let mut file = OsString::from("--file=");
        file.push(std::path::absolute(place).map_err(SourceError::Pipe)?);
        let running = self.invocation()?.arg(file).start()?;
        Ok(DumpProcess { tool: "pg_dump", running })
    }
}

fn options_of(arguments: &[OsString], major: u32) -> DumpOptions {
    DumpOptions::of(arguments.iter().map(|argument| argument.to_string_lossy()), major)
}

/// Starts a pg_restore that writes an archive as SQL. As with [`DumpRequest::start`].
///
/// # Errors
/// [`SourceError::Process`], [`SourceError::Pipe`].
pub fn start_decoding(
    pg_restore: &Tool,
    no_owner: bool,
    archive: &Path,
) -> Result<(File, DumpProcess), SourceError> {
    let archive = std::path::absolute(archive).map_err(SourceError::Pipe)?;
    streaming("pg_restore", decoding(pg_restore, no_owner).arg("--").arg(archive))
}

/// The same of an archive that is written to the first file as it is made.
///
/// # Errors
/// As [`start_decoding`], and where pg_restore is no program of this machine.
pub fn start_decoding_stream(
    pg_restore: &Tool,
    no_owner: bool,
) -> Result<(File, File, DumpProcess), SourceError> {
    decode_stream(decoding(pg_restore, no_owner))
}

/// The same, as pg_dump writes it as SQL with these options.
///
/// # Errors
/// As [`start_decoding_stream`].
pub fn start_writing_as(
    pg_restore: &Tool,
    options: &DumpOptions,
) -> Result<(File, File, DumpProcess), SourceError> {
    let mut invocation = decoding(pg_restore, !options.owners);
    if !options.privileges {
        invocation = invocation.arg("--no-privileges");
    }
    if options.clean {
        invocation = invocation.args(["--clean", "--if-exists"]);
    }
    decode_stream(invocation)
}

fn decode_stream(invocation: Invocation) -> Result<(File, File, DumpProcess), SourceError> {
    let (running, feed) = invocation.start_fed()?;
    let (sql, process) = DumpProcess::of("pg_restore", running)?;
    Ok((File::from(feed), sql, process))
}

fn decoding(pg_restore: &Tool, no_owner: bool) -> Invocation {
    let invocation = pg_restore.invocation().env("LC_ALL", Secret::new("C")).env_remove("LANGUAGE");
    let invocation = invocation.arg("--file=-");
    if no_owner { invocation.arg("--no-owner") } else { invocation }
}

fn streaming(
    tool: &'static str,
    invocation: Invocation,
) -> Result<(File, DumpProcess), SourceError> {
    DumpProcess::of(tool, invocation.start()?)
}

/// A client tool that runs; killed when dropped.
#[derive(Debug)]
pub struct DumpProcess {
    tool: &'static str,
    running: Running,
}

impl DumpProcess {
    /// Takes its stream.
    pub(super) fn of(
        tool: &'static str,
        mut running: Running,
    ) -> Result<(File, Self), SourceError> {
        let pipe = running.take_stdout()?;
        let pipe = pipe.ok_or_else(|| SourceError::Pipe(std::io::ErrorKind::BrokenPipe.into()))?;
        let pipe = pipe.into_blocking_fd().map_err(SourceError::Pipe)?;
        // Where the system allows no larger one, the usual one does.
        let _ = rustix::pipe::fcntl_setpipe_size(&pipe, PIPE_BYTES);
        Ok((File::from(pipe), Self { tool, running }))
    }

    /// Waits until it has ended; [`DumpProcess::finish`] says how.
    pub async fn exited(&mut self) {
        self.running.exited().await;
    }

    /// Waits for its end; returns the lines it wrote to stderr, which are warnings then.
    ///
    /// # Errors
    /// [`SourceError`] when it did not exit with 0.
    pub async fn finish(self) -> Result<Vec<String>, SourceError> {
        let ended = self.running.wait().await?;
        if ended.status.success() {
            Ok(ended.stderr)
        } else {
            Err(SourceError::from_tool(self.tool, ended))
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
