//! `[[checks.sql]]`: questions of the operator's own, and the answers that they expect.

use serde::Deserialize;

/// `[[checks.sql]]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SqlCheck {
    /// What it is called in the report.
    pub name: String,
    /// One query.
    pub query: String,
    /// The one row that it gives.
    pub expect: Option<Expected>,
    /// The one number that it gives is not below this.
    pub min: Option<Number>,
    /// The one number that it gives is not above this.
    pub max: Option<Number>,
    /// Whether it gives no row, or at least one.
    pub empty: Option<bool>,
    /// The database that is asked, where a backup holds several.
    pub database: Option<String>,
    /// The role that asks.
    pub role: Option<String>,
    /// How long it may take, such as `30s`.
    pub timeout: Option<String>,
}

/// A row that is expected.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(
    untagged,
    expecting = "a text, a number, true or false is expected of a query, or a list of them for several columns"
)]
pub enum Expected {
    /// Of one column.
    One(Scalar),
    /// Of several.
    Row(Vec<Scalar>),
}

/// A value that is expected.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged, expecting = "expected a text, a number, true or false")]
pub enum Scalar {
    /// True or false.
    Boolean(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(String),
}

/// A number.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(untagged, expecting = "expected a number")]
pub enum Number {
    /// A whole one.
    Whole(i64),
    /// With a fraction.
    Fraction(f64),
}
