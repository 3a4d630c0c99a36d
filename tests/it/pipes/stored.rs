//! A storage that has only a program: what rclone stored is brought back by it.

use super::done;
use crate::support::faulty::{Fault, Faulty};
use crate::support::s3::{self, S3, Who, program};
use crate::support::{Database, Outcome, Place, unchanged_database};

/// What reaches a server by rclone, or a directory.
struct Storage {
    environment: Vec<(&'static str, String)>,
    /// Such as `remote:path`.
    at: String,
}

impl Storage {
    fn directory(place: &Place) -> Self {
        let environment = vec![("RCLONE_CONFIG", "/dev/null".to_owned())];
        Self { environment, at: place.dir().join("remote").display().to_string() }
    }

    fn bucket(server: &S3) -> (Self, String) {
        let bucket = server.bucket();
        let environment = server.rclone_environment(Who::Owner);
        (Self { environment, at: format!("s3:{bucket}/ccc") }, bucket)
    }

    fn command(&self, deed: &str) -> String {
        format!("{} {deed} {}/{{name}}", program("rclone").display(), self.at)
    }

    fn create(&self, place: &Place, database: &Database, args: &[&str]) -> Outcome {
        let mut create = place.create(database);
        create.args(["--to-command", &self.command("rcat")]).args(args);
        Outcome::of(&create.envs(self.environment.clone()).output().unwrap())
    }

    fn verify(&self, place: &Place, name: &str, args: &[&str]) -> Outcome {
        let mut verify = place.verify_with(&[name, "--from-command", &self.command("cat")]);
        place.outcome(verify.args(args).envs(self.environment.clone()))
    }
}

#[test]
fn without_a_name_it_gets_the_one_with_the_time() {
    let place = Place::without_docker();
    let (storage, bucket) = Storage::bucket(s3::seaweed());
    let made = storage.create(&place, unchanged_database(), &[]);
    assert_eq!(made.code, 0, "{made}");
    let names: Vec<_> = s3::seaweed().objects(&bucket).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names[0].starts_with("ccc/backup_2") && names[0].ends_with(".sql.gz"), "{names:?}");
    assert_eq!(names[1], format!("{}.manifest.json", names[0]));
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn what_rclone_stored_is_brought_back_by_it_and_proven() {
        let place = Place::on_a_lent_server();
        let database = unchanged_database();
        let buckets = [s3::seaweed(), s3::rclone()].map(|server| Storage::bucket(server).0);
        for storage in buckets.into_iter().chain([Storage::directory(&place)]) {
            for (output, name, options) in
                [("a.sql", "a.sql.gz", &[][..]), ("b.dump", "b.dump", &["--format=custom"])]
            {
                let made = storage.create(&place, database, &[&[output], options].concat());
                assert_eq!(made.code, 0, "{made}");
                storage.verify(&place, name, &["--require-proof"]).passed();
            }
            storage.verify(&place, "c.sql.gz", &[]).not_verified("the command of --from-command");
        }
        let mut names = place.names("remote");
        names.sort();
        let expected = ["a.sql.gz", "a.sql.gz.manifest.json", "b.dump", "b.dump.manifest.json"];
        assert_eq!(names, expected);
        assert_eq!(place.names("."), ["remote"], "nothing is put on record");
    }

    #[test]
    fn a_signed_backup_is_proven_by_its_signature_through_the_command() {
        let place = Place::on_a_lent_server();
        done(&place, None, "ssh-keygen -q -t ed25519 -N '' -f signer");
        let signer = done(&place, None, "echo \"* $(cut -d' ' -f1,2 signer.pub)\"").stdout;
        place.file("allowed", &signer);
        let storage = Storage::directory(&place);
        for (name, options) in [("a.sql", &["--sign-key=signer"][..]), ("b.sql", &[])] {
            let made = storage.create(&place, unchanged_database(), &[&[name], options].concat());
            assert_eq!(made.code, 0, "{made}");
        }
        let allowed = ["--allowed-signers", "allowed"];
        storage.verify(&place, "a.sql.gz", &allowed).passed();
        storage.verify(&place, "b.sql.gz", &allowed).not_verified("b.sql.gz.manifest.json.sig");
    }

    #[test]
    fn a_server_that_fails_on_the_way_has_no_backup_and_is_no_proof_against_one() {
        let place = Place::on_a_lent_server();
        let server = s3::seaweed();
        let way = Faulty::passing(server.port());
        let (mut storage, bucket) = Storage::bucket(server);
        storage.environment.push(("RCLONE_CONFIG_S3_ENDPOINT", way.endpoint()));
        let database = unchanged_database();
        for fault in [Fault::Answer(403, &[]), Fault::Reset, Fault::Answer(500, &[])] {
            way.rule(move |request| match request.verb.as_str() {
                "PUT" => fault.clone(),
                _ => Fault::None,
            });
            let made = storage.create(&place, database, &["a.sql"]);
            assert_eq!(made.code, 1, "{made}");
            assert_eq!(server.objects(&bucket), []);
        }
        way.rule(|_| Fault::None);
        assert_eq!(storage.create(&place, database, &["a.sql"]).code, 0);
        for fault in [Fault::CloseAfter(2000), Fault::ResetAfter(2000), Fault::Answer(503, &[])] {
            way.rule(move |request| match request.path.contains("a.sql.gz?") {
                true if request.verb == "GET" => fault.clone(),
                _ => Fault::None,
            });
            storage.verify(&place, "a.sql.gz", &[]).not_verified("run for a.sql.gz, ended with");
        }
        way.rule(|_| Fault::None);
        storage.verify(&place, "a.sql.gz", &["--require-proof"]).passed();
    }
}
