"""Tables of means over pairs of networks, with the jackknife interval of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from convergent_learning.tables.intervals import PAIR, Interval, Pairs, jackknife


def mean_over_pairs(frame: pd.DataFrame, cell: Sequence[str], value: str = "value") -> pd.DataFrame:
    """Mean over pairs of each cell, in each dataset and group (pair of groups)."""
    by = [c for c in ("dataset", "group", "group_x", "group_y") if c in frame]
    return cell_intervals(frame, by, cell, lambda rows: pair_matrix(rows, cell, value))


def cell_intervals(
    frame: pd.DataFrame,
    by: Sequence[str],
    cell: Sequence[str],
    matrix: Callable[[pd.DataFrame], pd.DataFrame],
    families: bool = False,
) -> pd.DataFrame:
    """Jackknife each column of `matrix(rows)`, pairs × cells, in each group of `by`."""
    parts = []
    for key, rows in frame.groupby(list(by), sort=True):
        wide = matrix(rows)
        left_out = None
        if families:
            left_out = [
                matrix(rows[rows.family != family])
                .reindex(index=wide.index, columns=wide.columns)
                .to_numpy()
                for family in sorted(rows.family.unique())
            ]
        interval = jackknife(wide.to_numpy(), Pairs.of(wide.index.to_frame()), left_out)
        part = wide.columns.to_frame(index=False)
        part = part.assign(**_columns(interval), n_pairs=wide.notna().sum().to_numpy())
        parts.append(part.assign(**dict(zip(by, key, strict=True))))
    if not parts:
        empty = frame.reindex(columns=[*by, *cell]).iloc[:0]
        return empty.assign(mean=0.0, low=0.0, high=0.0, n_networks=0, n_pairs=0)
    return pd.concat(parts, ignore_index=True)


def pair_matrix(frame: pd.DataFrame, cell: Sequence[str], value: str) -> pd.DataFrame:
    """(pairs, cells): the mean of `value` over what is neither pair nor cell."""
    pair = PAIR if "group" in frame else ["group_x", "seed_x", "group_y", "seed_y"]
    return frame.groupby([*pair, *cell], sort=True)[value].mean().unstack(list(cell))


def _columns(interval: Interval) -> dict[str, np.ndarray]:
    return {
        "mean": interval.estimate,
        "low": interval.low,
        "high": interval.high,
        "n_networks": interval.n_networks,
    }
