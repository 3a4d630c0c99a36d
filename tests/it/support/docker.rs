//! The Docker Engine, asked through its own command line client.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use percent_encoding::NON_ALPHANUMERIC;
use serde_json::{Value, json};

use super::proxy::engine_socket;
use super::text;

/// Images that the tests take: the one that infra/setup.sh builds, and the official one where it cannot. The
/// other order is that of `ccc-backup`, but anything can go by the official name on a machine.
const IMAGES: [&str; 2] = ["ccc-backup/postgres:15", "postgres:15"];

const NEWER_IMAGES: [&str; 2] = ["ccc-backup/postgres:17", "postgres:17"];

/// How long what is removed may take to be gone.
const GONE: Duration = Duration::from_secs(30);

/// Runs `docker`.
pub fn docker(args: &[&str]) -> Output {
    Command::new("docker").args(args).output().unwrap_or_else(|error| missing(&error.to_string()))
}

/// Runs `docker`, which must succeed, and gives what it prints.
pub fn docker_text(args: &[&str]) -> String {
    let output = docker(args);
    assert!(output.status.success(), "docker {args:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// The image for tests that name one: that of `CCC_TEST_IMAGE`, else the first that is here. Fails where Docker or every image is
/// missing.
pub fn image() -> &'static str {
    found_image().unwrap_or_else(|why| missing(&why))
}

/// The same where there is one.
pub fn image_if_any() -> Option<&'static str> {
    found_image().ok()
}

fn found_image() -> Result<&'static str, String> {
    static IMAGE: OnceLock<Result<&str, String>> = OnceLock::new();
    let found = IMAGE.get_or_init(|| {
        let version = Command::new("docker").args(["version"]).output();
        let version = version.map_err(|error| error.to_string())?;
        if !version.status.success() {
            return Err(text(&version.stderr).trim().to_owned());
        }
        let here = |image: &&str| docker(&["image", "inspect", image]).status.success();
        if let Ok(named) = std::env::var("CCC_TEST_IMAGE") {
            return Ok(named.leak());
        }
        let image = IMAGES.into_iter().find(here);
        image.ok_or_else(|| "neither image of PostgreSQL 15 is here".to_owned())
    });
    found.clone()
}

/// An image of PostgreSQL 17, which is newer than this machine's programs need be. Fails where there is
/// none.
pub fn newer_image() -> &'static str {
    let here = |image: &&str| docker(&["image", "inspect", image]).status.success();
    let found = NEWER_IMAGES.into_iter().find(here);
    found.unwrap_or_else(|| panic!("no image of PostgreSQL 17: infra/setup.sh gets one"))
}

fn missing(why: &str) -> ! {
    panic!(
        "this test needs a Docker Engine and one of the images {IMAGES:?} (infra/setup.sh gets \
         them), and is not skipped without: {why}"
    )
}

/// Containers, networks and volumes whose names begin with `name`. The engine is asked directly: most tests ask, some of
/// them often, and the command line client takes as long to start as all the rest.
pub fn left(name: &str) -> Vec<String> {
    let filters = json!({ "name": [name] }).to_string();
    let filters = percent_encoding::utf8_percent_encode(&filters, NON_ALPHANUMERIC);
    let listed = |path: &str| answer(&format!("{path}filters={filters}"));
    let names = |kind: &str, things: &Value, key: &str| -> Vec<String> {
        let names = things.as_array().into_iter().flatten().map(|thing| match &thing[key] {
            Value::Array(names) => names[0].as_str().unwrap().trim_start_matches('/').to_owned(),
            name => name.as_str().unwrap().to_owned(),
        });
        names.map(|name| format!("{kind} {name}")).collect()
    };
    [
        names("container", &listed("/containers/json?all=1&"), "Names"),
        names("network", &listed("/networks?"), "Name"),
        names("volume", &listed("/volumes?")["Volumes"], "Name"),
    ]
    .concat()
}

/// What the engine answers to a question.
fn answer(path: &str) -> Value {
    let mut engine =
        UnixStream::connect(engine_socket()).unwrap_or_else(|error| missing(&error.to_string()));
    write!(engine, "GET {path} HTTP/1.0\r\nHost: engine\r\n\r\n").unwrap();
    let mut answered = Vec::new();
    engine.read_to_end(&mut answered).unwrap();
    let body = memchr::memmem::find(&answered, b"\r\n\r\n").unwrap() + 4;
    serde_json::from_slice(&answered[body..]).unwrap()
}

/// Removes what [`left`] found, and waits until it is gone: a run may be removing it at the same time.
pub fn remove(left: &[String]) {
    for thing in left {
        let Some((kind, name)) = thing.split_once(' ') else { continue };
        match kind {
            "container" => docker(&["rm", "-f", "-v", name]),
            kind => docker(&[kind, "rm", name]),
        };
        let begun = Instant::now();
        while self::left(name).contains(thing) && begun.elapsed() < GONE {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// The image with an extension of ours, `ccc_own`: it has rows of its own in the tables of its
/// configuration, and a sequence.
pub fn image_with_an_extension() -> &'static str {
    const NAME: &str = "ccc-backup-test/own-extension:15";
    const CONTROL: &str = "comment = 'ours'\ndefault_version = '1.0'\nrelocatable = true\n";
    const SQL: &str = "\
        CREATE TABLE reference (k integer PRIMARY KEY, v text);\n\
        INSERT INTO reference SELECT i, 'built in ' || i FROM generate_series(1, 500) i;\n\
        CREATE TABLE jobs (id serial PRIMARY KEY, command text);\n\
        CREATE TABLE moments (at timestamptz, note text);\n\
        INSERT INTO moments VALUES (clock_timestamp(), 'made');\n\
        CREATE TABLE ticks (at timestamptz);\n\
        INSERT INTO ticks VALUES (clock_timestamp());\n\
        SELECT pg_catalog.pg_extension_config_dump('reference', 'WHERE k > 1000');\n\
        SELECT pg_catalog.pg_extension_config_dump('jobs', '');\n\
        SELECT pg_catalog.pg_extension_config_dump('jobs_id_seq', '');\n\
        SELECT pg_catalog.pg_extension_config_dump('moments', 'WHERE note <> ''made''');\n\
        SELECT pg_catalog.pg_extension_config_dump('ticks', '');\n";
    static IMAGE: OnceLock<()> = OnceLock::new();
    IMAGE.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        file("ccc_own.control", CONTROL);
        file("ccc_own--1.0.sql", SQL);
        let to = "/usr/share/postgresql/15/extension/";
        file("Dockerfile", &format!("FROM {}\nCOPY ccc_own* {to}\n", image()));
        docker_text(&["build", "-q", "-t", NAME, dir.path().to_str().unwrap()]);
    });
    NAME
}
