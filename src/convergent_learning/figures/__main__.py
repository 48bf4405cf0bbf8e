"""`python -m convergent_learning.figures` prints the schema as Markdown: docs/tables.md."""

from __future__ import annotations

import sys

from convergent_learning.figures import schema
from convergent_learning.tables.schema import column

_TYPES = {str: "text", int: "integer", float: "number", bool: "true or false"}

_HEAD = """# Tables

The tables of an experiment are CSV files in `results/<experiment>/tables/`. In a reference
(`results/reference/<experiment>/tables/`) the large ones are compressed (`.csv.gz`). Scores are
averaged over folds, and over the two directions where a table has no source and target. Intervals
(`low` to `high`) are the 95% delete-one-network jackknife, empty with fewer than 3 networks of a
group. The role of a column says how `make verify` compares it: keys name a row, measured numbers
have tolerances, the rest has to be equal. (`make pages` writes this page.)"""


def markdown() -> str:
    """A section per table: what a row is, and its columns."""
    lines = [_HEAD]
    for name, table in schema().items():
        lines += ["", f"## {name}.csv", "", f"{table.row}.", ""]
        lines += ["| column | meaning | type | role |", "|---|---|---|---|"]
        for each in table.columns:
            about = column(name, each)
            kind, role = _TYPES[about.type], about.role.value
            lines.append(f"| `{each}` | {about.meaning} | {kind} | {role} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(markdown())
