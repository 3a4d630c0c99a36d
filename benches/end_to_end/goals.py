"""The goals for speed, size and memory, and whether what was measured reaches them."""

from dataclasses import dataclass

from summary import START_PHASE, ratio

MIB = 1024 * 1024


@dataclass
class Goal:
    """A measured number and the limit that it is held to; `measured` is None where it is not known. `least` is what it would
    be if client and server had kept every core busy with what they did, and nothing else had run."""

    text: str
    measured: float
    limit: float
    unit: str = ""
    at_least: bool = False
    below: bool = False
    least: float | None = None

    def reached(self):
        if self.measured is None:
            return None
        if self.at_least:
            return self.measured >= self.limit
        return self.measured < self.limit if self.below else self.measured <= self.limit


def goals(summary):
    """All of them, in the order of the page."""
    jobs = summary.document["settings"]["jobs"]
    for number, of in ((1, {}), (2, {"set": 2})):
        for key, how, limit in (("verify", "with", 0.52), ("verify-no-content", "without", 0.43)):
            yield compared(
                f"`verify` {how} the content proof, part of firedrill's time, data set {number}",
                (summary, key, "firedrill"),
                limit,
                **of,
            )
        yield compared(
            f"`verify` of our custom archive, part of firedrill's time on it, data set {number}",
            (summary, "verify-custom", "firedrill-custom"),
            0.75,
            **of,
        )
        yield Goal(
            f"cores that have nothing to do, part of `verify`'s time, data set {number}",
            idle_share(summary, "verify", **of),
            0.10,
        )
    yield compared(
        "`verify` with the content proof, part of the first description's procedure's time",
        (summary, "verify", "spec"),
        0.46,
    )
    restore = summary.restore_phase("verify-no-content")
    yield Goal(
        f"restore phase, part of `pg_restore -j{jobs}`'s time (custom format, same server)",
        ratio(restore and restore.wall(), summary.wall("pg-restore-custom")),
        0.85,
    )
    inserts = summary.restore_phase("inserts")
    yield Goal(
        "restore phase of INSERT statements, part of psql's time (same server)",
        ratio(inserts and inserts.wall(), summary.wall("inserts-psql")),
        0.50,
    )
    yield compared(
        "`create`, part of `pg_dump \\| gzip`'s time", (summary, "create", "pg-dump-gzip"), 0.46
    )
    yield Goal(
        "`create`, part of its processor time and the server's, spread over the cores",
        of_its_work(summary, "create"),
        1.10,
    )
    for command in ("verify", "create"):
        yield Goal(
            f"`{command}` of a sealed backup, part of the time of an open one",
            summary.ratio(f"{command}-sealed", command),
            1.10,
        )
    yield Goal("`create`, part of `pg_dump \\| gzip`'s file size", size_ratio(summary), 1.0)
    yield Goal(
        "peak memory of our process, in any run", peak(summary), 96, unit=" MiB", below=True
    )
    yield Goal(
        "`verify` of a database of a few rows", summary.wall("tiny"), 2.0, unit=" s", below=True
    )
    tiny = summary.find("tiny")
    start = tiny and tiny.phase(START_PHASE, "").wall()
    yield Goal("start of the sandbox to its first query", start, 0.75, unit=" s")
    for command in ("create", "verify"):
        yield Goal(
            f"time linear in size: `{command}`, seconds a gigabyte at the largest scale over those at "
            "the smallest",
            growth(summary, command),
            1.05,
        )
    for command in ("create", "verify"):
        cores = summary.values_of("cores")
        most = cores[-1] if cores else jobs
        yield Goal(
            f"close to {most:g} times as fast on {most:g} cores, taken as 0.8 of it: `{command}`",
            speed_up(summary, command),
            0.8 * most,
            at_least=True,
        )


def compared(text, between, limit, **of):
    """That one row takes at most a part of another's time."""
    summary, key, base = between
    base = summary.wall(base, **of)
    measured, least = ratio(summary.wall(key, **of), base), ratio(work(summary, key, **of), base)
    return Goal(text, measured, limit, least=least)


def idle_share(summary, key, **of):
    row, cores = summary.find(key, **of), summary.document["settings"]["jobs"]
    return row and ratio(row.median("idle"), row.wall() * cores)


def work(summary, key, **of):
    """Seconds of the processor that client and server took, spread over all cores."""
    row, cores = summary.find(key, **of), summary.document["settings"]["jobs"]
    seconds = row and [row.median("client_cpu"), row.median("server_cpu")]
    return sum(seconds) / cores if seconds and None not in seconds else None


def of_its_work(summary, key):
    return ratio(summary.wall(key), work(summary, key))


def size_ratio(summary):
    ours, theirs = summary.find("create"), summary.find("pg-dump-gzip")
    if not (ours and theirs):
        return None
    return ratio(ours.median("file_bytes"), theirs.median("file_bytes"))


def peak(summary):
    ours = [row for row in summary.rows if row.key.startswith(("verify", "create", "tiny"))]
    peaks = [row.peak() for row in ours if row.peak()]
    return max(peaks) / MIB if peaks else None


def growth(summary, command):
    scales = summary.values_of("scale")
    if len(scales) < 2:
        return None

    def seconds_a_byte(scale):
        row = summary.find(command, scale=scale)
        sizes = summary.document["scales"]
        return row and ratio(row.wall(), sizes[f"{scale:g}"]["dump_bytes"])

    return ratio(seconds_a_byte(scales[-1]), seconds_a_byte(scales[0]))


def speed_up(summary, command):
    cores = summary.values_of("cores")
    if len(cores) < 2 or cores[0] != 1:
        return None
    return ratio(summary.wall(command, cores=1), summary.wall(command, cores=cores[-1]))
