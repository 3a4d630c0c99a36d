//! `docs/backup-strategy.md`: every command in it is run, in the order of the page, in one shell,
//! against a real database; and every message in it is one of ours.

use std::process::Command;

use crate::support::source::{client, source};
use crate::support::{BINARY, Place, clean_environment, database, repository, text};

fn page() -> String {
    std::fs::read_to_string(repository("docs/backup-strategy.md")).unwrap()
}

/// A block of commands of the page.
struct Block {
    line: usize,
    commands: String,
}

/// The blocks marked `<!-- test -->`, and what `<!-- test: … -->` hides from the reader because it
/// makes the accidents that the page repairs. A block of commands without a mark is an error.
fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = page.lines().enumerate();
    let mut mark = "";
    while let Some((at, line)) = lines.next() {
        let end = match line {
            "```bash" => "```",
            _ if line.starts_with("<!-- test:") => "-->",
            _ => {
                mark = line;
                continue;
            }
        };
        let tested = mark == "<!-- test -->" || end == "-->";
        assert!(tested || mark.starts_with("<!-- not tested: "), "line {}: no mark", at + 1);
        let body = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != end);
        let commands = body.collect::<Vec<_>>().join("\n");
        if tested {
            blocks.push(Block { line: at + 1, commands });
        }
        mark = "";
    }
    blocks
}

/// `ccc-backup` on the PATH: the binary under test, whose sandbox stands beside those of other
/// tests.
fn wrapper(place: &Place) -> String {
    format!(
        "[ \"$1\" != verify ] || set -- \"$@\" --port 0 --container-name {name}\n\
         [ \"$1\" != drill ] || set -- \"$@\" --container-name {name}\n\
         exec {BINARY} \"$@\"",
        name = place.container
    )
}

/// A line without its digits: how large a backup is depends on the compressor, too.
fn without_sizes(line: &str) -> String {
    line.replace(|c: char| c.is_ascii_digit() || c == ',', "")
}

/// What the page shows as output: the plain blocks that hold a verdict.
fn outputs(page: &str) -> Vec<String> {
    let plain = page.split("\n```\n").filter(|text| text.starts_with(['✅', '❌']));
    plain.map(str::to_owned).collect()
}

#[test]
fn every_message_in_the_troubleshooting_is_one_of_the_programs() {
    let mut code = String::new();
    collect(&repository("src"), &mut code);
    let page = page();
    let (_, chapter) = page.split_once("## 10. Troubleshooting").unwrap();
    let mut messages = 0;
    for line in chapter.lines() {
        let Some((cell, _)) = line.strip_prefix("| `").and_then(|rest| rest.split_once("` |"))
        else {
            continue;
        };
        for message in cell.split("`, `") {
            messages += 1;
            for part in message.split('…').map(str::trim).filter(|part| part.len() > 3) {
                assert!(code.contains(part), "no message with {part:?} in src");
            }
        }
    }
    assert!(messages > 20, "{messages}");
}

/// The code below a directory, with the lines of a literal joined and its quotes plain.
fn collect(directory: &std::path::Path, code: &mut String) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, code);
            continue;
        }
        let source = std::fs::read_to_string(&path).unwrap();
        for line in source.lines() {
            match line.strip_suffix('\\') {
                Some(broken) => *code += broken.trim_start(),
                None => *code += &format!("{}\n", line.trim_start()),
            }
        }
    }
    *code = code.replace("\\\"", "\"");
}

#[test]
fn the_table_of_contents_names_every_chapter() {
    let page = page();
    let chapters: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    assert_eq!(chapters.len(), 10);
    for chapter in chapters {
        let (number, name) = chapter.split_once(". ").unwrap();
        assert!(page.contains(&format!("\n{number}. [{name}](#{number}-")), "{chapter}");
    }
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn every_command_of_the_strategy_works_as_it_stands_there() {
        let (place, database) = (Place::on_a_lent_server(), database());
        let program = place.program("bin/ccc-backup", &wrapper(&place));
        std::os::unix::fs::symlink(repository("Makefile"), place.dir().join("Makefile")).unwrap();
        let before = database.sql("SELECT count(*), sum(id) FROM comments");
        let tags = database.sql("SELECT count(*) FROM artifact_tags");

        let mut script = "set -euo pipefail\n".to_owned();
        for Block { line, commands } in blocks(&page()) {
            script += &format!("echo '--- line {line}'\n{commands}\n");
        }
        let path = [place.dir().join("bin"), client("psql").parent().unwrap().to_owned()];
        let inherited = std::env::var_os("PATH").unwrap();
        let path = path.into_iter().chain(std::env::split_paths(&inherited));
        let output = Command::new("bash")
            .args(["-c", &script])
            .current_dir(place.dir())
            .env_clear()
            .envs(clean_environment())
            .env("PATH", std::env::join_paths(path).unwrap())
            .env("CCC_BACKUP", &program)
            .env("DB_HOST", "127.0.0.1")
            .env("DB_PORT", source().port.to_string())
            .env("DB_NAME", &database.name)
            .env("DB_USER", "postgres")
            .env("DB_PASSWORD", &source().password)
            .output()
            .unwrap();
        let said = text(&output.stdout);
        assert!(output.status.success(), "{said}{}", text(&output.stderr));
        for block in outputs(&page()) {
            for line in block.lines() {
                let same = |said: &str| without_sizes(said) == without_sizes(line);
                assert!(said.lines().any(same), "the page says {line:?}: {said}");
            }
        }
        assert_eq!(database.sql("SELECT count(*), sum(id) FROM comments"), before);
        assert_eq!(database.sql("SELECT count(*) FROM artifact_tags"), tags);
        place.assert_nothing_left();
    }
}
