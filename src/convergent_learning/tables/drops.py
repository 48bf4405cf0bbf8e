"""Alignment drop against accuracy drop over conditions, for early and late layers."""

from __future__ import annotations

import pandas as pd

from convergent_learning.tables.depth import complete_layers, label_thirds, slope
from convergent_learning.tables.intervals import PAIR

# Accuracies within this of chance say nothing of a drop.
NEAR_CHANCE = 0.02
NEAR_CHANCE_IN_WORDS = f"within {100 * NEAR_CHANCE:g} points of chance"


def third_drops(pairs: pd.DataFrame) -> pd.DataFrame:
    """Mean drop of the first and last third of blocks, per pair and condition.

    Parameters
    ----------
    pairs : DataFrame
        Rows of fig6_pairs.

    Returns
    -------
    DataFrame
        dataset, group, seed_x, seed_y, metric, stimuli, condition, family, accuracy,
        accuracy_drop, near_chance, early, late. Layers without a score in some pair or condition
        are left out.
    """
    complete, _ = complete_layers(pairs, ["drop"], ("dataset", "group", "metric"))
    keys = ["dataset", *PAIR, "metric", "stimuli", "condition", "family"]
    keys += ["accuracy", "accuracy_drop", "near_chance"]
    thirds = label_thirds(complete)
    wide = thirds.groupby([*keys, "third"], dropna=False)["drop"].mean().unstack("third")
    return wide.reindex(columns=["early", "late"]).reset_index()


def usable(drops: pd.DataFrame) -> pd.DataFrame:
    """Conditions a slope may use: an accuracy is known, and is not near chance."""
    return drops[drops.accuracy_drop.notna() & ~drops.near_chance.astype(bool)]


def condition_slopes(drops: pd.DataFrame) -> pd.DataFrame:
    """Slope of alignment drop on accuracy drop over conditions, per pair, of one metric.

    Returns
    -------
    DataFrame
        Indexed by group, seed_x, seed_y; columns `early` and `late`.
    """
    if drops.empty:
        return drops.set_index(PAIR)[["early", "late"]]
    columns = ["accuracy_drop", "early", "late"]
    wide = drops.set_index([*PAIR, "stimuli", "condition"])[columns].unstack([-2, -1])
    x = wide["accuracy_drop"].to_numpy()
    slopes = {third: slope(x, wide[third].to_numpy()) for third in ("early", "late")}
    return pd.DataFrame(slopes, index=wide.index)


def from_colour(drops: pd.DataFrame) -> pd.DataFrame:
    """The same drops measured from the `colour` condition: what a family adds to losing colour.

    Most families are grey-scale, and losing colour alone costs something; this takes it off both
    drops. Empty if `colour` is not among the conditions.
    """
    grey = drops[drops.stimuli == "colour"].set_index(PAIR)[["early", "late", "accuracy_drop"]]
    others = drops[drops.stimuli != "colour"]
    if grey.empty or others.empty:
        return drops.iloc[:0]
    base = grey.reindex(pd.MultiIndex.from_frame(others[PAIR])).to_numpy()
    columns = ["early", "late", "accuracy_drop"]
    return others.assign(**dict(zip(columns, (others[columns].to_numpy() - base).T, strict=True)))
