"""The Markdown page, made of the document alone. The text around the numbers holds none."""

from statistics import median

from goals import MIB, goals
from summary import START_PHASE, Summary, ratio

HEAD = """\
# Benchmarks

Written by the script in `benches/end_to_end`; what is changed here by hand is lost. To measure again:

```sh
{command}
```

`BENCH_SCALE=` and `BENCH_RUNS=` change the size of the database and the number of rounds,
`BENCH_SCALES="1 4 10"` adds the table of growth, `BENCH_CORES="1 2"` that of speed-up. Seconds depend
on the machine, and on what else it does: ratios within one table are what counts. The raw numbers of
the last call are in `target/bench/benchmarks.json`.
"""

METHOD = """\
## How it is measured

- A throwaway server, migrated and seeded by `tests/fixtures/make-database.sh`; all dumps hold the same.
- The rows of a table are measured in turn, {runs} round(s), each round beginning with another row. A
  value is the median of the rounds, with the smallest and the largest wall time beside it.
- *Client CPU* is that of the program and of all the programs it waits for, *server CPU* that of the
  PostgreSQL server: the container's control group, or the processes of the source server. What the
  Docker Engine itself uses is in neither. For the first description's procedure and for firedrill,
  psql and pg_restore run in the container, and count as server.
- *Peak memory* is that of the largest process of the client, the largest of all rounds. The system
  counts what started it as its own, so that nothing below {floor} can be seen.
- Everything is in the page cache, and what earlier runs wrote is synced before the clock starts.
- A run that fails, or restores another number of rows than the manifest has, ends the benchmark.
"""

LEAST = """\
*No core idle* is what it would be if client and server had kept all cores busy with what they did, and nothing else had run: no
schedule could be below it. Where that is over the limit, the goal is out of reach for this work on this machine.
"""

VERIFY = """\
## Verification, start to exit

The whole command: container, restore, checks, clean-up, in the same image. The first description's
procedure is `benches/end_to_end/spec_procedure.py`: the image's own entrypoint, a wait by pg_isready, a
copy into the container, `psql -f`, and a psql for each check. It can do plain files only. None but
`ccc-backup verify` without `--no-content` compares the rows.
"""

FALSE_ALARMS = """
firedrill ends with a false alarm on this database ({alarms}), which is passed over: its work is done by
then.
"""

INDEXED = """\
## The second data set

`benches/end_to_end/indexed.sql`: a partitioned table, wide rows, documents and texts, indexes of the kinds GIN, GiST, BRIN and
hash and on expressions. {rows:,} rows in {tables} tables, plain dump {megabytes:,.0f} MB.
"""

IDLE = """## Idle cores

The part of all cores, in percent, that had nothing to do, in each second of one run: the median of the rounds. What waits for a disk
counts as idle.
"""

INSERTS = """## INSERT statements

A dump by `pg_dump --inserts` of a smaller database of the first kind: {rows:,} rows, {megabytes:,.0f} MB. For ccc-backup it is the
phase `restore`; psql restores into the same server.
"""

RESTORE = """\
## The restore alone

Into the same server, whose start and empty database are not counted: image, settings and storage are
those that `ccc-backup verify` chooses, and all clients reach it at the container's own address. For
ccc-backup it is the phase `restore` of the runs above. {storage}
"""

CREATE = """\
## Making a backup

All with the options of `ccc-backup create`. It also fingerprints every row, hashes the file, writes the
manifest, and syncs the file to the disk, which the others do not.
"""

TINY = """\
## A small database

A database of {rows} rows, from start to exit, and the part of it that starts the sandbox, up to its
first query (the phase `{phase}`).
"""

GROWTH = """\
## Growth

`ccc-backup create` and `verify` of databases of several sizes.
"""

CORES = """\
## Speed-up

The client and the server it works with bound to the same cores: the client, and for `create` the source
server, by their processor affinity, `verify`'s container by its control group, within a moment of its
start. `--jobs` is left at its default, the number of cores that the client may use.
"""

# Keys of the rows with the keys that they are compared with.
FLOOR = """\
What no other schedule could save: the CPU seconds of client and server, spread over {cores} cores that
are never idle. The server's part is parsing and storing the rows, building the indexes, checking the
foreign keys: the backup's own statements. The others are the Docker Engine, with all that it starts for a
container, and the kernel. All four together are the cores' time from start to exit.
"""
VERIFY_ROWS = (
    "verify",
    "verify-no-content",
    "verify-one-member",
    "verify-plain",
    "verify-custom",
    "spec",
    "firedrill",
    "firedrill-custom",
)
RESTORE_ROWS = ("psql", "pg-restore-custom", "pg-restore-directory")
PHASES = {
    "verify": "`ccc-backup`, our .sql.gz",
    "verify-no-content": "`ccc-backup`, our .sql.gz, by `verify --no-content`",
    "verify-one-member": "`ccc-backup`, .sql.gz of `pg_dump \\| gzip -6`",
    "verify-plain": "`ccc-backup`, plain .sql",
}
INDEXED_ROWS = ("verify", "verify-no-content", "verify-custom", "firedrill", "firedrill-custom")
INSERT_ROWS = ("inserts-psql",)
CREATE_ROWS = ("create", "create-jobs", "pg-dump", "pg-dump-gzip", "pg-dump-pigz", "pg-dump-z6")
CORE_ROWS = ("verify", "verify-no-content", "create")


def seconds(value):
    if value is None:
        return "–"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def times(value):
    return "–" if value is None else f"{value:.2f}"


def mebibytes(value):
    if value is None:
        return "–"
    return f"{value / MIB:.1f}" if value < 100 * MIB else f"{value / MIB:,.0f}"


def spread(row):
    walls = row.values("wall")
    return f"{seconds(min(walls))}–{seconds(max(walls))}" if walls else "–"


def by_second(row):
    """The medians of what the runs found in each second that more than half of them came to."""
    runs = [sample["facts"]["idle_by_second"] for sample in row.samples]
    for second in range(max(map(len, runs), default=0)):
        found = [run[second] for run in runs if second < len(run)]
        if 2 * len(found) > len(runs):
            yield f"{100 * median(found):.0f}"


def table(headings, lines):
    """A table whose first column is text and whose others are numbers."""
    rule = ["---"] + ["--:"] * (len(headings) - 1)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in [headings, rule, *lines])


class Page:
    """Its sections, in order; one that was not measured is empty."""

    def __init__(self, document):
        self.document = document
        self.summary = Summary(document)

    def text(self):
        sections = [
            HEAD.format(command=self.document["command"]),
            self.machine(),
            self.goals(),
            METHOD.format(
                runs=self.document["settings"]["runs"],
                floor=f"{mebibytes(self.document['smallest_peak'])} MiB",
            ),
            self.verify(),
            self.indexed(),
            self.idle(),
            self.restore(),
            self.inserts(),
            self.create(),
            self.tiny(),
            self.growth(),
            self.cores(),
            self.missing(),
        ]
        return "\n".join(section for section in sections if section)

    def machine(self):
        document, dump = self.document, self.document["dump"]
        lines = [("date", document["date"]), *document["machine"].items()]
        lines += document["versions"].items()
        lines.append(("server in the container", document["server_version"]))
        lines.append(("image", document["image"]))
        lines.append(
            (
                "database",
                f"{dump['rows']:,} rows in {dump['tables']} tables, plain dump "
                f"{dump['dump_bytes'] / 1e6:,.0f} MB, "
                f"our .sql.gz {dump['file_bytes'] / 1e6:,.1f} MB",
            )
        )
        rows = "".join(f"| {name} | {value} |\n" for name, value in lines)
        return f"## Machine and versions\n\n| | |\n|---|---|\n{rows}"

    def goals(self):
        said = {True: "yes", False: "**no**", None: "not measured"}
        last, lines = self.document.get("last") or {}, []
        for goal in goals(self.summary):
            bound = "at least" if goal.at_least else "below" if goal.below else "at most"
            measured = "–" if goal.measured is None else f"{goal.measured:.2f}{goal.unit}"
            limit = f"{bound} {goal.limit:.2f}{goal.unit}"
            before = last.get("goals", {}).get(goal.text)
            before = "–" if before is None else f"{before:.2f}{goal.unit}"
            least = "" if goal.least is None else f"{goal.least:.2f}"
            reached = said[goal.reached()]
            if goal.reached() is False and goal.least is not None and goal.least > goal.limit:
                reached += ", out of reach"
            lines.append([goal.text, measured, least, limit, reached, before])
        headings = ["goal", "measured", "no core idle", "limit", "reached", "last run"]
        of_last = f"\nThe last run is of {last['date']}, commit {last['commit']}.\n" if last else ""
        return f"## Goals\n\n{table(headings, lines)}\n{LEAST}{of_last}"

    def lines(self, rows, bases, sizes=False):
        """A line for each row, with its ratio to each of the rows `bases`."""
        for row in rows:
            cells = [row.title, seconds(row.wall()), spread(row)]
            cells += [times(ratio(row.wall(), base.wall())) for base in bases]
            cells += [seconds(row.median(name)) for name in ("client_cpu", "server_cpu", "idle")]
            cells.append(mebibytes(row.peak()))
            yield cells + [mebibytes(row.median("file_bytes"))] if sizes else cells

    def comparison(self, rows, bases, sizes=False):
        measured = [(row, name) for row, name in bases if row]
        headings = ["", "wall s", "min–max", *(f"÷ {name}" for _, name in measured)]
        headings += ["client CPU s", "server CPU s", "idle cores s", "peak MiB"]
        if sizes:
            headings.append("file MiB")
        return table(headings, self.lines(rows, [row for row, _ in measured], sizes))

    def verify(self):
        rows = self.summary.all(*VERIFY_ROWS)
        bases = [
            (self.summary.find("firedrill"), "firedrill"),
            (self.summary.find("spec"), "first description"),
        ]
        if not rows:
            return ""
        alarms = {alarm for row in rows for alarm in row.all_of("false_alarms")}
        said = FALSE_ALARMS.format(alarms=", ".join(sorted(alarms))) if alarms else ""
        return f"{VERIFY}{said}\n{self.comparison(rows, bases)}\n{self.floor(rows)}"

    def indexed(self):
        rows = self.summary.all(*INDEXED_ROWS, set=2)
        if not rows:
            return ""
        bases = [
            (self.summary.find("firedrill", set=2), "firedrill"),
            (self.summary.find("firedrill-custom", set=2), "firedrill, custom"),
        ]
        size = self.document["indexed"]
        head = INDEXED.format(**size, megabytes=size["dump_bytes"] / 1e6)
        return f"{head}\n{self.comparison(rows, bases)}"

    def idle(self):
        """For each run of `verify` the share of idle cores, second by second."""
        lines = []
        for title, of in (("first data set", {}), ("second data set", {"set": 2})):
            for key, how in (("verify", ""), ("verify-no-content", ", `--no-content`")):
                row = self.summary.find(key, **of)
                if row:
                    lines.append([f"{title}{how}", *by_second(row)])
        if not lines:
            return ""
        longest = max(map(len, lines))
        lines = [line + [""] * (longest - len(line)) for line in lines]
        return f"{IDLE}\n{table(['second', *map(str, range(1, longest))], lines)}"

    def inserts(self):
        phase = self.summary.restore_phase("inserts", "`ccc-backup`")
        rows = [row for row in (phase, *self.summary.all(*INSERT_ROWS)) if row]
        if not rows:
            return ""
        size = self.document["inserted"]
        head = INSERTS.format(**size, megabytes=size["dump_bytes"] / 1e6)
        base = self.summary.find("inserts-psql")
        return f"{head}\n{self.comparison(rows, [(base, 'psql')])}"

    def floor(self, rows):
        """How fast these could be on this machine if every core were busy all the time, and who has the cores' time."""
        cores = self.document["settings"]["jobs"]
        firedrill = self.summary.wall("firedrill")
        lines = []
        for row in rows:
            if not row.key.startswith("verify"):
                continue
            parts = [row.median(name) for name in ("client_cpu", "server_cpu", "idle")]
            if None in parts or not row.wall():
                continue
            client, server, idle = parts
            least, whole = (client + server) / cores, row.wall() * cores
            shares = [client, server, idle, max(0, whole - client - server - idle)]
            shares = [f"{share / whole:.0%}" for share in shares]
            lines.append([row.title, seconds(least), times(ratio(least, firedrill)), *shares])
        if not lines:
            return ""
        headings = ["", "CPU s ÷ cores", "÷ firedrill", "client", "server", "idle", "others"]
        return f"{FLOOR.format(cores=cores)}\n{table(headings, lines)}"

    def restore(self):
        rows = [self.summary.restore_phase(key, title) for key, title in PHASES.items()]
        rows = [row for row in rows if row] + self.summary.all(*RESTORE_ROWS)
        if not rows:
            return ""
        base = self.summary.find("pg-restore-custom")
        body = self.comparison(rows, [(base, "pg_restore, custom")])
        return f"{RESTORE.format(storage=self.storage())}\n{body}"

    def storage(self):
        """Where the data of each row was, because that differs by the size of the file."""
        places = {True: "in memory", False: "on a volume", None: "in both"}
        keys = [*PHASES, *RESTORE_ROWS]
        found = {key: row.fact("in_memory") for key in keys if (row := self.summary.find(key))}
        if len(set(found.values())) == 1:
            return f"The data directory was {places[found.popitem()[1]]} for all of them."
        titles = {key: PHASES.get(key) or self.summary.find(key).title for key in found}
        said = [f"{titles[key]}: {places[value]}" for key, value in found.items()]
        return f"**The data directory was not in the same place:** {'; '.join(said)}."

    def create(self):
        rows = self.summary.all(*CREATE_ROWS)
        base = self.summary.find("pg-dump-gzip")
        body = self.comparison(rows, [(base, "`pg_dump \\| gzip`")], sizes=True)
        return f"{CREATE}\n{body}" if rows else ""

    def tiny(self):
        tiny = self.summary.find("tiny")
        if not tiny:
            return ""
        rows = [tiny, tiny.phase(START_PHASE, "start of the sandbox to its first query")]
        lines = [[row.title, seconds(row.wall()), spread(row)] for row in rows]
        head = TINY.format(rows=f"{self.document['tiny_rows']:,}", phase=START_PHASE)
        return f"{head}\n{table(['', 'wall s', 'min–max'], lines)}"

    def growth(self):
        lines = []
        for scale in self.summary.values_of("scale"):
            create, verify = (self.summary.find(key, scale=scale) for key in ("create", "verify"))
            if not (create and verify):
                continue
            size = self.document["scales"][f"{scale:g}"]
            gigabytes = size["dump_bytes"] / 1e9
            cells = [f"{scale:g}", f"{size['rows']:,}", f"{size['dump_bytes'] / 1e6:,.0f}"]
            for row in (create, verify):
                cells += [seconds(row.wall()), seconds(row.wall() / gigabytes)]
                cells.append(mebibytes(row.peak()))
            cells.append({True: "memory", False: "volume"}.get(verify.fact("in_memory"), "both"))
            lines.append(cells)
        headings = ["scale", "rows", "dump MB"]
        for work in ("`create`", "`verify`"):
            headings += [f"{work} s", "s/GB", "peak MiB"]
        return f"{GROWTH}\n{table([*headings, 'data in'], lines)}" if lines else ""

    def cores(self):
        cores = self.summary.values_of("cores")
        if not cores:
            return ""
        lines = []
        for key in CORE_ROWS:
            rows = [self.summary.find(key, cores=count) for count in cores]
            lines.append(self.speed_up(rows))
            if key.startswith("verify"):
                title = f"restore phase of {rows[0].title}"
                lines.append(self.speed_up([row.phase("restore", title) for row in rows]))
        headings = ["", *(f"{count:g} core(s), s" for count in cores)]
        return f"{CORES}\n{table([*headings, 'speed-up'], lines)}"

    def speed_up(self, rows):
        walls = [row.wall() for row in rows]
        return [rows[0].title, *map(seconds, walls), times(ratio(walls[0], walls[-1]))]

    def missing(self):
        lines = [f"- {left['what']}: {left['reason']}\n" for left in self.document["missing"]]
        return f"## Left out\n\n{''.join(lines)}" if lines else ""
