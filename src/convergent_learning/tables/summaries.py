"""fig2.csv … fig6.csv: the means that the figures draw, with their intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd

from convergent_learning.tables.depth import best_matches
from convergent_learning.tables.drops import condition_slopes, third_drops, usable
from convergent_learning.tables.intervals import adjust_p_values, rank_p_values
from convergent_learning.tables.layers import complete_layers, label_thirds, pair_matrix
from convergent_learning.tables.matches import matching_shares
from convergent_learning.tables.means import cell_intervals, mean_over_pairs
from convergent_learning.tables.schema import COLUMNS

_LAYER = ["layer", "depth", "role"]


def summaries(
    figure: int, pairs: dict[str, pd.DataFrame], setting: dict[str, pd.DataFrame]
) -> dict[str, pd.DataFrame]:
    """The summary tables of a figure from its pair tables; `setting` as in `tables.pair_tables`."""
    if figure == 2:
        tables = {"fig2": _fig2(pairs["fig2_pairs"])}
    elif figure == 3:
        tables = {"fig3": basis_summary(pairs["fig3_pairs"], pairs["fig3_null"])}
    elif figure == 4:
        shares = matching_shares(pairs["fig4_pairs"])
        tables = {
            "fig4": _fig4(pairs["fig4_pairs"]),
            "fig4_matches": mean_over_pairs(shares, ["step", "metric", "n_layers"]),
        }
    elif figure == 5:
        networks = _fig5_networks(setting["accuracy"], setting["datasets"])
        tables = {
            "fig5": _fig5(pairs["fig5_pairs"]),
            "fig5_networks": networks,
            "fig5_accuracy": _fig5_accuracy(networks),
        }
    else:
        tables = {
            "fig6": _fig6(pairs["fig6_pairs"]),
            "fig6_conditions": _fig6_conditions(pairs["fig6_pairs"], setting["conditions"]),
            "fig6_slopes": _fig6_slopes(pairs["fig6_pairs"]),
        }
    return {name: frame.reindex(columns=COLUMNS[name]) for name, frame in tables.items()}


def _fig2(pairs: pd.DataFrame) -> pd.DataFrame:
    cell = ["step", "layer_x", "layer_y", "depth", "role", "metric", "center", "baseline"]
    order = ["dataset", "group_x", "group_y", "metric", "center", "baseline"]
    return mean_over_pairs(pairs, cell, "score").sort_values([*order, "step", "depth"])


def basis_summary(pairs: pd.DataFrame, null: pd.DataFrame) -> pd.DataFrame:
    """fig3 from fig3_pairs and fig3_null: means, p and adjusted p of each layer."""
    cell = ["dataset", "group", "step", *_LAYER, "metric"]
    table = None
    for value in ("learned", "rotated", "difference"):
        names = {"mean": value, "low": f"{value}_low", "high": f"{value}_high"}
        part = mean_over_pairs(pairs, ["step", *_LAYER, "metric"], value).rename(columns=names)
        if value == "rotated":
            part = part[[*cell, value]]
        part = (
            part if table is None else part.drop(columns=["n_networks", "n_pairs"], errors="ignore")
        )
        table = part if table is None else table.merge(part, on=cell)
    draws = null.groupby(cell).score
    spread = pd.DataFrame(
        {
            "rotated_low": draws.quantile(0.025),
            "rotated_high": draws.quantile(0.975),
            "n_draws": draws.size(),
        }
    )
    table = table.merge(spread.reset_index(), on=cell, how="left")
    table["p"] = _p_values(table, null, cell)
    # Logits are in no claim: their axes are the labels', and they must not help others to pass.
    counted = table.p.where(table.role != "logits")
    tests = counted.groupby([table.dataset, table.step, table.metric])
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
    renamed = maps.rename(
        columns={
            "source_group": "group_x",
            "source_seed": "seed_x",
            "target_group": "group_y",
            "target_seed": "seed_y",
        }
    )
    ends = [f"{end}_{name}" for end in ("source", "target") for name in ("layer", "depth", "role")]
    table = mean_over_pairs(renamed, ["step", "metric", *ends], "score").rename(
        columns={
            "group_x": "source_group",
            "group_y": "target_group",
        }
    )
    order = ["dataset", "source_group", "target_group", "metric", "step"]
    table = table.sort_values([*order, "source_depth", "target_depth"], ignore_index=True)
    table["best"] = False
    blocks = table[(table.source_role == "block") & (table.target_role == "block")]
    for _, cells in blocks.groupby(order):
        square = cells.pivot(index="source_depth", columns="target_depth", values="mean")
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


def _fig5_networks(accuracy: pd.DataFrame, datasets: pd.DataFrame) -> pd.DataFrame:
    known = accuracy[accuracy.stimuli == "id"].merge(datasets[["dataset", "steps_per_epoch"]])
    known = known.assign(epoch=known.step / known.steps_per_epoch)
    return known.sort_values(["dataset", "group", "seed", "step"])


def _fig5_accuracy(networks: pd.DataFrame) -> pd.DataFrame:
    itself = networks.assign(seed_x=networks.seed, seed_y=networks.seed)
    table = mean_over_pairs(itself, ["step", "epoch"], "accuracy")
    return table.sort_values(["dataset", "group", "step"])


def _fig6(pairs: pd.DataFrame) -> pd.DataFrame:
    by, cell = ["dataset", "group"], ["metric", *_LAYER]
    condition = ["stimuli", "condition", "family"]
    known = pairs.assign(transfer_drop=pairs.id - pairs.transfer)
    parts = []
    for rows, keys, families in (
        (known, [*cell, *condition], False),
        (known.assign(stimuli="all", condition=""), [*cell, "stimuli", "condition"], True),
    ):
        drop, transfer, shuffled = (
            cell_intervals(rows, by, keys, lambda r, v=v, k=keys: pair_matrix(r, k, v), families)
            for v in ("drop", "transfer_drop", "shuffled")
        )
        drop = drop.rename(columns={"mean": "drop", "low": "drop_low", "high": "drop_high"})
        for name, other in (("transfer_drop", transfer), ("shuffled", shuffled)):
            other = other.rename(columns={"mean": name})[[*by, *keys, name]]
            drop = drop.merge(other, on=[*by, *keys], how="left")
        parts.append(drop)
    table = pd.concat(parts, ignore_index=True)
    table["family"] = table.family.fillna("") if "family" in table else ""
    return table.sort_values([*by, "metric", "stimuli", "condition", "depth"])


def _fig6_conditions(pairs: pd.DataFrame, conditions: pd.DataFrame) -> pd.DataFrame:
    by = ["dataset", "group"]
    cell = ["metric", "stimuli", "condition", "family", "near_chance"]
    drops = third_drops(pairs)
    table = None
    for value in ("early", "late", "accuracy", "accuracy_drop"):
        part = mean_over_pairs(drops, cell, value)
        names = {"mean": value, "low": f"{value}_low", "high": f"{value}_high"}
        part = part.rename(columns=names)
        counts = [] if table is None else ["n_networks", "n_pairs"]
        part = part.drop(columns=counts)
        table = part if table is None else table.merge(part, on=[*by, *cell], how="left")
    known = conditions[["stimuli", "condition", "order", "graded"]]
    table = table.merge(known, on=["stimuli", "condition"], how="left")
    return table.sort_values([*by, "metric", "family", "stimuli", "order"])


def _fig6_slopes(pairs: pd.DataFrame) -> pd.DataFrame:
    by = ["dataset", "group", "metric"]
    kept = usable(third_drops(pairs))

    def slopes(rows: pd.DataFrame) -> pd.DataFrame:
        return condition_slopes(rows).rename_axis(columns="third")

    names = {"mean": "slope", "low": "slope_low", "high": "slope_high"}
    table = cell_intervals(kept, by, ["third"], slopes, families=True).rename(columns=names)
    means = kept.groupby(by)[["accuracy_drop", "early", "late"]].mean()
    counts = kept.groupby(by).agg(
        n_conditions=(
            "condition",
            lambda c: len(kept.loc[c.index, ["stimuli", "condition"]].drop_duplicates()),
        ),
        n_families=("family", "nunique"),
    )
    table = table.join(means.join(counts), on=by)
    own = np.where(table.third == "early", table.early, table.late)
    table["intercept"] = own - table.slope.astype(float) * table.accuracy_drop
    return table
