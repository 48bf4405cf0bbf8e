"""What limits on networks trained anew see of numbers that are off: a part of docs/agreement.md.

    python benchmarks/agreement/shifts.py

Each shift is put into the numbers of every honest run of the default experiment's reference, and
the run is verified as `verify` would.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from convergent_learning.verify.agreement import read_runs
from convergent_learning.verify.reference import in_common, read_config
from convergent_learning.verify.spread import Pools, limits

_SCORES = ["score", "mean", "learned", "rotated", "id", "ood", "transfer"]
_ACCURACIES = ["accuracy", "test_accuracy", "accuracy_id"]

_HEAD = """
## What the limits see

Each shift was put into the numbers of every honest run, and the run was verified. The largest of
its statistics is that of the run in which the shift shows least; above 1 the verification fails.

| shift | largest statistic, in limits | which |
|---|---|---|"""
Shift = Callable[[pd.DataFrame], pd.Series]


def scores(pools: pd.DataFrame) -> pd.Series:
    """Which numbers are scores of learned maps and plans, and their means."""
    learned = (
        pools.baseline.isin(["", "learned"]) & (pools.metric != "") & (pools.table != "claims")
    )
    return learned & pools.column.isin(_SCORES)


SHIFTS: dict[str, Shift] = {
    "nothing": lambda pools: 0.0 * pools.index,
    "all scores 0.05 higher": lambda pools: 0.05 * scores(pools),
    "all scores 0.03 higher": lambda pools: 0.03 * scores(pools),
    "scores of linear 0.03 higher": lambda pools: (
        0.03 * (scores(pools) & (pools.metric == "linear"))
    ),
    "scores of one layer (features.2) 0.05 higher": lambda pools: (
        0.05 * (scores(pools) & (pools.layer == "features.2"))
    ),
    "test accuracies 0.05 higher": lambda pools: 0.05 * pools.column.isin(_ACCURACIES),
    "scores out of distribution 0.05 lower": lambda pools: -0.05 * (pools.column == "ood"),
    "scores after the first epoch 0.05 higher": lambda pools: (
        0.05 * (scores(pools) & (pools.table == "fig5_pairs") & (pools.stage == "trained"))
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reference", type=Path, default=Path("results/reference/cifar10"))
    reference = parser.parse_args().reference
    config = read_config(reference)
    rows, runs = read_runs(reference, in_common(config), {})
    table = rows.pools
    pools = Pools(table)
    spread = pools.spread(runs)
    known = limits(pools, runs, spread)
    print(_HEAD)
    for name, shift in SHIFTS.items():
        by = np.asarray(shift(table), dtype=float)
        least = None
        for run in runs[1:]:
            found = pools.statistics((runs[0].values - run.values - by) / spread)
            largest = max((found[key] / known[key], key) for key in found)
            least = largest if least is None else min(least, largest)
        assert least is not None
        print(f"| {name} | {least[0]:.2f} | {least[1][0]}, {least[1][1]}s |")


if __name__ == "__main__":
    main()
