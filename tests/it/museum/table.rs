//! `docs/museum.md`, written from what came of the exhibits.

use std::fmt::Write;

use super::broken::{Beside, Broken, Class};
use super::healthy::Healthy;
use super::visit::{Found, Visited};

const CLASSES: [(Class, &str); 6] = [
    (Class::Bytes, "Bytes of the file"),
    (Class::Text, "Text of the dump"),
    (Class::Rows, "Rows"),
    (Class::Statements, "Statements"),
    (Class::Meaning, "Meaning"),
    (Class::Manifest, "The manifest itself"),
];

/// The document.
pub fn write(broken: &[Visited<Broken>], healthy: &[Visited<Healthy>]) -> String {
    let mut text = include_str!("head.md").to_owned();
    let breakages: std::collections::BTreeSet<_> =
        broken.iter().map(|it| it.exhibit.breakage).collect();
    let reading = broken.iter().filter(|it| it.found.by_reading).count();
    let _ = writeln!(
        text,
        "{} breakages, {} backups: {} found without a server, {} in the restored database.\n",
        breakages.len(),
        broken.len(),
        reading,
        broken.len() - reading
    );
    for (class, title) in CLASSES {
        let _ = writeln!(text, "### {title}\n");
        text.push_str("| breakage | manifest | found | message |\n|---|---|---|---|\n");
        for it in broken.iter().filter(|it| it.exhibit.class == class) {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} |",
                cell(it.exhibit.breakage),
                beside(it.exhibit.beside),
                if it.found.by_reading { "reading" } else { "restored" },
                cell(&message(&it.exhibit, &it.found))
            );
        }
        text.push('\n');
    }
    let _ = writeln!(text, "## Healthy\n\n{} dumps.\n", healthy.len());
    text.push_str("| dump | manifest | remarks |\n|---|---|---|\n");
    for it in healthy {
        let manifest = if it.exhibit.with_manifest { "yes" } else { "none" };
        let remarks = cell(&remarks(&it.found));
        let _ = writeln!(text, "| {} | {manifest} | {remarks} |", cell(it.exhibit.shape));
    }
    text
}

fn beside(beside: Beside) -> &'static str {
    match beside {
        Beside::Nothing => "none",
        Beside::AsWritten => "as written",
        Beside::MadeToFit => "made to fit",
        Beside::Broken => "broken",
    }
}

/// The cause that was given; where several are right, those.
fn message(broken: &Broken, found: &Found) -> String {
    match broken.said.as_slice() {
        [words] => {
            let causes = found.causes();
            let cause = causes.iter().find(|cause| cause.contains(words)).or(causes.first());
            redacted(cause.unwrap_or(&""))
        }
        several => several.iter().map(|words| format!("{words}…")).collect::<Vec<_>>().join(" / "),
    }
}

/// What was said of a healthy dump beside that it passed.
fn remarks(found: &Found) -> String {
    let warnings = found.outcome.stdout.lines().filter_map(|line| line.trim().strip_prefix("⚠ "));
    // What follows are roles and databases, of other tests, too.
    let own = |said: &str| match said.split_once("), ") {
        Some((rows, _)) if said.starts_with("Not in the backup: ") => format!("{rows})"),
        _ => said.to_owned(),
    };
    let warnings = warnings.map(own);
    let missing = found.not_proven().into_iter().filter(|line| !line.starts_with("no manifest"));
    let missing = missing.map(|line| format!("not proven: {line}"));
    warnings.chain(missing).collect::<Vec<_>>().join("; ")
}

/// Without what is another in every run or with another pg_dump: places, sizes, checksums.
fn redacted(message: &str) -> String {
    let words: Vec<&str> = message.split(' ').collect();
    let is_number =
        |word: &str| word.chars().all(|c| c.is_ascii_digit() || c == ',') && word != ",";
    let shown = |(index, word): (usize, &&str)| {
        let (bare, rest) = match word.find(|c: char| !c.is_ascii_digit() && c != ',') {
            Some(end) if end > 0 => word.split_at(end),
            _ => (*word, ""),
        };
        let before = index.checked_sub(1).map(|index| words[index]);
        let after = words.get(index + 1).copied();
        let place = matches!(before, Some("line" | "byte" | "of"));
        if is_number(bare) && (place || after.is_some_and(|word| word.starts_with("bytes"))) {
            let comma = bare.ends_with(',');
            format!("N{}{rest}", if comma { "," } else { "" })
        } else if word.len() > 16 && matches!(before, Some("\\restrict" | "\\unrestrict")) {
            // pg_dump's key, another in every dump.
            "KEY".to_owned()
        } else if word.len() >= 32
            && word.trim_end_matches(',').chars().all(|c| c.is_ascii_hexdigit())
        {
            format!("…{}", if word.ends_with(',') { "," } else { "" })
        } else {
            (*word).to_owned()
        }
    };
    words.iter().enumerate().map(shown).collect::<Vec<_>>().join(" ")
}

fn cell(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace('<', "\\<")
}
