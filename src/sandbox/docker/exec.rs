//! Runs a program in the container beside the server.
//!
//! Bytes go in and out over the engine's own connection, so that nothing has to be mounted: the
//! engine may run on another machine.

use std::time::Duration;

use bollard::container::LogOutput;
use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::models::ExecConfig;
use futures_util::StreamExt;

use crate::process::{Lines, Program, write_stdin};
use crate::sandbox::error::SandboxError;

use super::engine::refused;
use super::guard::Guard;

/// Bytes of the output that are read ahead.
const OUTPUT_BYTES: usize = 256 * 1024;
/// How long the engine may take to say how a program ended whose output has.
const END_TIMEOUT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(10);

/// Runs `program` to its end, by a script of [`spec`](super::spec), in the container `id`; gives its
/// exit code. Its lines on stderr go to `said`.
pub async fn run(
    guard: &Guard,
    (id, script): (&str, &str),
    program: Program,
    said: &mut (dyn FnMut(&str) + Send),
) -> Result<i64, SandboxError> {
    let docker = &guard.engine.docker;
    let name = program.argv.first().cloned().unwrap_or_default();
    let doing = format!("run {name} in the container");
    let failed = |error: bollard::errors::Error| refused(&doing, &error);
    let script = ["sh", "-ec", script, "ccc-backup"].map(str::to_owned);
    let config = ExecConfig {
        attach_stdin: Some(program.stdin.is_some()),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        env: Some(program.env),
        cmd: Some(script.into_iter().chain(program.argv).collect()),
        ..ExecConfig::default()
    };
    let exec = docker.create_exec(id, config).await.map_err(failed)?.id;
    let options =
        StartExecOptions { output_capacity: Some(OUTPUT_BYTES), ..StartExecOptions::default() };
    let started = docker.start_exec(&exec, Some(options)).await.map_err(failed)?;
    let StartExecResults::Attached { mut output, input } = started else {
        let reason = "it was started where it cannot be seen".to_owned();
        return Err(SandboxError::Engine { doing, reason });
    };
    let writing = write_stdin(program.stdin, Some(input));
    let reading = async {
        let mut lines = Lines::new(said);
        let mut stdout = program.stdout;
        while let Some(item) = output.next().await {
            match item.map_err(failed)? {
                LogOutput::StdErr { message } => lines.take(&message),
                LogOutput::StdOut { message } | LogOutput::Console { message } => {
                    // Who does not want more lets go of it; the program still runs to its end.
                    if let Some(sender) = &stdout
                        && sender.send(message).await.is_err()
                    {
                        stdout = None;
                    }
                }
                LogOutput::StdIn { .. } => {}
            }
        }
        lines.finish();
        Ok::<(), SandboxError>(())
    };
    tokio::pin!(writing, reading);
    // A program can end without having read everything; then nobody takes the rest.
    tokio::select! {
        ended = &mut reading => ended?,
        () = &mut writing => reading.await?,
    }
    let code = tokio::time::timeout(END_TIMEOUT, exit_code(docker, &exec)).await;
    code.map_err(|_| SandboxError::Engine {
        doing: format!("say how {name} ended"),
        reason: format!("no answer within {} s", END_TIMEOUT.as_secs()),
    })?
    .map_err(failed)
}

async fn exit_code(docker: &bollard::Docker, exec: &str) -> Result<i64, bollard::errors::Error> {
    loop {
        let inspected = docker.inspect_exec(exec).await?;
        if let (Some(code), Some(false) | None) = (inspected.exit_code, inspected.running) {
            return Ok(code);
        }
        tokio::time::sleep(PAUSE).await;
    }
}
