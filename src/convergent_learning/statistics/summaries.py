"""fig2.csv … fig6.csv: the means that the figures draw, with their intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from convergent_learning.statistics.columns import COLUMNS
from convergent_learning.statistics.depth import best_matches, share_within_one
from convergent_learning.statistics.intervals import (
    Interval,
    Pairs,
    adjust_p_values,
    jackknife,
    rank_p_values,
)
from convergent_learning.statistics.layers import (
    PAIR,
    complete_layers,
    label_thirds,
    pair_matrix,
)
from convergent_learning.statistics.ood import condition_slopes, third_drops, usable

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
            "fig4_matches": _means(shares, ["step", "metric", "n_layers"]),
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


def matching_shares(maps: pd.DataFrame) -> pd.DataFrame:
    """Share of target blocks whose best match is within one layer, per pair (directions averaged).

    Parameters
    ----------
    maps : DataFrame
        Rows of fig4_pairs; those across architectures are ignored.

    Returns
    -------
    DataFrame
        dataset, architecture, seed_x, seed_y, step, metric, n_layers, value.
    """
    within = maps[
        (maps.source_architecture == maps.target_architecture)
        & (maps.source_role == "block")
        & (maps.target_role == "block")
    ]
    # A dead layer scores NaN with itself: it leaves both axes, in all pairs of the architecture.
    itself = within[within.source_layer == within.target_layer]
    itself = itself[itself.score.isna()]
    for end in ("source", "target"):
        dead = itself[["dataset", "source_architecture", f"{end}_layer", "metric"]]
        named = within[["dataset", "source_architecture", f"{end}_layer", "metric"]]
        alive = ~pd.MultiIndex.from_frame(named).isin(pd.MultiIndex.from_frame(dead))
        within = within[alive]
    keys = ["dataset", "source_architecture", "source_seed", "target_seed", "step", "metric"]
    rows = []
    for key, group in within.groupby(keys, sort=True):
        square = group.pivot(index="source_depth", columns="target_depth", values="score")
        dataset, architecture, source, target, *cell = key
        seeds = sorted((source, target))
        share = float(share_within_one(square.to_numpy()))
        rows.append((dataset, architecture, *seeds, *cell, len(square), share))
    names = ["dataset", *PAIR, "step", "metric", "n_layers", "value"]
    frame = pd.DataFrame(rows, columns=names)
    return frame.groupby(names[:-1], as_index=False).value.mean(skipna=False)


def _means(frame: pd.DataFrame, cell: Sequence[str], value: str = "value") -> pd.DataFrame:
    """Mean over pairs of each cell, in each dataset and architecture (pair of architectures)."""
    by = [c for c in ("dataset", "architecture", "architecture_x", "architecture_y") if c in frame]
    return _intervals(frame, by, cell, lambda rows: pair_matrix(rows, cell, value))


def _intervals(
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
                matrix(rows[rows.group != family])
                .reindex(index=wide.index, columns=wide.columns)
                .to_numpy()
                for family in sorted(rows.group.unique())
            ]
        interval = jackknife(wide.to_numpy(), Pairs.of(wide.index.to_frame()), left_out)
        part = wide.columns.to_frame(index=False)
        part = part.assign(**_columns(interval), n_pairs=wide.notna().sum().to_numpy())
        parts.append(part.assign(**dict(zip(by, key, strict=True))))
    if not parts:
        empty = frame.reindex(columns=[*by, *cell]).iloc[:0]
        return empty.assign(mean=0.0, low=0.0, high=0.0, n_networks=0, n_pairs=0)
    return pd.concat(parts, ignore_index=True)


def _columns(interval: Interval) -> dict[str, np.ndarray | int]:
    return {
        "mean": interval.estimate,
        "low": interval.low,
        "high": interval.high,
        "n_networks": interval.n_networks,
    }


def _fig2(pairs: pd.DataFrame) -> pd.DataFrame:
    cell = ["step", "layer_x", "layer_y", "depth", "role", "metric", "center", "baseline"]
    order = ["dataset", "architecture_x", "architecture_y", "metric", "center", "baseline"]
    return _means(pairs, cell, "score").sort_values([*order, "step", "depth"])


def basis_summary(pairs: pd.DataFrame, null: pd.DataFrame) -> pd.DataFrame:
    """fig3 from fig3_pairs and fig3_null: means, p and adjusted p of each layer."""
    cell = ["dataset", "architecture", "step", *_LAYER, "metric"]
    table = None
    for value in ("learned", "rotated", "difference"):
        names = {"mean": value, "low": f"{value}_low", "high": f"{value}_high"}
        part = _means(pairs, ["step", *_LAYER, "metric"], value).rename(columns=names)
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
    return table.sort_values(["dataset", "architecture", "metric", "step", "depth"])


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
            "source_architecture": "architecture_x",
            "source_seed": "seed_x",
            "target_architecture": "architecture_y",
            "target_seed": "seed_y",
        }
    )
    ends = [f"{end}_{name}" for end in ("source", "target") for name in ("layer", "depth", "role")]
    table = _means(renamed, ["step", "metric", *ends], "score").rename(
        columns={
            "architecture_x": "source_architecture",
            "architecture_y": "target_architecture",
        }
    )
    order = ["dataset", "source_architecture", "target_architecture", "metric", "step"]
    table = table.sort_values([*order, "source_depth", "target_depth"], ignore_index=True)
    table["best"] = False
    blocks = table[(table.source_role == "block") & (table.target_role == "block")]
    for _, group in blocks.groupby(order):
        square = group.pivot(index="source_depth", columns="target_depth", values="mean")
        depth = np.abs(square.index.to_numpy()[:, None] - square.columns.to_numpy()[None, :])
        best = best_matches(square.to_numpy(), depth.argmin(axis=0))
        found = np.where(best >= 0, square.index.to_numpy()[best], np.nan)
        chosen = dict(zip(square.columns, found, strict=True))
        table.loc[group.index, "best"] = group.source_depth == group.target_depth.map(chosen)
    return table


def _fig5(pairs: pd.DataFrame) -> pd.DataFrame:
    complete, _ = complete_layers(pairs, ["score"], ("dataset", "architecture", "metric"))
    everywhere = complete[complete.role != "logits"].assign(third="all")
    spans = pd.concat([everywhere, label_thirds(complete)])
    cell = ["metric", "step", "epoch"]
    means = _means(spans, [*cell, "third"], "score").rename(columns={"third": "layer"})
    table = pd.concat(
        [means.assign(depth=np.nan, role=""), _means(pairs, [*cell, *_LAYER], "score")]
    )
    return table.sort_values(
        ["dataset", "architecture", "metric", "role", "depth", "layer", "step"]
    )


def _fig5_networks(accuracy: pd.DataFrame, datasets: pd.DataFrame) -> pd.DataFrame:
    known = accuracy[accuracy.stimuli == "id"].merge(datasets[["dataset", "steps_per_epoch"]])
    known = known.assign(epoch=known.step / known.steps_per_epoch)
    return known.sort_values(["dataset", "architecture", "seed", "step"])


def _fig5_accuracy(networks: pd.DataFrame) -> pd.DataFrame:
    itself = networks.assign(seed_x=networks.seed, seed_y=networks.seed)
    table = _means(itself, ["step", "epoch"], "accuracy")
    return table.sort_values(["dataset", "architecture", "step"])


def _fig6(pairs: pd.DataFrame) -> pd.DataFrame:
    by, cell = ["dataset", "architecture"], ["metric", *_LAYER]
    condition = ["stimuli", "condition", "group"]
    known = pairs.assign(transfer_drop=pairs.id - pairs.transfer)
    parts = []
    for rows, keys, families in (
        (known, [*cell, *condition], False),
        (known.assign(stimuli="all", condition=""), [*cell, "stimuli", "condition"], True),
    ):
        drop, transfer, shuffled = (
            _intervals(rows, by, keys, lambda r, v=v, k=keys: pair_matrix(r, k, v), families)
            for v in ("drop", "transfer_drop", "shuffled")
        )
        drop = drop.rename(columns={"mean": "drop", "low": "drop_low", "high": "drop_high"})
        for name, other in (("transfer_drop", transfer), ("shuffled", shuffled)):
            other = other.rename(columns={"mean": name})[[*by, *keys, name]]
            drop = drop.merge(other, on=[*by, *keys], how="left")
        parts.append(drop)
    table = pd.concat(parts, ignore_index=True)
    table["group"] = table.group.fillna("") if "group" in table else ""
    return table.sort_values([*by, "metric", "stimuli", "condition", "depth"])


def _fig6_conditions(pairs: pd.DataFrame, conditions: pd.DataFrame) -> pd.DataFrame:
    by = ["dataset", "architecture"]
    cell = ["metric", "stimuli", "condition", "group", "near_chance"]
    drops = third_drops(pairs)
    table = None
    for value in ("early", "late", "accuracy", "accuracy_drop"):
        part = _means(drops, cell, value)
        names = {"mean": value, "low": f"{value}_low", "high": f"{value}_high"}
        part = part.rename(columns=names)
        counts = [] if table is None else ["n_networks", "n_pairs"]
        part = part.drop(columns=counts)
        table = part if table is None else table.merge(part, on=[*by, *cell], how="left")
    known = conditions[["stimuli", "condition", "order", "graded"]]
    table = table.merge(known, on=["stimuli", "condition"], how="left")
    return table.sort_values([*by, "metric", "group", "stimuli", "order"])


def _fig6_slopes(pairs: pd.DataFrame) -> pd.DataFrame:
    by = ["dataset", "architecture", "metric"]
    kept = usable(third_drops(pairs))

    def slopes(rows: pd.DataFrame) -> pd.DataFrame:
        return condition_slopes(rows).rename_axis(columns="third")

    names = {"mean": "slope", "low": "slope_low", "high": "slope_high"}
    table = _intervals(kept, by, ["third"], slopes, families=True).rename(columns=names)
    means = kept.groupby(by)[["accuracy_drop", "early", "late"]].mean()
    counts = kept.groupby(by).agg(
        n_conditions=(
            "condition",
            lambda c: len(kept.loc[c.index, ["stimuli", "condition"]].drop_duplicates()),
        ),
        n_families=("group", "nunique"),
    )
    table = table.join(means.join(counts), on=by)
    own = np.where(table.third == "early", table.early, table.late)
    table["intercept"] = own - table.slope.astype(float) * table.accuracy_drop
    return table
