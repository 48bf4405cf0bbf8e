"""Which layer matches which, and how often that is its counterpart."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from convergent_learning.tables.intervals import PAIR

# Share of matches within one layer of the counterpart that the paper's claim asks for.
CLAIMED_SHARE = 0.8
# Scores are averages of float32 sums: differences below this are ties, not matches.
_TIE = 1e-9


def matching_shares(maps: pd.DataFrame) -> pd.DataFrame:
    """Share of target blocks whose best match is within one layer, per pair (directions averaged).

    Parameters
    ----------
    maps : DataFrame
        Rows of fig4_pairs; those across groups are ignored.

    Returns
    -------
    DataFrame
        dataset, group, seed_x, seed_y, step, metric, n_layers, value.
    """
    rows = []
    for key, square in maps_within(maps):
        dataset, group, source, target, *cell = key
        seeds = sorted((source, target))
        share = float(share_within_one(square.to_numpy()))
        rows.append((dataset, group, *seeds, *cell, len(square), share))
    names = ["dataset", *PAIR, "step", "metric", "n_layers", "value"]
    frame = pd.DataFrame(rows, columns=names)
    return frame.groupby(names[:-1], as_index=False).value.mean(skipna=False)


def maps_within(
    maps: pd.DataFrame,
) -> Iterator[tuple[tuple[str, str, int, int, int, str], pd.DataFrame]]:
    """The map of the blocks of each directed pair within a group, by metric and step.

    Parameters
    ----------
    maps : DataFrame
        Rows of fig4_pairs; those across groups are ignored.

    Yields
    ------
    (dataset, group, source seed, target seed, step, metric), DataFrame
        Scores, source by target: (depth, layer) on both axes.
    """
    within = maps[
        (maps.source_group == maps.target_group)
        & (maps.source_role == "block")
        & (maps.target_role == "block")
    ]
    # A dead layer scores NaN with itself: it leaves both axes, in all pairs of the group.
    itself = within[within.source_layer == within.target_layer]
    itself = itself[itself.score.isna()]
    for end in ("source", "target"):
        dead = itself[["dataset", "source_group", f"{end}_layer", "metric"]]
        named = within[["dataset", "source_group", f"{end}_layer", "metric"]]
        alive = ~pd.MultiIndex.from_frame(named).isin(pd.MultiIndex.from_frame(dead))
        within = within[alive]
    keys = ["dataset", "source_group", "source_seed", "target_seed", "step", "metric"]
    source, target = ([f"{end}_depth", f"{end}_layer"] for end in ("source", "target"))
    for key, pair in within.groupby(keys, sort=True):
        yield key, pair.pivot(index=source, columns=target, values="score")


def share_within_one(scores: np.ndarray) -> np.ndarray:
    """Share of target layers whose best match lies within one layer of the counterpart.

    Parameters
    ----------
    scores : (..., n_layers, n_layers) float
        Source by target, the same layers on both axes.

    Returns
    -------
    (...) float
        NaN where any score is NaN.
    """
    scores = np.asarray(scores, dtype=float)
    counterpart = np.arange(scores.shape[-1])
    near = np.abs(best_matches(scores, counterpart) - counterpart) <= 1
    return np.where(np.isnan(scores).any(axis=(-1, -2)), np.nan, near.mean(axis=-1))


def chance_within_one(n_layers: int) -> float:
    """What `share_within_one` would be on average if every layer matched at random."""
    return (3 * n_layers - 2) / n_layers**2 if n_layers > 1 else 1.0


def best_matches(scores: np.ndarray, counterpart: np.ndarray) -> np.ndarray:
    """Source layer that best matches each target layer; ties go to the one nearest its counterpart.

    Parameters
    ----------
    scores : (..., n_source, n_target) float
    counterpart : (n_target,) int
        The source layer that each target layer should match.

    Returns
    -------
    (..., n_target) int
        Index of the best source layer; −1 where the column holds a NaN.
    """
    scores = np.asarray(scores, dtype=float)
    best = scores.max(axis=-2, keepdims=True)
    distance = np.abs(np.arange(scores.shape[-2])[:, None] - np.asarray(counterpart)[None, :])
    candidates = np.where(scores >= best - _TIE, distance, np.iinfo(int).max)
    return np.where(np.isnan(best[..., 0, :]), -1, candidates.argmin(axis=-2))
