//! Rows and values in COPY's text format.
//!
//! Source: PostgreSQL 15, `copyfromparse.c`, `CopyReadAttributesText`.

use std::borrow::Cow;
use std::iter::Peekable;

use memchr::{memchr, memchr_iter};

/// Parts COPY data that come in pieces cut anywhere into rows. The encoding is one whose characters hold no
/// ASCII: every encoding that a database can have.
#[derive(Debug, Default)]
pub struct RowParts {
    /// What the last piece left of a row.
    open: Vec<u8>,
}

impl RowParts {
    /// Takes the next bytes; `each` is given each row without its line end, until it fails.
    ///
    /// # Errors
    /// Those of `each`.
    pub fn take<E>(
        &mut self,
        data: &[u8],
        mut each: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut start = 0;
        for end in memchr_iter(b'\n', data) {
            let row = &data[start..end];
            if self.is_escaped(row) {
                continue;
            }
            if self.open.is_empty() {
                each(without_return(row))?;
            } else {
                self.open.extend_from_slice(row);
                each(without_return(&self.open))?;
                self.open.clear();
            }
            start = end + 1;
        }
        self.open.extend_from_slice(&data[start..]);
        Ok(())
    }

    /// Whether the newline after these bytes belongs to a value: old pg_dumps wrote it behind a backslash.
    fn is_escaped(&self, row: &[u8]) -> bool {
        let backslashes = |bytes: &[u8]| bytes.iter().rev().take_while(|it| **it == b'\\').count();
        let mut count = backslashes(row);
        if count == row.len() {
            count += backslashes(&self.open);
        }
        count % 2 == 1
    }
}

/// The row of a dump whose line ends were made those of Windows.
fn without_return(row: &[u8]) -> &[u8] {
    row.strip_suffix(b"\r").unwrap_or(row)
}

/// The values of a row of so many columns, as they are written.
pub fn written(row: &[u8], columns: usize) -> impl Iterator<Item = &[u8]> {
    // A row of no columns is empty, and has no value; of one column, it is an empty text.
    let values = (columns > 0).then(|| row.split(|byte| *byte == b'\t'));
    values.into_iter().flatten()
}

/// The value itself; `None` for NULL.
pub fn value(written: &[u8]) -> Option<Cow<'_, [u8]>> {
    if written == b"\\N" {
        return None;
    }
    let Some(first) = memchr(b'\\', written) else { return Some(Cow::Borrowed(written)) };
    let mut text = written[..first].to_vec();
    let mut rest = written[first..].iter().copied().peekable();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            text.push(byte);
            continue;
        }
        let Some(escaped) = rest.next() else {
            text.push(b'\\');
            break;
        };
        text.push(match escaped {
            b'b' => 0x08,
            b'f' => 0x0C,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 0x0B,
            b'0'..=b'7' => number(u32::from(escaped - b'0'), 8, &mut rest),
            b'x' if rest.peek().is_some_and(u8::is_ascii_hexdigit) => number(0, 16, &mut rest),
            other => other,
        });
    }
    Some(Cow::Owned(text))
}

/// The byte of a number of which `first` was read, with up to two more digits.
fn number(first: u32, base: u32, rest: &mut Peekable<impl Iterator<Item = u8>>) -> u8 {
    let mut number = first;
    for _ in 0..2 {
        let digit = rest.peek().and_then(|byte| char::from(*byte).to_digit(base));
        let Some(digit) = digit else { break };
        number = number * base + digit;
        rest.next();
    }
    (number & 0xFF) as u8
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    fn rows(pieces: &[&[u8]]) -> Vec<String> {
        let (mut parts, mut found) = (RowParts::default(), Vec::new());
        for piece in pieces {
            let done = parts.take(piece, |row| {
                found.push(String::from_utf8_lossy(row).into_owned());
                Ok::<(), Infallible>(())
            });
            assert!(done.is_ok());
        }
        found
    }

    #[test]
    fn rows_end_at_newlines_that_belong_to_no_value() {
        assert_eq!(rows(&[b"a\\\nb\nc\\\\\nd\r\n\n"]), ["a\\\nb", "c\\\\", "d", ""]);
        assert_eq!(rows(&[b"a\\", b"\nb\nc\\\\", b"\nd", b"\n"]), ["a\\\nb", "c\\\\", "d"]);
    }

    #[test]
    fn values_are_what_copy_reads() {
        let of = |text: &str| value(text.as_bytes()).map(Cow::into_owned);
        assert_eq!(of("\\N"), None);
        for (written, meant) in [
            ("", ""),
            ("a", "a"),
            ("\\\\N", "\\N"),
            ("l\\n\\t\\r\\b\\f\\v\\\\", "l\n\t\r\u{8}\u{c}\u{b}\\"),
            ("\\101\\0418\\x41\\xg", "A!8Axg"),
            ("\\\n\\.\\a", "\n.a"),
        ] {
            assert_eq!(of(written).unwrap(), meant.as_bytes(), "{written:?}");
        }
    }

    #[test]
    fn a_row_has_as_many_values_as_columns() {
        let count = |row: &str, columns| written(row.as_bytes(), columns).count();
        assert_eq!((count("", 0), count("", 1), count("a\t\\N\t", 3)), (0, 1, 3));
    }

    proptest! {
        #[test]
        fn cutting_the_data_anywhere_changes_no_row(
            data in proptest::collection::vec(prop::sample::select(b"a\\\n\\\tb".to_vec()), 0..200),
            cut in 0_usize..200,
        ) {
            let cut = cut.min(data.len());
            prop_assert_eq!(rows(&[&data]), rows(&[&data[..cut], &data[cut..]]));
        }
    }
}
