"""What changes along depth: which layers a mean is over, slopes, thirds, and counterparts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd


def slope(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Least-squares slope of y on x along the last axis.

    Parameters
    ----------
    x : (..., n) float
        NaN where a point is left out (there or in y).
    y : (..., n) float

    Returns
    -------
    (...) float
        NaN where fewer than two points remain or all x are equal.
    """
    x, y = np.broadcast_arrays(np.asarray(x, dtype=float), np.asarray(y, dtype=float))
    known = np.isfinite(x) & np.isfinite(y)
    count = known.sum(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        dx = np.where(known, x - np.where(known, x, 0).sum(-1, keepdims=True) / count, 0)
        dy = np.where(known, y - np.where(known, y, 0).sum(-1, keepdims=True) / count, 0)
        return np.where((dx**2).sum(-1) > 1e-15, (dx * dy).sum(-1) / (dx**2).sum(-1), np.nan)


def thirds(depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Masks of the first and the last third of layers (at least one layer each), by depth rank."""
    rank = np.argsort(np.argsort(depth, kind="stable"), kind="stable")
    size = max(1, round(len(depth) / 3))
    return rank < size, rank >= len(depth) - size


def nearest_depth(depth: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Index into `other` of the layer of nearest depth, for each of `depth`."""
    return np.abs(np.asarray(depth)[:, None] - np.asarray(other)[None, :]).argmin(axis=1)


def complete_layers(
    frame: pd.DataFrame, values: Sequence[str], network: Sequence[str] = ("group",)
) -> tuple[pd.DataFrame, list[str]]:
    """Leave out layers that have no score somewhere, in every pair alike.

    A mean over layers must be over the same layers in all pairs, steps and conditions; a layer that
    is dead in one network is left out of its group.

    Returns
    -------
    DataFrame, list of str
        The remaining rows, and the layers left out as `group layer`.
    """
    keys = [*network, "layer"]
    unknown = frame[list(values)].isna().any(axis=1)
    bad = frame.loc[unknown, keys].drop_duplicates()
    if bad.empty:
        return frame, []
    inside = pd.MultiIndex.from_frame(frame[keys]).isin(pd.MultiIndex.from_frame(bad))
    return frame[~inside], [" ".join(row) for row in bad.itertuples(index=False)]


def label_thirds(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of blocks in the first or last third of their group; `third` says which."""
    blocks = frame[frame.role == "block"]
    layers = blocks[["dataset", "group", "layer", "depth"]].drop_duplicates()
    labelled = []
    for _, members in layers.groupby(["dataset", "group"]):
        early, late = thirds(members.depth.to_numpy())
        labelled += [members[early].assign(third="early"), members[late].assign(third="late")]
    if not labelled:
        return blocks.assign(third="")
    keys = ["dataset", "group", "layer"]
    return blocks.merge(pd.concat(labelled)[[*keys, "third"]], on=keys)
