//! What `create` made, as a transcript and as JSON.

pub mod json;

use bytesize::ByteSize;

use super::drill::seconds;
use super::listing::{Align, printable, table};
use super::{RULE, SHORT_RULE};
use crate::events::CreateEvent;
use crate::model::creation::{CreateEnd, CreateReport, DatabaseBackup};
use crate::model::outcome::counted;

/// The lines of the transcript. One backup says all of itself.
pub(super) fn lines(event: &CreateEvent) -> Vec<String> {
    match event {
        CreateEvent::Planned { host, databases, excluded } => {
            let title = format!("BACKUP OF {}", counted(databases.len() as u64, "database"));
            let mut lines =
                vec![SHORT_RULE.to_owned(), title.to_uppercase(), SHORT_RULE.to_owned()];
            lines.extend(host.iter().map(|host| format!("Host: {host}")));
            lines.push(format!("Databases: {}", names(databases)));
            if !excluded.is_empty() {
                lines.push(format!("Left out: {}", names(excluded)));
            }
            lines
        }
        CreateEvent::Begun { database, number, of } => {
            vec![String::new(), format!("{} ({number} of {of})...", printable(database))]
        }
        CreateEvent::Finished(report) if report.several => summary(report),
        CreateEvent::Finished(_) => Vec::new(),
    }
}

/// With `--quiet`: what went wrong, on one line.
pub(super) fn quiet(event: &CreateEvent) -> String {
    match event {
        CreateEvent::Finished(report) if report.several && report.exit_code() != 0 => {
            let cause = report.causes().into_iter().next();
            format!("{}: {}\n", headline(report), printable(&cause.unwrap_or_default()))
        }
        _ => String::new(),
    }
}

fn names(databases: &[String]) -> String {
    databases.iter().map(|name| printable(name)).collect::<Vec<_>>().join(", ")
}

/// How many of them there are now.
fn headline(report: &CreateReport) -> String {
    let (made, all) = (report.made(), report.databases.len());
    let mark = match report.exit_code() {
        0 => "✅",
        1 => "❌",
        _ => "⚠️",
    };
    match made == all {
        true => format!("{mark} {} backed up", counted(all as u64, "database")),
        false => format!("{mark} {made} of {} backed up", counted(all as u64, "database")),
    }
}

fn summary(report: &CreateReport) -> Vec<String> {
    let mut lines =
        vec![String::new(), RULE.to_owned(), "BACKUP SUMMARY".to_owned(), RULE.to_owned()];
    let mut rows = vec![["DATABASE", "STATE", "SIZE", "TIME", "BACKUP"].map(str::to_owned)];
    rows.extend(report.databases.iter().map(row));
    let align = [Align::Left, Align::Left, Align::Right, Align::Right, Align::Left];
    lines.extend(table(&rows, align).lines().map(str::to_owned));
    lines.extend([String::new(), headline(report)]);
    lines.extend(report.causes().iter().map(|cause| printable(cause)));
    lines.push(RULE.to_owned());
    lines
}

fn row(one: &DatabaseBackup) -> [String; 5] {
    let none = || "-".to_owned();
    let (state, size) = match &one.end {
        CreateEnd::Made(made) => {
            let state = if made.trouble.is_some() { "made, but" } else { "made" };
            (state, ByteSize(made.bytes).to_string())
        }
        CreateEnd::NotMade(_) => ("NOT MADE", none()),
        CreateEnd::NotReached { .. } => ("not come to", none()),
    };
    let is_reached = !matches!(one.end, CreateEnd::NotReached { .. });
    let time = if is_reached { seconds(one.seconds) } else { none() };
    let backup = one.backup.clone().filter(|_| one.is_made());
    let backup = backup.map_or_else(none, |backup| printable(&backup));
    [printable(&one.database), state.to_owned(), size, time, backup]
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::DateTime;

    use super::*;
    use crate::model::creation::{MadeBackup, Trouble};

    /// A night in which one database was gone, and another not come to.
    pub(super) fn night() -> CreateReport {
        let made = |trouble| {
            CreateEnd::Made(MadeBackup {
                bytes: 5_883_124,
                dump_bytes: 49_650_716,
                sha256: "883b74eaaa8c".to_owned(),
                tables: 25,
                rows: 127_410,
                globals: true,
                trouble,
            })
        };
        let trouble = |exit_code, cause: &str| Trouble {
            exit_code,
            cause: cause.to_owned(),
            hint: Some("do something about it".to_owned()),
        };
        let one = |database: &str, end| DatabaseBackup {
            database: database.to_owned(),
            host: "localhost:5432".to_owned(),
            backup: Some(format!("backups/backup_20260114_143022_of_{database}.sql.gz")),
            seconds: 2.5,
            end,
        };
        let gone = trouble(1, "no backup was made: the database does not exist: gone");
        let away = trouble(1, "it was made, but is not in s3://far/x");
        let why = "interrupted by SIGINT".to_owned();
        CreateReport {
            tool_version: "0.0.0".to_owned(),
            started_at: DateTime::from_timestamp(1_768_401_022, 0).unwrap(),
            seconds: 7.5,
            several: true,
            databases: vec![
                one("blog", made(None)),
                one("gone", CreateEnd::NotMade(gone)),
                one("shop", made(Some(away))),
                DatabaseBackup { backup: None, ..one("wiki", CreateEnd::NotReached { why }) },
            ],
            troubles: vec![trouble(1, "the backups have no roles beside them: no pg_dumpall")],
        }
    }

    fn text(event: &CreateEvent) -> String {
        lines(event).into_iter().map(|line| line + "\n").collect()
    }

    #[test]
    fn the_summary_has_a_row_for_each_database_and_says_what_is_wrong() {
        let planned = CreateEvent::Planned {
            host: Some("localhost:5432".to_owned()),
            databases: vec!["blog".to_owned(), "shop\n2".to_owned()],
            excluded: vec!["test".to_owned()],
        };
        let begun = CreateEvent::Begun { database: "blog".to_owned(), number: 1, of: 2 };
        let finished = CreateEvent::Finished(Arc::new(night()));
        let all = [text(&planned), text(&begun), text(&finished), quiet(&finished)];
        insta::assert_snapshot!(all.concat());
    }

    #[test]
    fn a_good_night_and_one_backup_alone_need_few_words() {
        let mut report = night();
        report.databases.truncate(1);
        report.troubles.clear();
        let finished = |report: &CreateReport| CreateEvent::Finished(Arc::new(report.clone()));
        assert!(text(&finished(&report)).contains("\n✅ 1 database backed up\n"));
        assert_eq!(quiet(&finished(&report)), "");
        report.several = false;
        assert_eq!(text(&finished(&report)) + &quiet(&finished(&report)), "");
    }
}
