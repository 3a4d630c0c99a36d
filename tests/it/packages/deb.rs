//! The Debian package, made of the binary under test and installed in a container.

use std::process::Command;

use super::installed::{FILES, output_of};
use crate::support::docker::docker;
use crate::support::{BINARY, Place, clean_environment, repository, text};

const IMAGE: &str = "ccc-backup-test/debian:1";

/// What a Debian package has elsewhere, or not at all.
fn in_the_package(file: &str) -> String {
    let file = file
        .replace("CHANGELOG.md", "changelog.gz")
        .replace("LICENSE-MIT", "copyright")
        .replace("LICENSE-APACHE", "changelog.Debian.gz")
        .replace("ccc-backup.1", "ccc-backup.1.gz")
        .replace("site-functions", "vendor-completions");
    format!("/usr/{file}")
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn the_debian_package_is_installed_runs_and_is_removed_but_for_what_is_the_operators() {
        let place = Place::new();
        output_of(
            Command::new(repository("tests/fixtures/debian-image.sh"))
                .arg(IMAGE)
                .env_clear()
                .envs(clean_environment()),
        );
        let path = output_of(
            Command::new(repository("infra/package-deb.sh"))
                .args([BINARY, place.dir().to_str().unwrap()])
                .env_clear()
                .envs(clean_environment())
                .env("COMPRESSION", "none"),
        );
        let script = "
        dpkg -i /packages/*.deb
        ccc-backup --version
        getent passwd ccc-backup
        stat -c '%a %U %G %n' /etc/ccc-backup
        dpkg -L ccc-backup
        echo kept >/etc/ccc-backup/create.env
        dpkg -i /packages/*.deb
        dpkg --remove ccc-backup
        dpkg --purge ccc-backup
        ! command -v ccc-backup
        echo left: $(cat /etc/ccc-backup/create.env) $(id -un ccc-backup)";
        let mounted = format!("{}:/packages:ro", place.dir().display());
        let output = docker(&[
            "run",
            "--rm",
            "--network",
            "none",
            "--name",
            &place.container,
            "-v",
            &mounted,
            IMAGE,
            "sh",
            "-ec",
            script,
        ]);
        let said = text(&output.stdout);
        assert!(output.status.success(), "{path}{said}{}", text(&output.stderr));
        let has = |line: &str| assert!(said.lines().any(|it| it == line), "{line}: {said}");
        has(concat!("ccc-backup ", env!("CARGO_PKG_VERSION")));
        has("750 root ccc-backup /etc/ccc-backup");
        has("left: kept ccc-backup");
        assert!(said.contains(":/var/lib/ccc-backup:/usr/sbin/nologin"), "{said}");
        for file in FILES {
            has(&in_the_package(file));
        }
    }
}
