//! Block comments, which nest.

use memchr::memchr2;

/// Whether a line holds nothing but space and whole comments.
pub(in crate::dump) fn is_all(line: &[u8]) -> bool {
    let mut rest = line.trim_ascii_start();
    while let Some(inside) = rest.strip_prefix(b"/*") {
        let Some(end) = BlockComment::default().scan(inside) else { return false };
        rest = inside[end..].trim_ascii_start();
    }
    rest.is_empty() || rest.starts_with(b"--")
}

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
