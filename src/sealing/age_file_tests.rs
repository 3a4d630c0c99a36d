use std::io::Write;

use super::*;
use crate::model::damage::damage;
use crate::model::secret::Secret;
use crate::sealing::beginning::is_age;
use crate::sealing::{IdentityFile, NewIdentity, Passphrase, Recipients};

const CHUNK: usize = 64 * 1024;

struct Keys {
    identities: Identities,
    recipients: Recipients,
}

fn keys() -> Keys {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    let new = NewIdentity::generate();
    new.write(&path, "", None).unwrap();
    let file = IdentityFile::read(&path).unwrap();
    let identities = Identities::of(vec![file], Passphrase::given(Secret::new("x")));
    Keys { identities, recipients: Recipients::of(&[new.recipient()]).unwrap() }
}

fn sealed(bytes: &[u8], recipients: &Recipients) -> Vec<u8> {
    let mut writer = recipients.seal(Vec::new()).unwrap();
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

fn at_rest(bytes: &[u8]) -> BackupFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    BackupFile::open(file.path()).unwrap()
}

fn text(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at * 7 % 253) as u8).collect()
}

/// What is read of a file from its beginning to its end, by a stream and by places; both must come to the same.
fn read(file: &BackupFile) -> Result<Vec<u8>, String> {
    let all = |mut stream: Box<dyn Read>| {
        let mut read = Vec::new();
        stream.read_to_end(&mut read).map(|_| read).map_err(|error| {
            damage(&error).map_or_else(|| format!("not damage: {error}"), ToString::to_string)
        })
    };
    let (streamed, sought) = (all(file.unsealing(file.at_rest())), all(Box::new(file.raw())));
    assert_eq!(streamed.is_ok(), sought.is_ok(), "{streamed:?} {sought:?}");
    if streamed.is_ok() {
        assert!(streamed == sought);
    }
    streamed
}

#[test]
fn what_was_sealed_is_read_from_its_beginning_and_from_every_place() {
    let keys = keys();
    for bytes in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 5] {
        let text = text(bytes);
        let file = open(at_rest(&sealed(&text, &keys.recipients)), &keys.identities).unwrap();
        assert!(file.is_unsealed() && file.can_seek());
        assert!(read(&file).unwrap() == text, "{bytes}");
        for at in [0, 1, 100, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK, 3 * CHUNK + 4] {
            if at <= bytes {
                let mut rest = Vec::new();
                file.raw_from(at as u64).read_to_end(&mut rest).unwrap();
                assert!(rest == text[at..], "{bytes} from {at}");
            }
        }
    }
}

#[test]
fn a_sealed_text_is_opened_and_so_is_a_file_of_such_text() {
    let keys = keys();
    let bytes = text(200_000);
    let sealed = keys.recipients.seal_text(&bytes).unwrap();
    assert!(open_text(&sealed, &keys.identities).unwrap() == bytes);
    let file = open(at_rest(sealed.as_bytes()), &keys.identities).unwrap();
    assert!(read(&file).unwrap() == bytes);
    let mut rest = Vec::new();
    file.raw_from(150_000).read_to_end(&mut rest).unwrap();
    assert!(rest == bytes[150_000..]);
}

#[test]
fn another_key_opens_nothing_and_a_passphrase_only_its_own() {
    let (one, other) = (keys(), keys());
    let file = at_rest(&sealed(b"text", &one.recipients));
    let error = open(file.clone(), &other.identities).unwrap_err();
    assert!(matches!(error, UnsealError::NoKey { given: 1, by_passphrase: false }), "{error:?}");
    let error = open(file, &Identities::default()).unwrap_err();
    assert!(matches!(error, UnsealError::NoKey { given: 0, .. }), "{error:?}");
    let of = |text: &str| Passphrase::given(Secret::new(text));
    let recipients = Recipients::passphrase(&of("right")).unwrap();
    let file = at_rest(&sealed(b"text", &recipients));
    let right = open(file.clone(), &Identities::of(Vec::new(), of("right"))).unwrap();
    assert_eq!(read(&right).unwrap(), b"text");
    let error = open(file.clone(), &Identities::of(Vec::new(), of("wrong"))).unwrap_err();
    assert!(matches!(error, UnsealError::NoKey { given: 1, by_passphrase: true }), "{error:?}");
    let error = open(file, &one.identities).map(drop);
    assert!(error.is_err());
}

#[test]
fn what_a_passphrase_seals_takes_the_same_work_on_every_machine() {
    let passphrase = Passphrase::given(Secret::new("right"));
    let sealed = sealed(b"text", &Recipients::passphrase(&passphrase).unwrap());
    let head = String::from_utf8_lossy(&sealed);
    assert!(head.lines().nth(1).unwrap().ends_with(" 18"), "{head}");
}

#[test]
fn what_takes_too_much_work_is_said_so_of_a_backup_and_of_a_key() {
    let (salt, line, body) = ("A".repeat(22), "A".repeat(43), "A".repeat(32));
    let head = format!("age-encryption.org/v1\n-> scrypt {salt} 23\n{line}\n--- {line}\n{body}");
    let identities = |files| Identities::of(files, Passphrase::given(Secret::new("right")));
    let error = open(at_rest(head.as_bytes()), &identities(Vec::new())).unwrap_err();
    assert!(matches!(error, UnsealError::ExcessiveWork { required: 23 }), "{error:?}");
    let mut key = tempfile::NamedTempFile::new().unwrap();
    key.write_all(head.as_bytes()).unwrap();
    let error = identities(vec![IdentityFile::read(key.path()).unwrap()]).recipients().unwrap_err();
    assert!(error.to_string().contains("takes too much work to try (2^23)"), "{error}");
}

#[test]
fn what_is_cut_is_damage_wherever_it_is_cut() {
    let keys = keys();
    let whole = sealed(&text(3 * CHUNK), &keys.recipients);
    let head = whole.len() - 3 * (CHUNK + 16);
    for kept in 0..head {
        let file = at_rest(&whole[..kept]);
        if is_age(&whole[..kept]) {
            let error = open(file, &keys.identities).unwrap_err();
            assert!(matches!(error, UnsealError::Damaged(_)), "{kept}: {error:?}");
        }
    }
    for kept in [head, head + 1, head + CHUNK + 16, head + 2 * (CHUNK + 16), whole.len() - 1] {
        let file = open(at_rest(&whole[..kept]), &keys.identities).unwrap();
        let error = read(&file).unwrap_err();
        assert!(error.contains("cut off"), "{kept}: {error}");
    }
}

#[test]
fn chunks_that_are_altered_reordered_doubled_swapped_or_added_are_damage() {
    let keys = keys();
    let whole = sealed(&text(3 * CHUNK + 9), &keys.recipients);
    let other = sealed(&text(3 * CHUNK + 9), &keys.recipients);
    let head = whole.len() - 3 * (CHUNK + 16) - 9 - 16;
    let chunk = |of: &[u8], number: usize| {
        let from = head + number * (CHUNK + 16);
        of[from..of.len().min(from + CHUNK + 16)].to_vec()
    };
    let with = |chunks: &[Vec<u8>]| [&whole[..head], &chunks.concat()].concat();
    let [a, b, c, d] = [0, 1, 2, 3].map(|number| chunk(&whole, number));
    let mut flipped = b.clone();
    flipped[77] ^= 1;
    for (what, chunks) in [
        ("reordered", vec![b.clone(), a.clone(), c.clone(), d.clone()]),
        ("doubled", vec![a.clone(), a.clone(), b.clone(), c.clone(), d.clone()]),
        ("swapped", vec![a.clone(), chunk(&other, 1), c.clone(), d.clone()]),
        ("left out", vec![a.clone(), c.clone(), d.clone()]),
        ("altered", vec![a.clone(), flipped, c.clone(), d.clone()]),
        ("added", vec![a, b, c, d, b"more".to_vec()]),
    ] {
        let file = open(at_rest(&with(&chunks)), &keys.identities).unwrap();
        let error = read(&file).unwrap_err();
        assert!(error.starts_with("the age stream is"), "{what}: {error}");
    }
    // Heads differ in length: age puts something random into them.
    let of_other = other.len() - (whole.len() - head);
    let swapped_heads = [&other[..of_other], &whole[head..]].concat();
    let file = open(at_rest(&swapped_heads), &keys.identities).unwrap();
    assert!(read(&file).is_err());
}

#[test]
fn an_altered_head_is_damage_or_is_not_for_us() {
    let keys = keys();
    let whole = sealed(b"text", &keys.recipients);
    let end = whole.len() - 16 - 4 - 16;
    for at in 21..end {
        let mut altered = whole.clone();
        altered[at] ^= 1;
        match open(at_rest(&altered), &keys.identities) {
            Err(
                UnsealError::Damaged(_) | UnsealError::NoKey { .. } | UnsealError::UnknownFormat,
            ) => {}
            Err(other) => panic!("byte {at}: {other:?}"),
            Ok(_) => panic!("byte {at} makes no difference"),
        }
    }
}

#[test]
fn an_error_of_the_disk_is_no_damage() {
    #[derive(Debug)]
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::from_raw_os_error(5))
        }
    }
    let keys = keys();
    let whole = sealed(&text(2 * CHUNK), &keys.recipients);
    let file = open(at_rest(&whole), &keys.identities).unwrap();
    for kept in [10, CHUNK] {
        let start = io::Cursor::new(whole[..kept].to_vec());
        let error = file.unsealing(start.chain(Failing)).read_to_end(&mut Vec::new()).unwrap_err();
        assert!(damage(&error).is_none() && error.raw_os_error() == Some(5), "{kept}: {error:?}");
    }
}
