//! The metrics for Prometheus, in the text format of node_exporter's textfile collector: a
//! projection of what the runs in a history add up to.

use std::collections::BTreeMap;
use std::fmt::Display;

use chrono::{DateTime, Utc};

use super::exposition;
use crate::store::totals::{BackupTotals, DatabaseTotals, Histogram, Totals, VerificationTotals};

/// The metrics in the text of a file. Where the history lies in object storage, each says in which `place`.
pub fn render(totals: &Totals, place: Option<&str>) -> String {
    let place = place.map_or_else(String::new, |place| exposition::label("place", place));
    let mut page = Page { text: String::new(), place, databases: &totals.databases };
    backups(&mut page);
    verifications(&mut page);
    forecasts(&mut page);
    key(&mut page, totals);
    page.text
}

fn backups(page: &mut Page) {
    page.backups("attempts_total", "counter", "Backups that were begun.", |family, it| {
        family.sample("", "", it.attempts());
    });
    page.backups("success_total", "counter", "Backups that were begun, by how they ended.", {
        |family, it| {
            family.sample("", r#"status="success""#, it.succeeded);
            family.sample("", r#"status="failed""#, it.failed);
        }
    });
    page.backups(
        "failures_since_success",
        "gauge",
        "Attempts without a backup since one was made; 0 after a success.",
        |family, it| family.sample("", "", it.failures_since_success),
    );
    page.backups(
        "last_success_timestamp",
        "gauge",
        "When the last backup that was made was begun, in seconds since 1970; 0 for never.",
        |family, it| family.sample("", "", seconds(it.last_success)),
    );
    page.backups("size_bytes", "gauge", "Size of the last backup that was made.", |family, it| {
        it.last_bytes.into_iter().for_each(|bytes| family.sample("", "", bytes));
    });
    page.backups("rows", "gauge", "Rows in the last backup that was made.", |family, it| {
        it.last_rows.into_iter().for_each(|rows| family.sample("", "", rows));
    });
}

/// Of the directory, not of a database: whose backup it is stands in what is sealed.
fn key(page: &mut Page, totals: &Totals) {
    let (name, mut samples) = ("key_last_proven_timestamp", String::new());
    let help =
        "When keys were last proven to open the newest encrypted backup, in seconds since 1970.";
    if let Some(proven) = totals.key_last_proven {
        exposition::sample(&mut samples, name, &[&page.place], proven.timestamp());
    }
    exposition::family(&mut page.text, name, "gauge", help, &samples);
}

fn verifications(page: &mut Page) {
    let help = "Verifications that were begun.";
    page.verifications("verification_attempts_total", "counter", help, |family, it| {
        family.sample("", "", it.attempts());
    });
    let help = "Verifications that were begun, by verdict; unverified: it could not be told.";
    page.verifications("verification_success_total", "counter", help, |family, it| {
        family.sample("", r#"status="success""#, it.passed);
        family.sample("", r#"status="failed""#, it.failed);
        family.sample("", r#"status="unverified""#, it.unverified);
    });
    let help = "Backups proven bad since one was proven sound; 0 after a success.";
    page.verifications("verification_failures_since_success", "gauge", help, |family, it| {
        family.sample("", "", it.failures_since_success);
    });
    let help = "When the last verification that proved a backup sound was begun, in seconds since \
                1970; 0 for never.";
    page.verifications("verification_last_success_timestamp", "gauge", help, |family, it| {
        family.sample("", "", seconds(it.last_success));
    });
    let help = "Seconds that restores took, the throwaway server's start not counted.";
    page.verifications("restore_seconds", "histogram", help, |family, it| {
        histogram(family, &it.restores);
    });
    let help = "Seconds that the last restore took.";
    page.verifications("last_restore_seconds", "gauge", help, |family, it| {
        it.last_restore_seconds.into_iter().for_each(|took| family.sample("", "", took));
    });
}

fn forecasts(page: &mut Page) {
    let help = "Seconds that a restore may take, as the last verification with --rto had it.";
    page.verifications("rto_seconds", "gauge", help, |family, it| {
        it.rto_seconds.into_iter().for_each(|rto| family.sample("", "", rto));
    });
    let help = "When restores take longer than that, by their trend, in seconds since 1970; absent where that is \
                not in sight, or too little is known.";
    page.family("rto_passed_timestamp", "gauge", help, |family, it| {
        let passed = it.forecast.iter().filter_map(|forecast| forecast.passed_at);
        passed.for_each(|at| family.sample("", "", at.timestamp()));
    });
}

fn histogram(family: &mut Family, histogram: &Histogram) {
    let mut up_to = 0;
    for bucket in &histogram.buckets {
        up_to += bucket.count;
        family.sample("_bucket", &format!("le=\"{}\"", bucket.le), up_to);
    }
    family.sample("_bucket", r#"le="+Inf""#, histogram.count);
    family.sample("_sum", "", histogram.sum);
    family.sample("_count", "", histogram.count);
}

fn seconds(time: Option<DateTime<Utc>>) -> i64 {
    time.map_or(0, |time| time.timestamp())
}

struct Page<'a> {
    text: String,
    /// The label of all samples; empty for a directory.
    place: String,
    databases: &'a BTreeMap<String, DatabaseTotals>,
}

impl Page<'_> {
    fn backups(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        of: impl Fn(&mut Family, &BackupTotals),
    ) {
        self.family(name, kind, help, |family, totals| {
            totals.backups.iter().for_each(|backups| of(family, backups));
        });
    }

    fn verifications(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        of: impl Fn(&mut Family, &VerificationTotals),
    ) {
        self.family(name, kind, help, |family, totals| {
            totals.verifications.iter().for_each(|runs| of(family, runs));
        });
    }

    /// One metric for all databases. Without a value it is left out.
    fn family(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        of: impl Fn(&mut Family, &DatabaseTotals),
    ) {
        let mut samples = String::new();
        for (database, totals) in self.databases {
            let (database, place) = (exposition::label("database", database), &*self.place);
            of(&mut Family { name, database, place, text: &mut samples }, totals);
        }
        exposition::family(&mut self.text, name, kind, help, &samples);
    }
}

struct Family<'a> {
    name: &'a str,
    database: String,
    place: &'a str,
    text: &'a mut String,
}

impl Family<'_> {
    fn sample(&mut self, suffix: &str, label: &str, value: impl Display) {
        let (name, labels) =
            (format!("{}{suffix}", self.name), [&self.database, self.place, label]);
        exposition::sample(self.text, &name, &labels, value);
    }
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
