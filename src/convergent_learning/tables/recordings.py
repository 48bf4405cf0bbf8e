"""The tables of figure 8: networks beside biological systems."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from convergent_learning.files import damaged_file_named
from convergent_learning.recordings.recording import RSA
from convergent_learning.tables.depth import complete_layers, label_thirds
from convergent_learning.tables.intervals import Pairs, jackknife
from convergent_learning.tables.means import mean_over_pairs
from convergent_learning.tables.schema import COLUMNS
from convergent_learning.tables.stages import with_epoch
from convergent_learning.tables.storage import Tables

_SYSTEM = ["dataset", "recording", "system"]
_LAYER = ["layer", "depth", "role"]
_METRIC = ["metric", "direction"]
_ENDS = (0.025, 0.975)


def recording_tables(scored: Iterable[Path], facts: Tables) -> Tables:
    """All tables of figure 8.

    Parameters
    ----------
    scored : the parquet files of `activations.recorded.write_recording_scores`, of all datasets and
        recordings.
    facts : groups, layers and fig5_pairs.
    """
    parts = _read(scored)
    networks = _networks(parts["scores"], facts)
    tables = {"fig8_networks": networks}
    tables |= recording_means(tables, facts)
    means, best = tables["fig8"], tables["fig8_best"]
    cell = [*_SYSTEM, "group", "step", "layer", *_METRIC]
    resampled = with_epoch(parts["resampled"], facts["groups"]).drop(columns="epoch")
    tables["fig8"] = means.merge(_over_stimuli(resampled, networks), on=cell, how="left")
    tables["fig8_best"] = best.merge(_p_values(best, parts["shuffled"]))
    return tables


def recording_means(tables: Tables, facts: Tables) -> Tables:
    """What fig8_networks and fig5_pairs decide of the other tables: no resample, no shuffle."""
    networks = tables["fig8_networks"]
    means = _means(networks)
    return {
        "fig8": means,
        "fig8_course": _course(networks, facts["fig5_pairs"]),
        "fig8_best": _best(networks, means),
    }


def late_scores(networks: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Rows of fig8_networks of blocks in the last third of their group, subjects' means.

    A layer that has no score with a system in some network is left out of its group there; these
    are listed, too.
    """
    known = networks[(networks.subject == "mean") & (networks.metric == RSA)]
    parts, left_out = [known.assign(third="")[:0]], []
    for _, rows in known.groupby(["recording", "system"], sort=False):
        complete, unknown = complete_layers(rows, ["score"], ("dataset", "group"))
        left_out += unknown
        thirds = label_thirds(complete)
        parts.append(thirds[thirds.third == "late"])
    return pd.concat(parts, ignore_index=True), left_out


def _read(files: Iterable[Path]) -> Tables:
    parts: dict[str, list[pd.DataFrame]] = {"scores": [], "resampled": [], "shuffled": []}
    for path in files:
        with damaged_file_named(path, OSError, ValueError):
            parts[path.stem.rpartition("_")[2]].append(pd.read_parquet(path))
    return {kind: pd.concat(frames, ignore_index=True) for kind, frames in parts.items()}


def _networks(scores: pd.DataFrame, facts: Tables) -> pd.DataFrame:
    layers = facts["layers"][["dataset", "group", *_LAYER]]
    table = with_epoch(scores.merge(layers, on=["dataset", "group", "layer"]), facts["groups"])
    order = [*_SYSTEM, "group", "seed", "step", *_METRIC, "depth", "subject"]
    return table.sort_values(order, ignore_index=True)


def _means(networks: pd.DataFrame) -> pd.DataFrame:
    """Means over networks; those of the last third of the blocks as the layer `late`."""
    single = networks[networks.subject == "mean"]
    late, _ = late_scores(networks)
    late = late.assign(layer="late", depth=np.nan, role="")
    keys = [*_SYSTEM, "group", "seed", "step", "epoch", *_METRIC, *_LAYER]
    late = late.groupby(keys, dropna=False, as_index=False).score.mean()
    rows = pd.concat([single[[*keys, "score"]], late], ignore_index=True)
    start = rows[(rows.step == 0) & _goes_on(rows)]
    start = start.drop(columns=["step", "epoch"]).rename(columns={"score": "first"})
    rows = rows.merge(start, how="left", on=[k for k in keys if k not in ("step", "epoch")])
    rows["gain"] = rows.score - rows["first"]
    table = _over_networks(rows, "score").drop(columns="n_pairs")
    gains = _over_networks(rows, "gain").rename(
        columns={"mean": "gain", "low": "gain_low", "high": "gain_high"}
    )
    cell = [*_SYSTEM, "group", "step", *_METRIC, "layer"]
    table = table.merge(gains[[*cell, "gain", "gain_low", "gain_high"]], on=cell, how="left")
    order = [*_SYSTEM, "group", *_METRIC, "step", "role", "depth"]
    return table.sort_values(order, ignore_index=True)


def _over_networks(rows: pd.DataFrame, value: str) -> pd.DataFrame:
    """Means of a value of single networks, with the jackknife over them."""
    itself = rows.assign(seed_x=rows.seed, seed_y=rows.seed, depth=rows.depth.fillna(-1))
    cell = ["recording", "system", "step", "epoch", *_METRIC, *_LAYER]
    table = mean_over_pairs(itself, cell, value)
    # Cells that a group does not have are columns of its matrix all the same.
    table = table[table["mean"].notna() | (table.n_pairs > 0)]
    return table.assign(depth=table.depth.where(table.depth >= 0))


def _over_stimuli(resampled: pd.DataFrame, networks: pd.DataFrame) -> pd.DataFrame:
    """Intervals over stimuli and subjects of means and gains, of layers and of `late`."""
    keys = [*_SYSTEM, "group", "step", "layer"]
    late, _ = late_scores(networks)
    layers = late[[*_SYSTEM, "group", "layer"]].drop_duplicates()
    over = resampled.merge(layers).assign(layer="late")
    over = over.groupby([*keys, "draw"], as_index=False).score.mean()
    draws = pd.concat([resampled, over], ignore_index=True)
    wide = draws.pivot(index=keys, columns="draw", values="score").astype(float)
    goes_on = _goes_on(wide.index.to_frame(index=False)).to_numpy()
    first = wide[goes_on & (wide.index.get_level_values("step") == 0)].droplevel("step")
    gains = wide - first.reindex(wide.index.droplevel("step")).to_numpy()
    ends = {}
    for name, values in (("stimuli", wide), ("stimuli_gain", gains)):
        for end, share in zip(("low", "high"), _ENDS, strict=True):
            ends[f"{name}_{end}"] = values.quantile(share, axis=1)
    table = pd.DataFrame(ends).reset_index()
    for name, value in (("metric", RSA), ("direction", "")):
        table.insert(len(keys), name, value)
    return table


def _goes_on(rows: pd.DataFrame) -> pd.Series:
    """Whether a row's group has steps after step 0, since which it may gain."""
    return rows.groupby(["dataset", "group"]).step.transform("max") > 0


def _course(networks: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Rises of the last third of the blocks since step 0, as shares of the whole rise."""
    brain, _ = late_scores(networks)
    itself = brain.assign(seed_x=brain.seed, seed_y=brain.seed)
    alike, _ = complete_layers(pairs[pairs.metric == "procrustes"], ["score"], ("dataset", "group"))
    thirds = label_thirds(alike)
    among = thirds[thirds.third == "late"]
    keys, found = [*_SYSTEM, "group"], []
    for key, rows in itself.groupby(keys, sort=True):
        about = dict(zip(keys, key, strict=True))
        others = among[(among.dataset == about["dataset"]) & (among.group == about["group"])]
        for course, scores in (("recording", rows), ("networks", others)):
            found += [about | {"course": course} | row for row in _shares(scores)]
    return pd.DataFrame(found, columns=COLUMNS["fig8_course"])


def _shares(rows: pd.DataFrame) -> Iterator[dict[str, object]]:
    """For each epoch the mean of one group, and its rise as a share of the whole one.

    Intervals of shares by linearisation, as those of `fig7_shares`. No share where the interval of
    the whole rise includes zero.
    """
    wide = rows.pivot_table(index=["group", "seed_x", "seed_y"], columns="epoch", values="score")
    steps = rows.drop_duplicates("epoch").set_index("epoch").step
    if 0 not in wide or len(wide.columns) < 2:
        return
    pairs = Pairs.of(wide.index.to_frame())
    rise = wide.sub(wide[0], axis=0)
    whole = rise[wide.columns[-1]]
    size = jackknife(whole.to_numpy(), pairs)
    clear = size.low > 0 or size.high < 0
    for epoch in wide:
        level = jackknife(wide[epoch].to_numpy(), pairs)
        # d(r/w) = (dr − ratio · dw)/w
        ratio = rise[epoch].mean() / whole.mean()
        spread = jackknife(((rise[epoch] - ratio * whole) / whole.mean()).to_numpy(), pairs)
        half = float(spread.high - spread.estimate)
        yield {
            "metric": rows.metric.iloc[0],
            "step": int(steps[epoch]),
            "epoch": float(epoch),
            "mean": float(level.estimate),
            "low": float(level.low),
            "high": float(level.high),
            "gain_share": ratio if clear else np.nan,
            "gain_share_low": ratio - half if clear else np.nan,
            "gain_share_high": ratio + half if clear else np.nan,
            "n_networks": int(level.n_networks),
        }


def _best(networks: pd.DataFrame, means: pd.DataFrame) -> pd.DataFrame:
    """The layer with the highest mean at the last step of its group, of those without a gap."""
    keys = [*_SYSTEM, "group"]
    single = networks[(networks.metric == RSA) & (networks.subject == "mean")]
    last = single[single.step == single.groupby(keys).step.transform("max")]
    complete, _ = complete_layers(last, ["score"], keys)
    chosen = complete[[*keys, "step", "layer"]].drop_duplicates()
    found = means[means.metric == RSA].merge(chosen)
    best = found.loc[found.groupby(keys)["mean"].idxmax()]
    kept = [*keys, *_METRIC, *_LAYER, "mean", "n_networks"]
    return best[kept].rename(columns={"mean": "score"}).reset_index(drop=True)


def _p_values(best: pd.DataFrame, shuffled: pd.DataFrame) -> pd.DataFrame:
    """p of the highest layer among the highest layers of the draws with permuted stimuli."""
    keys = [*_SYSTEM, "group"]
    highest = shuffled.groupby([*keys, "draw"], as_index=False).score.max()
    both = highest.merge(best[[*keys, "score"]], on=keys, suffixes=("", "_found"))
    both["reached"] = both.score >= both.score_found
    counts = both.groupby(keys, as_index=False).reached.agg(["sum", "size"])
    counts["p"] = (1 + counts["sum"]) / (1 + counts["size"])
    return counts.rename(columns={"size": "n_draws"})[[*keys, "p", "n_draws"]]


def systems_of(recordings: pd.DataFrame) -> Sequence[tuple[str, str]]:
    """Recording and system of each row of the table of recordings."""
    return [*recordings[["recording", "system"]].itertuples(index=False, name=None)]
