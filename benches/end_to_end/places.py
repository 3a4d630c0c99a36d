"""What a place in object storage costs, beside a directory of this machine.

    python3 benches/end_to_end/places.py      measures, and writes docs/benchmarks-places.md

The server of object storage runs on the same machine and takes its share of the same cores. Each way once in every
round; what is shown is the median of the rounds. BENCH_SCALE, BENCH_RUNS and CCC_BACKUP are those of `make bench`.
"""

import json
import os
import platform
import statistics
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import measure  # noqa: E402
from results import say  # noqa: E402
from settings import ROOT, Settings  # noqa: E402
from source import Source  # noqa: E402
from storage import Storage  # noqa: E402

PAGE = ROOT / "docs/benchmarks-places.md"
PLACE, MANY = "s3://bench/place", "s3://bench/many"
# Backups in the place that is listed.
BACKUPS = 10_000


class Ways:
    """What is compared, on one database."""

    def __init__(self, settings, source, storage):
        self.settings, self.source, self.storage = settings, source, storage
        self.env = {**source.env, **storage.env, "PGDATABASE": "bench", "DB_NAME": "bench"}
        self.directory = source.work / "backups"

    def run(self, *arguments):
        return measure.run([self.settings.binary, *arguments], self.env, self.source.log("places"))

    def create(self, place, *flags):
        """A backup is made, and stays for `verify`."""
        output = f"{place}/backup.sql.gz"
        return self.run("create", output, "--force", *flags)

    def verify(self, place, *flags):
        name = f"{self.settings.prefix}-verify"
        backup = f"{place}/backup.sql.gz"
        return self.run("verify", backup, "--port", "0", "--container-name", name, *flags)

    def copied(self):
        """A backup is made in two places at once, the second of which is emptied before."""
        self.storage.empty("copy")
        return self.create(self.directory, "--copy-to", "s3://bench/copy")

    def rows(self):
        """Titles and works, by key."""
        return {
            "create-directory": ("`create` to a directory", lambda: self.create(self.directory)),
            "create-place": ("`create` to a place", lambda: self.create(PLACE)),
            "create-both": ("`create` to a directory, `--copy-to` a place", self.copied),
            "verify-directory": ("`verify` of a directory's", lambda: self.verify(self.directory)),
            "verify-place": ("`verify` of a place's", lambda: self.verify(PLACE)),
            "verify-twice": ("`verify --spool none` of a place's", lambda: self.verify(PLACE, "--spool", "none")),
        }


def fill(source, storage):
    """Puts many backups of a night each into a place, with their manifests and two runs: empty, but for their names."""
    many = source.work / "many"
    (many / "history").mkdir(parents=True)
    night = datetime(2026, 1, 1, 2, tzinfo=timezone.utc)
    for number in range(BACKUPS):
        at = night - timedelta(days=number)
        name = f"backup_{at:%Y%m%d_%H%M%S}.sql.gz"
        (many / name).write_bytes(b"x")
        (many / f"{name}.manifest.json").write_bytes(b"{}")
        for word, verdict, later in (("create", "passed", 0), ("verify", "passed", 1)):
            stamp = at + timedelta(minutes=later)
            run = f"{stamp:%Y%m%dT%H%M%S%f}Z.{word}.{verdict}.{number:064x}.1.10.3.app.{name}"
            (many / "history" / run).write_bytes(b"{}")
    done = storage.rclone("copy", str(many), "s3:bench/many", "--transfers", "32", "--no-traverse", "--no-check-dest")
    if done.returncode:
        raise measure.Failed(done.stderr.decode(errors="replace"))


def listed(ways):
    """`list` of that place, which has to name all of them."""
    sample = ways.run("list", "--backup-dir", MANY)
    names = ways.source.log("places").read_text(encoding="utf-8").count("backup_")
    if names != BACKUPS:
        raise measure.Failed(f"{names} of {BACKUPS} backups were listed")
    return sample


def measured(settings, ways):
    """Samples by key, one for each round."""
    rows = {**ways.rows(), "list": (f"`list` of {BACKUPS:,} backups", lambda: listed(ways))}
    times = {key: [] for key in rows}
    for round_number in range(settings.runs + 1):
        for key, (title, work) in rows.items():
            sample = work()
            # The first round brings everything into memory.
            if round_number:
                times[key].append(sample)
                say(f"{title}: {sample.wall:.2f} s")
    return {key: (rows[key][0], samples) for key, samples in times.items()}


def page(settings, directory, times):
    """The page."""
    manifest = json.loads((directory / "backup.sql.gz.manifest.json").read_text(encoding="utf-8"))
    median = {key: statistics.median(sample.wall for sample in samples) for key, (_, samples) in times.items()}
    lines = [
        "# What a place in object storage costs",
        "",
        f"`make bench-places BENCH_SCALE={settings.scale:g} BENCH_RUNS={settings.runs}` wrote this page: medians of "
        f"{settings.runs} rounds, each way once in every round, on {os.cpu_count()} cores "
        f"({platform.machine()}, Linux {platform.release().split('-')[0]}). The place is SeaweedFS on the same machine, "
        "which takes its share of the same cores.",
        "",
        f"The backup: {manifest['dump_bytes']:,} bytes of SQL, "
        f"{(directory / 'backup.sql.gz').stat().st_size:,} bytes packed.",
        "",
        "| | seconds | CPU s of ours | memory, MiB |",
        "|---|---:|---:|---:|",
    ]
    for key, (title, samples) in times.items():
        cpu = statistics.median(sample.client_cpu for sample in samples)
        peak = max(sample.peak_rss for sample in samples)
        lines.append(f"| {title} | {median[key]:.2f} | {cpu:.2f} | {peak / 2**20:.0f} |")
    creating = max(sample.peak_rss for key in ("create-place", "create-both") for sample in times[key][1])
    lines += [
        "",
        "| goal | measured | limit | |",
        "|---|---:|---:|---|",
        goal("`create` to a place, of one to a directory", median["create-place"] / median["create-directory"], 1.15),
        goal("`verify` of a place's, of a directory's", median["verify-place"] / median["verify-directory"], 1.25),
        goal(f"`list` of {BACKUPS:,} backups, seconds", median["list"], 2),
        goal("memory of `create` to a place, MiB", creating / 2**20, 128),
        "",
    ]
    return "\n".join(lines)


def goal(what, found, limit):
    """A line of the table of goals."""
    return f"| {what} | {found:.2f} | {limit:.2f} | {'reached' if found <= limit else 'not reached'} |"


def main():
    """Measures and writes the page."""
    settings = Settings()
    with Source(settings) as source, Storage(source.work) as storage:
        say(f"making the database, scale {settings.scale:g}")
        source.make("bench", settings.scale)
        say(f"putting {BACKUPS:,} backups into a place")
        fill(source, storage)
        ways = Ways(settings, source, storage)
        times = measured(settings, ways)
        PAGE.write_text(page(settings, ways.directory, times), encoding="utf-8")
    say(f"wrote {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
