//! The documents say what the program says: the manual page, and every flag.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Flags of other programs that the documents mention: PostgreSQL's client tools, cargo, docker, systemd's
/// tools, aws, gh, node_exporter, sha256sum, zstd.
const OTHERS: [&str; 43] = [
    "--analyze-only",
    "--section",
    "--exclude-extension",
    "--extension",
    "--collector",
    "--column-inserts",
    "--create",
    "--encoding",
    "--exclude",
    "--exclude-table-data",
    "--exit-on-error",
    "--globals-only",
    "--include",
    "--batch",
    "--decrypt",
    "--exit-on-error",
    "--inserts",
    "--lib",
    "--locale",
    "--long",
    "--no-acl",
    "--no-owner",
    "--now",
    "--recursive",
    "--release",
    "--rows-per-insert",
    "--schema-only",
    "--since",
    "--table",
    "--template",
    "--test",
    "--cap-drop",
    "--check",
    "--ignore-missing",
    "--locked",
    "--network",
    "--path",
    "--read-only",
    "--repo",
    "--security-opt",
    "--tmpfs",
    "--user",
    "--rm",
];

#[test]
fn the_manual_page_in_docs_is_the_one_that_the_program_prints() {
    let path = root().join("docs/ccc-backup.1");
    let printed = ccc_backup(&["man"]);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &printed).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == printed,
        "docs/ccc-backup.1 is out of date; UPDATE_DOCS=1 cargo test --test it docs:: writes it"
    );
}

#[test]
fn every_flag_is_documented() {
    let documented: BTreeSet<String> =
        documents().values().flat_map(|text| flags_in(text)).collect();
    for command in commands() {
        for flag in flags_of(&command) {
            assert!(documented.contains(&flag), "{command:?} has {flag}, which no document has");
        }
    }
}

#[test]
fn every_documented_flag_exists() {
    let mut existing: BTreeSet<String> =
        commands().iter().flat_map(|command| flags_of(command)).collect();
    existing.extend(OTHERS.map(str::to_owned));
    for (path, text) in documents() {
        for flag in flags_in(&text) {
            assert!(existing.contains(&flag), "{} has {flag}: no such flag", path.display());
        }
    }
}

#[test]
fn every_variable_of_the_help_is_in_the_readme() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    for command in commands() {
        for part in options_of(&command).split("[env: ").skip(1) {
            let name = part.split('=').next().unwrap();
            assert!(readme.contains(name), "README.md does not have {name}");
        }
    }
}

/// The tests that the tables of a document name in their last column, for each row.
fn tests_named_in(text: &str) -> Vec<(String, Vec<String>)> {
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.ends_with("| test |"));
    rows.map(|row| {
        let last = row.trim_end_matches(['|', ' ']).rsplit('|').next().unwrap();
        let names = last.split('`').skip(1).step_by(2).map(str::to_owned);
        (row.to_owned(), names.collect())
    })
    .collect()
}

/// Whether `module::name` is a test: in a file of the tests, or beside the code of that module.
fn is_a_test(path: &str) -> bool {
    let Some((module, name)) = path.rsplit_once("::") else { return false };
    let file = module.replace("::", "/");
    // What takes long is in a module of the same file, or in a file of its own.
    let of_file = file.strip_suffix("/at_full_length").unwrap_or(&file);
    let files = [
        format!("tests/it/{of_file}.rs"),
        format!("tests/it/{of_file}/mod.rs"),
        format!("tests/it/{file}/mod.rs"),
        format!("src/{file}.rs"),
        format!("src/{file}_tests.rs"),
    ];
    files.iter().filter_map(|file| std::fs::read_to_string(root().join(file)).ok()).any(|text| {
        let before = text.split_once(&format!("fn {name}(")).map(|(before, _)| before);
        let attributes = before.and_then(|before| before.rsplit("\n\n").next());
        attributes.is_some_and(|it| it.contains("#[test]") || it.contains("#[tokio::test"))
    })
}

#[test]
fn every_promise_about_a_fault_or_an_environment_names_a_test_that_exists() {
    for (document, after, least) in
        [("docs/reliability.md", "", 30), ("docs/environments.md", "## Environments", 12)]
    {
        let text = std::fs::read_to_string(root().join(document)).unwrap();
        let rows = tests_named_in(text.split_once(after).unwrap().1);
        assert!(rows.len() > least, "{document} has no tables");
        for (row, tests) in rows {
            assert!(!tests.is_empty(), "no test: {row}");
            for test in tests {
                assert!(is_a_test(&test), "there is no test {test}");
            }
        }
    }
    assert!(!is_a_test("docs::root") && !is_a_test("docs::no_such_test"));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn ccc_backup(args: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ccc-backup"));
    let output = command.args(args).env_remove("RUST_LOG").output().unwrap();
    assert!(output.status.success(), "{args:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The commands, as words: none for the program itself.
fn commands() -> Vec<Vec<&'static str>> {
    let alone = [
        "create", "verify", "drill", "restore", "cleanup", "list", "history", "extract", "diff",
        "copy", "keys", "doctor",
    ]
    .map(|command| vec![command]);
    [vec![], vec!["backup", "verify"]].into_iter().chain(alone).collect()
}

/// What `--help` says of the options; its examples may hold flags of other programs.
fn options_of(command: &[&str]) -> String {
    let help = ccc_backup(&[command, &["--help"]].concat());
    let (_, options) = help.split_once("\nOptions:\n").unwrap();
    options.split("\nExamples:\n").next().unwrap().to_owned()
}

/// The flags that a command defines.
fn flags_of(command: &[&str]) -> BTreeSet<String> {
    let options = options_of(command);
    let defining = options.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    // The description follows, after two spaces or more.
    defining.filter_map(|line| line.split("  ").next()).flat_map(flags_in).collect()
}

/// The README and what lies in docs, but for the generated page.
fn documents() -> BTreeMap<PathBuf, String> {
    let in_docs = std::fs::read_dir(root().join("docs")).unwrap();
    in_docs
        .map(|entry| entry.unwrap().path())
        .chain([root().join("README.md")])
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        // Written by its own test; its flags are those of the pg_dump that made the dumps.
        .filter(|path| !path.ends_with("museum.md"))
        .map(|path| (path.clone(), std::fs::read_to_string(&path).unwrap()))
        .collect()
}

/// Words such as `--dry-run`.
fn flags_in(text: &str) -> BTreeSet<String> {
    let of_a_flag = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    text.split(|c: char| !of_a_flag(c))
        .map(|word| word.trim_end_matches('-'))
        .filter(|word| {
            word.starts_with("--") && word[2..].starts_with(|c: char| c.is_ascii_lowercase())
        })
        .map(str::to_owned)
        .collect()
}
