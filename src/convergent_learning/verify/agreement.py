"""What honest runs of an experiment say of a rerun: spreads, limits, and how often they are wrong.

A reference keeps the numbers of its honest runs (`runs`), so that all of this is derived from the
files in it: `measure_agreement` writes ``spread.csv.gz`` and ``agreement.json``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from convergent_learning.verify.runs import Rows, Run
from convergent_learning.verify.spread import (
    KEYS,
    Pools,
    disjoint,
    independent,
    limits,
    margin,
)
from convergent_learning.verify.tolerances import AGREEMENT, SPREAD

RUNS = "runs"
_FEWEST = 3  # runs without common networks that limits can be fitted on


def read_runs(reference: Path, experiment: str, about: dict[str, Any]) -> tuple[Rows, list[Run]]:
    """The honest runs of a reference, itself (made as `about` says) the first.

    experiment : as for `runs.Rows`
    """
    rows = Rows(reference, experiment)
    stored = [rows.stored(path) for path in sorted((reference / RUNS).glob("*.h5"))]
    return rows, [rows.read(reference, about), *stored]


def measure_agreement(
    reference: Path, experiment: str, about: dict[str, Any]
) -> dict[str, Any] | None:
    """Write spreads and limits of the reference, None where it has too few honest runs for any.

    Returns what ``agreement.json`` holds: runs, limits, and false alarms (`false_alarms`).
    """
    rows, runs = read_runs(reference, experiment, about)
    if independent(runs) < _FEWEST:
        for name in (SPREAD, AGREEMENT):
            (reference / name).unlink(missing_ok=True)
        return None
    pools = Pools(rows.pools)
    spread = pools.spread(runs)
    table = pools.names.assign(spread=pools.of_names(spread))
    table.to_csv(
        reference / SPREAD,
        index=False,
        float_format="%.4g",
        compression={"method": "gzip", "mtime": 0},
    )
    found = limits(pools, runs, spread)
    content = {
        "margin": margin(runs),
        "runs": [{"name": run.name, **run.about} for run in runs],
        "limits": [
            {"statistic": key[0], "kind": key[1], "limit": round(found[key], 3)} for key in KEYS
        ],
        "false_alarms": [
            false_alarms(pools, name, fitted, held) for name, fitted, held in splits(runs)
        ],
    }
    (reference / AGREEMENT).write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    return content


def splits(runs: Sequence[Run]) -> Iterator[tuple[str, list[Run], list[Run]]]:
    """Runs to fit on and runs to count on, which share no network with them.

    Each run alone against all others; and if both have enough, each half against the other.
    """
    for run in runs:
        others = [other for other in runs if not other.networks & run.networks]
        if independent(others) >= _FEWEST:
            yield run.name, others, [run]
    sets = _unrelated(runs)
    first = [run for related in sets[: len(sets) // 2] for run in related]
    second = [run for related in sets[len(sets) // 2 :] for run in related]
    for name, fitted, held in (("second half", first, second), ("first half", second, first)):
        if independent(fitted) >= _FEWEST:
            yield name, fitted, held


def false_alarms(
    pools: Pools, name: str, fitted: Sequence[Run], held: Sequence[Run]
) -> dict[str, Any]:
    """How many verifications of the runs `held` fail by spreads and limits of the runs `fitted`.

    Each is verified by each run that it shares no network with: those of `fitted` if it is alone,
    else those of `held`. `largest` is the largest statistic in limits, by statistic and kind.
    """
    spread = pools.spread(fitted)
    known = limits(pools, fitted, spread)
    pairs = [(run, held[0]) for run in fitted] if len(held) == 1 else [*disjoint(held)]
    shares = [
        {
            key: value / known[key] if known[key] else 0.0
            for key, value in pools.statistics((a.values - b.values) / spread).items()
        }
        for a, b in pairs
    ]
    # A number that only one of two runs has is a difference too.
    uneven = [bool((np.isnan(a.values) != np.isnan(b.values)).any()) for a, b in pairs]
    return {
        "counted_on": name,
        "fitted_on": len(fitted),
        "verifications": len(shares),
        "failed": sum(
            max(share.values()) > 1 or alone for share, alone in zip(shares, uneven, strict=True)
        ),
        "largest": {
            " of ".join(key): round(max(share[key] for share in shares), 3) for key in KEYS
        },
    }


def _unrelated(runs: Sequence[Run]) -> list[list[Run]]:
    """The runs in sets that share no network with one another."""
    sets: list[list[Run]] = []
    for run in runs:
        related = [each for each in sets if any(run.networks & other.networks for other in each)]
        merged = [run, *(other for each in related for other in each)]
        sets = [*(each for each in sets if each not in related), merged]
    return sets
