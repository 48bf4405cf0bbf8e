"""fig2.csv … fig7.csv: the means that the figures draw, with their intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from convergent_learning.alignment.calibration import rank_p_values
from convergent_learning.tables.calibrated import calibrated_layers, calibrated_matches
from convergent_learning.tables.depth import complete_layers, label_thirds
from convergent_learning.tables.drops import condition_slopes, third_drops, usable
from convergent_learning.tables.intervals import (
    Pairs,
    adjust_p_values,
    jackknife,
)
from convergent_learning.tables.kinds import kinds, supervised_groups
from convergent_learning.tables.matches import best_matches, matching_shares
from convergent_learning.tables.means import cell_intervals, mean_over_pairs, pair_matrix
from convergent_learning.tables.schema import COLUMNS
from convergent_learning.tables.stages import TRAINED, groups_of, with_epoch, with_stage
from convergent_learning.tables.storage import Tables

_GROUP, _LAYER = ["dataset", "group"], ["layer", "depth", "role"]


def depth_means(pairs: Tables, facts: Tables) -> Tables:
    """fig2, and if there are draws of permuted stimuli fig2_calibrated."""
    tables = {"fig2": _fig2(pairs["fig2_pairs"])}
    if "fig2_null" in pairs:
        tables["fig2_calibrated"] = calibrated_layers(pairs["fig2_pairs"], pairs["fig2_null"])
    return tables


def basis_means(pairs: Tables, facts: Tables) -> Tables:
    """fig3."""
    return {"fig3": basis_summary(pairs["fig3_pairs"], pairs["fig3_null"], facts["groups"])}


def map_means(pairs: Tables, facts: Tables) -> Tables:
    """fig4 and fig4_matches, and if there are draws of permuted stimuli fig4_calibrated."""
    shares = matching_shares(pairs["fig4_pairs"])
    tables = {
        "fig4": _fig4(pairs["fig4_pairs"]),
        "fig4_matches": mean_over_pairs(shares, ["step", "metric", "n_layers"]),
    }
    if "fig4_null" in pairs:
        tables["fig4_calibrated"] = calibrated_matches(pairs["fig4_pairs"], pairs["fig4_null"])
    return tables


def training_means(pairs: Tables, facts: Tables) -> Tables:
    """fig5, fig5_networks and fig5_accuracy."""
    networks = _fig5_networks(facts["accuracy"], facts["groups"])
    return {
        "fig5": _fig5(pairs["fig5_pairs"]),
        "fig5_networks": networks,
        "fig5_accuracy": _fig5_accuracy(networks),
    }


def condition_means(pairs: Tables, facts: Tables) -> Tables:
    """fig6, fig6_conditions and fig6_slopes."""
    drops = third_drops(pairs["fig6_pairs"])
    return {
        "fig6": _fig6(pairs["fig6_pairs"]),
        "fig6_conditions": _fig6_conditions(drops, facts["conditions"]),
        "fig6_slopes": _fig6_slopes(usable(drops)),
    }


def alike_means(pairs: Tables, facts: Tables) -> Tables:
    """fig7 and fig7_shares."""
    return {
        "fig7": _fig7(pairs["fig7_pairs"]),
        "fig7_shares": _fig7_shares(pairs["fig7_pairs"], facts["groups"]),
    }


def _fig2(pairs: pd.DataFrame) -> pd.DataFrame:
    cell = ["step", "layer_x", "layer_y", "depth", "role", "metric", "center", "baseline"]
    order = ["dataset", "group_x", "group_y", "metric", "center", "baseline"]
    return mean_over_pairs(pairs, cell, "score").sort_values([*order, "step", "depth"])


def basis_summary(pairs: pd.DataFrame, null: pd.DataFrame, groups: pd.DataFrame) -> pd.DataFrame:
    """fig3 from fig3_pairs and fig3_null: means, p and adjusted p of each layer.

    Tests are adjusted over the layers of all groups of a kind at a stage.
    """
    cell = ["dataset", "group", "step", *_LAYER, "metric"]
    table = _side_by_side(pairs, cell, ("learned", "rotated", "difference"))
    draws = null.groupby(cell).score
    spread = pd.DataFrame(
        {
            "rotated_low": draws.quantile(0.025),
            "rotated_high": draws.quantile(0.975),
            "n_draws": draws.size(),
        }
    )
    table = table.drop(columns=["rotated_low", "rotated_high"])
    table = table.merge(spread.reset_index(), on=cell, how="left")
    table["p"] = _p_values(table, null, cell)
    # Logits are in no claim: their axes are the labels', and they must not help others to pass.
    counted = table.p.where(table.role != "logits")
    stage, kind = with_stage(table, groups).stage, kinds(groups_of(table, groups)).to_numpy()
    tests = counted.groupby([table.dataset, stage, table.metric, kind])
    table["p_adjusted"] = tests.transform(lambda p: adjust_p_values(p.to_numpy()))
    return table.sort_values(["dataset", "group", "metric", "step", "depth"])


def _p_values(table: pd.DataFrame, null: pd.DataFrame, cell: list[str]) -> np.ndarray:
    draws = null.groupby(cell).score.agg(np.array)
    keys = table[cell].itertuples(index=False, name=None)
    return np.array(
        [
            rank_p_values(learned, draws[key]) if key in draws.index else np.nan
            for key, learned in zip(keys, table.learned, strict=True)
        ],
        dtype=float,
    )


def _fig4(maps: pd.DataFrame) -> pd.DataFrame:
    sides = {"source_group": "group_x", "target_group": "group_y"}
    pairs = maps.rename(columns=sides | {"source_seed": "seed_x", "target_seed": "seed_y"})
    ends = [f"{end}_{name}" for end in ("source", "target") for name in ("layer", "depth", "role")]
    table = mean_over_pairs(pairs, ["step", "metric", *ends], "score")
    table = table.rename(columns={side: end for end, side in sides.items()})
    order = ["dataset", "source_group", "target_group", "metric", "step"]
    table = table.sort_values([*order, "source_depth", "target_depth"], ignore_index=True)
    table["best"] = False
    blocks = table[(table.source_role == "block") & (table.target_role == "block")]
    for _, cells in blocks.groupby(order):
        square = cells.pivot(index="source_depth", columns="target_depth", values="mean")
        # Layers that have no score at all leave their axis, and the others keep their best ones.
        square = square.dropna(how="all").dropna(how="all", axis=1)
        if square.empty:
            continue
        depth = np.abs(square.index.to_numpy()[:, None] - square.columns.to_numpy()[None, :])
        best = best_matches(square.to_numpy(), depth.argmin(axis=0))
        found = np.where(best >= 0, square.index.to_numpy()[best], np.nan)
        chosen = dict(zip(square.columns, found, strict=True))
        table.loc[cells.index, "best"] = cells.source_depth == cells.target_depth.map(chosen)
    return table


def _fig5(pairs: pd.DataFrame) -> pd.DataFrame:
    complete, _ = complete_layers(pairs, ["score"], ("dataset", "group", "metric"))
    everywhere = complete[complete.role != "logits"].assign(third="all")
    spans = pd.concat([everywhere, label_thirds(complete)])
    cell = ["metric", "step", "epoch"]
    means = mean_over_pairs(spans, [*cell, "third"], "score").rename(columns={"third": "layer"})
    table = pd.concat(
        [means.assign(depth=np.nan, role=""), mean_over_pairs(pairs, [*cell, *_LAYER], "score")]
    )
    return table.sort_values(["dataset", "group", "metric", "role", "depth", "layer", "step"])


def _fig5_networks(accuracy: pd.DataFrame, groups: pd.DataFrame) -> pd.DataFrame:
    known = with_epoch(accuracy[accuracy.stimuli == "id"], groups)
    return known.sort_values(["dataset", "group", "seed", "step"])


def _fig5_accuracy(networks: pd.DataFrame) -> pd.DataFrame:
    itself = networks.assign(seed_x=networks.seed, seed_y=networks.seed)
    table = mean_over_pairs(itself, ["step", "epoch"], "accuracy")
    return table.sort_values(["dataset", "group", "step"])


def _fig7(pairs: pd.DataFrame) -> pd.DataFrame:
    cell = ["metric", "step", "epoch"]
    spans = mean_over_pairs(spans_of_layers(pairs), [*cell, "third"], "score")
    spans = spans.rename(columns={"third": "layer"}).assign(depth=np.nan, role="")
    table = pd.concat([spans, mean_over_pairs(pairs, [*cell, *_LAYER], "score")])
    order = ["dataset", "group_x", "group_y", "metric", "role", "depth", "layer", "step"]
    return table.sort_values(order)


def spans_of_layers(pairs: pd.DataFrame) -> pd.DataFrame:
    """Rows of fig7_pairs that a mean over layers is of; `third` says of which: a row may be twice.

    `all` is without logits. A layer without a score somewhere is left out of all pairs.
    """
    complete, _ = complete_layers(pairs, ["score"], ("dataset", "metric"))
    everywhere = complete[complete.role != "logits"].assign(third="all")
    # The groups have the same layers.
    thirds = label_thirds(complete.assign(group=""))
    return pd.concat([everywhere, thirds.drop(columns="group")], ignore_index=True)


def _fig7_shares(pairs: pd.DataFrame, groups: pd.DataFrame) -> pd.DataFrame:
    """Ratios of means; intervals by linearisation, pairs of both means jackknifed together."""
    staged = with_stage(pairs, groups)
    spans = spans_of_layers(staged[staged.stage == TRAINED])
    reference = supervised(groups)
    rows = []
    for (dataset, metric, third), span in spans.groupby(["dataset", "metric", "third"], sort=True):
        for group in groups.group[groups.group != reference].unique():
            within = between(span, reference, reference)
            across = between(span, reference, group)
            if across.empty:  # of another architecture
                continue
            ratio = across.mean() / within.mean()
            # d(a/w) = (da − ratio · dw)/w; a mean over two groups of pairs halves each.
            parts = pd.concat([across, -ratio * within]) * 2 / within.mean()
            interval = jackknife(parts.to_numpy(), Pairs.of(parts.index.to_frame()))
            half = float(interval.high - interval.estimate)
            rows.append(
                {
                    "dataset": dataset,
                    "reference": reference,
                    "group": group,
                    "metric": metric,
                    "third": third,
                    "share": ratio,
                    "share_low": ratio - half,
                    "share_high": ratio + half,
                    "n_networks": int(interval.n_networks),
                    "n_pairs": len(across),
                }
            )
    return pd.DataFrame(rows, columns=COLUMNS["fig7_shares"])


def supervised(groups: pd.DataFrame) -> str:
    """The first group that learns the true labels of natural images."""
    return supervised_groups(groups)[0]


def between(span: pd.DataFrame, group: str, other: str) -> pd.Series:
    """Mean score of each pair of networks of two groups, or within one, over the layers given."""
    keys = ["group_x", "seed_x", "group_y", "seed_y"]
    return of_groups(span, group, other).groupby(keys).score.mean()


def of_groups(table: pd.DataFrame, group: str, other: str) -> pd.DataFrame:
    """Rows of pairs of two groups, in whichever order they are named, or within one."""
    one = (table.group_x == group) & (table.group_y == other)
    two = (table.group_x == other) & (table.group_y == group)
    return table[one | two]


def _fig6(pairs: pd.DataFrame) -> pd.DataFrame:
    cell = ["metric", *_LAYER, "stimuli", "condition", "family"]
    known = pairs.assign(transfer_drop=pairs.id - pairs.transfer)
    everywhere = known.assign(stimuli="all", condition="")
    table = pd.concat(
        [_fig6_part(known, cell, False), _fig6_part(everywhere, cell[:-1], True)], ignore_index=True
    )
    table["family"] = table.family.fillna("") if "family" in table else ""
    return table.sort_values([*_GROUP, "metric", "stimuli", "condition", "depth"])


def _fig6_part(rows: pd.DataFrame, cell: list[str], families: bool) -> pd.DataFrame:
    def means(value: str) -> pd.DataFrame:
        table = cell_intervals(rows, _GROUP, cell, lambda r: pair_matrix(r, cell, value), families)
        return _named(table, value)

    table = means("drop")
    for value in ("transfer_drop", "shuffled"):
        keys = [*_GROUP, *cell]
        table = table.merge(means(value)[[*keys, value]], on=keys, how="left")
    return table


def _fig6_conditions(drops: pd.DataFrame, conditions: pd.DataFrame) -> pd.DataFrame:
    cell = [*_GROUP, "metric", "stimuli", "condition", "family", "near_chance"]
    table = _side_by_side(drops, cell, ("early", "late", "accuracy", "accuracy_drop"))
    known = conditions[["stimuli", "condition", "order", "graded"]]
    table = table.merge(known, on=["stimuli", "condition"], how="left")
    return table.sort_values([*_GROUP, "metric", "family", "stimuli", "order"])


def _fig6_slopes(kept: pd.DataFrame) -> pd.DataFrame:
    by = [*_GROUP, "metric"]

    def slopes(rows: pd.DataFrame) -> pd.DataFrame:
        return condition_slopes(rows).rename_axis(columns="third")

    table = _named(cell_intervals(kept, by, ["third"], slopes, families=True), "slope")
    means = kept.groupby(by)[["accuracy_drop", "early", "late"]].mean()
    conditions = kept[[*by, "stimuli", "condition"]].drop_duplicates().groupby(by).size()
    families = kept.groupby(by).family.nunique()
    counts = pd.DataFrame({"n_conditions": conditions, "n_families": families})
    table = table.join(means.join(counts), on=by)
    own = np.where(table.third == "early", table.early, table.late)
    table["intercept"] = own - table.slope.astype(float) * table.accuracy_drop
    return table


def _side_by_side(pairs: pd.DataFrame, cell: list[str], values: Sequence[str]) -> pd.DataFrame:
    """Means over pairs of several values with their intervals; counts are those of the first."""
    within = [name for name in cell if name not in _GROUP]
    tables = [_named(mean_over_pairs(pairs, within, value), value) for value in values]
    table = tables[0]
    for other in tables[1:]:
        table = table.merge(other.drop(columns=["n_networks", "n_pairs"]), on=cell, how="left")
    return table


def _named(table: pd.DataFrame, value: str) -> pd.DataFrame:
    names = {"mean": value, "low": f"{value}_low", "high": f"{value}_high"}
    return table.rename(columns=names)
