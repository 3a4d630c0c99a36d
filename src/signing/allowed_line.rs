//! A line of the file of allowed signers: principals, options, key, comment.

use chrono::{DateTime, Utc};
use ssh_key::PublicKey;
use ssh_key::public::KeyData;

use super::key_file::is_kind;
use super::times;

/// Who may sign, by one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Allowed {
    /// As they are written.
    pub(super) principals: String,
    pub(super) key: KeyData,
    pub(super) options: Options,
}

/// When and for what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Options {
    /// A list of patterns; without it, any.
    pub(super) namespaces: Option<String>,
    pub(super) valid_after: Option<DateTime<Utc>>,
    pub(super) valid_before: Option<DateTime<Utc>>,
}

/// Reads a line; `None` for one that says nothing. An error says what is wrong, and nothing of the line.
pub(super) fn parse(line: &str) -> Result<Option<Allowed>, &'static str> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    if PublicKey::from_openssh(line).is_ok() {
        return Err("it begins with a key: who signs with it comes before it, such as \
                    backup@example.org");
    }
    let (principals, rest) =
        principals(line).ok_or("the quotes of its principals are not closed")?;
    let first = rest.split_ascii_whitespace().next().unwrap_or_default();
    let (options, key) = match is_kind(first) {
        true => (Options::default(), rest),
        false => {
            let (words, key) = words(rest).ok_or("the quotes of its options are not closed")?;
            let mut options = Options::default();
            words.into_iter().try_for_each(|word| options.take(word))?;
            (options, key)
        }
    };
    let key = PublicKey::from_openssh(key).map_err(|_| "it has no public key that is whole")?;
    let principals = principals.to_owned();
    Ok(Some(Allowed { principals, key: key.key_data().clone(), options }))
}

/// The first word, which may stand in quotes, and what follows.
fn principals(line: &str) -> Option<(&str, &str)> {
    let (first, rest) = match line.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"')?,
        None => line.split_once([' ', '\t']).unwrap_or((line, "")),
    };
    Some((first, rest.trim_start()))
}

/// The options, which commas part, up to the first space that stands in no quotes; and what follows.
fn words(text: &str) -> Option<(Vec<&str>, &str)> {
    let (mut found, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                found.push(&text[start..at]);
                start = at + 1;
            }
            ' ' | '\t' if !quoted => {
                found.push(&text[start..at]);
                return Some((found, text[at..].trim_start()));
            }
            _ => {}
        }
    }
    found.push(&text[start..]);
    (!quoted).then_some((found, ""))
}

impl Options {
    fn take(&mut self, word: &str) -> Result<(), &'static str> {
        let (name, value) = word.split_once('=').map_or((word, None), |(n, v)| (n, Some(v)));
        let value = value.and_then(|value| value.strip_prefix('"')?.strip_suffix('"'));
        match (name.to_ascii_lowercase().as_str(), value) {
            ("cert-authority", _) => Err("cert-authority is not supported: name the key itself"),
            ("namespaces", Some(value)) => set(&mut self.namespaces, value.replace("\\\"", "\"")),
            ("valid-after", Some(value)) => set(&mut self.valid_after, time(value)?),
            ("valid-before", Some(value)) => set(&mut self.valid_before, time(value)?),
            ("namespaces" | "valid-after" | "valid-before", None) => {
                Err("the value of an option stands in quotes, as in namespaces=\"git\"")
            }
            _ => Err("between principals and key there is something else than options, which are \
                      namespaces, valid-after and valid-before"),
        }
    }
}

fn set<T>(option: &mut Option<T>, value: T) -> Result<(), &'static str> {
    match option.replace(value) {
        None => Ok(()),
        Some(_) => Err("an option stands twice"),
    }
}

fn time(value: &str) -> Result<DateTime<Utc>, &'static str> {
    times::parse(value).ok_or("a time is YYYYMMDD or YYYYMMDDHHMM[SS], with Z behind it for UTC")
}

/// Whether a list of patterns, which commas part, takes a name: `*`, `?`, and `!` for what it refuses.
pub(super) fn takes(patterns: &str, name: &str) -> bool {
    let mut taken = false;
    for pattern in patterns.split(',') {
        match pattern.strip_prefix('!') {
            Some(refused) if fits(refused.as_bytes(), name.as_bytes()) => return false,
            Some(_) => {}
            None => taken |= fits(pattern.as_bytes(), name.as_bytes()),
        }
    }
    taken
}

fn fits(pattern: &[u8], name: &[u8]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some((b'*', rest)) => (0..=name.len()).any(|at| fits(rest, &name[at..])),
        Some((first, rest)) => name
            .split_first()
            .is_some_and(|(c, after)| (*first == b'?' || first == c) && fits(rest, after)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";

    fn parsed(line: &str) -> Allowed {
        parse(line).unwrap().unwrap()
    }

    #[test]
    fn a_line_has_principals_options_a_key_and_a_comment() {
        let plain = parsed(&format!("backup@example.org {KEY} night job"));
        assert_eq!(
            (plain.principals.as_str(), plain.options),
            ("backup@example.org", Options::default())
        );
        let full = parsed(&format!(
            "\"a b\" Namespaces=\"git,ccc-*\",valid-before=\"20300101Z\"\t {KEY}\r"
        ));
        assert_eq!(full.principals, "a b");
        let full =
            parsed(&format!("a,b* namespaces=\"git,ccc-*\",valid-before=\"20300101Z\" {KEY}"));
        assert_eq!(full.principals, "a,b*");
        assert_eq!(full.options.namespaces.as_deref(), Some("git,ccc-*"));
        assert_eq!(full.options.valid_before, times::parse("20300101Z"));
        assert_eq!((full.options.valid_after, full.key), (None, plain.key));
        for nothing in ["", "  ", "# a comment", "\t#"] {
            assert_eq!(parse(nothing), Ok(None));
        }
    }

    #[test]
    fn what_is_wrong_with_a_line_is_said_without_repeating_it() {
        let cases = [
            (KEY.to_owned(), "begins with a key"),
            (format!("a cert-authority {KEY}"), "cert-authority"),
            (format!("a Cert-Authority,namespaces=\"x\" {KEY}"), "cert-authority"),
            (format!("a namespaces=git {KEY}"), "in quotes"),
            (format!("a valid-after=\"soon\" {KEY}"), "YYYYMMDD"),
            (format!("a namespaces=\"x\",namespaces=\"y\" {KEY}"), "twice"),
            (format!("a namespaces=\"x {KEY}"), "not closed"),
            (format!("\"a {KEY}"), "not closed"),
            (format!("a hunter2 {KEY}"), "something else"),
            ("a".to_owned(), "something else"),
            ("a ssh-ed25519".to_owned(), "no public key"),
            ("a ssh-ed25519 AAAAC3".to_owned(), "no public key"),
        ];
        for (line, expected) in cases {
            let error = parse(&line).unwrap_err();
            assert!(error.contains(expected) && !error.contains("hunter2"), "{line}: {error}");
        }
    }

    #[test]
    fn namespaces_are_patterns() {
        for (patterns, expected) in [
            ("ccc-backup-manifest", true),
            ("git,ccc-*", true),
            ("ccc-backup-manifes?", true),
            ("*,!ccc-backup-manifest", false),
            ("!git", false),
            ("git", false),
            ("", false),
        ] {
            assert_eq!(takes(patterns, "ccc-backup-manifest"), expected, "{patterns}");
        }
    }
}
