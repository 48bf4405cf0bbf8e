"""Which layers a statistic averages over, and tables as matrices of pairs."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from convergent_learning.tables.depth import thirds

PAIR = ["group", "seed_x", "seed_y"]


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


def pair_matrix(frame: pd.DataFrame, cell: Sequence[str], value: str) -> pd.DataFrame:
    """(pairs, cells): the mean of `value` over what is neither pair nor cell."""
    pair = (
        PAIR
        if "group" in frame
        else [
            "group_x",
            "seed_x",
            "group_y",
            "seed_y",
        ]
    )
    return frame.groupby([*pair, *cell], sort=True)[value].mean().unstack(list(cell))
