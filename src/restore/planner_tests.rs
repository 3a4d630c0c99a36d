use super::*;
use crate::dump::inserts::InsertTarget;
use crate::dump::item::{Name, Statement};
use crate::restore::cost::Columns;

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
    Entry::Copy { block, bytes, rows: bytes / 100, cuts: Vec::new() }
}

/// INSERT statements of so many values each, into the columns that are named.
fn inserts(table: &str, columns: Option<&[&str]>, width: usize, defaults: usize) -> Entry {
    let columns = columns.map(|names| names.iter().map(|name| Name::from(*name)).collect());
    let (schema, table) = ("public".into(), table.into());
    let target = InsertTarget { schema, table, columns, width, defaults };
    Entry::Inserts(InsertRun::of(&statement("INSERT"), target, 1))
}

fn relation(name: &str) -> Relation {
    Relation { schema: "public".into(), name: name.into() }
}

fn catalog(clean: &[&str]) -> Catalog {
    Catalog { clean: clean.iter().map(|name| relation(name)).collect(), ..Catalog::default() }
}

fn work(plan: &Plan) -> Vec<Work> {
    plan.jobs.iter().map(|job| job.work.clone()).collect()
}

fn serial(from: usize, to: usize) -> Work {
    Work::Serial { from, to }
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
}

#[test]
fn only_the_first_block_of_a_table_takes_it_for_empty() {
    let entries = [copy("a", 1), copy("b", 1), copy("a", 1), copy("a", 1)];
    let plan = Plan::of(&entries, 0, &catalog(&["a", "b"]));
    assert_eq!(work(&plan), [Work::Load(0), Work::Load(1), serial(2, 4)]);
}

#[test]
fn what_is_not_understood_is_a_barrier_and_barriers_are_joined() {
    let entries = [
        copy("a", 1),
        run("CREATE TABLE public.z (id integer);"),
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
fn what_is_set_between_rows_or_indexes_is_a_barrier() {
    for set in [
        "SET default_table_access_method = heap;",
        "SET search_path = ;",
        "SET app.tenant = '5';",
        "SET SESSION AUTHORIZATION 'ccc';",
        "RESET ROLE;",
        "RESET ALL;",
        "DISCARD ALL;",
        "SELECT set_config('work_mem', '1MB', false);",
    ] {
        let entries = [copy("a", 1), run(set), copy("b", 1)];
        let plan = Plan::of(&entries, 0, &catalog(&["a", "b"]));
        assert_eq!(work(&plan)[..2], [Work::Load(0), serial(1, 2)], "{set}");
        assert_eq!(after(&plan)[1..], [vec![0], vec![1]], "{set}");
    }
    // Whatever they call may have changed anything.
    for call in [
        "SELECT set_config('work_mem', public.f(), false);",
        "SELECT setval('public.s', (SELECT max(id) FROM public.a));",
        "ROLLBACK PREPARED 'x';",
    ] {
        let entries = [copy("a", 1), run(call), copy("b", 1)];
        let plan = Plan::of(&entries, 0, &catalog(&["a", "b"]));
        assert_eq!(work(&plan), [Work::Load(0), serial(1, 3)], "{call}");
    }
}

#[test]
fn a_tablespace_goes_with_the_indexes_after_it_up_to_the_next_barrier() {
    let index = |name: &str| run(&format!("CREATE INDEX {name} ON public.a USING btree (x);"));
    let entries = [
        run("SET default_tablespace = fast;"),
        index("a1"),
        run("SET default_tablespace = '';"),
        index("a2"),
        run("COMMENT ON TABLE public.a IS 'x';"),
        index("a3"),
    ];
    let plan = Plan::of(&entries, 0, &catalog(&[]));
    let tablespaces: Vec<_> = plan.jobs.iter().map(|job| job.tablespace).collect();
    assert_eq!(tablespaces, [None, Some(0), Some(0), Some(2), Some(2), None]);
    assert_eq!(work(&plan)[4], serial(4, 5));
}

#[test]
fn settings_of_one_sequence_keep_their_order_and_those_of_several_have_none() {
    let set =
        |name: &str, to: u32| run(&format!("SELECT pg_catalog.setval('public.{name}', {to});"));
    let entries = [set("s", 1), set("t", 2), set("s", 3)];
    assert_eq!(after(&Plan::of(&entries, 0, &catalog(&[]))), [vec![], vec![], vec![0]]);
}

#[test]
fn a_transaction_begun_before_the_rows_goes_on_to_its_end() {
    for (begins, goes_on, ends) in [
        ("BEGIN;", "ROLLBACK TO SAVEPOINT s;", "COMMIT;"),
        ("START TRANSACTION;", "COMMIT AND CHAIN;", "ABORT;"),
        ("BEGIN;", "ROLLBACK AND CHAIN;", "PREPARE TRANSACTION 'x';"),
    ] {
        let entries =
            [run(begins), copy("a", 1), run(goes_on), copy("b", 1), run(ends), copy("c", 1)];
        let plan = Plan::of(&entries, 1, &catalog(&["a", "b", "c"]));
        assert_eq!(work(&plan), [serial(1, 5), Work::Load(5)], "{goes_on}");
    }
}

#[test]
fn columns_that_are_not_given_and_have_a_default_keep_the_tables_place() {
    let entries = [copy("a", 1), copy("b", 1)];
    let mut known = catalog(&["a", "b"]);
    known.defaults.insert(relation("a"), vec!["id".into()]);
    // No columns are named, so all are given.
    assert_eq!(work(&Plan::of(&entries, 0, &known)), [Work::Load(0), Work::Load(1)]);
    let of_x = |entry: &Entry| match entry {
        Entry::Copy { block, .. } => {
            let block = CopyBlock { columns: vec!["x".into()], ..block.clone() };
            Entry::Copy { block, bytes: 1, rows: 1, cuts: Vec::new() }
        }
        other => other.clone(),
    };
    let entries: Vec<_> = entries.iter().map(of_x).collect();
    assert_eq!(work(&Plan::of(&entries, 0, &known)), [serial(0, 1), Work::Load(1)]);
}

#[test]
fn rows_of_insert_statements_go_in_beside_others_where_each_column_that_has_a_default_is_given_a_value()
 {
    let mut known = catalog(&["a"]);
    known.columns.insert(relation("a"), Columns::from([("id".into(), None), ("x".into(), None)]));
    let beside =
        |entry: Entry, known: &Catalog| work(&Plan::of(&[entry], 0, known)) == [Work::Load(0)];
    for width in [1, 2] {
        assert!(beside(inserts("a", None, width, 0), &known));
        assert!(!beside(inserts("other", None, width, 0), &known));
    }
    known.defaults.insert(relation("a"), vec!["id".into()]);
    assert!(beside(inserts("a", None, 2, 0), &known));
    assert!(!beside(inserts("a", None, 2, 1), &known));
    assert!(!beside(inserts("a", None, 1, 0), &known));
    assert!(beside(inserts("a", Some(&["id"]), 1, 0), &known));
    assert!(beside(inserts("a", Some(&["id"]), 2, 1), &known));
    assert!(!beside(inserts("a", Some(&["x"]), 1, 0), &known));
    // A generated column is given DEFAULT, and nothing else.
    known.generated.insert(relation("a"), 1);
    assert!(beside(inserts("a", None, 2, 1), &known));
    for (width, defaults) in [(2, 0), (2, 2), (1, 1)] {
        assert!(!beside(inserts("a", None, width, defaults), &known));
    }
    // What is there already may be looked at, as for a key that is added between them.
    let twice = [inserts("a", None, 2, 1), run("SELECT 1;"), inserts("a", None, 2, 0)];
    assert_eq!(work(&Plan::of(&twice, 0, &known)), [Work::Load(0), serial(1, 3)]);
}

#[test]
fn an_index_or_a_constraint_whose_function_may_read_tables_is_a_barrier() {
    let mut known = catalog(&["a"]);
    known.reading.insert(b"looks".to_vec());
    for (statement, reads) in [
        ("CREATE INDEX i ON public.a USING btree (public.looks(x));", true),
        ("CREATE UNIQUE INDEX i ON public.a USING btree (x) WHERE public.looks(y);", true),
        (
            "ALTER TABLE public.a ADD CONSTRAINT e EXCLUDE USING gist (public.looks(x) WITH =);",
            true,
        ),
        ("CREATE INDEX i ON public.a USING btree (looks);", false),
        ("CREATE INDEX i ON public.a USING btree (lower(x));", false),
        ("ALTER TABLE public.a ADD CONSTRAINT looks UNIQUE (x);", false),
    ] {
        let entries = [copy("a", 1), run(statement)];
        let expected = if reads { serial(1, 2) } else { Work::Run(1) };
        assert_eq!(work(&Plan::of(&entries, 0, &known))[1], expected, "{statement}");
        let unseen = Catalog { reads_unseen: true, ..catalog(&["a"]) };
        assert_eq!(work(&Plan::of(&entries, 0, &unseen))[1], serial(1, 2), "{statement}");
    }
    // Made after the tables were looked at.
    let made = run("CREATE FUNCTION public.later(x int) RETURNS int LANGUAGE sql AS 'SELECT 1';");
    let entries = [made, run("CREATE INDEX i ON public.a USING btree (public.later(x));")];
    assert_eq!(work(&Plan::of(&entries, 0, &catalog(&[]))), [serial(0, 2)]);
}

#[test]
fn what_may_have_changed_tables_leaves_none_clean() {
    for (statement, changes) in [
        ("CREATE TRIGGER t AFTER INSERT ON public.b EXECUTE FUNCTION public.f();", true),
        ("DO $$ BEGIN END $$;", true),
        ("INSERT INTO public.b VALUES (1);", false),
        ("COMMENT ON TABLE public.b IS 'x';", false),
    ] {
        let entries = [copy("a", 1), run(statement), copy("b", 1)];
        let plan = Plan::of(&entries, 0, &catalog(&["a", "b"]));
        let expected = match statement.starts_with("CREATE TRIGGER") {
            true => vec![Work::Run(1), serial(2, 3)],
            false if changes => vec![serial(1, 3)],
            false => vec![serial(1, 2), Work::Load(2)],
        };
        assert_eq!(work(&plan)[1..], expected, "{statement}");
    }
}

#[test]
fn a_comment_on_an_index_waits_for_the_index_and_holds_up_nothing() {
    let entries = [
        copy("a", 1),
        run("ALTER TABLE ONLY public.a ADD CONSTRAINT p PRIMARY KEY (id);"),
        run("COMMENT ON CONSTRAINT p ON public.a IS 'x';"),
        run("CREATE INDEX a1 ON public.a USING btree (x);"),
        run("COMMENT ON INDEX public.a1 IS 'x';"),
        run("COMMENT ON INDEX public.a1 IS 'y';"),
        run("CREATE INDEX a2 ON public.a USING btree (x);"),
        run("COMMENT ON TABLE public.a IS 'x';"),
        run("COMMENT ON INDEX public.a2 IS 'x';"),
    ];
    let plan = Plan::of(&entries, 0, &catalog(&["a"]));
    let expected: [&[usize]; 9] =
        [&[], &[0], &[1], &[2], &[3], &[4], &[2], &[0, 1, 2, 3, 4, 5, 6], &[7]];
    assert_eq!(after(&plan), expected.map(<[usize]>::to_vec));
    // Event triggers fire for it.
    let unseen = Catalog { reads_unseen: true, ..catalog(&["a"]) };
    assert_eq!(work(&Plan::of(&entries, 0, &unseen)), [Work::Load(0), serial(1, 9)]);
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

#[test]
fn what_the_longest_way_begins_with_has_the_longest_way() {
    let entries = [
        copy("small", 10_000_000),
        copy("large", 30_000_000),
        run("ALTER TABLE ONLY public.small ADD CONSTRAINT s PRIMARY KEY (id);"),
        run("CREATE INDEX s1 ON public.small USING btree (id);"),
        run("CREATE INDEX s2 ON public.small USING gin (doc);"),
        run("CREATE INDEX l1 ON public.large USING btree (id);"),
        run(
            "ALTER TABLE public.large ADD CONSTRAINT f FOREIGN KEY (b) REFERENCES public.small(id);",
        ),
    ];
    let mut known = catalog(&["small", "large"]);
    let columns = [("id", Some(4)), ("b", Some(4)), ("doc", None)];
    let columns: Columns =
        columns.into_iter().map(|(name, length)| (name.into(), length)).collect();
    known.columns = ["small", "large"].map(|name| (relation(name), columns.clone())).into();
    let plan = Plan::of(&entries, 0, &known);
    let ways: Vec<_> = plan.jobs.iter().map(|job| job.way).collect();
    // The smaller table has the dearer index, so it comes first, and of its indexes that one.
    assert!(ways[0] > ways[1], "{ways:?}");
    assert!(ways[4] > ways[3] && ways[4] > ways[5], "{ways:?}");
    assert_eq!(ways[6], plan.jobs[6].cost);
    for (id, job) in plan.jobs.iter().enumerate() {
        for before in &job.after {
            assert!(ways[*before] >= plan.jobs[*before].cost + ways[id], "{before} before {id}");
        }
    }
}

#[test]
fn what_is_attached_to_tables_holds_up_its_own_tables_only() {
    let entries = [
        copy("a", 1),
        copy("p1", 1),
        run("CREATE INDEX a1 ON public.a USING btree (x);"),
        run("CREATE INDEX p_x ON ONLY public.p USING btree (x);"),
        run("CREATE INDEX p1_x ON public.p1 USING btree (x);"),
        run("ALTER INDEX public.p_x ATTACH PARTITION public.p1_x;"),
        run("CREATE TRIGGER t AFTER INSERT ON public.a EXECUTE FUNCTION public.f();"),
        run("ALTER TABLE ONLY public.b ADD CONSTRAINT f FOREIGN KEY (b) REFERENCES public.c(id);"),
        run("ALTER TABLE ONLY public.a ADD CONSTRAINT f FOREIGN KEY (b) REFERENCES public.c(id);"),
        run("REFRESH MATERIALIZED VIEW public.m;"),
        run("REFRESH MATERIALIZED VIEW public.n;"),
    ];
    let known = catalog(&["a", "p1"]);
    let plan = Plan::of(&entries, 0, &known);
    assert_eq!(plan.jobs.len(), entries.len());
    let expected: [&[usize]; 11] = [
        &[],
        &[],
        &[0],
        &[],
        &[1],
        &[1, 3, 4],
        &[0, 2],
        &[],
        &[6],
        // Foreign keys are no help in reading.
        &[0, 1, 2, 3, 4, 5, 6],
        &[0, 1, 2, 3, 4, 5, 6, 9],
    ];
    assert_eq!(after(&plan), expected.map(<[usize]>::to_vec));
    // A function that may look elsewhere may change what it finds there.
    let reading = Catalog { reading: [b"g".to_vec()].into(), ..known.clone() };
    assert_eq!(work(&Plan::of(&entries, 0, &reading))[9..], [serial(9, 11)]);
    let unseen = Catalog { reads_unseen: true, ..known };
    assert_eq!(work(&Plan::of(&entries, 0, &unseen))[2..], [serial(2, 11)]);
    // An index that was not made here is of a table that is not known.
    assert_eq!(work(&Plan::of(&entries[5..6], 0, &catalog(&[]))), [serial(0, 1)]);
    // Rows that come after a trigger may meet it.
    let entries = [copy("a", 1), entries[6].clone(), copy("p1", 1)];
    assert_eq!(work(&Plan::of(&entries, 0, &catalog(&["a", "p1"])))[2..], [serial(2, 3)]);
}

/// The entries of tables that can be read back, with the jobs that come before.
#[test]
fn a_view_waits_for_indexes_and_holds_up_only_what_may_name_it() {
    let entries = [
        copy("a", 1),
        run("ALTER TABLE ONLY public.a ADD CONSTRAINT a_pkey PRIMARY KEY (id);"),
        run("CREATE INDEX b1 ON public.b USING btree (x);"),
        run("ALTER TABLE ONLY public.a ADD CONSTRAINT f FOREIGN KEY (b) REFERENCES public.c(id);"),
        run("CREATE OR REPLACE VIEW public.v AS SELECT a.* FROM public.a GROUP BY a.id;"),
        run("CREATE TRIGGER t AFTER INSERT ON public.b EXECUTE FUNCTION public.f();"),
        run("CREATE POLICY p ON public.b USING ((x IN (SELECT v.x FROM public.v)));"),
        run("CREATE RULE r AS\n ON INSERT TO public.c DO ALSO SELECT 1 FROM public.v;"),
        run("CREATE TRIGGER t INSTEAD OF INSERT ON public.v EXECUTE FUNCTION public.f();"),
        run("ALTER TABLE ONLY public.d ADD CONSTRAINT d_pkey PRIMARY KEY (id);"),
    ];
    let plan = Plan::of(&entries, 0, &catalog(&["a"]));
    let after = after(&plan);
    assert_eq!(after[4], [0, 1, 2], "the foreign key is none of what a view leans on");
    assert_eq!(after[5], [2], "a trigger names no view");
    assert_eq!(after[6], [5, 4]);
    assert_eq!(after[7], [3, 4]);
    assert_eq!(after[8], [4]);
    assert_eq!(after[9], [4], "the view has to do without it");
    let unseen = Catalog { reads_unseen: true, ..catalog(&["a"]) };
    let plan = Plan::of(&entries, 0, &unseen);
    assert!(matches!(plan.jobs.last().unwrap().work, Work::Serial { to: 10, .. }));
}

#[test]
fn what_belongs_to_statistics_waits_for_them_and_holds_up_nothing() {
    let entries = [
        run("CREATE STATISTICS public.s ON x, y FROM public.a;"),
        run("ALTER STATISTICS public.s OWNER TO ccc;"),
        run("CREATE INDEX s ON public.b USING btree (lower(x));"),
        run("ALTER INDEX public.s ALTER COLUMN 1 SET STATISTICS 3000;"),
        run("COMMENT ON STATISTICS public.s IS 'x';"),
        run("CREATE INDEX a1 ON public.a USING btree (x);"),
        run("CREATE STATISTICS public.s ON x, y FROM public.b;"),
    ];
    let plan = Plan::of(&entries, 0, &catalog(&[]));
    let expected: [&[usize]; 7] = [&[], &[0], &[], &[2], &[1], &[0], &[0, 1, 2, 3, 4, 5]];
    assert_eq!(after(&plan), expected);
    assert_eq!(plan.jobs[6].work, serial(6, 7), "the second of a name is refused in its place");
}

fn readable(entries: &[Entry], catalog: &Catalog) -> Vec<(usize, Vec<usize>)> {
    let plan = Plan::of(entries, 0, catalog);
    plan.readable.into_iter().map(|table| (table.entry, table.after)).collect()
}

#[test]
fn a_table_can_be_read_back_when_nothing_locks_it_or_changes_its_rows_any_more() {
    let entries = [
        copy("a", 1),
        copy("b", 1),
        run("SELECT pg_catalog.setval('public.s', 1, true);"),
        run("ALTER TABLE ONLY public.a ADD CONSTRAINT p PRIMARY KEY (id);"),
        run("CREATE INDEX b1 ON public.b USING btree (x);"),
        run("CREATE TRIGGER t AFTER INSERT ON public.b EXECUTE FUNCTION public.f();"),
        run("ALTER TABLE ONLY public.a ADD CONSTRAINT f FOREIGN KEY (b) REFERENCES public.b(id);"),
        run("REFRESH MATERIALIZED VIEW public.m;"),
        run("GRANT SELECT ON TABLE public.a TO r;"),
    ];
    let known = catalog(&["a", "b"]);
    assert_eq!(readable(&entries, &known), [(0, vec![0, 3]), (1, vec![1])]);
    // A function that may look elsewhere may write there.
    let reading = Catalog { reading: [b"f".to_vec()].into(), ..known.clone() };
    assert_eq!(readable(&entries, &reading), [(0, vec![0, 3, 7]), (1, vec![1, 7])]);
    let unseen = Catalog { reads_unseen: true, ..known };
    assert_eq!(readable(&entries, &unseen), []);
}

#[test]
fn what_may_change_rows_is_waited_for() {
    for (statement, changes) in [
        ("UPDATE public.a SET x = 1;", true),
        ("TRUNCATE public.b;", true),
        ("INSERT INTO public.b VALUES (1);", true),
        ("ALTER TABLE public.a ADD CONSTRAINT c CHECK (public.f(x));", true),
        ("COMMENT ON TABLE public.a IS 'x';", false),
        ("CREATE POLICY p ON public.a USING (true);", false),
    ] {
        let entries = [copy("a", 1), run(statement)];
        let expected = if changes { vec![0, 1] } else { vec![0] };
        assert_eq!(readable(&entries, &catalog(&["a"])), [(0, expected)], "{statement}");
    }
    // Rows of a table with triggers, or the rest of the rows of one.
    for other in [copy("with_triggers", 1), copy("a", 1)] {
        let entries = [copy("a", 1), other];
        assert_eq!(readable(&entries, &catalog(&["a"])), [(0, vec![0, 1])]);
    }
    // Its event trigger fires for whatever comes afterwards.
    for anything in
        ["CREATE EVENT TRIGGER t ON ddl_command_end EXECUTE FUNCTION f();", "DO $$ BEGIN END $$;"]
    {
        assert_eq!(readable(&[copy("a", 1), run(anything)], &catalog(&["a"])), []);
    }
}

#[path = "planner_property_tests.rs"]
mod property;
