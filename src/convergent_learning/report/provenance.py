"""What the page says about where its numbers come from: plain data, whoever collected it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Source:
    """Where the numbers of a page come from.

    `statement` is a sentence for its head; `facts` are code, environment and machine as text under
    the name a reader sees; `times` has one row per stage: stage, jobs, total and longest seconds,
    memory in MB; `options` are those with which `snakemake` makes the experiment.
    """

    statement: str
    facts: dict[str, str]
    times: pd.DataFrame
    options: Sequence[str]
