//! Transcripts without what differs from run to run, and against the specification's own.

/// The lines of a transcript: every number is N, the time in the name of a backup is TIME, and what
/// the sandbox says of engine and image is left out.
pub fn redacted(transcript: &str) -> Vec<String> {
    let reason = |line: &&str| !line.starts_with("  docker at ");
    let line = |line: &str| line.split(' ').map(redacted_word).collect::<Vec<_>>().join(" ");
    transcript.lines().filter(reason).map(line).collect()
}

fn redacted_word(word: &str) -> String {
    let bare = word.trim_matches(['(', ')']).trim_end_matches('%');
    let number = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_digit())
            && text.chars().all(|c| c.is_ascii_digit() || matches!(c, ',' | '.'))
    };
    if number(bare) {
        return word.replace(bare, "N");
    }
    if let Some((directory, name)) = word.split_once("backup_")
        && let Some((time, suffix)) = name.split_at_checked(15)
        && time.chars().all(|c| c.is_ascii_digit() || c == '_')
    {
        return format!("{directory}backup_TIME{suffix}");
    }
    // One attempt, or several.
    word.replace("attempts", "attempt")
}

/// Fails unless every line of `specified` is among the lines of `ours`, in the same order; words may follow,
/// which make it true.
#[track_caller]
pub fn assert_has_every_line(ours: &str, specified: &str) {
    let ours = redacted(ours);
    let mut said = ours.iter();
    for line in redacted(specified) {
        let found = said.any(|ours| {
            ours.strip_prefix(&line).is_some_and(|more| more.is_empty() || more.starts_with(' '))
        });
        assert!(found, "{line:?} is missing or misplaced:\n{}", ours.join("\n"));
    }
}
