//! TimescaleDB, which has to be told before a restore and after it.

use super::{WITH_EXTENSIONS, configure, fixture, images, place, verified};
use crate::support::docker::{docker, docker_text};
use crate::support::{Place, wait_until};

fn configured() -> Place {
    let place = place();
    configure(&place, &images(WITH_EXTENSIONS, &["timescaledb"]));
    place
}

#[test]
fn hypertables_are_proven_chunk_by_chunk() {
    let place = configured();
    for name in [
        "timescaledb.sql",
        "timescaledb.dump",
        "timescaledb_in_a_schema.sql",
        "timescaledb_in_a_schema.dump",
    ] {
        let outcome = verified(&place, name, &fixture(name), &["--jobs", "4"]);
        outcome.passed().says("✓ Contents match the backup (27 tables)");
    }
}

#[test]
fn a_chunk_that_the_catalog_does_not_know_or_whose_row_is_damaged_fails() {
    let place = configured();
    let whole = String::from_utf8(fixture("timescaledb.sql")).unwrap();
    let last = "--\n-- PostgreSQL database dump complete";
    let delete = "DELETE FROM _timescaledb_internal._hyper_1_1_chunk WHERE device = 1;\n\n";
    let damaged = whole.replacen("2024-01-01 01:00:00+00\t1\t1", "2024-13-01 01:00:00+00\t1\t1", 1);
    assert_ne!(damaged, whole);
    verified(&place, "a.sql", damaged.as_bytes(), &[]).failed("restore error");
    let index =
        "--\n-- Name: plain plain_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres\n";
    let lost = whole.replacen(index, &format!("{delete}{index}"), 1);
    assert_ne!(lost, whole);
    verified(&place, "a.sql", lost.as_bytes(), &[])
        .failed("_timescaledb_internal._hyper_1_1_chunk: expected");
    assert!(whole.contains(last));
}

#[test]
fn it_is_restored_into_a_server_that_others_use() {
    let place = configured();
    place.file("a.sql", &fixture("timescaledb.sql"));
    let (image, name) =
        (WITH_EXTENSIONS.replace("{major}", "17"), format!("{}ts", place.container));
    let script = "initdb -D /tmp/data -A trust >/dev/null; \
                  echo 'host all all all trust' >>/tmp/data/pg_hba.conf; \
                  exec postgres -D /tmp/data -c shared_preload_libraries=timescaledb -c fsync=off \
                  -c listen_addresses='*'";
    let server = ["run", "--detach", "--publish", "127.0.0.1::5432", "--user", "postgres"];
    let command = ["--entrypoint", "sh", "--name", &name, &image, "-ec", script];
    docker_text(&[&server[..], &command[..]].concat());
    let ready = ["exec", name.as_str(), "pg_isready", "--quiet", "--host", "127.0.0.1"];
    wait_until("the server is ready", || docker(&ready).status.success());
    let port = docker_text(&["port", &name, "5432/tcp"]);
    let port = port.trim().rsplit(':').next().unwrap().to_owned();
    let connection =
        [("PGHOST", "127.0.0.1"), ("PGPORT", &port), ("PGUSER", "postgres"), ("PGDATABASE", "m")];
    let outcome = crate::support::Outcome::of(
        &place.ccc().args(["restore", "a.sql"]).envs(connection).output().unwrap(),
    );
    assert_eq!(outcome.code, 0, "{outcome}");
    let ask = |sql: &str| {
        let psql = ["exec", &name, "psql", "-XqAt", "-U", "postgres", "-d", "m", "-c", sql];
        docker_text(&psql).trim().to_owned()
    };
    assert_eq!(ask("SHOW timescaledb.restoring"), "off");
    assert_eq!(ask("SELECT count(*) FROM metrics"), "100");
    assert_eq!(ask("INSERT INTO metrics VALUES ('2025-01-01', 1, 1) RETURNING device"), "1");
    assert_eq!(ask("SELECT count(*) FROM show_chunks('metrics')"), "6");
    docker_text(&["rm", "--force", "--volumes", &name]);
}
