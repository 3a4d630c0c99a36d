//! What a file is that begins like none of pg_dump's: another program's format that may hold a good
//! backup, or something that is none.

/// What the first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Looks {
    /// A container of files, or a packing, that is not looked into.
    Packed(&'static str),
    /// Encrypted by this program, which is undone so.
    Encrypted(&'static str, How),
    /// PostgreSQL's files themselves.
    Physical,
    /// No backup at all.
    Other(&'static str),
}

/// How what another program encrypted is decrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// By a command that reads the file from its standard input, and writes to its standard output.
    Command(&'static str),
    /// Otherwise, in words.
    ByHand(&'static str),
}

use How::{ByHand, Command};
use Looks::{Encrypted, Other, Packed};

/// How such files begin.
const BEGINNINGS: [(&[u8], Looks); 27] = [
    (b"PK\x03\x04", Packed("a zip archive")),
    (b"PK\x05\x06", Packed("an empty zip archive")),
    (b"7z\xbc\xaf\x27\x1c", Packed("a 7z archive")),
    (b"Rar!\x1a\x07", Packed("a rar archive")),
    (b"LZIP\x01", Packed("compressed by lzip")),
    (b"\x89LZO\0\r\n\x1a\n", Packed("compressed by lzop")),
    (b"\x1f\x9d", Packed("compressed by compress")),
    (b"\x5d\0\0\x80\0", Packed("compressed by lzma")),
    (b"\x02\x21\x4c\x18", Packed("compressed in the old format of lz4")),
    (b"\xff\x06\0\0sNaPpY", Packed("compressed by snappy")),
    (b"-----BEGIN PGP MESSAGE-----", GPG),
    (b"Salted__", OPENSSL),
    (b"U2FsdGVkX1", OPENSSL_BASE64),
    (b"age-encryption.org/", AGE),
    (b"-----BEGIN AGE ENCRYPTED FILE-----", AGE),
    (b"$ANSIBLE_VAULT;", Encrypted("Ansible Vault", ByHand("ansible-vault decrypt"))),
    (b"-----BEGIN PKCS7-----", SMIME),
    (b"-----BEGIN CMS-----", SMIME),
    (b"LUKS\xba\xbe", Encrypted("LUKS", ByHand("cryptsetup open, and take the dump out of it"))),
    (b"%PDF", Other("a PDF document")),
    (b"\xff\xfe", Other(UTF_16)),
    (b"\xfe\xff", Other(UTF_16)),
    (b"SQLite format 3\0", Other("a database of SQLite")),
    (
        b"version https://git-lfs.",
        Other("a pointer of Git LFS in place of the file: git lfs pull gets it"),
    ),
    (b"backup_label\0", Looks::Physical),
    (b"PG_VERSION\0", Looks::Physical),
    (b"./PG_VERSION\0", Looks::Physical),
];
const GPG: Looks = Encrypted("gpg", Command("gpg --batch --decrypt"));
const OPENSSL: Looks =
    Encrypted("openssl", Command("openssl enc -d -aes-256-cbc -pass env:BACKUP_ENCRYPTION_KEY"));
const OPENSSL_BASE64: Looks =
    Encrypted("openssl", Command("openssl enc -d -a -aes-256-cbc -pass env:BACKUP_ENCRYPTION_KEY"));
/// Within a packing: what is encrypted itself is opened before anybody looks.
const AGE: Looks = Encrypted("age", ByHand("unpack it, and give --identity for what comes of it"));
const SMIME: Looks =
    Encrypted("openssl", Command("openssl cms -decrypt -inform PEM -inkey KEY.pem"));
const UTF_16: &str = "UTF-16 text, as a redirect in PowerShell writes it; use `pg_dump -f` instead";

/// What these first bytes of a file are; `None` where they may be a dump's.
pub(crate) fn looks(start: &[u8]) -> Option<Looks> {
    let text = start.trim_ascii_start();
    let begins = |words: &[u8]| {
        text.get(..words.len()).is_some_and(|start| start.eq_ignore_ascii_case(words))
    };
    if let Some((_, looks)) = BEGINNINGS.iter().find(|(begins, _)| start.starts_with(begins)) {
        return Some(*looks);
    }
    match start {
        _ if is_openpgp(start) => Some(GPG),
        _ if start.get(257..262) == Some(b"ustar") => {
            Some(Packed("a tar archive that pg_dump did not write"))
        }
        _ if begins(b"<!doctype") || begins(b"<html") => Some(Other("an HTML page")),
        _ if begins(b"<error>") || begins(b"<?xml") && holds(text, b"<Error>") => {
            Some(Other("an error of an object store (S3) in XML"))
        }
        _ if begins(b"<?xml") => Some(Other("an XML document")),
        [_, ..] if start.iter().all(|byte| *byte == 0) => {
            Some(Other("a file of zero bytes, as a crash can leave it"))
        }
        _ => None,
    }
}

fn holds(text: &[u8], words: &[u8]) -> bool {
    memchr::memmem::find(text, words).is_some()
}

/// Whether an encrypted message of OpenPGP begins here: a session key, for a key or for a passphrase
/// (RFC 9580, sections 4.2, 5.1 and 5.3).
fn is_openpgp(start: &[u8]) -> bool {
    let (tag, body) = match start {
        // The old format: the tag, and how many bytes the length has.
        [tag @ 0x80..=0xbf, rest @ ..] => {
            let length = [1, 2, 4, 0][usize::from(tag & 3)];
            (tag >> 2 & 0xf, rest.get(length..))
        }
        [tag @ 0xc0..=0xff, rest @ ..] => {
            let length = if rest.first().is_some_and(|first| *first >= 192) { 2 } else { 1 };
            (tag & 0x3f, rest.get(length..))
        }
        _ => return false,
    };
    match (tag, body) {
        (1, Some([3, _, _, _, _, _, _, _, _, algorithm, ..])) => {
            matches!(algorithm, 1..=3 | 16..=22 | 25..=26)
        }
        (1, Some([6, ..])) => true,
        (3, Some([4 | 5, cipher, hash, ..])) => matches!(cipher, 1..=13) && matches!(hash, 0..=4),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_looked_into_is_told_from_what_is_no_backup() {
        for (start, expected) in [
            (&b"PK\x03\x04\x14\0"[..], Packed("a zip archive")),
            (b"7z\xbc\xaf\x27\x1c\0\x04", Packed("a 7z archive")),
            (b"Salted__12345678", OPENSSL),
            (b"age-encryption.org/v1\n-> X25519 ", AGE),
            (b"-----BEGIN PGP MESSAGE-----\n\n", GPG),
            (b"\x8c\x0d\x04\x09\x03\x02abcdefgh", GPG),
            (b"\x85\x01\x8c\x03abcdefgh\x01", GPG),
            (b"\xc3\x0d\x04\x09\x03\x08abcdefgh", GPG),
            (
                b"<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied",
                Other("an error of an object store (S3) in XML"),
            ),
            (b"\n <!DOCTYPE html>", Other("an HTML page")),
            (b"backup_label\0\0", Looks::Physical),
        ] {
            assert_eq!(looks(start), Some(expected), "{start:?}");
        }
        for start in
            [&b"--\n-- PostgreSQL"[..], b"", b"\x89PNG", b"\x85", b"PGDMP", b"\xc3\xa4 SELECT"]
        {
            assert_eq!(looks(start), None, "{start:?}");
        }
    }
}
