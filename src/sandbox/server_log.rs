//! The end of a server's log, which tells what became of it.

/// Lines that are shown.
const SHOWN: usize = 15;
/// Lines of the log that are looked at for them.
pub const LOOKED_AT: usize = 1000;

/// The last lines of a log, without those that go on from the line before them: the text of a statement may be
/// longer than what is shown, and would leave out what happened.
pub fn last_lines(log: &str) -> Vec<String> {
    let lines: Vec<&str> = log.lines().filter(|line| !line.starts_with('\t')).collect();
    let last = &lines[lines.len().saturating_sub(SHOWN)..];
    last.iter().map(|line| line.trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_statement_does_not_hide_what_happened() {
        let statement = "\tUNION ALL\n".repeat(3 * SHOWN);
        let log = format!("LOG:  signal 9\nDETAIL:  WITH\n{statement}LOG:  shut down\n");
        assert_eq!(last_lines(&log), ["LOG:  signal 9", "DETAIL:  WITH", "LOG:  shut down"]);
    }

    #[test]
    fn of_many_lines_the_last_are_kept() {
        let log: String = (1..=40).map(|n| format!("LOG:  {n}\n")).collect();
        let kept = last_lines(&log);
        assert_eq!((kept.len(), kept[0].as_str()), (SHOWN, "LOG:  26"));
    }
}
