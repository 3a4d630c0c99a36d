"""Where it was measured, and with what."""

import os
import platform
import re
import subprocess
from datetime import datetime, timezone
from pathlib import Path

from containers import docker
from settings import ROOT


def first_line(*command, env=None):
    try:
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    except OSError:
        return None
    lines = (done.stdout or done.stderr).splitlines()
    return lines[0].strip() if done.returncode == 0 and lines else None


def field_of(file, name):
    text = Path(file).read_text(encoding="utf-8", errors="replace")
    found = re.search(rf"^{re.escape(name)}\s*:\s*(.+)$", text, re.MULTILINE)
    return found.group(1).strip() if found else None


def file_system(path):
    listed = subprocess.run(
        ["df", "--output=fstype", path], capture_output=True, text=True, check=False
    )
    return listed.stdout.splitlines()[-1].strip() if listed.returncode == 0 else None


def machine(settings):
    """Facts about the machine, by name."""
    memory = field_of("/proc/meminfo", "MemTotal")
    return {
        "processor": field_of("/proc/cpuinfo", "model name") or platform.machine(),
        "cores": settings.jobs,
        "memory": f"{int(memory.split()[0]) / 1024 / 1024:.1f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "storage of the dumps": file_system(settings.parent),
        "storage of Docker": "{} ({})".format(
            file_system(docker("info", "--format", "{{.DockerRootDir}}")),
            docker("info", "--format", "{{.Driver}}"),
        ),
        "load before the start": f"{os.getloadavg()[0]:.2f}",
    }


def versions(settings):
    """Of everything that takes part; without what is not there."""
    env = settings.env

    def first(*command):
        return first_line(*command, env=env)

    found = {
        "ccc-backup": first(settings.binary, "--version"),
        "commit": commit(settings),
        "pg_dump": first(settings.which("pg_dump"), "--version"),
        "Docker": docker("version", "--format", "{{.Server.Version}}"),
        "gzip": first("gzip", "--version"),
        "pigz": first("pigz", "--version") if settings.which("pigz") else None,
        "firedrill": first(settings.venv / "bin/firedrill", "--version"),
        "rustc": first("rustc", "--version"),
    }
    return {name: version for name, version in found.items() if version}


def commit(settings):
    """Of the working tree, where the binary is the one built from it."""
    if not settings.binary.is_relative_to(ROOT):
        return None
    return first_line("git", "-C", str(ROOT), "describe", "--always", "--dirty")


def head(settings):
    """The beginning of the document."""
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "command": settings.command(),
        "machine": machine(settings),
        "versions": versions(settings),
        "settings": {"scale": settings.scale, "runs": settings.runs, "jobs": settings.jobs},
    }
