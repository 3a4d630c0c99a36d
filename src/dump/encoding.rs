//! Client encodings: which there are, and what of them matters to a reader of bytes.

use std::borrow::Cow;

use encoding_rs as rs;

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
        match plain(name).as_str() {
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

/// Whether PostgreSQL has an encoding of this name.
pub(super) fn is_known(name: &str) -> bool {
    matches!(plain(name).as_str(), "default" | "sqlascii" | "utf8" | "unicode")
        || UNTRANSLATED.contains(&plain(name).as_str())
        || Encoding::named(name) != Encoding::Safe
        || decoder(&plain(name)).is_some()
}

/// Whether a database can have this encoding; those in which a second byte can look like ASCII are
/// for clients only. Source: PostgreSQL 15 documentation, chapter 24.3.
pub fn is_for_databases(name: &str) -> bool {
    holds_no_ascii(name)
}

/// Whether it is `SQL_ASCII`, which is none: any bytes.
pub(super) fn is_none(name: &str) -> bool {
    plain(name) == "sqlascii"
}

/// Whether the bytes of its longer characters never look like ASCII.
pub(super) fn holds_no_ascii(name: &str) -> bool {
    Encoding::named(name) == Encoding::Safe
}

/// A name in a dump of this client encoding as UTF-8. What is not in the encoding after all is
/// kept, byte by byte, so that different names stay different.
pub fn decode<'a>(bytes: &'a [u8], encoding: Option<&str>) -> Cow<'a, str> {
    let encoding = encoding.filter(|_| !bytes.is_ascii()).map(plain);
    if matches!(encoding.as_deref(), Some("latin1" | "iso88591")) {
        // Its bytes are its characters, also where they look like UTF-8.
        return Cow::Owned(bytes.iter().copied().map(char::from).collect());
    }
    let translated = encoding
        .and_then(|name| decoder(&name))
        .and_then(|decoder| decoder.decode_without_bom_handling_and_without_replacement(bytes));
    translated.unwrap_or_else(|| super::item::decode(bytes))
}

/// Whether a name can be told in UTF-8: not in `SQL_ASCII`, which is any bytes, nor in encodings that
/// only PostgreSQL knows. Bytes that are not of their encoding are damage, and the server's to judge.
pub(super) fn is_translated(bytes: &[u8], encoding: Option<&str>) -> bool {
    let name = encoding.map(plain).unwrap_or_default();
    bytes.is_ascii()
        || match name.as_str() {
            "" | "default" | "utf8" | "unicode" | "latin1" | "iso88591" => true,
            "sqlascii" => std::str::from_utf8(bytes).is_ok(),
            name => decoder(name).is_some(),
        }
}

/// Whether two names are of one encoding; none is UTF-8.
pub fn is_same(one: Option<&str>, other: Option<&str>) -> bool {
    let of = |name: Option<&str>| match name.map(plain).unwrap_or_default().as_str() {
        "" | "default" | "unicode" => "utf8".to_owned(),
        "iso88591" => "latin1".to_owned(),
        name => decoder(name).map_or(name.to_owned(), |decoder| decoder.name().to_owned()),
    };
    of(one) == of(other)
}

/// The letters and digits of a name, in which alone PostgreSQL tells names apart.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

/// Encodings of PostgreSQL that nobody else has, or without an order of their own; and LATIN1,
/// whose bytes are their characters.
const UNTRANSLATED: [&str; 6] =
    ["latin1", "iso88591", "euctw", "eucjis2004", "muleinternal", "johab"];

/// What translates an encoding. Source: PostgreSQL 15, `encnames.c`, with its other names.
fn decoder(plain: &str) -> Option<&'static rs::Encoding> {
    Some(match plain {
        "latin2" | "iso88592" => rs::ISO_8859_2,
        "latin3" | "iso88593" => rs::ISO_8859_3,
        "latin4" | "iso88594" => rs::ISO_8859_4,
        "iso88595" => rs::ISO_8859_5,
        "iso88596" => rs::ISO_8859_6,
        "iso88597" => rs::ISO_8859_7,
        "iso88598" => rs::ISO_8859_8,
        // The WHATWG's ISO 8859-9 is its superset of Windows.
        "latin5" | "iso88599" | "win1254" | "windows1254" => rs::WINDOWS_1254,
        "latin6" | "iso885910" => rs::ISO_8859_10,
        "latin7" | "iso885913" => rs::ISO_8859_13,
        "latin8" | "iso885914" => rs::ISO_8859_14,
        "latin9" | "iso885915" => rs::ISO_8859_15,
        "latin10" | "iso885916" => rs::ISO_8859_16,
        "win1250" | "windows1250" => rs::WINDOWS_1250,
        "win" | "win1251" | "windows1251" => rs::WINDOWS_1251,
        "win1252" | "windows1252" => rs::WINDOWS_1252,
        "win1253" | "windows1253" => rs::WINDOWS_1253,
        "win1255" | "windows1255" => rs::WINDOWS_1255,
        "win1256" | "windows1256" => rs::WINDOWS_1256,
        "win1257" | "windows1257" => rs::WINDOWS_1257,
        "abc" | "tcvn" | "tcvn5712" | "vscii" | "win1258" | "windows1258" => rs::WINDOWS_1258,
        "alt" | "win866" | "windows866" => rs::IBM866,
        "win874" | "windows874" => rs::WINDOWS_874,
        "koi8" | "koi8r" => rs::KOI8_R,
        "koi8u" => rs::KOI8_U,
        "eucjp" => rs::EUC_JP,
        "euckr" | "uhc" | "win949" | "windows949" => rs::EUC_KR,
        "euccn" | "gbk" | "win936" | "windows936" => rs::GBK,
        "gb18030" => rs::GB18030,
        "big5" | "win950" | "windows950" => rs::BIG5,
        "sjis" | "shiftjis" | "mskanji" | "win932" | "windows932" => rs::SHIFT_JIS,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_translated_from_the_encoding_of_its_dump() {
        for (encoding, bytes, name) in [
            ("LATIN1", &b"Gr\xf6\xdfe"[..], "Größe"),
            ("LATIN1", "é".as_bytes(), "Ã©"),
            ("LATIN2", b"\xa3\xf3d\xbc", "Łódź"),
            ("WIN1252", b"\x80", "€"),
            ("koi8-r", b"\xd4\xc1\xc2", "таб"),
            ("EUC_JP", b"\xc6\xfc\xcb\xdc", "日本"),
            ("SJIS", b"\x83\\", "ソ"),
            ("UTF8", "Größe".as_bytes(), "Größe"),
            ("SQL_ASCII", "Größe".as_bytes(), "Größe"),
            ("SQL_ASCII", b"Gr\xf6\xdfe", "Größe"),
        ] {
            assert_eq!(decode(bytes, Some(encoding)), name, "{encoding}");
        }
        assert_eq!(decode("Größe".as_bytes(), None), "Größe");
    }

    #[test]
    fn names_in_no_encoding_or_in_postgresqls_own_are_not_translated() {
        for (encoding, bytes, translated) in [
            (Some("SQL_ASCII"), &b"Gr\xf6\xdfe"[..], false),
            (Some("SQL_ASCII"), "Größe".as_bytes(), true),
            (Some("LATIN1"), b"Gr\xf6\xdfe", true),
            (Some("LATIN2"), b"\xa3\xf3d\xbc", true),
            (Some("EUC_TW"), b"\xc6\xfc", false),
            (Some("EUC_TW"), b"ascii", true),
            // Damage.
            (Some("UTF8"), b"Gr\xf6\xdfe", true),
            (None, b"Gr\xf6\xdfe", true),
        ] {
            assert_eq!(is_translated(bytes, encoding), translated, "{encoding:?}");
        }
    }

    #[test]
    fn an_encoding_has_several_names() {
        for (one, other, same) in [
            (Some("LATIN1"), Some("iso_8859-1"), true),
            (Some("LATIN2"), Some("iso_8859-2"), true),
            (Some("LATIN1"), Some("latin1"), true),
            (None, Some("UTF-8"), true),
            (Some("UTF8"), Some("LATIN1"), false),
        ] {
            assert_eq!(is_same(one, other), same, "{one:?} {other:?}");
        }
    }

    #[test]
    fn every_encoding_of_postgresql_is_known_and_no_other() {
        for name in
            ["UTF8", "utf-8", "SQL_ASCII", "EUC_TW", "JOHAB", "ISO_8859_5", "SHIFT_JIS_2004"]
        {
            assert!(is_known(name), "{name}");
        }
        for name in ["UTF9", "", "LATIN11", "ASCII"] {
            assert!(!is_known(name), "{name}");
        }
    }

    #[test]
    fn no_database_has_an_encoding_of_clients() {
        assert!(is_for_databases("EUC_JP") && is_for_databases("UTF8"));
        assert!(!is_for_databases("SJIS") && !is_for_databases("GB18030"));
    }
}
