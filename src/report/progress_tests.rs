use indicatif::{InMemoryTerm, TermLike};

use super::*;

const MIB: u64 = 1_048_576;

fn progress(work: Work, done: u64, total: Option<u64>, current: Option<&str>) -> Progress {
    Progress { work, done, total, current: current.map(str::to_owned) }
}

fn words(progress: &Progress) -> String {
    let mut task = Task::begin();
    task.take(progress);
    task.words(progress.work, Duration::from_secs(10))
}

#[test]
fn each_work_is_told_in_its_own_units() {
    let lines = [
        progress(Work::Dumping, 120 * MIB, None, None),
        progress(Work::Dumping, 120 * MIB, Some(480 * MIB), None),
        progress(Work::Pulling, 60 * MIB, Some(120 * MIB), Some("a1b2c3")),
        progress(Work::Reading, 10 * MIB, Some(40 * MIB), None),
        progress(Work::Restoring, 450 * MIB, Some(500 * MIB), Some("public.users")),
        progress(Work::Restoring, 500 * MIB, Some(500 * MIB), None),
        progress(Work::Restoring, 0, Some(500 * MIB), None),
        progress(Work::Comparing, 7, Some(18), None),
        progress(Work::Comparing, 7, None, None),
        progress(Work::ComparingObjects, 10 * MIB, Some(40 * MIB), None),
    ];
    insta::assert_snapshot!(lines.iter().map(words).collect::<Vec<_>>().join("\n"), @r#"
    dumping: 120.0 MiB, 12.0 MiB/s
    dumping: 120.0 MiB, from a database of 480.0 MiB, 12.0 MiB/s
    pulling image: 50 % of 120.0 MiB, 6.0 MiB/s, 10 s left
    reading: 25 % of 40.0 MiB, 1.0 MiB/s, 30 s left
    restoring: 90 % of 500.0 MiB, 45.0 MiB/s, 2 s left, public.users
    restoring: 100 % of 500.0 MiB, 50.0 MiB/s
    restoring: 0 % of 500.0 MiB
    comparing: 7 of 18 tables
    comparing: 7 tables
    comparing large objects: 25 % of 40.0 MiB, 1.0 MiB/s, 30 s left
    "#);
}

#[test]
fn what_comes_after_the_bytes_is_known_from_other_runs() {
    let words = |done, seconds| {
        let mut task = Task::begin();
        task.take(&progress(Work::Restoring, done * MIB, Some(500 * MIB), None));
        task.expected = Some(Duration::from_secs(100));
        task.words(Work::Restoring, Duration::from_secs(seconds))
    };
    assert!(words(450, 10).ends_with(", 1 min 30 s left"), "{}", words(450, 10));
    assert!(words(500, 40).ends_with("100 % of 500.0 MiB, 12.5 MiB/s, 1 min left"));
    // It takes longer than the others did.
    assert!(words(10, 99).ends_with(", 1 h 20 min left"), "{}", words(10, 99));
    assert!(words(500, 200).ends_with("MiB/s"), "{}", words(500, 200));
}

#[test]
fn the_layers_of_an_image_are_added_up() {
    let mut task = Task::begin();
    task.take(&progress(Work::Pulling, 10 * MIB, Some(20 * MIB), Some("a")));
    task.take(&progress(Work::Pulling, 30 * MIB, Some(60 * MIB), Some("b")));
    // Unpacking begins at nothing again.
    task.take(&progress(Work::Pulling, 0, Some(20 * MIB), Some("a")));
    assert_eq!((task.done, task.total), (40 * MIB, Some(80 * MIB)));
}

#[test]
fn a_line_comes_from_time_to_time_until_the_work_ends() {
    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);
    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let out = Shared::default();
    let period = Duration::from_millis(20);
    let bars = Bars::new(Show::Lines, ProgressDrawTarget::hidden(), out.clone(), period);
    let lines = || String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
    std::thread::sleep(3 * period);
    assert_eq!(lines(), "");
    bars.update(&progress(Work::Comparing, 7, Some(18), None));
    let clock = Instant::now();
    while !lines().contains("comparing: 7 of 18 tables") {
        assert!(clock.elapsed() < Duration::from_secs(10), "no line");
        std::thread::sleep(period);
    }
    bars.clear();
    let ended = lines();
    std::thread::sleep(3 * period);
    assert_eq!(lines(), ended);
}

#[test]
fn a_bar_makes_room_for_what_is_printed_and_is_gone_at_the_end() {
    let term = InMemoryTerm::new(10, 80);
    let target = ProgressDrawTarget::term_like(Box::new(term.clone()));
    let bars = Bars::new(Show::Bars, target, std::io::sink(), PERIOD);
    let half = progress(Work::Reading, 20 * MIB, Some(40 * MIB), None);
    bars.update(&half);
    assert_eq!(term.contents(), "", "work that ends soon has no bar");
    std::thread::sleep(SOON);
    bars.update(&half);
    let bar = "#############----------- reading: 50 % of 40.0 MiB";
    assert!(term.contents().starts_with(bar), "{}", term.contents());
    bars.suspend(|| {
        assert_eq!(term.contents(), "");
        term.write_line("✓ Container started").unwrap();
    });
    let mut lines = term.contents();
    assert!(lines.starts_with(&format!("✓ Container started\n{bar}")), "{lines}");
    bars.clear();
    lines = term.contents();
    assert_eq!(lines.trim_end(), "✓ Container started");
}

#[test]
fn what_is_silent_prints_nothing_and_keeps_nothing() {
    let bars = Bars::on_stderr(Show::Nothing);
    bars.update(&progress(Work::Reading, 1, None, None));
    assert!(bars.lock().is_empty());
}
