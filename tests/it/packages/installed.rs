//! `make install`, into a directory that is not the system's.

use std::path::Path;
use std::process::{Command, Output};

use crate::support::{BINARY, Place, clean_environment, repository, text};

/// What is installed below the prefix.
pub const FILES: [&str; 17] = [
    "bin/ccc-backup",
    "lib/systemd/system/ccc-backup-drill.service",
    "lib/systemd/system/ccc-backup-drill.timer",
    "lib/systemd/system/ccc-backup-verify.service",
    "lib/systemd/system/ccc-backup-verify.timer",
    "lib/systemd/system/ccc-backup.service",
    "lib/systemd/system/ccc-backup.timer",
    "share/bash-completion/completions/ccc-backup",
    "share/doc/ccc-backup/CHANGELOG.md",
    "share/doc/ccc-backup/LICENSE-APACHE",
    "share/doc/ccc-backup/LICENSE-MIT",
    "share/doc/ccc-backup/README.md",
    "share/doc/ccc-backup/examples/ccc-backup.toml",
    "share/doc/ccc-backup/examples/create.env",
    "share/fish/vendor_completions.d/ccc-backup.fish",
    "share/man/man1/ccc-backup.1",
    "share/zsh/site-functions/_ccc-backup",
];

fn make_install(variables: &[String]) -> Output {
    let mut make = Command::new("make");
    make.arg("--directory").arg(repository(".")).args(["--silent", "install"]).args(variables);
    make.env_clear().envs(clean_environment()).output().unwrap()
}

/// The files below a directory, sorted.
pub fn files_below(dir: &Path) -> Vec<String> {
    let mut find = Command::new("find");
    find.args(["-mindepth", "1", "!", "-type", "d", "-printf", "%P\\n"]).current_dir(dir);
    let output = output_of(&mut find);
    let mut files: Vec<String> = output.lines().map(str::to_owned).collect();
    files.sort();
    files
}

/// What a program prints, which must succeed.
pub fn output_of(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn make_install_puts_everything_below_the_prefix_and_the_destination() {
    let place = Place::without_docker();
    let stage = place.dir().join("stage");
    let variables = [
        format!("DESTDIR={}", stage.display()),
        "PREFIX=/opt/ccc".to_owned(),
        format!("CCC_BACKUP={BINARY}"),
    ];
    let output = make_install(&variables);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(files_below(&stage), FILES.map(|file| format!("opt/ccc/{file}")));

    let at = |file: &str| stage.join("opt/ccc").join(file);
    let version = output_of(Command::new(at("bin/ccc-backup")).arg("--version"));
    assert_eq!(version, concat!("ccc-backup ", env!("CARGO_PKG_VERSION"), "\n"));
    for unit in FILES.iter().filter(|file| file.ends_with(".service")) {
        let unit = std::fs::read_to_string(at(unit)).unwrap();
        let mut lines = unit.lines().filter(|line| line.starts_with("Exec"));
        assert!(lines.all(|line| line.contains("=/opt/ccc/bin/ccc-backup ")), "{unit}");
    }
    output_of(
        Command::new(at("bin/ccc-backup"))
            .args(["list", "--backup-dir", ".", "--config"])
            .arg(at("share/doc/ccc-backup/examples/ccc-backup.toml"))
            .current_dir(place.dir()),
    );
    let load = "source \"$1\" && complete -p ccc-backup";
    let completions = at("share/bash-completion/completions/ccc-backup");
    let mut bash = Command::new("bash");
    let loaded = output_of(bash.args(["-c", load, "bash"]).arg(completions));
    assert!(loaded.contains("ccc-backup"), "{loaded}");
}

#[test]
fn make_install_builds_nothing_and_says_what_is_missing() {
    let place = Place::without_docker();
    let stage = place.dir().join("stage");
    let missing = place.dir().join("no-such-binary");
    let variables =
        [format!("DESTDIR={}", stage.display()), format!("CCC_BACKUP={}", missing.display())];
    let output = make_install(&variables);
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("hint: make build"), "{}", text(&output.stderr));
    assert!(!stage.exists());
}
