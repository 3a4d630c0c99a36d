use super::*;
use crate::restore::plan::Job;
use crate::restore::readable::Readable;

fn job(work: Work, after: &[usize], way: u64, locks: &[&str]) -> Job {
    let relation = |name: &&str| Relation { schema: "public".into(), name: (*name).into() };
    let locks = locks.iter().map(relation).collect();
    Job { work, after: after.to_vec(), cost: way, way, tablespace: None, locks }
}

fn schedule(jobs: Vec<Job>, order: Order) -> Schedule {
    Schedule::new(Plan { jobs, readable: Vec::new() }, order, 2)
}

/// What can be taken at once by connections that are not the main one.
fn takeable(schedule: &Schedule) -> Vec<Task> {
    let mut state = schedule.state();
    std::iter::from_fn(|| state.take(false, &schedule.plan, schedule.order)).collect()
}

fn loads(ways: &[u64]) -> Vec<Job> {
    ways.iter().map(|way| job(Work::Load(0), &[], *way, &[])).collect()
}

#[test]
fn what_the_longest_way_begins_with_goes_first() {
    let schedule = schedule(loads(&[1, 3, 2]), Order::Way);
    assert_eq!(takeable(&schedule), [Task::Job(1), Task::Job(2), Task::Job(0)]);
}

#[test]
fn in_dump_order_one_table_is_read_at_a_time() {
    let schedule = schedule(loads(&[1, 3, 2]), Order::Dump);
    assert_eq!(takeable(&schedule), [Task::Job(0)]);
    schedule.release_reader();
    assert_eq!(takeable(&schedule), [Task::Job(1)]);
}

#[test]
fn in_dump_order_no_table_overtakes_one_that_waits() {
    let mut jobs = vec![job(Work::Serial { from: 0, to: 1 }, &[], 0, &[])];
    jobs.extend([job(Work::Load(1), &[0], 1, &[]), job(Work::Load(2), &[], 1, &[])]);
    let schedule = schedule(jobs, Order::Dump);
    assert_eq!(takeable(&schedule), []);
    schedule.done(Task::Job(0));
    assert_eq!(takeable(&schedule), [Task::Job(1)]);
}

#[test]
fn what_follows_a_parted_table_waits_for_all_of_its_parts() {
    for order in [Order::Way, Order::Dump] {
        let jobs = vec![job(Work::Load(0), &[], 9, &[]), job(Work::Run(1), &[0], 9, &[])];
        let schedule = schedule(jobs, order);
        assert_eq!(takeable(&schedule), [Task::Job(0)]);
        schedule.share(0, 3..8, 2);
        schedule.release_reader();
        schedule.done(Task::Job(0));
        for (from, to) in [(3, 5), (5, 7), (7, 8)] {
            let task = Task::Parts { job: 0, from, to };
            assert_eq!(schedule.state().take(false, &schedule.plan, order), Some(task));
            schedule.release_reader();
            schedule.done(task);
        }
        assert_eq!(takeable(&schedule), [Task::Job(1)]);
    }
}

#[test]
fn foreign_keys_on_one_table_run_one_at_a_time() {
    let jobs = vec![
        job(Work::Run(0), &[], 9, &["a", "b"]),
        job(Work::Run(1), &[], 8, &["b", "c"]),
        job(Work::Run(2), &[], 7, &["c", "d"]),
    ];
    let schedule = schedule(jobs, Order::Way);
    assert_eq!(takeable(&schedule), [Task::Job(0), Task::Job(2)]);
    schedule.done(Task::Job(0));
    assert_eq!(takeable(&schedule), []);
    schedule.done(Task::Job(2));
    assert_eq!(takeable(&schedule), [Task::Job(1)]);
}

#[tokio::test]
async fn parts_are_wanted_while_somebody_waits() {
    let schedule = std::sync::Arc::new(schedule(loads(&[1]), Order::Way));
    assert!(!schedule.wants_parts(0, 0));
    assert_eq!(schedule.next(true).await, Some(Task::Job(0)));
    let other = tokio::spawn({
        let schedule = std::sync::Arc::clone(&schedule);
        async move { schedule.next(false).await }
    });
    while !schedule.wants_parts(0, 0) {
        tokio::task::yield_now().await;
    }
    schedule.share(0, 1..2, 8);
    assert_eq!(other.await.unwrap(), Some(Task::Parts { job: 0, from: 1, to: 2 }));
    assert!(!schedule.wants_parts(0, 0));
    schedule.done(Task::Job(0));
    schedule.done(Task::Parts { job: 0, from: 1, to: 2 });
    assert_eq!(schedule.next(true).await, None);
}

/// A connection that has nothing to do, and the task that it takes then.
struct Waiting(tokio::task::JoinHandle<Option<Task>>);

#[tokio::test]
async fn tables_are_read_back_while_somebody_waits_and_none_is_on_its_way() {
    let readable = |entry, after: &[usize], cost| Readable { entry, after: after.to_vec(), cost };
    let jobs = vec![
        job(Work::Load(0), &[], 9, &[]),
        job(Work::Load(1), &[], 8, &[]),
        job(Work::Run(2), &[1], 7, &[]),
        job(Work::Run(3), &[2], 6, &[]),
    ];
    let readable = vec![readable(0, &[0], 5), readable(1, &[1, 3], 9), readable(4, &[0], 6)];
    let schedule = Arc::new(Schedule::new(Plan { jobs, readable }, Order::Way, 2));
    let offered = || schedule.state().take_readable(&schedule.plan);
    let wait = async |main| {
        let waiting = Arc::clone(&schedule);
        let waiting = tokio::spawn(async move { waiting.next(main).await });
        while schedule.state().idle == 0 {
            tokio::task::yield_now().await;
        }
        Waiting(waiting)
    };
    assert_eq!(schedule.next(true).await, Some(Task::Job(0)));
    assert_eq!(schedule.next(false).await, Some(Task::Job(1)));
    schedule.done(Task::Job(0));
    let Waiting(waiting) = wait(true).await;
    assert_eq!(offered(), None, "the other table is on its way, and its parts come first");
    schedule.done(Task::Job(1));
    assert_eq!(waiting.await.unwrap(), Some(Task::Job(2)));
    assert_eq!(offered(), None, "nobody waits");
    let Waiting(waiting) = wait(false).await;
    assert_eq!(offered(), Some(4), "the one that takes longest comes first");
    let reading = Reading(Arc::clone(&schedule));
    assert_eq!(offered(), None, "one waits, and one is read for it");
    drop(reading);
    assert_eq!(schedule.next_to_read_back().await.map(|(entry, _)| entry), Some(0));
    schedule.done(Task::Job(2));
    assert_eq!(waiting.await.unwrap(), Some(Task::Job(3)));
    schedule.done(Task::Job(3));
    assert!(schedule.next_to_read_back().await.is_none(), "nobody waits for what was not read");
    assert_eq!(schedule.next(true).await, None);
}

#[test]
fn what_takes_longer_to_read_than_the_rest_of_the_restore_is_left_for_its_end() {
    let readable = |entry, cost| Readable { entry, after: Vec::new(), cost };
    let jobs = vec![job(Work::Run(0), &[], 9, &[]), job(Work::Run(1), &[], 5, &[])];
    let readable = vec![readable(7, 10), readable(8, 6), readable(9, 4)];
    let schedule = Schedule::new(Plan { jobs, readable }, Order::Way, 9);
    schedule.state().idle = 9;
    let offered = || schedule.state().take_readable(&schedule.plan);
    assert_eq!(offered(), Some(8));
    schedule.done(Task::Job(0));
    assert_eq!(offered(), Some(9), "what is left takes 5");
    assert_eq!(offered(), None);
}

#[test]
fn the_last_long_job_has_the_others_for_its_helpers() {
    let jobs = vec![
        job(Work::Run(0), &[], 90, &[]),
        job(Work::Run(1), &[], 30, &[]),
        job(Work::Run(2), &[], 10, &[]),
    ];
    let schedule = Schedule::new(Plan { jobs, readable: Vec::new() }, Order::Way, 4);
    let take = || schedule.state().take(false, &schedule.plan, schedule.order);
    assert_eq!(take(), Some(Task::Job(0)));
    assert_eq!(schedule.spare(0), 3, "what waits takes less than half of it");
    assert_eq!(take(), Some(Task::Job(1)));
    assert_eq!(schedule.spare(1), 3);
    let jobs = vec![job(Work::Run(0), &[], 50, &[]), job(Work::Run(1), &[], 40, &[])];
    let schedule = Schedule::new(Plan { jobs, readable: Vec::new() }, Order::Way, 4);
    assert_eq!(schedule.state().take(false, &schedule.plan, Order::Way), Some(Task::Job(0)));
    assert_eq!(schedule.spare(0), 0);
}

#[test]
fn a_table_before_a_long_way_is_shared_while_there_is_something_to_do_beside_that_way() {
    // Behind the rows there is a way of 40 that one connection goes alone.
    let with = |beside: u64| {
        let jobs = vec![
            job(Work::Load(0), &[], 60, &[]),
            job(Work::Run(1), &[0], 40, &[]),
            job(Work::Run(2), &[], beside, &[]),
        ];
        let mut schedule = schedule(jobs, Order::Way);
        schedule.plan.jobs[0].cost = 20;
        schedule.state().cost_left = 20 + 40 + beside;
        let behind = schedule.plan.cost_behind(0);
        assert_eq!(behind, 40);
        schedule.wants_parts(0, behind)
    };
    assert!(with(49), "a quarter more than the guess");
    assert!(!with(51), "more is left than the other connection can do at the end");
}
