//! `copy` that is killed on its way and run again: it goes on where it was, and what lay there whole is not sent again.

use std::collections::BTreeMap;
use std::path::Path;

use super::cut_short::{instants, slow, taking_its_time, wait_for, wait_for_second_part};
use super::{Bucket, bulky, succeeded};
use crate::support::faulty::Faulty;
use crate::support::s3::seaweed;
use crate::support::{Outcome, Place, Running, length};

const BACKUPS: [(&str, &str); 2] =
    [("plain", "backup_20260101_000000.sql"), ("directory", "backup_20260102_000000.dir")];

/// Files by their names below a place.
type Files = BTreeMap<String, Vec<u8>>;

/// A directory `backups` with a backup of each of these formats.
fn backups(place: &Place, name: &str) -> Files {
    let database = bulky(name, 20);
    for (format, backup) in BACKUPS {
        let mut create = place.create(&database);
        create.args([&format!("backups/{backup}"), "--format", format, "--compress", "none"]);
        succeeded(&Outcome::of(&create.arg("--globals").output().unwrap()));
    }
    on_disk(&place.dir().join("backups"))
}

/// The files below a directory, but for the history.
fn on_disk(dir: &Path) -> Files {
    let mut files = Files::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            let within = on_disk(&path).into_iter();
            files.extend(within.map(|(file, bytes)| (format!("{name}/{file}"), bytes)));
        } else if name != "history.jsonl" {
            files.insert(name, std::fs::read(&path).unwrap());
        }
    }
    files
}

/// What lies in a bucket, by the same names.
fn in_bucket(bucket: &Bucket) -> Files {
    let file = |key: String| {
        let bytes = bucket.server.get(&bucket.name, &key);
        (key.trim_start_matches("p/").to_owned(), bytes)
    };
    bucket.names().into_iter().map(file).collect()
}

/// `copy` by this way, begun.
fn copy(place: &Place, bucket: &Bucket, way: &Faulty, from: &str, to: &str) -> Running {
    Running::start_with(place, &["copy", from, to, "--missing"], bucket.by(way))
}

/// The files of a bucket of which something was sent by this way.
fn sent(way: &Faulty, bucket: &Bucket) -> Vec<String> {
    let below = format!("/{}/p/", bucket.name);
    let puts = way.come().into_iter().filter(|request| matches!(&*request.verb, "PUT" | "POST"));
    let files = puts.filter_map(|put| {
        let path = put.path.split('?').next().unwrap().to_owned();
        Some(path.strip_prefix(&below)?.to_owned())
    });
    files.filter(|file| !file.starts_with("history/")).collect()
}

/// The files of backups of which something was read by this way; what stands beside them is small.
fn brought(way: &Faulty, files: &Files) -> Vec<String> {
    let gets = way.come().into_iter().filter(|request| request.verb == "GET");
    let paths = gets.map(|get| get.path.split('?').next().unwrap().to_owned());
    let named = paths.filter_map(|path| Some(path.split_once("/p/")?.1.to_owned()));
    let is_beside = |name: &str| name.ends_with(".manifest.json");
    named.filter(|name| files.contains_key(name) && !is_beside(name)).collect()
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn a_copy_that_was_killed_goes_on_where_it_was_and_sends_nothing_again_that_lay_there_whole() {
        let place = Place::without_docker();
        let files = backups(&place, "killed_copies");
        let first = Bucket::of(seaweed());
        let way = slow(&first);
        succeeded(&copy(&place, &first, &way, "backups", &first.url()).end().0);
        assert!(in_bucket(&first) == files);
        let requests = way.come().len();
        // Another place may be the one that it is brought from.
        for from in ["backups", &first.url()] {
            let mut went_on = 0;
            for instant in instants(length(5, 40), requests) {
                let bucket = Bucket::of(seaweed());
                let way = slow(&bucket);
                let mut run = copy(&place, &bucket, &way, from, &bucket.url());
                wait_for(&mut run, &way, instant);
                run.kill();
                way.settle();
                let there = in_bucket(&bucket);
                for (name, bytes) in &there {
                    assert!(files[name] == *bytes, "half of {name} lies there after {instant:?}");
                }
                for (_, backup) in BACKUPS {
                    let has_mark = there.contains_key(&format!("{backup}.manifest.json"));
                    let mut its = files.keys().filter(|name| name.starts_with(backup));
                    assert!(!has_mark || its.all(|name| there.contains_key(name)), "{backup}");
                }

                let way = Faulty::passing(bucket.server.port());
                let (copied, _) = copy(&place, &bucket, &way, from, &bucket.url()).end();
                succeeded(&copied);
                assert!(in_bucket(&bucket) == files, "after {instant:?}: {copied}");
                let sent = sent(&way, &bucket);
                let again: Vec<_> = sent.iter().filter(|name| there.contains_key(*name)).collect();
                assert!(again.is_empty(), "sent again after {instant:?}: {again:?}");
                went_on += usize::from(!there.is_empty() && !sent.is_empty());
            }
            assert!(went_on > 0, "none was cut in its middle");
        }
    }

    #[test]
    fn a_copy_from_a_place_into_a_directory_that_was_killed_is_whole_when_it_is_run_again() {
        let place = Place::without_docker();
        let files = backups(&place, "killed_copies_back");
        let bucket = Bucket::of(seaweed());
        succeeded(&bucket.run(&place, &["copy", "backups", &bucket.url(), "--missing"]));
        let way = Faulty::passing(bucket.server.port());
        succeeded(&copy(&place, &bucket, &way, &bucket.url(), "back").end().0);
        assert!(on_disk(&place.dir().join("back")) == files);
        let requests = way.come().len();
        // Without the manifests they are what a run leaves that is killed before its last step.
        for (_, backup) in BACKUPS {
            std::fs::remove_file(place.dir().join(format!("back/{backup}.manifest.json"))).unwrap();
        }
        let way = Faulty::passing(bucket.server.port());
        succeeded(&copy(&place, &bucket, &way, &bucket.url(), "back").end().0);
        assert!(on_disk(&place.dir().join("back")) == files);
        assert_eq!(brought(&way, &files), [""; 0]);
        for (number, instant) in (0..).zip(instants(length(5, 40), requests)) {
            let (to, way) = (format!("back{number}"), Faulty::passing(bucket.server.port()));
            let mut run = copy(&place, &bucket, &way, &bucket.url(), &to);
            wait_for(&mut run, &way, instant);
            run.kill();
            let dir = place.dir().join(&to);
            let there = if dir.exists() { on_disk(&dir) } else { Files::new() };
            let shown = there.iter().filter(|(name, _)| !name.starts_with('.'));
            for (name, bytes) in shown {
                assert!(files[name] == *bytes, "half of {name} lies there after {instant:?}");
            }

            let way = Faulty::passing(bucket.server.port());
            succeeded(&copy(&place, &bucket, &way, &bucket.url(), &to).end().0);
            assert!(on_disk(&dir) == files, "after {instant:?}: {:?}", place.names(&to));
            let brought = brought(&way, &files);
            let again: Vec<_> = brought.iter().filter(|name| there.contains_key(*name)).collect();
            assert!(again.is_empty(), "brought again after {instant:?}: {again:?}");
        }
    }

    #[test]
    fn a_copy_that_is_interrupted_takes_back_what_is_under_way_and_goes_on_with_the_rest() {
        let place = Place::without_docker();
        let files = backups(&place, "interrupted_copies");
        let bucket = Bucket::of(seaweed());
        let way = taking_its_time(&bucket);
        let mut run = copy(&place, &bucket, &way, "backups", &bucket.url());
        wait_for_second_part(&way);
        run.interrupt();
        let (outcome, _) = run.end();
        assert_eq!(outcome.code, 2, "{outcome}");
        assert_eq!(bucket.server.uploads(&bucket.name), [""; 0], "{outcome}");
        assert!(in_bucket(&bucket).iter().all(|(name, bytes)| files[name] == *bytes), "{outcome}");
        succeeded(&bucket.run(&place, &["copy", "backups", &bucket.url(), "--missing"]));
        assert!(in_bucket(&bucket) == files);
    }
}
