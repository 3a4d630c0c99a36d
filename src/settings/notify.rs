//! Who is told of a run: `[notify]` of the configuration, with what the environment has of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Environment, SettingsError, metrics_file, signing};
use crate::cli::{self, MetricsArgs, NotifyArgs, parse_duration};
use crate::config::{self, Config};
use crate::http::Roots;
use crate::model::ended_run::Command;
use crate::model::secret::Secret;
use crate::notify::{Address, Headers, OwnCommand, Ping, Target, Way, Webhook};

/// How long telling may take where nothing is said.
const LIMIT: Duration = Duration::from_secs(30);
/// What makes sense: whoever waits for the exit code waits for this, too.
const LIMITS: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(600);
/// What stands before the name of a variable that has a value.
const VARIABLE: &str = "env:";

/// Who is told of a run.
#[derive(Debug, Clone)]
pub struct NotifySettings {
    /// What is run.
    pub command: Command,
    /// Who is told of it.
    pub targets: Vec<Target>,
    /// How long telling may take.
    pub limit: Duration,
    /// Where metrics go.
    pub metrics_file: Option<PathBuf>,
}

/// A command that others may be told of, with its options.
struct Asked<'a> {
    command: Command,
    args: &'a NotifyArgs,
    config: Option<&'a Path>,
    metrics: Option<&'a MetricsArgs>,
    /// Whether it only says what it would do.
    is_dry: bool,
}

impl<'a> Asked<'a> {
    fn of(command: &'a cli::Command) -> Option<Self> {
        Some(match command {
            cli::Command::Create(args) => Self {
                command: Command::Create,
                args: &args.notify,
                config: args.config.as_deref(),
                metrics: Some(&args.metrics),
                is_dry: false,
            },
            cli::Command::Verify(args) => Self {
                command: Command::Verify,
                args: &args.notify,
                config: args.proving.config.as_deref(),
                metrics: Some(&args.metrics),
                is_dry: false,
            },
            cli::Command::Drill(args) => Self {
                command: Command::Drill,
                args: &args.notify,
                config: args.proving.config.as_deref(),
                metrics: Some(&args.metrics),
                is_dry: args.dry_run,
            },
            cli::Command::Restore(args) => Self {
                command: Command::Restore,
                args: &args.notify,
                config: args.config.as_deref(),
                metrics: Some(&args.metrics),
                is_dry: args.dry_run,
            },
            cli::Command::Copy(args) => Self {
                command: Command::Copy,
                args: &args.notify,
                config: args.config.config.as_deref(),
                metrics: None,
                is_dry: false,
            },
            cli::Command::Cleanup(args) => Self {
                command: Command::Cleanup,
                args: &args.notify,
                config: args.config.config.as_deref(),
                metrics: None,
                is_dry: args.dry_run,
            },
            _ => return None,
        })
    }
}

/// Resolves who is told of a command; `None` where nobody ever is.
///
/// # Errors
/// When the configuration cannot be read or says what it may not, when a variable is missing that it names, and when a
/// file of certificates cannot be used.
pub fn notify(
    command: &cli::Command,
    environment: Environment,
) -> Result<Option<NotifySettings>, SettingsError> {
    let asked = Asked::of(command).filter(|asked| !asked.args.no_notify && !asked.is_dry);
    let Some(Asked { command, config, metrics, .. }) = asked else { return Ok(None) };
    let config = Config::read(config).map_err(|error| signing::unread(&error))?.notify;
    let metrics_file = metrics.and_then(metrics_file);
    let limit = limit(config.timeout.as_deref())?;
    let targets = targets(&config, |commands| commands.contains(&command), environment);
    let targets = targets.into_iter().collect::<Result<_, _>>()?;
    Ok(Some(NotifySettings { command, targets, limit, metrics_file }))
}

pub(super) fn limit(said: Option<&str>) -> Result<Duration, SettingsError> {
    let Some(said) = said else { return Ok(LIMIT) };
    let limit = parse_duration(said).ok().filter(|limit| LIMITS.contains(limit));
    limit.ok_or_else(|| SettingsError {
        message: format!("notify.timeout: {said:?} is no time from 1s to 10m"),
        hint: "write a number and a unit, such as timeout = \"30s\"".to_owned(),
    })
}

/// Who is told of the commands that are `wanted`, each by itself. What is not about them is not looked at: its variables
/// need not be there.
pub(super) fn targets(
    config: &config::Notify,
    wanted: impl Fn(&[Command]) -> bool,
    environment: Environment,
) -> Vec<Result<Target, SettingsError>> {
    let webhooks = config.webhook.0.iter().filter(|it| wanted(&it.commands));
    let webhooks = webhooks.map(|it| webhook(it, environment));
    let pings = config.ping.0.iter().filter(|it| wanted(&it.commands));
    let pings = pings.map(|it| ping(it, environment));
    let commands = config.command.0.iter().filter(|it| wanted(&it.commands)).map(|it| {
        let words = said("notify.command.run", &it.run, environment)?;
        Ok(Target { way: Way::Command(OwnCommand::new(words)), on: it.on.clone() })
    });
    webhooks.chain(pings).chain(commands).collect()
}

fn webhook(it: &config::Webhook, environment: Environment) -> Result<Target, SettingsError> {
    let mut headers = Headers::default();
    for (name, value) in &it.headers {
        let key = format!("notify.webhook.headers.{name}");
        if !headers.add(name, &said(&key, value, environment)?) {
            return Err(SettingsError {
                message: format!("{key} cannot be sent as a header"),
                hint: "a name has letters, digits and dashes, and a value is one line".to_owned(),
            });
        }
    }
    let address = address("notify.webhook.url", &it.url, environment)?;
    let roots = roots("notify.webhook.ca_file", it.ca_file.as_deref())?;
    Ok(Target { way: Way::Webhook(Webhook { address, headers, roots }), on: it.on.clone() })
}

fn ping(it: &config::Ping, environment: Environment) -> Result<Target, SettingsError> {
    let address = address("notify.ping.url", &it.url, environment)?;
    let roots = roots("notify.ping.ca_file", it.ca_file.as_deref())?;
    Ok(Target { way: Way::Ping(Ping { address, start: it.start, roots }), on: Vec::new() })
}

/// What is said, or what the variable has that is named.
fn said(key: &str, value: &Secret, environment: Environment) -> Result<Secret, SettingsError> {
    let Some(name) = value.expose().strip_prefix(VARIABLE) else { return Ok(value.clone()) };
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(is_name) {
        return Err(SettingsError {
            message: format!("{key}: what stands after {VARIABLE} is no name of a variable"),
            hint: format!("write {VARIABLE}NAME, or the value itself without {VARIABLE}"),
        });
    }
    let value = environment(name).map(Secret::new);
    value.ok_or_else(|| SettingsError {
        message: format!("{key} is to be what the variable {name} has, which is not set"),
        hint: format!("set {name}, or tell nobody of this run (--no-notify)"),
    })
}

fn address(key: &str, value: &Secret, environment: Environment) -> Result<Address, SettingsError> {
    let value = said(key, value, environment)?;
    // It may hold a secret all the same.
    Address::parse(value.expose()).ok_or_else(|| SettingsError {
        message: format!("{key} is no URL of HTTP"),
        hint: "write https://…, or env:NAME of a variable that has it".to_owned(),
    })
}

fn roots(key: &str, file: Option<&Path>) -> Result<Option<Roots>, SettingsError> {
    let read = file.map(|file| {
        Roots::read(file).map_err(|error| SettingsError {
            message: format!("{key}: {} cannot be used: {error}", file.display()),
            hint:
                "name a file with the certificate of who signed the server's (PEM), or leave it out"
                    .to_owned(),
        })
    });
    read.transpose()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;
    use crate::model::outcome::Verdict;

    /// What a configuration comes to for a command, with these variables.
    fn resolved(
        text: &str,
        args: &[&str],
        variables: &[(&str, &str)],
    ) -> Result<Option<NotifySettings>, SettingsError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let config = ["--config", file.path().to_str().unwrap()];
        let cli = Cli::try_parse_from([&["ccc-backup"], args, &config].concat()).unwrap();
        notify(&cli.command, &|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn shown(text: &str, args: &[&str], variables: &[(&str, &str)]) -> Vec<String> {
        let settings = resolved(text, args, variables).unwrap().unwrap();
        settings.targets.iter().map(ToString::to_string).collect()
    }

    const ALL: &str = "[notify.webhook]\nurl = \"env:HOOK\"\nheaders = { Authorization = \"env:TOKEN\" }\n\
                       [[notify.ping]]\nurl = \"https://hc.example/create\"\ncommands = [\"create\"]\n\
                       [[notify.ping]]\nurl = \"https://hc.example:81/verify\"\ncommands = [\"verify\"]\n\
                       [notify.command]\nrun = \"true\"\ncommands = [\"cleanup\", \"copy\", \"restore\"]\n";
    const SET: [(&str, &str); 2] =
        [("HOOK", "https://hook.example/s3cret"), ("TOKEN", "Bearer s3cret")];

    #[test]
    fn each_command_tells_those_who_want_to_know_of_it() {
        let (webhook, command) = ("the webhook at hook.example", "the command of [notify.command]");
        assert_eq!(shown(ALL, &["create"], &SET), [webhook, "the ping at hc.example"]);
        assert_eq!(shown(ALL, &["verify", "x"], &SET), [webhook, "the ping at hc.example:81"]);
        // No variable is missed that nobody needs.
        for args in [
            &["cleanup", "--older-than", "1d"][..],
            &["copy", "a", "b", "--missing"],
            &["restore", "x"],
        ] {
            assert_eq!(shown(ALL, args, &[]), [command], "{args:?}");
        }
    }

    #[test]
    fn nobody_is_told_of_what_is_only_tried_or_is_not_to_be_told() {
        for args in [
            &["create", "--no-notify"][..],
            &["cleanup", "--older-than", "1d", "--dry-run"],
            &["restore", "x", "--dry-run"],
        ] {
            assert!(resolved(ALL, args, &[]).unwrap().is_none(), "{args:?}");
        }
        let list = Cli::try_parse_from(["ccc-backup", "list"]).unwrap();
        assert!(notify(&list.command, &|_| None).unwrap().is_none());
    }

    #[test]
    fn bad_news_is_told_unless_more_is_wanted() {
        let on = |text: &str| resolved(text, &["create"], &SET).unwrap().unwrap().targets.remove(0);
        let target = on("[notify.command]\nrun = \"true\"\n");
        let wanted = [Verdict::Passed, Verdict::Failed, Verdict::NotVerified];
        assert_eq!(wanted.map(|verdict| target.wants(verdict)), [false, true, true]);
        let target = on("[notify.command]\nrun = \"true\"\non = [\"passed\"]\n");
        assert_eq!(wanted.map(|verdict| target.wants(verdict)), [true, false, false]);
        let target = on("[notify.ping]\nurl = \"https://h/x\"\n");
        assert_eq!(wanted.map(|verdict| target.wants(verdict)), [true, true, true]);
    }

    #[test]
    fn what_is_wrong_is_said_before_the_work_and_repeats_no_secret() {
        let token = "[notify.webhook]\nurl = \"https://h/x\"\nheaders = { X = ";
        let header = |value: &str| format!("{token}\"{value}\" }}\n");
        for (text, words) in [
            (
                ALL.to_owned(),
                "notify.webhook.headers.Authorization is to be what the variable TOKEN has",
            ),
            (
                "[notify.ping]\nurl = \"env:HOOK\"\n".to_owned(),
                "the variable HOOK has, which is not set",
            ),
            ("[notify.ping]\nurl = \"env:https://h/s3cret\"\n".to_owned(), "no name of a variable"),
            ("[notify.ping]\nurl = \"env:\"\n".to_owned(), "no name of a variable"),
            ("[notify.ping]\nurl = \"h/s3cret\"\n".to_owned(), "notify.ping.url is no URL of HTTP"),
            (header("s3cret\\nInjected: x"), "notify.webhook.headers.X cannot be sent"),
            ("[notify]\nwebhook = \"https://h/s3cret\"\n".to_owned(), "a table is expected here"),
            ("[notify]\nwebhook = [\"https://h/s3cret\"]\n".to_owned(), "line 2"),
            (
                "[notify.webhook]\nurl = \"https://h/x\"\nheaders = \"s3cret\"\n".to_owned(),
                "line 3",
            ),
            (
                "[notify.webhook]\nurl = \"https://h/x\"\nheaders = [\"s3cret\"]\n".to_owned(),
                "line 3",
            ),
            ("[notify.webhook]\nurl = [\"https://h/s3cret\"]\n".to_owned(), "line 2"),
            ("[notify.webhook]\non = [\"failed\"]\n".to_owned(), "url"),
            ("[notify]\ntimeout = \"0s\"\n".to_owned(), "no time from 1s to 10m"),
            ("[notify]\ntimeout = \"30\"\n".to_owned(), "no time from 1s to 10m"),
            (
                "[notify.ping]\nurl = \"https://h/x\"\nca_file = \"nowhere.pem\"\n".to_owned(),
                "nowhere.pem",
            ),
        ] {
            let error = resolved(&text, &["create"], &[]).unwrap_err();
            assert!(error.message.contains(words), "{text}: {error}");
            assert!(!format!("{error} {}", error.hint).contains("s3cret"), "{error}");
            assert!(!error.hint.is_empty());
        }
    }

    #[test]
    fn a_wrong_word_is_named_with_the_one_that_was_probably_meant() {
        for (text, hint) in [
            ("[notify.webhook]\nurl = \"https://h/x\"\non = [\"fail\"]\n", "did you mean failed?"),
            ("[notify.webhook]\nurll = \"https://h/x\"\n", "did you mean url?"),
            (
                "[[notify.ping]]\nurl = \"https://h/x\"\ncommands = [\"verfy\"]\n",
                "did you mean verify?",
            ),
            ("[notify.pings]\nurl = \"https://h/x\"\n", "did you mean ping?"),
        ] {
            let error = resolved(text, &["create"], &[]).unwrap_err();
            assert_eq!(error.hint, hint, "{error}");
            assert!(error.message.contains("line "), "{error}");
        }
    }

    #[test]
    fn no_secret_is_shown_of_what_is_resolved() {
        let settings = resolved(ALL, &["create"], &SET).unwrap().unwrap();
        assert!(!format!("{settings:?}").contains("s3cret"));
    }
}
