"""How long it takes to bring a backup back into an ordinary server, beside psql and pg_restore.

    python3 benches/end_to_end/into_server.py      measures, and writes docs/benchmarks-restore.md

The server keeps what it is told: fsync, synchronous_commit and full_page_writes are on, and its log is that of a
server with replicas. All ways restore the same database into it, one after the other, in every round; what
is shown is the median of the rounds. BENCH_SCALE, BENCH_RUNS and CCC_BACKUP are those of `make bench`.
"""

import os
import platform
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import measure  # noqa: E402
from results import say  # noqa: E402
from settings import ROOT, Settings  # noqa: E402
from source import Source, quote, shell  # noqa: E402

DURABLE = "fsync = on\nsynchronous_commit = on\nfull_page_writes = on\nwal_level = replica\nautovacuum = on\n"
PAGE = ROOT / "docs/benchmarks-restore.md"
NAME = "brought_back"


def ways(settings, source, dumps):
    """Titles and commands; each leaves the database NAME, or a schema of the database `bench`."""
    jobs = str(settings.jobs)
    ours = [settings.binary, "restore", dumps.ours, "--as", NAME, "--quiet"]
    psql = f"createdb -T template0 {NAME} && gzip -dc {quote(dumps.ours)} | psql -X -q -v ON_ERROR_STOP=1 -o /dev/null -d {NAME}"
    archive = f"createdb -T template0 {NAME} && pg_restore --no-owner --no-acl -j {jobs} -d {NAME} "
    table = small_table(dumps)
    one = [settings.binary, "restore", dumps.ours, "--table", table, "--into-schema", NAME, "--quiet"]
    return {
        "restore": ("`ccc-backup restore`, our .sql.gz, contents proven", ours),
        "restore-no-content": ("`ccc-backup restore --no-content`, our .sql.gz", [*ours, "--no-content"]),
        "psql": ("`gzip -dc \\| psql`, our .sql.gz", shell(psql)),
        "custom": (f"`pg_restore -j{jobs}`, custom", shell(archive + quote(dumps.custom))),
        "directory": (f"`pg_restore -j{jobs}`, directory", shell(archive + quote(dumps.directory))),
        "table": (f"`ccc-backup restore --table {table}`, contents proven", one),
    }


def small_table(dumps):
    """The table that is nearest to a hundredth of all rows' bytes."""
    tables = dumps.manifest()["contents"]["tables"]
    whole = sum(table["bytes"] for table in tables)
    found = min(tables, key=lambda table: abs(table["bytes"] - whole / 100))
    return f"{found['schema']}.{found['name']}"


def measured(settings, source, dumps):
    """Samples by key, one for each round: with the server's processor time, its log, and how long cores were idle."""
    found = ways(settings, source, dumps)
    times = {key: [] for key in found}
    env = {**source.env, "PGDATABASE": "bench", "DB_NAME": "bench"}
    for round_number in range(settings.runs + 1):
        for key, (title, command) in found.items():
            source.ask("CHECKPOINT")
            log, server = source.ask("SELECT pg_current_wal_lsn()"), source.processor_time()
            sample = measure.run(command, env, source.log("into"))
            sample.server_cpu = source.processor_time() - server
            sample.facts["log"] = int(source.ask(f"SELECT pg_current_wal_lsn() - '{log}'"))
            if key == "table":
                source.ask(f"DROP SCHEMA {NAME} CASCADE", "bench")
            else:
                source.drop(NAME)
            # The first round brings everything into memory.
            if round_number:
                times[key].append(sample)
                say(f"{title}: {sample.wall:.2f} s")
    return {key: (found[key][0], values) for key, values in times.items()}


def page(settings, dumps, times):
    """The page."""
    middle = lambda samples, value: statistics.median(map(value, samples))  # noqa: E731
    median = {key: middle(samples, lambda of: of.wall) for key, (_, samples) in times.items()}
    lines = [
        "# Bringing a backup back into an ordinary server",
        "",
        f"`make bench-restore BENCH_SCALE={settings.scale:g} BENCH_RUNS={settings.runs}` wrote this page: medians of "
        f"{settings.runs} rounds, each way once in every round, on {os.cpu_count()} cores "
        f"({platform.machine()}, Linux {platform.release().split('-')[0]}). The server has fsync, synchronous_commit, "
        "full_page_writes and autovacuum on, wal_level replica, 256 MB of shared buffers.",
        "",
        f"The backup: {dumps.manifest()['dump_bytes']:,} bytes of SQL, {dumps.ours.stat().st_size:,} bytes packed.",
        "",
        "| | seconds | of `psql` | server, CPU s | client, CPU s | idle cores, s | server's log, MB |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for key, (title, samples) in times.items():
        server, client = middle(samples, lambda of: of.server_cpu), middle(samples, lambda of: of.client_cpu)
        idle, log = middle(samples, lambda of: of.idle), middle(samples, lambda of: of.facts["log"])
        lines.append(
            f"| {title} | {median[key]:.2f} | {median[key] / median['psql']:.2f} | {server:.2f} | {client:.2f} "
            f"| {idle:.2f} | {log / 1e6:,.0f} |"
        )
    best = min(median["custom"], median["directory"])
    lines += [
        "",
        "| goal | measured | limit | |",
        "|---|---:|---:|---|",
        *goal("restore, contents proven, of `gzip -dc \\| psql`", median["restore"] / median["psql"], 0.70),
        *goal("restore without contents, of `gzip -dc \\| psql`", median["restore-no-content"] / median["psql"], 0.70),
        *goal("restore without contents, of the faster `pg_restore -j`", median["restore-no-content"] / best, 1.00),
        *goal("one table of about 1 % of the size, of restoring all", median["table"] / median["restore"], 0.10),
        "",
    ]
    return "\n".join(lines)


def goal(what, measured_ratio, limit):
    """A line of the table of goals."""
    yield f"| {what} | {measured_ratio:.2f} | {limit:.2f} | {'reached' if measured_ratio <= limit else 'not reached'} |"


def main():
    """Measures and writes the page."""
    settings = Settings()
    settings.env["SOURCE_SETTINGS"] = DURABLE
    with Source(settings) as source:
        say(f"making the database, scale {settings.scale:g}")
        source.make("bench", settings.scale)
        dumps = source.dump("bench")
        PAGE.write_text(page(settings, dumps, measured(settings, source, dumps)), encoding="utf-8")
    say(f"wrote {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
