"""Medians of what was measured, from the document alone."""

from statistics import median

START_PHASE = "read and start"
RESTORE_PHASE = "restore"


class Measured:
    """The samples of one row."""

    def __init__(self, row):
        self.key, self.title, self.of = row["key"], row["title"], row["of"]
        self.samples = row["samples"]

    def values(self, name):
        values = [sample.get(name) for sample in self.samples]
        return [value for value in values if value is not None]

    def median(self, name):
        values = self.values(name)
        return median(values) if values else None

    def wall(self):
        return self.median("wall")

    def peak(self):
        """The largest, because it is a bound that is asked for."""
        return max(self.values("peak_rss"), default=None)

    def fact(self, name):
        """The same in every run, else None."""
        values = {sample["facts"].get(name) for sample in self.samples if "facts" in sample}
        return values.pop() if len(values) == 1 else None

    def all_of(self, name):
        """Everything in the lists of that name."""
        return {one for sample in self.samples for one in sample.get("facts", {}).get(name, [])}

    def phase(self, phase, title):
        """A row that is a part of this one: wall time only."""
        parts = [sample["facts"]["phases"].get(phase) for sample in self.samples]
        samples = [{"wall": part} for part in parts if part is not None]
        key = f"{self.key}/{phase}"
        return Measured({"key": key, "title": title, "of": self.of, "samples": samples})


class Summary:
    """The whole document."""

    def __init__(self, document):
        self.document = document
        self.rows = [Measured(row) for row in document["rows"]]

    def find(self, key, **of):
        """The row of that key, or None where it was not measured."""
        found = (row for row in self.rows if row.key == key and row.of == of)
        return next(found, None)

    def all(self, *keys, **of):
        """The rows of these keys that were measured."""
        rows = (self.find(key, **of) for key in keys)
        return [row for row in rows if row]

    def wall(self, key, **of):
        row = self.find(key, **of)
        return row.wall() if row else None

    def ratio(self, key, base):
        return ratio(self.wall(key), self.wall(base))

    def restore_phase(self, key, title="", **of):
        row = self.find(key, **of)
        return row.phase(RESTORE_PHASE, title) if row else None

    def values_of(self, name):
        """What a kind of row was measured for, such as each number of cores."""
        return sorted({row.of[name] for row in self.rows if name in row.of})


def ratio(value, base):
    return value / base if value is not None and base else None
