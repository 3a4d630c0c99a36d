"""The throwaway server that backups are taken of, its databases, and the dumps of them."""

import json
import os
import random
import secrets
import shlex
import shutil
import socket
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import measure
from settings import ROOT, Stop

HERE = Path(__file__).resolve().parent
FIXTURES = ROOT / "tests/fixtures"
# What `create` passes to pg_dump, so that all dumps hold the same.
PLAIN = ("--no-owner", "--no-acl", "--clean", "--if-exists")


def free_port():
    """Below the ports that the kernel hands out by itself."""
    for port in random.sample(range(20000, 30000), 50):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise Stop("no free port between 20000 and 30000")


@dataclass
class Dumps:
    """One database's dumps, all of the same contents."""

    ours: Path
    sealed: Path = None
    one_member: Path = None
    plain: Path = None
    custom: Path = None
    directory: Path = None

    def manifest(self):
        return json.loads(Path(f"{self.ours}.manifest.json").read_text(encoding="utf-8"))

    def files(self):
        for path in (self.ours, self.sealed, self.one_member, self.plain, self.custom):
            yield path
        yield from self.directory.iterdir()


class Source:
    """The server; it stops, and its files go, when the block ends."""

    def __init__(self, settings):
        self.settings = settings
        self.process = None
        self.work = None

    def __enter__(self):
        self.work = Path(tempfile.mkdtemp(prefix="ccc-bench-", dir=self.settings.parent))
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self):
        # The server runs as another user, who has to pass through.
        self.work.chmod(0o711)
        port, password = free_port(), secrets.token_hex(16)
        self.env = {
            **self.settings.env,
            "PGHOST": "127.0.0.1",
            "PGPORT": str(port),
            "PGUSER": "postgres",
            "PGPASSWORD": password,
        }
        self.process = subprocess.Popen(
            [FIXTURES / "source-server.sh", self.work / "source", str(port)],
            env={**self.settings.env, "SOURCE_PASSWORD": password},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        if self.process.stdout.readline().strip() != b"ready":
            raise Stop("the source server did not start")
        pid_file = self.work / "source/data/postmaster.pid"
        self.postmaster = int(pid_file.read_text(encoding="ascii").split()[0])

    def __exit__(self, *_):
        if self.process:
            # It ends with its standard input.
            self.process.stdin.close()
            self.process.wait()
        shutil.rmtree(self.work, ignore_errors=True)

    def log(self, name):
        return self.work / f"{name}.log"

    def make(self, database, scale):
        """Makes a database of that scale."""
        script = FIXTURES / "make-database.sh"
        measure.run([script, database, f"{scale:g}"], self.env, self.log("make-database"))
        # Seeding leaves much to write, and nobody should measure that.
        self.ask("CHECKPOINT")

    def make_indexed(self, database, scale):
        """Makes a database of the second data set, of that scale."""
        script = HERE / "indexed.sql"
        self.ask(f"CREATE DATABASE {database}")
        command = ["psql", "-X", "-q", "-v", f"scale={scale:g}", "-d", database, "-f", script]
        measure.run(command, self.env, self.log("make-indexed"))
        self.ask("CHECKPOINT")

    def dump_inserts(self, database):
        """Dumps it with an INSERT statement for each row."""
        output = self.work / database / "inserts.sql"
        output.parent.mkdir(parents=True, exist_ok=True)
        command = ["pg_dump", "--no-owner", "--no-acl", "--inserts", "-f", output, database]
        measure.run(command, self.env, self.log("dump"))
        return output

    def drop(self, database):
        self.ask(f"DROP DATABASE {database}")

    def ask(self, statement, database="postgres"):
        command = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement]
        return ask(command, {**self.env, "PGDATABASE": database})

    def dump_ours(self, database):
        """Makes our backup of it, and none of the others."""
        output = self.work / database / "ours/backup.sql.gz"
        output.parent.mkdir(parents=True)
        self.create(database, output)
        return Dumps(ours=output)

    def dump(self, database):
        """Dumps the database in every format that is compared."""
        place = self.work / database
        for name in ("ours", "foreign"):
            (place / name).mkdir(parents=True)
        dumps = Dumps(
            ours=place / "ours/backup.sql.gz",
            sealed=place / "ours/sealed.sql.gz.age",
            one_member=place / "foreign/one_member.sql.gz",
            plain=place / "foreign/plain.sql",
            custom=place / "ours/archive.dump",
            directory=place / "directory.dump",
        )
        self.create(database, dumps.ours)
        self.create(database, dumps.sealed.with_suffix(""), sealed=True)
        self.create(database, dumps.custom)
        archive = ["pg_dump", "--no-owner", "--no-acl", "-f"]
        for command in (
            ["pg_dump", *PLAIN, "-f", dumps.plain, database],
            shell(f"gzip -6 -c {quote(dumps.plain)} >{quote(dumps.one_member)}"),
            [*archive, dumps.directory, "-Fd", "-j", str(self.settings.jobs), database],
        ):
            measure.run(command, self.env, self.log("dump"))
        # Everything is in the page cache from the first round on.
        measure.run(["cat", *dumps.files()], self.env, "/dev/null")
        return dumps

    def create(self, database, output, cores=None, sealed=False, jobs=None):
        """Measures `ccc-backup create`, which adds an ending of its own to what is sealed."""
        command = [self.settings.binary, "create", output, "--dbname", database, "--force"]
        if jobs:
            command += ["--jobs", str(jobs)]
        if sealed:
            command += ["--encrypt-to", self.recipient()]
            output = output.with_name(f"{output.name}.age")
        return self.measured(command, output, cores)

    def recipient(self):
        """The recipient of sealed dumps, whose identity is made when it is first asked for."""
        if not self.identity().exists():
            measure.run(
                [self.settings.binary, "keys", "new", self.identity()], self.env, self.log("keys")
            )
        lines = self.identity().read_text(encoding="utf-8").splitlines()
        return next(line.split()[-1] for line in lines if "public key" in line)

    def identity(self):
        """The file that opens sealed dumps."""
        return self.work / "bench.key"

    def measured(self, command, output, cores=None):
        """Measures a dump of this server to the file `output`."""
        before = self.processor_time()
        if cores:
            self.bind(cores)
        try:
            sample = measure.run(command, self.env, self.log("dump"), cores=cores)
        finally:
            if cores:
                self.bind(os.sched_getaffinity(0))
        sample.server_cpu = self.processor_time() - before
        sample.file_bytes = output.stat().st_size
        return sample

    def bind(self, cores):
        """Lets the server use these processors only."""
        for pid in self.processes():
            os.sched_setaffinity(pid, cores)

    def processes(self):
        children = Path(f"/proc/{self.postmaster}/task/{self.postmaster}/children")
        return [self.postmaster, *map(int, children.read_text(encoding="ascii").split())]

    def processor_time(self):
        """Of the server and all of its processes, also those that have ended, in seconds."""
        ticks = 0
        for pid in self.processes():
            try:
                stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
            except OSError:
                continue
            # After the name, which may hold anything: utime, stime, cutime, cstime.
            ticks += sum(map(int, stat.rpartition(")")[2].split()[11:15]))
        return ticks / measure.TICKS


def shell(command):
    """For pipes and redirections; fails when any part of a pipe does."""
    return ["bash", "-o", "pipefail", "-c", command]


def quote(path):
    return shlex.quote(str(path))


def ask(command, env):
    done = subprocess.run(
        command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise measure.Failed(f"{measure.shown(command)}: {done.stderr.strip()}")
    return done.stdout.strip()
