"""Runs a command and says what it took: wall time, processor time, memory."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

LAUNCH = str(Path(__file__).with_name("launch.py"))
TICKS = os.sysconf("SC_CLK_TCK")
# How long what is interrupted may take to clean up after itself.
GRACE_SECONDS = 30


class Failed(Exception):
    """A command that did not do its work: there is nothing to compare."""


@dataclass
class Sample:
    """One run."""

    wall: float
    # Of the command and everything it waited for, in seconds.
    client_cpu: float = None
    # Of the PostgreSQL server, in seconds; None where it cannot be told.
    server_cpu: float = None
    # Of the largest process of the command, in bytes.
    peak_rss: int = None
    # Of all cores, while the command ran, also while they waited for the disk, in seconds.
    idle: float = None
    # Of the file that was made, in bytes.
    file_bytes: int = None
    # Whatever else is worth keeping, by name.
    facts: dict = field(default_factory=dict)

    def plain(self):
        return {name: value for name, value in asdict(self).items() if value not in (None, {})}


def run(command, env, log, cwd=None, cores=None):
    """Runs `command` to its end; its output goes to the file `log`. Raises Failed when it fails.

    `cores` is the set of processors that it may use.
    """
    # What earlier runs wrote is on the disk before the clock starts: nobody waits for another's data.
    os.sync()
    command, idle = [str(word) for word in command], idle_seconds()
    allowed = ",".join(map(str, sorted(cores or ())))
    with open(log, "wb") as output, tempfile.NamedTemporaryFile(mode="r") as result:
        launcher = subprocess.Popen(
            [sys.executable, "-I", "-S", LAUNCH, result.name, allowed, *command],
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # A session of its own: Ctrl-C reaches us, and we pass it on and wait.
            start_new_session=True,
        )
        try:
            launcher.wait()
        except BaseException:
            interrupt(launcher)
            raise
        idle = idle_seconds() - idle
        said = result.read().split()
    code = int(said[0]) if said else None
    if code != 0:
        raise Failed(f"{shown(command)} exited with {code}:\n{tail(log)}")
    wall, client_cpu, peak_rss = map(float, said[1:])
    return Sample(wall=wall, client_cpu=client_cpu, peak_rss=int(peak_rss), idle=idle)


def idle_seconds():
    """Of all cores since the machine started, also while they wait for the disk."""
    with open("/proc/stat", encoding="ascii") as text:
        words = text.readline().split()
    return (int(words[4]) + int(words[5])) / TICKS


class Idleness(threading.Thread):
    """In a block: the share of the cores that had nothing to do, for each second of it."""

    def __init__(self, cores):
        super().__init__(daemon=True)
        self.cores = cores
        self.shares = []
        self.ended = threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join()

    def run(self):
        before, then = idle_seconds(), time.monotonic()
        while not self.ended.wait(1):
            idle, now = idle_seconds(), time.monotonic()
            share = (idle - before) / (now - then) / self.cores
            self.shares.append(round(min(1, share), 2))
            before, then = idle, now


def interrupt(process):
    """Asks a command and its children to stop, and sees to it that they do."""
    for number, seconds in ((signal.SIGINT, GRACE_SECONDS), (signal.SIGKILL, None)):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            pass
        try:
            process.wait(timeout=seconds)
            return
        except subprocess.TimeoutExpired:
            continue


def shown(command):
    return " ".join(map(str, command))


def tail(log, lines=15):
    with open(log, encoding="utf-8", errors="replace") as text:
        return "".join(f"    {line}" for line in text.readlines()[-lines:]).rstrip()


def smallest_peak(env, log):
    """The memory of a program that does nothing: no smaller peak can be seen."""
    return run(["true"], env, log).peak_rss
