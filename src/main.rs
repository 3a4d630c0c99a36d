//! Parses, runs, exits; the only exit.

mod version;

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use ccc_backup::cli::{Cli, Command, GlobalArgs, ProgressArg};
use ccc_backup::commands::drill::NewestOfEach;
use ccc_backup::commands::evidence::Sources;
use ccc_backup::commands::notify::{Sending, Telling};
use ccc_backup::commands::reports::Reports;
use ccc_backup::commands::{self, CANNOT_TELL, Failure, Stop};
use ccc_backup::events::Events;
use ccc_backup::man;
use ccc_backup::report::console::{self, Console, LOG_TARGET, Style};
use ccc_backup::report::progress::Show;
use ccc_backup::report::{doctor, output};
use ccc_backup::settings;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use futures_util::FutureExt;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

/// How long a run may take to end that was asked to: longer than an engine that hangs is waited for.
const PATIENCE: Duration = Duration::from_secs(45);
/// What a run may put on its stack: its steps are one in the other, each with all that it waits for.
const STACK_BYTES: usize = 16 << 20;
/// Signals within this time of the first are its echo.
const ECHO: Duration = Duration::from_millis(300);

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(answer) => {
            // --help and --version are answers, not errors.
            let code = if answer.use_stderr() { CANNOT_TELL } else { 0 };
            let _ = in_full(answer).print();
            return ExitCode::from(code);
        }
    };
    // The system hands signals to the first thread. One that waits for a disk cannot take them, so
    // the work is done on another.
    let work = std::thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(|| run(cli).unwrap_or_else(|error| report(&Failure::of(&error))));
    match work {
        Ok(work) => ExitCode::from(code_of(work.join())),
        Err(error) => ExitCode::from(report(&Failure::of(&error.into()))),
    }
}

/// The answer that gives the version, with all facts of the build where those are wanted; any other as it is.
fn in_full(answer: clap::Error) -> clap::Error {
    let wanted = answer.kind() == ErrorKind::DisplayVersion
        && version::is_wanted_in_full(std::env::args_os().skip(1));
    if !wanted {
        return answer;
    }
    let told = Cli::command().version(&*version::in_full().leak()).try_get_matches();
    told.err().unwrap_or(answer)
}

/// The exit code of the work. A defect of ours, which was told where it happened, says nothing of a
/// backup.
fn code_of(work: std::thread::Result<u8>) -> u8 {
    work.unwrap_or_else(|_| report(&died()))
}

/// The work died of a defect of ours.
fn died() -> Failure {
    let hint = "this is a defect of ccc-backup: please report it, with the lines above";
    Failure {
        exit: CANNOT_TELL,
        cause: "internal error".to_owned(),
        hint: Some(hint.to_owned()),
        notes: Vec::new(),
    }
}

/// Says what went wrong, and gives the exit code for it.
fn report(failure: &Failure) -> u8 {
    console::error(&failure.cause, &failure.notes, failure.hint.as_deref());
    failure.exit
}

fn run(cli: Cli) -> anyhow::Result<u8> {
    start_log(&cli.global)?;
    let command = match cli.command {
        Command::Backup { command } => command.into(),
        command => command,
    };
    let console = Arc::new(Console::new(style(&cli.global, &command)));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let code = runtime.block_on(async {
        let (stop, sending) = (Stop::default(), Sending::default());
        watch_signals(&stop, &sending, left_by(&command))?;
        tokio::spawn(watch_end(stop.clone(), sending.clone(), left_by(&command)));
        let telling = settings::notify(&command, &settings::process_environment)?;
        let telling = telling.map(Telling::begin);
        let events = events_to(&console, &stop);
        let heard = telling.as_ref().map_or_else(|| events.clone(), |it| it.hear(&events));
        // Who is told of a run is told of one that dies, too.
        let working = AssertUnwindSafe(dispatch(command, &console, &heard, &stop)).catch_unwind();
        let ended = working.await;
        commands::settle().await;
        console.finish();
        let failure = match &ended {
            Ok(ended) => ended.as_ref().err().map(Failure::of),
            Err(_) => Some(died()),
        };
        let code = match &ended {
            Ok(Ok(code)) => *code,
            _ => failure.as_ref().map_or(CANNOT_TELL, report),
        };
        if let Some(telling) = telling {
            telling.end(code, failure.as_ref(), &sending, &events).await;
        }
        anyhow::Ok(code)
    });
    // Threads that still read a backup end when nobody listens; they are not waited for.
    runtime.shutdown_background();
    commands::end_children();
    code
}

async fn dispatch(
    command: Command,
    console: &Console,
    events: &Events,
    stop: &Stop,
) -> anyhow::Result<u8> {
    match command {
        Command::Create(args) => {
            let settings = settings::create(&args, &settings::process_environment)?;
            let metrics_file = settings.backup.metrics_file.as_deref();
            commands::ledger::check_metrics_file(metrics_file)?;
            let events = Reports::of_creation(settings.report.as_deref())?.after(events);
            Ok(commands::create::run(&settings, &events, stop).await?)
        }
        Command::Verify(args) => {
            let mut settings = settings::verify(&args, &settings::process_environment)?;
            commands::ledger::check_metrics_file(settings.metrics_file.as_deref())?;
            let reports = settings::reports(&args, &settings::process_environment)?;
            let sources = Sources::of_verification(&settings);
            let signer = commands::signer::have(reports.sign.as_ref(), events, stop).await?;
            if let Some(newest) = NewestOfEach::find(&mut settings, stop).await {
                let events = Reports::of_verifications(&reports, sources, signer)?.after(events);
                return Ok(newest.verify(&settings, &events, stop).await?);
            }
            let events = Reports::of_verification(&reports, sources, signer)?.after(events);
            Ok(commands::verify::run(&settings, &events, stop).await.verdict().exit_code())
        }
        Command::Drill(args) => {
            let settings = settings::drill(&args, &settings::process_environment)?;
            commands::ledger::check_metrics_file(settings.metrics_file.as_deref())?;
            let reports = settings::drill_reports(&args, &settings::process_environment)?;
            let sources = Sources::of_drill(&settings);
            let signer = commands::signer::have(reports.sign.as_ref(), events, stop).await?;
            let events = match settings.dry_run {
                true => events.clone(),
                false => Reports::of_drill(&reports, sources, signer)?.after(events),
            };
            Ok(commands::drill::run(&settings, &events, stop).await?)
        }
        Command::Restore(args) => {
            let settings = settings::restore(&args, &settings::process_environment)?;
            commands::ledger::check_metrics_file(settings.metrics_file.as_deref())?;
            Ok(commands::restore::run(&settings, events, stop).await?)
        }
        Command::Cleanup(args) => {
            let settings = settings::cleanup(&args)?;
            Ok(commands::cleanup::run(&settings, events).await?)
        }
        Command::Copy(args) => {
            let settings = settings::copy(&args)?;
            Ok(commands::copy::run(&settings, events, stop).await?)
        }
        Command::List(args) => {
            console.answer(&commands::list::run(&settings::list(&args)?, events)?);
            Ok(0)
        }
        Command::History(args) => {
            console.answer(&commands::history::run(&settings::history(&args)?, events)?);
            Ok(0)
        }
        Command::Diff(args) => {
            let settings = settings::diff(&args, &settings::process_environment)?;
            Ok(commands::diff::run(&settings, console.data(), events, stop).await?)
        }
        Command::Extract(args) => {
            let settings = settings::extract(&args, &settings::process_environment)?;
            commands::extract::run(&settings, console.data(), events, stop).await?;
            Ok(0)
        }
        Command::Doctor(args) => {
            let settings = settings::doctor(&args, &settings::process_environment);
            let looked = if settings.json { Events::silent() } else { events.clone() };
            let checkup = commands::doctor::run(&settings, &looked, stop).await?;
            if settings.json {
                console.answer(&String::from_utf8_lossy(&doctor::serialize(&checkup)));
            }
            Ok(checkup.exit_code())
        }
        Command::Keys(args) => {
            let settings = settings::keys(&args, &settings::process_environment)?;
            console.answer(&commands::keys::run(&settings, events, stop).await?);
            Ok(0)
        }
        Command::Backup { command } => {
            Box::pin(dispatch(command.into(), console, events, stop)).await
        }
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "ccc-backup", &mut text);
            console.answer(&String::from_utf8_lossy(&text));
            Ok(0)
        }
        Command::Man => {
            console.answer(&man::page(&Cli::command()));
            Ok(0)
        }
    }
}

/// Events go to the console; when nobody reads it any more, the run ends.
fn events_to(console: &Arc<Console>, stop: &Stop) -> Events {
    let (console, stop) = (Arc::clone(console), stop.clone());
    Events::new(move |event| {
        console.show(&event);
        if console.is_broken() {
            stop.because("stdout was closed");
        }
    })
}

/// What a command leaves that is not allowed to clean up, and what removes it.
fn left_by(command: &Command) -> &'static str {
    match command {
        Command::Create(_) => {
            "what was written of the backup is left, as a hidden .partial file: `ccc-backup cleanup \
             --older-than AGE` removes it"
        }
        Command::Verify(_) | Command::Drill(_) => {
            "the throwaway server is left: the next run removes it, or `ccc-backup cleanup --sandbox`"
        }
        Command::Extract(_) => "what was written is not whole",
        _ => "run it again: what was not removed is still there",
    }
}

/// The first signal asks to stop; a second one leaves at once, and says what is `left`. What comes right after the first is
/// the same one again: `timeout` and some supervisors send it to the process and to its group. When the work is done and
/// only word of it is being sent, a signal ends that.
fn watch_signals(stop: &Stop, sending: &Sending, left: &'static str) -> std::io::Result<()> {
    let first = Arc::new(OnceLock::new());
    for (kind, name) in [
        (SignalKind::interrupt(), "SIGINT"),
        (SignalKind::terminate(), "SIGTERM"),
        (SignalKind::hangup(), "SIGHUP"),
    ] {
        let mut signals = signal(kind)?;
        let (stop, sending, first) = (stop.clone(), sending.clone(), Arc::clone(&first));
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                let is_echo = first.get().is_some_and(|at: &Instant| at.elapsed() <= ECHO);
                let since = first.get_or_init(Instant::now).elapsed();
                if !is_echo && sending.cut_short() {
                    continue;
                }
                if stop.token().is_cancelled() && since > ECHO {
                    leave("interrupted twice", left);
                }
                stop.because(format!("interrupted by {name}"));
            }
        });
    }
    Ok(())
}

/// Leaves a run that was asked to end and does not, because a disk does not answer. Word of it has limits of its own.
async fn watch_end(stop: Stop, sending: Sending, left: &'static str) {
    stop.token().cancelled().await;
    tokio::select! {
        () = sending.begun() => {}
        () = tokio::time::sleep(PATIENCE) => {
            leave(&format!("{}, and something does not answer", stop.reason()), left);
        }
    }
}

/// Ends the process as it is, and says what is `left`.
fn leave(why: &str, left: &str) -> ! {
    console::error(&format!("{why}: leaving without cleaning up"), &[], Some(left));
    commands::end_children();
    std::process::exit(i32::from(CANNOT_TELL));
}

/// How to print. Bars and diagnostics would get into each other's way.
fn style(global: &GlobalArgs, command: &Command) -> Style {
    let progress = match global.progress {
        _ if global.quiet => Show::Nothing,
        ProgressArg::Auto if global.verbose || std::env::var_os("RUST_LOG").is_some() => {
            Show::Nothing
        }
        ProgressArg::Auto | ProgressArg::Bar => Show::Bars,
        ProgressArg::Plain => Show::Lines,
        ProgressArg::None => Show::Nothing,
    };
    let on_github = settings::process_environment("GITHUB_ACTIONS");
    let on_stderr = matches!(command, Command::Create(args) if args.is_to_stdout());
    Style {
        quiet: global.quiet,
        annotate: on_github.as_deref() == Some("true"),
        progress,
        on_stderr,
    }
}

/// Diagnostics: to stderr with `--verbose` or `RUST_LOG`, and to `--log-file`.
fn start_log(global: &GlobalArgs) -> anyhow::Result<()> {
    let mut layers: Vec<Box<dyn Layer<Registry> + Send + Sync>> = Vec::new();
    let from_environment = EnvFilter::try_from_default_env();
    if global.verbose || from_environment.is_ok() {
        let filter =
            from_environment.unwrap_or_else(|_| EnvFilter::new("ccc_backup=debug,child=debug"));
        // What is printed is on the terminal already.
        let filter = filter.add_directive(format!("{LOG_TARGET}=off").parse()?);
        let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
        layers.push(layer.with_filter(filter).boxed());
    }
    if let Some(path) = &global.log_file {
        let file = open_log(path)?;
        let filter = format!("ccc_backup=debug,child=debug,{LOG_TARGET}=debug");
        let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(Arc::new(file));
        layers.push(layer.with_filter(EnvFilter::new(filter)).boxed());
    }
    tracing_subscriber::registry().with(layers).init();
    Ok(())
}

fn open_log(path: &Path) -> Result<std::fs::File, Failure> {
    output::open_to_append(path).map_err(|error| Failure {
        exit: CANNOT_TELL,
        cause: format!("the log file {error}"),
        hint: Some(error.hint().to_owned()),
        notes: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_panics_could_not_tell() {
        assert_eq!(code_of(std::thread::spawn(|| 1).join()), 1);
        assert_eq!(code_of(std::thread::spawn(|| panic!("it dies, as it should")).join()), 2);
    }
}
