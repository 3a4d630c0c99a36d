"""The processor time of containers, from their control groups, and the removal of ours.

A container that a measured program starts and removes by itself is watched from a thread, which
reads one small file fifty times a second.
"""

import glob
import os
import re
import subprocess
import threading

# Where the Docker Engine's control groups are, with the file of their processor time: version 1 and
# 2, each as docker and as systemd name them.
PLACES = (
    ("/sys/fs/cgroup/cpuacct/docker/*", "cpuacct.usage"),
    ("/sys/fs/cgroup/cpuacct/system.slice/docker-*.scope", "cpuacct.usage"),
    ("/sys/fs/cgroup/docker/*", "cpu.stat"),
    ("/sys/fs/cgroup/system.slice/docker-*.scope", "cpu.stat"),
)
PERIOD_SECONDS = 0.02
ID = re.compile(r"[0-9a-f]{64}")


def running():
    """The control groups of the containers that run, by container: files to read."""
    found = {}
    for pattern, file in PLACES:
        for place in glob.glob(pattern):
            ident = ID.search(place)
            if ident and os.path.exists(f"{place}/{file}"):
                found.setdefault(ident.group(), f"{place}/{file}")
    return found


def processor_time(file):
    """In seconds; None when the container is gone."""
    try:
        with open(file, encoding="ascii") as text:
            content = text.read()
    except OSError:
        return None
    if file.endswith("cpuacct.usage"):
        return int(content) / 1e9
    return int(re.search(r"usage_usec (\d+)", content).group(1)) / 1e6


def docker(*arguments, check=False):
    """What docker prints, without the line end."""
    done = subprocess.run(
        ["docker", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if check and done.returncode != 0:
        raise RuntimeError(f"docker {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()


class Watch(threading.Thread):
    """Sums the processor time of the containers that appear while it runs and whose names begin
    with one of `prefixes`. With `cores` it binds them to these."""

    def __init__(self, prefixes, cores=None):
        super().__init__(daemon=True)
        self.prefixes = tuple(prefixes)
        self.cores = cores
        self.ours = {}
        self.used = {}
        self.ended = threading.Event()

    def __enter__(self):
        self.known = set(running())
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join()
        self.look()

    def run(self):
        while not self.ended.wait(PERIOD_SECONDS):
            self.look()

    def look(self):
        for ident, file in running().items():
            if ident not in self.known:
                self.known.add(ident)
                self.meet(ident, file)
        for ident, file in self.ours.items():
            used = processor_time(file)
            if used is not None:
                self.used[ident] = used

    def meet(self, ident, file):
        name = docker("inspect", "--format", "{{.Name}}", ident).lstrip("/")
        if not name.startswith(self.prefixes):
            return
        self.ours[ident] = file
        if self.cores:
            docker("update", "--cpuset-cpus", ",".join(map(str, sorted(self.cores))), ident)

    def seconds(self):
        """None when none was seen, which is so where the engine is on another machine."""
        return sum(self.used.values()) if self.used else None


def remove_all(prefix):
    """Removes every container, network and volume whose name begins with `prefix`."""
    for ident in names("ps", "--all", "{{.Names}}", prefix):
        docker("rm", "--force", "--volumes", ident)
    for kind in ("network", "volume"):
        for name in names(kind, "ls", "{{.Name}}", prefix):
            docker(kind, "rm", name)


def names(*arguments):
    *command, form, prefix = arguments
    listed = docker(*command, "--filter", f"name={prefix}", "--format", form)
    return [name for name in listed.split() if name.startswith(prefix)]
