//! `docs/signing.md`: every command in it is run, in the order of the page, in one shell.

use std::process::Command;

use crate::support::source::connection;
use crate::support::{BINARY, Place, clean_environment, repository, text, unchanged_database};

/// The commands marked `<!-- test -->`, and what `<!-- test: … -->` hides from the reader. A block of commands
/// without a mark is an error.
fn script() -> String {
    let page = std::fs::read_to_string(repository("docs/signing.md")).unwrap();
    let (mut script, mut mark) = ("set -euo pipefail\n".to_owned(), "");
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let hidden = line.strip_prefix("<!-- test: ");
        let end = match (line, hidden) {
            ("```bash", _) => "```",
            (_, Some(_)) => "-->",
            _ => {
                mark = line;
                continue;
            }
        };
        assert!(hidden.is_some() || mark == "<!-- test -->", "no mark before {line}");
        let body = lines.by_ref().take_while(|line| *line != end);
        let commands: Vec<&str> = hidden.into_iter().chain(body).collect();
        script += &format!("{}\n", commands.join("\n"));
    }
    script
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn every_command_of_the_page_works_as_it_stands_there() {
        let (place, database) = (Place::on_a_lent_server(), unchanged_database());
        let wrapper = format!(
            "[ \"$1\" != verify ] || set -- \"$@\" --port 0 --container-name {}\nexec {BINARY} \"$@\"",
            place.container
        );
        let program = place.program("bin/ccc-backup", &wrapper);
        let mut path = clean_environment().find(|(name, _)| *name == "PATH").unwrap().1;
        path = format!("{}:{path}", program.parent().unwrap().display());
        let script = script();
        assert!(script.matches("ccc-backup ").count() >= 10, "{script}");
        let mut command = Command::new("bash");
        command.args(["-c", &script]).current_dir(place.dir()).env_clear();
        command.envs(clean_environment()).env("PATH", path).envs(connection(database));
        let output = command.output().unwrap();
        let said = text(&output.stdout);
        assert!(output.status.success(), "{said}{}", text(&output.stderr));
        assert_eq!(said.matches("Signature: signed by backup@db1 (SHA256:").count(), 3, "{said}");
        place.assert_nothing_left();
    }
}
