//! What each byte means outside of everything.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Other,
    Space,
    Newline,
    Letter,
    Open,
    Close,
    Semicolon,
    Backslash,
    Quote,
    NameQuote,
    Dollar,
    Dash,
    Slash,
}

/// The class of every byte.
pub(super) const CLASS: [Class; 256] = {
    let mut table = [Class::Other; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b' ' | b'\t' | 0x0B | 0x0C => Class::Space,
            b'\n' | b'\r' => Class::Newline,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80..=0xFF => Class::Letter,
            b'(' => Class::Open,
            b')' => Class::Close,
            b';' => Class::Semicolon,
            b'\\' => Class::Backslash,
            b'\'' => Class::Quote,
            b'"' => Class::NameQuote,
            b'$' => Class::Dollar,
            b'-' => Class::Dash,
            b'/' => Class::Slash,
            _ => Class::Other,
        };
        byte += 1;
    }
    table
};

/// Bytes that go on with a word that a letter began.
pub(super) const CONTINUES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] =
            matches!(CLASS[byte], Class::Letter | Class::Dollar) || (byte as u8).is_ascii_digit();
        byte += 1;
    }
    table
};
