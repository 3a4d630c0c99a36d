"""What the caller wants, from the environment; see __main__.py for the variables."""

import os
import secrets
import shutil
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Stop(Exception):
    """Something without which nothing can be measured; the text says what to do."""


def numbers(name, kind, default=""):
    text = os.environ.get(name, "").strip() or default
    try:
        values = [kind(word) for word in text.split()]
    except ValueError:
        raise Stop(f"{name} is not a list of numbers: {text!r}") from None
    if any(value <= 0 for value in values):
        raise Stop(f"{name} must be greater than 0: {text!r}")
    return values


def number(name, kind, default):
    values = numbers(name, kind, default)
    if len(values) != 1:
        raise Stop(f"{name} is one number")
    return values[0]


def path(name, default):
    return Path(os.environ.get(name) or default).resolve()


def child_environment():
    """The environment of what is measured: nothing in it that changes what ccc-backup or libpq does."""
    ours = ("CCC_BACKUP", "DB_", "PG", "GITHUB_", "RUST_LOG", "DATABASE_URL", "POSTGRES_", "BENCH_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    newest = newest_server()
    if newest:
        env["PATH"] = f"{newest}:{env.get('PATH', os.defpath)}"
    return env


def newest_server():
    """Where Debian puts the newest PostgreSQL's programs, which are not all on the PATH."""
    found = Path("/usr/lib/postgresql").glob("*/bin/pg_dump")
    majors = {float(file.parts[-3]): file.parent for file in found}
    return majors[max(majors)] if majors else None


@dataclass
class Settings:
    """Plain values."""

    scale: float = field(default_factory=lambda: number("BENCH_SCALE", float, "1"))
    runs: int = field(default_factory=lambda: number("BENCH_RUNS", int, "5"))
    scales: list = field(default_factory=lambda: numbers("BENCH_SCALES", float))
    cores: list = field(default_factory=lambda: numbers("BENCH_CORES", int))
    page: Path = field(default_factory=lambda: path("BENCH_PAGE", ROOT / "docs/benchmarks.md"))
    # Not /tmp, which is memory on many machines.
    parent: Path = field(default_factory=lambda: path("BENCH_DIR", "/var/tmp"))
    binary: Path = field(
        default_factory=lambda: path("CCC_BACKUP", ROOT / "target/release/ccc-backup")
    )
    raw: Path = ROOT / "target/bench/benchmarks.json"
    venv: Path = ROOT / "target/bench-venv"
    # What everything that is started is called, so that it can be found again.
    prefix: str = field(default_factory=lambda: f"ccc-bench-{secrets.token_hex(4)}")
    env: dict = field(default_factory=child_environment)

    def __post_init__(self):
        self.all_cores = os.sched_getaffinity(0)
        self.jobs = len(self.all_cores)
        if not os.access(self.binary, os.X_OK):
            raise Stop(f"no {self.binary}: cargo build --release makes it")
        for program in ("docker", "psql", "pg_dump", "pg_restore", "gzip", "bash"):
            if not self.which(program):
                raise Stop(f"no {program} on the PATH; infra/setup.sh installs what the tests need")
        for cores in self.cores:
            if cores > self.jobs:
                raise Stop(f"BENCH_CORES: there are {self.jobs} cores, not {cores}")

    def which(self, program):
        return shutil.which(program, path=self.env["PATH"])

    def command(self):
        """How to run it again, without what was left at its default."""
        given = ("BENCH_SCALE", "BENCH_RUNS", "BENCH_SCALES", "BENCH_CORES")
        words = [f'{name}="{os.environ[name]}"' for name in given if os.environ.get(name)]
        return " ".join(["make bench", *words])
