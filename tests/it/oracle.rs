//! The differential oracle: dumps that no pg_dump writes, made up by chance, are restored by psql, over one
//! connection and over several, and the three agree. `ORACLE_DUMPS=1000` makes more of them, `ORACLE_SEED=7`
//! others; a failure names the seed of its dump.

use std::io::{self, Read};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use ccc_backup::checks::read_back::{self, Found, Wanted};
use ccc_backup::checks::rendering::Rendering;
use ccc_backup::dump::contents::Contents;
use ccc_backup::dump::item::CopyBlock;
use ccc_backup::dump::items::Items;
use ccc_backup::dump::script::Script;
use ccc_backup::model::contents::{Columns, Table, TableFingerprint};
use ccc_backup::model::packing::Packing;
use ccc_backup::model::secret::Secret;
use ccc_backup::packing::file::BackupFile;
use ccc_backup::packing::ranges::Ranges;
use ccc_backup::pg::{Address, ConnectInfo, Terms};
use ccc_backup::restore::parallel::ReadBack;
use ccc_backup::restore::{Ledger, Restored, load, parallel};

use tokio::task::JoinSet;

use crate::support::source::{client, source};
use crate::support::{Place, length, text};

/// Bytes of a part of a table: small, so that a table of a few thousand rows has several.
const PART_BYTES: u64 = 16 << 10;
/// How many tables were read while a restore went on.
static READ_EARLY: AtomicUsize = AtomicUsize::new(0);
/// What a role may do that is none of the superuser's.
const ROLE: &str =
    "DO $$ BEGIN CREATE ROLE oracle; EXCEPTION WHEN duplicate_object THEN NULL; END $$";
/// Rows of all tables, the sequence, the indexes.
const CONTENTS: &str = "\
SELECT pg_catalog.concat_ws(E'\\n',
    (SELECT pg_catalog.string_agg(c.relname || pg_catalog.md5(pg_catalog.query_to_xml(
         pg_catalog.format('SELECT t::text FROM %s t ORDER BY 1', c.oid::regclass), true, false, '')::text),
         E'\\n' ORDER BY c.relname)
     FROM pg_catalog.pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace),
    (SELECT pg_catalog.string_agg(c.relname, ' ' ORDER BY c.relname)
     FROM pg_catalog.pg_class c WHERE c.relkind = 'i' AND c.relnamespace = 'public'::regnamespace),
    (SELECT last_value || ' ' || is_called FROM public.s))";

/// Numbers by chance, the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

const BEFORE: &str = "\
CREATE SEQUENCE public.s;
CREATE TABLE public.a (id integer, d date, n integer DEFAULT nextval('public.s'));
CREATE TABLE public.c (id integer, w text);
CREATE TABLE public.log (n bigint);
CREATE FUNCTION public.known(i integer) RETURNS boolean LANGUAGE sql IMMUTABLE
    AS 'SELECT EXISTS (SELECT FROM public.a WHERE id = i)';
CREATE FUNCTION public.total(i integer) RETURNS bigint LANGUAGE plpgsql IMMUTABLE SECURITY DEFINER
    AS $$ BEGIN RETURN (SELECT count(*) FROM public.a) + i; END $$;
CREATE FUNCTION public.twice(i integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 2 * i';
CREATE FUNCTION public.notes() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO public.log SELECT count(*) FROM public.a; RETURN NEW; END $$;
CREATE DOMAIN public.ref AS integer CHECK (public.known(VALUE));
CREATE TYPE public.pair AS (one public.ref, other integer);
GRANT ALL ON ALL TABLES IN SCHEMA public TO oracle;
";

/// The column of `b`, and one of its values.
const COLUMNS: [(&str, &str); 10] = [
    ("id integer", "%"),
    ("id integer CHECK (public.known(id))", "%"),
    ("id integer CHECK (public.total(id) > 3)", "%"),
    ("id integer CHECK (public.twice(id) >= 0)", "%"),
    ("id integer CHECK (current_setting('app.x', true) = '1')", "%"),
    ("id public.ref", "%"),
    ("id public.ref[]", "{%}"),
    ("id public.pair", "(%,1)"),
    ("id integer, g bigint GENERATED ALWAYS AS (public.total(id)) STORED", "%"),
    ("id integer, t bigint DEFAULT public.total(0)", "%"),
];

const SETTINGS: [&str; 19] = [
    "SET DateStyle = 'SQL, DMY';",
    "RESET DateStyle;",
    "RESET ALL;",
    "SET work_mem = 'abc';",
    "SET DateStyle = 'bogus';",
    "SET search_path = ;",
    "SET default_table_access_method = columnar;",
    "SET session_replication_role = replica;",
    "SET session_replication_role = DEFAULT;",
    "SET app.x = '1';",
    "SET app.x = '2';",
    "SET LOCAL app.x = '1';",
    "SELECT set_config('app.x', '1', false);",
    "SELECT set_config('app.x', (SELECT count(*) FROM public.a WHERE id = 1)::text, false);",
    "DISCARD ALL;",
    "SET ROLE oracle;",
    "RESET ROLE;",
    "SET SESSION AUTHORIZATION oracle;",
    "SET SESSION AUTHORIZATION DEFAULT;",
];

const STATEMENTS: [&str; 19] = [
    "SELECT setval('public.s', 100);",
    "SELECT pg_catalog.setval('public.s', 200, false);",
    "SELECT setval('public.s', (SELECT count(*) + 1 FROM public.a));",
    "SELECT nextval('public.s');",
    "INSERT INTO public.a (id, d) VALUES (7, '2024-01-05');",
    "INSERT INTO public.b (id) SELECT NULL;",
    "INSERT INTO public.c (id, w) SELECT n, 'inserted' FROM generate_series(1, 10) n;",
    "INSERT INTO public.log SELECT count(*) FROM public.c;",
    "UPDATE public.a SET n = 5 WHERE id = 1;",
    "DELETE FROM public.c WHERE id < 3;",
    "TRUNCATE public.c;",
    "CREATE INDEX c_@ ON public.c USING btree (id);",
    "CREATE INDEX a_@ ON public.a USING btree (id) WHERE public.known(id);",
    "CREATE UNIQUE INDEX c_@ ON public.c USING btree (public.total(id), w) WHERE id = 1;",
    "CREATE UNIQUE INDEX a_@ ON public.a USING btree (public.twice(id), n);",
    "ALTER TABLE ONLY public.a ADD CONSTRAINT a_@ UNIQUE (n);",
    "CREATE TRIGGER t_@ AFTER INSERT ON public.b FOR EACH STATEMENT EXECUTE FUNCTION public.notes();",
    "CREATE TRIGGER t_@ AFTER INSERT ON public.c FOR EACH STATEMENT EXECUTE FUNCTION public.notes();",
    "LOCK TABLE public.a;",
];

const EARLY: [&str; 5] = [
    "",
    "",
    "CREATE UNIQUE INDEX b_early ON public.b USING btree (id);\n",
    "ALTER TABLE public.a ADD CONSTRAINT a_early UNIQUE (id) DEFERRABLE INITIALLY DEFERRED;\n",
    "CREATE TRIGGER early AFTER INSERT ON public.b FOR EACH STATEMENT EXECUTE FUNCTION public.notes();\n",
];

/// What pg_dump writes after the rows, and what changes none of them.
const LAST: [&str; 12] = [
    "COMMENT ON TABLE public.a IS 'x';",
    "GRANT SELECT ON TABLE public.c TO oracle;",
    "CREATE INDEX l_@ ON public.a USING btree (id);",
    "CREATE INDEX l_@ ON public.c USING btree (w);",
    "CREATE TRIGGER l_@ AFTER INSERT ON public.c FOR EACH STATEMENT EXECUTE FUNCTION public.notes();",
    "CREATE RULE l_@ AS ON DELETE TO public.c DO INSTEAD NOTHING;",
    "CREATE STATISTICS public.l_@ ON id, w FROM public.c;",
    "ALTER TABLE public.c ENABLE ROW LEVEL SECURITY;",
    "CREATE STATISTICS public.m_@ ON id, w FROM public.c;\nALTER STATISTICS public.m_@ SET STATISTICS 50;",
    "CREATE INDEX m_@ ON public.c USING btree (lower(w));\nALTER INDEX public.m_@ ALTER COLUMN 1 SET STATISTICS 50;",
    "CREATE OR REPLACE VIEW public.v AS SELECT id, w FROM public.c;",
    "CREATE OR REPLACE VIEW public.v AS SELECT id, w FROM public.c;\nCREATE POLICY l_@ ON public.c USING ((id IN (SELECT v.id FROM public.v)));",
];

/// The same, in an order that the server may refuse.
const TURNED: [&str; 2] = [
    "CREATE POLICY turned ON public.c USING ((id IN (SELECT v.id FROM public.v)));\nCREATE OR REPLACE VIEW public.v AS SELECT id, w FROM public.c;",
    "CREATE VIEW public.keyed AS SELECT id, d FROM public.a GROUP BY id;\nALTER TABLE ONLY public.a ADD CONSTRAINT keyed PRIMARY KEY (id);",
];

/// The dump of a seed.
fn dump(seed: u64) -> String {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    (0..9).for_each(|_| {
        dice.below(2);
    });
    let (column, value) = COLUMNS[dice.below(COLUMNS.len())];
    let mut dump = format!(
        "--\n-- PostgreSQL database dump\n--\n\n{BEFORE}CREATE TABLE public.b ({column});\n\
         GRANT ALL ON public.b TO oracle;\n{}",
        dice.pick(&EARLY)
    );
    let mut open = false;
    for number in 0..dice.below(8) + 5 {
        dump += &match dice.below(10) {
            0..4 => rows(&mut dice, value),
            4 | 5 => dice.pick(&SETTINGS).to_owned() + "\n",
            6 | 7 => dice.pick(&STATEMENTS).replace('@', &number.to_string()) + "\n",
            _ => transaction(&mut dice, &mut open).to_owned() + "\n",
        };
    }
    if open {
        dump += "COMMIT;\n";
    }
    dump += "SET SESSION AUTHORIZATION DEFAULT;\nRESET ROLE;\n";
    for number in 0..dice.below(2) * 6 {
        dump += &(dice.pick(&LAST).replace('@', &number.to_string()) + "\n");
    }
    if dice.below(9) == 0 {
        dump += &(dice.pick(&TURNED).to_owned() + "\n");
    }
    dump + "\n--\n-- PostgreSQL database dump complete\n--\n"
}

fn transaction(dice: &mut Dice, open: &mut bool) -> &'static str {
    if !*open {
        *open = dice.below(2) == 0;
        return if *open { dice.pick(&["BEGIN;", "START TRANSACTION;"]) } else { "COMMIT;" };
    }
    let next = dice.below(6);
    *open = next > 2;
    [
        "COMMIT;",
        "ROLLBACK;",
        "END;",
        "SAVEPOINT p;\nSET app.x = '1';\nROLLBACK TO SAVEPOINT p;",
        "COMMIT AND CHAIN;",
        "ROLLBACK AND CHAIN;",
    ][next]
}

/// INSERT statements of constants, as many as `values`, into these columns.
fn inserts(table: &str, columns: &str, values: impl Iterator<Item = String>) -> String {
    values.map(|value| format!("INSERT INTO public.{table}{columns} VALUES ({value});\n")).collect()
}

/// A COPY block, INSERT statements, or a temporary table that becomes rows.
fn rows(dice: &mut Dice, value: &str) -> String {
    let count = [3, 40, 6_000][dice.below(3)];
    let lines = |line: &dyn Fn(usize) -> String| (1..=count).map(line).collect::<String>();
    let numbers = 1..=count.min(900);
    match dice.below(11) {
        7 => inserts("c", "", numbers.map(|n| format!("{n}, 'some words, with a '';''\nin them'"))),
        8 => {
            let of = |n: usize| format!("'{}'", value.replace('%', &(n % 90 + 1).to_string()));
            inserts("b", " (id)", numbers.map(of))
        }
        // Each takes the next number of a sequence.
        9 => inserts("a", "", numbers.map(|n| format!("{n}, '2024-01-02', DEFAULT"))),
        10 => inserts("a", "", numbers.map(|n| format!("{n}, '2024-01-02', {n}"))),
        0 => format!(
            "COPY public.a (id, d) FROM stdin;\n{}\\.\n",
            lines(&|n| format!("{n}\t03/04/2024\n"))
        ),
        1 => format!(
            "COPY public.a (id, d, n) FROM stdin;\n{}\\.\n",
            lines(&|n| format!("{n}\t2024-01-02\t{n}\n"))
        ),
        2..5 => {
            let of = |n: usize| value.replace('%', &(n % 90 + 1).to_string()) + "\n";
            format!("COPY public.b (id) FROM stdin;\n{}\\.\n", lines(&of))
        }
        5 => format!(
            "COPY public.c (id, w) FROM stdin;\n{}\\.\n",
            lines(&|n| format!("{n}\tsome words\n"))
        ),
        _ => format!(
            "CREATE TEMP TABLE IF NOT EXISTS stage (id integer, w text);\n\
             COPY stage (id, w) FROM stdin;\n{}\\.\nINSERT INTO public.c SELECT * FROM stage;\n",
            lines(&|n| format!("{n}\tstaged\n"))
        ),
    }
}

/// Reads a little at a time, so that tables are cut as finely as they can be.
struct Sips<R>(R);

impl<R: Read> Read for Sips<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(4 << 10);
        self.0.read(&mut buffer[..most])
    }
}

/// What became of a dump: whether anything was refused, and what is there afterwards.
#[derive(Debug, PartialEq, Eq)]
pub struct Became {
    pub refused: bool,
    pub contents: String,
}

pub fn target(name: &str) -> ConnectInfo {
    ConnectInfo {
        address: Address::Tcp { host: "127.0.0.1".into(), port: source().port },
        user: "postgres".into(),
        password: Secret::new(source().password.clone()),
        database: name.to_owned(),
        event_triggers: true,
        terms: Terms::default(),
    }
}

/// Restores into a new database, and tells what became of it.
async fn became(
    name: &str,
    restored: impl AsyncFnOnce(&ConnectInfo) -> (bool, String),
) -> (Became, String) {
    let admin = target("postgres").connect().await.unwrap();
    let create = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
    admin.batch_execute(&create).await.unwrap();
    admin.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0")).await.unwrap();
    let (refused, said) = restored(&target(name)).await;
    let session = target(name).connect().await.unwrap();
    let contents: String = session.query_one(CONTENTS, &[]).await.unwrap().get(0);
    drop(session);
    admin.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
    // What an error left is of no account: psql, too, goes on after it.
    let contents = if refused { String::new() } else { contents };
    (Became { refused, contents }, said)
}

/// What was read of tables while the restore went on.
#[derive(Clone, Default)]
struct Early(Arc<Mutex<JoinSet<(Wanted, Found)>>>);

impl Early {
    fn reader(&self, target: &ConnectInfo) -> ReadBack {
        let (tasks, target) = (self.clone(), target.clone());
        Arc::new(move |block, reading| {
            let (target, wanted) = (target.clone(), Wanted::all(table(block)));
            tasks.0.lock().unwrap().spawn(async move {
                let found = read(&target, &wanted).await;
                drop(reading);
                (wanted, found)
            });
        })
    }

    /// Nothing that was read early is otherwise in the end. Where something was refused, what was read is of no account.
    async fn assert_nothing_changed(self, target: &ConnectInfo, refused: bool) {
        let mut tasks = std::mem::take(&mut *self.0.lock().unwrap());
        while let Some(read_early) = tasks.join_next().await {
            let (wanted, found) = read_early.unwrap();
            if !refused {
                READ_EARLY.fetch_add(1, Ordering::Relaxed);
                assert_eq!(read(target, &wanted).await, found, "{}", wanted.table.name);
            }
        }
    }
}

async fn read(target: &ConnectInfo, wanted: &Wanted) -> Found {
    let rendering = Rendering {
        encoding: "UTF8".to_owned(),
        time_zone: "UTC".to_owned(),
        bytea_output: "hex".to_owned(),
    };
    let session = target.connect().await.unwrap();
    rendering.apply(&session).await.unwrap();
    read_back::read_one(&session, wanted, &rendering).await.unwrap()
}

/// The table of a block, with all its columns.
fn table(block: &CopyBlock) -> Table {
    Table {
        schema: "public".to_owned(),
        name: block.table.text().into_owned(),
        columns: Columns::Stored,
        fingerprint: TableFingerprint::default(),
        bytes: 0,
        spans: Vec::new(),
    }
}

fn judged(restored: &Restored) -> (bool, String) {
    // Whatever the verdict on it: psql knows no excuses.
    let refused = !restored.errors.is_empty()
        || !restored.tolerated.is_empty()
        || !restored.lacking.is_empty();
    assert!(restored.unsound.is_none(), "{restored:?}");
    (refused, format!("{:#?} {:?}", restored.errors, restored.tolerated))
}

pub async fn by_psql(path: &Path, name: &str) -> (Became, String) {
    became(name, async |target| {
        let mut psql = Command::new(client("psql"));
        psql.args(["-Xqd", &target.database, "-f"]).arg(path).envs(source().libpq());
        let said = text(&psql.output().unwrap().stderr);
        (said.contains("ERROR:") || said.contains("FATAL:"), said)
    })
    .await
}

pub async fn by_us(path: &Path, name: &str, jobs: usize) -> (Became, String) {
    became(name, async |target| {
        let (file, ledger) = (BackupFile::open(path).unwrap(), Ledger::default());
        if jobs == 1 {
            let stream = file.stream(Packing::None);
            load::load(stream, target, &ledger, &|_, _| {}).await.unwrap();
            return judged(&ledger.close());
        }
        let (mut contents, mut script) = (Contents::default(), Script::with_parts_of(PART_BYTES));
        let mut items = Items::new(Sips(file.stream(Packing::None)));
        while let Some(item) = items.pull().unwrap() {
            let inserts = contents.take(&item, items.encoding());
            script.take(&item, inserts);
        }
        let ranges = Ranges::of(&file, Packing::None, Vec::new(), items.bytes());
        let parts = script.parts().unwrap();
        let progress = Arc::new(|_: u64, _: &str| {});
        let early = Early::default();
        let read_back = Some(early.reader(target));
        let loading = parallel::load(ranges, parts, target, jobs, &ledger, progress, read_back);
        let time = std::time::Duration::from_secs(120);
        // It comes to an end.
        tokio::time::timeout(time, loading).await.unwrap().unwrap();
        let (refused, said) = judged(&ledger.close());
        early.assert_nothing_changed(target, refused).await;
        (refused, said)
    })
    .await
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_and_several_restore_what_psql_restores() {
    let place = Place::without_docker();
    target("postgres").connect().await.unwrap().batch_execute(ROLE).await.unwrap();
    let (from, count) = (number("ORACLE_SEED", 1), number("ORACLE_DUMPS", length(16, 60)));
    let (mut sound, mut wrong) = (0, Vec::new());
    for seed in from..from + count {
        let path = place.file("a.sql", dump(seed).as_bytes());
        let (truth, said) = by_psql(&path, "oracle_psql").await;
        sound += usize::from(!truth.refused);
        for jobs in [1, 4] {
            let (ours, noted) = by_us(&path, "oracle_ours", jobs).await;
            if ours != truth {
                eprintln!(
                    "seed {seed}, {jobs} jobs: {ours:?}, by psql {truth:?}\n{noted}\npsql: {said}"
                );
                wrong.push((seed, jobs));
            }
        }
    }
    assert!(wrong.is_empty(), "seed and jobs of what was restored otherwise: {wrong:?}");
    // Both kinds were there.
    let count = usize::try_from(count).unwrap();
    eprintln!("{} tables were read early", READ_EARLY.load(Ordering::Relaxed));
    assert!(count < 12 || sound > count / 10 && sound < count, "{sound} of {count} are sound");
}
