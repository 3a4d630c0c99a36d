"""What the last run that the repository has came to: its goals, beside which those of this run stand."""

import json

from goals import goals
from summary import Summary


def read(path):
    """The date, the commit, and what was measured for each goal; nothing where there was no run."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}


def write(path, document):
    """Keeps what this run came to."""
    measured = {goal.text: round(goal.measured, 4) for goal in goals(Summary(document)) if goal.measured is not None}
    kept = {"date": document["date"], "commit": document["versions"].get("commit"), "goals": measured}
    path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
