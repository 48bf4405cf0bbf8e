"""Numbers with their nouns, for lines that people read."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """A number with a noun whose plural ends in s, or in ies.

    >>> counted(1, "job"), counted(1200, "job"), counted(2, "family")
    ('1 job', '1,200 jobs', '2 families')
    """
    if number == 1:
        return f"1 {noun}"
    stem = noun[:-1]
    return f"{number:,} {stem}ies" if noun.endswith("y") else f"{number:,} {noun}s"
