"""`make bench-instructions`: how many instructions the reader takes for a byte of a dump.

    python3 benches/instructions.py      counts, shows the change, and writes docs/instructions.md

callgrind runs `benches/reader.rs` on small inputs and counts in the function that is measured alone.
Unlike seconds, the counts are the same on a busy machine.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/instructions.md"
# Benchmarks of benches/reader.rs, and the function in which is counted.
FUNCTIONS = {
    "reader_copy_short_rows": "read_dump",
    "reader_copy_null_rows": "read_dump",
    "reader_copy_wide_rows": "read_dump",
    "reader_short_inserts": "read_dump",
    "reader_wide_inserts": "read_dump",
    "fingerprint_short_rows": "hash_rows",
    "fingerprint_wide_rows": "hash_rows",
}
LINE = re.compile(r"^\| `(\w+)` \| [\d,]+ \| [\d,]+ \| ([\d.]+) \|$", re.MULTILINE)

TEXT = """\
# Instructions of the reader

Written by `make bench-instructions`, by hand when the reader or the fingerprint changes; not part of
CI. Seconds differ from machine to machine and from hour to hour. Instructions, counted by callgrind,
do not, so that a change of more than a percent or two is a change of the code, or of the compiler.
Each input is made up, by `benches/reader.rs`.

| benchmark | instructions | bytes | instructions per byte |
|---|--:|--:|--:|
{lines}
With {rustc} and {valgrind}, on a processor {vectors} AVX2, which the search for line ends
uses where it is there.
"""


def build():
    """The benchmark's program."""
    command = ["cargo", "bench", "--no-run", "--locked", "--bench", "reader"]
    command += ["--message-format", "json-render-diagnostics"]
    built = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if built.returncode != 0:
        sys.exit("bench-instructions: the benchmark does not build")
    messages = [json.loads(line) for line in built.stdout.splitlines()]
    made = [message for message in messages if message.get("executable")]
    return next(one["executable"] for one in made if one["target"]["name"] == "reader")


def count(program, name, function):
    """The instructions of one benchmark, and the bytes that they were for."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    command += ["--collect-atstart=no", f"--toggle-collect=*{function}*", program]
    env = {**os.environ, "COUNT": name}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or not collected or collected.group(1) == "0":
        sys.exit(f"bench-instructions: {name} could not be counted:\n{done.stderr}")
    return int(collected.group(1)), int(done.stdout)


def version(program):
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return " ".join(said.stdout.split()[:2])


def main():
    if not shutil.which("valgrind"):
        sys.exit("bench-instructions: no valgrind; infra/setup.sh valgrind installs it")
    known = dict(LINE.findall(PAGE.read_text(encoding="utf-8"))) if PAGE.exists() else {}
    program, lines = build(), []
    for name, function in FUNCTIONS.items():
        instructions, size = count(program, name, function)
        per_byte = f"{instructions / size:.3f}"
        change = ""
        if name in known:
            change = f"  was {known[name]} ({float(per_byte) / float(known[name]) - 1:+.1%})"
        print(f"{name:<24} {per_byte} instructions per byte{change}", flush=True)
        lines.append(f"| `{name}` | {instructions:,} | {size:,} | {per_byte} |\n")
    cpu = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    text = TEXT.format(
        lines="".join(lines),
        rustc=version("rustc"),
        valgrind=version("valgrind"),
        vectors="with" if " avx2 " in cpu else "without",
    )
    PAGE.write_text(text, encoding="utf-8")
    print(f"written: {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
