//! What a program says, by lines.

/// The longest line that is kept whole, in bytes.
const LINE_BYTES: usize = 16 * 1024;

/// Puts lines together from pieces.
pub struct Lines<'a> {
    said: &'a mut (dyn FnMut(&str) + Send),
    open: Vec<u8>,
}

impl<'a> Lines<'a> {
    /// Nothing was said yet.
    pub fn new(said: &'a mut (dyn FnMut(&str) + Send)) -> Self {
        Self { said, open: Vec::new() }
    }

    /// Takes the next piece; gives `said` each line that is whole.
    pub fn take(&mut self, piece: &[u8]) {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            let room = LINE_BYTES.saturating_sub(self.open.len());
            self.open.extend_from_slice(&part[..part.len().min(room)]);
            if part.ends_with(b"\n") {
                self.finish();
            }
        }
    }

    /// Gives `said` what has no end of line, if there is anything.
    pub fn finish(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let line = String::from_utf8_lossy(&self.open);
        (self.said)(line.trim_end_matches(['\r', '\n']));
        self.open.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_put_together_from_pieces_and_long_ones_are_cut() {
        let mut seen = Vec::new();
        let mut said = |line: &str| seen.push(line.to_owned());
        let mut lines = Lines::new(&mut said);
        for piece in [&b"one\ntw"[..], b"o\n\n", &[b'x'; 40_000], b"\nlast"] {
            lines.take(piece);
        }
        lines.finish();
        let lengths: Vec<usize> = seen.iter().map(String::len).collect();
        assert_eq!((&seen[..3], lengths[3]), (&["one", "two", ""].map(str::to_owned)[..], 16_384));
        assert_eq!(seen[4], "last");
    }
}
