use super::*;
use crate::dump::item::Statement;

fn statement(text: &str) -> Statement {
    Statement { text: text.to_owned().into(), toc: None, line: 1, offset: 0 }
}

fn run(text: &str) -> Entry {
    Entry::Statement(statement(text))
}

fn copy(table: &str, bytes: u64) -> Entry {
    let block = CopyBlock {
        statement: statement("COPY"),
        schema: Some("public".into()),
        table: table.into(),
        columns: Vec::new(),
        text_format: true,
        data_offset: 0,
    };
    Entry::Copy { block, bytes, cuts: Vec::new() }
}

fn relation(name: &str) -> Relation {
    Relation { schema: "public".into(), name: name.into() }
}

fn catalog(clean: &[&str]) -> Catalog {
    Catalog { clean: clean.iter().map(|name| relation(name)).collect(), families: BTreeMap::new() }
}

fn after(plan: &Plan) -> Vec<Vec<usize>> {
    plan.jobs.iter().map(|job| job.after.clone()).collect()
}

#[test]
fn tables_load_at_once_and_their_indexes_wait_for_their_own_rows() {
    let entries = [
        copy("a", 10),
        copy("b", 20),
        run("ALTER TABLE ONLY public.a ADD CONSTRAINT a_pkey PRIMARY KEY (id);"),
        run("CREATE INDEX a1 ON public.a USING btree (x);"),
        run("CREATE INDEX a2 ON public.a USING btree (y);"),
        run("CREATE INDEX b1 ON public.b USING btree (x);"),
        run("ALTER TABLE ONLY public.a ADD CONSTRAINT f FOREIGN KEY (b) REFERENCES public.b(id);"),
    ];
    let plan = Plan::of(&entries, 0, &catalog(&["a", "b"]));
    let expected: [&[usize]; 7] = [&[], &[], &[0], &[2], &[2], &[1], &[2, 3, 4, 1, 5]];
    for (job, (found, expected)) in after(&plan).iter().zip(expected).enumerate() {
        let expected: BTreeSet<_> = expected.iter().collect();
        assert_eq!(found.iter().collect::<BTreeSet<_>>(), expected, "job {job}");
    }
    assert_eq!(plan.jobs.iter().map(|job| job.weight).collect::<Vec<_>>()[..2], [10, 20]);
}

#[test]
fn only_the_first_block_of_a_table_takes_it_for_empty() {
    let entries = [copy("a", 1), copy("b", 1), copy("a", 1), copy("a", 1)];
    let plan = Plan::of(&entries, 0, &catalog(&["a", "b"]));
    let work: Vec<_> = plan.jobs.into_iter().map(|job| job.work).collect();
    assert_eq!(work, [Work::Load(0), Work::Load(1), Work::Serial { from: 2, to: 4 }]);
}

#[test]
fn what_is_not_understood_is_a_barrier_and_barriers_are_joined() {
    let entries = [
        copy("a", 1),
        run("DO $$ BEGIN END $$;"),
        run("COMMENT ON TABLE public.a IS 'a';"),
        run("CREATE INDEX a1 ON public.a USING btree (x);"),
    ];
    let plan = Plan::of(&entries, 0, &catalog(&["a"]));
    assert_eq!(plan.jobs[1].work, Work::Serial { from: 1, to: 3 });
    assert_eq!(after(&plan), [vec![], vec![0], vec![1]]);
}

#[test]
fn a_table_that_is_not_clean_loads_in_its_place() {
    let entries = [copy("a", 1), copy("b", 1)];
    let plan = Plan::of(&entries, 0, &catalog(&["a"]));
    assert_eq!(plan.jobs[0].work, Work::Load(0));
    assert_eq!(plan.jobs[1].work, Work::Serial { from: 1, to: 2 });
}

#[test]
fn a_transaction_stays_together_on_the_main_connection() {
    let entries = [
        run("BEGIN;"),
        run("SELECT pg_catalog.setval('public.s', 1, true);"),
        run("CREATE INDEX a1 ON public.a USING btree (x);"),
        run("COMMIT;"),
        run("CREATE INDEX a2 ON public.a USING btree (x);"),
    ];
    let plan = Plan::of(&entries, 0, &catalog(&[]));
    assert_eq!(plan.jobs[0].work, Work::Serial { from: 0, to: 4 });
    assert_eq!(plan.jobs[1].work, Work::Run(4));
}

#[test]
fn settings_go_with_the_jobs_after_them() {
    let entries = [
        run("SET default_tablespace = '';"),
        copy("a", 1),
        run("SET default_tablespace = fast;"),
        run("CREATE INDEX a1 ON public.a USING btree (x);"),
    ];
    let plan = Plan::of(&entries, 1, &catalog(&["a"]));
    assert_eq!(plan.jobs.iter().map(|job| job.settings).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn a_foreign_key_waits_for_the_families_of_both_tables() {
    let entries = [
        copy("part", 1),
        run("ALTER TABLE public.root ADD CONSTRAINT f FOREIGN KEY (b) REFERENCES public.b(id);"),
    ];
    let mut catalog = catalog(&["part"]);
    catalog.families.insert(relation("root"), vec![relation("part")]);
    assert_eq!(after(&Plan::of(&entries, 0, &catalog))[1], [0]);
}

#[test]
fn foreign_keys_of_a_table_exclude_each_other_without_an_order() {
    let key = |name: &str, other: &str| {
        run(&format!(
            "ALTER TABLE ONLY public.a ADD CONSTRAINT {name} FOREIGN KEY (b) \
             REFERENCES public.{other}(id);"
        ))
    };
    let entries = [
        copy("a", 1),
        copy("b", 1),
        copy("c", 1),
        key("ab", "b"),
        key("ac", "c"),
        run("ALTER TABLE public.a REPLICA IDENTITY FULL;"),
    ];
    let plan = Plan::of(&entries, 0, &catalog(&["a", "b", "c"]));
    assert_eq!(after(&plan)[3..], [vec![0, 1], vec![0, 2], vec![0, 3, 4]]);
    assert_eq!(plan.jobs[3].locks, [relation("a"), relation("b")]);
    assert_eq!(plan.jobs[4].locks, [relation("a"), relation("c")]);
}
