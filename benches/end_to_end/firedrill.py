"""firedrill, which verifies backups too: https://pypi.org/project/firedrill

It is installed into an environment of the benchmark's own.
"""

import json
import subprocess
import sys

import measure
from containers import Watch, docker
from results import say

VERSION = "0.6.0"
# What it finds in the good database of this benchmark: a sequence that counts downwards is behind to
# it. It finds that at the end, when its work is done.
FALSE_ALARMS = {"SEQUENCE_BEHIND"}


class NotInstalled(Exception):
    """With the reason."""


def installed(settings):
    """The program; installs it where it is missing."""
    program = settings.venv / "bin/firedrill"
    if said(program, "--version").split()[-1:] == [VERSION]:
        return program
    say(f"installing firedrill {VERSION} into {settings.venv}")
    for command in (
        [sys.executable, "-m", "venv", "--clear", settings.venv],
        [settings.venv / "bin/pip", "install", "--quiet", f"firedrill=={VERSION}"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            reasons = (done.stderr or done.stdout).strip().splitlines()
            raise NotInstalled(reasons[-1] if reasons else "no reason was given")
    return program


def said(*command):
    """What a program prints; nothing when there is no such program."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""


class Firedrill:
    """Runs it."""

    def __init__(self, settings, source):
        self.program = installed(settings)
        self.settings = settings
        self.source = source

    def run(self, image, dump, *flags):
        """Measures it on a dump, in the image that `verify` takes."""
        template, report = image.rpartition(":")[0] + ":{major}", self.source.work / "drill.json"
        command = [self.program, "run", dump, "--no-config", "--image", template, *flags]
        command += ["--json", report, "--fail-on", "critical"]
        with Watch(["firedrill-"]) as watch:
            try:
                log = self.source.log("firedrill")
                sample = measure.run(command, self.settings.env, log, cwd=self.source.work)
            except BaseException:
                self.remove(watch.ours)
                raise
        sample.server_cpu = watch.seconds()
        found = json.loads(report.read_text(encoding="utf-8"))["findings"]
        rules = {finding["rule"] for finding in found}
        if rules - FALSE_ALARMS:
            raise measure.Failed(f"firedrill finds fault with a good backup: {sorted(rules)}")
        sample.facts = {"false_alarms": sorted(rules)}
        return sample

    def remove(self, idents):
        """Removes what it left: the containers that have our dump mounted."""
        for ident in idents:
            mounts = docker("inspect", "--format", "{{range .Mounts}}{{.Source}} {{end}}", ident)
            if str(self.source.work) in mounts:
                docker("rm", "--force", "--volumes", ident)
