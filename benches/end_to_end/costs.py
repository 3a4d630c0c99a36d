"""What the jobs of a restore cost the server's processor: rows, indexes by kind, foreign keys, reading back.

    python3 benches/end_to_end/costs.py      measures, and writes docs/benchmarks-costs.md

Three sets of rows, each with what the others have not: numbers and times, texts, documents. Every job runs several
times, alone, in one session; the least processor time of that session counts, which a busy machine changes little.
`src/restore/cost.rs` has these numbers for its guesses. BENCH_SCALE 1 is 400,000 rows of the first set.
"""

import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import measure  # noqa: E402
from results import say  # noqa: E402
from settings import ROOT, Settings  # noqa: E402
from source import Source  # noqa: E402

PAGE = ROOT / "docs/benchmarks-costs.md"
# One process does all the work of a statement, so that its time is the statement's.
ALONE = "max_parallel_maintenance_workers = 0\nmax_parallel_workers_per_gather = 0\n"
REPETITIONS = 3
DATABASE = "costs"

SETS = {
    "numbers": "SELECT i AS id, (i::bigint * 7919 % {rows})::int AS ref, md5(i::text)::uuid AS key, "
    "timestamptz '2025-01-01' + (i::bigint * 7919 % {rows}) * interval '1 s' AS at, "
    "(i::bigint * 7919 % {rows})::numeric / 100 AS price FROM generate_series(1, {rows}) i",
    "texts": "SELECT i AS id, md5(i::text) AS name, b.body, to_tsvector('english', b.body) AS words, "
    "ARRAY['a' || i % 50, 'b' || i % 300, 'c' || i % 7] AS tags, int4range(i % 1000, i % 1000 + i % 50) AS span, "
    "point(i % 1000, i::bigint * 7919 % 1000) AS place FROM generate_series(1, {rows} / 4) i, LATERAL (SELECT "
    "string_agg((ARRAY['autumn', 'launch', 'budget', 'travel', 'kitchen', 'garden', 'coffee'])[1 + i % 7 * k % 7] "
    "|| (i::bigint * k % 997)::text, ' ') AS body FROM generate_series(1, 30) k) b",
    "documents": "SELECT i AS id, jsonb_build_object('id', i, 'name', md5(i::text), 'tags', jsonb_build_array('a' || "
    "i % 50, 'b' || i % 300), 'n', i::bigint * 7919 % 1000, 'deep', jsonb_build_object('x', i % 10, 'y', "
    "md5((i % 1000)::text), 'z', repeat('w', i % 100))) AS doc FROM generate_series(1, {rows} / 4) i",
}
INDEXES = {
    "numbers": (
        "btree (id)",
        "btree (ref)",
        "btree (at)",
        "btree (key)",
        "btree (price)",
        "btree (ref, at)",
        "btree (ref) WHERE ref % 10 = 0",
        "btree ((ref + 1))",
        "hash (key)",
        "brin (at)",
    ),
    "texts": (
        "btree (id)",
        "btree (name)",
        "btree (body)",
        "btree (md5(name))",
        "btree (lower(name))",
        "hash (name)",
        "brin (id)",
        "gin (tags)",
        "gin (words)",
        "gin (to_tsvector('english', body))",
        "gin (name gin_trgm_ops)",
        "gist (span)",
        "gist (place)",
        "gist (words)",
        "spgist (name)",
        "spgist (place)",
    ),
    "documents": ("btree ((doc ->> 'name'))", "gin (doc)", "gin (doc jsonb_path_ops)"),
}


@dataclass
class Cost:
    """One job: what it was, seconds, and of how many rows and bytes."""

    what: str
    seconds: float
    rows: int
    size: int


class Session:
    """A psql, whose server process is watched."""

    def __init__(self, source):
        command = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", DATABASE]
        self.psql = subprocess.Popen(
            command, env=source.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.pid = int(self.run("SELECT pg_backend_pid();")[0])

    def run(self, sql):
        """Runs SQL, or a command of psql, and gives the lines of its answer."""
        self.psql.stdin.write(f"{sql}\n\\echo done\n")
        self.psql.stdin.flush()
        lines = []
        while (line := self.psql.stdout.readline()) != "done\n":
            if not line:
                raise measure.Failed(f"the server refused: {sql}")
            lines.append(line.strip())
        return lines

    def number(self, sql):
        return int(self.run(sql)[0])

    def seconds(self):
        """Processor time of the server's process so far."""
        # The first number is the time on a processor, in nanoseconds.
        return int(Path(f"/proc/{self.pid}/schedstat").read_text(encoding="ascii").split()[0]) / 1e9

    def least(self, sql, before="", after=""):
        """The least time of several runs."""
        found = []
        for _ in range(REPETITIONS):
            self.run(before)
            began = self.seconds()
            self.run(sql)
            found.append(self.seconds() - began)
            self.run(after)
        return min(found)


def measured(session, rows, work):
    """All jobs, one after the other."""
    session.run("CREATE EXTENSION pg_trgm;")
    for table, query in SETS.items():
        session.run(f"CREATE TABLE {table} AS {query.format(rows=rows)}; VACUUM ANALYZE {table};")
        file = work / f"{table}.copy"
        session.run(f"\\copy {table} TO '{file}'")
        of = (session.number(f"SELECT count(*) FROM {table};"), file.stat().st_size)
        made = f"CREATE TABLE loaded (LIKE {table});"
        seconds = session.least(f"\\copy loaded FROM '{file}'", made, "DROP TABLE loaded;")
        yield Cost(f"rows of {table}", seconds, *of)
        seconds = session.least(f"\\copy {table} TO '/dev/null'")
        yield Cost(f"reading {table} back", seconds, *of)
        for index in INDEXES[table]:
            sql = f"CREATE INDEX measured ON {table} USING {index};"
            yield Cost(f"{table}: {index}", session.least(sql, "", "DROP INDEX measured;"), *of)
    yield from keys(session)


def keys(session):
    """Foreign keys, from half of the rows and to few of them."""
    session.run(
        "ALTER TABLE numbers ADD PRIMARY KEY (id); CREATE TABLE half AS SELECT * FROM numbers WHERE id % 2 = 0; "
        "CREATE TABLE few AS SELECT * FROM numbers WHERE id <= 100; ALTER TABLE few ADD PRIMARY KEY (id); "
        "CREATE TABLE many AS SELECT id % 100 + 1 AS id FROM numbers;"
    )
    for table, other in (("half", "numbers"), ("many", "few")):
        sql = f"ALTER TABLE {table} ADD CONSTRAINT measured FOREIGN KEY (id) REFERENCES {other} (id);"
        seconds = session.least(sql, "", f"ALTER TABLE {table} DROP CONSTRAINT measured;")
        rows = sum(session.number(f"SELECT count(*) FROM {name};") for name in (table, other))
        yield Cost(f"foreign key from {table} to {other}, rows of both", seconds, rows, 0)


def page(settings, version, costs):
    """The page."""
    lines = [
        "# What the jobs of a restore cost",
        "",
        f"`make bench-costs BENCH_SCALE={settings.scale:g}` wrote this page: the least of {REPETITIONS} runs of each, in "
        f"seconds of the processor of the server's process, PostgreSQL {version}, {platform.machine()}. "
        "`src/restore/cost.rs` guesses by these numbers which job everything else will wait for.",
        "",
        "| job | ns a row | ns a byte |",
        "|---|---:|---:|",
    ]
    for cost in costs:
        a_row = cost.seconds / cost.rows * 1e9
        a_byte = f"{cost.seconds / cost.size * 1e9:.1f}" if cost.size else ""
        lines.append(f"| {cost.what} | {a_row:,.0f} | {a_byte} |")
    return "\n".join([*lines, ""])


def main():
    """Measures and writes the page."""
    settings = Settings()
    settings.env["SOURCE_SETTINGS"] = ALONE
    rows, costs = round(400_000 * settings.scale), []
    with Source(settings) as source, tempfile.TemporaryDirectory(dir=settings.parent) as work:
        source.ask(f"CREATE DATABASE {DATABASE}")
        session = Session(source)
        for cost in measured(session, rows, Path(work)):
            say(f"{cost.what}: {cost.seconds / cost.rows * 1e9:,.0f} ns a row")
            costs.append(cost)
        version = session.run("SHOW server_version;")[0].split()[0]
    PAGE.write_text(page(settings, version, costs), encoding="utf-8")
    say(f"wrote {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
