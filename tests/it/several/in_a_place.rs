//! Several databases in object storage: made there, with copies, verified there, thinned out.

use super::{NAMES, configured, server};
use crate::support::Place;
use crate::support::s3::seaweed;

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn all_are_made_copied_verified_and_kept_there_as_in_a_directory() {
        let (place, s3) = (Place::on_a_lent_server(), seaweed());
        let bucket = s3.bucket();
        let (url, far) = (format!("s3://{bucket}/p"), format!("s3://{bucket}/far"));
        configured(&place, "");
        let run = |args: &[&str]| {
            let mut command = place.ccc();
            command.args(args).envs(server().connection("nobody_has_this")).envs(s3.environment());
            place.outcome(&mut command)
        };
        let make =
            ["create", "--all-databases", "--exclude-database", "closed", "--backup-dir", &url];
        for copy in [&["--copy-to", &*far][..], &[]] {
            let made = run(&[&make, copy].concat());
            assert_eq!(made.code, 0, "{made}");
            made.says(&format!("✅ {} databases backed up", NAMES.len()));
            std::thread::sleep(std::time::Duration::from_millis(1100));
        }
        let verify = |url: &str| {
            let args = ["verify", "--latest", "--port", "0", "--container-name", &place.container];
            run(&[&args[..], &["--backup-dir", url]].concat())
        };
        for place in [&url, &far] {
            let verified = verify(place);
            verified.passed();
            verified.says(&format!("Backups: {}", NAMES.len()));
        }
        let cleaned = run(&["cleanup", "--keep-last", "1", "--backup-dir", &url]);
        assert!(cleaned.stdout.contains(&format!("Removed: {} (", NAMES.len())), "{cleaned}");
        let kept = s3.objects(&bucket).into_iter().map(|(key, _)| key);
        let kept = kept.filter(|key| key.starts_with("p/backup_") && key.ends_with(".sql.gz"));
        assert_eq!(kept.count(), NAMES.len());
    }
}
