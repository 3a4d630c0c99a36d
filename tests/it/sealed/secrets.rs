//! Identities and passphrases are in no output, log, report, metric or history, whatever happens to the run.

use super::{created, files_below, key};
use crate::support::{Place, unchanged_database};

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn no_private_key_and_no_passphrase_is_seen_of_a_run() {
        let place = Place::on_a_lent_server();
        place.file("keys/x", b"");
        let recipient = key(&place, "keys/k");
        let text = std::fs::read_to_string(place.dir().join("keys/k")).unwrap();
        let private = text.lines().last().unwrap().to_owned();
        place.file("keys/wrong", text.replace(&private[..20], "AGE-SECRET-KEY-1QQQQ").as_bytes());
        place.file("keys/word", b"correct horse battery");
        created(&place, unchanged_database(), &["a", "--encrypt-to", &recipient]);
        created(&place, unchanged_database(), &["b", "--passphrase-file", "keys/word"]);
        let command = "cat; echo over >&2; SECRET='hush-hush' false";
        let mut said = String::new();
        for args in [
            &["a.sql.gz.age", "--identity", "keys/k"][..],
            &["a.sql.gz.age", "--identity", "keys/wrong"],
            &["b.sql.gz.age", "--passphrase-file", "keys/word"],
            &["b.sql.gz.age", "--identity", "keys/k"],
            &["a.sql.gz.age", "--decrypt-command", command],
        ] {
            let mut verify = place.verify();
            verify.args(["--verbose", "--log-file", "run.log", "--report", "r.json"]);
            verify.args(["--junit", "j.xml", "--metrics-file", "m.prom"]).args(args);
            let output = verify.env("RUST_LOG", "trace").output().unwrap();
            said += &String::from_utf8_lossy(&output.stdout);
            said += &String::from_utf8_lossy(&output.stderr);
        }
        let secrets = [&private[16..], "correct horse battery", "hush-hush"];
        let mut seen = vec![("output".to_owned(), said.into_bytes())];
        for file in files_below(place.dir())
            .into_iter()
            .filter(|file| !file.starts_with(place.dir().join("keys")))
        {
            seen.push((file.display().to_string(), std::fs::read(file).unwrap()));
        }
        assert!(seen.len() >= 8, "{} files", seen.len());
        for (name, bytes) in seen {
            for secret in secrets {
                assert!(
                    memchr::memmem::find(&bytes, secret.as_bytes()).is_none(),
                    "{secret} in {name}"
                );
            }
        }
    }
}
