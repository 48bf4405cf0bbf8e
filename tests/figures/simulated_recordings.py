"""Simulated tables of recordings, beside the layers and datasets of a tables folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from convergent_learning.tables.depth import thirds
from convergent_learning.tables.storage import read_table, write_table

_EPOCHS = (0, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 3, 4)
_CELL = ["dataset", "recording", "system", "group", "step", "epoch", "metric", "direction"]
_LAYER = ["layer", "depth", "role"]


class System(NamedTuple):
    """A system, and the scores of the last block before and after training."""

    recording: str
    system: str
    n: int
    n_subjects: int
    ceiling: tuple[float, float] = (np.nan, np.nan)
    n_units: int = 0  # 0: dissimilarities
    untrained: float = 0.07
    trained: float = 0.23


HUMAN = System("objects92", "human IT", 92, 4, (0.37, 0.67))
MONKEY = System("objects92", "monkey IT", 92, 1, untrained=0.15, trained=0.27)
NEURONS = System("neurons", "V4", 640, 1, n_units=120, untrained=0.2, trained=0.34)


def write_recordings(
    folder: Path,
    systems: Sequence[System],
    seeds: int = 3,
    pretrained: Sequence[str] = (),
    gains: bool = True,
) -> Path:
    """Write recordings.csv and fig8*.csv into a tables folder that has layers and groups.

    Groups in `pretrained` have the last step alone; without `gains` training changes nothing.
    """
    rng = np.random.default_rng(0)
    layers, groups = read_table(folder, "layers"), read_table(folder, "groups")
    networks, course = [], []
    for of in groups.itertuples():
        group = of.group
        blocks = layers[(layers.dataset == of.dataset) & (layers.group == group)]
        for system in systems:
            epochs = [e for e in _EPOCHS if e * of.steps_per_epoch <= of.final_step]
            for epoch in epochs[-1:] if group in pretrained else epochs:
                key = {"dataset": of.dataset, "recording": system.recording}
                key |= {"system": system.system, "group": group, "epoch": epoch}
                key["step"] = round(epoch * of.steps_per_epoch)
                risen = gains * (1 - np.exp(-2 * epoch)) / (1 - np.exp(-2 * epochs[-1]))
                networks += _networks(rng, key, system, blocks, seeds, risen)
                course += _course(rng, key, system, seeds, risen, bool(epoch in (0, epochs[-1])))
    each = pd.DataFrame(networks)
    fig8 = _fig8(each, rng)
    write_table(pd.DataFrame([_recording(system) for system in systems]), folder, "recordings")
    write_table(each, folder, "fig8_networks")
    write_table(fig8, folder, "fig8")
    write_table(pd.DataFrame(course), folder, "fig8_course")
    write_table(_best(fig8, rng), folder, "fig8_best")
    return folder


def _recording(system: System) -> dict:
    low, high = system.ceiling
    responses = system.n_units > 0
    return {
        "recording": system.recording,
        "system": system.system,
        "kind": "responses" if responses else "dissimilarities",
        "n": system.n,
        "n_subjects": system.n_subjects,
        "n_repeats": 20 if responses else 2,
        "n_units": system.n_units,
        "n_unreliable": 8 if responses else 0,
        "n_constant": 0,
        "n_missing": 0,
        "ceiling_low": low,
        "ceiling_high": high,
        "unit_ceiling": 0.71 if responses else np.nan,
        "sha256_recording": "0" * 64,
    }


def _networks(rng, key, system, layers, seeds, risen) -> list[dict]:
    kinds = [("rsa", "", 1.0)]
    if system.n_units:
        sizes = {"linear": 1.6, "procrustes": 1.3, "soft_matching": 0.8}
        kinds += [(m, way, size) for m, size in sizes.items() for way in ("to", "from")]
    rows = []
    for metric, direction, size in kinds:
        for seed in range(seeds):
            for layer in layers.itertuples():
                first, end = 0.6 * system.untrained, system.untrained
                end += (system.trained - system.untrained) * risen
                score = first + (end - first) * layer.depth - 0.05 * (layer.role == "logits")
                score = size * score + rng.normal(0, 0.008)
                rows.append(
                    key
                    | {"seed": seed, "layer": layer.layer, "depth": layer.depth}
                    | {"role": layer.role, "metric": metric, "direction": direction}
                    | {"subject": "mean", "score": score, "normalised": score / 0.71}
                )
    return rows


def _course(rng, key, system, seeds, risen, fixed) -> list[dict]:
    """Networks come to resemble each other a little before they resemble the system."""
    wide = 0.0 if fixed else 0.15 if seeds > 2 else np.nan
    rows = []
    for course, metric, ahead, size in (
        ("recording", "rsa", 1.0, system.trained),
        ("networks", "procrustes", 0.8, 0.6),
    ):
        share = risen**ahead + (0 if fixed else rng.normal(0, 0.03))
        share = share if risen > 0 or key["step"] == 0 else np.nan
        rows.append(
            key
            | {"metric": metric, "course": course, "n_networks": seeds, "gain_share": share}
            | {"mean": size * risen, "low": size * risen - 0.02, "high": size * risen + 0.02}
            | {"gain_share_low": share - wide, "gain_share_high": share + wide}
        )
    return rows


def _fig8(networks: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Means over networks of each layer, and of the last third of the blocks."""
    blocks = networks[networks.role == "block"]
    last = [
        rows[thirds(rows.depth.to_numpy())[1]]
        for _, rows in blocks.groupby([*_CELL, "seed"], sort=False)
    ]
    late = pd.concat(last).groupby([*_CELL, "seed"], sort=False).score.mean().reset_index()
    late = late.assign(layer="late", depth=np.nan, role="")
    values = pd.concat([networks, late]).groupby([*_CELL, *_LAYER], sort=False, dropna=False)
    table = values.score.agg(["mean", "sem", "size"]).reset_index()
    table["n_networks"] = table["size"]
    half = table["sem"] * stats.t.ppf(0.975, table["size"].max() - 1)
    half = half.where(table["size"] > 2)
    table["low"], table["high"] = table["mean"] - half, table["mean"] + half
    start = [*(c for c in _CELL if c not in ("step", "epoch")), "layer"]
    first = table[table.step == 0].set_index(start)["mean"].rename("first")
    table = table.join(first, on=start)
    table["gain"] = table["mean"] - table["first"]
    table["gain_low"], table["gain_high"] = table.gain - half, table.gain + half
    ends = table.step.isin((0, table.step.max())) & (table.metric == "rsa")
    wide = pd.Series(rng.uniform(0.04, 0.06, len(table))).where(ends)
    for name, value in (("stimuli", "mean"), ("stimuli_gain", "gain")):
        table[f"{name}_low"], table[f"{name}_high"] = table[value] - wide, table[value] + wide
    return table


def _best(fig8: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    single = fig8[fig8.depth.notna() & (fig8.metric == "rsa")]
    last = single[single.step == single.groupby(["dataset"]).step.transform("max")]
    cell = [c for c in _CELL if c not in ("step", "epoch")]
    best = last.loc[last.groupby(cell, sort=False)["mean"].idxmax()]
    p = rng.choice([0.001, 0.02, 0.2], len(best))
    return best.assign(score=best["mean"], p=p, n_draws=999)
