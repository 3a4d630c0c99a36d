//! The image with the tool, made of the binary under test by infra/image.sh.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::OnceLock;

use super::installed::output_of;
use crate::support::docker::{docker, docker_text};
use crate::support::dumps::gzipped;
use crate::support::{BINARY, Place, clean_environment, good_dump, repository, text};

/// The image, made once in a run of the tests.
pub fn built() -> &'static str {
    const NAME: &str = "ccc-backup-test/ccc-backup:it";
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        let mut script = Command::new(repository("infra/image.sh"));
        output_of(script.args([BINARY, NAME]).env_clear().envs(clean_environment()));
    });
    NAME
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn the_image_runs_as_nobody_special_tells_its_health_and_says_what_it_is() {
        let config = docker_text(&["image", "inspect", "--format", "{{json .Config}}", built()]);
        let config: serde_json::Value = serde_json::from_str(&config).unwrap();
        assert_eq!(config["User"], "65532:65532");
        assert_eq!(config["Entrypoint"], serde_json::json!(["ccc-backup"]));
        assert_eq!(config["Healthcheck"]["Test"][2], "doctor");
        let label =
            |name: &str| config["Labels"][format!("org.opencontainers.image.{name}")].clone();
        assert_eq!(label("version"), env!("CARGO_PKG_VERSION"));
        assert_eq!(label("title"), "ccc-backup");
        let setuid = "for f in /usr/bin/* /usr/sbin/* /usr/lib/* /usr/lib/*/*; do \
                  [ -f \"$f\" ] && { [ -u \"$f\" ] || [ -g \"$f\" ]; } && echo \"$f\"; done; true";
        let found = docker_text(&[
            "run",
            "--rm",
            "--user",
            "0",
            "--entrypoint",
            "sh",
            built(),
            "-c",
            setuid,
        ]);
        assert_eq!(found, "", "programs that change the user");
    }

    #[test]
    fn the_image_verifies_read_only_without_capabilities_and_network_and_its_health_is_told() {
        let place = Place::new();
        place.file("backups/backup_20260114_143022.sql.gz", &gzipped(good_dump()));
        let backups = place.dir().join("backups");
        std::fs::set_permissions(&backups, PermissionsExt::from_mode(0o777)).unwrap();
        let volume = format!("{}:/var/lib/ccc-backup", backups.display());
        let run = |user: &str, args: &[&str]| {
            let conditions = [
                "run",
                "--rm",
                "--user",
                user,
                "--read-only",
                "--cap-drop",
                "ALL",
                "--security-opt",
                "no-new-privileges",
                "--network",
                "none",
                "--tmpfs",
                "/tmp:mode=1777",
                "-v",
                &volume,
                built(),
            ];
            docker(&[&conditions[..], args].concat())
        };
        // The image's own user, and one without a name, as OpenShift chooses them.
        for user in ["65532:65532", "1000650000:0"] {
            let verified = run(user, &["verify", "--latest", "--engine", "local"]);
            let said = text(&verified.stdout) + &text(&verified.stderr);
            assert_eq!(verified.status.code(), Some(0), "{said}");
            assert!(said.contains("✅ VERIFICATION PASSED"), "{said}");
            assert!(said.contains("/usr/lib/postgresql/15/bin"), "{said}");
        }
        let health = run("65532:65532", &["doctor", "--engine", "local", "--quiet"]);
        assert_eq!(health.status.code(), Some(0), "{}", text(&health.stdout));
    }
}
