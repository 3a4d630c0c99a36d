//! Settings of `drill`.

use std::path::PathBuf;
use std::time::Duration;

use super::verify::proving;
use super::{
    BackupChoice, Environment, OfDatabase, ProofSettings, ReportSettings, SandboxSettings,
    SettingsError, VerifySettings, metrics_file, piped, place, sealing, signing,
};
use crate::cli::DrillArgs;
use crate::config::Config;
use crate::sealing::Unsealing;
use crate::store::place::{is_same, is_url};

/// So many older backups are verified beside the newest.
const SAMPLE: usize = 3;

/// Settings of `drill`.
#[derive(Debug, Clone)]
pub struct DrillSettings {
    /// Where the backups are: first their directory, then the places of their copies. Each once.
    pub places: Vec<PathBuf>,
    /// So many older ones in each place, beside the newest; `None` for all.
    pub older: Option<usize>,
    /// Read every byte, and restore nothing.
    pub file_only: bool,
    /// It is no drill: `verify` takes the newest of each database, and tells all of each.
    pub newest_only: bool,
    /// Begin nothing that would not end within this time.
    pub within: Option<Duration>,
    /// So many at once.
    pub at_once: usize,
    /// Only show the plan.
    pub dry_run: bool,
    /// How each is restored and proven.
    pub proof: ProofSettings,
    /// In what; of several at once, each has a name that begins with its own.
    pub sandbox: SandboxSettings,
    /// Give each up after this time.
    pub timeout: Option<Duration>,
    /// What opens those that are encrypted.
    pub unsealing: Unsealing,
    /// Where what lies in object storage is kept while it is in use; `None` to read it again.
    pub spool: Option<PathBuf>,
    /// Where metrics go.
    pub metrics_file: Option<PathBuf>,
    /// What is worth a word before the work.
    pub warnings: Vec<String>,
}

/// Resolves `drill`. A flag is stronger than the configuration.
///
/// # Errors
/// As [`super::verify`].
pub fn drill(args: &DrillArgs, environment: Environment) -> Result<DrillSettings, SettingsError> {
    let (unsealing, warnings) = sealing::unsealing(&args.decrypt, environment)?;
    let config = Config::read(args.proving.config.as_deref());
    let config = config.map_err(|error| signing::unread(&error))?;
    let allowed_signers = signing::allowed(&args.signers, &config.signing)?;
    let mut places = vec![place::place(&args.backup_dir)?];
    for copy in place::copies(&args.places, &config)? {
        if !places.iter().any(|known| is_same(known, &copy)) {
            places.push(copy);
        }
    }
    if args.spool.is_some() && !places.iter().any(|place| is_url(place)) {
        return Err(SettingsError {
            message: "--spool is of backups in object storage, and none of the places is one"
                .to_owned(),
            hint: "leave --spool out, or name a place such as s3://bucket/prefix".to_owned(),
        });
    }
    let (proof, sandbox) = proving(&args.proving, config, allowed_signers)?;
    Ok(DrillSettings {
        places,
        older: match args.sample {
            Some(older) => Some(older),
            None => (!args.all && !args.file_only).then_some(SAMPLE),
        },
        file_only: args.file_only,
        newest_only: false,
        within: args.within,
        at_once: args.at_once.into(),
        dry_run: args.dry_run,
        proof,
        sandbox: SandboxSettings { container_name: args.container_name.clone(), ..sandbox },
        timeout: args.proving.timeout,
        unsealing,
        spool: piped::spool_dir(args.spool.as_deref()),
        metrics_file: metrics_file(&args.metrics),
        warnings,
    })
}

/// Resolves where the report of `drill` goes.
///
/// # Errors
/// As [`super::reports`].
pub fn drill_reports(
    args: &DrillArgs,
    environment: Environment,
) -> Result<ReportSettings, SettingsError> {
    let config = signing::configured(args.proving.config.as_deref())?;
    Ok(ReportSettings {
        sign: signing::of_report(&args.sign, &config, environment)?,
        json: args.report.clone(),
        html: args.html.clone(),
        junit: None,
        step_summary: environment("GITHUB_STEP_SUMMARY").map(PathBuf::from),
    })
}

impl DrillSettings {
    /// As `verify` does it with the newest backup of each of several databases, one after the other.
    pub fn of_verification(settings: &VerifySettings) -> Self {
        Self {
            places: vec![settings.choice.backup_dir.clone()],
            older: Some(0),
            file_only: false,
            newest_only: true,
            within: None,
            at_once: 1,
            dry_run: false,
            proof: settings.proof.clone(),
            sandbox: settings.sandbox.clone(),
            timeout: settings.timeout,
            unsealing: settings.choice.unsealing.clone(),
            spool: settings.choice.spool.clone(),
            metrics_file: settings.metrics_file.clone(),
            warnings: settings.warnings.clone(),
        }
    }

    /// The directory or place of the backups, whose copies the others have.
    pub fn home(&self) -> &PathBuf {
        // There is always one.
        &self.places[0]
    }

    /// How one of its backups is verified: this file in this place, in a sandbox of this name. Only the newest is held
    /// to an age, and to the application's migrations, which the older ones are behind.
    pub fn verify(
        &self,
        place: PathBuf,
        file: PathBuf,
        is_newest: bool,
        container_name: String,
    ) -> VerifySettings {
        let spool = self.spool.clone().filter(|_| is_url(&place));
        let is_home = place == *self.home();
        let migrations = &self.proof.migrations;
        VerifySettings {
            choice: BackupChoice {
                file: Some(file),
                database: OfDatabase::Only,
                backup_dir: place.clone(),
                wait: self.sandbox.wait,
                unsealing: self.unsealing.clone(),
                incoming: None,
                spool,
            },
            proof: ProofSettings {
                max_age: self.proof.max_age.filter(|_| is_newest),
                migrations: if is_newest {
                    migrations.clone()
                } else {
                    migrations.of_another_time()
                },
                ..self.proof.clone()
            },
            sandbox: SandboxSettings { container_name, ..self.sandbox.clone() },
            history_dir: place,
            timeout: self.timeout,
            // The metrics are of one history.
            metrics_file: self.metrics_file.clone().filter(|_| is_home),
            copies: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::checks::migrations::kinds::Kind;
    use crate::checks::migrations::{Demand, Keeper, Source};
    use crate::cli::{Cli, Command};

    fn settings(args: &[&str]) -> Result<DrillSettings, SettingsError> {
        let cli = Cli::parse_from(["ccc-backup", "drill"].iter().chain(args));
        let Command::Drill(args) = cli.command else { panic!("not drill") };
        drill(&args, &|_| None)
    }

    #[test]
    fn a_scrub_is_of_all_unless_a_sample_is_asked_for() {
        let older = |args: &[&str]| settings(args).unwrap().older;
        assert_eq!(older(&[]), Some(SAMPLE));
        assert_eq!((older(&["--all"]), older(&["--file-only"])), (None, None));
        assert_eq!(older(&["--file-only", "--sample", "0"]), Some(0));
    }

    #[test]
    fn only_the_newest_is_held_to_an_age_and_to_the_newest_migration() {
        let mut settings = settings(&[]).unwrap();
        settings.proof.max_age = Some(Duration::from_secs(1));
        settings.proof.migrations = Demand {
            keeper: Keeper::Kind(Kind::Alembic),
            source: Some(Source::Directory("alembic".into())),
            require_head: true,
            ..Demand::default()
        };
        let proof = |is_newest| {
            let home = settings.home().clone();
            settings.verify(home, "x.sql".into(), is_newest, "sandbox".to_owned()).proof
        };
        let newest = proof(true);
        assert!(newest.max_age.is_some() && newest.migrations.require_head);
        assert!(newest.migrations.source.is_some());
        let older = proof(false);
        assert!(older.max_age.is_none() && !older.migrations.require_head);
        assert!(older.migrations.source.is_none());
        assert_eq!(older.migrations.keeper, Keeper::Kind(Kind::Alembic));
    }

    #[test]
    fn a_place_that_is_named_twice_is_drilled_once() {
        let settings =
            settings(&["--backup-dir", "/", "--places", "/../", "s3://b/p/", "s3://b/p"]);
        let places = settings.unwrap().places;
        assert_eq!(places, [PathBuf::from("/"), PathBuf::from("s3://b/p")]);
    }

    #[test]
    fn metrics_are_of_the_home_and_what_is_kept_of_object_storage_alone() {
        let settings =
            settings(&["--metrics-file", "x.prom", "--places", "s3://b/p", "/copies"]).unwrap();
        let of = |place: &str| settings.verify(place.into(), place.into(), true, "name".to_owned());
        assert!(of("./backups").metrics_file.is_some() && of("s3://b/p").metrics_file.is_none());
        assert!(of("/copies").choice.spool.is_none() && of("s3://b/p").choice.spool.is_some());
        assert_eq!(of("/copies").sandbox.container_name, "name");
        let error = super::tests::settings(&["--spool", "/tmp"]).unwrap_err();
        assert!(error.to_string().contains("object storage"), "{error}");
    }
}
