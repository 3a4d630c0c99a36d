//! The RPM package, made of the binary under test. There is no system of that kind here: rpm puts it into a directory.

use std::process::Command;

use super::installed::{FILES, output_of};
use crate::support::{BINARY, Place, clean_environment, repository};

fn rpm(args: &[&str]) -> String {
    output_of(Command::new("rpm").args(args))
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn the_rpm_package_has_every_file_and_makes_the_user_and_its_program_runs() {
        let place = Place::without_docker();
        let path = output_of(
            Command::new(repository("infra/package-rpm.sh"))
                .args([BINARY, place.dir().to_str().unwrap()])
                .env_clear()
                .envs(clean_environment())
                .env("COMPRESSION", "w1.gzdio"),
        );
        let path = path.trim();
        let mut listed: Vec<String> = rpm(&["-qlp", path]).lines().map(str::to_owned).collect();
        listed.sort();
        let mut expected: Vec<String> = FILES
            .iter()
            .map(|file| format!("/usr/{}", file.replace("ccc-backup.1", "ccc-backup.1.gz")))
            .chain(["/etc/ccc-backup", "/usr/share/doc/ccc-backup/examples"].map(str::to_owned))
            .collect();
        expected.sort();
        assert_eq!(listed, expected);
        let owner = rpm(&[
            "-qp",
            "--queryformat",
            "[%{FILEMODES:perms} %{FILEGROUPNAME} %{FILENAMES}\n]",
            path,
        ]);
        assert!(owner.contains("drwxr-x--- ccc-backup /etc/ccc-backup\n"), "{owner}");
        let scripts = rpm(&["-qp", "--scripts", path]);
        assert!(scripts.contains("useradd --system"), "{scripts}");
        assert!(scripts.contains("systemctl disable --now"), "{scripts}");

        let root = place.dir().join("root");
        std::fs::create_dir(&root).unwrap();
        let root = root.to_str().unwrap();
        let put = ["--root", root, "--dbpath", "/db", "--nodeps", "--noscripts"];
        rpm(&[&put[..], &["--install", "--excludedocs", path]].concat());
        let version =
            output_of(Command::new(format!("{root}/usr/bin/ccc-backup")).arg("--version"));
        assert_eq!(version, concat!("ccc-backup ", env!("CARGO_PKG_VERSION"), "\n"));
        rpm(&[&put[..], &["--erase", "ccc-backup"]].concat());
        assert!(!std::fs::exists(format!("{root}/usr/bin/ccc-backup")).unwrap());
    }
}
