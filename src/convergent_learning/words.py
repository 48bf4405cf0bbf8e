"""Numbers with their nouns, for lines that people read."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """A number with a noun whose plural ends in s.

    >>> counted(1, "job"), counted(1200, "job")
    ('1 job', '1,200 jobs')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
