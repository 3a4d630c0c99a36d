//! Block comments, which nest.

use memchr::memchr2;

/// Inside `/* … */`, which nest.
#[derive(Debug, Default)]
pub(in crate::dump) struct BlockComment {
    /// Comments open inside the first.
    depth: u32,
    /// A `*` or `/` that may pair with the next byte, else 0.
    last: u8,
}

impl BlockComment {
    /// The bytes up to and with the final `*/`; none when it is not in `input`.
    pub(in crate::dump) fn scan(&mut self, input: &[u8]) -> Option<usize> {
        let mut at = 0;
        while at < input.len() {
            if self.last == 0 {
                at += memchr2(b'*', b'/', &input[at..])?;
            }
            let byte = input[at];
            at += 1;
            match (std::mem::replace(&mut self.last, 0), byte) {
                (b'*', b'/') if self.depth == 0 => return Some(at),
                (b'*', b'/') => self.depth -= 1,
                (b'/', b'*') => self.depth = self.depth.saturating_add(1),
                (_, b'*' | b'/') => self.last = byte,
                _ => {}
            }
        }
        None
    }
}
