"""`python -m convergent_learning.stimuli` prints docs/families.md."""

from __future__ import annotations

import inspect
import sys

from .registry import Family, families, level_text

_HEAD = """# Stimulus families

This page lists what the families declare; `make pages` writes it.
[Methods](methods/stimuli.md) defines each transformation, and [Stimuli](stimuli.md) shows it.
Levels run from mild to strong. Those in bold are the levels of the default experiment, chosen
for images of 32 pixels. At the identity level, in brackets, the parametric part of the
transformation vanishes. Families that *count as* another are one family in the statistics.

| family | transformation | levels | counts as |
|---|---|---|---|"""

_SOURCES = """
## Sources

| family | defined by |
|---|---|"""


def markdown() -> str:
    """The families with their levels, then where their definitions come from."""
    known = families()
    rows = [
        f"| `{name}` | {_summary(family)} | {_levels(family)} | {_counted(family)} |"
        for name, family in known.items()
    ]
    sources = [f"| `{name}` | {family.source} |" for name, family in known.items()]
    return "\n".join([_HEAD, *rows, _SOURCES, *sources]) + "\n"


def _summary(family: Family) -> str:
    """The first paragraph of the docstring of its transformation."""
    function = getattr(family.transform, "func", family.transform)  # of a partial
    text = " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())
    return text.replace("``", "`")


def _levels(family: Family) -> str:
    identity = [] if family.identity is None else [f"[{level_text(family.identity)}]"]
    marked = [
        f"**{level_text(level)}**" if level in family.default else level_text(level)
        for level in family.levels
    ]
    order = "" if family.graded or len(marked) == 1 else " (not ordered)"
    return " ".join([*identity, *marked]) + order


def _counted(family: Family) -> str:
    return "" if family.counts_as == family.name else f"`{family.counts_as}`"


if __name__ == "__main__":
    sys.stdout.write(markdown())
