//! `[checks.rows]`: how many rows a table must have, and how many more or fewer than before.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

/// Keys that are no tables: a table of that name is written with its schema.
const MAX_DROP: &str = "max_drop";
const MAX_GROWTH: &str = "max_growth";
/// What a table can lose.
const ALL: f64 = 100.0;

/// `[checks.rows]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows {
    /// How many fewer rows any table may have than in the last backup that passed.
    pub max_drop: Option<Percent>,
    /// How many more.
    pub max_growth: Option<Percent>,
    /// Tables, `table` or `schema.table`, with rules of their own.
    pub tables: BTreeMap<String, RowRule>,
}

/// What a table's number of rows is held to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RowRule {
    /// So many at the least.
    pub min: Option<u64>,
    /// As [`Rows::max_drop`].
    pub max_drop: Option<Percent>,
    /// As [`Rows::max_growth`].
    pub max_growth: Option<Percent>,
}

/// A part of a hundred, written `20%`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Percent(pub f64);

impl Percent {
    /// How much a table may lose.
    fn of_a_drop<E: Error>(self) -> Result<Self, E> {
        if self.0 <= ALL {
            return Ok(self);
        }
        Err(E::custom("a table cannot lose more than all its rows: max_drop is 100% at the most"))
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Percentage)
    }
}

struct Percentage;

impl Visitor<'_> for Percentage {
    type Value = Percent;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a percentage, such as \"20%\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Percent, E> {
        let digits = text.strip_suffix('%').map(str::trim);
        let is_plain = |c: char| c.is_ascii_digit() || c == '.';
        let number = digits.filter(|digits| digits.chars().all(is_plain));
        let number = number.and_then(|digits| digits.parse::<f64>().ok());
        number.map(Percent).ok_or_else(|| {
            E::custom(format_args!("{text:?} is no percentage: write it as \"20%\""))
        })
    }
}

impl<'de> Deserialize<'de> for Rows {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Tables)
    }
}

struct Tables;

impl<'de> Visitor<'de> for Tables {
    type Value = Rows;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("tables and their rows, such as \"sales.orders\" = 1")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Rows, A::Error> {
        let mut rows = Rows::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                MAX_DROP => rows.max_drop = Some(map.next_value::<Drop>()?.0),
                MAX_GROWTH => rows.max_growth = Some(map.next_value()?),
                _ => {
                    rows.tables.insert(key, map.next_value()?);
                }
            }
        }
        Ok(rows)
    }
}

struct Drop(Percent);

impl<'de> Deserialize<'de> for Drop {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Percent::deserialize(deserializer)?.of_a_drop().map(Self)
    }
}

impl<'de> Deserialize<'de> for RowRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Rule)
    }
}

struct Rule;

impl<'de> Visitor<'de> for Rule {
    type Value = RowRule;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(
            "the least rows of a table, a whole number, or { min = 100, max_drop = \"20%\", max_growth = \
             \"300%\" }; the name of a table with its schema is quoted, as in \"sales.orders\" = 1",
        )
    }

    fn visit_i64<E: Error>(self, least: i64) -> Result<RowRule, E> {
        let min = u64::try_from(least)
            .map_err(|_| E::custom(format_args!("expected {}", Said(&self))))?;
        Ok(RowRule { min: Some(min), ..RowRule::default() })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RowRule, A::Error> {
        let mut rule = RowRule::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "min" => rule.min = Some(map.next_value()?),
                MAX_DROP => rule.max_drop = Some(map.next_value::<Drop>()?.0),
                MAX_GROWTH => rule.max_growth = Some(map.next_value()?),
                _ => {
                    let expected = Said(&self);
                    return Err(A::Error::custom(format_args!(
                        "unknown key {key:?}, expected {expected}"
                    )));
                }
            }
        }
        Ok(rule)
    }
}

/// What is expected, in words.
struct Said<'a>(&'a Rule);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }
}
