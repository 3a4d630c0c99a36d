//! Two entries of which one changes what the other touches keep the dump's order, whatever is done at
//! once.

use proptest::prelude::*;

use super::*;

/// What an entry touches, as the servers's manual has it; told apart from how the planner sees it.
#[derive(Debug, Clone)]
struct Touch {
    text: Entry,
    reads: Vec<String>,
    writes: Vec<String>,
}

const TABLES: [&str; 4] = ["a", "b", "c", "d"];
const ALL: &str = "everything";

fn touch(text: Entry, reads: &[String], writes: &[String]) -> Touch {
    Touch { text, reads: reads.to_vec(), writes: writes.to_vec() }
}

/// Statements on the tables, of which `d` has a CHECK that reads all.
fn entry() -> impl Strategy<Value = Touch> {
    let table = || (0..TABLES.len()).prop_map(|at| TABLES[at]);
    let rows = |table: &str| format!("rows of {table}");
    let one = |text: String, reads: &[String], writes: &[String]| touch(run(&text), reads, writes);
    let session = || "session".to_owned();
    prop_oneof![
        4 => (table(), 1..9_u64).prop_map(move |(table, bytes)| {
            let reads = if table == "d" { vec![session(), ALL.into()] } else { vec![session()] };
            touch(copy(table, bytes), &reads, &[rows(table)])
        }),
        2 => table().prop_map(move |table| {
            let text = format!("CREATE INDEX ON_ ON public.{table} USING btree (x);");
            one(text, &[session(), rows(table)], &[])
        }),
        1 => table().prop_map(move |table| {
            let text = format!("CREATE INDEX i ON public.{table} USING btree (public.looks(x));");
            one(text, &[session(), ALL.into()], &[])
        }),
        1 => table().prop_map(move |table| {
            let text = format!("CREATE INDEX {table}_i ON public.{table} USING btree (x);");
            one(text, &[session(), rows(table)], &[format!("index {table}")])
        }),
        1 => (table(), table()).prop_map(move |(whole, part)| {
            let text = format!("ALTER INDEX public.{whole}_i ATTACH PARTITION public.{part}_i;");
            one(text, &[session()], &[rows(whole), rows(part)])
        }),
        1 => table().prop_map(move |table| {
            let text = format!("CREATE TRIGGER t AFTER INSERT ON public.{table} EXECUTE FUNCTION public.f();");
            one(text, &[session()], &[rows(table)])
        }),
        1 => table().prop_map(move |table| {
            one(format!("COMMENT ON INDEX public.{table}_i IS 'x';"), &[session()], &[format!("index {table}")])
        }),
        1 => table().prop_map(move |table| {
            let text = format!("ALTER TABLE ONLY public.{table} ADD CONSTRAINT p PRIMARY KEY (id);");
            one(text, &[session()], &[rows(table)])
        }),
        1 => (table(), table()).prop_map(move |(table, other)| {
            let text = format!("ALTER TABLE public.{table} ADD CONSTRAINT f FOREIGN KEY (x) REFERENCES public.{other}(id);");
            one(text, &[session(), rows(table), rows(other)], &[])
        }),
        1 => table().prop_map(move |table| {
            one(format!("INSERT INTO public.{table} VALUES (1);"), &[session(), ALL.into()], &[rows(table)])
        }),
        1 => (table(), 0..9_u32).prop_map(move |(name, to)| {
            one(format!("SELECT pg_catalog.setval('public.{name}', {to});"), &[], &[format!("sequence {name}")])
        }),
        1 => table().prop_map(move |name| {
            one(format!("SELECT setval('public.{name}', (SELECT max(id) FROM public.a));"), &[ALL.into()], &[ALL.into()])
        }),
        2 => prop::sample::select(vec![
            "SET work_mem = '1MB';", "SET app.x = '1';", "RESET ALL;", "SET ROLE ccc;", "DISCARD ALL;",
            "SELECT set_config('search_path', '', false);",
        ]).prop_map(move |text| one(text.into(), &[], &[session()])),
        2 => prop::sample::select(vec![
            "BEGIN;", "COMMIT;", "ROLLBACK;", "SAVEPOINT s;", "ROLLBACK TO s;", "COMMIT AND CHAIN;",
            "DO $$ BEGIN END $$;",
        ]).prop_map(move |text| one(text.into(), &[ALL.into()], &[ALL.into()])),
    ]
}

fn conflict(one: &Touch, other: &Touch) -> bool {
    let meets =
        |written: &String, touched: &String| written == touched || written == ALL || touched == ALL;
    let hits = |one: &Touch, other: &Touch| {
        one.writes.iter().any(|w| other.reads.iter().chain(&other.writes).any(|t| meets(w, t)))
    };
    hits(one, other) || hits(other, one)
}

/// For each job, all jobs that are done before it begins.
fn closure(plan: &Plan) -> Vec<BTreeSet<usize>> {
    let mut before: Vec<BTreeSet<usize>> = Vec::new();
    for job in &plan.jobs {
        let mut all: BTreeSet<usize> = job.after.iter().copied().collect();
        job.after.iter().for_each(|id| all.extend(&before[*id]));
        before.push(all);
    }
    before
}

proptest! {
    #[test]
    fn entries_that_do_not_commute_keep_their_order(
        touches in prop::collection::vec(entry(), 1..24),
        from in 0_usize..4,
    ) {
        let entries: Vec<Entry> = touches.iter().map(|touch| touch.text.clone()).collect();
        let from = from.min(entries.len());
        let mut known = catalog(&["a", "b", "c"]);
        known.reading.insert(b"looks".to_vec());
        let plan = Plan::of(&entries, from, &known);
        let before = closure(&plan);
        let job_of = |entry: usize| plan.jobs.iter().position(|job| match job.work {
            Work::Serial { from, to } => (from..to).contains(&entry),
            Work::Load(index) | Work::Run(index) => index == entry,
        });
        let mut in_transaction = false;
        for (at, touch) in touches.iter().enumerate() {
            let Entry::Statement(statement) = &touch.text else { continue };
            let within = in_transaction;
            match statement.transaction() {
                Some(Transaction::Begins) => in_transaction = true,
                Some(Transaction::Ends) => in_transaction = false,
                _ => {}
            }
            if within && at >= from {
                let job = &plan.jobs[job_of(at).unwrap()];
                prop_assert!(matches!(job.work, Work::Serial { .. }), "within a transaction: {at}");
            }
        }
        for later in from..entries.len() {
            for earlier in from..later {
                if !conflict(&touches[earlier], &touches[later]) {
                    continue;
                }
                let (first, second) = (job_of(earlier).unwrap(), job_of(later).unwrap());
                prop_assert!(
                    first == second || before[second].contains(&first),
                    "{earlier} and {later} of {touches:#?} in {plan:#?}"
                );
            }
        }
    }

    /// The other half: what commutes is not held up, where nothing stands between.
    #[test]
    fn rows_of_clean_tables_and_their_indexes_wait_for_their_own_table_alone(
        order in Just(vec!["a", "b", "c"]).prop_shuffle(),
    ) {
        let loads = order.iter().map(|table| copy(table, 1));
        let index = |table: &&str| run(&format!("CREATE INDEX i_{table} ON public.{table} USING btree (x);"));
        let entries: Vec<Entry> = loads.chain(order.iter().map(index)).collect();
        let plan = Plan::of(&entries, 0, &catalog(&["a", "b", "c"]));
        let expected: Vec<Vec<usize>> = vec![vec![], vec![], vec![], vec![0], vec![1], vec![2]];
        prop_assert_eq!(after(&plan), expected);
    }
}
