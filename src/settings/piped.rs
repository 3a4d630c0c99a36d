//! Settings of backups that go through pipes: standard input and output, and commands of the operator's.

use std::path::{Path, PathBuf};

use super::SettingsError;
use crate::cli::{CreateArgs, FromArgs};
use crate::model::format::Format;
use crate::model::named_command::{NamedCommand, is_plain_name};
use crate::store::place::is_url;

/// What stands for standard input or output.
const PIPE: &str = "-";
/// What says that there is no manifest.
const NONE: &str = "none";
/// What a backup is called that came through standard input.
const STDIN: &str = "stdin";

/// A backup that comes through a pipe.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// What brings it; without, it comes on standard input.
    pub command: Option<NamedCommand>,
    /// What it is called.
    pub name: String,
    /// Where its manifest is.
    pub manifest: Manifest,
    /// The directory of its private copy.
    pub spool: PathBuf,
}

/// A backup that goes through a pipe.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// What stores it; without, it goes to standard output.
    pub command: Option<NamedCommand>,
    /// Where its manifest goes.
    pub manifest: Manifest,
}

/// Where the manifest is of what goes through a pipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manifest {
    /// There is none.
    Nowhere,
    /// In a file of this machine.
    File(PathBuf),
    /// The command has it, too.
    ByCommand,
}

/// Whether it stands for standard input or output.
pub(super) fn is_pipe(path: &Path) -> bool {
    path == Path::new(PIPE)
}

fn refused<T>(message: impl Into<String>, hint: impl Into<String>) -> Result<T, SettingsError> {
    Err(SettingsError { message: message.into(), hint: hint.into() })
}

/// The name of a backup that stands in a command.
fn plain_name(name: &Path) -> Result<String, SettingsError> {
    match name.to_str().filter(|name| is_plain_name(name)) {
        Some(name) => Ok(name.to_owned()),
        None => refused(
            format!(
                "{name:?} cannot stand for {{name}} in a command: a shell may read it otherwise"
            ),
            "take a name of letters, digits and ._-+=@,:/ which does not begin with -",
        ),
    }
}

fn command(words: Option<&str>) -> Result<Option<NamedCommand>, SettingsError> {
    match words {
        Some(words) if words.trim().is_empty() => {
            refused("the command is empty", "name one, such as 'rclone cat remote:path/{name}'")
        }
        words => Ok(words.map(NamedCommand::new)),
    }
}

/// Resolves where a backup comes from; `None` where it is a file of this machine.
///
/// # Errors
/// When that makes no sense.
pub(super) fn incoming(
    args: &FromArgs,
    file: Option<&Path>,
) -> Result<Option<Incoming>, SettingsError> {
    let is_stdin = file.is_some_and(is_pipe);
    let command = command(args.from_command.as_deref())?;
    let name = match (&command, file) {
        (Some(_), _) if is_stdin => {
            return refused(
                "--from-command brings the backup, and - is standard input",
                "name the backup that {name} stands for, or leave --from-command out",
            );
        }
        (Some(_), Some(file)) => plain_name(file)?,
        _ if is_stdin => STDIN.to_owned(),
        _ => {
            return match args.manifest {
                None => Ok(None),
                Some(_) => refused(
                    "--manifest is of backups that come through a pipe",
                    "leave --manifest out, or take - (standard input) or --from-command",
                ),
            };
        }
    };
    let by_command = command.as_ref().is_some_and(NamedCommand::takes_name);
    let manifest = match &args.manifest {
        Some(none) if none == Path::new(NONE) => Manifest::Nowhere,
        Some(file) => Manifest::File(file.clone()),
        None if by_command => Manifest::ByCommand,
        None => Manifest::Nowhere,
    };
    if args.spool.as_deref() == Some(Path::new(NONE)) {
        return refused(
            "what comes through a pipe is read more than once, and so has to be kept",
            "name a directory with room for it: --spool DIR",
        );
    }
    let spool = args.spool.clone().unwrap_or_else(std::env::temp_dir);
    Ok(Some(Incoming { command, name, manifest, spool }))
}

/// Resolves where what lies in a place is kept while it is in use; `None` where it is read again. `at` is the backup, or
/// where it is looked for.
///
/// # Errors
/// Where it was asked for, and there is nothing to keep.
pub(super) fn spool(
    args: &FromArgs,
    incoming: Option<&Incoming>,
    at: &Path,
) -> Result<Option<PathBuf>, SettingsError> {
    match &args.spool {
        _ if incoming.is_some() => Ok(None),
        Some(dir) if dir != Path::new(NONE) && !is_url(at) => refused(
            "--spool is of backups that come through a pipe, or are in object storage",
            "leave --spool out, or take - (standard input), --from-command or s3://…",
        ),
        given => Ok(spool_dir(given.as_deref()).filter(|_| is_url(at))),
    }
}

/// Where what lies in object storage is kept, by what was given for it; `None` where it is read again.
pub(super) fn spool_dir(given: Option<&Path>) -> Option<PathBuf> {
    match given {
        Some(none) if none == Path::new(NONE) => None,
        Some(dir) => Some(dir.to_owned()),
        None => Some(std::env::temp_dir()),
    }
}

/// Resolves where a new backup goes; `None` where it becomes a file of this machine.
///
/// # Errors
/// When that makes no sense.
pub(super) fn outgoing(
    args: &CreateArgs,
    format: Format,
    is_signed: bool,
) -> Result<Option<Outgoing>, SettingsError> {
    let is_stdout = args.is_to_stdout();
    let command = command(args.to.to_command.as_deref())?;
    if command.is_none() && !is_stdout {
        return match &args.to.manifest {
            None => Ok(None),
            Some(_) => refused(
                "--manifest is of backups that go through a pipe: of others, it stands beside the backup",
                "leave --manifest out, or take - (standard output) or --to-command",
            ),
        };
    }
    if command.is_some() && is_stdout {
        return refused(
            "--to-command stores the backup, and - is standard output",
            "name the backup that {name} stands for, or leave one of them out",
        );
    }
    if let (Some(_), Some(output)) = (&command, &args.output) {
        plain_name(output)?;
    }
    refuse_in_pipe(args, format)?;
    let by_command = command.as_ref().is_some_and(NamedCommand::takes_name);
    let manifest = match &args.to.manifest {
        Some(file) => Manifest::File(file.clone()),
        None if by_command => Manifest::ByCommand,
        None => Manifest::Nowhere,
    };
    if manifest == Manifest::Nowhere && is_signed {
        return refused(
            "what is signed is the manifest, and this backup would have none",
            "name a file for it: --manifest FILE",
        );
    }
    Ok(Some(Outgoing { command, manifest }))
}

/// What does not go through a pipe.
fn refuse_in_pipe(args: &CreateArgs, format: Format) -> Result<(), SettingsError> {
    match format {
        Format::Directory => refused(
            "a directory is many files, and a pipe holds one",
            "take --format plain or custom",
        ),
        Format::Tar => refused(
            "the format tar does not go through a pipe: pg_dump puts the rows of each table into a file on its way",
            "take --format plain or custom",
        ),
        Format::Plain | Format::Custom if args.globals => refused(
            "--globals writes a second file, and a pipe holds one",
            "leave --globals out, and store what pg_dumpall --globals-only writes beside the backup",
        ),
        Format::Plain | Format::Custom => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spooled(spool: Option<&str>, at: &str) -> Result<Option<PathBuf>, SettingsError> {
        let args = FromArgs { spool: spool.map(PathBuf::from), ..FromArgs::default() };
        let incoming = incoming(&args, Some(Path::new(at)))?;
        super::spool(&args, incoming.as_ref(), Path::new(at))
    }

    #[test]
    fn what_lies_in_a_place_is_kept_unless_it_is_not_to_be() {
        let (place, there) = ("s3://bucket/p/x.sql.gz", std::env::temp_dir());
        assert_eq!(spooled(None, place).unwrap(), Some(there));
        assert_eq!(spooled(Some("/var/tmp"), place).unwrap(), Some("/var/tmp".into()));
        assert_eq!(spooled(Some("none"), place).unwrap(), None);
    }

    #[test]
    fn what_comes_through_a_pipe_has_to_be_kept_and_a_file_of_this_machine_never_is() {
        assert_eq!(spooled(None, "-").unwrap(), None, "its copy is its own");
        assert!(spooled(Some("none"), "-").unwrap_err().message.contains("has to be kept"));
        assert_eq!(spooled(None, "x.sql.gz").unwrap(), None);
        assert_eq!(spooled(Some("none"), "x.sql.gz").unwrap(), None);
        assert!(spooled(Some("/tmp"), "x.sql.gz").unwrap_err().hint.contains("s3://"));
    }
}
