//! The strings and numbers of SSH's binary formats (RFC 4251, section 5), as far as the agent speaks them.

/// Takes them from the beginning of what is left.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub(super) fn number(&mut self) -> Option<u32> {
        let (bytes, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*bytes))
    }

    pub(super) fn string(&mut self) -> Option<&'a [u8]> {
        let length = self.number()? as usize;
        let (string, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(string)
    }
}

/// Adds a string with its length. Ours are far from four gibibytes.
pub(super) fn put_string(to: &mut Vec<u8>, string: &[u8]) {
    to.extend((string.len() as u32).to_be_bytes());
    to.extend(string);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_is_taken_and_what_is_cut_is_not() {
        let mut bytes = vec![7];
        put_string(&mut bytes, b"abc");
        let mut fields = Fields(&bytes);
        assert_eq!((fields.byte(), fields.string()), (Some(7), Some(&b"abc"[..])));
        assert_eq!((fields.byte(), fields.number(), fields.string()), (None, None, None));
        assert_eq!(Fields(&bytes[1..6]).string(), None);
    }
}
