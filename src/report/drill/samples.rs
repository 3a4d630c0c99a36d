//! Drills that the reporters are tested with.

use chrono::{DateTime, TimeDelta, TimeZone, Utc};

use crate::model::drill::{
    DatabaseOutlook, DrillPlan, DrillReport, End, PlaceFound, Planned, Standing, Turn,
};
use crate::model::forecast::Outlook;
use crate::model::outcome::{Obstacle, RunReport};
use crate::report::samples;

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 1, 15, 12, 0, 0).unwrap()
}

/// A backup of so many days ago.
pub fn planned(place: &str, days: i64, standing: Standing, expected: Option<f64>) -> Planned {
    let made_at = now() - TimeDelta::days(days) - TimeDelta::hours(10);
    Planned {
        place: place.to_owned(),
        backup: format!("backup_{}.sql.gz", made_at.format("%Y%m%d_%H%M%S")),
        made_at,
        bytes: 15_234_567 - u64::try_from(days).unwrap() * 40_000,
        database: Some("ccc".to_owned()),
        standing,
        newest: days == 0,
        expected_seconds: expected,
    }
}

fn places() -> Vec<PlaceFound> {
    let found = |place: &str, backups, proven, bad| PlaceFound {
        place: place.to_owned(),
        backups,
        proven,
        bad,
        newest: Some(now() - TimeDelta::hours(10)),
        obstacle: None,
    };
    let cause = "s3://far/ccc is refused: no such bucket".to_owned();
    vec![
        found("./backups", 34, 30, 0),
        found("s3://near/ccc", 34, 2, 1),
        PlaceFound {
            newest: None,
            obstacle: Some(Obstacle { cause, hint: None }),
            ..found("s3://far/ccc", 0, 0, 0)
        },
    ]
}

fn turns() -> Vec<Planned> {
    let ago = |hours| now() - TimeDelta::hours(hours);
    vec![
        planned("s3://near/ccc", 0, Standing::Untried, Some(250.0)),
        planned("s3://near/ccc", 20, Standing::Inconclusive(ago(50)), None),
        planned("./backups", 0, Standing::Proven(ago(9)), Some(240.0)),
        planned("./backups", 12, Standing::Proven(ago(200)), Some(9_000.0)),
    ]
}

/// What a drill is going to do.
pub fn plan() -> DrillPlan {
    DrillPlan {
        at: now(),
        file_only: false,
        newest_only: false,
        at_once: 1,
        within_seconds: Some(7_200.0),
        places: places(),
        turns: turns().into_iter().zip([true, true, true, false]).collect(),
        expected_seconds: 490.0,
        all_expected: false,
        is_all: true,
    }
}

/// What came of it: one passed, one failed, one could not be told, one was not reached.
pub fn drill() -> DrillReport {
    let tried = |report: RunReport| End::Tried(Box::new(report));
    let why = "it takes about 2 h 30 min, and 1 h 52 min of 2 h are left (--within)".to_owned();
    let ends = [
        tried(samples::passed()),
        tried(samples::not_verified()),
        tried(samples::failed()),
        End::NotReached { why },
    ];
    DrillReport {
        tool_version: "1.2.3".to_owned(),
        started_at: now(),
        seconds: 501.0,
        file_only: false,
        newest_only: false,
        rto_seconds: Some(2_700.0),
        within_seconds: Some(7_200.0),
        places: places(),
        turns: turns().into_iter().zip(ends).map(|(planned, end)| Turn { planned, end }).collect(),
        outlooks: vec![DatabaseOutlook {
            database: Some("ccc".to_owned()),
            outlook: Outlook::TooLittle { restores: 3, days: 9, least_restores: 8, least_days: 28 },
        }],
        warnings: Vec::new(),
    }
}
