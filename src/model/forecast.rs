//! How long restores are going to take, as far as those on record tell.

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Serialize;

/// Days in what is called a month here.
pub const MONTH_DAYS: f64 = 30.0;
const DAY_SECONDS: f64 = 86_400.0;

/// What those on record tell.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Outlook {
    /// Too little to say anything.
    TooLittle {
        /// Restores that count: of sound backups, by the engine that restored last.
        restores: usize,
        /// Days between the first and the last.
        days: i64,
        /// How many it takes.
        least_restores: usize,
        /// Over how many days.
        least_days: i64,
    },
    /// This.
    Told(Forecast),
}

/// How long restores are going to take, if all goes on as it did.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Forecast {
    /// What ran the servers: `docker` or `local`.
    pub engine: String,
    /// Restores that it is made of.
    pub restores: usize,
    /// Days between the first and the last of them.
    pub days: i64,
    /// When the last of them began.
    pub as_of: DateTime<Utc>,
    /// How long a restore of a backup of that day takes, in seconds.
    pub seconds: f64,
    /// How much longer it takes thirty days later, in seconds.
    pub seconds_a_month: f64,
    /// How much larger a backup is thirty days later, in bytes.
    pub bytes_a_month: f64,
    /// How long it may take, in seconds, where that was said.
    pub rto_seconds: Option<f64>,
    /// When it takes longer than it may; in the past, where it already does. Absent where that is not in sight.
    pub passed_at: Option<DateTime<Utc>>,
    /// How far it looks.
    pub until: DateTime<Utc>,
}

impl Outlook {
    /// The forecast, where there is one.
    pub fn forecast(&self) -> Option<&Forecast> {
        match self {
            Self::Told(forecast) => Some(forecast),
            Self::TooLittle { .. } => None,
        }
    }
}

impl Forecast {
    /// How long a restore takes of a backup of this time, in seconds.
    pub fn seconds_at(&self, time: DateTime<Utc>) -> f64 {
        let months = days_between(self.as_of, time) / MONTH_DAYS;
        (self.seconds + months * self.seconds_a_month).max(0.0)
    }
}

/// From one time to the other, in days.
pub fn days_between(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    (to - from).as_seconds_f64() / DAY_SECONDS
}

/// So many days later; `None` where no calendar goes so far.
pub fn days_later(from: DateTime<Utc>, days: f64) -> Option<DateTime<Utc>> {
    #[expect(clippy::cast_possible_truncation, reason = "it saturates, and is refused then")]
    from.checked_add_signed(TimeDelta::try_seconds((days * DAY_SECONDS) as i64)?)
}
