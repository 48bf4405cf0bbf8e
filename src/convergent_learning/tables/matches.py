"""How often layers match their counterparts, per pair of networks."""

from __future__ import annotations

import pandas as pd

from convergent_learning.tables.depth import share_within_one
from convergent_learning.tables.layers import PAIR


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
    rows = []
    for key, pair in within.groupby(keys, sort=True):
        square = pair.pivot(index="source_depth", columns="target_depth", values="score")
        dataset, group, source, target, *cell = key
        seeds = sorted((source, target))
        share = float(share_within_one(square.to_numpy()))
        rows.append((dataset, group, *seeds, *cell, len(square), share))
    names = ["dataset", *PAIR, "step", "metric", "n_layers", "value"]
    frame = pd.DataFrame(rows, columns=names)
    return frame.groupby(names[:-1], as_index=False).value.mean(skipna=False)
