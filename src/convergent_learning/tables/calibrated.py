"""Scores judged against those of permuted stimuli: p, and what is above chance."""

from __future__ import annotations

import numpy as np
import pandas as pd

from convergent_learning.alignment.calibration import (
    PermutationTest,
    against_draws,
    max_over_layers,
)
from convergent_learning.tables.matches import best_matches, maps_within
from convergent_learning.tables.means import mean_over_pairs

_JUDGED = ["p", "threshold", "calibrated", "n_draws"]


def calibrated_layers(pairs: pd.DataFrame, null: pd.DataFrame) -> pd.DataFrame:
    """fig2_calibrated from fig2_pairs and fig2_null: the mean over pairs of each layer, judged."""
    cell = ["step", "layer", "depth", "role", "metric"]
    own = pairs[
        (pairs.group_x == pairs.group_y)
        & (pairs.baseline == "learned")
        & (pairs.center == "position")
    ].rename(columns={"group_x": "group", "layer_x": "layer"})
    own = own.drop(columns="group_y").merge(null[["dataset", "group", *cell]].drop_duplicates())
    table = mean_over_pairs(own, cell, "score")
    by = ["dataset", "group", "step", "metric"]
    parts = []
    draws_of = dict(list(null.groupby(by)))
    for key, rows in table.groupby(by):
        draws = draws_of[key].pivot(index="draw", columns="layer", values="shuffled")
        tests = {
            layer: against_draws(mean, draws[layer].to_numpy())
            for layer, mean in zip(rows.layer, rows["mean"], strict=True)
        }
        highest = max_over_layers(tests).p if rows["mean"].notna().any() else {}
        judged = rows.layer.map(tests).map(_judged).tolist()
        rows = rows.assign(p_highest=rows.layer.map(highest))
        parts.append(rows.join(pd.DataFrame(judged, columns=_JUDGED, index=rows.index)))
    if not parts:
        return table
    return pd.concat(parts).sort_values(["dataset", "group", "metric", "step", "depth"])


def calibrated_matches(maps: pd.DataFrame, null: pd.DataFrame) -> pd.DataFrame:
    """fig4_calibrated from fig4_pairs and fig4_null: the best match of each target block, judged.

    The highest score over source blocks is judged against the highest over them in each draw, which
    is maxT. Matches are those whose share C3 is about.
    """
    pair = ["dataset", "group", "source_seed", "target_seed", "step", "metric"]
    drawn = null[pair].drop_duplicates().rename(columns={"group": "source_group"})
    maps = maps.merge(drawn)
    cell = [*pair, "target_layer"]
    draws_of = null.groupby(cell).shuffled.agg(pd.Series.to_numpy)
    rows = []
    for key, square in maps_within(maps):
        counterparts = np.arange(len(square))
        for target, place in enumerate(best_matches(square.to_numpy(), counterparts)):
            (depth, layer), best = square.columns[target], square.index[place]
            if place >= 0:
                score, draws = square.iat[place, target], draws_of[(*key, layer)]
                judged = _judged(against_draws(score, draws))
                rows.append((*key, layer, depth, best[1], score, *judged))
    table = pd.DataFrame(rows, columns=[*cell, "target_depth", "best_layer", "score", *_JUDGED])
    return table.sort_values([*pair, "target_depth"])


def _judged(test: PermutationTest) -> tuple[float, float, float, int]:
    return test.p, test.threshold, test.calibrated, len(test.draws)
