//! Machines on which nothing was installed: Debian 12 and 13 as they come, in containers. What the README says to run is run there as
//! it is written, and what is missing is named.

use std::process::Command;
use std::sync::{Mutex, PoisonError};

use super::installed::output_of;
use crate::support::docker::docker;
use crate::support::proxy::engine_socket;
use crate::support::{BINARY, Outcome, Place, clean_environment, good_dump, is_long, repository};

/// A bare Debian, and the PostgreSQL that it has.
struct Debian {
    codename: &'static str,
    major: u32,
}

const DEBIANS: [Debian; 2] =
    [Debian { codename: "bookworm", major: 15 }, Debian { codename: "trixie", major: 17 }];

impl Debian {
    /// Its image, made where it is missing.
    fn image(&self) -> String {
        static MAKING: Mutex<()> = Mutex::new(());
        let _one = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
        let image = format!("ccc-backup-test/debian:{}", self.codename);
        let mut make = Command::new(repository("tests/fixtures/debian-image.sh"));
        output_of(make.args([&image, self.codename]).env_clear().envs(clean_environment()));
        image
    }

    /// Runs a script of bash in it, with the place at its own path and as working directory, and the binary on its PATH.
    fn run(&self, place: &Place, options: &[&str], script: &str) -> Outcome {
        let dir = place.dir().to_str().unwrap();
        let (mounted, binary) =
            (format!("{dir}:{dir}"), format!("{BINARY}:/usr/local/bin/ccc-backup:ro"));
        let run = ["run", "--rm", "--name", &place.container, "-v", &mounted, "-w", dir];
        let image = self.image();
        let script = format!("export DEBIAN_FRONTEND=noninteractive\n{script}");
        let program = ["-v", &binary, &image, "bash", "-ec", &script];
        Outcome::of(&docker(&[&run[..], options, &program].concat()))
    }

    /// Installs its PostgreSQL and starts it with the application's database, as the README has it.
    fn with_the_application(&self) -> String {
        let major = self.major;
        format!(
            "apt-get update -qq >/dev/null
             apt-get install -qq --yes --no-install-recommends postgresql-{major} >/dev/null 2>&1
             pg_ctlcluster {major} main start
             runuser -u postgres -- psql -Xqc \"ALTER ROLE postgres PASSWORD 'secret'\"
             runuser -u postgres -- createdb content_creation_crew
             runuser -u postgres -- psql -Xqd content_creation_crew -f good.sql >/dev/null
             "
        )
    }
}

/// The commands of the README's first example of create and verify, one a line.
fn quick_start() -> Vec<String> {
    let readme = std::fs::read_to_string(repository("README.md")).unwrap();
    let (_, section) = readme.split_once("\n## Create and verify\n").unwrap();
    let (_, block) = section.split_once("```bash\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    block.lines().map(str::to_owned).collect()
}

/// A place with what is restored into the application's database, and a dump to verify.
fn place() -> Place {
    let place = Place::new();
    place.file("good.sql", good_dump());
    place
}

/// The session of the README, without Docker: `verify` says so, and passes with the machine's own PostgreSQL.
fn the_quick_start_without_docker(debian: &Debian) {
    let place = place();
    let mut session = debian.with_the_application();
    for line in quick_start() {
        // The password is typed.
        let line = match line.strip_prefix("read ") {
            Some(_) => format!("{line} <<<secret"),
            None => line,
        };
        let line = match line.starts_with("ccc-backup verify") {
            true => format!(
                "{} && exit 9 || echo \"without an engine: $?\"\n{}",
                line.split('#').next().unwrap(),
                line.replacen("--latest", "--latest --engine local", 1)
            ),
            false => line,
        };
        session += &format!("{line}\n");
    }
    let outcome = debian.run(&place, &[], &session);
    outcome.passed().says("without an engine: 2");
    assert!(outcome.stdout.contains("backup_"), "{outcome}");
}

#[test]
fn the_readmes_quick_start_runs_as_written_on_a_fresh_debian_without_docker() {
    if is_long() {
        DEBIANS.iter().for_each(the_quick_start_without_docker);
    } else {
        // What it runs is there, in the form in which it is taken out.
        let session = quick_start().join("\n");
        for command in ["create", "verify --latest", "list", "cleanup --older-than 30d"] {
            assert!(session.contains(&format!("ccc-backup {command}")), "{session}");
        }
    }
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn a_fresh_debian_without_docker_and_postgresql_is_told_what_to_install() {
        let place = place();
        let [debian, _] = &DEBIANS;
        let verified = debian.run(&place, &["--network", "none"], "ccc-backup verify good.sql");
        verified.not_verified("no Docker Engine answers: there is no socket /var/run/docker.sock");
        verified.hints("install a PostgreSQL server and use --engine local");
        let script = "ccc-backup verify good.sql --engine local";
        let verified = debian.run(&place, &["--network", "none"], script);
        verified.not_verified("this machine has no PostgreSQL server of version 15 or newer");
        verified.hints("apt install postgresql-15");
        let script = "DB_HOST=localhost DB_NAME=x DB_USER=x ccc-backup create";
        let made = debian.run(&place, &["--network", "none"], script);
        assert_eq!(made.code, 2, "{made}");
        made.hints("apt install postgresql-client");
        let script = "ccc-backup doctor";
        let looked = debian.run(&place, &["--network", "none"], script);
        assert_eq!(looked.code, 1, "{looked}");
        assert!(looked.stdout.contains("use --engine local"), "{looked}");
        if is_long() {
            let script = "apt-get update -qq >/dev/null
                      apt-get install -qq --yes postgresql-15 >/dev/null 2>&1
                      ccc-backup verify good.sql --engine local";
            debian.run(&place, &[], script).passed();
        }
    }

    #[test]
    fn with_the_engines_socket_a_fresh_debian_verifies_as_root_and_as_a_user_in_its_group() {
        let place = place();
        let debians = if is_long() { &DEBIANS[..] } else { &DEBIANS[..1] };
        let socket = engine_socket();
        let mounted = format!("{}:/var/run/docker.sock", socket.display());
        let container = format!("{}sandbox", place.container);
        let verify = format!("ccc-backup verify good.sql --port 0 --container-name {container}");
        for debian in debians {
            debian.run(&place, &["-v", &mounted], &verify).passed();
            let as_a_user = format!(
            "group=$(getent group $(stat -c %g /var/run/docker.sock) | cut -d: -f1)
             [ -n \"$group\" ] || {{ group=docker; groupadd -g $(stat -c %g /var/run/docker.sock) docker; }}
             useradd -m -G $group alice
             runuser -u alice -- {verify}"
        );
            debian.run(&place, &["-v", &mounted], &as_a_user).passed();
            let as_another = format!("useradd -m stranger\nrunuser -u stranger -- {verify}");
            let refused = debian.run(&place, &["-v", &mounted], &as_another);
            refused.not_verified("").hints("group docker");
        }
    }

    #[test]
    fn the_package_is_installed_as_the_readme_has_it_on_a_fresh_debian() {
        let readme = std::fs::read_to_string(repository("README.md")).unwrap();
        let install = readme.lines().find_map(|line| line.strip_prefix("sudo apt-get install ./"));
        let package = install.expect("the README installs a package");
        let place = place();
        let packages = place.dir().join(package);
        let mut make = Command::new(repository("infra/package-deb.sh"));
        make.arg(BINARY).arg(packages.parent().unwrap()).env("COMPRESSION", "none");
        output_of(make.env_clear().envs(clean_environment()).env("COMPRESSION", "none"));
        assert!(packages.is_file(), "the README names {package}, which is not what is made");
        let debians = if is_long() { &DEBIANS[..] } else { &DEBIANS[..1] };
        for debian in debians {
            // The binary that is mounted does not hide the package's, which is named by its path.
            let script = format!(
                "apt-get install --yes ./{package}
             /usr/bin/ccc-backup --version
             getent passwd ccc-backup"
            );
            let outcome = debian.run(&place, &["--network", "none"], &script);
            assert_eq!(outcome.code, 0, "{outcome}");
            outcome.says(concat!("ccc-backup ", env!("CARGO_PKG_VERSION")));
        }
    }
}
