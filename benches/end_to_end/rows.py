"""What is compared: each row of a table is a way to do the same work."""

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

import measure
from containers import Watch
from source import PLAIN, quote, shell
from target import Target

HERE = Path(__file__).resolve().parent


@dataclass
class Row:
    """One way; `run` does the work once and gives a Sample."""

    key: str
    title: str
    run: Callable
    # What tells it from rows of the same key, such as the cores that it had.
    of: dict = field(default_factory=dict)


class Work:
    """The works that are measured, on one database and its dumps."""

    def __init__(self, settings, source, database, dumps, config=None):
        self.settings = settings
        self.source = source
        self.database = database
        self.dumps = dumps
        # Where the database is not CCC's.
        self.config = ["--config", config] if config else []
        self.manifest = dumps.manifest()
        self.rows_expected = sum(table["rows"] for table in self.manifest["contents"]["tables"])

    # Verifying

    def verify(self, dump, *flags, cores=None):
        """Measures `ccc-backup verify`."""
        name, report = f"{self.settings.prefix}-verify", self.source.work / "report.json"
        command = [self.settings.binary, "verify", dump, "--port", "0", "--container-name", name]
        command += ["--report", report, *self.config, *flags]
        with Watch([name], cores) as watch, measure.Idleness(self.settings.jobs) as idleness:
            log = self.source.log("verify")
            sample = measure.run(command, self.settings.env, log, cores=cores)
        sample.server_cpu = watch.seconds()
        found = json.loads(report.read_text(encoding="utf-8"))["report"]
        sample.facts = {
            "idle_by_second": idleness.shares,
            "in_memory": found["sandbox"]["in_memory"],
            "image": found["sandbox"]["image"],
            "server_version": found["sandbox"]["server_version"],
            "phases": {phase["name"]: phase["seconds"] for phase in found["phases"]},
        }
        return sample

    def verify_sealed(self):
        """The same, of the backup that was sealed."""
        return self.verify(self.dumps.sealed, "--identity", self.source.identity())

    def verify_ours(self):
        """The same, of the backup that we made."""
        return self.verify(self.dumps.ours)

    def spec_procedure(self, image):
        """Measures the procedure of the first description."""
        name = f"{self.settings.prefix}-spec"
        command = [sys.executable, HERE / "spec_procedure.py", self.dumps.plain, image, name]
        with Watch([name]) as watch:
            sample = measure.run(command, self.settings.env, self.source.log("spec"))
        sample.server_cpu = watch.seconds()
        return sample

    # Restoring

    def restore(self, padded, command):
        """Measures a restore into the server that `verify` uses, whose start is not counted."""
        with Target(self.settings, self.source, padded, self.manifest) as target:
            sample = target.restore(command)
            rows = target.rows(self.manifest["contents"]["tables"])
        if rows != self.rows_expected:
            raise measure.Failed(
                f"{measure.shown(command)} restored {rows} of {self.rows_expected} rows"
            )
        return sample

    # Making

    def create(self, cores=None, sealed=False, jobs=None):
        """Measures `ccc-backup create`."""
        output = self.source.work / "created/backup.sql.gz"
        output.parent.mkdir(exist_ok=True)
        try:
            return self.source.create(self.database, output, cores, sealed, jobs)
        finally:
            output.unlink(missing_ok=True)
            output.with_name(f"{output.name}.age").unlink(missing_ok=True)

    def pg_dump(self, command):
        """Measures a shell command that writes a dump to the file $OUTPUT."""
        output = self.source.work / "dumped"
        output.unlink(missing_ok=True)
        command = command.format(plain=" ".join(PLAIN), db=self.database, output=quote(output))
        try:
            return self.source.measured(shell(command), output)
        finally:
            output.unlink(missing_ok=True)


def verifying(work, image, drill):
    """The whole verification, from start to exit."""
    dumps, jobs = work.dumps, str(work.settings.jobs)
    yield Row("verify", "`ccc-backup verify`, our .sql.gz", lambda: work.verify(dumps.ours))
    yield Row(
        "verify-no-content",
        "`ccc-backup verify --no-content`, our .sql.gz",
        lambda: work.verify(dumps.ours, "--no-content"),
    )
    yield Row(
        "verify-sealed",
        "`ccc-backup verify --identity`, our .sql.gz.age",
        work.verify_sealed,
    )
    yield Row(
        "verify-one-member",
        "`ccc-backup verify`, .sql.gz of `pg_dump \\| gzip -6`",
        lambda: work.verify(dumps.one_member),
    )
    yield Row(
        "verify-plain", "`ccc-backup verify`, plain .sql", lambda: work.verify(dumps.plain)
    )
    yield Row(
        "spec", "the first description's procedure, plain .sql", lambda: work.spec_procedure(image)
    )
    yield Row(
        "verify-custom",
        "`ccc-backup verify`, our custom archive",
        lambda: work.verify(dumps.custom),
    )
    if drill:
        yield Row("firedrill", "firedrill, our .sql.gz", lambda: drill.run(image, dumps.ours))
        yield Row(
            "firedrill-custom",
            f"firedrill, the same archive, {jobs} jobs",
            lambda: drill.run(image, dumps.custom, "--jobs", jobs),
        )


def verifying_indexed(work, image, drill):
    """The same of the second data set."""
    dumps, of = work.dumps, {"set": 2}
    yield Row("verify", "`ccc-backup verify`, our .sql.gz", lambda: work.verify(dumps.ours), of)
    yield Row(
        "verify-no-content",
        "`ccc-backup verify --no-content`, our .sql.gz",
        lambda: work.verify(dumps.ours, "--no-content"),
        of,
    )
    yield Row(
        "verify-custom",
        "`ccc-backup verify`, our custom archive",
        lambda: work.verify(dumps.custom),
        of,
    )
    if drill:
        jobs = str(work.settings.jobs)
        yield Row("firedrill", "firedrill, our .sql.gz", lambda: drill.run(image, dumps.ours), of)
        yield Row(
            "firedrill-custom",
            f"firedrill, the same archive, {jobs} jobs",
            lambda: drill.run(image, dumps.custom, "--jobs", jobs),
            of,
        )


def inserting(work, dump, padded):
    """INSERT statements, a row each."""
    psql = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", "-f", dump]
    yield Row(
        "inserts", "`ccc-backup verify --no-content`", lambda: work.verify(dump, "--no-content")
    )
    yield Row("inserts-psql", "`psql`", lambda: work.restore(padded, psql))


def restoring(work, padded):
    """The restore alone."""
    jobs = str(work.settings.jobs)
    psql = "psql -X -q -v ON_ERROR_STOP=1 -o /dev/null"
    archive = ["pg_restore", "--no-owner", "--no-acl", "-j", jobs, "-d", "restored"]
    commands = {
        "psql": ("`gzip -dc \\| psql`", shell(f"gzip -dc {quote(work.dumps.ours)} | {psql}")),
        "pg-restore-custom": (f"`pg_restore -j{jobs}`, custom", [*archive, work.dumps.custom]),
        "pg-restore-directory": (
            f"`pg_restore -j{jobs}`, directory",
            [*archive, work.dumps.directory],
        ),
    }
    for key, (title, command) in commands.items():
        yield Row(key, title, lambda command=command: work.restore(padded, command))


def creating(work, pigz):
    """Making a backup."""
    commands = {
        "pg-dump": "pg_dump {plain} {db} >{output}",
        "pg-dump-gzip": "pg_dump {plain} {db} | gzip >{output}",
        "pg-dump-pigz": "pg_dump {plain} {db} | pigz >{output}",
        "pg-dump-z6": "pg_dump {plain} -Z6 {db} >{output}",
    }
    titles = ("`pg_dump >file`", "`pg_dump \\| gzip`", "`pg_dump \\| pigz`", "`pg_dump -Z6`")
    jobs = work.source.settings.jobs
    yield Row("create", "`ccc-backup create`", work.create)
    yield Row(
        "create-jobs", f"`ccc-backup create --jobs {jobs}`", lambda: work.create(jobs=jobs)
    )
    yield Row(
        "create-sealed", "`ccc-backup create --encrypt-to`", lambda: work.create(sealed=True)
    )
    for (key, command), title in zip(commands.items(), titles):
        if key != "pg-dump-pigz" or pigz:
            yield Row(key, title, lambda command=command: work.pg_dump(command))
