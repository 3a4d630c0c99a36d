//! How well a schedule keeps 1 to 64 cores at work, over plans that were recorded of real schemas (`examples/record_plan.rs`),
//! without a clock: each task takes the time that was guessed for it.
//!
//! A restore cannot take less than all work spread over all cores, nor less than the longest way through the plan, on which rows
//! are loaded by all cores at once, nor less than all foreign keys of one table, of which one runs at a time.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Deserialize;

use super::*;
use crate::restore::plan::Job;
use crate::restore::readable::Readable;

const CORES: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];
/// As many parts of a table are taken together, see `parallel`.
const TOGETHER: usize = 4;
/// How long a restore may be on so many cores at the most, as a part of what it cannot be shorter than.
const MOST: (usize, f64) = (4, 1.10);

/// Kind, microseconds, jobs before, tables locked, parts.
type RecordedJob = (String, Cost, Vec<usize>, Vec<usize>, usize);

#[derive(Deserialize)]
struct Recorded {
    jobs: Vec<RecordedJob>,
    /// Jobs before, microseconds.
    readable: Vec<(Vec<usize>, Cost)>,
}

impl Recorded {
    fn plan(&self) -> Plan {
        let mut jobs: Vec<Job> = Vec::new();
        for (id, (kind, cost, after, locks, _)) in self.jobs.iter().enumerate() {
            let work = match kind.as_str() {
                "load" => Work::Load(id),
                "run" => Work::Run(id),
                "serial" => Work::Serial { from: id, to: id + 1 },
                other => panic!("no kind of job: {other}"),
            };
            let lock = |number: &usize| Relation {
                schema: "public".into(),
                name: number.to_string().as_str().into(),
            };
            let locks = locks.iter().map(lock).collect();
            let (after, cost) = (after.clone(), *cost);
            jobs.push(Job { work, after, cost, way: 0, tablespace: None, locks });
        }
        let readable = self.readable.iter().map(|(after, cost)| Readable {
            entry: 0,
            after: after.clone(),
            cost: *cost,
        });
        let mut plan = Plan { jobs, readable: readable.collect() };
        plan.find_ways();
        plan
    }

    /// What a restore and the proof of it cannot be shorter than.
    fn least(&self, cores: usize) -> f64 {
        let alone = |(kind, cost, _, _, parts): &RecordedJob| {
            let share = if kind == "load" { cores.min(*parts) } else { 1 };
            *cost as f64 / share as f64
        };
        let mut ends: Vec<f64> = Vec::new();
        let mut keys: BTreeMap<usize, Vec<(f64, f64)>> = BTreeMap::new();
        for job in &self.jobs {
            let begins = job.2.iter().map(|before| ends[*before]).fold(0.0, f64::max);
            ends.push(begins + alone(job));
            for table in &job.3 {
                keys.entry(*table).or_default().push((begins, job.1 as f64));
            }
        }
        // Those that begin no sooner than one of them come after that, one after the other.
        let in_turn = keys.values().flat_map(|keys| {
            keys.iter().map(|(first, _)| {
                let later = keys.iter().filter(|(begins, _)| begins >= first);
                first + later.map(|(_, cost)| cost).sum::<f64>()
            })
        });
        let read = self.readable.iter().map(|(_, cost)| *cost);
        let work: Cost = self.jobs.iter().map(|job| job.1).chain(read).sum();
        let longest = ends.iter().copied().chain(in_turn).fold(0.0, f64::max);
        longest.max(work as f64 / cores as f64)
    }
}

/// What a core is at.
struct Doing {
    /// Nobody's where a table is read back.
    worker: Option<usize>,
    task: Option<Task>,
    /// The part of a load that is on its way.
    part: usize,
    /// Microseconds.
    left: f64,
}

struct Simulation<'a> {
    recorded: &'a Recorded,
    schedule: Schedule,
    cores: usize,
    idle: Vec<usize>,
    doing: Vec<Doing>,
}

impl<'a> Simulation<'a> {
    fn of(recorded: &'a Recorded, cores: usize) -> Self {
        Self {
            recorded,
            schedule: Schedule::new(recorded.plan(), Order::Way, cores),
            cores,
            idle: (0..cores).collect(),
            doing: Vec::new(),
        }
    }

    /// How long restore and proof take, in microseconds.
    fn run(mut self) -> f64 {
        let mut now = 0.0;
        loop {
            self.hand_out();
            let next = self.doing.iter().map(|doing| doing.left).reduce(f64::min);
            let Some(next) = next else { break };
            // More tasks than cores, where tables are read back, share them.
            let rate = (self.cores as f64 / self.doing.len() as f64).min(1.0);
            now += next / rate;
            self.doing.iter_mut().for_each(|doing| doing.left -= next);
            let (ended, going): (Vec<_>, Vec<_>) =
                self.doing.drain(..).partition(|doing| doing.left <= f64::EPSILON * now);
            self.doing = going;
            ended.into_iter().for_each(|doing| self.end(doing));
        }
        let state = self.schedule.state();
        assert_eq!(state.left, 0, "jobs were left");
        // What was not read by then is read by all cores, large tables by ranges.
        now + readable(&state) as f64 / self.cores as f64
    }

    fn hand_out(&mut self) {
        let waiting = std::mem::take(&mut self.idle);
        for worker in waiting {
            let task = self.schedule.state().take(worker == 0, &self.schedule.plan, Order::Way);
            match task {
                Some(task) => self.begin(worker, task),
                None => self.idle.push(worker),
            }
        }
        let mut state = self.schedule.state();
        state.idle = self.idle.len();
        let is_restoring = state.left > 0;
        loop {
            let before = readable(&state);
            if !is_restoring || state.take_readable(&self.schedule.plan).is_none() {
                break;
            }
            let left = (before - readable(&state)) as f64;
            self.doing.push(Doing { worker: None, task: None, part: 0, left });
        }
    }

    fn begin(&mut self, worker: usize, task: Task) {
        let (Task::Job(id) | Task::Parts { job: id, .. }) = task;
        let (kind, cost, .., parts) = &self.recorded.jobs[id];
        let parts = if kind == "load" { *parts as f64 } else { 1.0 };
        let left = match task {
            Task::Job(_) => *cost as f64 / parts,
            Task::Parts { from, to, .. } => *cost as f64 / parts * (to - from) as f64,
        };
        self.doing.push(Doing { worker: Some(worker), task: Some(task), part: 0, left });
    }

    fn end(&mut self, doing: Doing) {
        let (Some(worker), Some(task)) = (doing.worker, doing.task) else {
            self.schedule.state().readers -= 1;
            return;
        };
        if let Task::Job(id) = task
            && let (kind, cost, .., parts) = &self.recorded.jobs[id]
            && kind == "load"
            && doing.part + 1 < *parts
        {
            let next = doing.part + 1;
            if !self.schedule.wants_parts(id, self.schedule.plan.cost_behind(id)) {
                let left = *cost as f64 / *parts as f64;
                self.doing.push(Doing { part: next, left, ..doing });
                return;
            }
            self.schedule.share(id, next..*parts, TOGETHER);
        }
        self.schedule.done(task);
        self.idle.push(worker);
        self.idle.sort_unstable();
        self.hand_out();
    }
}

/// How long it takes to read back all tables that can be.
fn readable(state: &State) -> Cost {
    state.readable.iter().map(|(cost, _)| *cost).sum()
}

/// The plans, by name.
fn plans() -> BTreeMap<String, Recorded> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/plans");
    let files = std::fs::read_dir(directory).unwrap().map(|file| file.unwrap().path());
    let plan = |path: std::path::PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        (name, serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
    };
    files.map(plan).collect()
}

#[test]
fn a_restore_is_not_much_longer_than_it_must_be_on_any_number_of_cores() {
    let mut page = String::from(HEAD);
    let mut longer = Vec::new();
    let plans = plans();
    assert!(plans.len() >= 6, "{}", plans.len());
    for (name, recorded) in &plans {
        let (jobs, one) = (recorded.jobs.len(), Simulation::of(recorded, 1).run());
        write!(page, "| {name} | {jobs} |").unwrap();
        for cores in CORES {
            let took = Simulation::of(recorded, cores).run();
            let ratio = took / recorded.least(cores);
            assert!(ratio > 0.999, "{name} on {cores}: less than the least ({ratio:.3})");
            if cores <= MOST.0 && ratio > MOST.1 {
                longer.push(format!("{name} on {cores}: {ratio:.3}"));
            }
            write!(page, " {ratio:.2} ({:.1}) |", one / took).unwrap();
        }
        page.push('\n');
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/benchmarks-cores.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(kept == page, "{path} is out of date: run the tests with UPDATE_DOCS=1\n{page}");
    assert!(longer.is_empty(), "{longer:?}\n{page}");
}

const HEAD: &str = "\
# Past two cores

Written by the tests (`UPDATE_DOCS=1 cargo test simulation` writes it anew); do not edit.

A simulation of restore and proof without a clock: the schedule of a restore hands out the jobs of recorded plans
(`tests/fixtures/plans`), each of which takes the time that was guessed for it. The plans are of real schemas
(`examples/record_plan.rs`); how many rows their tables have is made up, a few very large and most of them small. `ccc` is the
database of `make bench`.

The first number is the time that it takes, divided by what it cannot be shorter than: all work spread over all cores; the longest
way through the plan, on which rows are loaded by all cores at once; the foreign keys of one table, of which one runs at a time,
from when they can begin. A test holds it to 1.10 on up to 4 cores. On more it is as good as it stands here: what is left is foreign
keys that each lock two tables, so that many wait for a few, which the divisor knows for one table at a time only. The number in
brackets is how many times as fast it is as on one core. The server's own parallel workers, which help with the last index, are not
simulated.

| plan | jobs | 1 core | 2 | 4 | 8 | 16 | 32 | 64 |
|---|--:|--:|--:|--:|--:|--:|--:|--:|
";
