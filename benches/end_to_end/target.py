"""The server that `verify` starts, to restore into by other means.

`ccc-backup verify --no-cleanup` of a tiny backup leaves a server with the image, the settings and
the storage that a real verification has. The tiny backup is padded to the size of the real one,
because by the size of the file `verify` decides whether the data is kept in memory.
"""

import json
import re

import measure
from containers import docker, processor_time, remove_all, running
from source import ask

CONNECT = re.compile(r"PGPASSWORD=(\S+) psql -h 127\.0\.0\.1 -p (\d+)")
PAD = b"-- as many bytes as the backup that is compared with\n"
TRAILER = b"--\n-- PostgreSQL database dump complete\n"


def pad(tiny, padded, size):
    """Writes the plain dump `tiny` to `padded`, with comments up to `size` bytes."""
    dump = tiny.read_bytes()
    before, trailer, after = dump.rpartition(TRAILER)
    missing = max(0, size - len(dump))
    padded.write_bytes(before + PAD * (missing // len(PAD)) + trailer + after)


class Target:
    """A server with an empty database, in a block; removed at its end."""

    def __init__(self, settings, source, padded, manifest):
        self.settings = settings
        self.source = source
        self.padded = padded
        self.facts = manifest["source"]
        self.name = f"{settings.prefix}-target"

    def __enter__(self):
        log, report = self.source.log("target"), self.source.work / "target.json"
        command = [self.settings.binary, "verify", self.padded, "--no-cleanup", "--no-content"]
        command += ["--port", "0", "--container-name", self.name, "--report", report]
        try:
            measure.run(command, self.settings.env, log)
            self.connect(log.read_text(encoding="utf-8"))
        except BaseException:
            remove_all(self.name)
            raise
        self.in_memory = json.loads(report.read_text(encoding="utf-8"))["report"]["sandbox"][
            "in_memory"
        ]
        return self

    def __exit__(self, *_):
        remove_all(self.name)

    def connect(self, transcript):
        found = CONNECT.search(transcript)
        if not found:
            raise measure.Failed("`verify --no-cleanup` did not say how to connect")
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        # As `verify` does it: past the engine's port forwarding.
        address = docker("inspect", "--format", form, self.name)
        self.ident = docker("inspect", "--format", "{{.Id}}", self.name)
        self.env = {
            **self.settings.env,
            "PGHOST": address or "127.0.0.1",
            "PGPORT": "5432" if address else found.group(2),
            "PGUSER": "postgres",
            "PGPASSWORD": found.group(1),
            "PGDATABASE": "postgres",
        }
        self.ask(
            "CREATE DATABASE restored TEMPLATE template0 ENCODING '{}' LC_COLLATE '{}' LC_CTYPE '{}'".format(
                self.facts["encoding"], self.facts["collate"], self.facts["ctype"]
            )
        )
        self.env["PGDATABASE"] = "restored"

    def ask(self, statement):
        command = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement]
        return ask(command, self.env)

    def restore(self, command):
        """Measures a restore into the empty database."""
        file = running().get(self.ident)
        before = processor_time(file) if file else None
        sample = measure.run(command, self.env, self.source.log("restore"))
        after = processor_time(file) if file else None
        if before is not None and after is not None:
            sample.server_cpu = after - before
        sample.facts["in_memory"] = self.in_memory
        return sample

    def rows(self, tables):
        """Rows in the tables of a manifest."""
        count = "SELECT count(*) FROM ONLY {}.{}"
        parts = [count.format(quoted(table["schema"]), quoted(table["name"])) for table in tables]
        return int(self.ask(f"SELECT sum(count) FROM ({' UNION ALL '.join(parts)}) AS counts"))


def quoted(name):
    return '"' + name.replace('"', '""') + '"'
