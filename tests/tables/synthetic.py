"""Simulated score files in the format of the workflow, with effects that are known.

`Effects` names what each claim is about; the defaults make every claim true.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from convergent_learning.figures import figures
from convergent_learning.tables.figure_tables import write_tables
from convergent_learning.tables.schema import COLUMNS

LAYERS = {
    "resnet18": [
        ("relu", "block", 16, 64),
        *((f"layer{1 + i // 2}.{i % 2}.relu_1", "block", 16 * 2 ** (i // 2), 64) for i in range(8)),
        ("flatten", "pooled", 128, 1),
        ("fc", "logits", 10, 1),
    ],
    "vgg11": [
        *((f"features.{2 + 3 * i}", "block", min(16 * 2**i, 128), 16) for i in range(8)),
        ("flatten", "pooled", 128, 1),
        ("classifier", "logits", 10, 1),
    ],
}
FAMILIES = {
    "colour": ["bw"],
    "contrast": ["50", "30"],
    "high_pass": ["1", "0.55"],
    "low_pass": ["5", "10"],
    "phase_scrambling": ["60", "180"],
    "power_equalisation": ["pow"],
    "false_colour": ["opponent"],
    "rotation": ["90", "180"],
    "eidolon_I": ["8", "32"],
    "eidolon_II": ["8", "32"],
    "eidolon_III": ["8", "32"],
    "uniform_noise": ["0.03", "0.05"],
}
STEPS = (0, 12, 24, 48, 98, 196, 392, 588, 784)
STEPS_PER_EPOCH = 196
CHANCE = 0.1


@dataclass(frozen=True)
class Effects:
    """Population effects; each is the left side of one claim."""

    procrustes_ratio: float = 0.92  # procrustes / linear
    permutation_ratio: float = 0.7  # permutation / linear
    gap_trained: float = 0.25  # learned − rotated, permutation
    gap_untrained: float = 0.08
    displaced: float = 0.03  # share of target layers whose best match is far away
    displaced_untrained: float = 0.5
    depth_slope: float = -0.3  # own-layer Procrustes on depth
    gain: float = 0.15  # last step − step 0
    epoch_one: float = 0.96  # share of the gain at epoch 1
    accuracy_epoch_one: float = 0.7  # share of (accuracy − chance) at epoch 1
    early_slope: float = 0.05  # alignment drop per accuracy drop, first third
    late_slope: float = 0.6
    early_drop: float = 0.0  # added to the drop of the first third
    noise: float = 0.012  # of networks and of pairs
    untrained_instead: bool = False  # every step is step 0


def score_frame(
    effects: Effects | None = None,
    seeds: int = 3,
    n_folds: int = 2,
    n_draws: int = 19,
    rng: int = 0,
    groups: tuple[str, ...] = ("resnet18", "vgg11"),
    layers: dict[str, list] | None = None,
    families: dict[str, list[str]] | None = None,
    dataset: str = "cifar10",
    architecture: str | None = None,
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Score rows of all blocks, and the accuracy, datasets, layers and conditions tables.

    Groups are called like their architectures unless all have the `architecture` that is given.
    """
    world = _World(
        effects or Effects(),
        np.random.default_rng(rng),
        {name: (layers or LAYERS)[name] for name in groups},
        seeds,
        FAMILIES if families is None else families,
    )
    blocks = [world.maps(), world.training(), world.ood(), world.rotated(n_draws)]
    means = pd.concat([block for block in blocks if len(block)], ignore_index=True)
    frame = means.loc[means.index.repeat(n_folds)].assign(
        dataset=dataset, fold=np.tile(np.arange(n_folds), len(means)), n_dead_x=0, n_dead_y=0
    )
    frame["score"] += world.rng.normal(0, 0.002, len(frame))
    return frame.reset_index(drop=True), world.context(dataset, architecture)


def write_scores(folder: Path, frame: pd.DataFrame, context: dict[str, pd.DataFrame]) -> list[Path]:
    """Write score files and the tables of the setting as the workflow does."""
    (folder / "scores").mkdir(parents=True, exist_ok=True)
    (folder / "tables").mkdir(exist_ok=True)
    block = np.select(
        [frame.stimuli != "id", frame.step == 0, frame.step == max(STEPS)],
        [frame.stimuli, "untrained", "final"],
        "training",
    )
    tail = np.where(frame.baseline == "rotated", "_rotated", "")
    paths = []
    keys = [frame.dataset, block, frame.metric, tail]
    for (dataset, name, metric, end), rows in frame.groupby(keys):
        paths.append(folder / "scores" / f"{dataset}_{name}_{metric}{end}.parquet")
        rows.to_parquet(paths[-1], index=False)
    for name, table in context.items():
        table.to_csv(folder / "tables" / f"{name}.csv", index=False)
    return paths


def write_all(folder: Path, frame: pd.DataFrame, context: dict[str, pd.DataFrame]) -> list[Path]:
    """`write_scores`, and every figure's tables made from them."""
    paths = write_scores(folder, frame, context)
    for figure in range(2, 7):
        write_tables(
            figures()[figure].DATA, paths, folder / "tables", [folder / "tables/accuracy.csv"]
        )
    return paths


class _World:
    def __init__(self, effects, rng, layers, seeds, families):
        self.effects, self.rng, self.layers, self.families = effects, rng, layers, families
        self.networks = [(a, s) for a in layers for s in range(1, seeds + 1)]
        self.pairs = list(combinations(self.networks, 2))
        self.offsets: dict = {}

    def context(self, dataset, architecture):
        layer_rows = [
            (dataset, a, architecture or a, name, depth, role, units, positions, 8, 8)
            for a in self.layers
            for (name, role, units, positions), depth in self._depths(a)
        ]
        conditions = [
            (f, level, i, len(levels) > 1, "", "eidolon" if f.startswith("eidolon") else f)
            for f, levels in self.families.items()
            for i, level in enumerate(levels)
        ]
        accuracy = [
            (dataset, a, s, step, "id", "", self._accuracy(a, s, step), 1000)
            for a, s in self.networks
            for step in STEPS
        ] + [
            (dataset, a, s, max(STEPS), f, level, self._ood_accuracy(a, s, f, i), 1000)
            for a, s in self.networks
            for f, levels in self.families.items()
            for i, level in enumerate(levels)
        ]
        rows = {
            "layers": layer_rows,
            "conditions": conditions,
            "accuracy": accuracy,
            "datasets": [(dataset, 10, CHANCE, 50000, 1000, "", "")],
            "groups": [
                (dataset, a, "true", "natural", "supervised", STEPS_PER_EPOCH, max(STEPS))
                for a in self.layers
            ],
        }
        return {name: pd.DataFrame(each, columns=COLUMNS[name]) for name, each in rows.items()}

    def maps(self):
        rows = []
        for step in (0, max(STEPS)):
            for x, y in self.pairs:
                for layer_x, dx in self._depths(x[0]):
                    for layer_y, dy in self._depths(y[0]):
                        rows += self._map_cell(x, y, step, layer_x, dx, layer_y, dy)
                if x[0] == y[0]:
                    rows += self._context_rows(x, y, step)
        return self._frame(rows)

    def _map_cell(self, x, y, step, layer_x, dx, layer_y, dy):
        rows = []
        own = x[0] == y[0] and layer_x == layer_y
        for metric in ("linear", "procrustes", "permutation", "soft_matching"):
            if metric == "permutation" and layer_x[2] != layer_y[2]:
                continue
            for direction in ("x->y", "y->x"):
                source, target = (dx, dy) if direction == "x->y" else (dy, dx)
                value = self._score(metric, (dx + dy) / 2, step, x, y) * np.exp(-3 * abs(dx - dy))
                if not own and self._displaced(x, y, step, source, target, direction):
                    value = self._score(metric, target, step, x, y) + 0.05
                rows.append(
                    self._row(x, y, step, layer_x, dx, layer_y, dy, metric, direction, value)
                )
        return rows

    def _context_rows(self, x, y, step):
        rows = []
        for layer, d in self._depths(x[0]):
            for metric in ("linear", "procrustes", "permutation", "soft_matching"):
                for direction in ("x->y", "y->x"):
                    value = self._score(metric, d, step, x, y)
                    base = (x, y, step, layer, d, layer, d, metric, direction)
                    raw = min(value + 0.03, 0.99)
                    rows.append(self._row(*base, raw, center="unit"))
                    null = self.rng.normal(0, 0.004)
                    rows.append(self._row(*base, null, baseline="shuffled"))
            for metric in ("pooled_r", "cka", "procrustes_similarity", "r2"):
                value = 0.9 * self._score("linear", d, step, x, y)
                rows.append(self._row(x, y, step, layer, d, layer, d, metric, "x->y", value))
        return rows

    def training(self):
        rows = []
        for x, y in self._within():
            for step in STEPS[1:-1]:
                for layer, d in self._depths(x[0]):
                    for metric in ("linear", "procrustes", "permutation", "soft_matching"):
                        value = self._score(metric, d, step, x, y)
                        rows.append(
                            self._row(x, y, step, layer, d, layer, d, metric, "x->y", value)
                        )
        return self._frame(rows)

    def ood(self):
        rows = []
        for x, y in self._within():
            for family, levels in self.families.items():
                for i, level in enumerate(levels):
                    for layer, d in self._depths(x[0]):
                        rows += self._ood_cell(x, y, family, i, level, layer, d)
        return self._frame(rows)

    def _ood_cell(self, x, y, family, i, level, layer, d):
        loss = np.mean([self._loss(*n, family, i) for n in (x, y)])
        e = self.effects
        steepness = e.early_slope + (e.late_slope - e.early_slope) * self._early_to_late(x[0], d)
        drop = loss * steepness + e.early_drop * (1 - self._early_to_late(x[0], d))
        drop += self._noise(("ood", family, level), x, y)
        drop = 0.0 if e.untrained_instead else drop
        rows = []
        for metric in ("linear", "procrustes", "permutation", "soft_matching"):
            value = self._score(metric, d, max(STEPS), x, y)
            base = (x, y, max(STEPS), layer, d, layer, d, metric, "x->y")
            where = {"stimuli": family, "condition": level}
            rows.append(self._row(*base, value - drop, **where))
            rows.append(self._row(*base, value - 1.4 * drop, **where, baseline="transfer"))
            rows.append(self._row(*base, self.rng.normal(0, 0.004), **where, baseline="shuffled"))
        return rows

    def rotated(self, n_draws):
        rows, e = [], self.effects
        for x, y in self._within():
            for step in (0, max(STEPS)):
                gap = e.gap_untrained if step == 0 or e.untrained_instead else e.gap_trained
                for layer, d in self._depths(x[0]):
                    mean = self._score("permutation", d, step, x, y) - gap
                    mean += self._noise(("rotated", step), x, y)
                    for draw in range(1, n_draws + 1):
                        value = mean + self.rng.normal(0, 0.01)
                        base = (x, y, step, layer, d, layer, d, "permutation", "x->y", value)
                        rows.append(self._row(*base, baseline="rotated", draw=draw))
        return self._frame(rows)

    def _score(self, metric, depth, step, x, y):
        e = self.effects
        progress = 0.0 if step == 0 or e.untrained_instead else self._progress(step, e.epoch_one)
        procrustes = 0.5 + e.depth_slope * (depth - 0.5) + e.gain * progress
        linear = procrustes / e.procrustes_ratio
        value = {"linear": linear, "procrustes": procrustes}.get(
            metric, e.permutation_ratio * linear
        )
        kind = "permutation" if metric == "soft_matching" else metric
        tilt = self._noise(("tilt", kind, step), x, y) * (depth - 0.5)
        return value + self._noise((kind, step), x, y) + tilt

    def _progress(self, step, at_epoch_one):
        """0 at step 0, 1 at the last, the given share at epoch 1."""
        return float(
            np.interp(
                step,
                [0, STEPS_PER_EPOCH / 4, STEPS_PER_EPOCH, max(STEPS)],
                [0, at_epoch_one * 0.7, at_epoch_one, 1],
            )
        )

    def _accuracy(self, group, seed, step):
        progress = self._progress(step, self.effects.accuracy_epoch_one)
        top = 0.78 + self._offset(("accuracy",), (group, seed))
        return CHANCE + progress * (top - CHANCE)

    def _loss(self, group, seed, family, i):
        place = list(self.families).index(family) / max(len(self.families) - 1, 1)
        loss = 0.06 + 0.4 * place + 0.12 * i
        return loss + self._offset(("loss", family, i), (group, seed))

    def _ood_accuracy(self, group, seed, family, i):
        top = self._accuracy(group, seed, max(STEPS))
        return max(top - self._loss(group, seed, family, i), 0.1)

    def _early_to_late(self, group, depth):
        """0 in the first third of blocks, 1 in the last, linear between."""
        blocks = [d for layer, d in self._depths(group) if layer[1] == "block"]
        third = max(1, round(len(blocks) / 3))
        return float(np.interp(depth, [blocks[third - 1], blocks[-third]], [0, 1]))

    def _displaced(self, x, y, step, source, target, direction):
        """A far source layer wins the target layer, at random in each pair and direction."""
        e = self.effects
        untrained = step == 0 or e.untrained_instead
        share = e.displaced_untrained if untrained else e.displaced
        key = ("displaced", step, x, y, direction, target)
        if key not in self.offsets:
            self.offsets[key] = self.rng.random() < share
        far = 0.0 if target > 0.5 else max(d for la, d in self._depths(x[0]) if la[1] == "block")
        return self.offsets[key] and x[0] == y[0] and source == far and abs(source - target) > 0.3

    def _noise(self, key, x, y):
        pair = (*key, x, y)
        if pair not in self.offsets:
            self.offsets[pair] = self.rng.normal(0, self.effects.noise / 2)
        return self._offset(key, x) + self._offset(key, y) + self.offsets[pair]

    def _offset(self, key, network):
        key = (*key, network)
        if key not in self.offsets:
            self.offsets[key] = self.rng.normal(0, self.effects.noise)
        return self.offsets[key]

    def _within(self):
        return [(x, y) for x, y in self.pairs if x[0] == y[0]]

    def _depths(self, group):
        layers = self.layers[group]
        return [(layer, i / (len(layers) - 1)) for i, layer in enumerate(layers)]

    def _row(self, x, y, step, layer_x, dx, layer_y, dy, metric, direction, score, **other):
        row = {"stimuli": "id", "condition": "", "center": "position"}
        row |= {"baseline": "learned", "draw": 0} | other
        return (
            x[0], y[0], x[1], y[1], step, row["stimuli"], row["condition"], layer_x[0], layer_y[0],
            dx, dy, metric, row["center"], row["baseline"], row["draw"], direction, score,
        )  # fmt: skip

    def _frame(self, rows):
        columns = "group_x group_y seed_x seed_y step stimuli condition layer_x layer_y"
        columns += " depth_x depth_y metric center baseline draw direction score"
        return pd.DataFrame(rows, columns=columns.split())
