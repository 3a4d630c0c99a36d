//! Names of tables as patterns, as pg_dump takes them with `--table` and `--schema`, and of databases, as pg_dumpall does.
//!
//! Source: PostgreSQL 15, `string_utils.c`, `processSQLNamePattern`: `*` is any text and `?` any character, a
//! dot parts schema and name, letters are folded to lower case, and what stands in double quotes is meant
//! as it is; other marks have their meaning in regular expressions, but for `$`.

use regex::Regex;
use thiserror::Error;

/// Marks that mean something else than themselves in a regular expression.
const SPECIAL: &str = r"|*+?()[]{}.^$\";

/// A pattern that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{pattern:?} is no pattern of names: {why}")]
pub struct PatternError {
    pattern: String,
    why: String,
}

/// Which tables are meant.
#[derive(Debug, Clone)]
pub struct TablePattern {
    text: String,
    database: Option<Part>,
    schema: Option<Part>,
    /// None means any table of the schema.
    name: Option<Part>,
}

/// Which databases are meant, as pg_dumpall takes them with `--exclude-database`.
#[derive(Debug, Clone)]
pub struct DatabasePattern {
    text: String,
    name: Part,
}

impl DatabasePattern {
    /// A pattern of one name.
    ///
    /// # Errors
    /// When it has more parts than one, or is no regular expression.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let mut parts = parts(text)?;
        match (parts.pop(), parts.is_empty()) {
            (Some(name), true) => Ok(Self { text: text.to_owned(), name }),
            _ => Err(wrong(text, "the name of a database with a dot needs double quotes")),
        }
    }

    /// Whether it means this database.
    pub fn fits(&self, database: &str) -> bool {
        self.name.fits(database)
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// A pattern of one name.
#[derive(Debug, Clone)]
struct Part {
    regex: Regex,
    /// The one name that fits; `None` where several can.
    exact: Option<String>,
}

impl TablePattern {
    /// `table`, `schema.table` or `database.schema.table`. A table without a schema is one of any schema.
    ///
    /// # Errors
    /// When it has more parts, or one that is empty or no regular expression.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let mut parts = parts(text)?;
        let name = parts.pop();
        Ok(Self { text: text.to_owned(), schema: parts.pop(), database: parts.pop(), name })
    }

    /// `schema` or `database.schema`: all of its tables.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn of_schema(text: &str) -> Result<Self, PatternError> {
        let mut parts = parts(text)?;
        if parts.len() > 2 {
            return Err(wrong(text, "it has too many dots"));
        }
        let schema = parts.pop();
        Ok(Self { text: text.to_owned(), schema, database: parts.pop(), name: None })
    }

    /// Whether it means this table. Where the dump does not name its database, any is meant.
    pub fn fits(&self, database: Option<&str>, schema: &str, name: &str) -> bool {
        let fits = |part: &Option<Part>, name: &str| part.as_ref().is_none_or(|it| it.fits(name));
        fits(&self.name, name)
            && fits(&self.schema, schema)
            && database.is_none_or(|database| fits(&self.database, database))
    }

    /// Whether it means one table and no other, by schema and name.
    pub fn is_exact(&self) -> bool {
        [&self.schema, &self.name].iter().all(|part| part.as_ref().is_some_and(Part::is_exact))
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Part {
    fn fits(&self, name: &str) -> bool {
        match &self.exact {
            Some(exact) => exact == name,
            None => self.regex.is_match(name),
        }
    }

    fn is_exact(&self) -> bool {
        self.exact.is_some()
    }
}

/// The parts between the dots.
fn parts(text: &str) -> Result<Vec<Part>, PatternError> {
    let mut parts = Vec::new();
    let (mut regex, mut exact, mut quoted) = (String::new(), Some(String::new()), false);
    let mut rest = text.chars().peekable();
    let mut close = |regex: &mut String, exact: &mut Option<String>| {
        let (regex, exact) = (std::mem::take(regex), exact.replace(String::new()));
        if regex.is_empty() {
            return Err(wrong(text, "a name in it is empty"));
        }
        // A newline is a character of a name as any other.
        let regex = Regex::new(&format!("(?s)^(?:{regex})$")).map_err(|_| {
            wrong(text, "it is no regular expression; names with marks need double quotes")
        })?;
        parts.push(Part { regex, exact });
        Ok(())
    };
    while let Some(c) = rest.next() {
        match c {
            '"' if quoted && rest.peek() == Some(&'"') => {
                rest.next();
                literal(c, &mut regex, &mut exact);
            }
            '"' => quoted = !quoted,
            _ if quoted => literal(c, &mut regex, &mut exact),
            '.' => close(&mut regex, &mut exact)?,
            '$' => literal(c, &mut regex, &mut exact),
            '*' | '?' => {
                regex.push_str(if c == '*' { ".*" } else { "." });
                exact = None;
            }
            _ if SPECIAL.contains(c) => {
                regex.push(c);
                exact = None;
            }
            _ => c.to_lowercase().for_each(|c| literal(c, &mut regex, &mut exact)),
        }
    }
    if quoted {
        return Err(wrong(text, "a double quote has no other"));
    }
    close(&mut regex, &mut exact)?;
    match parts.len() {
        1..=3 => Ok(parts),
        _ => Err(wrong(text, "it has too many dots")),
    }
}

/// Takes a character that means itself.
fn literal(c: char, regex: &mut String, exact: &mut Option<String>) {
    if SPECIAL.contains(c) {
        regex.push('\\');
    }
    regex.push(c);
    if let Some(exact) = exact {
        exact.push(c);
    }
}

fn wrong(pattern: &str, why: &str) -> PatternError {
    PatternError { pattern: pattern.to_owned(), why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, schema: &str, name: &str) -> bool {
        TablePattern::parse(pattern).unwrap().fits(None, schema, name)
    }

    #[test]
    fn a_name_means_itself_in_any_schema_or_in_the_one_that_is_named() {
        assert!(fits("users", "public", "users") && fits("USERS", "other", "users"));
        assert!(fits("public.users", "public", "users"));
        assert!(!fits("public.users", "other", "users") && !fits("users", "public", "users2"));
        assert!(fits(r#""Odd.""t""""#, "s", r#"Odd."t""#) && !fits("Odd", "s", "Odd"));
        assert!(fits("a$b", "s", "a$b"));
    }

    #[test]
    fn marks_mean_what_they_mean_to_pg_dump() {
        for (pattern, name, expected) in [
            ("us*", "users", true),
            ("us*", "bus", false),
            ("us?r", "user", true),
            ("us?r", "usr", false),
            ("t[0-9]", "t7", true),
            ("t[0-9]", "tx", false),
            ("(a|b)c", "bc", true),
            (r#""a*""#, "ab", false),
            (r#""a*""#, "a*", true),
            ("a?b", "a\nb", true),
        ] {
            assert_eq!(fits(pattern, "public", name), expected, "{pattern} {name}");
        }
        assert!(fits("s*.t*", "sales", "total") && !fits("s*.t*", "public", "total"));
    }

    #[test]
    fn only_a_schema_and_a_name_without_marks_mean_one_table() {
        let exact = |text| TablePattern::parse(text).unwrap().is_exact();
        assert!(exact("public.users") && exact(r#"public."us*""#));
        assert!(!exact("users") && !exact("public.us*") && !exact("*.users"));
        assert!(!TablePattern::of_schema("public").unwrap().is_exact());
    }

    #[test]
    fn a_database_in_a_pattern_is_held_against_one_that_is_known() {
        let pattern = TablePattern::parse("shop.public.users").unwrap();
        assert!(pattern.fits(Some("shop"), "public", "users"));
        assert!(pattern.fits(None, "public", "users"));
        assert!(!pattern.fits(Some("other"), "public", "users"));
    }

    #[test]
    fn a_schema_means_all_of_its_tables() {
        let pattern = TablePattern::of_schema("s*").unwrap();
        assert!(pattern.fits(None, "sales", "x") && !pattern.fits(None, "public", "x"));
    }

    #[test]
    fn a_pattern_of_databases_is_one_name() {
        let fits = |pattern: &str, name| DatabasePattern::parse(pattern).unwrap().fits(name);
        assert!(fits("test_*", "test_1") && fits("Shop", "shop") && !fits("Shop", "Shop"));
        assert!(fits(r#""a.B c""#, "a.B c") && !fits("shop", "shop2"));
        for wrong in ["a.b", "", "\"a", "("] {
            assert!(DatabasePattern::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for wrong in ["", ".t", "s.", "a.b.c.d", "\"a", "a[", "(", "a..b"] {
            assert!(TablePattern::parse(wrong).is_err(), "{wrong}");
        }
        assert!(TablePattern::of_schema("a.b.c").is_err());
    }
}
