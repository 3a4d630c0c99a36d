"""What was measured, kept as JSON after every run, and the rounds that measure it."""

import json
import sys


def say(text):
    print(text, file=sys.stderr, flush=True)


class Results:
    """The document of one call."""

    def __init__(self, path, head):
        self.path = path
        self.document = {"format_version": 1, **head, "missing": [], "rows": []}

    def missing(self, what, reason):
        say(f"left out: {what}: {reason}")
        self.document["missing"].append({"what": what, "reason": reason})

    def add(self, row, sample):
        """Adds a sample to its row."""
        for known in self.document["rows"]:
            if (known["key"], known["of"]) == (row.key, row.of):
                break
        else:
            known = {"key": row.key, "title": row.title, "of": row.of, "samples": []}
            self.document["rows"].append(known)
        known["samples"].append(sample.plain())
        self.save()

    def save(self):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.document, indent=1)
        self.path.write_text(f"{text}\n", encoding="utf-8")

    def measure(self, rows, runs):
        """Measures every row once in every round, each round from another row on, so that what
        changes on the machine meanwhile meets all of them."""
        rows = list(rows)
        for turn in range(runs):
            first = turn % len(rows)
            for row in rows[first:] + rows[:first]:
                sample = row.run()
                self.add(row, sample)
                of = "".join(f", {name} {value:g}" for name, value in row.of.items())
                say(f"round {turn + 1}/{runs}  {sample.wall:7.2f} s  {row.title}{of}")
