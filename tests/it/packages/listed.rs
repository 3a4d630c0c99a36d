//! What `cargo install` gets: the list of `cargo package`.

use std::process::Command;

use super::installed::output_of;
use crate::support::repository;

#[test]
fn the_crate_has_what_it_is_built_of_and_its_documents_and_nothing_else() {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["package", "--list", "--allow-dirty", "--locked", "--offline"]);
    let list = output_of(cargo.current_dir(repository(".")));
    for wanted in [
        "Cargo.lock",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "build.rs",
        "src/main.rs",
        "docs/ccc-backup.1",
    ] {
        assert!(list.lines().any(|line| line == wanted), "no {wanted}: {list}");
    }
    // What the code has in it by include_str! and include_bytes! lies below src, or is one of these.
    const TOP: [&str; 12] = [
        ".cargo_vcs_info.json",
        "CHANGELOG.md",
        "Cargo.lock",
        "Cargo.toml",
        "Cargo.toml.orig",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "build.rs",
        "docs",
        "examples",
        "src",
    ];
    let strange: Vec<&str> =
        list.lines().filter(|line| !TOP.contains(&line.split('/').next().unwrap())).collect();
    assert_eq!(strange, Vec::<&str>::new());
}
