//! The content of a table as one number: equal for equal rows, whatever their order.
//!
//! The sum modulo 2^128 of the xxh3-128 hash of each row in COPY's text format without its line
//! end, and the number of rows. It shows accidents, not malice: whoever can choose rows can make
//! two tables collide.

use std::fmt;

use memchr::memchr_iter;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::encoding::Encoding;
use crate::model::contents::TableFingerprint;

/// Takes in the rows of a table in pieces cut anywhere.
pub struct RowHasher {
    total: TableFingerprint,
    /// The hash of a row that the last piece cut.
    open: Box<Xxh3>,
    row: OpenRow,
    /// A backslash before a newline makes it part of the row.
    escapes: bool,
}

/// What is known of the row that the last piece cut.
#[derive(Debug, Default)]
struct OpenRow {
    begun: bool,
    /// Its last byte is a CR, not hashed yet.
    cr: bool,
    /// It ends in an odd number of backslashes.
    escaping: bool,
}

impl RowHasher {
    /// Of no rows, for every client encoding but those of [`Self::with_raw_newlines`].
    #[must_use]
    pub fn new() -> Self {
        Self {
            total: TableFingerprint::default(),
            open: Box::new(Xxh3::new()),
            row: OpenRow::default(),
            escapes: true,
        }
    }

    /// As [`Self::new`], but every newline ends a row.
    ///
    /// In SJIS, BIG5, GBK, UHC, GB18030 and JOHAB a backslash can be half a character.
    #[must_use]
    pub fn with_raw_newlines() -> Self {
        Self { escapes: false, ..Self::new() }
    }

    /// The right one of the two for rows in `client_encoding`.
    #[must_use]
    pub fn for_encoding(client_encoding: Option<&str>) -> Self {
        match client_encoding.map(Encoding::named) {
            None | Some(Encoding::Safe) => Self::new(),
            Some(Encoding::Sjis | Encoding::Wide) => Self::with_raw_newlines(),
        }
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, data: &[u8]) {
        let mut start = 0;
        for end in memchr_iter(b'\n', data) {
            let row = &data[start..end];
            if self.escapes && self.is_escaped(row) {
                continue;
            }
            if self.row.begun {
                self.close(row);
            } else {
                self.total.add_row(xxh3_128(row.strip_suffix(b"\r").unwrap_or(row)));
            }
            start = end + 1;
        }
        self.hold(&data[start..]);
    }

    /// The fingerprint of all rows taken in; a last row needs no line end.
    #[must_use]
    pub fn finish(mut self) -> TableFingerprint {
        if self.row.begun {
            self.close(b"");
        }
        self.total
    }

    /// Whether the newline after these bytes of a row belongs to the row.
    fn is_escaped(&self, row: &[u8]) -> bool {
        match row.last() {
            Some(b'\\') => backslashes_are_odd(row, self.row.escaping),
            Some(_) => false,
            None => self.row.escaping,
        }
    }

    /// Ends the row that an earlier piece began.
    fn close(&mut self, rest: &[u8]) {
        if self.row.cr && !rest.is_empty() {
            self.open.update(b"\r");
        }
        self.open.update(rest.strip_suffix(b"\r").unwrap_or(rest));
        self.total.add_row(self.open.digest128());
        self.open.reset();
        self.row = OpenRow::default();
    }

    /// Keeps what the end of a piece left of a row.
    fn hold(&mut self, rest: &[u8]) {
        if rest.is_empty() {
            return;
        }
        if self.row.cr {
            self.open.update(b"\r");
        }
        let hashed = rest.strip_suffix(b"\r").unwrap_or(rest);
        self.open.update(hashed);
        self.row = OpenRow {
            begun: true,
            cr: hashed.len() < rest.len(),
            escaping: rest.ends_with(b"\\") && backslashes_are_odd(rest, self.row.escaping),
        };
    }
}

impl Default for RowHasher {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for RowHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowHasher").field("total", &self.total).finish_non_exhaustive()
    }
}

/// Whether `row` ends in an odd number of backslashes, given whether what came before it did.
fn backslashes_are_odd(row: &[u8], before: bool) -> bool {
    let count = row.iter().rev().take_while(|&&byte| byte == b'\\').count();
    (count % 2 == 1) ^ (count == row.len() && before)
}

/// The hash of a row, whole and without its line end.
pub fn row_hash(row: &[u8]) -> u128 {
    xxh3_128(row)
}

/// The fingerprint with one more row, whole and with its line end, in an encoding whose characters hold no
/// ASCII.
pub(super) fn add_line(to: &mut TableFingerprint, row: &[u8]) {
    to.add_row(xxh3_128(row.strip_suffix(b"\n").unwrap_or(row)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(data: &[u8]) -> TableFingerprint {
        let mut hasher = RowHasher::new();
        hasher.update(data);
        hasher.finish()
    }

    #[test]
    fn the_order_of_rows_does_not_matter_and_their_content_does() {
        assert_eq!(of(b"1\ta\n2\tb\n"), of(b"2\tb\n1\ta\n"));
        assert_ne!(of(b"1\ta\n2\tb\n"), of(b"1\tb\n2\ta\n"));
        assert_ne!(of(b"1\n"), of(b"1\n1\n"));
        assert_ne!(of(b"1\n1\n2\n"), of(b"1\n2\n2\n"));
    }

    #[test]
    fn empty_rows_of_a_table_without_columns_are_counted() {
        assert_eq!(of(b"\n\n\n").rows, 3);
        assert_eq!(of(b"").rows, 0);
    }

    #[test]
    fn a_newline_after_an_odd_number_of_backslashes_does_not_end_the_row() {
        assert_eq!(of(b"a\\\nb\n").rows, 1);
        assert_eq!(of(b"a\\\\\nb\n").rows, 2);
        assert_eq!(of(b"a\\\\\\\nb\n").rows, 1);
        assert_eq!(of(b"\\\n\\\n\n").rows, 1);
    }

    #[test]
    fn every_newline_ends_a_row_where_a_backslash_can_be_half_a_character() {
        let mut hasher = RowHasher::for_encoding(Some("SJIS"));
        hasher.update(b"\x95\\\n\x95\\\n");
        assert_eq!(hasher.finish().rows, 2);
        let mut hasher = RowHasher::for_encoding(Some("UTF8"));
        hasher.update(b"x\\\nx\n");
        assert_eq!(hasher.finish().rows, 1);
    }

    #[test]
    fn the_carriage_returns_of_a_windows_dump_are_not_part_of_its_rows() {
        assert_eq!(of(b"1\ta\r\n\r\n"), of(b"1\ta\n\n"));
        assert_ne!(of(b"1\r2\n"), of(b"12\n"));
    }

    #[test]
    fn the_hash_is_that_of_the_row_and_stays_the_same_between_versions() {
        assert_eq!(of(b"a\n").to_string(), format!("{:032x}", xxh3_128(b"a")));
        assert_eq!(of(b"a\n").to_string(), "a96faf705af16834e6c632b61e964e1f");
    }

    proptest! {
        #[test]
        fn cutting_the_data_anywhere_changes_nothing(
            data in proptest::collection::vec(prop::sample::select(b"a\\\n\r\\\nbc".to_vec()), 0..400),
            cuts in proptest::collection::vec(1_usize..300, 1..20),
        ) {
            let mut hasher = RowHasher::new();
            let mut rest = &data[..];
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (piece, after) = rest.split_at(rest.len().min(*cut));
                hasher.update(piece);
                rest = after;
            }
            prop_assert_eq!(hasher.finish(), of(&data));
        }

        #[test]
        fn the_fingerprints_of_parts_add_up(
            rows in proptest::collection::vec("[a-z\t]{0,300}", 0..20), at in 0_usize..20,
        ) {
            let text = |rows: &[String]| rows.iter().map(|r| format!("{r}\n")).collect::<String>();
            let (one, two) = rows.split_at(at.min(rows.len()));
            let parts: TableFingerprint =
                [one, two].map(|part| of(text(part).as_bytes())).into_iter().sum();
            prop_assert_eq!(parts, of(text(&rows).as_bytes()));
            let [one, two] = [one, two].map(|part| of(text(part).as_bytes()));
            prop_assert_eq!(parts.without(one), Some(two));
            let sum = rows.iter().fold(0_u128, |sum, row| sum.wrapping_add(xxh3_128(row.as_bytes())));
            prop_assert_eq!(parts.sum.0, sum);
        }
    }
}
