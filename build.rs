//! Facts of the build that only a build script is told, for `--version --verbose` (src/version.rs).

use std::process::Command;

/// Where `cargo package` notes the commit; a checkout has no such file.
const PACKAGED: &str = ".cargo_vcs_info.json";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=CCC_BACKUP_TARGET={}", variable("TARGET"));
    println!("cargo::rustc-env=CCC_BACKUP_RUSTC={}", rustc().unwrap_or_default());
    println!("cargo::rustc-env=CCC_BACKUP_PACKAGED_COMMIT={}", packaged().unwrap_or_default());
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

/// `1.95.0 (59807616e 2026-04-14)`.
fn rustc() -> Option<String> {
    let output = Command::new(variable("RUSTC")).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().strip_prefix("rustc ")?.to_owned())
}

fn packaged() -> Option<String> {
    let text = std::fs::read_to_string(PACKAGED).ok()?;
    let (_, after) = text.split_once("\"sha1\":")?;
    after.split('"').nth(1).map(str::to_owned)
}
