"""`make bench`: how long ccc-backup takes, beside other ways to do the same.

    python3 benches/end_to_end           measures, and writes docs/benchmarks.md
    python3 benches/end_to_end --page    writes the page again from target/bench/benchmarks.json

    BENCH_SCALE=1           size of the database; 1 is a plain dump of about 500 MB
    BENCH_RUNS=5            rounds
    BENCH_SCALES="1 4 10"   sizes for the table of growth; none unless said
    BENCH_CORES="1 2"       numbers of cores for the table of speed-up; none unless said
    BENCH_PAGE=FILE         where the page goes
    BENCH_DIR=/var/tmp      where the database and the dumps go; scale 1 takes 3 GB, 10 takes 25
    CCC_BACKUP=FILE         the binary to measure; target/release/ccc-backup

It needs what `make setup` brings. Whatever it starts it removes, also when it is interrupted.
"""

import json
import os
import signal
import sys

import containers
import last
import measure
import rows
from firedrill import Firedrill, NotInstalled
from machine import head
from page import Page
from results import Results, say
from settings import ROOT, Settings, Stop
from source import Source
from target import pad

# Load from which on the numbers are doubtful.
BUSY = 1


def drill(settings, source, results):
    """firedrill; None where it cannot be had."""
    try:
        return Firedrill(settings, source)
    except NotInstalled as reason:
        results.missing("firedrill", f"not installed: {reason}")
        return None


def compare(settings, source, results):
    """The tables that every call measures."""
    say(f"making the database, scale {settings.scale:g}")
    source.make("bench", settings.scale)
    work = rows.Work(settings, source, "bench", source.dump("bench"))
    source.make("tiny", 0.001)
    tiny = rows.Work(settings, source, "tiny", source.dump("tiny"))
    padded = source.work / "padded.sql"
    pad(tiny.dumps.plain, padded, work.dumps.ours.stat().st_size)

    say(f"making the second data set, scale {settings.scale:g}")
    source.make_indexed("indexed", settings.scale)
    config = source.work / "indexed.toml"
    config.write_text('[checks]\ntables = []\nmigrations = "none"\n', encoding="utf-8")
    indexed = rows.Work(settings, source, "indexed", source.dump("indexed"), config)
    source.make("inserts", settings.scale / 10)
    inserts = rows.Work(settings, source, "inserts", source.dump_ours("inserts"))
    inserted = source.dump_inserts("inserts")

    # Not counted: it brings everything into memory, and says which image it takes.
    facts = work.verify(work.dumps.ours).facts
    results.document |= {
        "image": facts["image"],
        "server_version": facts["server_version"],
        "dump": sizes(work),
        "indexed": sizes(indexed),
        "inserted": sizes(inserts) | {"dump_bytes": inserted.stat().st_size},
        "tiny_rows": tiny.rows_expected,
        "smallest_peak": measure.smallest_peak(settings.env, source.log("true")),
    }
    pigz = settings.which("pigz")
    if not pigz:
        results.missing("`pg_dump \\| pigz`", "pigz is not installed; Debian's package is pigz")
    firedrill = drill(settings, source, results)
    everything = [
        *rows.verifying(work, facts["image"], firedrill),
        *rows.verifying_indexed(indexed, facts["image"], firedrill),
        *rows.inserting(inserts, inserted, padded),
        *rows.restoring(work, padded),
        *rows.creating(work, pigz),
        rows.Row(
            "tiny",
            "`ccc-backup verify` of a database of a few rows",
            lambda: tiny.verify(tiny.dumps.ours),
        ),
    ]
    # One that cannot do it here is left out with its reason; ours has to.
    results.measure(runnable(everything, settings, results), settings.runs)
    return work


def runnable(everything, settings, results):
    """The rows without those of other tools that fail in a first run, which is not counted."""
    for row in everything:
        if row.key.startswith("firedrill"):
            try:
                row.run()
            except measure.Failed as failed:
                reason = str(failed).replace(f"{settings.parent}/", "").replace(f"{ROOT}/", "")
                results.missing(row.title, " ".join(reason.split()))
                continue
        yield row


def sizes(work):
    return {
        "rows": work.rows_expected,
        "tables": len(work.manifest["contents"]["tables"]),
        "dump_bytes": work.manifest["dump_bytes"],
        "file_bytes": sum(file["bytes"] for file in work.manifest["files"]),
    }


def grow(settings, source, results, work):
    """The table of growth, one scale after the other: all at once would fill the disk."""
    results.document["scales"] = {}
    for scale in settings.scales:
        if scale == settings.scale:
            of_scale = work
        else:
            say(f"making the database, scale {scale:g}")
            name = f"bench_{scale:g}".replace(".", "_")
            source.make(name, scale)
            of_scale = rows.Work(settings, source, name, source.dump_ours(name))
        results.document["scales"][f"{scale:g}"] = sizes(of_scale)
        of = {"scale": scale}
        results.measure(
            [
                rows.Row("create", "`ccc-backup create`", of_scale.create, of),
                rows.Row("verify", "`ccc-backup verify`", of_scale.verify_ours, of),
            ],
            settings.runs,
        )
        if of_scale is not work:
            source.drop(name)


def bind(settings, results, work):
    """The table of speed-up."""
    bound = []
    for count in settings.cores:
        cores, of = set(sorted(settings.all_cores)[:count]), {"cores": count}
        bound += [
            rows.Row(
                "verify",
                "`ccc-backup verify`",
                lambda cores=cores: work.verify(work.dumps.ours, cores=cores),
                of,
            ),
            rows.Row(
                "verify-no-content",
                "`ccc-backup verify --no-content`",
                lambda cores=cores: work.verify(work.dumps.ours, "--no-content", cores=cores),
                of,
            ),
            rows.Row(
                "create", "`ccc-backup create`", lambda cores=cores: work.create(cores), of
            ),
        ]
    if bound:
        results.measure(bound, settings.runs)


def write(settings, document):
    settings.page.parent.mkdir(parents=True, exist_ok=True)
    settings.page.write_text(Page(document).text(), encoding="utf-8")
    say(f"written: {settings.page}")


def keep(settings, results):
    """Compares with the run that the repository has, and lets this one take its place."""
    kept = settings.page.with_suffix(".json")
    results.document["last"] = last.read(kept)
    results.save()
    last.write(kept, results.document)


def main(arguments):
    settings = Settings()
    if arguments == ["--page"]:
        write(settings, json.loads(settings.raw.read_text(encoding="utf-8")))
        return
    if arguments:
        raise Stop(__doc__)
    results = Results(settings.raw, head(settings))
    if os.getloadavg()[0] > BUSY:
        say("this machine is busy with something else: what is measured will be worth little")
    try:
        with Source(settings) as source:
            work = compare(settings, source, results)
            grow(settings, source, results, work)
            bind(settings, results, work)
    finally:
        containers.remove_all(settings.prefix)
    keep(settings, results)
    write(settings, results.document)


if __name__ == "__main__":
    # As Ctrl-C: whatever was started is removed on the way out.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        main(sys.argv[1:])
    except (Stop, measure.Failed) as error:
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:
        sys.exit("bench: interrupted; everything it started was removed")
