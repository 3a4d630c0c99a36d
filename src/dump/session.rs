//! The SET statements that change how the rest of the dump is read.

use super::token::{Token, Tokens};

/// What a statement sets.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Setting {
    /// `SET standard_conforming_strings`.
    StandardStrings(bool),
    /// `SET client_encoding`, or `SET NAMES`.
    ClientEncoding(String),
}

/// Reads `SET [SESSION|LOCAL] name {=|TO} value;` and `SELECT set_config('name', 'value', …);`. None for
/// every other statement.
pub(super) fn setting(text: &[u8]) -> Option<Setting> {
    let mut tokens = Tokens::of(text);
    if tokens.take_word("select") {
        return set_config(tokens);
    }
    if !tokens.take_word("set") {
        return None;
    }
    let _ = tokens.take_word("session") || tokens.take_word("local");
    let names = tokens.take_word("names");
    let encoding = names || tokens.take_word("client_encoding");
    if !encoding && !tokens.take_word("standard_conforming_strings") {
        return None;
    }
    if !names && !tokens.take_mark(b'=') && !tokens.take_word("to") {
        return None;
    }
    let value = match tokens.next()? {
        Token::Word(word) => word.to_vec(),
        Token::Name(value) | Token::Text(value) => value,
        Token::Mark(_) => return None,
    };
    Some(set(encoding, &value))
}

fn set_config(mut tokens: Tokens) -> Option<Setting> {
    let is_it = (!tokens.take_word("pg_catalog") || tokens.take_mark(b'.'))
        && tokens.take_word("set_config")
        && tokens.take_mark(b'(');
    let Some(Token::Text(name)) = tokens.next().filter(|_| is_it) else { return None };
    let encoding = name.eq_ignore_ascii_case(b"client_encoding");
    if !encoding && !name.eq_ignore_ascii_case(b"standard_conforming_strings")
        || !tokens.take_mark(b',')
    {
        return None;
    }
    match tokens.next() {
        Some(Token::Text(value)) => Some(set(encoding, &value)),
        _ => None,
    }
}

fn set(encoding: bool, value: &[u8]) -> Setting {
    let value = String::from_utf8_lossy(value).into_owned();
    if encoding {
        Setting::ClientEncoding(value)
    } else {
        let off = ["off", "of", "false", "fals", "fal", "fa", "f", "no", "n", "0"];
        Setting::StandardStrings(!off.contains(&value.to_ascii_lowercase().as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_are_read_in_every_spelling() {
        let off = Some(Setting::StandardStrings(false));
        assert_eq!(setting(b"SET standard_conforming_strings = off;"), off);
        assert_eq!(setting(b"set session Standard_Conforming_Strings to 'OFF' ;"), off);
        let on = Some(Setting::StandardStrings(true));
        assert_eq!(setting(b"SET standard_conforming_strings = on;"), on);
        let latin = Some(Setting::ClientEncoding("LATIN1".into()));
        assert_eq!(setting(b"SET client_encoding = 'LATIN1';"), latin);
        assert_eq!(setting(b"SET NAMES 'LATIN1';"), latin);
        let called = b"SELECT pg_catalog.set_config('client_encoding', 'LATIN1', false);";
        assert_eq!(setting(called), latin);
        assert_eq!(setting(b"select set_config('STANDARD_conforming_strings','off',false)"), off);
        assert_eq!(setting(b"SELECT pg_catalog.set_config('search_path', '', false);"), None);
        assert_eq!(setting(b"SELECT set_config(name, 'LATIN1', false);"), None);
        assert_eq!(setting(b"SET search_path = client_encoding;"), None);
        assert_eq!(setting(b"SET client_encoding 'LATIN1';"), None);
        assert_eq!(setting(b"SET client_encoding = ;"), None);
        assert_eq!(setting(b"SELECT set_config('client_encoding', value, false);"), None);
        assert_eq!(setting(b"SELECT 1;"), None);
    }
}
