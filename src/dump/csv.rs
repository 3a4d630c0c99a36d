//! Rows as `COPY … TO … (FORMAT csv, HEADER)` writes them.
//!
//! Source: PostgreSQL 15, `copyto.c`, `CopyAttributeOutCSV`: NULL is nothing and an empty text is `""`; a value
//! is quoted where it has the delimiter, a quote or a line end, and where it is `\.` alone on its line.

use memchr::{memchr_iter, memchr3};

use super::values;

/// Appends the line of names.
pub fn header<'a>(names: impl ExactSizeIterator<Item = &'a [u8]>, to: &mut Vec<u8>) {
    let is_alone = names.len() == 1;
    for (at, name) in names.enumerate() {
        if at > 0 {
            to.push(b',');
        }
        value(name, is_alone, to);
    }
    to.push(b'\n');
}

/// Appends a row in COPY's text format; `false`, and nothing is appended, where it has not so many columns.
#[must_use]
pub fn row(row: &[u8], columns: usize, to: &mut Vec<u8>) -> bool {
    let before = to.len();
    let mut count = 0;
    for written in values::written(row, columns) {
        if count > 0 {
            to.push(b',');
        }
        count += 1;
        if let Some(text) = values::value(written) {
            value(&text, columns == 1, to);
        }
    }
    if count != columns {
        to.truncate(before);
        return false;
    }
    to.push(b'\n');
    true
}

fn value(text: &[u8], is_alone: bool, to: &mut Vec<u8>) {
    let is_misread = text.is_empty()
        || memchr3(b',', b'"', b'\n', text).is_some()
        || text.contains(&b'\r')
        || is_alone && text == b"\\.";
    if !is_misread {
        return to.extend_from_slice(text);
    }
    to.push(b'"');
    let mut start = 0;
    for quote in memchr_iter(b'"', text) {
        to.extend_from_slice(&text[start..=quote]);
        start = quote;
    }
    to.extend_from_slice(&text[start..]);
    to.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csv(text: &str, columns: usize) -> Option<String> {
        let mut line = Vec::new();
        row(text.as_bytes(), columns, &mut line).then(|| String::from_utf8(line).unwrap())
    }

    #[test]
    fn null_is_nothing_and_an_empty_text_is_quoted() {
        assert_eq!(csv("\\N\t\t1", 3).unwrap(), ",\"\",1\n");
        assert_eq!(csv("\\N", 1).unwrap(), "\n");
        assert_eq!(csv("", 0).unwrap(), "\n");
    }

    #[test]
    fn what_would_be_misread_is_quoted() {
        assert_eq!(
            csv("a,b\tsay \"x\"\tl\\nm\\r\t\"", 4).unwrap(),
            "\"a,b\",\"say \"\"x\"\"\",\"l\nm\r\",\"\"\"\"\n"
        );
        assert_eq!(csv("\\\\.", 1).unwrap(), "\"\\.\"\n");
        assert_eq!(csv("\\\\.\t{1,2}\t \\\\\\\\xff", 3).unwrap(), "\\.,\"{1,2}\", \\\\xff\n");
    }

    #[test]
    fn a_row_of_other_columns_is_none() {
        assert_eq!(csv("a\tb", 1), None);
        assert_eq!(csv("a", 2), None);
    }

    #[test]
    fn names_are_quoted_as_values_are() {
        let mut line = Vec::new();
        header([&b"id"[..], b"a \"b\", c"].into_iter(), &mut line);
        assert_eq!(line, b"id,\"a \"\"b\"\", c\"\n");
        line.clear();
        header([].into_iter(), &mut line);
        assert_eq!(line, b"\n");
    }
}
