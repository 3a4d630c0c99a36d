use std::time::Duration;

use proptest::prelude::*;

use super::*;

const NAME: &str = "backup_20260114_020000.sql.gz";
const BYTES: u64 = 5;
const SHA: &str = "aa";
const OTHER: &str = "bb";

fn run(work: Work, verdict: Verdict, minute: u64) -> Record {
    let at = DateTime::UNIX_EPOCH + Duration::from_secs(60 * minute);
    let mut record = Record::new(work, NAME, at, verdict);
    record.file_bytes = Some(BYTES);
    record
}

/// A verification that read these bytes.
fn read(sha256: &str, verdict: Verdict, minute: u64) -> Record {
    Record { sha256: Some(sha256.into()), ..run(Work::Verify, verdict, minute) }
}

fn made(sha256: &str, minute: u64) -> Record {
    Record { sha256: Some(sha256.into()), ..run(Work::Create, Verdict::Passed, minute) }
}

fn memory(histories: &[(&str, &[Record])]) -> Memory {
    let history = |records: &[Record]| History { records: records.to_vec(), ..History::default() };
    Memory::of(histories.iter().map(|(dir, records)| (dir.into(), history(records))).collect())
}

/// What is proven of the backup in `dir` whose manifest records this checksum.
fn proven_in(memory: &Memory, dir: &str, recorded: Option<&str>) -> Option<Proven> {
    let path = Path::new(dir).join(NAME);
    memory.of_backup(&Backup { path: &path, bytes: BYTES, recorded }).proven()
}

fn proven(records: &[Record], recorded: Option<&str>) -> Option<Proven> {
    proven_in(&memory(&[("/b", records)]), "/b", recorded)
}

#[test]
fn the_last_verdict_that_could_tell_counts() {
    use Verdict::{Failed, NotVerified, Passed};
    let cases = [
        (vec![Passed, NotVerified], Some(Proven::Sound)),
        (vec![Passed, Failed], Some(Proven::Bad)),
        (vec![Failed, NotVerified], Some(Proven::Bad)),
        (vec![Failed, Passed], Some(Proven::Sound)),
        (vec![NotVerified], None),
        (vec![], None),
    ];
    for (verdicts, expected) in cases {
        let records: Vec<_> =
            (1..).zip(&verdicts).map(|(minute, verdict)| read(SHA, *verdict, minute)).collect();
        assert_eq!(proven(&records, Some(SHA)), expected, "{verdicts:?}");
        assert_eq!(proven(&records, None), expected, "{verdicts:?}, without a manifest");
    }
}

#[test]
fn a_verdict_is_about_the_bytes_and_not_about_the_name() {
    let records = [made(SHA, 1), read(SHA, Verdict::Passed, 2)];
    let memory = memory(&[("/b", &records)]);
    let of = |path: &str, recorded| {
        let backup = Backup { path: Path::new(path), bytes: BYTES, recorded };
        memory.of_backup(&backup).proven()
    };
    assert_eq!(of("/b/renamed.sql.gz", Some(SHA)), Some(Proven::Sound));
    assert_eq!(of("/elsewhere/copy.sql.gz", Some(SHA)), Some(Proven::Sound));
    assert_eq!(of("/b/renamed.sql.gz", Some(OTHER)), None);
    assert_eq!(of("/b/renamed.sql.gz", None), None, "nothing says what it is");
}

#[test]
fn a_backup_made_anew_under_an_old_name_has_no_verdict() {
    let old = [made(SHA, 1), read(SHA, Verdict::Passed, 2)];
    let anew = [old.as_slice(), &[made(OTHER, 3)]].concat();
    assert_eq!(proven(&anew, Some(OTHER)), None);
    // Its manifest was lost.
    assert_eq!(proven(&anew, None), None);
    // Nor have lines of older versions, which do not say what they read.
    let nameless = [run(Work::Verify, Verdict::Passed, 2), made(OTHER, 3)];
    assert_eq!(proven(&nameless, Some(OTHER)), None);
    // One that was not made changes nothing, and the same bytes are as good as they were.
    let failed = [old.as_slice(), &[run(Work::Create, Verdict::Failed, 3)]].concat();
    assert_eq!(proven(&failed, Some(SHA)), Some(Proven::Sound));
    let same = [old.as_slice(), &[made(SHA, 3)]].concat();
    assert_eq!(proven(&same, Some(SHA)), Some(Proven::Sound));
}

#[test]
fn a_file_that_was_found_to_be_another_than_the_manifest_says_is_what_was_found() {
    let rotten = [made(SHA, 1), read(SHA, Verdict::Passed, 2), read(OTHER, Verdict::Failed, 3)];
    assert_eq!(proven(&rotten, Some(SHA)), Some(Proven::Bad));
    assert_eq!(proven(&rotten, None), Some(Proven::Bad));
    // Put back from another copy, and verified.
    let healed = [rotten.as_slice(), &[read(SHA, Verdict::Passed, 4)]].concat();
    assert_eq!(proven(&healed, Some(SHA)), Some(Proven::Sound));
    // Not even a run that could not tell leaves it for what it was.
    let unknown =
        [made(SHA, 1), read(SHA, Verdict::Passed, 2), read(OTHER, Verdict::NotVerified, 3)];
    assert_eq!(proven(&unknown, None), None);
    // A copy elsewhere with the same name and size is the one that its manifest says.
    let memory = memory(&[("/b", &rotten)]);
    assert_eq!(proven_in(&memory, "/copies", Some(SHA)), Some(Proven::Sound));
    assert_eq!(proven_in(&memory, "/b", Some(SHA)), Some(Proven::Bad));
}

#[test]
fn a_file_that_was_put_in_the_place_of_a_bad_one_is_neither_good_nor_bad_until_it_is_verified() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().canonicalize().unwrap();
    let path = home.join(NAME);
    std::fs::write(&path, b"12345").unwrap();
    let now = Utc::now();
    let at = |run: Record, seconds_ago: i64| Record {
        started_at: now - TimeDelta::seconds(seconds_ago),
        ..run
    };
    let of = |runs: &[Record], recorded| {
        let history = History { records: runs.to_vec(), ..History::default() };
        let memory = Memory::of(vec![(home.clone(), history)]);
        memory.of_backup(&Backup { path: &path, bytes: BYTES, recorded }).proven()
    };
    // The file is of now.
    for verdict in [Verdict::Failed, Verdict::Passed] {
        let before = at(read(OTHER, verdict, 0), 3600);
        assert_eq!(of(std::slice::from_ref(&before), Some(SHA)), None);
        let elsewhere =
            Record { directory: Some("copies".into()), ..at(read(SHA, Verdict::Passed, 0), 9) };
        assert_eq!(of(&[before, elsewhere], Some(SHA)), None, "it may be either");
    }
    let since = at(read(OTHER, Verdict::Failed, 0), -3600);
    assert_eq!(of(&[since], Some(SHA)), Some(Proven::Bad));
    let passed = at(read(SHA, Verdict::Passed, 0), 3600);
    assert_eq!(
        of(std::slice::from_ref(&passed), Some(SHA)),
        Some(Proven::Sound),
        "of the same bytes"
    );
    assert_eq!(of(&[passed], None), Some(Proven::Sound), "nothing says that it is another");
}

#[test]
fn lines_that_do_not_say_what_they_read_go_by_name_size_and_place() {
    let old = [run(Work::Verify, Verdict::Passed, 1)];
    assert_eq!(proven(&old, Some(SHA)), Some(Proven::Sound));
    assert_eq!(proven(&old, None), Some(Proven::Sound));
    let mut other_size = old.clone();
    other_size[0].file_bytes = Some(BYTES + 1);
    assert_eq!(proven(&other_size, Some(SHA)), None);
    let above = memory(&[("/b", &old)]);
    assert_eq!(proven_in(&above, "/b/database", Some(SHA)), Some(Proven::Sound));
    assert_eq!(proven_in(&above, "/b/a/b", Some(SHA)), None, "verify looks no deeper");
    assert_eq!(proven_in(&above, "/", Some(SHA)), None, "nor above");
}

#[test]
fn a_verdict_counts_wherever_its_run_was_started() {
    let passed = Record { directory: Some("database".into()), ..read(SHA, Verdict::Passed, 2) };
    let made_there = [made(SHA, 1)];
    let memory = memory(&[("/b/database", &made_there), ("/b", std::slice::from_ref(&passed))]);
    assert_eq!(proven_in(&memory, "/b/database", Some(SHA)), Some(Proven::Sound));
    assert_eq!(proven_in(&memory, "/b/database", None), Some(Proven::Sound), "by the create");
    // The newest verdict counts, whichever history it is in.
    let failed = [made(SHA, 1), read(SHA, Verdict::Failed, 3)];
    let both = self::memory(&[("/b", std::slice::from_ref(&passed)), ("/b/database", &failed)]);
    assert_eq!(proven_in(&both, "/b/database", Some(SHA)), Some(Proven::Bad));
}

#[test]
fn what_proved_one_of_two_files_of_a_name_bad_is_not_held_against_the_other() {
    let of = |directory: &str, sha256, verdict, minute| Record {
        directory: Some(directory.into()),
        ..read(sha256, verdict, minute)
    };
    let runs = [of("one", SHA, Verdict::Passed, 1), of("two", OTHER, Verdict::Failed, 2)];
    let memory = memory(&[("/b", &runs)]);
    assert_eq!(proven_in(&memory, "/b/one", None), Some(Proven::Sound));
    assert_eq!(proven_in(&memory, "/b/two", None), Some(Proven::Bad));
    // A copy of the bad one is bad, whatever its manifest is called.
    assert_eq!(proven_in(&memory, "/b/three", Some(OTHER)), Some(Proven::Bad));
}

#[test]
fn a_restore_that_took_too_long_unmarks_nothing_and_proves_the_backup_sound() {
    let slow = |soundness| Record {
        soundness: Some(soundness),
        failed_checks: vec!["restore.rto".into()],
        ..read(SHA, Verdict::Failed, 2)
    };
    let memory = memory(&[("/b", &[slow(Verdict::Passed)])]);
    let path = Path::new("/b").join(NAME);
    let known = memory.of_backup(&Backup { path: &path, bytes: BYTES, recorded: None });
    let judged = known.verdict().unwrap();
    assert_eq!((judged.verdict, judged.rto_missed), (Verdict::Passed, true));
    // Cut short after its time was up: it could not be told.
    let cut = [read(SHA, Verdict::Passed, 1), slow(Verdict::NotVerified)];
    assert_eq!(proven(&cut, None), Some(Proven::Sound));
    assert_eq!(proven(&cut[1..], None), None);
    let bad = [read(SHA, Verdict::Passed, 1), slow(Verdict::Failed)];
    assert_eq!(proven(&bad, None), Some(Proven::Bad));
}

#[test]
fn the_order_of_a_history_counts_more_than_its_times() {
    // The clock was wrong when it passed.
    let runs = [read(SHA, Verdict::Passed, 9_000_000), read(SHA, Verdict::Failed, 3)];
    assert_eq!(proven(&runs, Some(SHA)), Some(Proven::Bad));
}

fn any_run() -> impl Strategy<Value = Record> {
    let verdicts =
        prop_oneof![Just(Verdict::Passed), Just(Verdict::Failed), Just(Verdict::NotVerified)];
    let sha256 = prop_oneof![Just(None), Just(Some(SHA)), Just(Some(OTHER))];
    (any::<bool>(), verdicts, 0u64..20, sha256).prop_map(|(create, verdict, minute, sha256)| {
        let work = if create { Work::Create } else { Work::Verify };
        Record { sha256: sha256.map(str::to_owned), ..run(work, verdict, minute) }
    })
}

proptest! {
    #[test]
    fn a_run_that_could_not_tell_changes_nothing_of_what_is_proven(
        runs in proptest::collection::vec(any_run(), 0..12),
        at in any::<proptest::sample::Index>(),
    ) {
        // What it read is what the manifest says, so it shows no other file.
        let untold = read(SHA, Verdict::NotVerified, 20);
        let mut more = runs.clone();
        more.insert(at.index(runs.len() + 1), untold);
        let elsewhere = |records: &[Record]| {
            proven_in(&memory(&[("/b", records)]), "/copies", Some(SHA))
        };
        prop_assert_eq!(elsewhere(&more), elsewhere(&runs));
    }

    #[test]
    fn a_line_that_is_there_twice_changes_nothing(
        runs in proptest::collection::vec(any_run(), 0..12),
    ) {
        let mut copies = runs.clone();
        copies.iter_mut().for_each(|line| line.copy = true);
        let once = memory(&[("/b", &runs)]);
        let twice = memory(&[("/b", &runs), ("/b/database", &copies)]);
        for recorded in [Some(SHA), Some(OTHER)] {
            let of = |memory: &Memory| proven_in(memory, "/copies", recorded);
            prop_assert_eq!(of(&twice), of(&once));
        }
    }
}
