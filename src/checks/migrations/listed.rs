//! The revisions that a command lists: `alembic heads` those that none comes after, `alembic history` all.
//!
//! Source: Alembic 1.16, `Script.cmd_format` in `script/base.py`.

use super::chain::{Chain, Revision};
use super::head::Newest;

/// What stands in the place of what the first revision comes after.
const BASE: &str = "<base>";

/// Reads what the command wrote.
///
/// # Errors
/// Why it is not understood, in words.
pub fn read(text: &str) -> Result<Newest, String> {
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let all: Vec<Revision> = lines().filter_map(of_history).collect();
    if !all.is_empty() {
        return Chain::of(all).map(Newest::All);
    }
    let heads: Vec<String> = lines().filter_map(of_heads).collect();
    if heads.is_empty() {
        return Err("it lists no revision".to_owned());
    }
    Ok(Newest::Heads(heads))
}

/// `a, b (needed) -> c (branch) (head), what it does`
fn of_history(line: &str) -> Option<Revision> {
    let (before, after) = line.split_once(" -> ")?;
    let id = after.split([' ', ',']).next().filter(|id| is_id(id))?;
    let (before, needs) = match before.split_once(" (") {
        Some((before, needs)) => (before, needs.trim_end_matches(')')),
        None => (before, ""),
    };
    let names = |text: &str| -> Option<Vec<String>> {
        let names = text.split(", ").filter(|name| !name.is_empty() && *name != BASE);
        names.map(|name| is_id(name).then(|| name.to_owned())).collect()
    };
    let labels = after[id.len()..].split_once(',').map_or(&after[id.len()..], |(words, _)| words);
    Some(Revision {
        id: id.to_owned(),
        down: names(before)?,
        needs: names(needs)?,
        labels: in_brackets(labels)?.into_iter().map(str::to_owned).collect(),
    })
}

/// `c (branch) (head)`
fn of_heads(line: &str) -> Option<String> {
    let (id, words) = line.split_once(' ').unwrap_or((line, ""));
    (is_id(id) && in_brackets(words).is_some()).then(|| id.to_owned())
}

/// The words in brackets; nothing where there is something else.
fn in_brackets(text: &str) -> Option<Vec<&str>> {
    let mut words = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (word, after) = rest.strip_prefix('(')?.split_once(')')?;
        words.extend(word.split(", "));
        rest = after.trim_start();
    }
    Some(words)
}

fn is_id(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_the_first_words_of_their_lines() {
        let text = "0607bc5b8541 (head)\n27c6a30d7c24 (audit) (head)\n";
        let heads = ["0607bc5b8541", "27c6a30d7c24"].map(str::to_owned).to_vec();
        assert_eq!(read(text), Ok(Newest::Heads(heads)));
        assert_eq!(read("\n").unwrap_err(), "it lists no revision");
        assert!(read("Traceback (most recent call last):\n  File x\n").is_err());
    }

    #[test]
    fn a_history_is_all_of_the_chain() {
        let text = "b, c -> d (head) (mergepoint), merge two\na -> c, of c -> d\na (x) -> b (left), b\n\
                    <base> -> x (audit), x\n<base> -> a (branchpoint), first, of all\n";
        let Newest::All(chain) = read(text).unwrap() else { panic!("no chain") };
        assert_eq!((chain.count(), chain.heads()), (5, &["d".to_owned(), "x".to_owned()][..]));
        assert_eq!(chain.behind(&["b".to_owned()]), Ok(2));
    }
}
