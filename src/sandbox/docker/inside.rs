//! PostgreSQL's client tools in the container that a database runs in, which is somebody else's: nothing is made there,
//! and nothing is left.

use std::time::Duration;

use bollard::container::LogOutput;
use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::models::ExecConfig;
use bollard::query_parameters::InspectContainerOptions;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::{Stream, StreamExt};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio_util::sync::CancellationToken;

use super::engine::{Engine, message_of, refused, status_of};
use super::exit::Exit;
use super::lookup;
use super::tools::status;
use crate::process::{Call, Elsewhere, Ended, Ends, GRACE, Lines, ProcessError};
use crate::sandbox::container_error::ContainerError;
use crate::sandbox::owner::random_password;

const RUN: &str = concat!(include_str!("find-server.sh"), include_str!("inside.sh"));
const LOOK: &str = concat!(include_str!("find-server.sh"), include_str!("look-inside.sh"));
/// Bytes of the output that are read ahead.
const OUTPUT_BYTES: usize = 256 * 1024;
/// How long a look into the container may take.
const LOOK_TIMEOUT: Duration = Duration::from_secs(60);
/// How long the engine may take to say what became of a container.
const STATE_TIMEOUT: Duration = Duration::from_secs(3);
/// Digits of a tool's exit code behind the mark at the end of its output.
const CODE_DIGITS: usize = 3;

type Output = std::pin::Pin<
    Box<dyn Stream<Item = Result<LogOutput, bollard::errors::Error>> + Send + 'static>,
>;
type Input = std::pin::Pin<Box<dyn AsyncWrite + Send + 'static>>;

/// A container that a database runs in.
#[derive(Debug, Clone)]
pub struct DatabaseContainer {
    /// Its name.
    pub name: String,
    /// The role that the image was told to make.
    pub role: Option<String>,
    /// The database that it was told to make.
    pub database: Option<String>,
    engine: Engine,
    id: String,
    /// The user of the system to run tools as; that of the image, where nobody else owns the data.
    user: Option<String>,
}

impl DatabaseContainer {
    /// Finds it by its name, its id, or its service of Compose, and looks into it.
    ///
    /// # Errors
    /// [`ContainerError`].
    pub async fn find(name: &str) -> Result<Self, ContainerError> {
        let engine = Engine::connect().await?;
        let found = lookup::running(&engine, name).await?;
        let (role, database, user) = (None, None, None);
        let unknown = Self { name: found.name, role, database, engine, id: found.id, user };
        let looked = tokio::time::timeout(LOOK_TIMEOUT, unknown.look()).await;
        let said = looked.map_err(|_| ContainerError::NoPgDump {
            name: unknown.name.clone(),
            why: format!("no answer within {} s", LOOK_TIMEOUT.as_secs()),
        })??;
        let mut lines = said.lines().map(|line| line.trim().to_owned());
        let mut line = || lines.next().filter(|line| !line.is_empty());
        if line().is_none() {
            return Err(ContainerError::NoPgDump { name: unknown.name, why: String::new() });
        }
        let user = line();
        Ok(Self { user, role: line(), database: line(), ..unknown })
    }

    async fn look(&self) -> Result<String, ContainerError> {
        let cmd = ["sh", "-c", LOOK].map(str::to_owned).to_vec();
        let no_shell = |error: ContainerError| match error {
            ContainerError::Engine(error) => {
                ContainerError::NoPgDump { name: self.name.clone(), why: error.to_string() }
            }
            other => other,
        };
        let (mut output, _input) = self.start("look", cmd, Vec::new()).await.map_err(no_shell)?;
        let mut said = Vec::new();
        while let Some(item) = output.next().await {
            if let LogOutput::StdOut { message } =
                item.map_err(|error| refused("look into the container", &error))?
            {
                said.extend_from_slice(&message);
            }
        }
        Ok(String::from_utf8_lossy(&said).into_owned())
    }

    /// Starts a program; gives what it writes, and what it reads from.
    async fn start(
        &self,
        name: &str,
        cmd: Vec<String>,
        env: Vec<String>,
    ) -> Result<(Output, Input), ContainerError> {
        let doing = format!("run {name} in the container {}", self.name);
        let failed = |error: bollard::errors::Error| match status_of(&error) {
            Some(409) => ContainerError::NotRunning {
                name: self.name.clone(),
                state: "stopped or paused".to_owned(),
            },
            _ => refused(&doing, &error).into(),
        };
        let config = ExecConfig {
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            user: self.user.clone(),
            env: Some(env),
            cmd: Some(cmd),
            ..ExecConfig::default()
        };
        let docker = &self.engine.docker;
        let exec = docker.create_exec(&self.id, config).await.map_err(failed)?.id;
        let options =
            StartExecOptions { output_capacity: Some(OUTPUT_BYTES), ..StartExecOptions::default() };
        match docker.start_exec(&exec, Some(options)).await.map_err(failed)? {
            StartExecResults::Attached { output, input } => Ok((output, input)),
            StartExecResults::Detached => Err(ContainerError::BrokenOff {
                why: "it was started where it cannot be seen".to_owned(),
            }),
        }
    }

    /// Runs a tool to its end. What it writes goes to `stdout`, no faster than that takes it. When `stop` is cancelled,
    /// or nobody reads any more, it is asked to end, and killed soon after.
    async fn call(
        self,
        call: Call,
        mut stdout: pipe::Sender,
        stop: CancellationToken,
    ) -> Result<Ended, ContainerError> {
        let mark = random_password().map_err(|error| ContainerError::BrokenOff {
            why: format!("there is no mark for its end: {error}"),
        })?;
        let (mut tail, program) = (Tail::until(mark.expose()), call.program.clone());
        let (cmd, env) = command(call, mark.expose())?;
        let (mut output, mut input) = tokio::select! {
            biased;
            () = stop.cancelled() => return Err(ContainerError::Interrupted),
            started = self.start(&program, cmd, env) => started?,
        };
        let mut ends = Ends::default();
        let mut said = |line: &str| ends.push(line);
        let mut lines = Lines::new(&mut said);
        let carried = tokio::select! {
            biased;
            () = stop.cancelled() => Carried::Unwanted,
            carried = carry(&mut output, &mut tail, &mut lines, Some(&mut stdout)) => carried,
        };
        let why = match carried {
            Carried::ToItsEnd => None,
            Carried::Lost(why) => Some(why),
            Carried::Unwanted => {
                drop(stdout);
                if let Err(error) = input.shutdown().await {
                    tracing::debug!(%error, program, "it could not be asked to end");
                }
                // The script gives it GRACE to end by itself.
                let rest = carry(&mut output, &mut tail, &mut lines, None);
                if tokio::time::timeout(GRACE * 3, rest).await.is_err() {
                    tracing::debug!(program, "it was not seen to end");
                }
                return Err(ContainerError::Interrupted);
            }
        };
        lines.finish();
        match tail.code() {
            Some(code) => {
                let exit = Exit { code, out_of_memory: false };
                Ok(Ended { status: status(exit), stderr: ends.into_lines() })
            }
            None => Err(ContainerError::BrokenOff { why: self.became(why).await }),
        }
    }

    /// What became of the container, or of the way to it.
    async fn became(&self, lost: Option<String>) -> String {
        let options = None::<InspectContainerOptions>;
        let asking = self.engine.docker.inspect_container(&self.id, options);
        let state = match tokio::time::timeout(STATE_TIMEOUT, asking).await {
            Ok(Ok(container)) => container.state.unwrap_or_default(),
            Ok(Err(error)) if status_of(&error) == Some(404) => {
                return format!("the container {} was removed", self.name);
            }
            Ok(Err(error)) => return message_of(&error),
            Err(_) => return "Docker does not answer any more".to_owned(),
        };
        if state.running == Some(false) {
            let code = state.exit_code.unwrap_or_default();
            return format!("the container {} has ended (exit code {code})", self.name);
        }
        lost.unwrap_or_else(|| format!("the way into the container {} was lost", self.name))
    }
}

impl Elsewhere for DatabaseContainer {
    fn run(
        &self,
        call: Call,
        stdout: pipe::Sender,
        stop: CancellationToken,
    ) -> BoxFuture<'static, Result<Ended, ProcessError>> {
        let program = call.program.clone();
        let running = self.clone().call(call, stdout, stop);
        async move {
            running.await.map_err(|error| {
                let is_lost = matches!(error, ContainerError::BrokenOff { .. });
                let source = std::io::Error::other(error);
                match is_lost {
                    true => ProcessError::Lost { program, source },
                    false => ProcessError::Start { program, source },
                }
            })
        }
        .boxed()
    }

    fn is_apart(&self) -> bool {
        true
    }
}

/// A call as the script takes it, and its variables. The engine shows arguments to whoever may ask it, and variables to
/// nobody.
fn command(call: Call, mark: &str) -> Result<(Vec<String>, Vec<String>), ContainerError> {
    let text = |argument: std::ffi::OsString| {
        let shown = |argument: std::ffi::OsString| argument.display().to_string();
        argument
            .into_string()
            .map_err(|argument| ContainerError::NoText { argument: shown(argument) })
    };
    let script = ["sh", "-c", RUN, "ccc-backup", mark].map(str::to_owned);
    let args = call.args.into_iter().map(text).collect::<Result<Vec<_>, _>>()?;
    let env = call.env.into_iter().map(|(name, value)| format!("{name}={}", value.expose()));
    Ok((script.into_iter().chain([call.program]).chain(args).collect(), env.collect()))
}

/// How carrying came to an end.
enum Carried {
    /// Nothing more comes.
    ToItsEnd,
    /// Nobody takes it any more.
    Unwanted,
    /// The engine, or the way to it, failed.
    Lost(String),
}

/// Carries what a tool writes to whoever takes it.
async fn carry(
    output: &mut Output,
    tail: &mut Tail,
    lines: &mut Lines<'_>,
    mut stdout: Option<&mut pipe::Sender>,
) -> Carried {
    while let Some(item) = output.next().await {
        match item {
            Ok(LogOutput::StdErr { message }) => lines.take(&message),
            Ok(LogOutput::StdOut { message } | LogOutput::Console { message }) => {
                let known = tail.take(&message);
                if let Some(stdout) = &mut stdout
                    && let Err(error) = stdout.write_all(&known).await
                {
                    tracing::debug!(%error, "nobody reads any more");
                    return Carried::Unwanted;
                }
            }
            Ok(LogOutput::StdIn { .. }) => {}
            Err(error) => return Carried::Lost(message_of(&error)),
        }
    }
    Carried::ToItsEnd
}

/// The last bytes of an output, which may be the mark of its end.
struct Tail {
    mark: Vec<u8>,
    held: Vec<u8>,
}

impl Tail {
    fn until(mark: &str) -> Self {
        Self { mark: mark.as_bytes().to_vec(), held: Vec::new() }
    }

    /// Takes more; gives what is known to stand before the mark.
    fn take(&mut self, piece: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(piece);
        let known = self.held.len().saturating_sub(self.mark.len() + CODE_DIGITS);
        self.held.drain(..known).collect()
    }

    /// The exit code, where the end has come.
    fn code(&self) -> Option<i64> {
        let code = self.held.strip_prefix(self.mark.as_slice())?;
        let digits = Some(code).filter(|code| code.len() == CODE_DIGITS)?;
        std::str::from_utf8(digits).ok()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::secret::Secret;

    /// What is carried of these pieces, and the exit code.
    fn carried(pieces: &[&str]) -> (String, Option<i64>) {
        let mut tail = Tail::until("MARK");
        let known: Vec<u8> = pieces.iter().flat_map(|piece| tail.take(piece.as_bytes())).collect();
        (String::from_utf8(known).unwrap(), tail.code())
    }

    #[test]
    fn an_output_is_whole_only_with_its_mark_however_it_comes_in_pieces() {
        let whole = |text: &str, code| (text.to_owned(), Some(code));
        assert_eq!(carried(&["one two", "MARK000"]), whole("one two", 0));
        assert_eq!(carried(&["one twoMA", "RK", "1", "37"]), whole("one two", 137));
        assert_eq!(carried(&["MARK001"]), whole("", 1));
        assert_eq!(carried(&["MARK000MARK000"]), whole("MARK000", 0));
        for cut in [&["one two"][..], &["one two", "MARK"], &["MARK00"], &["MARK000 "], &[]] {
            assert_eq!(carried(cut).1, None, "{cut:?}");
        }
    }

    #[test]
    fn a_password_is_no_argument_and_what_is_no_text_is_refused() {
        use std::os::unix::ffi::OsStringExt;

        let call = |args| {
            let env = [("PGPASSWORD".to_owned(), Secret::new("hunter2"))].into();
            Call { program: "pg_dump".into(), args, env }
        };
        let (cmd, env) = command(call(vec!["--verbose".into()]), "MARK").unwrap();
        assert_eq!(cmd[3..], ["ccc-backup", "MARK", "pg_dump", "--verbose"]);
        assert!(!cmd.concat().contains("hunter2"));
        assert_eq!(env, ["PGPASSWORD=hunter2"]);
        let odd = std::ffi::OsString::from_vec(b"\xff".to_vec());
        assert!(command(call(vec![odd]), "MARK").is_err());
    }
}
