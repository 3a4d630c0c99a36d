//! `--build-image`: an image with the extensions that another lacks.

use super::{APT, alone, configure, fixture, place, shows, verified};
use crate::support::docker::{docker, docker_text};
use crate::support::{Place, Running};

/// The images that were built for these extensions, by their names.
fn built(extensions: &str) -> Vec<String> {
    let label = format!("label=io.ccc-backup.built={extensions}");
    let names = ["image", "ls", "--filter", &label, "--format", "{{.Repository}}:{{.Tag}}"];
    docker_text(&names).lines().map(str::to_owned).collect()
}

fn forget(extensions: &str) {
    for name in built(extensions) {
        docker(&["image", "rm", &name]);
    }
}

#[test]
fn nothing_is_built_for_a_local_server() {
    let place = Place::without_docker();
    place.file("a.sql", b"");
    let outcome = place.outcome(place.verify_locally().args(["a.sql", "--build-image"]));
    assert_eq!(outcome.code, 2, "{outcome}");
    assert!(outcome.stderr.contains("--engine local builds no image"), "{outcome}");
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn an_image_is_built_once_found_again_and_removed_when_asked_to() {
        let (place, _alone) = (place(), alone());
        configure(&place, "[verify]\nbuild_image = true\n");
        forget("15:hypopg");
        let whole = fixture("hypopg.sql");
        let args = ["--image", APT];
        let outcome = verified(&place, "a.sql", &whole, &args);
        outcome.passed().says(&format!("Building an image of {APT} with postgresql-15-hypopg..."));
        shows(outcome.says("✓ Contents match the backup (1 table)"), "built now from");
        let names = built("15:hypopg");
        let [name] = names.as_slice() else { panic!("{names:?}") };
        // What somebody starts from it is nobody's leftover.
        let run = "{{index .Config.Labels \"io.ccc-backup.run\"}}";
        assert_eq!(docker_text(&["image", "inspect", "--format", run, name]).trim(), "");
        let again = verified(&place, "a.dump", &fixture("hypopg.dump"), &args);
        shows(again.passed(), "built before from");
        shows(&again, name);
        assert!(!again.stdout.contains("Building"), "{again}");
        // A bad backup is bad in it.
        let cut = &whole[..whole.len() - 100];
        verified(&place, "a.sql", cut, &args).failed("cut");

        let cleaned = place.outcome(place.ccc().args(["cleanup", "--built-images"]));
        assert_eq!(cleaned.code, 0, "{cleaned}");
        assert!(cleaned.stdout.contains(name.as_str()), "{cleaned}");
        assert_eq!(built("15:hypopg"), Vec::<String>::new());
    }

    #[test]
    fn what_cannot_be_built_is_not_verified_with_the_words_of_apt() {
        let place = place();
        configure(&place, "");
        let of = |name: &str| {
            let dump = String::from_utf8(fixture("hypopg.sql")).unwrap();
            dump.replace("hypopg", name).into_bytes()
        };
        let args = ["--build-image", "--image", APT];
        // Debian 12 has no pgvector.
        let outcome = verified(&place, "a.sql", &of("vector"), &args);
        outcome
            .not_verified("no image with vector could be built from")
            .hints("--build-image wants a network");
        shows(&outcome, "Unable to locate package postgresql-15-pgvector");
        // Nobody packages this one; beside another, nothing is installed for nothing.
        let both = [&b"CREATE EXTENSION azure;\n"[..], &of("hypopg")].concat();
        let outcome = verified(&place, "a.sql", &both, &args);
        outcome.not_verified("no package is known of azure");
        // Images that are made of packages without apt.
        let image = crate::support::docker::image();
        let outcome =
            verified(&place, "a.sql", &of("hypopg"), &["--build-image", "--image", image]);
        outcome.not_verified("it has no apt-get");
    }

    #[test]
    fn a_build_that_is_interrupted_leaves_no_container_and_no_image() {
        let (place, _alone) = (place(), alone());
        configure(&place, "");
        forget("15:hypopg");
        place.file("a.sql", &fixture("hypopg.sql"));
        let mut running = Running::verify_with(&place, "a.sql", &["--build-image", "--image", APT]);
        running.wait_for("Building an image of");
        std::thread::sleep(std::time::Duration::from_secs(2));
        running.interrupt();
        let (outcome, _) = running.end();
        outcome.not_verified("interrupted");
        place.assert_nothing_left();
        assert_eq!(built("15:hypopg"), Vec::<String>::new());
    }
}
