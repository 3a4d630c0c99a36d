//! Disks of a test's own: small, full, or read-only.

use std::process::Command;

use super::{BINARY, Outcome, Place, clean_environment};

/// What gives a command mounts of its own: root may, some systems let everybody, on others sudo
/// helps.
fn own_mounts() -> Vec<&'static str> {
    let ways: [&[&str]; 3] = [
        &["unshare", "--mount"],
        &["unshare", "--map-root-user", "--mount"],
        &["sudo", "--non-interactive", "--preserve-env", "unshare", "--mount"],
    ];
    let works = |way: &&&[&str]| {
        let probe = ["sh", "-c", "mount -t tmpfs tmpfs /mnt"];
        let output = Command::new(way[0]).args(&way[1..]).args(probe).output();
        output.is_ok_and(|output| output.status.success())
    };
    let way = ways.iter().find(works);
    way.unwrap_or_else(|| panic!("no way to mount a file system: {ways:?}")).to_vec()
}

/// Mounts a file system at `disk`, in a mount namespace of its own, prepares it by a line of shell,
/// runs the binary with these words, in a shell, and writes a list of what is on the disk then to
/// the file `left`.
pub fn on_a_disk(
    place: &Place,
    options: &str,
    prepare: &str,
    words: &str,
    environment: &[(&'static str, String)],
) -> Outcome {
    std::fs::create_dir_all(place.dir().join("disk")).unwrap();
    let prepare = if prepare.is_empty() { "true" } else { prepare };
    let script = format!(
        "mount -t tmpfs -o {options} tmpfs disk && {{ {prepare}; '{BINARY}' {words}; code=$?; \
         ls -A disk >left; exit $code; }}"
    );
    let way = own_mounts();
    let (program, args) = way.split_first().unwrap();
    let mut command = Command::new(program);
    command.args(args).args(["sh", "-c", &script]).current_dir(place.dir());
    command.env_clear().envs(clean_environment()).envs(environment.iter().cloned());
    let outcome = Outcome::of(&command.output().unwrap());
    assert!(place.dir().join("left").exists(), "no file system could be mounted: {outcome}");
    outcome
}

/// A line of shell for [`on_a_disk`] that hides one of PostgreSQL's programs, wherever it lies.
pub fn hiding(program: &str) -> String {
    format!(
        "for one in $(which -a {program}) /usr/lib/postgresql/*/bin/{program}; do \
         mount --bind /dev/null \"$one\"; done"
    )
}

/// A program in a place that runs the newest pg_dump of Debian's directories: the one on the `PATH`
/// may be a program that stands for what is hidden, too.
pub fn unhidden_pg_dump(place: &Place) -> String {
    let script = "exec $(ls /usr/lib/postgresql/*/bin/pg_dump | sort -V | tail -1) \"$@\"";
    place.program("bin/pg_dump", script).to_str().unwrap().to_owned()
}

/// What [`on_a_disk`] found on the disk at the end.
pub fn left_on_the_disk(place: &Place) -> Vec<String> {
    let left = std::fs::read_to_string(place.dir().join("left")).unwrap();
    left.lines().map(str::to_owned).collect()
}
