//! The metrics of word that was sent: a part of the file between those of runs and those of copies. It is made by itself,
//! when all was sent, and stays as it is when the rest is made anew.

use std::collections::BTreeMap;

use super::copy_metrics;
use super::exposition::{Sample, begin, family, label, sample, samples};

/// Which stands first: of each there is one.
const FAILURES: &str = "notification_failures_since_success";
const LAST_SUCCESS: &str = "notification_last_success_timestamp";

/// Who is told, and of which command.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Told {
    /// Of this command.
    pub command: String,
    /// By a `webhook`, a `ping` or a `command`.
    pub kind: String,
    /// At this host; empty for a command.
    pub host: String,
}

/// How telling went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Telling {
    /// How many runs could not tell since one could.
    pub failures: i64,
    /// When the last one could, in seconds since 1970; 0 for never.
    pub last_success: i64,
}

/// All of it.
pub type Tellings = BTreeMap<Told, Telling>;

/// The part of a file that tells of word that was sent.
pub fn part(text: &str) -> &str {
    let end = text.len() - copy_metrics::part(text).len();
    &text[begin(text, FAILURES).min(end)..end]
}

/// The file with this in the place of what it told of word that was sent.
pub fn renewed(text: &str, tellings: &Tellings) -> String {
    let copies = copy_metrics::part(text);
    let runs = &text[..text.len() - copies.len() - part(text).len()];
    let mut new = runs.to_owned();
    let mut gauge = |name: &str, help: &str, value: fn(&Telling) -> i64| {
        let mut all = String::new();
        for (told, telling) in tellings {
            let host = match told.host.as_str() {
                "" => String::new(),
                host => label("host", host),
            };
            let labels = [label("command", &told.command), label("kind", &told.kind), host];
            sample(&mut all, name, &labels.each_ref().map(String::as_str), value(telling));
        }
        family(&mut new, name, "gauge", help, &all);
    };
    let help = "Runs whose end could not be told since one could; 0 after a success.";
    gauge(FAILURES, help, |it| it.failures);
    let help = "When the end of a run was last told, in seconds since 1970; 0 for never.";
    gauge(LAST_SUCCESS, help, |it| it.last_success);
    new + copies
}

/// What a file tells of word that was sent.
pub fn read(text: &str) -> Tellings {
    let part = part(text);
    let told = |it: &Sample| {
        let of = |name| it.label(name).map(str::to_owned);
        let host = of("host").unwrap_or_default();
        Some(Told { command: of("command")?, kind: of("kind")?, host })
    };
    let mut tellings = Tellings::new();
    for it in samples(part, FAILURES) {
        if let (Some(told), Some(failures)) = (told(&it), it.whole()) {
            tellings.insert(told, Telling { failures, ..Telling::default() });
        }
    }
    for it in samples(part, LAST_SUCCESS) {
        if let (Some(told), Some(last_success)) = (told(&it), it.whole()) {
            tellings.entry(told).or_default().last_success = last_success;
        }
    }
    tellings
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNS: &str = "# HELP backup_last_success_timestamp It.\n# TYPE backup_last_success_timestamp gauge\n\
                        backup_last_success_timestamp{database=\"ccc\"} 1768356000\n";
    const COPIES: &str = "# HELP backup_copy_last_success_timestamp It.\n\
                          backup_copy_last_success_timestamp{database=\"ccc\",place=\"p\"} 7\n";

    fn tellings() -> Tellings {
        let told = |command: &str, kind: &str, host: &str| Told {
            command: command.to_owned(),
            kind: kind.to_owned(),
            host: host.to_owned(),
        };
        Tellings::from([
            (
                told("create", "ping", "hc-ping.com"),
                Telling { failures: 0, last_success: 1_768_356_001 },
            ),
            (told("verify", "command", ""), Telling { failures: 3, last_success: 0 }),
            (told("verify", "webhook", "127.0.0.1:80"), Telling { failures: 1, last_success: 9 }),
        ])
    }

    #[test]
    fn word_that_was_sent_gives_these_metrics() {
        insta::assert_snapshot!(renewed("", &tellings()));
    }

    #[test]
    fn what_is_written_is_read_back_and_the_other_parts_stay_as_they_are() {
        for copies in ["", COPIES] {
            let text = renewed(&format!("{RUNS}{copies}"), &tellings());
            assert_eq!(read(&text), tellings());
            assert!(text.starts_with(RUNS) && text.ends_with(copies), "{text}");
            assert_eq!(copy_metrics::part(&text), copies);
            assert_eq!(renewed(&text, &tellings()), text);
            assert_eq!(renewed(&text, &Tellings::new()), format!("{RUNS}{copies}"));
        }
        assert_eq!((part(RUNS), part(COPIES), part("")), ("", "", ""));
        assert_eq!(read(RUNS), Tellings::new());
    }
}
