"""What claims.json holds: its fields, reading and printing them."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from convergent_learning.files import damaged_file_named

NUMBERS = ("estimate", "ci_low", "ci_high")
_NUMBER = int | float | None
# `part` is the letter of a part, empty for a whole claim, which has neither figure nor notes.
_TYPES = {
    **dict.fromkeys(("id", "claim", "statistic"), str),
    **dict.fromkeys((*NUMBERS, "threshold"), _NUMBER),
    "n": int,
    **dict.fromkeys(("verdict", "reason", "dataset", "part"), str),
    "figure": int | None,
    **dict.fromkeys(("notes", "groups"), list),
}

Entry = dict[str, Any]


def read_claims(path: str | Path) -> list[Entry]:
    """The entries of a claims.json; DamagedFileError names a file that is none."""
    with damaged_file_named(Path(path), OSError, ValueError, TypeError, AttributeError):
        claims = json.loads(Path(path).read_text(encoding="utf-8"))
        for claim in claims:
            if claim.keys() != _TYPES.keys():
                raise ValueError(
                    f"a claim has the keys {', '.join(claim)}, not {', '.join(_TYPES)}"
                )
            for field, types in _TYPES.items():
                if not isinstance(claim[field], types):
                    raise TypeError(f"{field} of {claim['id']} is {claim[field]!r}")
    return claims


def claim_key(entry: Entry) -> tuple[str, str]:
    """Dataset and id, which name an entry."""
    return entry["dataset"], entry["id"]


def is_whole(entry: Entry) -> bool:
    """Whether an entry is a claim (C1) and not one of its parts (C1a)."""
    return not entry["part"]


def whole_id(entry: Entry) -> str:
    """The id of the claim that an entry is, or is a part of."""
    return entry["id"].removesuffix(entry["part"])


def reason_alone(entry: Entry) -> str:
    """The reason of a part without its notes."""
    return entry["reason"].removesuffix("".join(f"; {note}" for note in entry["notes"]))


def print_claims(path: str | Path) -> None:
    """Print a claims.json as a plain table, reasons below each line.

    Numbers stand with the parts alone: the weakest part decides a claim, and that need not be the
    first, whose numbers a claim has in the file.
    """
    for line in _lines(read_claims(path)):
        print(line)


def _lines(entries: list[Entry]) -> Iterator[str]:
    width = max([4, *(len(entry["id"]) for entry in entries)])
    names = f"{'verdict':<14} {'estimate':>9} {'95% interval':>20} {'threshold':>9} {'n':>3}"
    yield f"{'id':<{width}} {names}  groups"
    for entry in entries:
        number, low, high = (entry[key] for key in NUMBERS)
        shown = "" if number is None else f"{number:.3f}"
        interval = "" if low is None or high is None else f"{low:.3f} to {high:.3f}"
        threshold = f"{entry['threshold']:g}"
        if is_whole(entry):
            shown = interval = threshold = ""
        yield (
            f"{entry['id']:<{width}} {entry['verdict']:<14} {shown:>9} {interval:>20} "
            f"{threshold:>9} {entry['n']:>3}  {', '.join(entry['groups'])}".rstrip()
        )
        indent = " " * 5
        for text in (entry["claim"], entry["reason"]):
            yield textwrap.fill(text, 100, initial_indent=indent, subsequent_indent=indent)
