//! The metrics of copies: the last part of the file. It is made by itself, when their places have answered, and stays
//! as it is when the rest is made anew.

use std::collections::BTreeSet;

use super::exposition::{Sample, begin, family, label, sample, samples};
use crate::store::copies::{Copies, CopyTotals, Counted};

/// Which stands first: of each database in each place there is one.
const LAST_SUCCESS: &str = "copy_last_success_timestamp";
const LAST_PROVEN: &str = "copy_last_proven_timestamp";
const BACKUPS: &str = "copies";
const PROVEN: &str = "copies_proven";

/// The part of a file that tells of copies.
pub fn part(text: &str) -> &str {
    &text[begin(text, LAST_SUCCESS)..]
}

/// The file with this in the place of what it told of copies. `from` is where the backups are that they are copies of;
/// absent for a directory.
pub fn renewed(text: &str, copies: &Copies, from: Option<&str>) -> String {
    let mut text = text[..begin(text, LAST_SUCCESS)].to_owned();
    let from = from.map_or_else(String::new, |from| label("from", from));
    let mut gauge = |name: &str, help: &str, value: &dyn Fn(CopyTotals) -> Option<i64>| {
        let mut all = String::new();
        for (database, place, totals) in copies.iter() {
            let labels = [label("database", database), label("place", place)];
            if let Some(value) = value(totals) {
                sample(&mut all, name, &[&labels[0], &labels[1], &from], value);
            }
        }
        family(&mut text, name, "gauge", help, &all);
    };
    let help = "When the newest backup that lies in a place of copies was begun, in seconds since 1970; 0 where none \
                is known to.";
    gauge(LAST_SUCCESS, help, &|it| Some(it.last_success));
    let help = "When the last verification that proved a backup sound in a place of copies was begun, in seconds \
                since 1970; 0 for never.";
    gauge(LAST_PROVEN, help, &|it| it.last_proven);
    let count = |count: usize| i64::try_from(count).ok();
    let help = "Backups that lie in a place of copies.";
    gauge(BACKUPS, help, &|it| count(it.counted?.backups));
    let help = "Backups that lie in a place of copies and were proven sound there.";
    gauge(PROVEN, help, &|it| count(it.counted?.proven));
    text
}

/// What a file tells of copies.
pub fn read(text: &str) -> Copies {
    let part = part(text);
    let value = |name: &str, database: &str, place: &str| {
        let is_it = |it: &Sample| {
            (it.label("database"), it.label("place")) == (Some(database), Some(place))
        };
        samples(part, name).find(is_it)?.whole()
    };
    let mut copies = Copies::default();
    for it in samples(part, LAST_SUCCESS) {
        let (Some(database), Some(place)) = (it.label("database"), it.label("place")) else {
            continue;
        };
        let count = |name| usize::try_from(value(name, database, place)?).ok();
        let counted = count(BACKUPS).zip(count(PROVEN));
        let totals = CopyTotals {
            counted: counted.map(|(backups, proven)| Counted { backups, proven }),
            last_success: it.whole().unwrap_or(0),
            last_proven: value(LAST_PROVEN, database, place),
        };
        copies.insert(database, place, totals);
    }
    copies
}

/// The databases of which the file tells when they were last backed up.
pub fn databases(text: &str) -> BTreeSet<String> {
    let name = |it: Sample| it.label("database").map(str::to_owned);
    samples(text, "last_success_timestamp").filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNS: &str = "# TYPE backup_last_success_timestamp gauge\n\
                        backup_last_success_timestamp{database=\"ccc\"} 1768356000\n";

    fn copies() -> Copies {
        let mut copies = Copies::default();
        let counted = Some(Counted { backups: 14, proven: 2 });
        let last_success = 1_768_356_000;
        let last_proven = Some(1_768_300_000);
        copies.insert("ccc", "s3://near/ccc", CopyTotals { counted, last_success, last_proven });
        let put_only = CopyTotals { last_success, ..CopyTotals::default() };
        copies.insert("ccc", "s3://far/ccc", put_only);
        let never = CopyTotals { last_proven: Some(0), ..CopyTotals::default() };
        copies.insert("a\"b\\c\nd", "/mnt/backup \"2\"", never);
        copies
    }

    #[test]
    fn copies_in_several_places_give_these_metrics() {
        insta::assert_snapshot!(renewed(RUNS, &copies(), None));
    }

    #[test]
    fn what_is_written_is_read_back() {
        assert_eq!(read(&renewed(RUNS, &copies(), None)), copies());
        assert_eq!(read(&renewed("", &copies(), Some("s3://main/\"ccc\""))), copies());
        assert_eq!(read(RUNS), Copies::default());
    }

    #[test]
    fn of_a_file_that_part_alone_is_renewed() {
        let before = renewed(RUNS, &copies(), None);
        assert_eq!(part(&before), &before[RUNS.len()..]);
        let mut copies = Copies::default();
        copies.insert("ccc", "second", CopyTotals::default());
        let after = renewed(&before, &copies, None);
        assert_eq!((read(&after), after.starts_with(RUNS)), (copies, true));
        assert_eq!(renewed(&before, &Copies::default(), None), RUNS);
        assert_eq!((part(RUNS), part("")), ("", ""));
    }

    #[test]
    fn copies_of_a_place_say_of_which() {
        let text = renewed("", &copies(), Some("s3://main/ccc"));
        let mut samples = text.lines().filter(|line| !line.starts_with('#'));
        assert!(samples.all(|line| line.contains(r#",from="s3://main/ccc"} "#)), "{text}");
    }

    #[test]
    fn the_databases_are_those_that_were_backed_up() {
        let text = renewed(RUNS, &copies(), None);
        assert_eq!(databases(&text).into_iter().collect::<Vec<_>>(), ["ccc"]);
    }
}
