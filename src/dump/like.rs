//! SQL's LIKE on the values of rows.
//!
//! Source: PostgreSQL 15, `like_match.c`: `%` is any text, `_` one character, and a backslash takes their
//! meaning from them.

use regex::bytes::Regex;
use thiserror::Error;

use super::encoding;

/// A pattern that PostgreSQL would refuse, or that is too large.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the pattern {0:?} ends with a backslash, or is too long")]
pub struct LikeError(String);

/// A pattern of LIKE.
#[derive(Debug, Clone)]
pub struct Like(Regex);

impl Like {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`LikeError`].
    pub fn parse(pattern: &str) -> Result<Self, LikeError> {
        let wrong = || LikeError(pattern.to_owned());
        let mut text = "(?s)^".to_owned();
        let mut rest = pattern.chars();
        while let Some(c) = rest.next() {
            let literal = match c {
                '%' => {
                    text.push_str(".*");
                    continue;
                }
                '_' => {
                    text.push('.');
                    continue;
                }
                '\\' => rest.next().ok_or_else(wrong)?,
                c => c,
            };
            text.push_str(&regex::escape(literal.encode_utf8(&mut [0; 4])));
        }
        text.push('$');
        Regex::new(&text).map(Self).map_err(|_| wrong())
    }

    /// Whether a value of this client encoding fits.
    pub fn fits(&self, value: &[u8], encoding: Option<&str>) -> bool {
        self.0.is_match(encoding::decode(value, encoding).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_what_it_means_in_sql() {
        for (pattern, value, expected) in [
            ("a%", "abc", true),
            ("a%", "ba", false),
            ("%b%", "abc", true),
            ("_b_", "äbö", true),
            ("_", "ab", false),
            ("", "", true),
            ("%", "", true),
            (r"100\%", "100%", true),
            (r"100\%", "1000", false),
            (r"a\\b", r"a\b", true),
            ("a.c", "abc", false),
            ("a%c", "a\nc", true),
            ("A", "a", false),
        ] {
            let like = Like::parse(pattern).unwrap();
            assert_eq!(like.fits(value.as_bytes(), None), expected, "{pattern} {value}");
        }
        assert!(Like::parse(r"a\").is_err());
        assert!(Like::parse("_x").unwrap().fits(b"\xe4x", Some("LATIN1")));
    }
}
