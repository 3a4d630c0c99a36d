//! What of a client encoding matters to a reader of bytes.

/// Whether the second byte of a character can look like ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// No: UTF8, LATIN1, the EUC family, every server encoding.
    Safe,
    /// SJIS, where 0xA1 to 0xDF are characters of one byte.
    Sjis,
    /// BIG5, GBK, UHC, GB18030, JOHAB.
    Wide,
}

impl Encoding {
    /// Of a name as `SET client_encoding` takes it.
    pub(super) fn named(name: &str) -> Self {
        let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        match plain.to_ascii_lowercase().as_str() {
            "sjis" | "shiftjis" | "mskanji" | "win932" | "windows932" | "shiftjis2004" => {
                Self::Sjis
            }
            "big5" | "win950" | "windows950" | "gbk" | "win936" | "windows936" | "uhc"
            | "win949" | "windows949" | "gb18030" | "johab" => Self::Wide,
            _ => Self::Safe,
        }
    }

    /// Whether the byte after this one belongs to the same character.
    pub(super) fn leads(self, byte: u8) -> bool {
        match self {
            Self::Safe => false,
            Self::Sjis => byte >= 0x80 && !(0xA1..=0xDF).contains(&byte),
            Self::Wide => byte >= 0x80,
        }
    }
}
