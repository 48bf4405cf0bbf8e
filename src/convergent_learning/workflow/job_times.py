"""What jobs took, from the benchmark files that Snakemake writes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd


def job_time(file: Path) -> pd.Series:
    """The last run in a benchmark file: seconds `s` and `cpu_time`, and `max_rss` in MB.

    What Snakemake did not sample is NaN.
    """
    return pd.read_csv(file, sep="\t", na_values="-").iloc[-1]


def stage_times(benchmarks: Iterable[tuple[str, Path]]) -> pd.DataFrame:
    """Jobs, total and longest seconds, and peak memory (MB) of each stage, most seconds first.

    benchmarks : stage and benchmark file of each job; those without a file are left out
    """
    rows = []
    for stage, path in benchmarks:
        if path.exists():
            time = job_time(path)
            rows.append({"stage": stage, "seconds": time["s"], "memory": time["max_rss"]})
    stages = (
        pd.DataFrame(rows, columns=["stage", "seconds", "memory"])
        .groupby("stage")
        .agg(
            jobs=("seconds", "size"),
            total=("seconds", "sum"),
            longest=("seconds", "max"),
            memory=("memory", "max"),
        )
    )
    return stages.sort_values("total", ascending=False).reset_index()
