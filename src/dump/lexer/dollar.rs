//! `$tag$ … $tag$`.

use memchr::memchr;

use super::class::{CLASS, Class};
use super::{Lexer, State, WORD};

/// Bytes of the longest tag that is one; pg_dump's are a few letters.
const MOST_TAG: usize = 1 << 16;

impl Lexer {
    /// Between the dollars of what may become a dollar quote.
    pub(super) fn dollar_tag(&mut self, byte: u8) -> usize {
        let starts = CLASS[usize::from(byte)] == Class::Letter;
        let digit = !self.tag.is_empty() && byte.is_ascii_digit();
        if byte == b'$' {
            self.matched = 0;
            self.state = State::DollarBody;
            1
        } else if self.tag.len() < MOST_TAG && (starts || digit) {
            self.tag.push(byte);
            1
        } else if self.tag.is_empty() {
            self.state = State::Plain;
            0
        } else {
            // Not a tag: psql reads the letters again as a word.
            self.word.clear();
            self.word.extend(self.tag.iter().take(WORD + 1));
            self.state = State::Word;
            0
        }
    }

    /// Looks for `$tag$`. A tag has no dollar in it, so a mismatch can only begin anew at a dollar.
    pub(super) fn dollar_body(&mut self, input: &[u8]) -> usize {
        let mut at = 0;
        while at < input.len() {
            if self.matched == 0 {
                let Some(dollar) = memchr(b'$', &input[at..]) else {
                    return input.len();
                };
                self.matched = 1;
                at += dollar + 1;
                continue;
            }
            let byte = input[at];
            at += 1;
            match self.tag.get(self.matched - 1) {
                None if byte == b'$' => {
                    self.state = State::Plain;
                    return at;
                }
                Some(&expected) if byte == expected => self.matched += 1,
                _ => self.matched = usize::from(byte == b'$'),
            }
        }
        at
    }
}
