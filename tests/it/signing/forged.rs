//! What is forged is FAILED, each in its own words, and ssh-keygen refuses what is forged in the signature, too.

use std::path::Path;

use ccc_backup::sealing::Identities;
use ccc_backup::store::manifest::Manifest;

use super::{
    MANIFEST, Told as _, WHO, create, key, keygen_sign, keygen_verify, line, make_key, signed,
    verified,
};
use crate::support::{Place, text};

const BACKUP: &str = "a.sql";
const SIGNED: &str = "a.sql.manifest.json";
const SIGNATURE: &str = "a.sql.manifest.json.sig";

/// A signed backup that is not packed.
fn place() -> Place {
    let place = Place::on_a_lent_server();
    key(&place, "k");
    place.file("allowed", line(&place, "", "k").as_bytes());
    let outcome = create(&place, &[BACKUP, "--compress=none", "--sign-key", "k"], &[]);
    assert_eq!(outcome.code, 0, "{outcome}");
    place
}

fn copy(place: &Place, from: &str, to: &str) {
    std::fs::copy(place.dir().join(from), place.dir().join(to)).unwrap();
}

fn remove(place: &Place, name: &str) {
    std::fs::remove_file(place.dir().join(name)).unwrap();
}

/// What ssh-keygen says, at the time of the backup.
fn keygen_takes_it(place: &Place) -> bool {
    let manifest =
        Manifest::read(&place.dir().join(BACKUP), &Identities::default()).unwrap().unwrap();
    let at = manifest.outline.created_at.format("-Overify-time=%Y%m%d%H%M%SZ").to_string();
    keygen_verify(place, SIGNED, MANIFEST, &[&at]).status.success()
}

/// Changes the manifest, and makes its own checksum anew.
fn change(dir: &Path, by: impl FnOnce(&mut Manifest)) {
    let mut manifest = Manifest::read(&dir.join(BACKUP), &Identities::default()).unwrap().unwrap();
    by(&mut manifest);
    std::fs::write(dir.join(SIGNED), manifest.to_bytes(None).unwrap()).unwrap();
}

#[test]
fn what_is_unsigned_or_signed_otherwise_fails_in_its_own_words() {
    let place = place();
    let (manifest, signature) = (
        std::fs::read(place.dir().join(SIGNED)).unwrap(),
        std::fs::read_to_string(place.dir().join(SIGNATURE)).unwrap(),
    );
    key(&place, "stranger");
    make_key(&place, "rsa", "rsa", "");
    type Forge<'a> = (&'a str, &'a dyn Fn(), &'a str);
    let changed = "does not hold: it does not fit: what was signed is not what is there";
    let cases: [Forge; 9] = [
        ("removed signature", &|| remove(&place, SIGNATURE), "a.sql is unsigned: there is no"),
        ("changed manifest", &|| change(place.dir(), |it| it.source.database = None), changed),
        (
            "manifest laid out otherwise",
            &|| drop(place.file(SIGNED, &[&manifest[..], b"\n"].concat())),
            changed,
        ),
        (
            "another key",
            &|| keygen_sign(&place, "stranger", MANIFEST, SIGNED),
            "the signer is not allowed: the key SHA256:",
        ),
        (
            "a key of another kind",
            &|| keygen_sign(&place, "rsa", MANIFEST, SIGNED),
            "the signer is not allowed: the key SHA256:",
        ),
        (
            "a report's signature",
            &|| keygen_sign(&place, "k", "ccc-backup-report", SIGNED),
            "it was made in the namespace \"ccc-backup-report\", and not in ccc-backup-manifest",
        ),
        (
            "a damaged signature",
            &|| drop(place.file(SIGNATURE, signature.replace("U1NI", "U1NJ").as_bytes())),
            "does not hold: it is damaged",
        ),
        (
            "a cut signature",
            &|| drop(place.file(SIGNATURE, &signature.as_bytes()[..150])),
            "does not hold: it is damaged",
        ),
        (
            "an empty signature",
            &|| drop(place.file(SIGNATURE, b"")),
            "does not hold: it is damaged",
        ),
    ];
    for (name, forge, cause) in cases {
        place.file(SIGNED, &manifest);
        place.file(SIGNATURE, signature.as_bytes());
        assert!(keygen_takes_it(&place), "{name}");
        forge();
        let outcome = verified(&place, BACKUP);
        outcome.failed(cause);
        assert!(!outcome.stdout.contains("Restoring"), "{name}: {outcome}");
        assert!(!keygen_takes_it(&place), "{name}");
    }
    remove(&place, SIGNED);
    verified(&place, BACKUP).failed("a.sql is unsigned: it has no manifest");
    place.file(SIGNED, &manifest);
    place.file(SIGNATURE, signature.as_bytes());
    verified(&place, BACKUP).passed().tells("Signature: signed by backup@example.org (SHA256:");
}

#[test]
fn a_changed_file_a_swapped_pair_and_an_old_backup_under_a_new_name_fail() {
    let place = place();
    let original = std::fs::read(place.dir().join(BACKUP)).unwrap();
    // Of the same size: only its checksum tells.
    let mut changed = original.clone();
    let at = original.windows(12).position(|window| window == b"Dumped from ").unwrap();
    changed[at..at + 6].copy_from_slice(b"Damped");
    place.file(BACKUP, &changed);
    verified(&place, BACKUP).failed("Checksum does not match the manifest");
    place.file(BACKUP, &original);

    let newer = "b.sql";
    let outcome =
        create(&place, &[newer, "--compress=none", "--sign-key", "k", "--keep-owner"], &[]);
    assert_eq!(outcome.code, 0, "{outcome}");
    for suffix in ["manifest.json", "manifest.json.sig"] {
        copy(&place, &format!("{BACKUP}.{suffix}"), &format!("{newer}.{suffix}"));
    }
    verified(&place, newer).failed("the manifest belongs to another file");
    copy(&place, BACKUP, newer);
    verified(&place, newer)
        .failed("b.sql is not what was signed: the signed manifest is that of a.sql");
    // By a link it bears its own name.
    for suffix in ["", ".manifest.json", ".manifest.json.sig"] {
        let (file, link) = (format!("{BACKUP}{suffix}"), format!("latest.sql{suffix}"));
        std::os::unix::fs::symlink(place.dir().join(file), place.dir().join(link)).unwrap();
    }
    verified(&place, "latest.sql").passed();
}

#[test]
fn a_good_signature_by_a_key_that_is_not_checked_here_is_not_verified() {
    let place = place();
    make_key(&place, "rsa", "rsa", "");
    place.file("allowed", line(&place, "", "rsa").as_bytes());
    keygen_sign(&place, "rsa", MANIFEST, SIGNED);
    assert!(keygen_takes_it(&place));
    let outcome = verified(&place, BACKUP);
    assert_eq!(outcome.code, 2, "{outcome}");
    outcome.blames("a key of the kind ssh-rsa").hints("ssh-keygen -Y verify");
}

#[test]
fn without_allowed_signers_a_signature_is_told_and_one_that_does_not_hold_is_a_warning() {
    let place = place();
    let verify = || place.outcome(place.verify().arg(BACKUP));
    verify().passed().tells("(not checked against allowed signers)");
    keygen_sign(&place, "k", "file", SIGNED);
    let outcome = verify();
    outcome.passed();
    let warning =
        "the signature of the manifest does not hold: it was made in the namespace \"file\"";
    assert!(outcome.stderr.contains(warning), "{outcome}");
    remove(&place, SIGNATURE);
    let outcome = verify();
    outcome.passed();
    assert!(!format!("{outcome}").contains("ignature"), "{outcome}");
}

#[test]
fn globals_that_were_changed_fail_and_those_of_another_backup_are_not_taken() {
    let place = Place::on_a_lent_server();
    signed(&place, "plain.sql");
    let outcome = create(&place, &["a.sql", "--globals", "--sign-key", "k"], &[]);
    assert_eq!(outcome.code, 0, "{outcome}");
    verified(&place, "a.sql.gz").passed();
    let globals = std::fs::read_to_string(place.dir().join("a.globals.sql")).unwrap();
    place.file("a.globals.sql", format!("{globals}\nGRANT a TO b;\n").as_bytes());
    verified(&place, "a.sql.gz").failed("a.globals.sql is not what was signed");
    copy(&place, "a.globals.sql", "plain.globals.sql");
    verified(&place, "plain.sql.gz").passed();
}

#[test]
fn ssh_keygens_own_signature_with_the_other_hash_is_taken() {
    let place = place();
    remove(&place, SIGNATURE);
    let mut command = std::process::Command::new("ssh-keygen");
    command.args(["-q", "-Y", "sign", "-n", MANIFEST, "-O", "hashalg=sha256", "-f", "k", SIGNED]);
    let signed = command.current_dir(place.dir()).output().unwrap();
    assert!(signed.status.success(), "{}", text(&signed.stderr));
    verified(&place, BACKUP).passed();
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn options_of_allowed_signers_mean_what_they_mean_to_ssh_keygen() {
        let place = place();
        key(&place, "stranger");
        let stranger = line(&place, "", "stranger");
        for (options, cause) in [
            ("valid-before=\"20250101Z\"", Some("was valid until 2025-01-01 00:00:00 UTC")),
            ("valid-after=\"29990101Z\"", Some("is valid from 2999-01-01 00:00:00 UTC")),
            ("namespaces=\"git,file\"", Some("may sign in git,file only")),
            ("namespaces=\"*,!ccc-backup-*\"", Some("may sign in *,!ccc-backup-* only")),
            ("namespaces=\"git,ccc-backup-*\"", None),
            ("valid-after=\"20250101\",valid-before=\"299901011200\"", None),
            ("Valid-After=\"20250101Z\",NAMESPACES=\"ccc-backup-manifest\"", None),
        ] {
            let allowed = format!("# who may sign\n\n{stranger}{}", line(&place, options, "k"));
            place.file("allowed", allowed.as_bytes());
            let outcome = verified(&place, BACKUP);
            match cause {
                Some(cause) => drop(
                    outcome.failed(&format!("the signer is not allowed: the key of {WHO} {cause}")),
                ),
                None => drop(outcome.passed()),
            }
            assert_eq!(keygen_takes_it(&place), cause.is_none(), "{options}");
        }
        // A second line of the same key counts, too.
        let old = line(&place, "valid-before=\"20250101Z\"", "k");
        place.file("allowed", format!("{old}{}", line(&place, "", "k")).as_bytes());
        verified(&place, BACKUP).passed();
    }
}
